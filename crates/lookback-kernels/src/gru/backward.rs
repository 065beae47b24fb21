//! The GRU's own arithmetic on the way back. A row of gate gradients is `[n r z product]`.

use super::{CANDIDATE, PRODUCT, RESET, Reset, UPDATE, gradient};
use crate::cell::backward::BackRows;
use crate::simd::{load, store};
use pulp::Simd;

/// The gradients of `n` and `z`, and of `r` and the product where the reset follows it; `dh` becomes what of
/// it reaches the previous state straight, `z dh`.
///
/// # Safety
/// As said in [`BackRows`].
#[inline(always)]
pub(super) unsafe fn cell<S: Simd>(simd: S, reset: Reset, step: &BackRows<'_>) {
    let hp = step.hp;
    let one = simd.splat_f32s(1.0);
    for row in 0..step.rows {
        for u in step.units.clone().step_by(S::F32_LANES) {
            // SAFETY: `u` stands inside the `hp` columns of every section.
            unsafe {
                let saved = step.saved[row].add(u);
                let (r, z) = (load(simd, saved.add(RESET * hp)), load(simd, saved.add(UPDATE * hp)));
                let n = load(simd, saved.add(CANDIDATE * hp));
                let h_prev = load(simd, step.h_prev.add(row * hp + u));
                let dh_at = step.dh.add(row * hp + u);
                let dh = load(simd, dh_at);
                let gates = step.gates[row].add(u);
                let keep = simd.negate_mul_add_e_f32s(z, dh, dh);
                let da_n = simd.mul_f32s(keep, simd.negate_mul_add_e_f32s(n, n, one));
                let slope_z = simd.negate_mul_add_e_f32s(z, z, z);
                let da_z = simd.mul_f32s(simd.mul_f32s(dh, simd.sub_f32s(h_prev, n)), slope_z);
                store(simd, gates.add(gradient::CANDIDATE * hp), da_n);
                store(simd, gates.add(gradient::UPDATE * hp), da_z);
                store(simd, dh_at, simd.mul_f32s(dh, z));
                if reset == Reset::AfterProduct {
                    let product = load(simd, saved.add(PRODUCT * hp));
                    let slope_r = simd.negate_mul_add_e_f32s(r, r, r);
                    store(simd, gates.add(gradient::RESET * hp), simd.mul_f32s(simd.mul_f32s(da_n, product), slope_r));
                    store(simd, gates.add(gradient::PRODUCT * hp), simd.mul_f32s(da_n, r));
                }
            }
        }
    }
}

/// The gradient of `r` from that of `r ∘ h_prev`, for a reset before the product.
///
/// # Safety
/// As said in [`BackRows`].
#[inline(always)]
pub(super) unsafe fn reset_gate<S: Simd>(simd: S, step: &BackRows<'_>) {
    let hp = step.hp;
    for row in 0..step.rows {
        for u in step.units.clone().step_by(S::F32_LANES) {
            // SAFETY: `u` stands inside the `hp` columns of every section.
            unsafe {
                let r = load(simd, step.saved[row].add(RESET * hp + u));
                let h_prev = load(simd, step.h_prev.add(row * hp + u));
                let dseen = load(simd, step.dseen.add(row * hp + u));
                let slope_r = simd.negate_mul_add_e_f32s(r, r, r);
                store(
                    simd,
                    step.gates[row].add(gradient::RESET * hp + u),
                    simd.mul_f32s(simd.mul_f32s(dseen, h_prev), slope_r),
                );
                let dh_at = step.dh.add(row * hp + u);
                store(simd, dh_at, simd.mul_add_e_f32s(dseen, r, load(simd, dh_at)));
            }
        }
    }
}
