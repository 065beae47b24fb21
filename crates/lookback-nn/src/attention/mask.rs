//! Which keys a query may read.

use std::sync::Arc;

use burn::tensor::{Bool, Tensor, TensorData};
pub use lookback_kernels::attention::Window;

use crate::Error;
use crate::ops::with_values;

/// Which keys each query may read. Every part that is given holds at once.
///
/// A query with every key masked gets zero weights, a zero context and a zero gradient. A masked key is never read:
/// whatever stands there, even NaN, changes nothing.
///
/// ```
/// use lookback_nn::attention::Mask;
/// let mask = Mask::none().with_key_lengths(&[5, 3]).with_causal();
/// ```
#[derive(Debug, Clone, Default)]
pub struct Mask {
    key_lengths: Option<Arc<[usize]>>,
    causal: bool,
    window: Option<Window>,
    allowed: Vec<(Arc<[bool]>, Vec<usize>)>,
    bias: Option<Bias>,
}

/// What may be added to scores: a tensor of two, three or four dimensions.
#[derive(Debug, Clone)]
pub enum Bias {
    /// `[Q, K]`.
    Matrix(Tensor<2>),
    /// `[B, Q, K]`.
    Rows(Tensor<3>),
    /// `[B, N, Q, K]`.
    Heads(Tensor<4>),
}

impl Bias {
    fn shape(&self) -> Vec<usize> {
        match self {
            Bias::Matrix(bias) => bias.dims().to_vec(),
            Bias::Rows(bias) => bias.dims().to_vec(),
            Bias::Heads(bias) => bias.dims().to_vec(),
        }
    }

    /// Reshaped anew at every use, so that one mask serves several backward passes.
    fn flat(&self) -> Tensor<1> {
        match self {
            Bias::Matrix(bias) => bias.clone().reshape([-1]),
            Bias::Rows(bias) => bias.clone().reshape([-1]),
            Bias::Heads(bias) => bias.clone().reshape([-1]),
        }
    }
}

impl From<Tensor<2>> for Bias {
    fn from(bias: Tensor<2>) -> Bias {
        Bias::Matrix(bias)
    }
}

impl From<Tensor<3>> for Bias {
    fn from(bias: Tensor<3>) -> Bias {
        Bias::Rows(bias)
    }
}

impl From<Tensor<4>> for Bias {
    fn from(bias: Tensor<4>) -> Bias {
        Bias::Heads(bias)
    }
}

impl Mask {
    /// Every query reads every key.
    pub fn none() -> Mask {
        Mask::default()
    }

    /// lengths: `[B]`, each from 0 to `K`; keys at or past it are masked.
    pub fn with_key_lengths(mut self, lengths: &[usize]) -> Mask {
        self.key_lengths = Some(lengths.into());
        self
    }

    /// Query `q` reads keys `k <= q`, both counted from 0.
    pub fn with_causal(mut self) -> Mask {
        self.causal = true;
        self
    }

    /// Query `q` reads keys from `q - before` to `q + after` (local attention, Luong 2015, section 3.2).
    pub fn with_window(mut self, before: usize, after: usize) -> Mask {
        self.window = Some(Window { before, after });
        self
    }

    /// allowed: `[Q, K]` or `[B, Q, K]`; true means attend. Several such masks hold at once.
    pub fn with_allowed<const R: usize>(mut self, allowed: Tensor<R, Bool>) -> Mask {
        let shape = allowed.dims().to_vec();
        let values: Vec<bool> = allowed.into_data().iter::<bool>().collect();
        self.allowed.push((values.into(), shape));
        self
    }

    /// bias: `[Q, K]`, `[B, Q, K]` or `[B, N, Q, K]`, added to the scores; negative infinity masks. Gradients flow into
    /// it. A second bias takes the place of the first.
    pub fn with_bias(mut self, bias: impl Into<Bias>) -> Mask {
        self.bias = Some(bias.into());
        self
    }

    /// Whether nothing is masked and nothing added.
    pub fn is_none(&self) -> bool {
        self.key_lengths.is_none()
            && !self.causal
            && self.window.is_none()
            && self.allowed.is_empty()
            && self.bias.is_none()
    }

    pub(crate) fn key_lengths(&self) -> Option<&Arc<[usize]>> {
        self.key_lengths.as_ref()
    }

    pub(crate) fn causal(&self) -> bool {
        self.causal
    }

    pub(crate) fn window(&self) -> Option<Window> {
        self.window
    }

    /// `[Q K]`, `[B Q K]` or `[B N Q K]`.
    pub(crate) fn bias(&self) -> Option<Tensor<1>> {
        self.bias.as_ref().map(Bias::flat)
    }

