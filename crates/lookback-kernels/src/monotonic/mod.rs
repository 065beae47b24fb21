//! Hard monotonic attention, its alignment summed out exactly (Wu and Cotterell 2019): the likelihood of a target over ragged
//! batches, both passes.
//!
//! Every target step `t` is written at one position `a_t` of its source, and positions never go back (Aharoni and Goldberg
//! 2017). With `e_t(j)` how well step `t` fits position `j`, and `b` what a jump of so many positions is worth,
//!
//! `p(y | x) = Σ_a Π_t p(a_t | a_(t-1)) p(y_t | a_t)`, `p(a_t = j | i) = e^(e_t(j) + b(j - i)) / Σ_(k >= i) e^(e_t(k) + b(k - i))`
//!
//! for `j >= i`, else 0, from `a_0 = 0`, the first position. Transitions that depend on how far they go are the paper's
//! first-order model, and biases that are all alike its zeroth-order one; it forbids jumps beyond a width, here those of `D - 1`
//! positions and more share the last bias. A decoder's states must not depend on the alignment, so that the sum falls into
//! one over neighbouring steps: nothing of a position is fed back to them.
//!
//! [`forward`] and [`backward`] go from logarithms of `p(y_t | a_t)` to `log p(y | x)`; [`emission`] makes those logarithms of
//! what source and target were mapped to; [`advance`] is one step where the target is not known.
//!
//! # Legend of shapes
//! `B` batch, `T` target steps, `S` positions of the source, `D` distances, `W` the width of what is read at a position, `V`
//! vocabulary.
//!
//! # What holds
//! - Steps at or past `lengths[b]` and positions at or past `source_lengths[b]` are never read, and their gradients are exact
//!   zeros. A row without steps has the logarithm 0; one with steps has at least one position, or is refused.
//! - All sums over alignments are taken in logarithms and in f64: none underflows, however long the row.
//! - A row alone has the bits it has in any batch, and no bit depends on the number of threads.

mod check;
pub mod emission;
pub mod reference;
mod row;
#[cfg(test)]
mod tests;

use crate::KernelError;
use rayon::prelude::*;
use row::{Row, RowTrace};

pub use row::{AdvanceScratch, advance};

/// Cells of alignment matrices below which a call is no work for a second thread.
const LEAST: usize = 1 << 10;

/// The sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonotonicDims {
    /// `B`.
    pub batch: usize,
    /// `T`.
    pub time: usize,
    /// `S`.
    pub positions: usize,
    /// `D`, at least 1.
    pub distances: usize,
}

/// What the likelihood is made of.
#[derive(Debug, Clone, Copy)]
pub struct MonotonicInputs<'a, R = f32> {
    /// `[B, T, S]`: `log p(y_t | a_t)` of the target's own token at every position.
    pub emissions: &'a [R],
    /// `[B, T, S]`: `e`, how well a step fits a position.
    pub scores: &'a [R],
    /// `[D]`: `b`, of jumps of 0, 1, .. positions; the last of `D - 1` and more.
    pub distances: &'a [R],
    /// `[B]`, each from 0 to `T`, in any order.
    pub lengths: &'a [usize],
    /// `[B]`, each from 0 to `S`, in any order.
    pub source_lengths: &'a [usize],
}

/// What [`forward`] leaves for [`backward`].
#[derive(Debug, Clone)]
pub struct MonotonicTrace {
    dims: MonotonicDims,
    rows: Vec<RowTrace>,
}

/// What [`backward`] gives.
#[derive(Debug, Clone, PartialEq)]
pub struct MonotonicGradients<R = f32> {
    /// `[B, T, S]`: the probability of every position given the whole target, times `upstream`.
    pub emissions: Vec<R>,
    /// `[B, T, S]`.
    pub scores: Vec<R>,
    /// `[D]`.
    pub distances: Vec<R>,
}

/// `log p(y | x)` of each row, `[B]`, over all its alignments.
///
/// # Errors
/// If a slice has not the length of its shape, a length is beyond its axis, `D` is 0, or a row has steps but no position.
pub fn forward(
    dims: MonotonicDims,
    inputs: MonotonicInputs<'_>,
    threads: usize,
) -> Result<(Vec<f32>, MonotonicTrace), KernelError> {
    check::call(dims, inputs)?;
    let least = least(dims, inputs, threads);
    let rows = (0..dims.batch).into_par_iter().with_min_len(least);
    let rows: Vec<RowTrace> = rows.map(|row| Row::of(dims, inputs, row).forward()).collect();
    let likelihoods = rows.iter().map(|row| row.log_likelihood as f32).collect();
    Ok((likelihoods, MonotonicTrace { dims, rows }))
}

/// The gradients of `Σ_b upstream[b] · log p(y | x)` of the call of [`forward`] that gave the trace, with the same inputs.
/// upstream: `[B]`.
///
/// # Errors
/// As [`forward`], or if `upstream` has not one value a row, or the trace is of other sizes.
pub fn backward(
    dims: MonotonicDims,
    inputs: MonotonicInputs<'_>,
    trace: &MonotonicTrace,
    upstream: &[f32],
    threads: usize,
) -> Result<MonotonicGradients, KernelError> {
    check::call(dims, inputs)?;
    crate::check::slice("upstream", upstream, &[dims.batch], "[B]")?;
    check::trace(dims, inputs, trace)?;
    let cells = dims.time * dims.positions;
    let mut emissions = vec![0.0; dims.batch * cells];
    let mut scores = vec![0.0; dims.batch * cells];
    let each = emissions.par_chunks_exact_mut(cells.max(1)).zip(scores.par_chunks_exact_mut(cells.max(1)));
    let least = least(dims, inputs, threads);
    let of_rows: Vec<Vec<f64>> = each
        .zip(&trace.rows)
        .enumerate()
        .with_min_len(least)
        .map(|(row, ((emissions, scores), trace))| {
            Row::of(dims, inputs, row).backward(trace, f64::from(upstream[row]), [emissions, scores])
        })
        .collect();
    let mut distances = vec![0.0; dims.distances];
    for row in of_rows {
        distances.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    Ok(MonotonicGradients { emissions, scores, distances: distances.into_iter().map(|sum| sum as f32).collect() })
}

/// Whether lengths of both sides are ones that the kernels take. lengths, source_lengths: `[B]`.
///
/// # Errors
/// If there is not one of each a row, one is beyond its axis, or a row has steps but no position.
pub fn check_lengths(
    [batch, time, positions]: [usize; 3],
    lengths: &[usize],
    source_lengths: &[usize],
) -> Result<(), KernelError> {
    check::lengths([batch, time, positions], lengths, source_lengths)
}

/// The fewest rows for a thread.
fn least(dims: MonotonicDims, inputs: MonotonicInputs<'_>, threads: usize) -> usize {
    let steps = inputs.lengths.iter().zip(inputs.source_lengths);
    let work: usize = steps.map(|(&length, &source)| length * source).sum();
    if threads <= 1 || work < LEAST { usize::MAX } else { dims.batch.div_ceil(threads.saturating_mul(4)).max(1) }
}
