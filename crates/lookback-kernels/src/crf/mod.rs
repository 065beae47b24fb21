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

mod check;
pub mod reference;

use crate::KernelError;

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
    emissions: Vec<f32>,
}

/// emissions: `[B, T, N]`. lengths: `[B]`, in any order. tags: `[B, T]`, the path of each row. Gives the negative
/// log-likelihood of each path, `log Z - score`, and leaves in the workspace what [`backward`] needs.
///
/// `e^-loss` is the probability of the path, also where it is the one that [`PreparedCrf::viterbi`] found.
///
/// # Errors
/// If a slice has not the length of its shape, a length is beyond `T`, a real step's tag is none, or a path uses what is
/// forbidden; the row and the step are named.
#[allow(clippy::too_many_arguments, reason = "plain slices")]
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
    let _ = threads;
    workspace.emissions = emissions.to_vec();
    let (losses, log_partitions) = reference::forward(dims, parameters, emissions, lengths, tags);
    Ok(CrfLosses { losses, log_partitions })
}

/// The gradients of `Σ_b upstream[b] · loss[b]`. parameters, lengths and tags: as [`forward`] had them. upstream: `[B]`.
/// Uses up what [`forward`] left in the workspace.
///
/// # Errors
/// As [`forward`], or if the workspace does not hold a forward pass of these sizes.
pub fn backward(
    dims: CrfDims,
    parameters: CrfParameters<'_>,
    lengths: &[usize],
    tags: &[u32],
    upstream: &[f32],
    workspace: &mut CrfWorkspace,
    threads: usize,
) -> Result<CrfGradients, KernelError> {
    check::parameters(dims.tags, parameters)?;
    check::paths(dims, parameters, lengths, tags)?;
    let _ = threads;
    Ok(reference::backward(dims, parameters, &workspace.emissions, lengths, tags, upstream))
}

/// A field for answers, packed once.
#[derive(Debug, Clone)]
pub struct PreparedCrf {
    tags: usize,
    transitions: Vec<f32>,
    start: Vec<f32>,
    end: Vec<f32>,
}

impl PreparedCrf {
    /// tags: `N`.
    ///
    /// # Errors
    /// If a slice has not the length of its shape, or `N` is 0.
    pub fn new(tags: usize, parameters: CrfParameters<'_>) -> Result<Self, KernelError> {
        check::parameters(tags, parameters)?;
        let CrfParameters { transitions, start, end } = parameters;
        Ok(PreparedCrf { tags, transitions: transitions.to_vec(), start: start.to_vec(), end: end.to_vec() })
    }

    /// The best path of each row and its score (Viterbi 1967). emissions: `[B, T, N]`. Of equal paths the one whose last
    /// tag that differs is the lowest.
    ///
    /// # Errors
    /// If a slice has not the length of its shape, a length is beyond `time`, or a row has no path that is not forbidden.
    pub fn viterbi(
        &self,
        emissions: &[f32],
        lengths: &[usize],
        time: usize,
        threads: usize,
    ) -> Result<CrfPaths, KernelError> {
        let _ = threads;
        let dims = CrfDims { batch: lengths.len(), time, tags: self.tags };
        check::emissions(dims, emissions, lengths)?;
        let (tags, scores) = reference::viterbi(dims, self.parameters(), emissions, lengths);
        Ok(CrfPaths { tags, scores })
    }

    /// The probability of every tag at every step, `[B, T, N]`, by the forward-backward algorithm. emissions: `[B, T, N]`.
    ///
    /// # Errors
    /// As [`PreparedCrf::viterbi`].
    pub fn marginals(
        &self,
        emissions: &[f32],
        lengths: &[usize],
        time: usize,
        threads: usize,
    ) -> Result<Vec<f32>, KernelError> {
        let _ = threads;
        let dims = CrfDims { batch: lengths.len(), time, tags: self.tags };
        check::emissions(dims, emissions, lengths)?;
        Ok(reference::marginals(dims, self.parameters(), emissions, lengths))
    }

    /// The `k` best paths of one row, the best first, by the list Viterbi algorithm; fewer where there are fewer, none
    /// for a row without steps. emissions: `[T, N]`.
    ///
    /// # Errors
    /// If `emissions` is no whole number of steps, `k` is not from 1 to 64, or no path is allowed.
    pub fn k_best(&self, emissions: &[f32], k: usize) -> Result<Vec<CrfPath>, KernelError> {
        let paths = reference::every_path(self.tags, self.parameters(), emissions);
        Ok(paths.into_iter().take(k).map(|(tags, score)| CrfPath { tags, score }).collect())
    }

    fn parameters(&self) -> CrfParameters<'_> {
        CrfParameters { transitions: &self.transitions, start: &self.start, end: &self.end }
    }
}
