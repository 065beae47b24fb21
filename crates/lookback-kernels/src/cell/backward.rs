//! The rows of one step on the way back, and the products of their gates' gradients.

use super::packed::{PackedBackward, Panels};
use crate::simd::tile::{Panel, Start, VECTORS, panels_product};
use pulp::Simd;
use std::ops::Range;

/// The rows of one step on the way back. State pointers have `rows` times `hp` values.
pub(crate) struct BackRows<'a> {
    pub(crate) weights: &'a PackedBackward,
    /// `[3, hp]`.
    pub(crate) peephole: Option<&'a [f32]>,
    pub(crate) rows: usize,
    pub(crate) hp: usize,
    /// The units that are to be computed, whole panels.
    pub(crate) units: Range<usize>,
    /// `[rows]`: what the forward pass saved for this step, and for the step before (null at the first).
    pub(crate) saved: &'a [*const f32],
    /// `[rows]`: where this step's gate gradients go.
    pub(crate) gates: &'a [*mut f32],
    /// The previous hidden state of each row; at the first step `h0`.
    pub(crate) h_prev: *const f32,
    /// The previous cell state of each row.
    pub(crate) c_prev: *const f32,
    /// In: the gradient of this step's hidden state. Out: of the previous one.
    pub(crate) dh: *mut f32,
    /// In: the gradient of this step's cell. Out: of the previous one.
    pub(crate) dc: *mut f32,
    /// The gradient of `kept ∘ h_prev`, where a gate is [`super::Gated`].
    pub(crate) dseen: *mut f32,
}

impl BackRows<'_> {
    /// `to = start + Σ panels ∘ gates`, the gates' gradients from `section` on.
    ///
    /// # Safety
    /// As said in [`BackRows`]; `to` has as many values as the states, and the gradients of all units are there.
    #[inline(always)]
    pub(crate) unsafe fn product<S: Simd>(&self, simd: S, panels: &Panels, section: usize, start: Start, to: *mut f32) {
        let (hp, width) = (self.hp, VECTORS * S::F32_LANES);
        let blocks = self.units.start / width..self.units.end / width;
        for first in blocks.clone().step_by(4) {
            let last = (first + 4).min(blocks.end);
            let four: [Panel; 4] = std::array::from_fn(|i| {
                let index = (first + i).min(last - 1);
                Panel { data: panels.panel(index), start, column: index * width }
            });
            // SAFETY: gates rows have the sections of the form, states `hp` columns.
            unsafe {
                panels_product(
                    simd,
                    panels.k,
                    &four[..last - first],
                    self.rows,
                    |r| self.gates[r].wrapping_add(section * hp).cast_const(),
                    |r| to.wrapping_add(r * hp),
                );
            }
        }
    }
}
