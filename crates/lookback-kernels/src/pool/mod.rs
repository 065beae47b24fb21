//! Attention pooling: one vector per row from all its steps, fused.
//!
//! `a = softmax(e)`, `r = Σ_t a_t h_t`, with the score `e_t = w · tanh(h_t)` of a learnt vector (Zhou 2016, eq. 9 to
//! 11) or `e_t = q_b · h_t` of a query of the row's own, such as its final hidden state. Steps at or past the row's
//! length are never read, have weight 0 and gradient 0; a row of length 0 gives zeros.
//!
//! A row is one chain of arithmetic, so that neither the batch nor the threads change a bit.

pub mod reference;
#[cfg(test)]
mod tests;

use crate::simd::{arch, math};
use crate::written::{Slot, filled, vector};
use crate::{KernelError, check};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// What a step is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PoolScore<'a, R = f32> {
    /// `[O]`: `w · tanh(h_t)`, the same for every row.
    Learnt(&'a [R]),
    /// `[B, O]`: `q_b · h_t`.
    Query(&'a [R]),
}

/// The sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolDims {
    /// `B`.
    pub batch: usize,
    /// `T`.
    pub time: usize,
    /// `O`, the width of a step.
    pub outputs: usize,
}

impl PoolDims {
    fn check(&self, score: PoolScore<'_>, sequence: &[f32], lengths: &[usize]) -> Result<(), KernelError> {
        let PoolDims { batch, time, outputs } = *self;
        check::positive(&[("O", outputs)])?;
        check::slice("sequence", sequence, &[batch, time, outputs], "[B, T, O]")?;
        check::lengths(lengths, batch, time)?;
        match score {
            PoolScore::Learnt(vector) => check::slice("the score's vector", vector, &[outputs], "[O]"),
            PoolScore::Query(queries) => check::slice("the queries", queries, &[batch, outputs], "[B, O]"),
        }
    }
}

/// sequence: `[B, T, O]`. lengths: `[B]`. Writes pooled `[B, O]` and weights `[B, T]`.
///
/// # Errors
/// If a slice has not the length of its shape; nothing is written then.
pub fn forward(
    dims: PoolDims,
    score: PoolScore<'_>,
    sequence: &[f32],
    lengths: &[usize],
    pooled: &mut [f32],
    weights: &mut [f32],
    threads: usize,
) -> Result<(), KernelError> {
    let PoolDims { batch, time, outputs } = dims;
    dims.check(score, sequence, lengths)?;
    check::slice("pooled", pooled, &[batch, outputs], "[B, O]")?;
    check::slice("weights", weights, &[batch, time], "[B, T]")?;
    if time == 0 {
        pooled.fill(0.0);
        return Ok(());
    }
    each_row(
        threads,
        pooled.par_chunks_mut(outputs).zip(weights.par_chunks_mut(time)).zip(lengths).enumerate(),
        |(row, ((pooled, weights), &length))| {
            let sequence = &sequence[row * time * outputs..][..length * outputs];
            arch().dispatch(Forward { score: of_row(score, row, outputs), sequence, pooled, weights });
        },
    );
    Ok(())
}

/// What flows in.
#[derive(Debug, Clone, Copy)]
pub struct PoolUpstream<'a> {
    /// `[B, O]`.
    pub pooled: &'a [f32],
    /// `[B, T]`.
    pub weights: Option<&'a [f32]>,
}

