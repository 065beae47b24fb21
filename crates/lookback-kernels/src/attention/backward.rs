//! The backward engine: the scores of each tile again, then the gradients of weights, scores, and what they are
//! made of.
//!
//! A softmax's gradient needs `Σ_k weight · dweight` over its whole row. With one block of keys the row is there;
//! with more, it is `dcontext · context`, or, where weights have a gradient of their own, a pass before. `gradients.rs`
//! says from where it is counted, so that it keeps its digits where a query is sure.

use super::Dims;
use super::forward::{Call, Scoring, parts};
use super::gradients::{
    Back, Scores, dcontext_rows, references, row_mean, score_gradients, value_gradients, weight_gradients,
};
use super::panels::{pack_rows, panel_width, row_stride, write_scaled};
use super::plan::{KEYS, QUERIES, Tile, Unit};
use crate::simd::Aligned;
use pulp::{Simd, WithSimd};
use std::marker::PhantomData;

/// One kind of score with its gradients.
pub(super) trait ScoreGradient: Scoring {
    /// What every column of the gradients of queries and keys is multiplied with in the end.
    fn factors(&self, to: &mut [f32]);

    /// Adds what the pairs that are read give: to `dquery [rows]` and `dkeys [block]`, both with the
    /// [`row_stride`] of the padded width, and to `dv`, one such row. The gradient of a masked pair's score is 0.
    ///
    /// # Safety
    /// `dscores` must be valid for reads of `[tile.rows, tile.stride]` and the others for reads and writes of
    /// their shapes; keys and queries must have been set, and stay as they were.
    unsafe fn accumulate<S: Simd>(
        &mut self,
        simd: S,
        tile: &Tile<'_>,
        dscores: *const f32,
        dquery: *mut f32,
        dkeys: *mut f32,
        dv: *mut f32,
    );
}

/// Some units, backward; each has all queries of its batch row.
pub(super) struct Run<'a, C> {
    pub(super) back: &'a Back<'a>,
    pub(super) units: &'a [Unit],
    pub(super) scratch: &'a mut Aligned,
    pub(super) kind: PhantomData<C>,
}

impl<C: ScoreGradient> WithSimd for Run<'_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // SAFETY: `super::backward` has checked every slice against its shape, and no two units have the same
        // batch row and head.
        unsafe { run::<S, C>(simd, self) }
    }
}

/// What one task computes in.
struct Buffers<'a> {
    /// `[QUERIES, block]`: what the mask adds to the scores of a tile.
    addend: &'a mut [f32],
    /// Scratch of the score.
    of_score: &'a mut [f32],
    scores: Scores<'a>,
    /// How many keys a block has at most.
    block: usize,
    /// How far apart rows of the gradients of queries and keys stand.
    width_stride: usize,
    /// The width of a value in whole panels.
    value_padded: usize,
    /// `[kept, width_stride]`, `kept` being a tile's queries where a row is one block, and all where it is more.
    dquery: &'a mut [f32],
    /// `[kept]`: `Σ_k weight · dweight`.
    means: &'a mut [f32],
    /// `[kept]`: from where the gradients of the weights are counted, where a row is more than one block.
    counted_from: &'a mut [f32],
    /// `[block, width_stride]`.
    dkeys: &'a mut [f32],
    /// `[block, value_padded]`.
    dvalues: &'a mut [f32],
    /// `[width_stride]`.
    dv: &'a mut [f32],
    /// `[width_stride]`: what the gradients of queries and keys are multiplied with in the end.
    factors: &'a mut [f32],
    /// `[value_padded]`.
    ones: &'a mut [f32],
    /// `[block, value]`: the values of the block, packed.
    values: &'a mut [f32],
    /// `[QUERIES, value_padded]`: the gradients of the context of a tile, packed.
    dcontext: &'a mut [f32],
}

