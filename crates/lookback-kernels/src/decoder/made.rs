//! What the tasks of a backward pass write, in memory that was not zeroed before.

use super::DecoderDims;
use super::plan::Plan;
use crate::attention::{Score, stride_of};
use crate::simd::Shared;
use crate::written::Unwritten;

/// What the tasks write.
pub(super) struct Made<X> {
    pub(super) x: X,
    pub(super) keys: X,
    pub(super) values: X,
    pub(super) previous: X,
    pub(super) h0: X,
    pub(super) c0: X,
    /// `[B, stride]`: each row's part of the gradient of `v`, over -2.
    pub(super) v: X,
    /// `[B, stride]`: each row's part of the gradient of `w_c`, over `4 v`, with coverage.
    pub(super) coverage: X,
    /// `[steps, H]`: of what `h̃` is the tanh of.
    pub(super) combined: X,
    /// `[steps, A]`: of the queries.
    pub(super) queries: X,
    /// `[steps, K]`: of the scores of a product.
    pub(super) scores: X,
    /// `[steps, M]`: of the contexts.
    pub(super) contexts: X,
    /// `[L]`: `[steps, gradient_len]`.
    pub(super) gates: Vec<X>,
}

impl<X> Made<X> {
    fn map<Y>(self, mut to: impl FnMut(X) -> Y) -> Made<Y> {
        Made {
            x: to(self.x),
            keys: to(self.keys),
            values: to(self.values),
            previous: to(self.previous),
            h0: to(self.h0),
            c0: to(self.c0),
            v: to(self.v),
            coverage: to(self.coverage),
            combined: to(self.combined),
            queries: to(self.queries),
            scores: to(self.scores),
            contexts: to(self.contexts),
            gates: self.gates.into_iter().map(to).collect(),
        }
    }

    fn each_mut(&mut self) -> Made<&mut X> {
        Made {
            x: &mut self.x,
            keys: &mut self.keys,
            values: &mut self.values,
            previous: &mut self.previous,
            h0: &mut self.h0,
            c0: &mut self.c0,
            v: &mut self.v,
            coverage: &mut self.coverage,
            combined: &mut self.combined,
            queries: &mut self.queries,
            scores: &mut self.scores,
            contexts: &mut self.contexts,
            gates: self.gates.iter_mut().collect(),
        }
    }
}

impl Made<Unwritten> {
    pub(super) fn new(plan: &Plan, score: Score<'_>, covers: bool) -> Self {
        let DecoderDims { batch, time, input, hidden, layers, keys, width, memory } = plan.dims;
        let (steps, form) = (plan.tokens.count, plan.kind.cell.form());
        let states = layers * batch * hidden;
        let (luong, additive) = (!plan.bahdanau(), matches!(score, Score::Additive { .. }));
        let lens = Made {
            x: batch * time * input,
            keys: batch * keys * width,
            values: batch * keys * memory,
            previous: if luong && plan.fed > 0 { batch * hidden } else { 0 },
            h0: states,
            c0: if form.cell_state.is_some() { states } else { 0 },
            v: if additive { batch * stride_of(width) } else { 0 },
            coverage: if covers { batch * stride_of(width) } else { 0 },
            combined: if luong { steps * hidden } else { 0 },
            queries: steps * width,
            scores: if additive { 0 } else { steps * keys },
            contexts: steps * memory,
            gates: vec![steps * form.gradient_len(plan.hp); layers],
        };
        lens.map(Unwritten::new)
    }

    pub(super) fn places(&mut self) -> Made<Shared> {
        self.each_mut().map(|part| Shared(part.slots().as_mut_ptr().cast()))
    }

    /// # Safety
    /// Every value must have been written.
    pub(super) unsafe fn written(self) -> Made<Vec<f32>> {
        // SAFETY: as the caller promises.
        self.map(|part| unsafe { part.written() })
    }
}
