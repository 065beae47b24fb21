//! The forward engine: scores, mask, softmax and context, a tile of queries and a block of keys at a time.
//!
//! A softmax over more than one block runs in one pass: its greatest score so far, its sum and its context are
//! kept, and rescaled when a later block has a greater score (Milakov and Gimelshein 2018). The weights are
//! derived from the same numbers afterwards, so that asking for them changes no bit of the context.

use super::panels::{Rows, pack_columns, pair_product, panel_width, product, write_scaled};
use super::plan::{KEYS, QUERIES, Tile, Unit};
use super::{Dims, Dropout, Inputs, Mask, STATISTICS, Score};
use crate::simd::math::exp_vector;
use crate::simd::{Aligned, Shared, load, store};
use pulp::{Simd, WithSimd};
use std::marker::PhantomData;

/// One kind of score, computed for a tile of queries and a block of keys.
pub(super) trait Scoring: Sized {
    /// How many values of scratch it wants for blocks of `block` keys.
    fn scratch_len<S: Simd>(dims: &Dims, block: usize) -> usize;

    /// For one head, with scratch of [`Scoring::scratch_len`] values.
    ///
    /// # Safety
    /// What `score` points to must have the length of its shape, and `scratch` must be this value's alone for as
    /// long as it is used.
    unsafe fn new<S: Simd>(
        simd: S,
        score: Score<'_>,
        dims: &Dims,
        head: usize,
        block: usize,
        scratch: *mut f32,
    ) -> Self;

    /// The score is this times what [`Scoring::score`] writes, up to a number that all keys share.
    fn scale(&self) -> f32;

    /// Prepares a block of keys.
    ///
    /// # Safety
    /// `keys` must be valid for reads, at most a block, and stay so until the last call of `score`.
    unsafe fn set_keys<S: Simd>(&mut self, simd: S, keys: Rows);

    /// Prepares a tile of queries.
    ///
    /// # Safety
    /// `queries` must be valid for reads, at most [`QUERIES`], and stay so until the last call of `score`.
    unsafe fn set_queries<S: Simd>(&mut self, simd: S, queries: Rows);

    /// Writes the pairs that are read, and anything elsewhere, from `tile.start` to `tile.end`.
    ///
    /// # Safety
    /// `to` must be valid for writes of `[tile.rows, tile.stride]`; keys and queries must have been set.
    unsafe fn score<S: Simd>(&mut self, simd: S, tile: &Tile<'_>, to: *mut f32);
}

/// What every task of one call shares. Slices are checked: each has the length of its shape.
pub(super) struct Call<'a> {
    pub(super) score: Score<'a>,
    pub(super) dims: Dims,
    pub(super) mask: Mask<'a>,
    pub(super) dropout: Option<Dropout>,
    pub(super) inputs: Inputs<'a>,
}

impl Call<'_> {
    /// The queries of one unit.
    #[inline(always)]
    pub(super) fn queries(&self, unit: &Unit) -> Rows {
        let Dims { queries, heads, width, .. } = self.dims;
        let first = ((unit.row * queries + unit.queries.start) * heads + unit.head) * width;
        Rows {
            from: self.inputs.query.as_ptr().wrapping_add(first),
            stride: heads * width,
            count: unit.queries.len(),
            width,
        }
    }

    /// The keys of one unit.
    #[inline(always)]
    pub(super) fn keys(&self, unit: &Unit) -> Rows {
        let Dims { keys, heads, width, .. } = self.dims;
        let first = (unit.row * keys * heads + unit.head) * width;
        Rows {
            from: self.inputs.keys.as_ptr().wrapping_add(first),
            stride: heads * width,
            count: self.mask.length(&self.dims, unit.row),
            width,
        }
    }

    /// The values of one unit.
    #[inline(always)]
    pub(super) fn values(&self, unit: &Unit) -> Rows {
        let Dims { keys, heads, value, .. } = self.dims;
        let first = (unit.row * keys * heads + unit.head) * value;
        Rows {
            from: self.inputs.values.as_ptr().wrapping_add(first),
            stride: heads * value,
            count: self.mask.length(&self.dims, unit.row),
            width: value,
        }
    }

    /// How many keys a block has at most, padded to whole panels.
    #[inline(always)]
    pub(super) fn block<S: Simd>(&self) -> usize {
        self.dims.keys.min(KEYS).next_multiple_of(panel_width::<S>())
    }
}