impl<'a> Buffers<'a> {
    #[inline(always)]
    fn new<S: Simd, C: ScoreGradient>(call: &Call<'_>, scratch: &'a mut Aligned) -> Self {
        let Dims { queries, keys, width, value, .. } = call.dims;
        let panel = panel_width::<S>();
        let block = call.block::<S>();
        let (width_stride, value_padded) = (row_stride(width.next_multiple_of(panel)), value.next_multiple_of(panel));
        let kept = if keys <= KEYS { QUERIES.min(queries) } else { queries };
        let tile = QUERIES * block;
        let addend_len = if call.mask.has_rows() { tile } else { 0 };
        let dropout_len = if call.dropout.is_some() { tile } else { 0 };
        let (values_len, dcontext_len) = (block * value, QUERIES * value_padded);
        let of_tile = 2 * tile + addend_len + dropout_len + values_len + dcontext_len;
        let [dquery, means, counted_from, dkeys, dvalues, dv, factors, ones, rest] = parts(
            scratch,
            [
                kept * width_stride,
                kept,
                kept,
                block * width_stride,
                block * value_padded,
                width_stride,
                width_stride,
                value_padded,
                of_tile + C::scratch_len::<S>(&call.dims, block),
            ],
        );
        let (weights, rest) = rest.split_at_mut(tile);
        let (gradients, rest) = rest.split_at_mut(tile);
        let (addend, rest) = rest.split_at_mut(addend_len);
        let (multipliers, rest) = rest.split_at_mut(dropout_len);
        let (values, rest) = rest.split_at_mut(values_len);
        let (dcontext, of_score) = rest.split_at_mut(dcontext_len);
        let scores = Scores { weights, gradients, multipliers };
        ones.fill(1.0);
        Buffers {
            addend,
            of_score,
            scores,
            block,
            width_stride,
            value_padded,
            dquery,
            means,
            counted_from,
            dkeys,
            dvalues,
            dv,
            factors,
            ones,
            values,
            dcontext,
        }
    }
}

/// One pass of all queries of a unit over a block of its keys.
#[derive(Clone, Copy)]
struct Pass<'a> {
    back: &'a Back<'a>,
    unit: &'a Unit,
    /// The block's first key.
    first_key: usize,
    /// How many keys it has.
    count: usize,
    /// Whether it is the only one.
    single: bool,
    /// Whether it passes for the means alone, since weights have a gradient of their own.
    only_means: bool,
    /// Whether the gradients of the queries are complete after it.
    last: bool,
}

/// Runs one task.
///
/// # Safety
/// Every slice and pointer of the call has the length of its shape, and no other task has the same batch row
/// and head.
#[inline(always)]
unsafe fn run<S: Simd, C: ScoreGradient>(simd: S, run: Run<'_, C>) {
    let Run { back, units, scratch, .. } = run;
    let mut buffers = Buffers::new::<S, C>(back.call, scratch);
    for unit in units {
        // SAFETY: as the caller promises.
        unsafe { run_unit::<S, C>(simd, back, unit, &mut buffers) };
    }
}

/// All gradients of one unit.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn run_unit<S: Simd, C: ScoreGradient>(simd: S, back: &Back<'_>, unit: &Unit, buffers: &mut Buffers<'_>) {
    let (call, block) = (back.call, buffers.block);
    let Dims { heads, width, .. } = call.dims;
    let length = call.mask.length(&call.dims, unit.row);
    let single = length <= KEYS;
    let of_score = buffers.of_score.as_mut_ptr();
    // SAFETY: the inputs have the lengths of their shapes, and the scratch is this task's alone.
    let mut scoring = unsafe { C::new(simd, call.score, &call.dims, unit.head, block, of_score) };
    buffers.factors.fill(0.0);
    scoring.factors(&mut buffers.factors[..width]);
    buffers.dv.fill(0.0);
    if !single {
        // SAFETY: as the caller promises.
        unsafe { all_references(simd, back, unit, buffers) };
    }
    let blocks = length.div_ceil(KEYS).max(1);
    let before = !single && back.upstream.weights.is_some();
    // With `before`, every block passes once for the means alone.
    for pass in 0..blocks * (1 + usize::from(before)) {
        let (only_means, first_key) = (before && pass < blocks, pass % blocks * KEYS);
        let last = !only_means && first_key + KEYS >= length;
        let count = (length - first_key).min(KEYS);
        let pass = Pass { back, unit, first_key, count, single, only_means, last };
        // SAFETY: as the caller promises.
        unsafe { run_pass(simd, pass, &mut scoring, buffers) };
    }
    // SAFETY: what is written is this unit's alone.
    unsafe {
        clear_unread(back, unit, length);
        if let Some(to) = back.v {
            let to = to.at((unit.row * heads + unit.head) * width);
            buffers.dv.as_ptr().copy_to_nonoverlapping(to, width);
        }
    }
}

