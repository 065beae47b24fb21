//! Forward-backward: the probability `γ_t(j)` of every tag at every step, from the last step to the first.
//!
//! The probability of two tags that follow one another is `γ_t(j) w_(t-1)(i) R(i, j) / s_t(j)` with the forward pass's
//! weights, ratios and sums, for `w_(t-1)(i) R(i, j) / s_t(j)` is that of the tag before given the tag now. With
//! `q_t(j) = γ_t(j) / s_t(j)` then `γ_(t-1)(i) = w_(t-1)(i) Σ_j R(i, j) q_t(j)`, which takes no exponential and no logarithm,
//! and what is expected of the transitions is `R(i, j) Σ_t w_(t-1)(i) q_t(j)`, one product over all steps of all rows.
//! Where the forward pass went to logarithms, so does this one (`Far`).
//!
//! Everything is linear in the last `γ`, so that it begins with the gradient of the row's loss as a factor.

use super::forward::{log_sum, of};
use super::packed::Packed;
use super::product::{ROWS, Sum, product};
use super::rows::{Row, going_on};
use crate::simd::{Aligned, math, store};
use crate::written::Slot;
use pulp::{Simd, WithSimd};

/// What the backward pass reads and writes of a row.
pub(super) struct Pass<'a> {
    /// The factor of everything: the gradient of the row's loss, or 1.
    pub(super) upstream: f32,
    /// `[L, width]`, as the forward pass left them.
    pub(super) logs: &'a [f32],
    /// `[L, width]`, as the forward pass left them.
    pub(super) weights: &'a [f32],
    /// `[L, width]`: the sums of the step behind, replaced by its `q`.
    pub(super) sums: &'a mut [f32],
    /// `[L, N]`; every value is written with `upstream · γ`.
    pub(super) gammas: &'a mut [Slot],
    /// What `q` leaves out.
    pub(super) far: Vec<Far>,
}

/// A tag of a step whose sum the forward pass computed in logarithms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Far {
    pub(super) step: usize,
    pub(super) tag: usize,
    pub(super) gamma: f32,
    /// `log Σ_i e^(α_(t-1)(i) - max α_(t-1) + A(i, tag))`.
    pub(super) log: f32,
}

impl Far {
    /// Adds what is expected of going from each tag `i` to this one to `to[i · stride]`. logs: those of the row.
    pub(super) fn add(self, packed: &Packed, logs: &[f32], to: &mut [f32], stride: usize) {
        for (from, share) in self.shares(packed, logs).enumerate() {
            to[from * stride] += self.gamma * share;
        }
    }

    /// With `gamma` so that what is added sums to it: the logarithms are large, and what is rounded away from them would
    /// be lost.
    fn whole(self, packed: &Packed, logs: &[f32]) -> Far {
        Far { gamma: self.gamma / self.shares(packed, logs).sum::<f32>(), ..self }
    }

    /// The probability of each tag before, given this one, but for rounding.
    fn shares<'a>(self, packed: &'a Packed, logs: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        let before = &logs[(self.step - 1) * packed.width..][..packed.tags];
        let transitions = &packed.transitions_to.as_slice()[self.tag * packed.width..];
        before.iter().zip(transitions).map(move |(&log, &transition)| (log + transition - self.log).exp())
    }
}

pub(super) struct Backward<'a, 'b> {
    pub(super) packed: &'a Packed,
    /// By length, the longest first.
    pub(super) rows: &'a mut [Row<Pass<'b>>],
}

impl WithSimd for Backward<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Backward { packed, rows } = self;
        let (tags, width) = (packed.tags, packed.width);
        // The `γ` of each row at the step at hand, and what `q` has left out of it.
        let mut scratch = Aligned::zeroed(2 * ROWS * width);
        let (gammas, extras) = scratch.as_mut_slice().split_at_mut(ROWS * width);
        let mut has_extra = [false; ROWS];
        for step in (0..rows.first().map_or(0, |row| row.length)).rev() {
            let (mut from, mut to) = ([std::ptr::null(); ROWS], [std::ptr::null_mut(); ROWS]);
            let after = going_on(rows, step + 1);
            for (r, (row, gammas)) in rows[..after].iter().zip(gammas.chunks_exact_mut(width)).enumerate() {
                from[r] = row.work.sums[step * width..][..width].as_ptr();
                to[r] = gammas.as_mut_ptr();
            }
            // SAFETY: the `q` of the step behind are whole rows, and the scratch has as many.
            unsafe { product::<Sum, S>(simd, packed.ratios_to.as_slice().as_ptr(), [tags, width], after, from, to) };
            let active = going_on(rows, step);
            let scratch = gammas.chunks_exact_mut(width).zip(extras.chunks_exact_mut(width)).zip(&mut has_extra);
            for (r, (row, ((gamma, extra), has_extra))) in rows[..active].iter_mut().zip(scratch).enumerate() {
                if r < after {
                    weigh(simd, &row.work.weights[step * width..][..width], gamma);
                } else {
                    last(simd, packed, &row.work, step, gamma);
                }
                if std::mem::take(has_extra) {
                    gamma.iter_mut().zip(&mut *extra).for_each(|(gamma, extra)| *gamma += std::mem::take(extra));
                }
                *has_extra = keep(simd, packed, &mut row.work, step, gamma, extra);
            }
        }
    }
}

