//! Which keys a query may read.

use std::sync::Arc;

use burn::tensor::{Bool, DType, Tensor};
pub use lookback_kernels::attention::Window;

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

    fn dtype(&self) -> DType {
        match self {
            Bias::Matrix(bias) => bias.dtype(),
            Bias::Rows(bias) => bias.dtype(),
            Bias::Heads(bias) => bias.dtype(),
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
        self.opens_all_but_bias() && self.bias.is_none()
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

    /// The shapes of the boolean masks.
    pub(super) fn allowed_shapes(&self) -> impl Iterator<Item = &[usize]> {
        self.allowed.iter().map(|(_, shape)| &shape[..])
    }

    /// `[Q, K]`, `[B, Q, K]` or `[B, N, Q, K]`.
    pub(super) fn bias_shape(&self) -> Option<Vec<usize>> {
        self.bias.as_ref().map(Bias::shape)
    }

    /// The element type of the bias.
    pub(super) fn bias_type(&self) -> Option<DType> {
        self.bias.as_ref().map(Bias::dtype)
    }

    /// Whether there is nothing, or a bias alone.
    pub(super) fn opens_all_but_bias(&self) -> bool {
        self.key_lengths.is_none() && !self.causal && self.window.is_none() && self.allowed.is_empty()
    }

    /// Whether there are key lengths alone, or nothing.
    pub(crate) fn has_lengths_at_most(&self) -> bool {
        !self.causal && self.window.is_none() && self.allowed.is_empty() && self.bias.is_none()
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
}
