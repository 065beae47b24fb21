//! Which keys a query reads: as a range, which costs nothing past its ends, and where a boolean mask or a bias
//! is given, as a number added to each score, negative infinity where masked.

use super::{Dims, Mask};
use crate::Real;
use std::ops::Range;

impl<R: Real> Mask<'_, R> {
    /// The real keys of batch row `row`.
    pub(super) fn length(&self, dims: &Dims, row: usize) -> usize {
        self.key_lengths.map_or(dims.keys, |lengths| lengths[row])
    }

    /// The keys that lengths, causality and window leave to `query`; start and end are the same when none.
    #[inline]
    pub(super) fn range(&self, dims: &Dims, row: usize, query: usize) -> Range<usize> {
        let (mut start, mut end) = (0, self.length(dims, row));
        if self.causal {
            end = end.min(query + 1);
        }
        if let Some(window) = self.window {
            start = query.saturating_sub(window.before);
            end = end.min(query.saturating_add(window.after).saturating_add(1));
        }
        start.min(end)..end
    }

    /// Whether [`Mask::row`] has anything to say.
    pub(super) fn has_rows(&self) -> bool {
        self.allowed.is_some() || self.bias.is_some()
    }

    /// The `[K]` rows of the boolean mask and of the bias that `query` of a batch row and head reads.
    #[inline]
    pub(super) fn row(&self, dims: &Dims, row: usize, head: usize, query: usize) -> (Option<&[bool]>, Option<&[R]>) {
        let Dims { queries, keys, heads, .. } = *dims;
        // Where shapes have the same length they mean the same, so that the length tells them apart.
        let at = |len: usize| {
            let matrix = match len {
                len if len == queries * keys => 0,
                len if len == dims.batch * queries * keys => row,
                _ => row * heads + head,
            };
            (matrix * queries + query) * keys
        };
        (
            self.allowed.map(|allowed| &allowed[at(allowed.len())..][..keys]),
            self.bias.map(|bias| &bias[at(bias.len())..][..keys]),
        )
    }

    /// What is added to the score of one pair, or `None` where the key is masked.
    pub(super) fn pair(&self, dims: &Dims, row: usize, head: usize, query: usize, key: usize) -> Option<R> {
        let (allowed, bias) = self.row(dims, row, head, query);
        let bias = bias.map_or(R::ZERO, |bias| bias[key]);
        let read = self.range(dims, row, query).contains(&key)
            && allowed.is_none_or(|allowed| allowed[key])
            // The only number that is its own half and below zero.
            && !(bias < R::ZERO && bias + bias == bias);
        read.then_some(bias)
    }
}

impl Mask<'_> {
    /// Writes [`Mask::pair`] of `keys`, negative infinity where masked, and tells whether any is read.
    #[inline(always)]
    pub(super) fn fill(&self, dims: &Dims, at: (usize, usize, usize), keys: Range<usize>, to: &mut [f32]) -> bool {
        let (row, head, query) = at;
        let (allowed, bias) = self.row(dims, row, head, query);
        match bias {
            Some(bias) => to.copy_from_slice(&bias[keys.clone()]),
            None => to.fill(0.0),
        }
        if let Some(allowed) = allowed {
            for (to, &allowed) in to.iter_mut().zip(&allowed[keys]) {
                *to = if allowed { *to } else { f32::NEG_INFINITY };
            }
        }
        to.iter().any(|&value| value != f32::NEG_INFINITY)
    }
}
