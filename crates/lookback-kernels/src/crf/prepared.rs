//! A field that answers: its best paths, and how sure it is of each tag.

use super::k_best::{MOST_PATHS, k_best};
use super::packed::Packed;
use super::{CrfDims, CrfParameters, CrfPath, CrfPaths, CrfWorkspace, check, steps, viterbi};
use crate::KernelError;

/// A field for answers, packed once.
#[derive(Debug, Clone)]
pub struct PreparedCrf {
    packed: Packed,
    /// What is not forbidden, where something is.
    allowed: Option<check::Allowed>,
}

impl PreparedCrf {
    /// tags: `N`.
    ///
    /// # Errors
    /// If a slice has not the length of its shape, or `N` is 0.
    pub fn new(tags: usize, parameters: CrfParameters<'_>) -> Result<Self, KernelError> {
        check::parameters(tags, parameters)?;
        Ok(PreparedCrf { packed: Packed::new(tags, parameters), allowed: check::Allowed::of(tags, parameters) })
    }

    /// The best path of each row and its score (Viterbi 1967). emissions: `[B, T, N]`. Of paths that score the same, the
    /// one whose last tag that differs is the lowest. An emission that is no finite number makes the row's score NaN.
    ///
    /// # Errors
    /// If a slice has not the length of its shape, a length is beyond `time`, or every path of a row is forbidden.
    pub fn viterbi(
        &self,
        emissions: &[f32],
        lengths: &[usize],
        time: usize,
        threads: usize,
    ) -> Result<CrfPaths, KernelError> {
        self.check(emissions, lengths, time)?;
        Ok(viterbi::viterbi(time, &self.packed, emissions, lengths, threads))
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
        self.check(emissions, lengths, time)?;
        let mut workspace = CrfWorkspace::default();
        steps::forward(time, &self.packed, emissions, lengths, &mut workspace, threads);
        let ones = vec![1.0; lengths.len()];
        Ok(steps::gammas(time, &self.packed, lengths, &ones, &mut workspace, threads).0)
    }

    /// The `k` best paths of one row, the best first, by the list Viterbi algorithm (Seshadri and Sundberg 1994); fewer
    /// where there are fewer, none for a row without steps. emissions: `[T, N]`. Of paths that score the same the order
    /// is as in [`PreparedCrf::viterbi`].
    ///
    /// # Errors
    /// If `emissions` is no whole number of steps, `k` is not from 1 to 64, or every path is forbidden.
    pub fn k_best(&self, emissions: &[f32], k: usize) -> Result<Vec<CrfPath>, KernelError> {
        crate::check::positive(&[("k", k)])?;
        if k > MOST_PATHS {
            return Err(KernelError::TooMany { name: "k", most: MOST_PATHS, found: k });
        }
        let time = emissions.len() / self.packed.tags;
        self.check(emissions, &[time], time)?;
        Ok(k_best(&self.packed, emissions, k))
    }

    fn check(&self, emissions: &[f32], lengths: &[usize], time: usize) -> Result<(), KernelError> {
        let dims = CrfDims { batch: lengths.len(), time, tags: self.packed.tags };
        check::emissions(dims, emissions, lengths)?;
        check::kept(lengths, self.packed.width)?;
        self.allowed.as_ref().map_or(Ok(()), |allowed| allowed.check(lengths))
    }
}
