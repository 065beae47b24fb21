//! The gradients of one tile's weights, scores and values: what is the same for every kind of score.
//!
//! `dscore_k = weight_k (dweight_k - Σ_j weight_j dweight_j)`. Where a query is sure of one key, the two terms agree in
//! almost all digits there, and what they leave is rounding. Such a query's gradients are counted from that of the key:
//! `dscore_k = weight_k ((dweight_k - r) - Σ_j weight_j (dweight_j - r))`, `r` being the key's `dweight`, bit for bit. Its
//! own difference is then exactly 0, and the sum is made of the other keys alone, small and with all its digits.

use super::forward::{Call, Scoring, apply_mask, power};
use super::panels::{
    Rows, load_part, pack_columns, pack_rows, pair_product, panel_width, products, transposed_product,
};
use super::plan::{QUERIES, Tile, Unit};
use super::{Dims, STATISTICS, Upstream};
use crate::simd::{Shared, load, store};
use pulp::Simd;

/// A query whose greatest weight is more than this is sure of a key.
const SURE: f32 = 0.5;

/// What the backward pass of one call shares beside the call.
pub(super) struct Back<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) context: &'a [f32],
    /// `[B, N, Q, 3]`.
    pub(super) statistics: &'a [f32],
    pub(super) upstream: Upstream<'a>,
    pub(super) query: Option<Shared>,
    pub(super) keys: Option<Shared>,
    pub(super) values: Option<Shared>,
    pub(super) bias: Option<Shared>,
    /// `[B, N * width]`: each batch row's part of the gradient of `v`.
    pub(super) v: Option<Shared>,
}

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

/// From where the gradients of the weights of some queries are counted, and `Σ_k weight · dweight` counted from there,
/// which stays 0 where weights have a gradient of their own: what is needed where a row has more than one block of keys.
///
/// # Safety
/// Every slice of the call has the length of its shape; `values` is the unit's.
#[inline(always)]
pub(super) unsafe fn references<S: Simd>(
    simd: S,
    back: &Back<'_>,
    unit: &Unit,
    first: usize,
    values: Rows,
    scratch: [&mut [f32]; 3],
    (references, means): (&mut [f32], &mut [f32]),
) {
    let call = back.call;
    let Dims { queries, keys, heads, value, .. } = call.dims;
    let rows = means.len();
    let [gathered, packed, products_of] = scratch;
    let place = |r: usize| (unit.row * heads + unit.head) * queries + first + r;
    let statistics = |r: usize| &back.statistics[place(r) * STATISTICS..][..STATISTICS];
    let context = |from: &'_ [f32], r: usize| {
        let at = ((unit.row * queries + first + r) * heads + unit.head) * value;
        from[at..].as_ptr()
    };
    references.fill(0.0);
    let sure = |r: usize| statistics(r)[1] > SURE;
    let key = |r: usize| (statistics(r)[2] as usize).min(values.count.saturating_sub(1));
    let any = (0..rows).any(sure);
    let padded = QUERIES.next_multiple_of(panel_width::<S>());
    if let (Some(from), true) = (back.upstream.context, any) {
        for r in 0..rows {
            // SAFETY: the value exists, and `gathered` has `QUERIES` rows of it.
            unsafe {
                let row = values.from.wrapping_add(key(r) * values.stride);
                row.copy_to_nonoverlapping(gathered[r * value..][..value].as_mut_ptr(), value);
            }
        }
        let of_keys = Rows { from: gathered.as_ptr(), stride: value, count: rows, width: value };
        let tile = Tile { rows, keys: [(0, rows); QUERIES], start: 0, end: rows, stride: padded, addend: None };
        // SAFETY: the rows exist, and the buffers have room for `QUERIES` rows and as many keys.
        unsafe {
            pack_rows(simd, of_keys, packed.as_mut_ptr());
            let rows = dcontext_rows(call, from, unit, first, rows);
            products(simd, rows, packed.as_ptr(), &tile, products_of.as_mut_ptr());
        }
    }
    for r in 0..rows {
        let (from, weights) = (back.upstream.context, back.upstream.weights);
        let mut multiplier = [1.0];
        if !sure(r) {
            means[r] = match (from, weights) {
                // SAFETY: a row of the context has `value` values.
                (Some(from), None) => unsafe {
                    let [a, b] = [context(from, r), context(back.context, r)];
                    dot(simd, std::slice::from_raw_parts(a, value), std::slice::from_raw_parts(b, value))
                },
                _ => 0.0,
            };
            continue;
        }
        if let Some(dropout) = call.dropout {
            dropout.fill(unit.row, unit.head, first + r, key(r), &mut multiplier);
        }
        let mut reference = if from.is_some() { products_of[r * padded + r] } else { 0.0 };
        reference += weights.map_or(0.0, |dweights| dweights[place(r) * keys + key(r)]);
        references[r] = if call.dropout.is_some() { reference * multiplier[0] } else { reference };
        means[r] = match (from, weights) {
            (Some(from), None) => {
                // The context less what the key alone would give.
                let of_key = &mut gathered[r * value..][..value];
                // SAFETY: a row of the context has `value` values.
                let [from, context] = [context(from, r), context(back.context, r)]
                    .map(|row| unsafe { std::slice::from_raw_parts(row, value) });
                for (of_key, context) in of_key.iter_mut().zip(context) {
                    *of_key = context - *of_key * multiplier[0];
                }
                dot(simd, from, of_key)
            }
            _ => 0.0,
        };
    }
}

/// Turns the scores of a tile into weights, and writes the gradients of the weights before dropout, counted from
/// `references`, or in a row of one block from that of the key that a query is sure of.
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
    references: Option<&[f32]>,
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
        let [greatest, share] = [0, 1].map(|statistic| back.statistics[place * STATISTICS + statistic]);
        let (most, inverse) = (simd.splat_f32s(greatest), simd.splat_f32s(share));
        let (zero, masked) = (simd.splat_f32s(0.0), simd.splat_f32s(f32::NEG_INFINITY));
        // The gradient of the one weight that is more than `SURE`, beside zeros.
        let (sure, mut of_sure) = (simd.splat_f32s(SURE), zero);
        let mut k = tile.start;
        while k < end {
            // SAFETY: `start` and `end` stand on vectors.
            unsafe {
                let (weight, gradient) = (weights.as_mut_ptr().add(k), gradients.as_mut_ptr().add(k));
                let score = load(simd, weight);
                // Selected, because a NaN elsewhere in the row makes `inverse` NaN.
                let masked = simd.equal_f32s(score, masked);
                let value = simd.mul_f32s(power(simd, simd.sub_f32s(score, most)), inverse);
                let value = simd.select_f32s(masked, zero, value);
                let of_weight = simd.select_f32s(masked, zero, load(simd, gradient));
                of_sure = simd.select_f32s(simd.less_than_f32s(sure, value), of_weight, of_sure);
                store(simd, weight, value);
                store(simd, gradient, of_weight);
            }
            k += lanes;
        }
        let reference = match references {
            Some(references) => references[r],
            None if share > SURE => simd.reduce_sum_f32s(of_sure),
            None => 0.0,
        };
        if reference != 0.0 {
            let reference = simd.splat_f32s(reference);
            let mut k = tile.start;
            while k < end {
                // SAFETY: as above.
                unsafe {
                    let gradient = gradients.as_mut_ptr().add(k);
                    store(simd, gradient, simd.sub_f32s(load(simd, gradient), reference));
                }
                k += lanes;
            }
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
