//! One step of the RNN: its products, and its own arithmetic after them.

use super::Activation;
use crate::cell::forward::StepRows;
use crate::simd::math::{each, gates};
use crate::simd::tile::{Panel, Start};
use crate::simd::{load, store};
use pulp::Simd;

/// One step: four panels at once, so that few rows do not leave the multiply-add waiting.
///
/// # Safety
/// As said in [`StepRows`].
#[inline(always)]
pub(super) unsafe fn step<S: Simd>(simd: S, activation: Activation, step: &StepRows<'_>) {
    for first in step.blocks.clone().step_by(4) {
        let last = (first + 4).min(step.blocks.end);
        let four: [Panel; 4] = std::array::from_fn(|i| step.panel::<S>(0, (first + i).min(last - 1), 0, Start::Output));
        // SAFETY: as the caller promises.
        unsafe {
            step.products(simd, &four[..last - first], step.h_prev);
            for block in first..last {
                cell(simd, activation, step, step.unit::<S>(block));
            }
        }
    }
}

/// `h = act(a)` for two vectors of units from `unit`.
///
/// # Safety
/// As said in [`StepRows`].
#[inline(always)]
unsafe fn cell<S: Simd>(simd: S, activation: Activation, step: &StepRows<'_>, unit: usize) {
    for r in 0..step.rows {
        // SAFETY: two vectors from `unit` stand inside the row's `hp` columns.
        unsafe {
            let gate = |v: usize| step.gates[r].wrapping_add(unit + v * S::F32_LANES);
            let a: [S::f32s; 2] = each(
                #[inline(always)]
                |v| load(simd, gate(v)),
            );
            let h = match activation {
                Activation::Tanh => gates::<S, 2, 0>(simd, a),
                Activation::Relu => {
                    let zero = simd.splat_f32s(0.0);
                    // A comparison and not a maximum, so that NaN stays NaN.
                    each(
                        #[inline(always)]
                        |v| simd.select_f32s(simd.less_than_f32s(a[v], zero), zero, a[v]),
                    )
                }
            };
            for (v, h) in h.into_iter().enumerate() {
                store(simd, gate(v), h);
                store(simd, step.h_next.add(r * step.hp + unit + v * S::F32_LANES), h);
            }
        }
    }
}
