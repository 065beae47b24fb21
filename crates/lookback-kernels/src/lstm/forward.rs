//! One step of the LSTM: its products, and its own arithmetic after them.

use super::{CELL, F, G, I, O, PEEPHOLE_O};
use crate::cell::forward::StepRows;
use crate::simd::math::{each, gates};
use crate::simd::tile::{Panel, Start};
use crate::simd::{Aligned, load, store};
use pulp::Simd;

/// One step: the products of all gates of a block of units, then its arithmetic while they are in the first cache.
///
/// # Safety
/// As said in [`StepRows`].
#[inline(always)]
pub(super) unsafe fn step<S: Simd>(simd: S, step: &StepRows<'_>) {
    let peephole = step.weights.peephole.as_ref().map(Aligned::as_slice);
    for block in step.blocks.clone() {
        let gates: [Panel; 4] = std::array::from_fn(|gate| step.panel::<S>(gate, block, gate, Start::Output));
        // SAFETY: as the caller promises.
        unsafe {
            step.products(simd, &gates, step.h_prev);
            cell(simd, peephole, step, step.unit::<S>(block));
        }
    }
}

/// `c = f c_prev + i g; h = o tanh(c)` for two vectors of units from `unit`. A gates row is `[i f g o c]`.
///
/// # Safety
/// As said in [`StepRows`]; `peephole` has `3 * hp` values.
#[inline(always)]
unsafe fn cell<S: Simd>(simd: S, peephole: Option<&[f32]>, step: &StepRows<'_>, unit: usize) {
    let (hp, lanes) = (step.hp, S::F32_LANES);
    // Two loops, since one would leave the processor waiting for each cell before it can begin its tanh.
    for r in 0..step.rows {
        // SAFETY: two vectors from `unit` stand inside the `hp` columns of every section.
        unsafe {
            let section = |gate: usize, v: usize| step.gates[r].wrapping_add(gate * hp + unit + v * lanes);
            let c_at = step.c.add(r * hp + unit);
            let c_prev: [S::f32s; 2] = each(
                #[inline(always)]
                |v| load(simd, c_at.add(v * lanes)),
            );
            let seen: [S::f32s; 4] = each(
                #[inline(always)]
                |i| {
                    let (gate, v) = (i / 2, i % 2);
                    sees(simd, peephole, gate * hp + unit + v * lanes, load(simd, section(gate, v)), c_prev[v])
                },
            );
            let g: [S::f32s; 2] = each(
                #[inline(always)]
                |v| load(simd, section(G, v)),
            );
            let ifg = gates::<S, 6, 4>(simd, [seen[0], seen[1], seen[2], seen[3], g[0], g[1]]);
            for v in 0..2 {
                let (i, f, g) = (ifg[v], ifg[2 + v], ifg[4 + v]);
                let c = simd.mul_add_e_f32s(f, c_prev[v], simd.mul_f32s(i, g));
                store(simd, section(I, v), i);
                store(simd, section(F, v), f);
                store(simd, section(G, v), g);
                store(simd, section(CELL, v), c);
                store(simd, c_at.add(v * lanes), c);
            }
        }
    }
    for r in 0..step.rows {
        // SAFETY: as above.
        unsafe {
            let output = |v: usize| step.gates[r].wrapping_add(O * hp + unit + v * lanes);
            let c: [S::f32s; 2] = each(
                #[inline(always)]
                |v| load(simd, step.c.add(r * hp + unit + v * lanes)),
            );
            let o: [S::f32s; 2] = each(
                #[inline(always)]
                |v| sees(simd, peephole, PEEPHOLE_O * hp + unit + v * lanes, load(simd, output(v)), c[v]),
            );
            let out = gates::<S, 4, 2>(simd, [o[0], o[1], c[0], c[1]]);
            for v in 0..2 {
                store(simd, output(v), out[v]);
                store(simd, step.h_next.add(r * hp + unit + v * lanes), simd.mul_f32s(out[v], out[2 + v]));
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
