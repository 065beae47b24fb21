//! Attention of one query over the keys and values of its row, forward and back.
//!
//! A row's keys and values are its own, so that nothing is shared between the rows of a step: each product is one vector
//! with a matrix that is read once. Sums run over the columns or the keys in one order, whatever stands beside the row.

use super::cover::{Covered, CoveredBack, CoveredScores};
use super::packed::apart;
use super::plan::Plan;
use crate::attention::{Score, StayingKeys, load_part, stride_of};
use crate::simd::math::exp_to_zero_vector;
use crate::simd::{Aligned, load, store};
use pulp::{Simd, WithSimd};

/// Rows of a matrix that pass beside each other.
const GROUP: usize = 4;
/// Vectors of columns whose sums stay in registers.
const COLUMNS: usize = 8;

/// The score, laid out once a call.
pub(super) struct Attention<'a> {
    score: Score<'a>,
    width: usize,
    memory: usize,
    /// `[stride]`: `v`, zeros behind it.
    v: Aligned,
    /// `[stride]`: `w_c`, zeros behind it, with coverage.
    coverage: Option<Aligned>,
}

/// Keys and values of one row.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    /// How many there are.
    pub(super) count: usize,
    /// `[count, A]`.
    pub(super) keys: *const f32,
    /// `[count, M]`.
    pub(super) values: *const f32,
    /// `[count, stride]` and `[count]`, for the additive score.
    pub(super) exponentials: *mut f32,
    pub(super) bounds: *mut f32,
}

/// Scratch of one task.
pub(super) struct Scratch {
    /// `[K]` in whole vectors, twice: scores, then gradients of weights and of scores.
    pub(super) scores: *mut f32,
    /// `[stride]`: the exponentials of the query.
    pub(super) query: *mut f32,
}

/// What the gradients of one step are made of beside its query and weights.
pub(super) struct Upstream {
    /// `[M]`: of the context.
    pub(super) context: *const f32,
    /// `[K]`: of the weights, where somebody has read them.
    pub(super) weights: Option<*const f32>,
    pub(super) coverage: Option<CoverageBack>,
}

/// Coverage on the way back.
#[derive(Clone, Copy)]
pub(super) struct CoverageBack {
    /// `[K]`: `c_t`.
    pub(super) at: *const f32,
    /// `[K]`: what all later steps give to the weights of those before them.
    pub(super) later: *mut f32,
    /// `[stride]`: the gradient of `w_c` is added to it, over `4 v`.
    pub(super) parameter: *mut f32,
}

impl<'a> Attention<'a> {
    pub(super) fn new(plan: &Plan, score: Score<'a>, coverage: Option<&[f32]>) -> Self {
        let (width, memory) = (plan.dims.width, plan.dims.memory);
        let padded = |values: &[f32]| {
            let mut padded = Aligned::zeroed(stride_of(width));
            padded.as_mut_slice()[..values.len()].copy_from_slice(values);
            padded
        };
        let v = if let Score::Additive { v } = score { v } else { &[] };
        Attention { score, width, memory, v: padded(v), coverage: coverage.map(padded) }
    }

    /// Whether scores read what the steps before looked at.
    pub(super) fn covers(&self) -> bool {
        self.coverage.is_some()
    }

    fn covered(&self, row: &Memory, query: *const f32, coverage: *const f32) -> Covered {
        let Memory { count, keys, .. } = *row;
        let (v, w) = (self.v.as_slice().as_ptr(), self.coverage.as_ref().map_or(&[][..], Aligned::as_slice).as_ptr());
        Covered { width: self.width, count, v, w, keys, query, coverage }
    }

    fn staying(&self, row: &Memory) -> StayingKeys {
        let Memory { count, keys, exponentials, bounds, .. } = *row;
        StayingKeys { width: self.width, count, v: self.v.as_slice().as_ptr(), keys, exponentials, bounds }
    }

    /// Makes once what all queries of a row share.
    ///
    /// # Safety
    /// Every pointer of the row must be valid for its shape.
    #[inline(always)]
    pub(super) unsafe fn prepare<S: Simd>(&self, simd: S, row: &Memory) {
        if matches!(self.score, Score::Additive { .. }) && !self.covers() {
            apart(simd, Prepare(self.staying(row)));
        }
    }

