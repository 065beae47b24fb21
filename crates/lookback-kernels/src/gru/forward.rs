//! The GRU's own arithmetic after the products. A gates row is `[r z n product]`.

use super::{CANDIDATE, PRODUCT, RESET, UPDATE};
use crate::Reset;
use crate::recurrence::StepRows;
use crate::simd::math::{each, gates};
use crate::simd::{load, store};
use pulp::Simd;

/// The reset gate of two vectors of units from `unit`, and `r ∘ h_prev`, for a product that sees that.
///
/// # Safety
/// As said in [`StepRows`].
#[inline(always)]
pub(crate) unsafe fn reset_gate<S: Simd>(simd: S, step: &StepRows<'_>, unit: usize) {
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
pub(crate) unsafe fn cell<S: Simd>(simd: S, reset: Reset, step: &StepRows<'_>, unit: usize) {
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
