//! The LSTM's own arithmetic after the products.

use crate::recurrence::StepRows;
use crate::simd::math::{sigmoid_vector, tanh_vector};
use crate::simd::{load, store};
use pulp::Simd;

/// `c = f c_prev + i g; h = o tanh(c)` for two vectors of units from `unit`. A gates row is `[i f g o c]`.
///
/// # Safety
/// As said in [`StepRows`]; `peephole` has `3 * hp` values.
#[inline(always)]
pub(crate) unsafe fn cell<S: Simd>(simd: S, peephole: Option<&[f32]>, step: &StepRows<'_>, unit: usize) {
    let hp = step.hp;
    for r in 0..step.rows {
        for v in 0..2 {
            let u = unit + v * S::F32_LANES;
            // SAFETY: `u` stands inside the `hp` columns of every section.
            unsafe {
                let gates = step.gates[r].add(u);
                let c_at = step.c.add(r * hp + u);
                let c_prev = load(simd, c_at);
                let i = sigmoid_vector(simd, sees(simd, peephole, u, load(simd, gates), c_prev));
                let f = sigmoid_vector(simd, sees(simd, peephole, hp + u, load(simd, gates.add(hp)), c_prev));
                let g = tanh_vector(simd, load(simd, gates.add(2 * hp)));
                let c = simd.mul_add_e_f32s(f, c_prev, simd.mul_f32s(i, g));
                let o = sigmoid_vector(simd, sees(simd, peephole, 2 * hp + u, load(simd, gates.add(3 * hp)), c));
                let h = simd.mul_f32s(o, tanh_vector(simd, c));
                store(simd, gates, i);
                store(simd, gates.add(hp), f);
                store(simd, gates.add(2 * hp), g);
                store(simd, gates.add(3 * hp), o);
                store(simd, gates.add(4 * hp), c);
                store(simd, c_at, c);
                store(simd, step.h_next.add(r * hp + u), h);
            }
        }
    }
}

/// `sum + p[at..] other`, where there are peepholes.
///
/// # Safety
/// `peephole` has a vector's values from `at`.
#[inline(always)]
pub(super) unsafe fn sees<S: Simd>(
    simd: S,
    peephole: Option<&[f32]>,
    at: usize,
    sum: S::f32s,
    other: S::f32s,
) -> S::f32s {
    match peephole {
        // SAFETY: the caller's promise.
        Some(weights) => simd.mul_add_e_f32s(unsafe { load(simd, weights.as_ptr().add(at)) }, other, sum),
        None => sum,
    }
}