/// Where the outputs of one call go.
#[derive(Clone, Copy)]
pub(super) struct Places {
    /// `[B, Q, N * value]`.
    pub(super) context: Shared,
    /// `[B, N, Q, K]`.
    pub(super) weights: Option<Shared>,
    /// `[B, N, Q, 3]`.
    pub(super) statistics: Option<Shared>,
}

/// Some units, forward.
pub(super) struct Run<'a, C> {
    pub(super) call: &'a Call<'a>,
    pub(super) units: &'a [Unit],
    pub(super) to: Places,
    pub(super) scratch: &'a mut Aligned,
    pub(super) kind: PhantomData<C>,
}

impl<C: Scoring> WithSimd for Run<'_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // SAFETY: `super::forward` has checked every slice against its shape, and no two units have the same
        // batch row, head and query.
        unsafe { run(simd, self) }
    }
}

/// The running softmax of one query.
#[derive(Clone, Copy)]
struct Softmax {
    /// Whether any key has been read.
    read: bool,
    greatest: f32,
    sum: f32,
    /// Which key has the greatest score, where there is more than one block.
    place: usize,
}

/// How many scores are searched at once.
const SEARCHED: usize = 32;
const NOTHING_READ: Softmax = Softmax { read: false, greatest: f32::MIN, sum: 0.0, place: 0 };

/// Splits scratch into parts of the given lengths, each on a cache line of its own.
#[inline(always)]
pub(super) fn parts<const N: usize>(scratch: &mut Aligned, lens: [usize; N]) -> [&mut [f32]; N] {
    let lens = lens.map(|len| len.next_multiple_of(16));
    let mut rest = scratch.scratch(lens.iter().sum());
    lens.map(|len| {
        let (part, left) = std::mem::take(&mut rest).split_at_mut(len);
        rest = left;
        part
    })
}

/// What one task computes in.
struct Buffers<'a> {
    /// `[QUERIES, block]`: what the mask adds to the scores of a tile.
    addend: &'a mut [f32],
    /// Scratch of the score.
    of_score: &'a mut [f32],
    /// The running softmax of each kept query: of a tile's queries where a row is one block, of all where it is more.
    states: &'a mut [Softmax],
    /// `[kept, padded]`: the context of each kept query so far.
    sums: &'a mut [f32],
    of_tile: TileBuffers<'a>,
}

/// What a tile needs of them whichever queries it has.
struct TileBuffers<'a> {
    /// How many keys a block has at most.
    block: usize,
    /// The width of a value in whole panels.
    padded: usize,
    /// `[QUERIES, block]`: the scores, then the weights before they are divided by their sum.
    scores: &'a mut [f32],
    /// `[column panel][block][panel width]`: the values of the block.
    packed: &'a mut [f32],
    /// `[block]`: what dropout multiplies with.
    multipliers: &'a mut [f32],
    /// `[padded]`.
    factors: &'a mut [f32],
}

impl<'a> Buffers<'a> {
    #[inline(always)]
    fn new<S: Simd, C: Scoring>(call: &Call<'_>, states: &'a mut [Softmax], scratch: &'a mut Aligned) -> Self {
        let (kept, block, padded) =
            (states.len(), call.block::<S>(), call.dims.value.next_multiple_of(panel_width::<S>()));
        let addend_len = if call.mask.has_rows() { QUERIES * block } else { 0 };
        let dropout_len = if call.dropout.is_some() { block } else { 0 };
        let of_score = C::scratch_len::<S>(&call.dims, block);
        let [sums, scores, packed, addend, multipliers, factors, of_score] =
            parts(scratch, [kept * padded, QUERIES * block, block * padded, addend_len, dropout_len, padded, of_score]);
        let of_tile = TileBuffers { block, padded, scores, packed, multipliers, factors };
        Buffers { addend, of_score, states, sums, of_tile }
    }
}

/// Where a tile stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    call: &'a Call<'a>,
    to: Places,
    unit: &'a Unit,
    /// Its first query.
    query: usize,
    /// Its block's first key.
    first_key: usize,
    /// Whether all values of the block are finite.
    finite: bool,
    /// Whether the unit's keys are one block.
    single: bool,
}

impl Place<'_> {
    /// The place of query `r` in `[B, N, Q]`.
    #[inline(always)]
    fn softmax(&self, r: usize) -> usize {
        let Dims { queries, heads, .. } = self.call.dims;
        (self.unit.row * heads + self.unit.head) * queries + self.query + r
    }

    /// The place of query `r` in `[B, Q, N]`.
    #[inline(always)]
    fn context(&self, r: usize) -> usize {
        let Dims { queries, heads, .. } = self.call.dims;
        (self.unit.row * queries + self.query + r) * heads + self.unit.head
    }
}

