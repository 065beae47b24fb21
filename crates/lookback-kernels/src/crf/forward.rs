//! The forward algorithm: `α_t(j) = e_t(j) + log Σ_i e^(α_(t-1)(i) + A(i, j))`.
//!
//! The sum is a product: with `w(i) = e^(α(i) - max α)` and `R(i, j) = e^(A(i, j) - max_i A(i, j))`, of which the second is
//! the same in every step, it is `max α + max_i A(i, j) + log Σ_i w(i) R(i, j)`. So a step takes one exponential and one
//! logarithm a tag, and `N²` multiply-adds. Where such a sum has lost what is small (`Packed::least`), it is computed again
//! in logarithms. `max α` goes to a sum in f64, so that what is kept stays small, and with it its rounding, however long
//! the row.
//!
//! Kept of each step, for the backward pass: `logs`, `α - max α`; `weights`, their exponentials; and at the step before,
//! `sums`, `Σ_i w(i) R(i, j)` where it is above 0, the logarithm of it where that was computed, which is below 0.

use super::packed::Packed;
use super::product::{ROWS, Sum, product};
use super::rows::{Row, going_on};
use crate::simd::{load, math, store};
use crate::written::Slot;
use pulp::{Simd, WithSimd};

/// What the forward pass reads and writes of a row.
pub(super) struct Pass<'a> {
    /// `[L, N]`.
    pub(super) emissions: &'a [f32],
    /// `[L, width]`; every value is written.
    pub(super) logs: &'a mut [Slot],
    /// `[L, width]`; every value is written.
    pub(super) weights: &'a mut [Slot],
    /// `[L, width]`; every value is written, those of the last step with 0.
    pub(super) sums: &'a mut [Slot],
    /// What has been taken from `α` so far, and in the end `log Z`.
    pub(super) log_partition: f64,
}

pub(super) struct Forward<'a, 'b> {
    pub(super) packed: &'a Packed,
    /// By length, the longest first.
    pub(super) rows: &'a mut [Row<Pass<'b>>],
}

impl WithSimd for Forward<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Forward { packed, rows } = self;
        let (tags, width) = (packed.tags, packed.width);
        for row in rows.iter_mut() {
            first(simd, packed, &mut row.work);
        }
        let steps = rows.first().map_or(0, |row| row.length);
        for step in 1..steps {
            let active = going_on(rows, step);
            let (mut from, mut to) = ([std::ptr::null(); ROWS], [std::ptr::null_mut(); ROWS]);
            for (r, row) in rows[..active].iter_mut().enumerate() {
                from[r] = row.work.weights[(step - 1) * width..].as_ptr().cast();
                to[r] = row.work.sums[(step - 1) * width..][..width].as_mut_ptr().cast();
            }
            // SAFETY: the weights of the step before have been written, and there are sums of a step.
            unsafe { product::<Sum, S>(simd, packed.ratios.as_slice().as_ptr(), [tags, width], active, from, to) };
            for row in &mut rows[..active] {
                following(simd, packed, &mut row.work, step);
            }
        }
        for row in rows {
            last(simd, packed, &mut row.work, row.length - 1);
        }
    }
}

/// `α_0 = start + e_0`.
#[inline(always)]
fn first<S: Simd>(simd: S, packed: &Packed, row: &mut Pass<'_>) {
    let mut most = simd.splat_f32s(f32::NEG_INFINITY);
    for at in (0..packed.width).step_by(S::F32_LANES) {
        let alpha =
            simd.add_f32s(emission(simd, &row.emissions[..packed.tags], at), of(simd, packed.start.as_slice(), at));
        put(simd, row.logs, at, alpha);
        most = simd.max_f32s(most, alpha);
    }
    weigh(simd, packed.width, row, 0, simd.reduce_max_f32s(most));
}

/// `α_t` from the sums, which have been computed.
#[inline(always)]
fn following<S: Simd>(simd: S, packed: &Packed, row: &mut Pass<'_>, step: usize) {
    let (tags, width) = (packed.tags, packed.width);
    let emissions = &row.emissions[step * tags..][..tags];
    let mut most = simd.splat_f32s(f32::NEG_INFINITY);
    let mut enough = simd.splat_f32s(0.0);
    for at in (0..width).step_by(S::F32_LANES) {
        // SAFETY: the sums of this step have just been written.
        let sum = unsafe { written(simd, row.sums, (step - 1) * width + at) };
        enough = simd.min_f32s(enough, simd.sub_f32s(sum, of(simd, packed.least.as_slice(), at)));
        let into = simd.add_f32s(emission(simd, emissions, at), of(simd, packed.largest.as_slice(), at));
        let alpha = simd.add_f32s(into, math::ln_vector(simd, sum));
        put(simd, row.logs, step * width + at, alpha);
        most = simd.max_f32s(most, alpha);
    }
    let mut most = simd.reduce_max_f32s(most);
    if simd.reduce_min_f32s(enough) < 0.0 {
        most = simd.vectorize(Again { packed, row: &mut *row, step });
    }
    weigh(simd, width, row, step, most);
}

