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
                let sees = |gate: usize, product: S::f32s, cell: S::f32s| match peephole {
                    Some(weights) => {
                        simd.mul_add_e_f32s(load(simd, weights.as_ptr().add(gate * hp + u)), cell, product)
                    }
                    None => product,
                };
                let i = sigmoid_vector(simd, sees(0, load(simd, gates), c_prev));
                let f = sigmoid_vector(simd, sees(1, load(simd, gates.add(hp)), c_prev));
                let g = tanh_vector(simd, load(simd, gates.add(2 * hp)));
                let c = simd.mul_add_e_f32s(f, c_prev, simd.mul_f32s(i, g));
                let o = sigmoid_vector(simd, sees(2, load(simd, gates.add(3 * hp)), c));
                let h = simd.mul_f32s(o, tanh_vector(simd, c));
                for (section, value) in [i, f, g, o, c].into_iter().enumerate() {
                    store(simd, gates.add(section * hp), value);
                }
                store(simd, c_at, c);
                store(simd, step.h_next.add(r * hp + u), h);
            }
        }
    }
}
