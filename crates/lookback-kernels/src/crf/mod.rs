//! A linear-chain conditional random field over ragged batches: its loss, both passes, and what it answers.
//!
//! A path `y` through the tags of a row scores `start(y_0) + Σ_t e_t(y_t) + Σ_t A(y_(t-1), y_t) + end(y_last)`, and has the
//! probability `e^score / Z` (Lafferty, McCallum and Pereira 2001, eq. 1 and 2). Parameters have the form and the names of
//! `pytorch-crf`: `transitions` (from, to), `start_transitions` and `end_transitions`.
//!
//! An entry of the parameters that is -inf forbids: no path that uses it comes out of [`PreparedCrf::viterbi`], it has
//! probability 0 and gradient 0, and a target that uses it is an error. Steps at or past `lengths[b]` are never read and
//! come out as zeros; a row of length 0 has loss 0 and no path. A row's arithmetic is its own, whatever stands beside it,
//! and gradients of the parameters are sums over the steps in the order of the batch: neither the batch nor the number of
//! threads changes a bit.

mod backward;
mod check;
mod forward;
mod k_best;
mod packed;
mod prepared;
mod product;
pub mod reference;
mod rows;
mod steps;
#[cfg(test)]
mod tests;
mod viterbi;

use crate::KernelError;
use packed::Packed;

pub use prepared::PreparedCrf;

/// The sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrfDims {
    /// `B`.
    pub batch: usize,
    /// `T`.
    pub time: usize,
    /// `N`, how many tags there are.
    pub tags: usize,
}

/// What the field has learnt. -inf forbids.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrfParameters<'a, R = f32> {
    /// `[N, N]`: the score of going from a tag (first axis) to a tag (second axis).
    pub transitions: &'a [R],
    /// `[N]`: the score of beginning with a tag.
    pub start: &'a [R],
    /// `[N]`: the score of ending with a tag.
    pub end: &'a [R],
}

/// What [`forward`] gives.
#[derive(Debug, Clone, PartialEq)]
pub struct CrfLosses {
    /// `[B]`: the negative log-likelihood of the row's path; 0 for a row of length 0.
    pub losses: Vec<f32>,
    /// `[B]`: `log Z`, over all paths of the row; 0 for a row of length 0.
    pub log_partitions: Vec<f32>,
}

/// What [`backward`] gives.
#[derive(Debug, Clone, PartialEq)]
pub struct CrfGradients<R = f32> {
    /// `[B, T, N]`.
    pub emissions: Vec<R>,
    /// `[N, N]`.
    pub transitions: Vec<R>,
    /// `[N]`.
    pub start: Vec<R>,
    /// `[N]`.
    pub end: Vec<R>,
}

/// What [`PreparedCrf::viterbi`] gives.
#[derive(Debug, Clone, PartialEq)]
pub struct CrfPaths {
    /// `[B, T]`: the best path of each row; 0 at and past its length.
    pub tags: Vec<u32>,
    /// `[B]`: its score; 0 for a row of length 0.
    pub scores: Vec<f32>,
}

/// One of the best paths of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct CrfPath {
    /// `[T]`.
    pub tags: Vec<u32>,
    /// Its score; the difference of two is the logarithm of how many times as likely the one is.
    pub score: f32,
}

/// What a forward pass leaves for the backward pass, and memory for both.
#[derive(Debug, Default)]
pub struct CrfWorkspace {
    /// `[all real steps, width]` each; see `forward.rs`.
    logs: Vec<f32>,
    weights: Vec<f32>,
    sums: Vec<f32>,
    left: Option<Left>,
}

/// What a forward pass was called with.
#[derive(Debug)]
struct Left {
    time: usize,
    packed: Packed,
    lengths: Vec<usize>,
    tags: Vec<u32>,
}

