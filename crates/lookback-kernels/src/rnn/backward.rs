//! The RNN's own arithmetic on the way back.

use super::Activation;
use crate::cell::backward::BackRows;
use crate::simd::{load, store};
use pulp::Simd;

/// `da = act'(h) dh`.
///
/// # Safety
/// As said in [`BackRows`].
#[inline(always)]
pub(super) unsafe fn cell<S: Simd>(simd: S, activation: Activation, step: &BackRows<'_>) {
    let (zero, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
    for r in 0..step.rows {
        for u in step.units.clone().step_by(S::F32_LANES) {
            // SAFETY: `u` stands inside the row's `hp` columns.
            unsafe {
                let h = load(simd, step.saved[r].add(u));
                let dh = load(simd, step.dh.add(r * step.hp + u));
                let da = match activation {
                    Activation::Tanh => simd.mul_f32s(dh, simd.negate_mul_add_e_f32s(h, h, one)),
                    Activation::Relu => simd.select_f32s(simd.less_than_f32s(zero, h), dh, zero),
                };
                store(simd, step.gates[r].add(u), da);
            }
        }
    }
}