    /// Compares every part with the sizes of a call.
    pub(crate) fn check(&self, batch: usize, heads: usize, queries: usize, keys: usize) -> Result<(), Error> {
        if let Some(lengths) = &self.key_lengths {
            if lengths.len() != batch {
                let expected = format!("[{batch}] (one a row of keys)");
                return Err(Error::Shape { name: "key lengths", found: vec![lengths.len()], expected });
            }
            if let Some((row, &length)) = lengths.iter().enumerate().find(|&(_, &length)| length > keys) {
                return Err(Error::KeyLength { row, length, keys });
            }
        }
        let two_or_three = |shape: &[usize]| shape == [queries, keys] || shape == [batch, queries, keys];
        for (_, shape) in &self.allowed {
            if !two_or_three(shape) {
                let expected = format!("[{queries}, {keys}] or [{batch}, {queries}, {keys}] ([Q, K] or [B, Q, K])");
                return Err(Error::Shape { name: "attention mask", found: shape.clone(), expected });
            }
        }
        if let Some(shape) = self.bias.as_ref().map(Bias::shape)
            && !two_or_three(&shape)
            && shape != [batch, heads, queries, keys]
        {
            let expected = format!(
                "[{queries}, {keys}], [{batch}, {queries}, {keys}] or [{batch}, {heads}, {queries}, {keys}] ([Q, K], \
                 [B, Q, K] or [B, N, Q, K])"
            );
            return Err(Error::Shape { name: "attention bias", found: shape, expected });
        }
        Ok(())
    }

    /// All boolean masks in one, `[Q, K]` or `[B, Q, K]`.
    pub(crate) fn allowed(&self, batch: usize) -> Option<Arc<[bool]>> {
        let [first, others @ ..] = &self.allowed[..] else { return None };
        if others.is_empty() {
            return Some(first.0.clone());
        }
        let matrix = first.1[first.1.len() - 2] * first.1[first.1.len() - 1];
        let whole =
            |at: usize| self.allowed.iter().all(|(mask, _)| mask[if mask.len() == matrix { at % matrix } else { at }]);
        Some((0..batch * matrix).map(whole).collect())
    }

    /// Whether query `q` of batch row `b` may read key `k`, the bias apart.
    fn reads(&self, allowed: Option<&[bool]>, sizes: [usize; 3], [b, q, k]: [usize; 3]) -> bool {
        let [_, queries, keys] = sizes;
        self.key_lengths.as_ref().is_none_or(|lengths| k < lengths[b])
            && (!self.causal || k <= q)
            && self.window.is_none_or(|window| k + window.before >= q && k <= q.saturating_add(window.after))
            && allowed.is_none_or(|allowed| {
                let matrix = if allowed.len() == queries * keys { 0 } else { b };
                allowed[(matrix * queries + q) * keys + k]
            })
    }

    /// `[B, Q, K]`: whether the key may be read, the bias apart; `None` where all may. Only for sizes that were checked.
    pub(crate) fn pairs(&self, batch: usize, queries: usize, keys: usize) -> Option<Vec<bool>> {
        if self.key_lengths.is_none() && !self.causal && self.window.is_none() && self.allowed.is_empty() {
            return None;
        }
        let allowed = self.allowed(batch);
        let sizes = [batch, queries, keys];
        let pairs = (0..batch * queries * keys)
            .map(|at| self.reads(allowed.as_deref(), sizes, [at / (queries * keys), at / keys % queries, at % keys]));
        Some(pairs.collect())
    }

    /// `x` `[B, K, D]` with zeros where no query of the row reads the key, so that a projection does not read what is
    /// masked either. Only for sizes that were checked.
    pub(crate) fn without_unread(&self, x: Tensor<3>, queries: usize, heads: usize) -> Tensor<3> {
        let [batch, keys, width] = x.dims();
        let unread = self.unread(batch, heads, queries, keys);
        if !unread.contains(&true) {
            return x;
        }
        let unread = Tensor::<3, Bool>::from_data(TensorData::new(unread, [batch, keys, 1]), &x.device());
        x.mask_fill(unread.expand([batch, keys, width]), 0.0)
    }

    /// `[B, K]`: whether no query reads the key; empty where every key is read.
    fn unread(&self, batch: usize, heads: usize, queries: usize, keys: usize) -> Vec<bool> {
        // Lengths alone, the most common mask, need no look at every pair.
        let only_lengths = !self.causal && self.window.is_none() && self.allowed.is_empty() && self.bias.is_none();
        if only_lengths {
            return match &self.key_lengths {
                Some(lengths) => lengths.iter().flat_map(|&length| (0..keys).map(move |k| k >= length)).collect(),
                None => Vec::new(),
            };
        }
        let pairs = self.pairs(batch, queries, keys);
        let mut unread = vec![true; batch * keys];
        let mut look = |bias: Option<&[f32]>| {
            for at in 0..batch * queries * keys {
                let (b, q, k) = (at / (queries * keys), at / keys % queries, at % keys);
                let open = |bias: &[f32]| match bias.len() {
                    len if len == queries * keys => bias[q * keys + k] != f32::NEG_INFINITY,
                    len if len == batch * queries * keys => bias[at] != f32::NEG_INFINITY,
                    _ => (0..heads).any(|n| bias[((b * heads + n) * queries + q) * keys + k] != f32::NEG_INFINITY),
                };
                if pairs.as_ref().is_none_or(|pairs| pairs[at]) && bias.is_none_or(open) {
                    unread[b * keys + k] = false;
                }
            }
        };
        match self.bias() {
            Some(bias) => with_values(&bias.inner_or_self(), |bias| look(Some(bias))),
            None => look(None),
        }
        unread
    }
}

/// The tensor without autodiff, wherever it lives.
trait InnerOrSelf {
    fn inner_or_self(self) -> Self;
}

impl<const R: usize> InnerOrSelf for Tensor<R> {
    fn inner_or_self(self) -> Self {
        if self.device().is_autodiff() { self.inner() } else { self }
    }
}
