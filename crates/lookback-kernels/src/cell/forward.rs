//! The rows of one step, and the products of their state.

use super::packed::PackedDirection;
use crate::simd::tile::{Panel, Start, VECTORS, panels_product};
use pulp::Simd;
use std::ops::Range;

/// The rows of one step. State pointers have `rows` times `hp` values.
pub(crate) struct StepRows<'a> {
    pub(crate) weights: &'a PackedDirection,
    pub(crate) rows: usize,
    pub(crate) hp: usize,
    /// The blocks of units, a panel wide each, that are to be computed.
    pub(crate) blocks: Range<usize>,
    /// `[rows]`: each row's gates, the sections of [`super::Form::kept`].
    pub(crate) gates: &'a [*mut f32],
    pub(crate) h_prev: *const f32,
    pub(crate) h_next: *mut f32,
    pub(crate) c: *mut f32,
    /// `kept ∘ h_prev`, for the product of a [`super::Gated`] gate.
    pub(crate) seen: *mut f32,
}

impl StepRows<'_> {
    /// The first unit of a block.
    #[inline(always)]
    pub(crate) fn unit<S: Simd>(&self, block: usize) -> usize {
        block * VECTORS * S::F32_LANES
    }

    /// The weights of `gate` for a block of units, whose product goes to `section`.
    #[inline(always)]
    pub(crate) fn panel<S: Simd>(&self, gate: usize, block: usize, section: usize, start: Start) -> Panel {
        let blocks = self.hp / (VECTORS * S::F32_LANES);
        let data = self.weights.hidden.panel(gate * blocks + block);
        Panel { data, start, column: section * self.hp + self.unit::<S>(block) }
    }

    /// The products of some panels with `state`.
    ///
    /// # Safety
    /// As said in [`StepRows`]; `state` has as many values as the others.
    #[inline(always)]
    pub(crate) unsafe fn products<S: Simd>(&self, simd: S, panels: &[Panel], state: *const f32) {
        let hidden = self.weights.hidden.k;
        // SAFETY: a state row has `hidden` values (of `hp`), a gates row every section's columns.
        unsafe {
            panels_product(simd, hidden, panels, self.rows, |r| state.wrapping_add(r * self.hp), |r| self.gates[r]);
        }
    }
}