    /// Writes the weights, `[K]`, zeros behind the row's keys, and the context, `[M]`. query: `[A]`, and what the steps before
    /// looked at, `[K]`, with coverage.
    ///
    /// # Safety
    /// Every pointer must be valid for its shape, and the row prepared.
    #[inline(always)]
    pub(super) unsafe fn forward<S: Simd>(
        &self,
        simd: S,
        row: &Memory,
        (query, coverage): (*const f32, Option<*const f32>),
        scratch: &Scratch,
        (weights, all): (*mut f32, usize),
        context: *mut f32,
    ) {
        let count = row.count;
        // SAFETY: as the caller promises.
        unsafe {
            weights.add(count).write_bytes(0, all - count);
            if count == 0 {
                return context.write_bytes(0, self.memory);
            }
            let scale = match (self.score, coverage) {
                (Score::Product { scale }, _) => {
                    dots(simd, query, row.keys, self.width, count, scratch.scores);
                    scale
                }
                (Score::Additive { .. }, Some(coverage)) => {
                    apart(simd, CoveredScores { covered: self.covered(row, query, coverage), to: scratch.scores });
                    1.0
                }
                (Score::Additive { .. }, None) => {
                    let (keys, scratch) = (self.staying(row), (scratch.query, scratch.scores));
                    apart(simd, Scores { keys, query, scratch });
                    1.0
                }
            };
            softmax(simd, scratch.scores, count, scale);
            weights.copy_from_nonoverlapping(scratch.scores, count);
            mix(simd, weights, row.values, self.memory, count, context);
        }
    }

    /// From the gradients of context and weights that of the query, `[stride]`; leaves that of the scores in
    /// `scratch.scores`, and for the additive score adds to `dkeys` and `dv`, which [`Attention::keys`] finishes.
    ///
    /// # Safety
    /// As [`Attention::forward`].
    #[allow(clippy::too_many_arguments, reason = "the gradients of several things")]
    #[inline(always)]
    pub(super) unsafe fn backward<S: Simd>(
        &self,
        simd: S,
        row: &Memory,
        query: *const f32,
        weights: *const f32,
        upstream: &Upstream,
        scratch: &Scratch,
        dquery: *mut f32,
        (dkeys, dv): (*mut f32, *mut f32),
    ) {
        let (count, stride) = (row.count, stride_of(self.width));
        // SAFETY: as the caller promises.
        unsafe {
            if count == 0 {
                return dquery.write_bytes(0, stride);
            }
            dots(simd, upstream.context, row.values, self.memory, count, scratch.scores);
            let later = upstream.coverage.map(|coverage| coverage.later.cast_const());
            for dweights in upstream.weights.into_iter().chain(later) {
                for k in 0..count {
                    *scratch.scores.add(k) += *dweights.add(k);
                }
            }
            let scale = if let Score::Product { scale } = self.score { scale } else { 1.0 };
            score_gradients(weights, scratch.scores, count, scale);
            match (self.score, upstream.coverage) {
                (Score::Product { .. }, _) => mix(simd, scratch.scores, row.keys, self.width, count, dquery),
                (Score::Additive { .. }, Some(back)) => {
                    let (covered, dscores) = (self.covered(row, query, back.at), scratch.scores.cast_const());
                    apart(simd, CoveredBack { covered, back, dscores, dquery, dkeys, dv });
                    times_4v(simd, self.v.as_slice().as_ptr(), dquery, self.width);
                }
                (Score::Additive { .. }, None) => {
                    let (keys, scratch) = (self.staying(row), (scratch.query, scratch.scores));
                    apart(simd, ScoresBack { keys, query, scratch, dquery, dkeys, dv });
                    times_4v(simd, self.v.as_slice().as_ptr(), dquery, self.width);
                }
            }
        }
    }

    /// Writes the gradients of a row's keys, `[count, A]`, from what [`Attention::backward`] has added up.
    ///
    /// # Safety
    /// As [`Attention::forward`].
    #[inline(always)]
    pub(super) unsafe fn keys<S: Simd>(&self, simd: S, count: usize, dkeys: *mut f32, to: *mut f32) {
        let stride = stride_of(self.width);
        for k in 0..count {
            // SAFETY: as the caller promises.
            unsafe {
                let from = dkeys.add(k * stride);
                times_4v(simd, self.v.as_slice().as_ptr(), from, self.width);
                to.add(k * self.width).copy_from_nonoverlapping(from, self.width);
            }
        }
    }
}

/// [`StayingKeys::prepare`], compiled by itself, as are the others here.
struct Prepare(StayingKeys);

impl WithSimd for Prepare {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // SAFETY: whoever calls `Attention` promises every pointer.
        unsafe { self.0.prepare(simd) }
    }
}

struct Scores {
    keys: StayingKeys,
    query: *const f32,
    /// Of the query and of the scores.
    scratch: (*mut f32, *mut f32),
}

impl WithSimd for Scores {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Scores { keys, query, scratch: (of_query, scores) } = self;
        // SAFETY: as above.
        unsafe {
            let query = keys.query(simd, query, of_query);
            keys.scores(simd, query, scores);
        }
    }
}

