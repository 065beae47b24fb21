//! Additive scores without a tanh a pair: `tanh(q + k) = 1 - 2 w` with `w = 1 / (1 + e^2q e^2k)`, and a softmax does
//! not see the `Σ v` that is the same in every score, so that a score is `-2 Σ v w`.
//!
//! `e^2q` and `e^2k` are computed once each. A pair is computed by itself, in one of three ways that its own
//! magnitude `max|q| + max|k|` decides, so that nothing but the pair changes its bits:
//! 1. up to [`SHARED`]: two vectors over one common denominator, which cannot overflow;
//! 2. up to [`EXACT`]: a division a vector, while the product of the exponentials stays a normal number;
//! 3. beyond, and for NaN: from `q + k` itself, right at infinities.
//!
//! Variants tried, one thread of a Zen 3 at 3.2 GHz, CPU time of a whole forward pass at (B 32, Q 40, K 50, H 256),
//! of which the scores are about 1.6 ms, by `cargo run --release -p lookback-kernels --example time_attention`:
//! - four vectors over a common denominator, every key of a block against one query: 2.87 ms;
//! - the same with [`SWEEP`] keys against every query of the tile, rows a line more than 1 KiB apart: 2.76 ms;
//! - two vectors over a common denominator (a division costs two multiplications here): 2.57 ms, kept.

use crate::attention::forward::Scoring;
use crate::attention::panels::{Rows, load_part, row_stride};
use crate::attention::plan::{QUERIES, Tile};
use crate::attention::{Dims, Score};
use crate::simd::math::exp_vector;
use crate::simd::{load, store};
use pulp::Simd;
use std::ops::Range;

/// Up to here two denominators are multiplied: `(1 + e^40)^2` is 6e34.
pub(super) const SHARED: f32 = 20.0;
/// Up to here `e^2q e^2k` and its inverse are normal numbers: `e^86` is 2e37.
pub(super) const EXACT: f32 = 43.0;
/// Vectors over one common denominator.
const VECTORS: usize = 2;
/// Keys that pass beside each other against one query.
const GROUP: usize = 4;
/// Keys that stay in the first cache while every query of a tile passes.
const SWEEP: usize = 8;

/// The additive score of one head.
pub(in crate::attention) struct Additive {
    width: usize,
    /// `width` in whole vectors.
    pub(super) padded: usize,
    /// The stride of every buffer.
    pub(super) stride: usize,
    /// `[padded]`, zeros behind `width`.
    v: *mut f32,
    /// `[block, padded]`: `e^2k`.
    pub(super) exp_keys: *mut f32,
    /// `[block]`: `max|k|`, NaN where any is not finite.
    pub(super) key_bounds: *mut f32,
    /// `[QUERIES, padded]`: `e^2q`.
    pub(super) exp_queries: *mut f32,
    pub(super) query_bounds: [f32; QUERIES],
    pub(super) keys: Rows,
    pub(super) queries: Rows,
}

impl Scoring for Additive {
    fn scratch_len<S: Simd>(dims: &Dims, block: usize) -> usize {
        let stride = row_stride(dims.width.next_multiple_of(S::F32_LANES));
        (1 + block + QUERIES) * stride + block
    }

    #[inline(always)]
    unsafe fn new<S: Simd>(_: S, score: Score<'_>, dims: &Dims, head: usize, block: usize, scratch: *mut f32) -> Self {
        let width = dims.width;
        let padded = width.next_multiple_of(S::F32_LANES);
        let stride = row_stride(padded);
        if let Score::Additive { v } = score {
            let v = &v[head * width..(head + 1) * width];
            // SAFETY: the scratch has room, and is this value's alone.
            unsafe {
                scratch.write_bytes(0, padded);
                v.as_ptr().copy_to_nonoverlapping(scratch, width);
            }
        }
        let none = Rows { from: std::ptr::null(), stride: 0, count: 0, width };
        let exp_keys = scratch.wrapping_add(stride);
        let exp_queries = exp_keys.wrapping_add(block * stride);
        Additive {
            width,
            padded,
            stride,
            v: scratch,
            exp_keys,
            key_bounds: exp_queries.wrapping_add(QUERIES * stride),
            exp_queries,
            query_bounds: [0.0; QUERIES],
            keys: none,
            queries: none,
        }
    }

    #[inline(always)]
    fn scale(&self) -> f32 {
        -2.0
    }

