//! The LSTM's own arithmetic on the way back.

use super::forward::sees;
use super::{CELL, F, G, I, O, PEEPHOLE_O};
use crate::cell::backward::BackRows;
use crate::simd::math::{each, gates};
use crate::simd::{load, store};
use pulp::Simd;

/// The gradients of the gates before their activations, `[i f g o]`, and of the previous cell.
///
/// # Safety
/// As said in [`BackRows`]; `peephole` has `3 * hp` values.
#[inline(always)]
pub(super) unsafe fn cell<S: Simd>(simd: S, peephole: Option<&[f32]>, step: &BackRows<'_>) {
    let hp = step.hp;
    let one = simd.splat_f32s(1.0);
    for r in 0..step.rows {
        for unit in step.units.clone().step_by(2 * S::F32_LANES) {
            // SAFETY: two vectors from `unit` stand inside the `hp` columns of every section.
            unsafe {
                let c_at = step.saved[r].add(CELL * hp + unit);
                let tanh_c = gates::<S, 2, 0>(
                    simd,
                    each(
                        #[inline(always)]
                        |v| load(simd, c_at.add(v * S::F32_LANES)),
                    ),
                );
                for (v, tanh_c) in tanh_c.into_iter().enumerate() {
                    let u = unit + v * S::F32_LANES;
                    let saved = step.saved[r].add(u);
                    let (i, f) = (load(simd, saved.add(I * hp)), load(simd, saved.add(F * hp)));
                    let (g, o) = (load(simd, saved.add(G * hp)), load(simd, saved.add(O * hp)));
                    let dh = load(simd, step.dh.add(r * hp + u));
                    let dc_at = step.dc.add(r * hp + u);
                    let da_o = simd.mul_f32s(simd.mul_f32s(dh, tanh_c), slope(simd, o));
                    let through_h = simd.mul_f32s(dh, o);
                    let through_tanh = simd.negate_mul_add_e_f32s(tanh_c, tanh_c, one);
                    let mut dc = simd.mul_add_e_f32s(through_h, through_tanh, load(simd, dc_at));
                    dc = sees(simd, peephole, PEEPHOLE_O * hp + u, dc, da_o);
                    let c_prev = load(simd, step.c_prev.add(r * hp + u));
                    let da_i = simd.mul_f32s(simd.mul_f32s(dc, g), slope(simd, i));
                    let da_f = simd.mul_f32s(simd.mul_f32s(dc, c_prev), slope(simd, f));
                    let da_g = simd.mul_f32s(simd.mul_f32s(dc, i), simd.negate_mul_add_e_f32s(g, g, one));
                    let gates = step.gates[r].add(u);
                    store(simd, gates.add(I * hp), da_i);
                    store(simd, gates.add(F * hp), da_f);
                    store(simd, gates.add(G * hp), da_g);
                    store(simd, gates.add(O * hp), da_o);
                    let dc_prev = sees(simd, peephole, I * hp + u, simd.mul_f32s(dc, f), da_i);
                    store(simd, dc_at, sees(simd, peephole, F * hp + u, dc_prev, da_f));
                }
            }
        }
    }
}

/// `x (1 - x)`, the slope of a sigmoid whose value is `x`.
#[inline(always)]
fn slope<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    simd.negate_mul_add_e_f32s(x, x, x)
}