/// [`references`] of all queries of a unit, tile by tile.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn all_references<S: Simd>(simd: S, back: &Back<'_>, unit: &Unit, buffers: &mut Buffers<'_>) {
    let (queries, of_unit) = (back.call.dims.queries, back.call.values(unit));
    let Buffers { scores, means, counted_from, values, dcontext, .. } = buffers;
    for first in (0..queries).step_by(QUERIES) {
        let tile = first..(first + QUERIES).min(queries);
        let scratch = [&mut dcontext[..], &mut values[..], &mut scores.gradients[..]];
        let to = (&mut counted_from[tile.clone()], &mut means[tile]);
        // SAFETY: every slice has the length of its shape, and the scratch of a block has room for a tile.
        unsafe { references(simd, back, unit, first, of_unit, scratch, to) };
    }
}

/// One pass over a block of keys, tile by tile; hands out the gradients of its keys and values.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn run_pass<S: Simd, C: ScoreGradient>(simd: S, pass: Pass<'_>, scoring: &mut C, buffers: &mut Buffers<'_>) {
    let Pass { back, unit, first_key, count, .. } = pass;
    let call = back.call;
    // SAFETY: the keys and values of the block exist, and the panels have room for a block.
    unsafe {
        scoring.set_keys(simd, call.keys(unit).part(first_key, count));
        pack_rows(simd, call.values(unit).part(first_key, count), buffers.values.as_mut_ptr());
    }
    buffers.dkeys[..count * buffers.width_stride].fill(0.0);
    buffers.dvalues[..count * buffers.value_padded].fill(0.0);
    for first in (0..call.dims.queries).step_by(QUERIES) {
        // SAFETY: as the caller promises.
        unsafe { run_tile(simd, pass, first, scoring, buffers) };
    }
    if !pass.only_means {
        // SAFETY: as the caller promises.
        unsafe { write_keys(simd, pass, buffers) };
    }
}

/// Adds what the tile of queries from `first` on gives; hands out the gradients of its scores, and of its queries where
/// they are complete.
///
/// # Safety
/// As [`run`]; the block's keys have been set, and its values stand in the buffers.
#[inline(always)]
unsafe fn run_tile<S: Simd, C: ScoreGradient>(
    simd: S,
    pass: Pass<'_>,
    first: usize,
    scoring: &mut C,
    buffers: &mut Buffers<'_>,
) {
    let Pass { back, unit, first_key, count, single, only_means, last } = pass;
    let call = back.call;
    let Buffers { addend, scores, block, width_stride, dquery, means, counted_from, .. } = buffers;
    let rows = (call.dims.queries - first).min(QUERIES);
    let base = if single { 0 } else { first };
    let dquery = &mut dquery[base * *width_stride..(base + rows) * *width_stride];
    let means = &mut means[base..base + rows];
    if first_key == 0 && !only_means {
        dquery.fill(0.0);
        // SAFETY: as the caller promises.
        unsafe { clear_bias(pass, first, rows) };
    }
    let (queries, keys) = (first..first + rows, first_key..first_key + count);
    let panel = panel_width::<S>();
    let tile = Tile::new(&call.dims, &call.mask, unit, queries, keys, panel, *block, addend);
    if let Some(tile) = &tile {
        // SAFETY: the tile's queries exist, and every buffer has room for a tile and a block.
        unsafe {
            scoring.set_queries(simd, call.queries(unit).part(first, rows));
            scoring.score(simd, tile, scores.weights.as_mut_ptr());
            let from = (!single).then_some(&counted_from[base..base + rows]);
            weight_gradients(simd, back, unit, tile, first, first_key, &*scoring, buffers.values, scores, from);
        }
        if single || only_means {
            for (r, to) in means.iter_mut().enumerate() {
                let mean = row_mean(simd, tile, r, scores);
                *to = if single { mean } else { *to + mean };
            }
        }
        if !only_means {
            score_gradients(simd, tile, means, scores);
            // SAFETY: as above.
            unsafe {
                write_bias(pass, first, tile, scores);
                if let (Some(_), Some(from)) = (back.values, back.upstream.context) {
                    let from = dcontext_rows(call, from, unit, first, rows);
                    value_gradients(simd, tile, from, scores, buffers.dcontext, buffers.dvalues);
                }
                if back.query.is_some() || back.keys.is_some() || back.v.is_some() {
                    let (dkeys, dv) = (buffers.dkeys.as_mut_ptr(), buffers.dv.as_mut_ptr());
                    scoring.accumulate(simd, tile, scores.gradients.as_ptr(), dquery.as_mut_ptr(), dkeys, dv);
                }
            }
        }
    }
    if last {
        // SAFETY: as the caller promises.
        unsafe { write_queries(simd, pass, first, (dquery, *width_stride), buffers.factors) };
    }
}

