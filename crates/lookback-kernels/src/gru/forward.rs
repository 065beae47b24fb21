//! The GRU's own arithmetic after the products. A gates row is `[r z n product]`.

use crate::Reset;
use crate::recurrence::StepRows;
use crate::simd::math::{sigmoid_vector, tanh_vector};
use crate::simd::{load, store};
use pulp::Simd;

/// The reset gate of two vectors of units from `unit`, and `r ∘ h_prev` where the product sees that.
///
/// # Safety
/// As said in [`StepRows`].
#[inline(always)]
pub(crate) unsafe fn reset_gate<S: Simd>(simd: S, reset: Reset, step: &StepRows<'_>, unit: usize) {
    for row in 0..step.rows {
        for v in 0..2 {
            let u = unit + v * S::F32_LANES;
            // SAFETY: `u` stands inside the `hp` columns of every section.
            unsafe {
                let gate = step.gates[row].add(u);
                let r = sigmoid_vector(simd, load(simd, gate));
                store(simd, gate, r);
                if reset == Reset::BeforeProduct {
                    let h_prev = load(simd, step.h_prev.add(row * step.hp + u));
                    store(simd, step.seen.add(row * step.hp + u), simd.mul_f32s(r, h_prev));
                }
            }
        }
    }
}

/// `h = (1 - z) n + z h_prev` for two vectors of units from `unit`.
///
/// # Safety
/// As said in [`StepRows`].
#[inline(always)]
pub(crate) unsafe fn cell<S: Simd>(simd: S, reset: Reset, step: &StepRows<'_>, unit: usize) {
    let hp = step.hp;
    for row in 0..step.rows {
        for v in 0..2 {
            let u = unit + v * S::F32_LANES;
            // SAFETY: `u` stands inside the `hp` columns of every section.
            unsafe {
                let gates = step.gates[row].add(u);
                let z = sigmoid_vector(simd, load(simd, gates.add(hp)));
                let a = load(simd, gates.add(2 * hp));
                let n = tanh_vector(
                    simd,
                    match reset {
                        Reset::AfterProduct => simd.mul_add_e_f32s(load(simd, gates), load(simd, gates.add(3 * hp)), a),
                        Reset::BeforeProduct => a,
                    },
                );
                let h_prev = load(simd, step.h_prev.add(row * hp + u));
                // n + z (h_prev - n), which is (1 - z) n + z h_prev.
                let h = simd.mul_add_e_f32s(z, simd.sub_f32s(h_prev, n), n);
                store(simd, gates.add(hp), z);
                store(simd, gates.add(2 * hp), n);
                store(simd, step.h_next.add(row * hp + u), h);
            }
        }
    }
}