struct ScoresBack {
    keys: StayingKeys,
    query: *const f32,
    /// Of the query and of the gradients of the scores.
    scratch: (*mut f32, *mut f32),
    dquery: *mut f32,
    dkeys: *mut f32,
    dv: *mut f32,
}

impl WithSimd for ScoresBack {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let ScoresBack { keys, query, scratch: (of_query, dscores), dquery, dkeys, dv } = self;
        // SAFETY: as above.
        unsafe {
            let query = keys.query(simd, query, of_query);
            keys.backward(simd, query, dscores, dquery, dkeys, dv);
        }
    }
}

/// Dot products of one vector with the rows of a matrix.
struct Dots {
    q: *const f32,
    rows: *const f32,
    width: usize,
    count: usize,
    to: *mut f32,
}

impl WithSimd for Dots {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Dots { q, rows, width, count, to } = self;
        let mut k = 0;
        // SAFETY: the caller of `dots` promises every range.
        unsafe {
            while k + GROUP <= count {
                dot_rows::<S, GROUP>(simd, q, rows.add(k * width), width, to.add(k));
                k += GROUP;
            }
            while k < count {
                dot_rows::<S, 1>(simd, q, rows.add(k * width), width, to.add(k));
                k += 1;
            }
        }
    }
}

/// The sum of the rows of a matrix, each with its weight.
struct Mix {
    weights: *const f32,
    rows: *const f32,
    width: usize,
    count: usize,
    to: *mut f32,
}

impl WithSimd for Mix {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Mix { weights, rows, width, count, to } = self;
        let lanes = S::F32_LANES;
        let mut at = 0;
        // SAFETY: the caller of `mix` promises every range.
        unsafe {
            while at + COLUMNS * lanes <= width {
                mix_columns::<S, COLUMNS>(simd, weights, rows.add(at), width, count, to.add(at));
                at += COLUMNS * lanes;
            }
            while at + 2 * lanes <= width {
                mix_columns::<S, 2>(simd, weights, rows.add(at), width, count, to.add(at));
                at += 2 * lanes;
            }
            while at < width {
                let mut sum = simd.splat_f32s(0.0);
                for k in 0..count {
                    let row = load_part(simd, rows.add(k * width), at, width);
                    sum = simd.mul_add_e_f32s(simd.splat_f32s(*weights.add(k)), row, sum);
                }
                let real = lanes.min(width - at);
                simd.partial_store_f32s(std::slice::from_raw_parts_mut(to.add(at), real), sum);
                at += lanes;
            }
        }
    }
}

/// `to *= 4 v`, over whole vectors, as both have them.
///
/// # Safety
/// Both must be valid for `width` values in whole vectors.
#[inline(always)]
unsafe fn times_4v<S: Simd>(simd: S, v: *const f32, to: *mut f32, width: usize) {
    let four = simd.splat_f32s(4.0);
    for at in (0..width).step_by(S::F32_LANES) {
        // SAFETY: as the caller promises.
        unsafe {
            let factor = simd.mul_f32s(four, load(simd, v.add(at)));
            store(simd, to.add(at), simd.mul_f32s(factor, load(simd, to.add(at))));
        }
    }
}

/// `to[k] = q · rows[k]`.
///
/// # Safety
/// Every pointer must be valid for its shape: `q [width]`, `rows [count, width]`, `to [count]`.
#[inline(always)]
unsafe fn dots<S: Simd>(simd: S, q: *const f32, rows: *const f32, width: usize, count: usize, to: *mut f32) {
    apart(simd, Dots { q, rows, width, count, to });
}

/// `R` rows of [`dots`]. The sums of a row are the same whatever `R` is.
///
/// # Safety
/// As [`dots`].
#[inline(always)]
unsafe fn dot_rows<S: Simd, const R: usize>(simd: S, q: *const f32, rows: *const f32, width: usize, to: *mut f32) {
    let lanes = S::F32_LANES;
    let mut sums = [[simd.splat_f32s(0.0); 2]; R];
    let mut at = 0;
    // SAFETY: as the caller promises.
    unsafe {
        while at + 2 * lanes <= width {
            let own = [load(simd, q.add(at)), load(simd, q.add(at + lanes))];
            for (r, sums) in sums.iter_mut().enumerate() {
                let row = rows.add(r * width + at);
                sums[0] = simd.mul_add_e_f32s(own[0], load(simd, row), sums[0]);
                sums[1] = simd.mul_add_e_f32s(own[1], load(simd, row.add(lanes)), sums[1]);
            }
            at += 2 * lanes;
        }
        while at < width {
            let own = load_part(simd, q, at, width);
            for (r, sums) in sums.iter_mut().enumerate() {
                let row = load_part(simd, rows.add(r * width), at, width);
                sums[0] = simd.mul_add_e_f32s(own, row, sums[0]);
            }
            at += lanes;
        }
        for (r, sums) in sums.into_iter().enumerate() {
            *to.add(r) = simd.reduce_sum_f32s(simd.add_f32s(sums[0], sums[1]));
        }
    }
}

