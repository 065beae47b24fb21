//! A mask that was compared with the sizes of a call. Only such a mask is read, so that no part of it is looked up beyond
//! its end.

use burn::tensor::{Bool, DType, Tensor, TensorData};

use super::Mask;
use crate::ops::with_values;
use crate::{Error, check};

/// A mask, and the sizes that every part of it has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fitted<'a> {
    mask: &'a Mask,
    batch: usize,
    heads: usize,
    queries: usize,
    keys: usize,
}

impl Mask {
    /// Compares every part with the sizes of a call.
    pub(crate) fn fit(&self, batch: usize, heads: usize, queries: usize, keys: usize) -> Result<Fitted<'_>, Error> {
        if let Some(lengths) = self.key_lengths() {
            if lengths.len() != batch {
                let expected = format!("[{batch}] (one per row of keys)");
                return Err(Error::Shape { name: "key lengths", found: vec![lengths.len()], expected });
            }
            if let Some((row, &length)) = lengths.iter().enumerate().find(|&(_, &length)| length > keys) {
                return Err(Error::KeyLength { row, length, keys });
            }
        }
        let two_or_three = |shape: &[usize]| shape == [queries, keys] || shape == [batch, queries, keys];
        for shape in self.allowed_shapes() {
            if !two_or_three(shape) {
                let expected = format!("[{queries}, {keys}] or [{batch}, {queries}, {keys}] ([Q, K] or [B, Q, K])");
                return Err(Error::Shape { name: "attention mask", found: shape.to_vec(), expected });
            }
        }
        if let Some(shape) = self.bias_shape()
            && !two_or_three(&shape)
            && shape != [batch, heads, queries, keys]
        {
            let expected = format!(
                "[{queries}, {keys}], [{batch}, {queries}, {keys}] or [{batch}, {heads}, {queries}, {keys}] ([Q, K], \
                 [B, Q, K] or [B, N, Q, K])"
            );
            return Err(Error::Shape { name: "attention bias", found: shape, expected });
        }
        Ok(Fitted { mask: self, batch, heads, queries, keys })
    }
}

impl Fitted<'_> {
    /// The bias, if there is one, is added to scores of this type.
    pub(crate) fn check_type(&self, name: &'static str, dtype: DType) -> Result<(), Error> {
        check::types([(name, Some(dtype)), ("attention bias", self.mask.bias_type())])
    }

    /// Whether query `q` of batch row `b` may read key `k`, the bias apart.
    fn reads(&self, allowed: Option<&[bool]>, [b, q, k]: [usize; 3]) -> bool {
        self.mask.key_lengths().is_none_or(|lengths| k < lengths[b])
            && (!self.mask.causal() || k <= q)
            && self
                .mask
                .window()
                .is_none_or(|window| q.saturating_sub(window.before) <= k && k <= q.saturating_add(window.after))
            && allowed.is_none_or(|allowed| {
                let matrix = if allowed.len() == self.queries * self.keys { 0 } else { b };
                allowed[(matrix * self.queries + q) * self.keys + k]
            })
    }

    /// `[B, Q, K]`: whether the key may be read, the bias apart; `None` where all may.
    fn pairs(&self) -> Option<Vec<bool>> {
        if self.mask.opens_all_but_bias() {
            return None;
        }
        let (allowed, Fitted { batch, queries, keys, .. }) = (self.mask.allowed(self.batch), *self);
        let pairs = (0..batch * queries * keys)
            .map(|at| self.reads(allowed.as_deref(), [at / (queries * keys), at / keys % queries, at % keys]));
        Some(pairs.collect())
    }

    /// The scores `[B, N, Q, K]` with the bias on them, and `[B, N, Q, K]`: which are closed. A bias of negative infinity
    /// closes, and is not added: in a row of nothing else it would make the softmax NaN.
    pub(crate) fn close(&self, mut scores: Tensor<4>) -> (Tensor<4>, Option<Tensor<4, Bool>>) {
        let Fitted { batch, heads, queries, keys, .. } = *self;
        let (device, full) = (scores.device(), [batch, heads, queries, keys]);
        let mut closed = self.pairs().map(|pairs| {
            let shut: Vec<bool> = pairs.into_iter().map(|open| !open).collect();
            Tensor::<4, Bool>::from_data(TensorData::new(shut, [batch, 1, queries, keys]), &device).expand(full)
        });
        if let Some(bias) = self.mask.bias() {
            let count = bias.dims()[0];
            let bias = match count {
                _ if count == queries * keys => bias.reshape([1, 1, queries, keys]),
                _ if count == batch * queries * keys => bias.reshape([batch, 1, queries, keys]),
                _ => bias.reshape(full),
            };
            let bias = bias.expand(full);
            let shut = bias.clone().equal_elem(f32::NEG_INFINITY);
            scores = scores + bias.mask_fill(shut.clone(), 0.0);
            closed = Some(closed.map_or(shut.clone(), |closed| closed.bool_or(shut)));
        }
        (scores, closed)
    }

    /// `x` `[B, K, D]` with zeros where no query of the row reads the key, so that a projection does not read what is
    /// masked either.
    pub(crate) fn without_unread(&self, name: &'static str, x: Tensor<3>) -> Result<Tensor<3>, Error> {
        let (Fitted { batch, keys, .. }, [_, _, width]) = (*self, x.dims());
        check::shape(name, &x, [batch, keys, width], "B and K of the mask")?;
        let unread = self.unread();
        if width == 0 || !unread.contains(&true) {
            return Ok(x);
        }
        let unread = Tensor::<3, Bool>::from_data(TensorData::new(unread, [batch, keys, 1]), &x.device());
        Ok(x.mask_fill(unread.expand([batch, keys, width]), 0.0))
    }

    /// `[B, K]`: whether no query reads the key; empty where every key is read.
    fn unread(&self) -> Vec<bool> {
        let Fitted { batch, heads, queries, keys, .. } = *self;
        // Lengths alone, the most common mask, need no look at every pair.
        if self.mask.has_lengths_at_most() {
            return match self.mask.key_lengths() {
                Some(lengths) => lengths.iter().flat_map(|&length| (0..keys).map(move |k| k >= length)).collect(),
                None => Vec::new(),
            };
        }
        let pairs = self.pairs();
        let mut unread = vec![true; batch * keys];
        if batch * queries * keys == 0 {
            return unread;
        }
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
        match self.mask.bias() {
            Some(bias) => with_values(&apart(bias), |bias| look(Some(bias))),
            None => look(None),
        }
        unread
    }
}

/// The tensor without autodiff, wherever it lives.
fn apart(bias: Tensor<1>) -> Tensor<1> {
    if bias.device().is_autodiff() { bias.inner() } else { bias }
}
