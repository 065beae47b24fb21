//! The RNN's own arithmetic after the products.

use crate::Activation;
use crate::recurrence::StepRows;
use crate::simd::{load, math, store};
use pulp::Simd;

/// `h = act(a)` for two vectors of units from `unit`.
///
/// # Safety
/// As said in [`StepRows`].
#[inline(always)]
pub(crate) unsafe fn cell<S: Simd>(simd: S, activation: Activation, step: &StepRows<'_>, unit: usize) {
    for r in 0..step.rows {
        for v in 0..2 {
            let u = unit + v * S::F32_LANES;
            // SAFETY: `u` stands inside the row's `hp` columns.
            unsafe {
                let gate = step.gates[r].add(u);
                let a = load(simd, gate);
                let h = match activation {
                    Activation::Tanh => math::tanh_vector(simd, a),
                    Activation::Relu => {
                        let zero = simd.splat_f32s(0.0);
                        // A comparison and not a maximum, so that NaN stays NaN.
                        simd.select_f32s(simd.less_than_f32s(a, zero), zero, a)
                    }
                };
                store(simd, gate, h);
                store(simd, step.h_next.add(r * step.hp + u), h);
            }
        }
    }
}
