//! The gradients of the additive score, each pair recomputed: with `w = 1 / (1 + e^2q e^2k)`, `tanh = 1 - 2 w` and
//! `1 - tanh² = 4 w (1 - w)`, so that
//! `dq = 4 v ∘ Σ_k ds w (1 - w)`, `dk = 4 v ∘ Σ_q ds w (1 - w)` and `dv = -2 Σ (ds w - ds / 2)`.
//!
//! `1 - w` is computed as `e^2q e^2k w`: subtracting would lose all digits where tanh is near -1. The half is taken
//! off pair by pair: where tanh is near 0 it would leave few digits of the whole sum.
//!
//! Variants tried, one thread of a Zen 3 at 3.2 GHz, CPU time of a whole backward pass at (B 32, Q 40, K 50, H 256),
//! by `cargo run --release -p lookback-kernels --example time_attention`:
//! - each pair's `w` used at once, four reciprocals from one division: 8.8 ms;
//! - first the `w` of every query against one key, then the sums, which frees registers: 8.6 ms;
//! - the same with a division a vector: 8.1 to 8.6 ms; with two reciprocals from one division: 7.75 ms, kept.

use super::Additive;
use super::forward::{EXACT, SHARED, logistics};
use crate::attention::backward::ScoreGradient;
use crate::attention::forward::Scoring;
use crate::attention::panels::{Rows, load_part, panel_width, row_stride};
use crate::attention::plan::{KEYS, QUERIES, Tile};
use crate::attention::{Dims, Score};
use crate::simd::{load, store};
use pulp::Simd;

/// Vectors of columns that pass beside each other.
const COLUMNS: usize = 4;

/// The additive score of one head, with its gradients.
pub(in crate::attention) struct AdditiveGradient {
    score: Additive,
    v: *const f32,
    width: usize,
}

impl Scoring for AdditiveGradient {
    fn scratch_len<S: Simd>(dims: &Dims, block: usize) -> usize {
        Additive::scratch_len::<S>(dims, block)
    }

    #[inline(always)]
    unsafe fn new<S: Simd>(
        simd: S,
        score: Score<'_>,
        dims: &Dims,
        head: usize,
        block: usize,
        scratch: *mut f32,
    ) -> Self {
        // SAFETY: as the caller promises.
        let score = unsafe { Additive::new(simd, score, dims, head, block, scratch) };
        AdditiveGradient { score, v: scratch, width: dims.width }
    }

    #[inline(always)]
    fn scale(&self) -> f32 {
        self.score.scale()
    }

    #[inline(always)]
    unsafe fn set_keys<S: Simd>(&mut self, simd: S, keys: Rows) {
        // SAFETY: as the caller promises.
        unsafe { self.score.set_keys(simd, keys) }
    }

    #[inline(always)]
    unsafe fn set_queries<S: Simd>(&mut self, simd: S, queries: Rows) {
        // SAFETY: as the caller promises.
        unsafe { self.score.set_queries(simd, queries) }
    }

    #[inline(always)]
    unsafe fn score<S: Simd>(&mut self, simd: S, tile: &Tile<'_>, to: *mut f32) {
        // SAFETY: as the caller promises.
        unsafe { self.score.score(simd, tile, to) }
    }
}

/// The queries of a tile that read one key, a bit each, by how the pair is computed.
type Readers = [u16; 3];

impl ScoreGradient for AdditiveGradient {
    #[inline(always)]
    fn factors(&self, to: &mut [f32]) {
        for (h, to) in to.iter_mut().enumerate() {
            // SAFETY: `v` has `width` values, and `to` as many.
            *to = 4.0 * unsafe { *self.v.add(h) };
        }
    }