/// weights: as [`forward`] gave them. Gives the gradient of the sequence, `[B, T, O]`, and that of the score's
/// vector, `[O]` or `[B, O]`.
///
/// # Errors
/// If a slice has not the length of its shape.
#[allow(clippy::too_many_arguments, reason = "plain slices")]
pub fn backward(
    dims: PoolDims,
    score: PoolScore<'_>,
    sequence: &[f32],
    lengths: &[usize],
    weights: &[f32],
    upstream: PoolUpstream<'_>,
    threads: usize,
) -> Result<[Vec<f32>; 2], KernelError> {
    let PoolDims { batch, time, outputs } = dims;
    dims.check(score, sequence, lengths)?;
    check::slice("weights", weights, &[batch, time], "[B, T]")?;
    check::slice("upstream pooled", upstream.pooled, &[batch, outputs], "[B, O]")?;
    check::optional("upstream weights", upstream.weights, &[batch, time], "[B, T]")?;
    let mut by_row = vec![0.0; batch * outputs];
    let write = |sequence_gradient: &mut [Slot]| {
        each_row(
            threads,
            sequence_gradient
                .par_chunks_mut((time * outputs).max(1))
                .zip(by_row.par_chunks_mut(outputs))
                .zip(lengths)
                .enumerate(),
            |(row, ((sequence_gradient, score_gradient), &length))| {
                let (used, padding) = sequence_gradient.split_at_mut(length * outputs);
                filled(padding, 0.0);
                arch().dispatch(Backward {
                    score: of_row(score, row, outputs),
                    sequence: &sequence[row * time * outputs..][..length * outputs],
                    weights: &weights[row * time..][..length],
                    pooled: &upstream.pooled[row * outputs..][..outputs],
                    upstream: upstream.weights.map(|weights| &weights[row * time..][..length]),
                    // In the first or second cache, where the pass that follows finds it.
                    sequence_gradient: filled(used, 0.0),
                    score_gradient,
                });
            },
        );
    };
    // SAFETY: the rows are all of the gradient, and each is written, its padding with zeros.
    let gradient = unsafe { vector(sequence.len(), write) };
    let PoolScore::Learnt(_) = score else { return Ok([gradient, by_row]) };
    let mut sum = vec![0.0; outputs];
    for row in by_row.chunks(outputs) {
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    Ok([gradient, sum])
}

fn each_row<X: Send>(threads: usize, rows: impl IndexedParallelIterator<Item = X>, work: impl Fn(X) + Sync + Send) {
    let least = if threads <= 1 { usize::MAX } else { rows.len().div_ceil(4 * threads.max(1)).max(1) };
    rows.with_min_len(least).for_each(work);
}

fn of_row<'a>(score: PoolScore<'a>, row: usize, outputs: usize) -> PoolScore<'a> {
    match score {
        PoolScore::Learnt(weight) => PoolScore::Learnt(weight),
        PoolScore::Query(queries) => PoolScore::Query(&queries[row * outputs..][..outputs]),
    }
}

struct Forward<'a> {
    score: PoolScore<'a>,
    sequence: &'a [f32],
    pooled: &'a mut [f32],
    weights: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Forward { score, sequence, pooled, weights } = self;
        let outputs = pooled.len();
        let length = sequence.len() / outputs;
        let (weights, padding) = weights.split_at_mut(length);
        padding.fill(0.0);
        pooled.fill(0.0);
        for (step, weight) in sequence.chunks_exact(outputs).zip(&mut *weights) {
            *weight = match score {
                PoolScore::Learnt(w) => dot::<S, true>(simd, w, step),
                PoolScore::Query(q) => dot::<S, false>(simd, q, step),
            };
        }
        // A NaN is kept by the sum below, whatever the maximum made of it.
        let largest = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        weights.iter_mut().for_each(|weight| *weight -= largest);
        math::exp(weights);
        let sum: f32 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
        for (step, &weight) in sequence.chunks_exact(outputs).zip(&*weights) {
            add_scaled(simd, pooled, step, weight);
        }
    }
}