/// Runs one task.
///
/// # Safety
/// Every slice and pointer of the call has the length of its shape, and no other task has the same batch row,
/// head and query.
#[inline(always)]
unsafe fn run<S: Simd, C: Scoring>(simd: S, run: Run<'_, C>) {
    let Run { call, units, to, scratch, .. } = run;
    let most = units.iter().map(|unit| unit.queries.len()).max().unwrap_or(0);
    // One block is finished tile by tile; with more, every query waits for the last.
    let mut states = vec![NOTHING_READ; if call.dims.keys <= KEYS { QUERIES } else { most }];
    let mut buffers = Buffers::new::<S, C>(call, &mut states, scratch);
    for unit in units {
        // SAFETY: as the caller promises.
        unsafe { run_unit::<S, C>(simd, call, to, unit, &mut buffers) };
    }
}

/// Block of keys by block, every tile of the unit's queries.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn run_unit<S: Simd, C: Scoring>(simd: S, call: &Call<'_>, to: Places, unit: &Unit, buffers: &mut Buffers<'_>) {
    let Buffers { addend, of_score, states, sums, of_tile } = buffers;
    let (panel, block, padded) = (panel_width::<S>(), of_tile.block, of_tile.padded);
    let (all_queries, all_keys, all_values) = (call.queries(unit), call.keys(unit), call.values(unit));
    let length = all_keys.count;
    let single = length <= KEYS;
    // SAFETY: the inputs have the lengths of their shapes.
    let mut scoring = unsafe { C::new(simd, call.score, &call.dims, unit.head, block, of_score.as_mut_ptr()) };
    let mut first_key = 0;
    // A row without keys still has its zeros written.
    while first_key < length || first_key == 0 {
        let count = (length - first_key).min(KEYS);
        let last = first_key + KEYS >= length;
        // SAFETY: the keys and values of the block exist, and the panels have room for a block.
        let finite = unsafe {
            scoring.set_keys(simd, all_keys.part(first_key, count));
            pack_columns(simd, all_values.part(first_key, count), block, of_tile.packed.as_mut_ptr())
        };
        let mut first = 0;
        while first < all_queries.count {
            let rows = (all_queries.count - first).min(QUERIES);
            let base = if single { 0 } else { first };
            let states = &mut states[base..base + rows];
            let sums = &mut sums[base * padded..(base + rows) * padded];
            if first_key == 0 {
                sums.fill(0.0);
                states.fill(NOTHING_READ);
            }
            let query = unit.queries.start + first;
            let place = Place { call, to, unit, query, first_key, finite, single };
            let (tile_queries, block_keys) = (query..query + rows, first_key..first_key + count);
            let tile = Tile::new(&call.dims, &call.mask, unit, tile_queries, block_keys, panel, block, addend);
            // SAFETY: the tile's queries exist, and every buffer has room for them and a block of keys.
            unsafe {
                if let Some(tile) = &tile {
                    scoring.set_queries(simd, all_queries.part(first, rows));
                    scoring.score(simd, tile, of_tile.scores.as_mut_ptr());
                    add_context(simd, place, tile, scoring.scale(), states, sums, of_tile);
                }
                if last {
                    finish(simd, place, tile.as_ref(), states, sums, of_tile);
                }
            }
            first += rows;
        }
        first_key += KEYS;
    }
}

