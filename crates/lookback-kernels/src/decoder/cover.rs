//! The additive score with coverage: `e_tj = v · tanh(q_t + k_j + w_c c_tj)` (See 2017, eq. 11).
//!
//! What a key adds changes with every step, so that no exponential stays; each pair is computed from its sum, as
//! `tanh(x) = 1 - 2 w` with `w = 1 / (1 + e^2x)`. On the way back a pair's `w` is computed once and gives its part of all
//! five gradients.

use super::attend::CoverageBack;
use crate::attention::{load_part, logistics, stride_of};
use crate::simd::{load, store};
use pulp::{Simd, WithSimd};

/// A query, the keys of its row, and what the steps before have looked at.
#[derive(Clone, Copy)]
pub(super) struct Covered {
    /// `A`.
    pub(super) width: usize,
    /// How many keys there are.
    pub(super) count: usize,
    /// `[stride]`, zeros behind `width`.
    pub(super) v: *const f32,
    /// `[stride]`: `w_c`, zeros behind `width`.
    pub(super) w: *const f32,
    /// `[count, A]`.
    pub(super) keys: *const f32,
    /// `[A]`.
    pub(super) query: *const f32,
    /// `[count]`: `c_t`.
    pub(super) coverage: *const f32,
}

impl Covered {
    /// `w` and `1 - w` of key `k` in the vector of columns that begins at `column`.
    ///
    /// # Safety
    /// Every pointer must be valid for its shape, `k` a key and `column` below the width.
    #[inline(always)]
    unsafe fn pair<S: Simd>(&self, simd: S, k: usize, column: usize, covered: S::f32s) -> (S::f32s, S::f32s) {
        // SAFETY: as the caller promises.
        unsafe {
            let key = self.keys.add(k * self.width);
            let own = simd
                .add_f32s(load_part(simd, self.query, column, self.width), load_part(simd, key, column, self.width));
            logistics(simd, simd.mul_add_e_f32s(load(simd, self.w.add(column)), covered, own))
        }
    }
}

/// Writes `to[k] = e_tk - Σ v`, which a softmax does not tell from the score; `[count]`.
pub(super) struct CoveredScores {
    pub(super) covered: Covered,
    pub(super) to: *mut f32,
}

impl WithSimd for CoveredScores {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let CoveredScores { covered, to } = self;
        for k in 0..covered.count {
            // SAFETY: whoever calls `Attention` promises every pointer.
            unsafe {
                let coverage = simd.splat_f32s(*covered.coverage.add(k));
                let mut sum = simd.splat_f32s(0.0);
                for column in (0..covered.width).step_by(S::F32_LANES) {
                    let (w, _) = covered.pair(simd, k, column, coverage);
                    sum = simd.mul_add_e_f32s(load(simd, covered.v.add(column)), w, sum);
                }
                *to.add(k) = -2.0 * simd.reduce_sum_f32s(sum);
            }
        }
    }
}

/// The way back: writes `dquery [stride]`, adds to `dkeys [count, stride]`, `dv [stride]` and what is behind
/// [`CoverageBack`]. The gradients of the query, the keys and `w_c` are those over `4 v`, the gradient of `v` is that over
/// `-2`.
pub(super) struct CoveredBack {
    pub(super) covered: Covered,
    pub(super) back: CoverageBack,
    /// `[count]`.
    pub(super) dscores: *const f32,
    pub(super) dquery: *mut f32,
    pub(super) dkeys: *mut f32,
    pub(super) dv: *mut f32,
}

impl WithSimd for CoveredBack {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let CoveredBack { covered, back, dscores, dquery, dkeys, dv } = self;
        let (lanes, stride) = (S::F32_LANES, stride_of(covered.width));
        // SAFETY: whoever calls `Attention` promises every pointer; all but the keys are padded to whole vectors.
        unsafe {
            dquery.write_bytes(0, stride);
            for k in 0..covered.count {
                let coverage = simd.splat_f32s(*covered.coverage.add(k));
                let (half, ds) = (simd.splat_f32s(-0.5 * *dscores.add(k)), simd.splat_f32s(*dscores.add(k)));
                let mut of_coverage = simd.splat_f32s(0.0);
                for column in (0..covered.width).step_by(lanes) {
                    let (w, rest) = covered.pair(simd, k, column, coverage);
                    let slope = simd.mul_f32s(simd.mul_f32s(w, rest), ds);
                    let add = |to: *mut f32, value: S::f32s| store(simd, to, simd.add_f32s(load(simd, to), value));
                    add(dquery.add(column), slope);
                    add(dkeys.add(k * stride + column), slope);
                    add(back.parameter.add(column), simd.mul_f32s(slope, coverage));
                    add(dv.add(column), simd.mul_add_e_f32s(ds, w, half));
                    let through = simd.mul_f32s(load(simd, covered.v.add(column)), load(simd, covered.w.add(column)));
                    of_coverage = simd.mul_add_e_f32s(through, slope, of_coverage);
                }
                *back.later.add(k) += 4.0 * simd.reduce_sum_f32s(of_coverage);
            }
        }
    }
}