    #[inline(always)]
    unsafe fn set_keys<S: Simd>(&mut self, simd: S, keys: Rows) {
        self.keys = keys;
        for k in 0..keys.count {
            // SAFETY: the caller promises the keys, and the scratch has room for a block of them.
            unsafe {
                let to = self.exp_keys.add(k * self.stride);
                *self.key_bounds.add(k) = exponentials(simd, keys.row(k), self.width, to);
            }
        }
    }

    #[inline(always)]
    unsafe fn set_queries<S: Simd>(&mut self, simd: S, queries: Rows) {
        self.queries = queries;
        for r in 0..queries.count {
            // SAFETY: the caller promises the queries, and the scratch has room for a tile of them.
            unsafe {
                let to = self.exp_queries.add(r * self.stride);
                self.query_bounds[r] = exponentials(simd, queries.row(r), self.width, to);
            }
        }
    }

    #[inline(always)]
    unsafe fn score<S: Simd>(&mut self, simd: S, tile: &Tile<'_>, to: *mut f32) {
        let mut first = tile.start;
        while first < tile.end {
            for r in 0..tile.rows {
                let (start, end) = tile.keys[r];
                let keys = first.max(start)..(first + SWEEP).min(end);
                // SAFETY: as the caller promises.
                unsafe { self.sweep(simd, tile, r, keys, to.add(r * tile.stride)) };
            }
            first += SWEEP;
        }
    }
}

impl Additive {
    /// The scores of query `r` and at most [`SWEEP`] keys.
    ///
    /// # Safety
    /// As [`Scoring::score`], with `to` at the query's row.
    #[inline(always)]
    unsafe fn sweep<S: Simd>(&self, simd: S, tile: &Tile<'_>, r: usize, keys: Range<usize>, to: *mut f32) {
        let vectors = self.padded / S::F32_LANES;
        let query = self.exp_queries.wrapping_add(r * self.stride).cast_const();
        let mut shared = [0; SWEEP];
        let mut count = 0;
        for k in keys {
            if !tile.reads(r, k) {
                continue;
            }
            // SAFETY: `k` is a key of the block.
            let bound = self.query_bounds[r] + unsafe { *self.key_bounds.add(k) };
            if bound <= SHARED {
                shared[count] = k;
                count += 1;
                continue;
            }
            // SAFETY: query and key have been set, and `to` has room for the block.
            unsafe {
                *to.add(k) = if bound <= EXACT {
                    divided(simd, vectors, self.v, query, self.exp_keys.add(k * self.stride))
                } else {
                    direct(simd, self.width, self.v, self.queries.row(r), self.keys.row(k))
                };
            }
        }
        let mut first = 0;
        // SAFETY: as above.
        unsafe {
            while first + GROUP <= count {
                let group = &shared[first..first + GROUP];
                let mut keys = [query; GROUP];
                for g in 0..GROUP {
                    keys[g] = self.exp_keys.add(group[g] * self.stride);
                }
                let scores = common(simd, vectors, self.v, query, keys);
                for g in 0..GROUP {
                    *to.add(group[g]) = scores[g];
                }
                first += GROUP;
            }
            for &k in &shared[first..count] {
                let key = self.exp_keys.add(k * self.stride).cast_const();
                *to.add(k) = common(simd, vectors, self.v, query, [key])[0];
            }
        }
    }
}

/// Writes `e^2x` of one row, ones behind its width, and returns `max|x|`, NaN where any is not finite.
///
/// # Safety
/// `from` must be valid for reads of `width` values and `to` for writes of as many in whole vectors.
#[inline(always)]
pub(super) unsafe fn exponentials<S: Simd>(simd: S, from: *const f32, width: usize, to: *mut f32) -> f32 {
    let zero = simd.splat_f32s(0.0);
    let (mut most, mut finite) = (zero, zero);
    let mut h = 0;
    while h < width {
        // SAFETY: as the caller promises.
        unsafe {
            let x = load_part(simd, from, h, width);
            most = simd.max_f32s(most, simd.abs_f32s(x));
            finite = simd.mul_add_e_f32s(x, zero, finite);
            store(simd, to.add(h), exp_vector(simd, simd.add_f32s(x, x)));
        }
        h += S::F32_LANES;
    }
    // Zero times infinity or NaN is NaN, and stays it.
    simd.reduce_max_f32s(most) + simd.reduce_sum_f32s(finite)
}