    #[inline(always)]
    unsafe fn accumulate<S: Simd>(
        &mut self,
        simd: S,
        tile: &Tile<'_>,
        dscores: *const f32,
        dquery: *mut f32,
        dkeys: *mut f32,
        dv: *mut f32,
    ) {
        let lanes = S::F32_LANES;
        let mut readers = [[0u16; 3]; KEYS];
        for r in 0..tile.rows {
            let (start, end) = tile.keys[r];
            for (k, readers) in readers.iter_mut().enumerate().take(end).skip(start) {
                if !tile.reads(r, k) {
                    continue;
                }
                // SAFETY: `k` is a key of the block, `r` a query of the tile.
                unsafe {
                    let bound = self.score.query_bounds[r] + *self.score.key_bounds.add(k);
                    let tier = if bound <= SHARED {
                        0
                    } else if bound <= EXACT {
                        1
                    } else {
                        2
                    };
                    readers[tier] |= 1 << r;
                }
            }
        }
        let stride = row_stride(self.width.next_multiple_of(panel_width::<S>()));
        let mut rows = [(std::ptr::null(), std::ptr::null(), std::ptr::null_mut()); QUERIES];
        for (r, row) in rows.iter_mut().enumerate().take(tile.rows) {
            let query = self.score.exp_queries.wrapping_add(r * self.score.stride);
            *row = (dscores.wrapping_add(r * tile.stride), query.cast_const(), dquery.wrapping_add(r * stride));
        }
        let pass = Pass { gradient: self, tile, rows, dkeys, dv, readers: &readers };
        let mut h = 0;
        // SAFETY: as the caller promises, and `h` stays within the width in whole vectors.
        unsafe {
            while h + COLUMNS * lanes <= self.score.padded {
                pass.columns::<S, COLUMNS>(simd, h);
                h += COLUMNS * lanes;
            }
            while h < self.score.padded {
                pass.columns::<S, 1>(simd, h);
                h += lanes;
            }
        }
    }
}

/// The arguments of one [`ScoreGradient::accumulate`].
struct Pass<'a> {
    gradient: &'a AdditiveGradient,
    tile: &'a Tile<'a>,
    /// Of each query: the gradients of its scores, `e^2q`, and where its own gradient is summed.
    rows: [(*const f32, *const f32, *mut f32); QUERIES],
    dkeys: *mut f32,
    dv: *mut f32,
    readers: &'a [Readers; KEYS],
}

