//! One step of the GRU: its products, and its own arithmetic after them. A gates row is `[r z n product]`.

use super::{CANDIDATE, PRODUCT, RESET, Reset, UPDATE};
use crate::cell::forward::StepRows;
use crate::simd::math::{each, gates};
use crate::simd::tile::Start;
use crate::simd::{load, store};
use pulp::Simd;

/// One step where the reset follows the product.
///
/// # Safety
/// As said in [`StepRows`].
#[inline(always)]
pub(super) unsafe fn step_after_product<S: Simd>(simd: S, step: &StepRows<'_>) {
    for block in step.blocks.clone() {
        let unit = step.unit::<S>(block);
        // SAFETY: the bias has `hp` values; else as the caller promises.
        unsafe {
            let bias = Start::Row(step.weights.bias_product.as_slice().as_ptr().add(unit));
            let gates = [
                step.panel::<S>(RESET, block, RESET, Start::Output),
                step.panel::<S>(UPDATE, block, UPDATE, Start::Output),
                step.panel::<S>(CANDIDATE, block, PRODUCT, bias),
            ];
            step.products(simd, &gates, step.h_prev);
            cell(simd, Reset::AfterProduct, step, unit);
        }
    }
}

/// One step where the reset comes before the product, which sees all units of `r ∘ h_prev`.
///
/// # Safety
/// As said in [`StepRows`].
#[inline(always)]
pub(super) unsafe fn step_before_product<S: Simd>(simd: S, step: &StepRows<'_>) {
    // SAFETY: as the caller promises.
    unsafe {
        for block in step.blocks.clone() {
            step.products(simd, &[step.panel::<S>(RESET, block, RESET, Start::Output)], step.h_prev);
            reset_gate(simd, step, step.unit::<S>(block));
        }
        for block in step.blocks.clone() {
            step.products(simd, &[step.panel::<S>(UPDATE, block, UPDATE, Start::Output)], step.h_prev);
            step.products(simd, &[step.panel::<S>(CANDIDATE, block, CANDIDATE, Start::Output)], step.seen);
            cell(simd, Reset::BeforeProduct, step, step.unit::<S>(block));
        }
    }
}

/// The reset gate of two vectors of units from `unit`, and `r ∘ h_prev`, for a product that sees that.
///
/// # Safety
/// As said in [`StepRows`].
#[inline(always)]
unsafe fn reset_gate<S: Simd>(simd: S, step: &StepRows<'_>, unit: usize) {
    for row in 0..step.rows {
        // SAFETY: two vectors from `unit` stand inside the `hp` columns of every section.
        unsafe {
            let gate = |v: usize| step.gates[row].wrapping_add(RESET * step.hp + unit + v * S::F32_LANES);
            let r = gates::<S, 2, 2>(
                simd,
                each(
                    #[inline(always)]
                    |v| load(simd, gate(v)),
                ),
            );
            for (v, r) in r.into_iter().enumerate() {
                let at = row * step.hp + unit + v * S::F32_LANES;
                store(simd, gate(v), r);
                store(simd, step.seen.add(at), simd.mul_f32s(r, load(simd, step.h_prev.add(at))));
            }
        }
    }
}

/// `h = (1 - z) n + z h_prev` for two vectors of units from `unit`; the reset gate too where it follows the product.
///
/// # Safety
/// As said in [`StepRows`].
#[inline(always)]
unsafe fn cell<S: Simd>(simd: S, reset: Reset, step: &StepRows<'_>, unit: usize) {
    let (hp, lanes) = (step.hp, S::F32_LANES);
    let section = |row: usize, gate: usize, v: usize| step.gates[row].wrapping_add(gate * hp + unit + v * lanes);
    if reset == Reset::AfterProduct {
        // In a loop of its own: the next row's gates need not wait for this row's n.
        for row in 0..step.rows {
            // SAFETY: two vectors from `unit` stand inside the `hp` columns of every section.
            unsafe {
                let rz = gates::<S, 4, 4>(
                    simd,
                    each(
                        #[inline(always)]
                        |i| load(simd, section(row, [RESET, UPDATE][i / 2], i % 2)),
                    ),
                );
                for (i, gate) in rz.into_iter().enumerate() {
                    store(simd, section(row, [RESET, UPDATE][i / 2], i % 2), gate);
                }
            }
        }
    }
    for row in 0..step.rows {
        // SAFETY: as above.
        unsafe {
            let (z, n) = match reset {
                Reset::AfterProduct => {
                    let a: [S::f32s; 2] = each(
                        #[inline(always)]
                        |v| {
                            let (r, product) =
                                (load(simd, section(row, RESET, v)), load(simd, section(row, PRODUCT, v)));
                            simd.mul_add_e_f32s(r, product, load(simd, section(row, CANDIDATE, v)))
                        },
                    );
                    (
                        each(
                            #[inline(always)]
                            |v| load(simd, section(row, UPDATE, v)),
                        ),
                        gates::<S, 2, 0>(simd, a),
                    )
                }
                Reset::BeforeProduct => {
                    let zn = gates::<S, 4, 2>(
                        simd,
                        each(
                            #[inline(always)]
                            |i| load(simd, section(row, [UPDATE, CANDIDATE][i / 2], i % 2)),
                        ),
                    );
                    ([zn[0], zn[1]], [zn[2], zn[3]])
                }
            };
            for v in 0..2 {
                let at = row * hp + unit + v * lanes;
                // n + z (h_prev - n), which is (1 - z) n + z h_prev.
                let h = simd.mul_add_e_f32s(z[v], simd.sub_f32s(load(simd, step.h_prev.add(at)), n[v]), n[v]);
                if reset == Reset::BeforeProduct {
                    store(simd, section(row, UPDATE, v), z[v]);
                }
                store(simd, section(row, CANDIDATE, v), n[v]);
                store(simd, step.h_next.add(at), h);
            }
        }
    }
}