/// emissions: `[B, T, N]`. lengths: `[B]`, in any order. tags: `[B, T]`, the path of each row. Gives the negative
/// log-likelihood of each path, `log Z - score`, and leaves in the workspace what [`backward`] needs.
///
/// `e^-loss` is the probability of the path, also where it is the one that [`PreparedCrf::viterbi`] found.
///
/// # Errors
/// If a slice has not the length of its shape, a length is beyond `T`, a real step's tag is none, or a path uses what is
/// forbidden; the row and the step are named.
pub fn forward(
    dims: CrfDims,
    parameters: CrfParameters<'_>,
    emissions: &[f32],
    lengths: &[usize],
    tags: &[u32],
    workspace: &mut CrfWorkspace,
    threads: usize,
) -> Result<CrfLosses, KernelError> {
    check::parameters(dims.tags, parameters)?;
    check::emissions(dims, emissions, lengths)?;
    check::paths(dims, parameters, lengths, tags)?;
    let packed = Packed::new(dims.tags, parameters);
    check::kept(lengths, packed.width)?;
    let log_partitions = steps::forward(dims.time, &packed, emissions, lengths, workspace, threads);
    let of_row = |(row, (&length, &log_partition)): (usize, (&usize, &f64))| {
        let path = &tags[row * dims.time..][..length];
        let emissions = &emissions[row * dims.time * dims.tags..][..length * dims.tags];
        (log_partition - score(dims.tags, parameters, emissions, path)) as f32
    };
    let losses = lengths.iter().zip(&log_partitions).enumerate().map(of_row).collect();
    workspace.left = Some(Left { time: dims.time, packed, lengths: lengths.to_vec(), tags: tags.to_vec() });
    Ok(CrfLosses { losses, log_partitions: log_partitions.into_iter().map(|value| value as f32).collect() })
}

/// The gradients of `Σ_b upstream[b] · loss[b]`, of the call of [`forward`] that the workspace was last used for, whose
/// trace in the workspace is used up. upstream: `[B]`.
///
/// # Errors
/// If `upstream` has not one value a row, or [`forward`] has not been called since.
pub fn backward(upstream: &[f32], workspace: &mut CrfWorkspace, threads: usize) -> Result<CrfGradients, KernelError> {
    let Some(left) = &workspace.left else {
        return Err(KernelError::Missing { name: "the forward pass", reason: "each backward pass uses one up" });
    };
    crate::check::slice("upstream", upstream, &[left.lengths.len()], "[B]")?;
    let left = workspace.left.take().expect("it was there");
    Ok(steps::backward(&left, upstream, workspace, threads))
}

/// Whether each row's path, `[B, T]`, is one that [`forward`] takes.
///
/// # Errors
/// If a slice has not the length of its shape, a length is beyond `T`, a real step's tag is none, or a path uses what is
/// forbidden; the row and the step are named.
pub fn check_paths(
    dims: CrfDims,
    parameters: CrfParameters<'_>,
    lengths: &[usize],
    tags: &[u32],
) -> Result<(), KernelError> {
    check::parameters(dims.tags, parameters)?;
    crate::check::lengths(lengths, dims.batch, dims.time)?;
    check::paths(dims, parameters, lengths, tags)
}

/// The score of a path in f64, so that a loss keeps what is left of two large numbers. 0 without a step.
fn score(tags: usize, parameters: CrfParameters<'_>, emissions: &[f32], path: &[u32]) -> f64 {
    let CrfParameters { transitions, start, end } = parameters;
    let (Some(&first), Some(&last)) = (path.first(), path.last()) else { return 0.0 };
    let ends = f64::from(start[first as usize]) + f64::from(end[last as usize]);
    let emitted: f64 = path.iter().zip(emissions.chunks_exact(tags)).map(|(&tag, e)| f64::from(e[tag as usize])).sum();
    let gone = path.windows(2).map(|pair| f64::from(transitions[pair[0] as usize * tags + pair[1] as usize]));
    ends + emitted + gone.sum::<f64>()
}