impl Pass<'_> {
    /// Every pair of the tile, in `V` vectors of columns from `h` on.
    ///
    /// # Safety
    /// As [`ScoreGradient::accumulate`], with `h` and its vectors within the padded width.
    #[inline(always)]
    unsafe fn columns<S: Simd, const V: usize>(&self, simd: S, h: usize) {
        let lanes = S::F32_LANES;
        let stride = row_stride(self.gradient.width.next_multiple_of(panel_width::<S>()));
        let zeros = [simd.splat_f32s(0.0); V];
        let half = simd.splat_f32s(0.5);
        let mut pairs = [[zeros; 2]; QUERIES];
        let mut of_v = zeros;
        for k in self.tile.start..self.tile.end {
            let [shared, divided, direct] = self.readers[k];
            let mut readers = shared | divided | direct;
            if readers == 0 {
                continue;
            }
            // SAFETY: as the caller promises; readers are queries of the tile.
            unsafe {
                self.logistics::<S, V, 0>(simd, h, k, shared, &mut pairs);
                if divided | direct != 0 {
                    self.logistics::<S, V, 1>(simd, h, k, divided, &mut pairs);
                    self.logistics::<S, V, 2>(simd, h, k, direct, &mut pairs);
                }
                let mut of_key = zeros;
                while readers != 0 {
                    let r = readers.trailing_zeros() as usize;
                    readers &= readers - 1;
                    let (dscores, _, dquery) = *self.rows.get_unchecked(r);
                    let [w, rest] = pairs.get_unchecked(r);
                    let dscore = simd.splat_f32s(*dscores.add(k));
                    for i in 0..V {
                        let slope = simd.mul_f32s(simd.mul_f32s(dscore, w[i]), rest[i]);
                        of_v[i] = simd.mul_add_e_f32s(dscore, simd.sub_f32s(w[i], half), of_v[i]);
                        of_key[i] = simd.add_f32s(of_key[i], slope);
                        let to = dquery.add(h + i * lanes);
                        store(simd, to, simd.add_f32s(load(simd, to), slope));
                    }
                }
                for (i, of_key) in of_key.into_iter().enumerate() {
                    let to = self.dkeys.add(k * stride + h + i * lanes);
                    store(simd, to, simd.add_f32s(load(simd, to), of_key));
                }
            }
        }
        for (i, of_v) in of_v.into_iter().enumerate() {
            // SAFETY: as the caller promises.
            unsafe {
                let to = self.dv.add(h + i * lanes);
                store(simd, to, simd.mul_add_e_f32s(of_v, simd.splat_f32s(-2.0), load(simd, to)));
            }
        }
    }

    /// `w` and `1 - w` of key `k` and each query of `readers`, computed in way `TIER`.
    ///
    /// # Safety
    /// As [`Pass::columns`].
    #[inline(always)]
    unsafe fn logistics<S: Simd, const V: usize, const TIER: usize>(
        &self,
        simd: S,
        h: usize,
        k: usize,
        mut readers: u16,
        pairs: &mut [[[S::f32s; V]; 2]; QUERIES],
    ) {
        let lanes = S::F32_LANES;
        let score = &self.gradient.score;
        let key = score.exp_keys.wrapping_add(k * score.stride + h).cast_const();
        while readers != 0 {
            let r = readers.trailing_zeros() as usize;
            readers &= readers - 1;
            // SAFETY: as the caller promises; readers are queries of the tile.
            unsafe {
                let [w, rest] = pairs.get_unchecked_mut(r);
                if TIER == 2 {
                    let (query, key) = (score.queries.row(r), score.keys.row(k));
                    for i in 0..V {
                        let at = h + i * lanes;
                        let query = load_part(simd, query, at, self.gradient.width);
                        let key = load_part(simd, key, at, self.gradient.width);
                        (w[i], rest[i]) = logistics(simd, simd.add_f32s(query, key));
                    }
                    continue;
                }
                let query = self.rows.get_unchecked(r).1.add(h);
                let mut e = [simd.splat_f32s(0.0); V];
                for (i, e) in e.iter_mut().enumerate() {
                    *e = simd.mul_f32s(load(simd, query.add(i * lanes)), load(simd, key.add(i * lanes)));
                }
                *w = if TIER == 0 { shared_reciprocals(simd, e) } else { reciprocals(simd, e) };
                for i in 0..V {
                    rest[i] = simd.mul_f32s(e[i], w[i]);
                }
            }
        }
    }
}

/// `1 / (1 + e)` of every vector.
#[inline(always)]
fn reciprocals<S: Simd, const V: usize>(simd: S, e: [S::f32s; V]) -> [S::f32s; V] {
    let one = simd.splat_f32s(1.0);
    let mut w = e;
    for i in 0..V {
        w[i] = simd.div_f32s(one, simd.add_f32s(one, e[i]));
    }
    w
}

/// `1 / (1 + e)` of every vector, two from one division (Montgomery 1987): `1/a = b / (a b)`.
#[inline(always)]
fn shared_reciprocals<S: Simd, const V: usize>(simd: S, e: [S::f32s; V]) -> [S::f32s; V] {
    if !V.is_multiple_of(2) {
        return reciprocals(simd, e);
    }
    let one = simd.splat_f32s(1.0);
    let mut w = e;
    for i in (0..V).step_by(2) {
        let (a, b) = (simd.add_f32s(one, e[i]), simd.add_f32s(one, e[i + 1]));
        let both = simd.div_f32s(one, simd.mul_f32s(a, b));
        w[i] = simd.mul_f32s(both, b);
        w[i + 1] = simd.mul_f32s(both, a);
    }
    w
}
