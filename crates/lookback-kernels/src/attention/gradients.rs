//! The gradients of one tile's weights, scores and values: what is the same for every kind of score.

use super::Dims;
use super::backward::Back;
use super::forward::{Call, Scoring, apply_mask, power};
use super::panels::{Rows, load_part, pack_columns, pair_product, panel_width, products, transposed_product};
use super::plan::{QUERIES, Tile, Unit};
use crate::simd::{load, store};
use pulp::Simd;

/// The buffers of one tile, each `[QUERIES, block]`.
pub(super) struct Scores<'a> {
    /// The scores, then the weights before dropout.
    pub(super) weights: &'a mut [f32],
    /// The gradients of the weights before dropout, then of the scores.
    pub(super) gradients: &'a mut [f32],
    /// What dropout multiplies with; empty without.
    pub(super) multipliers: &'a mut [f32],
}

/// The rows of `[B, Q, N * value]` that belong to a tile.
#[inline(always)]
pub(super) fn dcontext_rows(call: &Call<'_>, from: &[f32], unit: &Unit, first: usize, rows: usize) -> Rows {
    let Dims { queries, heads, value, .. } = call.dims;
    let at = ((unit.row * queries + first) * heads + unit.head) * value;
    Rows { from: from.as_ptr().wrapping_add(at), stride: heads * value, count: rows, width: value }
}

/// Turns the scores of a tile into weights, and writes the gradients of the weights before dropout.
///
/// # Safety
/// Every slice of the call has the length of its shape; `values` are the block's, by [`pack_rows`].
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "a tile stands at a place in queries and keys")]
pub(super) unsafe fn weight_gradients<S: Simd>(
    simd: S,
    back: &Back<'_>,
    unit: &Unit,
    tile: &Tile<'_>,
    first: usize,
    first_key: usize,
    scoring: &impl Scoring,
    values: &[f32],
    scores: &mut Scores<'_>,
) {
    let call = back.call;
    let Dims { queries, keys, heads, .. } = call.dims;
    let lanes = S::F32_LANES;
    let end = tile.end.next_multiple_of(panel_width::<S>());
    let scale = scoring.scale();
    match back.upstream.context {
        Some(from) => {
            let rows = dcontext_rows(call, from, unit, first, tile.rows);
            // SAFETY: the rows exist, the panels hold the block's values, and the gradients have room for a tile.
            unsafe { products(simd, rows, values.as_ptr(), tile, scores.gradients.as_mut_ptr()) };
        }
        None => (0..tile.rows).for_each(|r| scores.gradients[r * tile.stride..][tile.start..end].fill(0.0)),
    }
    for r in 0..tile.rows {
        let weights = &mut scores.weights[r * tile.stride..][..end];
        let gradients = &mut scores.gradients[r * tile.stride..][..end];
        if !tile.any(r) {
            weights[tile.start..].fill(0.0);
            gradients[tile.start..].fill(0.0);
            if call.dropout.is_some() {
                scores.multipliers[r * tile.stride..][tile.start..end].fill(0.0);
            }
            continue;
        }
        let place = (unit.row * heads + unit.head) * queries + first + r;
        apply_mask(simd, tile, r, scale, weights);
        if let Some(dweights) = back.upstream.weights {
            let (start, end) = tile.keys[r];
            let dweights = &dweights[place * keys + first_key + start..][..end - start];
            for (gradient, dweight) in gradients[start..end].iter_mut().zip(dweights) {
                *gradient += *dweight;
            }
        }
        if let Some(dropout) = call.dropout {
            let multipliers = &mut scores.multipliers[r * tile.stride..][tile.start..end];
            dropout.fill(unit.row, unit.head, first + r, first_key + tile.start, multipliers);
            for (gradient, multiplier) in gradients[tile.start..].iter_mut().zip(multipliers) {
                *gradient *= *multiplier;
            }
        }
        let (most, inverse) = (back.statistics[place * 2], back.statistics[place * 2 + 1]);
        let (most, inverse) = (simd.splat_f32s(most), simd.splat_f32s(inverse));
        let (zero, masked) = (simd.splat_f32s(0.0), simd.splat_f32s(f32::NEG_INFINITY));
        let mut k = tile.start;
        while k < end {
            // SAFETY: `start` and `end` stand on vectors.
            unsafe {
                let (weight, gradient) = (weights.as_mut_ptr().add(k), gradients.as_mut_ptr().add(k));
                let score = load(simd, weight);
                // Selected, because a NaN elsewhere in the row makes `inverse` NaN.
                let masked = simd.equal_f32s(score, masked);
                let value = simd.mul_f32s(power(simd, simd.sub_f32s(score, most)), inverse);
                store(simd, weight, simd.select_f32s(masked, zero, value));
                store(simd, gradient, simd.select_f32s(masked, zero, load(simd, gradient)));
            }
            k += lanes;
        }
    }
}