/// `to = Σ_k weights[k] rows[k]`.
///
/// # Safety
/// Every pointer must be valid for its shape: `weights [count]`, `rows [count, width]`, `to [width]`.
#[inline(always)]
unsafe fn mix<S: Simd>(simd: S, weights: *const f32, rows: *const f32, width: usize, count: usize, to: *mut f32) {
    apart(simd, Mix { weights, rows, width, count, to });
}

/// `V` vectors of columns of [`mix`].
///
/// # Safety
/// As [`mix`].
#[inline(always)]
unsafe fn mix_columns<S: Simd, const V: usize>(
    simd: S,
    weights: *const f32,
    rows: *const f32,
    width: usize,
    count: usize,
    to: *mut f32,
) {
    let mut sums = [simd.splat_f32s(0.0); V];
    // SAFETY: as the caller promises.
    unsafe {
        for k in 0..count {
            let (weight, row) = (simd.splat_f32s(*weights.add(k)), rows.add(k * width));
            for (v, sum) in sums.iter_mut().enumerate() {
                *sum = simd.mul_add_e_f32s(weight, load(simd, row.add(v * S::F32_LANES)), *sum);
            }
        }
        for (v, sum) in sums.into_iter().enumerate() {
            store(simd, to.add(v * S::F32_LANES), sum);
        }
    }
}

/// Turns `count` scores, at least one, into weights.
///
/// # Safety
/// `scores` must be valid for `count` values in whole vectors.
#[inline(always)]
unsafe fn softmax<S: Simd>(simd: S, scores: *mut f32, count: usize, scale: f32) {
    let lanes = S::F32_LANES;
    let padded = count.next_multiple_of(lanes);
    // SAFETY: as the caller promises.
    unsafe {
        for k in count..padded {
            *scores.add(k) = f32::NEG_INFINITY;
        }
        let scale = simd.splat_f32s(scale);
        let mut most = simd.splat_f32s(f32::NEG_INFINITY);
        for at in (0..padded).step_by(lanes) {
            let mut score = load(simd, scores.add(at));
            if at + lanes <= count {
                score = simd.mul_f32s(score, scale);
            } else {
                // The scale of -inf may be 0.
                let real = simd
                    .mul_f32s(simd.partial_load_f32s(std::slice::from_raw_parts(scores.add(at), count - at)), scale);
                let padding = simd.equal_f32s(score, simd.splat_f32s(f32::NEG_INFINITY));
                score = simd.select_f32s(padding, score, real);
            }
            store(simd, scores.add(at), score);
            most = simd.max_f32s(most, score);
        }
        let most = simd.splat_f32s(simd.reduce_max_f32s(most));
        let mut sum = simd.splat_f32s(0.0);
        for at in (0..padded).step_by(lanes) {
            let power = exp_to_zero_vector(simd, simd.sub_f32s(load(simd, scores.add(at)), most));
            store(simd, scores.add(at), power);
            sum = simd.add_f32s(sum, power);
        }
        let inverse = simd.splat_f32s(1.0 / simd.reduce_sum_f32s(sum));
        for at in (0..padded).step_by(lanes) {
            store(simd, scores.add(at), simd.mul_f32s(load(simd, scores.add(at)), inverse));
        }
    }
}

/// Turns gradients of weights into those of scores, times `scale`. They are counted from that of the greatest weight, so
/// that they keep their digits where a query is sure of a key.
///
/// # Safety
/// Both must be valid for `count` values.
#[inline(always)]
unsafe fn score_gradients(weights: *const f32, gradients: *mut f32, count: usize, scale: f32) {
    // SAFETY: as the caller promises.
    let (weights, gradients) =
        unsafe { (std::slice::from_raw_parts(weights, count), std::slice::from_raw_parts_mut(gradients, count)) };
    let (mut greatest, mut from) = (f32::NEG_INFINITY, 0.0);
    for (&weight, &gradient) in weights.iter().zip(&*gradients) {
        if weight > greatest {
            (greatest, from) = (weight, gradient);
        }
    }
    let mut mean = 0.0;
    for (&weight, gradient) in weights.iter().zip(&mut *gradients) {
        *gradient -= from;
        mean += weight * *gradient;
    }
    for (&weight, gradient) in weights.iter().zip(gradients) {
        *gradient = scale * weight * (*gradient - mean);
    }
}
