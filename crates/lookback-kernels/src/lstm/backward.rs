//! The LSTM's own arithmetic on the way back.

use crate::recurrence::BackRows;
use crate::simd::math::tanh_vector;
use crate::simd::{load, store};
use pulp::Simd;

/// The gradients of the gates before their activations, `[i f g o]`, and of the previous cell.
///
/// # Safety
/// As said in [`BackRows`]; `peephole` has `3 * hp` values.
#[inline(always)]
pub(crate) unsafe fn cell<S: Simd>(simd: S, peephole: Option<&[f32]>, step: &BackRows<'_>) {
    let hp = step.hp;
    let one = simd.splat_f32s(1.0);
    // x (1 - x) for a gate.
    let slope = |x: S::f32s| simd.negate_mul_add_e_f32s(x, x, x);
    for r in 0..step.rows {
        for u in (0..hp).step_by(S::F32_LANES) {
            // SAFETY: `u` stands inside the `hp` columns of every section.
            unsafe {
                let saved = step.saved[r].add(u);
                let [i, f, g, o, c] = [0, 1, 2, 3, 4].map(|section| load(simd, saved.add(section * hp)));
                let dh = load(simd, step.dh.add(r * hp + u));
                let dc_at = step.dc.add(r * hp + u);
                let tanh_c = tanh_vector(simd, c);
                let da_o = simd.mul_f32s(simd.mul_f32s(dh, tanh_c), slope(o));
                let through_h = simd.mul_f32s(dh, o);
                let through_tanh = simd.negate_mul_add_e_f32s(tanh_c, tanh_c, one);
                let mut dc = simd.mul_add_e_f32s(through_h, through_tanh, load(simd, dc_at));
                let sees = |gate: usize, da: S::f32s, sum: S::f32s| match peephole {
                    Some(weights) => simd.mul_add_e_f32s(load(simd, weights.as_ptr().add(gate * hp + u)), da, sum),
                    None => sum,
                };
                dc = sees(2, da_o, dc);
                let c_prev = load(simd, step.c_prev.add(r * hp + u));
                let da_i = simd.mul_f32s(simd.mul_f32s(dc, g), slope(i));
                let da_f = simd.mul_f32s(simd.mul_f32s(dc, c_prev), slope(f));
                let da_g = simd.mul_f32s(simd.mul_f32s(dc, i), simd.negate_mul_add_e_f32s(g, g, one));
                for (section, value) in [da_i, da_f, da_g, da_o].into_iter().enumerate() {
                    store(simd, step.gates[r].add(section * hp + u), value);
                }
                store(simd, dc_at, sees(1, da_f, sees(0, da_i, simd.mul_f32s(dc, f))));
            }
        }
    }
}