struct Backward<'a> {
    score: PoolScore<'a>,
    sequence: &'a [f32],
    weights: &'a [f32],
    pooled: &'a [f32],
    upstream: Option<&'a [f32]>,
    sequence_gradient: &'a mut [f32],
    score_gradient: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Backward { score, sequence, weights, pooled, upstream, sequence_gradient, score_gradient } = self;
        let outputs = pooled.len();
        // da_t = dr · h_t, and Σ_t a_t da_t; the products are taken again below rather than stored.
        let mut mean = 0.0;
        for (t, (h, a)) in sequence.chunks_exact(outputs).zip(weights).enumerate() {
            mean += a * (dot::<S, false>(simd, pooled, h) + upstream.map_or(0.0, |up| up[t]));
        }
        let steps = sequence.chunks_exact(outputs).zip(sequence_gradient.chunks_exact_mut(outputs)).zip(weights);
        for (t, ((h, gradient), &a)) in steps.enumerate() {
            let slope = a * (dot::<S, false>(simd, pooled, h) + upstream.map_or(0.0, |up| up[t]) - mean);
            let arguments = Step { h, pooled, a, slope };
            match score {
                PoolScore::Learnt(w) => step_backward::<S, true>(simd, arguments, w, gradient, score_gradient),
                PoolScore::Query(q) => step_backward::<S, false>(simd, arguments, q, gradient, score_gradient),
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Step<'a> {
    h: &'a [f32],
    pooled: &'a [f32],
    a: f32,
    slope: f32,
}

/// `dh = a dr + ds · w (1 - tanh²h)` and `dw += ds · tanh h`; without `TANH` `dh = a dr + ds · q` and `dq += ds · h`.
#[inline(always)]
fn step_backward<S: Simd, const TANH: bool>(
    simd: S,
    step: Step<'_>,
    score: &[f32],
    gradient: &mut [f32],
    score_gradient: &mut [f32],
) {
    let factors = (simd.splat_f32s(step.a), simd.splat_f32s(step.slope));
    let (h, h_rest) = S::as_simd_f32s(step.h);
    let (dr, dr_rest) = S::as_simd_f32s(step.pooled);
    let (w, w_rest) = S::as_simd_f32s(score);
    let (dh, dh_rest) = S::as_mut_simd_f32s(gradient);
    let (dw, dw_rest) = S::as_mut_simd_f32s(score_gradient);
    for ((((h, dr), w), dh), dw) in h.iter().zip(dr).zip(w).zip(dh).zip(dw) {
        (*dh, *dw) = vector_backward::<S, TANH>(simd, factors, *h, *dr, *w, *dw);
    }
    if !h_rest.is_empty() {
        let [h, dr, w, old] = [h_rest, dr_rest, w_rest, &*dw_rest].map(|rest| simd.partial_load_f32s(rest));
        let (new_h, new_w) = vector_backward::<S, TANH>(simd, factors, h, dr, w, old);
        simd.partial_store_f32s(dh_rest, new_h);
        simd.partial_store_f32s(dw_rest, new_w);
    }
}

/// One vector of [`step_backward`]: the new `dh` and `dw`. A function and not a closure, as all here: a closure is
/// compiled without the instruction set.
#[inline(always)]
fn vector_backward<S: Simd, const TANH: bool>(
    simd: S,
    (a, slope): (S::f32s, S::f32s),
    h: S::f32s,
    dr: S::f32s,
    w: S::f32s,
    dw: S::f32s,
) -> (S::f32s, S::f32s) {
    let seen = if TANH { math::tanh_vector(simd, h) } else { h };
    let slope_w = simd.mul_f32s(slope, w);
    let through = match TANH {
        true => simd.mul_f32s(slope_w, simd.sub_f32s(simd.splat_f32s(1.0), simd.mul_f32s(seen, seen))),
        false => slope_w,
    };
    (simd.mul_add_e_f32s(a, dr, through), simd.mul_add_e_f32s(slope, seen, dw))
}

/// `Σ a · b`, or `Σ a · tanh b`, four running vectors wide.
#[inline(always)]
fn dot<S: Simd, const TANH: bool>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = S::as_simd_f32s(a);
    let (b, b_rest) = S::as_simd_f32s(b);
    let mut sums = [simd.splat_f32s(0.0); 4];
    let (a_fours, a_ones) = pulp::as_arrays::<4, _>(a);
    let (b_fours, b_ones) = pulp::as_arrays::<4, _>(b);
    for (a, b) in a_fours.iter().zip(b_fours) {
        for lane in 0..4 {
            sums[lane] = multiply_add::<S, TANH>(simd, a[lane], b[lane], sums[lane]);
        }
    }
    for (a, b) in a_ones.iter().zip(b_ones) {
        sums[0] = multiply_add::<S, TANH>(simd, *a, *b, sums[0]);
    }
    if !a_rest.is_empty() {
        let (a, b) = (simd.partial_load_f32s(a_rest), simd.partial_load_f32s(b_rest));
        sums[1] = multiply_add::<S, TANH>(simd, a, b, sums[1]);
    }
    let sum = simd.add_f32s(simd.add_f32s(sums[0], sums[1]), simd.add_f32s(sums[2], sums[3]));
    simd.reduce_sum_f32s(sum)
}

#[inline(always)]
fn multiply_add<S: Simd, const TANH: bool>(simd: S, a: S::f32s, b: S::f32s, sum: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(a, if TANH { math::tanh_vector(simd, b) } else { b }, sum)
}

/// `to += factor * from`
#[inline(always)]
fn add_scaled<S: Simd>(simd: S, to: &mut [f32], from: &[f32], factor: f32) {
    let splat = simd.splat_f32s(factor);
    let (to, to_rest) = S::as_mut_simd_f32s(to);
    let (from, from_rest) = S::as_simd_f32s(from);
    for (to, from) in to.iter_mut().zip(from) {
        *to = simd.mul_add_e_f32s(splat, *from, *to);
    }
    if !to_rest.is_empty() {
        let sum = simd.mul_add_e_f32s(splat, simd.partial_load_f32s(from_rest), simd.partial_load_f32s(to_rest));
        simd.partial_store_f32s(to_rest, sum);
    }
}