/// `γ = upstream · e^(α + end) / Z` of the last step.
#[inline(always)]
fn last<S: Simd>(simd: S, packed: &Packed, row: &Pass<'_>, step: usize, gamma: &mut [f32]) {
    let logs = &row.logs[step * packed.width..][..packed.width];
    let log_partition = simd.splat_f32s(log_sum(simd, logs, packed.end.as_slice()));
    let mut sums = simd.splat_f32s(0.0);
    for at in (0..gamma.len()).step_by(S::F32_LANES) {
        let score = simd.add_f32s(of(simd, logs, at), of(simd, packed.end.as_slice(), at));
        let weight = math::exp_to_zero_vector(simd, simd.sub_f32s(score, log_partition));
        sums = simd.add_f32s(sums, weight);
        write(simd, gamma, at, weight);
    }
    // Rounding of the logarithm is taken out: the probabilities of a step sum to 1.
    let factor = simd.splat_f32s(row.upstream / simd.reduce_sum_f32s(sums));
    for at in (0..gamma.len()).step_by(S::F32_LANES) {
        let scaled = simd.mul_f32s(of(simd, gamma, at), factor);
        write(simd, gamma, at, scaled);
    }
}

/// `γ(i) = w(i) Σ_j R(i, j) q(j)`, given the sums.
#[inline(always)]
fn weigh<S: Simd>(simd: S, weights: &[f32], gamma: &mut [f32]) {
    for at in (0..gamma.len()).step_by(S::F32_LANES) {
        let weighed = simd.mul_f32s(of(simd, weights, at), of(simd, gamma, at));
        write(simd, gamma, at, weighed);
    }
}

/// Puts the step's `γ` where it belongs, and its `q` where the sums stood. Gives whether `q` leaves something out.
#[inline(always)]
fn keep<S: Simd>(simd: S, packed: &Packed, row: &mut Pass<'_>, step: usize, gamma: &[f32], extra: &mut [f32]) -> bool {
    let (tags, width) = (packed.tags, packed.width);
    row.gammas[step * tags..][..tags].write_copy_of_slice(&gamma[..tags]);
    if step == 0 {
        return false;
    }
    let sums = &mut row.sums[(step - 1) * width..][..width];
    let (zero, mut least) = (simd.splat_f32s(0.0), simd.splat_f32s(0.0));
    for at in (0..width).step_by(S::F32_LANES) {
        least = simd.min_f32s(least, of(simd, sums, at));
    }
    let logarithms = simd.reduce_min_f32s(least) < 0.0;
    if logarithms {
        for (tag, (&sum, &gamma)) in sums[..tags].iter().zip(gamma).enumerate().filter(|(_, (sum, _))| **sum < 0.0) {
            // Of what cannot be nothing is expected, and its logarithm is -inf.
            if gamma != 0.0 {
                let far = Far { step, tag, gamma, log: sum + packed.largest.as_slice()[tag] }.whole(packed, row.logs);
                far.add(packed, row.logs, extra, 1);
                row.far.push(far);
            }
        }
    }
    for at in (0..width).step_by(S::F32_LANES) {
        let sum = of(simd, sums, at);
        let q = simd.div_f32s(of(simd, gamma, at), sum);
        write(simd, sums, at, simd.select_f32s(simd.less_than_or_equal_f32s(sum, zero), zero, q));
    }
    logarithms
}

/// Writes the vector at `at`.
#[inline(always)]
fn write<S: Simd>(simd: S, to: &mut [f32], at: usize, vector: S::f32s) {
    let to = &mut to[at..][..S::F32_LANES];
    // SAFETY: a whole vector.
    unsafe { store(simd, to.as_mut_ptr(), vector) };
}