/// `Σ v / (1 + e^2q e^2k)` of one query and `G` keys, two vectors over a common denominator.
///
/// # Safety
/// Every pointer must be valid for reads of `vectors` vectors.
#[inline(always)]
pub(super) unsafe fn common<S: Simd, const G: usize>(
    simd: S,
    vectors: usize,
    v: *const f32,
    query: *const f32,
    keys: [*const f32; G],
) -> [f32; G] {
    let lanes = S::F32_LANES;
    let one = simd.splat_f32s(1.0);
    let mut sums = [simd.splat_f32s(0.0); G];
    let mut at = 0;
    let end = vectors * lanes;
    // SAFETY: as the caller promises.
    unsafe {
        while at + VECTORS * lanes <= end {
            let [v0, v1] = [load(simd, v.add(at)), load(simd, v.add(at + lanes))];
            let [q0, q1] = [load(simd, query.add(at)), load(simd, query.add(at + lanes))];
            for g in 0..G {
                let a = simd.mul_add_e_f32s(q0, load(simd, keys[g].add(at)), one);
                let b = simd.mul_add_e_f32s(q1, load(simd, keys[g].add(at + lanes)), one);
                let over = simd.mul_add_e_f32s(v0, b, simd.mul_f32s(v1, a));
                sums[g] = simd.add_f32s(sums[g], simd.div_f32s(over, simd.mul_f32s(a, b)));
            }
            at += VECTORS * lanes;
        }
        while at < end {
            let (v, query) = (load(simd, v.add(at)), load(simd, query.add(at)));
            for g in 0..G {
                let below = simd.mul_add_e_f32s(query, load(simd, keys[g].add(at)), one);
                sums[g] = simd.add_f32s(sums[g], simd.div_f32s(v, below));
            }
            at += lanes;
        }
    }
    let mut totals = [0.0; G];
    for g in 0..G {
        totals[g] = simd.reduce_sum_f32s(sums[g]);
    }
    totals
}

/// `Σ v / (1 + e^2q e^2k)` with a division a vector.
///
/// # Safety
/// Every pointer must be valid for reads of `vectors` vectors.
#[inline(always)]
pub(super) unsafe fn divided<S: Simd>(
    simd: S,
    vectors: usize,
    v: *const f32,
    query: *const f32,
    key: *const f32,
) -> f32 {
    let one = simd.splat_f32s(1.0);
    let mut sum = simd.splat_f32s(0.0);
    for index in 0..vectors {
        let at = index * S::F32_LANES;
        // SAFETY: as the caller promises.
        unsafe {
            let below = simd.mul_add_e_f32s(load(simd, query.add(at)), load(simd, key.add(at)), one);
            sum = simd.add_f32s(sum, simd.div_f32s(load(simd, v.add(at)), below));
        }
    }
    simd.reduce_sum_f32s(sum)
}

/// `Σ v w` from the query and the key themselves.
///
/// # Safety
/// `v` must be valid for reads of `width` values in whole vectors, the others of `width` values.
#[inline(always)]
pub(super) unsafe fn direct<S: Simd>(simd: S, width: usize, v: *const f32, query: *const f32, key: *const f32) -> f32 {
    let mut sum = simd.splat_f32s(0.0);
    let mut h = 0;
    while h < width {
        // SAFETY: as the caller promises.
        unsafe {
            let x = simd.add_f32s(load_part(simd, query, h, width), load_part(simd, key, h, width));
            sum = simd.mul_add_e_f32s(load(simd, v.add(h)), logistics(simd, x).0, sum);
        }
        h += S::F32_LANES;
    }
    simd.reduce_sum_f32s(sum)
}

/// `w = 1 / (1 + e^2x)` and `1 - w`, both with all their digits, for any `x`.
#[inline(always)]
pub(crate) fn logistics<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    let (zero, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
    // From e^-2|x|, which never overflows.
    let e = exp_vector(simd, simd.mul_f32s(simd.abs_f32s(x), simd.splat_f32s(-2.0)));
    let large = simd.div_f32s(one, simd.add_f32s(one, e));
    let small = simd.mul_f32s(e, large);
    let negative = simd.less_than_f32s(x, zero);
    (simd.select_f32s(negative, large, small), simd.select_f32s(negative, small, large))
}