/// Takes the largest of `α` from it, and weighs what is left.
#[inline(always)]
fn weigh<S: Simd>(simd: S, width: usize, row: &mut Pass<'_>, step: usize, most: f32) {
    row.log_partition += f64::from(most);
    let most = simd.splat_f32s(most);
    for at in (step * width..(step + 1) * width).step_by(S::F32_LANES) {
        // SAFETY: the step's `α` has just been written.
        let log = simd.sub_f32s(unsafe { written(simd, row.logs, at) }, most);
        put(simd, row.logs, at, log);
        put(simd, row.weights, at, math::exp_to_zero_vector(simd, log));
    }
}

/// The sums of a step that are too small, in logarithms. Gives the largest `α`.
struct Again<'a, 'b> {
    packed: &'a Packed,
    row: &'a mut Pass<'b>,
    step: usize,
}

impl WithSimd for Again<'_, '_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let Again { packed, row, step } = self;
        let (tags, width) = (packed.tags, packed.width);
        let mut most = f32::NEG_INFINITY;
        for tag in 0..tags {
            // SAFETY: the step's sums and `α` have been written, and so has what is kept of the step before.
            unsafe {
                let sum = row.sums[(step - 1) * width + tag].assume_init_mut();
                if *sum < packed.least.as_slice()[tag] {
                    let before = row.logs[(step - 1) * width..][..width].assume_init_ref();
                    let largest = packed.largest.as_slice()[tag];
                    *sum = log_sum(simd, before, &packed.transitions_to.as_slice()[tag * width..][..width]) - largest;
                    *row.logs[step * width + tag].assume_init_mut() = row.emissions[step * tags + tag] + largest + *sum;
                }
                let alpha = *row.logs[step * width + tag].assume_init_ref();
                most = if alpha <= most { most } else { alpha };
            }
        }
        most
    }
}

/// `log Z = max α + log Σ_j e^(α(j) - max α + end(j))`, and sums of 0 behind the last step.
#[inline(always)]
fn last<S: Simd>(simd: S, packed: &Packed, row: &mut Pass<'_>, step: usize) {
    let width = packed.width;
    // SAFETY: every step of the row has been computed.
    let logs = unsafe { row.logs[step * width..][..width].assume_init_ref() };
    row.log_partition += f64::from(log_sum(simd, logs, packed.end.as_slice()));
    row.sums[step * width..][..width].fill(Slot::new(0.0));
}

/// `log Σ e^(a + b)` over two slices of whole vectors; -inf where there is nothing.
#[inline(always)]
pub(super) fn log_sum<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let mut most = simd.splat_f32s(f32::NEG_INFINITY);
    for at in (0..a.len()).step_by(S::F32_LANES) {
        most = simd.max_f32s(most, simd.add_f32s(of(simd, a, at), of(simd, b, at)));
    }
    let most = simd.reduce_max_f32s(most);
    if most == f32::NEG_INFINITY {
        return most;
    }
    let (mut sums, shift) = (simd.splat_f32s(0.0), simd.splat_f32s(most));
    for at in (0..a.len()).step_by(S::F32_LANES) {
        let term = simd.sub_f32s(simd.add_f32s(of(simd, a, at), of(simd, b, at)), shift);
        sums = simd.add_f32s(sums, math::exp_to_zero_vector(simd, term));
    }
    most + simd.reduce_sum_f32s(sums).ln()
}

/// A vector of a step's emissions, with 0 where there is no tag.
#[inline(always)]
pub(super) fn emission<S: Simd>(simd: S, emissions: &[f32], at: usize) -> S::f32s {
    match emissions[at..].len() >= S::F32_LANES {
        true => of(simd, emissions, at),
        false => simd.partial_load_f32s(&emissions[at..]),
    }
}

/// The vector at `at`.
#[inline(always)]
pub(super) fn of<S: Simd>(simd: S, values: &[f32], at: usize) -> S::f32s {
    let vector = &values[at..][..S::F32_LANES];
    // SAFETY: a whole vector.
    unsafe { load(simd, vector.as_ptr()) }
}

/// The vector at `at`.
///
/// # Safety
/// It must have been written.
#[inline(always)]
pub(super) unsafe fn written<S: Simd>(simd: S, values: &[Slot], at: usize) -> S::f32s {
    let vector = &values[at..][..S::F32_LANES];
    // SAFETY: a whole vector, written as the caller promises.
    unsafe { load(simd, vector.as_ptr().cast()) }
}

/// Writes the vector at `at`.
#[inline(always)]
pub(super) fn put<S: Simd>(simd: S, to: &mut [Slot], at: usize, vector: S::f32s) {
    let to = &mut to[at..][..S::F32_LANES];
    // SAFETY: a whole vector.
    unsafe { store(simd, to.as_mut_ptr().cast(), vector) };
}