/// `Σ_k weight · dweight` of one query over the block.
#[inline(always)]
pub(super) fn row_mean<S: Simd>(simd: S, tile: &Tile<'_>, r: usize, scores: &Scores<'_>) -> f32 {
    let range = r * tile.stride + tile.start..r * tile.stride + tile.end.next_multiple_of(panel_width::<S>());
    dot(simd, &scores.weights[range.clone()], &scores.gradients[range])
}

/// `a · b`, both of one length.
#[inline(always)]
pub(super) fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let len = a.len().min(b.len());
    let mut sum = simd.splat_f32s(0.0);
    let mut at = 0;
    while at < len {
        // SAFETY: both slices have `len` values, and `at` is less.
        unsafe {
            let (a, b) = (load_part(simd, a.as_ptr(), at, len), load_part(simd, b.as_ptr(), at, len));
            sum = simd.mul_add_e_f32s(a, b, sum);
        }
        at += S::F32_LANES;
    }
    simd.reduce_sum_f32s(sum)
}

/// Turns the gradients of the weights into those of the scores, 0 where masked, and the weights into those after
/// dropout.
#[inline(always)]
pub(super) fn score_gradients<S: Simd>(simd: S, tile: &Tile<'_>, means: &[f32], scores: &mut Scores<'_>) {
    let lanes = S::F32_LANES;
    let end = tile.end.next_multiple_of(panel_width::<S>());
    let (zero, masked) = (simd.splat_f32s(0.0), simd.splat_f32s(f32::NEG_INFINITY));
    for r in 0..tile.rows {
        let gradients = &mut scores.gradients[r * tile.stride..][..end];
        let weights = &mut scores.weights[r * tile.stride..][..end];
        let addend = tile.addend.map(|addend| &addend[r * tile.stride..][..end]);
        let multipliers = scores.multipliers.get(r * tile.stride..r * tile.stride + end);
        let mean = simd.splat_f32s(means[r]);
        let mut k = tile.start;
        while k < end {
            // SAFETY: `start` and `end` stand on vectors, and every slice has `end` values.
            unsafe {
                let (weight, gradient) = (weights.as_mut_ptr().add(k), gradients.as_mut_ptr().add(k));
                let mut of_score = simd.mul_f32s(load(simd, weight), simd.sub_f32s(load(simd, gradient), mean));
                if let Some(addend) = addend {
                    let masked = simd.equal_f32s(load(simd, addend.as_ptr().add(k)), masked);
                    of_score = simd.select_f32s(masked, zero, of_score);
                }
                store(simd, gradient, of_score);
                if let Some(multipliers) = multipliers {
                    let multiplier = load(simd, multipliers.as_ptr().add(k));
                    store(simd, weight, simd.mul_f32s(load(simd, weight), multiplier));
                }
            }
            k += lanes;
        }
        let (first, past) = tile.keys[r];
        gradients[tile.start..first.max(tile.start)].fill(0.0);
        gradients[past.max(tile.start)..].fill(0.0);
    }
}

/// `dvalues[k] += Σ_q weight · dcontext[q]`.
///
/// # Safety
/// `from` must be valid for reads of the tile's rows, and the buffers have room for a tile and a block.
#[inline(always)]
pub(super) unsafe fn value_gradients<S: Simd>(
    simd: S,
    tile: &Tile<'_>,
    from: Rows,
    scores: &Scores<'_>,
    dcontext: &mut [f32],
    dvalues: &mut [f32],
) {
    let value = from.width;
    let padded = value.next_multiple_of(panel_width::<S>());
    // SAFETY: as the caller promises.
    unsafe {
        let finite = pack_columns(simd, from, QUERIES, dcontext.as_mut_ptr());
        let panels = (dcontext.as_ptr(), QUERIES);
        if finite {
            let (a, c) = ((scores.weights.as_ptr(), tile.stride), (dvalues.as_mut_ptr(), padded));
            transposed_product(simd, tile.rows, a, panels, value, (tile.start, tile.end), c);
            return;
        }
        for r in 0..tile.rows {
            for k in tile.start..tile.end {
                if tile.reads(r, k) {
                    let weight = scores.weights[r * tile.stride + k];
                    pair_product(simd, weight, panels, r, value, dvalues.as_mut_ptr().add(k * padded));
                }
            }
        }
    }
}