/// Turns the scores of a tile into powers, and adds them to the running softmax and context of its queries.
///
/// # Safety
/// As [`run`]; the buffers have room for the tile, and its scores and the values of its block stand in them.
#[inline(always)]
unsafe fn add_context<S: Simd>(
    simd: S,
    place: Place<'_>,
    tile: &Tile<'_>,
    scale: f32,
    states: &mut [Softmax],
    sums: &mut [f32],
    buffers: &mut TileBuffers<'_>,
) {
    let Place { call, to, unit, query, first_key, finite, single } = place;
    let TileBuffers { block, padded, scores, packed, multipliers, .. } = buffers;
    let (block, padded, value) = (*block, *padded, call.dims.value);
    for r in (0..tile.rows).filter(|&r| tile.any(r)) {
        let row = &mut scores[r * block..(r + 1) * block];
        apply_mask(simd, tile, r, scale, row);
        if let (Some(weights), false) = (to.weights, single) {
            let (start, end) = tile.keys[r];
            let to = weights.at(place.softmax(r) * call.dims.keys + first_key + start);
            // SAFETY: the weights of this query are this unit's alone.
            unsafe { row.as_ptr().add(start).copy_to_nonoverlapping(to, end - start) };
        }
        let sums = &mut sums[r * padded..(r + 1) * padded];
        softmax(simd, tile, row, &mut states[r], sums, (!single).then_some(first_key));
        if let Some(dropout) = call.dropout {
            let multipliers = &mut multipliers[..tile.end - tile.start];
            dropout.fill(unit.row, unit.head, query + r, first_key + tile.start, multipliers);
            for (weight, multiplier) in row[tile.start..].iter_mut().zip(multipliers) {
                *weight *= *multiplier;
            }
        }
    }
    for r in (0..tile.rows).filter(|&r| !tile.any(r)) {
        scores[r * block + tile.start..r * block + tile.end].fill(0.0);
    }
    let (a, c) = ((scores.as_ptr(), block), (sums.as_mut_ptr(), padded));
    let panels = (packed.as_ptr(), block);
    // SAFETY: scores, panels and sums have room for a tile of queries and a block of keys.
    unsafe {
        if finite {
            return product(simd, tile.rows, a, panels, value, (tile.start, tile.end), c);
        }
        for r in 0..tile.rows {
            for k in (tile.start..tile.end).filter(|&k| tile.reads(r, k)) {
                let weight = scores[r * block + k];
                pair_product(simd, weight, panels, k, value, sums.as_mut_ptr().add(r * padded));
            }
        }
    }
}

/// Hands out the context, the statistics and the weights of a tile's queries, whose last block `tile` is.
///
/// # Safety
/// As [`run`]; the powers of the tile stand in the buffers.
#[inline(always)]
unsafe fn finish<S: Simd>(
    simd: S,
    place: Place<'_>,
    tile: Option<&Tile<'_>>,
    states: &[Softmax],
    sums: &[f32],
    buffers: &mut TileBuffers<'_>,
) {
    let Place { call, to, unit, query, single, .. } = place;
    let Dims { keys, value, .. } = call.dims;
    let TileBuffers { block, padded, scores, factors, .. } = buffers;
    for (r, state) in states.iter().enumerate() {
        // A query that reads nothing has zeros, not 0 / 0.
        let (greatest, inverse) = if state.read { (state.greatest, 1.0 / state.sum) } else { (0.0, 0.0) };
        // SAFETY: every output of this query is this unit's alone.
        unsafe {
            factors.fill(inverse);
            let from = sums.as_ptr().add(r * *padded);
            write_scaled(simd, to.context.at(place.context(r) * value), from, factors.as_ptr(), value);
            if let Some(statistics) = to.statistics {
                let of_query = [greatest, inverse, state.place as f32];
                statistics.at(place.softmax(r) * STATISTICS).cast::<[f32; STATISTICS]>().write(of_query);
            }
        }
        let Some(weights) = to.weights else { continue };
        // SAFETY: as above.
        let weights = unsafe { std::slice::from_raw_parts_mut(weights.at(place.softmax(r) * keys), keys) };
        if !state.read {
            weights.fill(0.0);
        } else if single {
            let (start, end) = tile.map_or((0, 0), |tile| tile.keys[r]);
            weights[..start].fill(0.0);
            weights[end..].fill(0.0);
            let powers = &scores[r * *block + start..r * *block + end];
            for (weight, power) in weights[start..end].iter_mut().zip(powers) {
                *weight = power * inverse;
            }
        } else {
            finish_weights(simd, call, unit, query + r, greatest, inverse, weights);
        }
    }
}

/// `row = scale · row + addend`, negative infinity where the key is masked.
#[inline(always)]
pub(super) fn apply_mask<S: Simd>(simd: S, tile: &Tile<'_>, r: usize, scale: f32, row: &mut [f32]) {
    let lanes = S::F32_LANES;
    let end = tile.end.next_multiple_of(panel_width::<S>());
    let scale = simd.splat_f32s(scale);
    let masked = simd.splat_f32s(f32::NEG_INFINITY);
    let addend = tile.addend.map(|addend| &addend[r * tile.stride..][..end]);
    let row = &mut row[..end];
    let mut k = tile.start;
    while k < end {
        // SAFETY: `start` and `end` stand on vectors, and both slices have `end` values.
        unsafe {
            let at = row.as_mut_ptr().add(k);
            let mut score = simd.mul_f32s(load(simd, at), scale);
            if let Some(addend) = addend {
                let addend = load(simd, addend.as_ptr().add(k));
                score = simd.select_f32s(simd.equal_f32s(addend, masked), masked, simd.add_f32s(score, addend));
            }
            store(simd, at, score);
        }
        k += lanes;
    }
    let (first, past) = tile.keys[r];
    row[tile.start..first].fill(f32::NEG_INFINITY);
    row[past..].fill(f32::NEG_INFINITY);
}