/// Zeros the gradients of the scores of `rows` queries from `first` on.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn clear_bias(Pass { back, unit, .. }: Pass<'_>, first: usize, rows: usize) {
    let Dims { queries, keys, heads, .. } = back.call.dims;
    let Some(bias) = back.bias else { return };
    let at = ((unit.row * heads + unit.head) * queries + first) * keys;
    // SAFETY: the bias gradients of these queries are this unit's alone.
    unsafe { bias.at(at).write_bytes(0, rows * keys) };
}

/// Hands out the gradients of the scores of a tile whose first query is `first`.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn write_bias(pass: Pass<'_>, first: usize, tile: &Tile<'_>, scores: &Scores<'_>) {
    let Pass { back, unit, first_key, .. } = pass;
    let Dims { queries, keys, heads, .. } = back.call.dims;
    let Some(bias) = back.bias else { return };
    for r in 0..tile.rows {
        let (start, end) = tile.keys[r];
        let place = (unit.row * heads + unit.head) * queries + first + r;
        let from = &scores.gradients[r * tile.stride + start..r * tile.stride + end];
        let to = bias.at(place * keys + first_key + start);
        // SAFETY: the bias gradients of these queries are this unit's alone.
        unsafe { from.as_ptr().copy_to_nonoverlapping(to, end - start) };
    }
}

/// Hands out the gradients of the queries from `first` on: the rows of `dquery`, `stride` apart.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn write_queries<S: Simd>(
    simd: S,
    pass: Pass<'_>,
    first: usize,
    (dquery, stride): (&[f32], usize),
    factors: &[f32],
) {
    let Pass { back, unit, .. } = pass;
    let Dims { queries, heads, width, .. } = back.call.dims;
    let Some(query) = back.query else { return };
    for (r, from) in dquery.chunks_exact(stride).enumerate() {
        let to = query.at(((unit.row * queries + first + r) * heads + unit.head) * width);
        // SAFETY: the gradient of this query is this unit's alone.
        unsafe { write_scaled(simd, to, from.as_ptr(), factors.as_ptr(), width) };
    }
}

/// Hands out the gradients of the keys and values of a block.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn write_keys<S: Simd>(simd: S, pass: Pass<'_>, buffers: &Buffers<'_>) {
    let Pass { back, unit, first_key, count, .. } = pass;
    let Dims { keys, heads, width, value, .. } = back.call.dims;
    let Buffers { width_stride, value_padded, dkeys, dvalues, factors, ones, .. } = buffers;
    for k in 0..count {
        let place = (unit.row * keys + first_key + k) * heads + unit.head;
        // SAFETY: the gradients of this key and value are this unit's alone.
        unsafe {
            if let Some(to) = back.keys {
                let from = dkeys.as_ptr().add(k * width_stride);
                write_scaled(simd, to.at(place * width), from, factors.as_ptr(), width);
            }
            if let Some(to) = back.values {
                let from = dvalues.as_ptr().add(k * value_padded);
                write_scaled(simd, to.at(place * value), from, ones.as_ptr(), value);
            }
        }
    }
}

/// Zeros the gradients of the keys and values from `length` on, which no query reads.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn clear_unread(back: &Back<'_>, unit: &Unit, length: usize) {
    let Dims { keys, heads, width, value, .. } = back.call.dims;
    for key in length..keys {
        let place = (unit.row * keys + key) * heads + unit.head;
        // SAFETY: the gradients of this key and value are this unit's alone.
        unsafe {
            if let Some(to) = back.keys {
                to.at(place * width).write_bytes(0, width);
            }
            if let Some(to) = back.values {
                to.at(place * value).write_bytes(0, value);
            }
        }
    }
}
