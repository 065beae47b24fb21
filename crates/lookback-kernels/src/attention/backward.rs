//! The backward engine: the scores of each tile again, then the gradients of weights, scores, and what they are
//! made of.
//!
//! A softmax's gradient needs `Σ_k weight · dweight` over its whole row. With one block of keys the row is there;
//! with more, it is `dcontext · context`, or, where weights have a gradient of their own, a pass before. `gradients.rs`
//! says from where it is counted, so that it keeps its digits where a query is sure.

use super::forward::{Call, Scoring, parts};
use super::gradients::{
    Scores, dcontext_rows, references, row_mean, score_gradients, value_gradients, weight_gradients,
};
use super::panels::{pack_rows, panel_width, row_stride, write_scaled};
use super::plan::{KEYS, QUERIES, Tile, Unit};
use super::{Dims, Upstream};
use crate::simd::{Aligned, Shared};
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

/// Runs one task.
///
/// # Safety
/// Every slice and pointer of the call has the length of its shape, and no other task has the same batch row
/// and head.
#[inline(always)]
unsafe fn run<S: Simd, C: ScoreGradient>(simd: S, run: Run<'_, C>) {
    let Run { back, units, scratch, .. } = run;
    let call = back.call;
    let Dims { queries, keys, heads, width, value, .. } = call.dims;
    let panel = panel_width::<S>();
    let block = call.block::<S>();
    let (width_stride, value_padded) = (row_stride(width.next_multiple_of(panel)), value.next_multiple_of(panel));
    let kept = if keys <= KEYS { QUERIES.min(queries) } else { queries };
    let addend_len = if call.mask.has_rows() { QUERIES * block } else { 0 };
    let dropout_len = if call.dropout.is_some() { QUERIES * block } else { 0 };
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
            2 * QUERIES * block
                + addend_len
                + dropout_len
                + block * value
                + QUERIES * value_padded
                + C::scratch_len::<S>(&call.dims, block),
        ],
    );
    let (weights, rest) = rest.split_at_mut(QUERIES * block);
    let (gradients, rest) = rest.split_at_mut(QUERIES * block);
    let (addend, rest) = rest.split_at_mut(addend_len);
    let (multipliers, rest) = rest.split_at_mut(dropout_len);
    let (values, rest) = rest.split_at_mut(block * value);
    let (dcontext, of_score) = rest.split_at_mut(QUERIES * value_padded);
    let mut scores = Scores { weights, gradients, multipliers };
    ones.fill(1.0);
    let wants_scores = back.query.is_some() || back.keys.is_some() || back.v.is_some();
    for unit in units {
        let (all_queries, all_keys, all_values) = (call.queries(unit), call.keys(unit), call.values(unit));
        let length = all_keys.count;
        let single = length <= KEYS;
        // SAFETY: the inputs have the lengths of their shapes, and the scratch is this task's alone.
        let mut scoring = unsafe { C::new(simd, call.score, &call.dims, unit.head, block, of_score.as_mut_ptr()) };
        factors.fill(0.0);
        scoring.factors(&mut factors[..width]);
        dv.fill(0.0);
        let tiles = queries.div_ceil(QUERIES);
        let blocks = length.div_ceil(KEYS).max(1);
        if !single {
            for first in (0..queries).step_by(QUERIES) {
                let tile = first..(first + QUERIES).min(queries);
                let scratch = [&mut dcontext[..], &mut values[..], &mut scores.gradients[..]];
                let to = (&mut counted_from[tile.clone()], &mut means[tile]);
                // SAFETY: every slice has the length of its shape, and the scratch of a block has room for a tile.
                unsafe { references(simd, back, unit, first, all_values, scratch, to) };
            }
        }
        let before = !single && back.upstream.weights.is_some();
        // With `before`, every block passes once for the means alone.
        for pass in 0..blocks * (1 + usize::from(before)) {
            let (only_means, first_key) = (before && pass < blocks, pass % blocks * KEYS);
            let last = !only_means && first_key + KEYS >= length;
            let count = (length - first_key).min(KEYS);
            // SAFETY: the keys and values of the block exist, and the panels have room for a block.
            unsafe {
                scoring.set_keys(simd, all_keys.part(first_key, count));
                pack_rows(simd, all_values.part(first_key, count), values.as_mut_ptr());
            }
            dkeys[..count * width_stride].fill(0.0);
            dvalues[..count * value_padded].fill(0.0);
            for index in 0..tiles {
                let first = index * QUERIES;
                let rows = (queries - first).min(QUERIES);
                let base = if single { 0 } else { first };
                let dquery = &mut dquery[base * width_stride..(base + rows) * width_stride];
                let means = &mut means[base..base + rows];
                if first_key == 0 && !only_means {
                    dquery.fill(0.0);
                    if let Some(bias) = back.bias {
                        // SAFETY: the bias gradients of these queries are this unit's alone.
                        unsafe {
                            bias.at(((unit.row * heads + unit.head) * queries + first) * keys)
                                .write_bytes(0, rows * keys)
                        };
                    }
                }
                let block_keys = first_key..first_key + count;
                let range = first..first + rows;
                let tile = Tile::new(&call.dims, &call.mask, unit, range, block_keys, panel, block, &mut *addend);
                if let Some(tile) = &tile {
                    // SAFETY: the tile's queries exist, and every buffer has room for a tile and a block.
                    unsafe {
                        scoring.set_queries(simd, all_queries.part(first, rows));
                        scoring.score(simd, tile, scores.weights.as_mut_ptr());
                        let from = (!single).then_some(&counted_from[base..base + rows]);
                        weight_gradients(simd, back, unit, tile, first, first_key, &scoring, values, &mut scores, from);
                    }
                    if single || only_means {
                        for (r, to) in means.iter_mut().enumerate() {
                            let mean = row_mean(simd, tile, r, &scores);
                            *to = if single { mean } else { *to + mean };
                        }
                    }
                    if !only_means {
                        score_gradients(simd, tile, means, &mut scores);
                        if let Some(bias) = back.bias {
                            for r in 0..rows {
                                let (start, end) = tile.keys[r];
                                let place = (unit.row * heads + unit.head) * queries + first + r;
                                let from = &scores.gradients[r * block + start..r * block + end];
                                // SAFETY: as above.
                                unsafe {
                                    let to = bias.at(place * keys + first_key + start);
                                    from.as_ptr().copy_to_nonoverlapping(to, end - start);
                                }
                            }
                        }
                        // SAFETY: every buffer has room for a tile and a block.
                        unsafe {
                            if let (Some(_), Some(from)) = (back.values, back.upstream.context) {
                                let from = dcontext_rows(call, from, unit, first, rows);
                                value_gradients(simd, tile, from, &scores, dcontext, dvalues);
                            }
                            if wants_scores {
                                scoring.accumulate(
                                    simd,
                                    tile,
                                    scores.gradients.as_ptr(),
                                    dquery.as_mut_ptr(),
                                    dkeys.as_mut_ptr(),
                                    dv.as_mut_ptr(),
                                );
                            }
                        }
                    }
                }
                if let (Some(query), true) = (back.query, last) {
                    for r in 0..rows {
                        let to = query.at(((unit.row * queries + first + r) * heads + unit.head) * width);
                        // SAFETY: the gradient of this query is this unit's alone.
                        unsafe {
                            write_scaled(simd, to, dquery.as_ptr().add(r * width_stride), factors.as_ptr(), width)
                        };
                    }
                }
            }
            if only_means {
                continue;
            }
            for k in 0..count {
                let place = (unit.row * keys + first_key + k) * heads + unit.head;
                // SAFETY: the gradients of this key and value are this unit's alone.
                unsafe {
                    if let Some(to) = back.keys {
                        write_scaled(
                            simd,
                            to.at(place * width),
                            dkeys.as_ptr().add(k * width_stride),
                            factors.as_ptr(),
                            width,
                        );
                    }
                    if let Some(to) = back.values {
                        write_scaled(
                            simd,
                            to.at(place * value),
                            dvalues.as_ptr().add(k * value_padded),
                            ones.as_ptr(),
                            value,
                        );
                    }
                }
            }
        }
        for key in length..keys {
            let place = (unit.row * keys + key) * heads + unit.head;
            // SAFETY: as above.
            unsafe {
                if let Some(to) = back.keys {
                    to.at(place * width).write_bytes(0, width);
                }
                if let Some(to) = back.values {
                    to.at(place * value).write_bytes(0, value);
                }
            }
        }
        if let Some(to) = back.v {
            // SAFETY: this row's part of the gradient of `v` is this unit's alone.
            unsafe { dv.as_ptr().copy_to_nonoverlapping(to.at((unit.row * heads + unit.head) * width), width) };
        }
    }
}