/// `e^x`, exactly 0 where the result would not be a normal number, as behind a mask.
#[inline(always)]
pub(super) fn power<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let tiny = simd.less_than_f32s(x, simd.splat_f32s(-86.5));
    simd.select_f32s(tiny, simd.splat_f32s(0.0), exp_vector(simd, x))
}

/// Turns a block's scores into `e^(score - greatest)` and adds it to the running softmax, whose context so far is
/// `sums`. Notes where the greatest score stands, `first_key` being the block's first key, where that is given.
#[inline(always)]
fn softmax<S: Simd>(
    simd: S,
    tile: &Tile<'_>,
    row: &mut [f32],
    state: &mut Softmax,
    sums: &mut [f32],
    first_key: Option<usize>,
) {
    let lanes = S::F32_LANES;
    let end = tile.end.next_multiple_of(panel_width::<S>());
    let row = &mut row[..end];
    let mut most = simd.splat_f32s(state.greatest);
    let mut k = tile.start;
    while k < end {
        // SAFETY: `start` and `end` stand on vectors.
        most = simd.max_f32s(most, unsafe { load(simd, row.as_ptr().add(k)) });
        k += lanes;
    }
    let greatest = simd.reduce_max_f32s(most);
    if state.read && greatest != state.greatest {
        let factor = (state.greatest - greatest).exp();
        state.sum *= factor;
        for sum in sums {
            *sum *= factor;
        }
    }
    if let Some(first_key) = first_key
        && !(state.read && greatest == state.greatest)
        && let Some(place) = place_of(greatest, &row[tile.start..])
    {
        state.place = first_key + tile.start + place;
    }
    let most = simd.splat_f32s(greatest);
    let mut total = simd.splat_f32s(0.0);
    let mut k = tile.start;
    while k < end {
        // SAFETY: as above.
        unsafe {
            let at = row.as_mut_ptr().add(k);
            let power = power(simd, simd.sub_f32s(load(simd, at), most));
            total = simd.add_f32s(total, power);
            store(simd, at, power);
        }
        k += lanes;
    }
    state.read = true;
    state.greatest = greatest;
    state.sum += simd.reduce_sum_f32s(total);
}

/// Where `value` stands first in `row`.
#[inline(always)]
fn place_of(value: f32, row: &[f32]) -> Option<usize> {
    for (index, part) in row.chunks(SEARCHED).enumerate() {
        // Without a branch a value, so that the compiler makes vectors of it.
        let mut found = false;
        for score in part {
            found |= *score == value;
        }
        if found {
            return part.iter().position(|score| *score == value).map(|place| index * SEARCHED + place);
        }
    }
    None
}

/// Turns the scores that the blocks left in `weights` into weights.
#[inline(always)]
fn finish_weights<S: Simd>(
    simd: S,
    call: &Call<'_>,
    unit: &Unit,
    query: usize,
    greatest: f32,
    inverse: f32,
    weights: &mut [f32],
) {
    let range = call.mask.range(&call.dims, unit.row, query);
    let (allowed, bias) = call.mask.row(&call.dims, unit.row, unit.head, query);
    weights[..range.start].fill(0.0);
    weights[range.end..].fill(0.0);
    let most = simd.splat_f32s(greatest);
    let mut multipliers = [1.0; 64];
    let mut first = range.start;
    while first < range.end {
        let count = (range.end - first).min(64);
        if let Some(dropout) = call.dropout {
            dropout.fill(unit.row, unit.head, query, first, &mut multipliers[..count]);
        }
        let part = &mut weights[first..first + count];
        let mut at = 0;
        while at < count {
            let end = (at + S::F32_LANES).min(count);
            let score = simd.partial_load_f32s(&part[at..end]);
            simd.partial_store_f32s(&mut part[at..end], power(simd, simd.sub_f32s(score, most)));
            at = end;
        }
        for (offset, weight) in part.iter_mut().enumerate() {
            let key = first + offset;
            // A block in which every key of this query is masked was never computed.
            let read =
                allowed.is_none_or(|allowed| allowed[key]) && bias.is_none_or(|bias| bias[key] != f32::NEG_INFINITY);
            *weight = if read { *weight * multipliers[offset] * inverse } else { 0.0 };
        }
        first += count;
    }
}
