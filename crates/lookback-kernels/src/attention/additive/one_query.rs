//! The additive score of one query after another over keys that stay: a decoder's.
//!
//! The exponentials of the keys are made once a sequence. A pair is computed as in a tile of queries (`forward.rs`), in the
//! way that its own magnitude decides. On the way back a pair's `w` is computed once and gives its part of all three
//! gradients; two vectors of columns pass over all keys, so that the sums of the query's gradient and of `v`'s stay in
//! registers.

use super::forward::{EXACT, SHARED, common, direct, divided, exponentials, logistics};
use crate::attention::panels::{load_part, row_stride};
use crate::simd::{load, store};
use pulp::Simd;

/// Keys that pass beside each other against the query.
const GROUP: usize = 4;
/// Vectors of columns that pass over all keys on the way back, two over one division.
const COLUMNS: usize = 2;

/// The keys of one row, and `v`.
#[derive(Clone, Copy)]
pub(crate) struct StayingKeys {
    /// `A`.
    pub(crate) width: usize,
    /// How many keys there are.
    pub(crate) count: usize,
    /// `[padded]`, zeros behind `width`.
    pub(crate) v: *const f32,
    /// `[count, A]`.
    pub(crate) keys: *const f32,
    /// `[count, stride]`: `e^2k`.
    pub(crate) exponentials: *mut f32,
    /// `[count]`: `max|k|`, NaN where any is not finite.
    pub(crate) bounds: *mut f32,
}

/// A query, and what is made of it once.
#[derive(Clone, Copy)]
pub(crate) struct Query {
    /// `[A]`.
    query: *const f32,
    /// `[padded]`: `e^2q`.
    exponentials: *const f32,
    bound: f32,
}

/// How far apart the exponentials of keys of so many values stand; also enough for a query's, for `v` and for gradients.
pub(crate) fn stride_of(width: usize) -> usize {
    row_stride(width.next_multiple_of(COLUMNS * crate::simd::lanes()))
}

impl StayingKeys {
    fn key(&self, k: usize) -> *const f32 {
        self.keys.wrapping_add(k * self.width)
    }

    /// Makes the exponentials of the keys.
    ///
    /// # Safety
    /// Every pointer must be valid for its shape.
    #[inline(always)]
    pub(crate) unsafe fn prepare<S: Simd>(&self, simd: S) {
        let stride = stride_of(self.width);
        for k in 0..self.count {
            // SAFETY: as the caller promises.
            unsafe {
                let to = self.exponentials.add(k * stride);
                *self.bounds.add(k) = exponentials(simd, self.key(k), self.width, to);
                // The last vectors of a pair of them, and what no vector reaches.
                for at in (self.width.next_multiple_of(S::F32_LANES)..stride).step_by(S::F32_LANES) {
                    store(simd, to.add(at), simd.splat_f32s(1.0));
                }
            }
        }
    }

    /// Makes the exponentials of a query, `[A]`, into `to`, `[stride]`.
    ///
    /// # Safety
    /// Both must be valid for their shapes for as long as the query is used.
    #[inline(always)]
    pub(crate) unsafe fn query<S: Simd>(&self, simd: S, query: *const f32, to: *mut f32) -> Query {
        let written = self.width.next_multiple_of(S::F32_LANES);
        // SAFETY: as the caller promises.
        unsafe {
            for at in (written..self.width.next_multiple_of(COLUMNS * S::F32_LANES)).step_by(S::F32_LANES) {
                store(simd, to.add(at), simd.splat_f32s(1.0));
            }
            Query { query, exponentials: to, bound: exponentials(simd, query, self.width, to) }
        }
    }

    /// `to[k] = v · tanh(q + k) - Σ v`, which a softmax does not tell from the score.
    ///
    /// # Safety
    /// Every pointer must be valid for its shape; `to` has `count` values.
    #[inline(always)]
    pub(crate) unsafe fn scores<S: Simd>(&self, simd: S, query: Query, to: *mut f32) {
        let (stride, vectors) = (stride_of(self.width), self.width.div_ceil(S::F32_LANES));
        let mut k = 0;
        // SAFETY: as the caller promises.
        unsafe {
            while k < self.count {
                let shared = (k..(k + GROUP).min(self.count)).all(|k| query.bound + *self.bounds.add(k) <= SHARED);
                let key = self.exponentials.add(k * stride).cast_const();
                if shared && k + GROUP <= self.count {
                    let mut keys = [key; GROUP];
                    for (g, key) in keys.iter_mut().enumerate() {
                        *key = key.add(g * stride);
                    }
                    let scores = common(simd, vectors, self.v, query.exponentials, keys);
                    for (g, score) in scores.into_iter().enumerate() {
                        *to.add(k + g) = -2.0 * score;
                    }
                    k += GROUP;
                    continue;
                }
                let bound = query.bound + *self.bounds.add(k);
                let score = if bound <= SHARED {
                    common(simd, vectors, self.v, query.exponentials, [key])[0]
                } else if bound <= EXACT {
                    divided(simd, vectors, self.v, query.exponentials, key)
                } else {
                    direct(simd, self.width, self.v, query.query, self.key(k))
                };
                *to.add(k) = -2.0 * score;
                k += 1;
            }
        }
    }

    /// Writes `dquery [stride]`, and adds to `dkeys [count, stride]` and `dv [stride]` what `dscores [count]` gives. The
    /// gradients of the query and the keys are those over `4 v`, the gradient of `v` is that over `-2`.
    ///
    /// # Safety
    /// Every pointer must be valid for its shape.
    #[inline(always)]
    pub(crate) unsafe fn backward<S: Simd>(
        &self,
        simd: S,
        query: Query,
        dscores: *const f32,
        dquery: *mut f32,
        dkeys: *mut f32,
        dv: *mut f32,
    ) {
        let lanes = S::F32_LANES;
        // SAFETY: as the caller promises.
        let shared = unsafe { (0..self.count).all(|k| query.bound + *self.bounds.add(k) <= SHARED) };
        for column in (0..self.width).step_by(COLUMNS * lanes) {
            // SAFETY: as the caller promises.
            unsafe {
                if shared {
                    self.columns::<S, true>(simd, query, column, dscores, dquery, dkeys, dv);
                } else {
                    self.columns::<S, false>(simd, query, column, dscores, dquery, dkeys, dv);
                }
            }
        }
    }

    /// [`StayingKeys::backward`] for two vectors of columns. `SHARED_ALL`: whether all pairs may share a division.
    ///
    /// # Safety
    /// As [`StayingKeys::backward`].
    #[allow(clippy::too_many_arguments, reason = "the gradients of three things")]
    #[inline(always)]
    unsafe fn columns<S: Simd, const SHARED_ALL: bool>(
        &self,
        simd: S,
        query: Query,
        column: usize,
        dscores: *const f32,
        dquery: *mut f32,
        dkeys: *mut f32,
        dv: *mut f32,
    ) {
        let (lanes, stride) = (S::F32_LANES, stride_of(self.width));
        let zero = simd.splat_f32s(0.0);
        let (mut of_query, mut of_v) = ([zero; COLUMNS], [zero; COLUMNS]);
        // SAFETY: as the caller promises.
        unsafe {
            let at = query.exponentials.add(column);
            let own = [load(simd, at), load(simd, at.add(lanes))];
            for (v, of_v) in of_v.iter_mut().enumerate() {
                *of_v = load(simd, dv.add(column + v * lanes));
            }
            for k in 0..self.count {
                let (ds, key) = (*dscores.add(k), self.exponentials.add(k * stride + column).cast_const());
                let (w, rest) =
                    if SHARED_ALL { pair_shared(simd, own, key) } else { self.pair(simd, query, own, k, column) };
                let half = simd.splat_f32s(-0.5 * ds);
                let ds = simd.splat_f32s(ds);
                for v in 0..COLUMNS {
                    let slope = simd.mul_f32s(simd.mul_f32s(w[v], rest[v]), ds);
                    of_query[v] = simd.add_f32s(of_query[v], slope);
                    let to = dkeys.add(k * stride + column + v * lanes);
                    store(simd, to, simd.add_f32s(load(simd, to), slope));
                    of_v[v] = simd.add_f32s(of_v[v], simd.mul_add_e_f32s(ds, w[v], half));
                }
            }
            for v in 0..COLUMNS {
                store(simd, dquery.add(column + v * lanes), of_query[v]);
                store(simd, dv.add(column + v * lanes), of_v[v]);
            }
        }
    }

    /// `w` and `1 - w` of two vectors of columns, in the way that the pair's magnitude decides.
    ///
    /// # Safety
    /// As [`StayingKeys::backward`].
    #[inline(always)]
    unsafe fn pair<S: Simd>(
        &self,
        simd: S,
        query: Query,
        own: [S::f32s; COLUMNS],
        k: usize,
        column: usize,
    ) -> ([S::f32s; COLUMNS], [S::f32s; COLUMNS]) {
        let (lanes, one) = (S::F32_LANES, simd.splat_f32s(1.0));
        let (mut w, mut rest) = ([one; COLUMNS], [one; COLUMNS]);
        // SAFETY: as the caller promises.
        unsafe {
            let key = self.exponentials.add(k * stride_of(self.width) + column).cast_const();
            let bound = query.bound + *self.bounds.add(k);
            if bound <= SHARED {
                return pair_shared(simd, own, key);
            }
            for v in 0..COLUMNS {
                let first = column + v * lanes;
                if bound <= EXACT {
                    let e = simd.mul_f32s(own[v], load(simd, key.add(v * lanes)));
                    w[v] = simd.div_f32s(one, simd.add_f32s(one, e));
                    rest[v] = simd.mul_f32s(e, w[v]);
                } else if first < self.width {
                    let own = load_part(simd, query.query, first, self.width);
                    let key = load_part(simd, self.key(k), first, self.width);
                    (w[v], rest[v]) = logistics(simd, simd.add_f32s(own, key));
                }
            }
        }
        (w, rest)
    }
}

/// `w = 1 / (1 + e^2q e^2k)` and `1 - w` of two vectors, from one division (Montgomery 1987): `1/a = b / (a b)`.
///
/// # Safety
/// `key` must be valid for reads of two vectors.
#[inline(always)]
unsafe fn pair_shared<S: Simd>(
    simd: S,
    own: [S::f32s; COLUMNS],
    key: *const f32,
) -> ([S::f32s; COLUMNS], [S::f32s; COLUMNS]) {
    let one = simd.splat_f32s(1.0);
    // SAFETY: as the caller promises.
    let e =
        unsafe { [simd.mul_f32s(own[0], load(simd, key)), simd.mul_f32s(own[1], load(simd, key.add(S::F32_LANES)))] };
    let (a, b) = (simd.add_f32s(one, e[0]), simd.add_f32s(one, e[1]));
    let both = simd.div_f32s(one, simd.mul_f32s(a, b));
    let w = [simd.mul_f32s(both, b), simd.mul_f32s(both, a)];
    (w, [simd.mul_f32s(e[0], w[0]), simd.mul_f32s(e[1], w[1])])
}
