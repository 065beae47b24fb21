//! What a sequence is worth beside others of another length.

use super::paths::Paths;

/// `log P(Y|X) / lp(Y) + cp(X; Y)` (Wu 2016, eq. 14) with `lp(Y) = ((5 + |Y|) / 6)^α` and
/// `cp(X; Y) = β Σ_i log min(Σ_j a_ji, 1)`, where `a_ji` is how much step `j` looked at step `i` of the source.
///
/// `|Y|` counts all steps that have a log-probability: forced tokens and the end, too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Score {
    /// `α`
    pub(super) length: f64,
    /// `β`
    pub(super) coverage: f64,
}

/// What a step of the source counts as covered by that was never looked at, so that a score is a number.
const LEAST_COVERAGE: f64 = 1e-9;

impl Score {
    /// The score of the sequence that leads to `node` in so many steps.
    pub(super) fn of(&self, log_probability: f64, steps: usize, paths: &Paths, node: usize) -> f64 {
        let normalized = log_probability / self.length(steps);
        if self.coverage == 0.0 {
            return normalized;
        }
        let logs = paths.coverage(node).into_iter().map(|sum| sum.clamp(LEAST_COVERAGE, 1.0).ln());
        normalized + self.coverage * logs.sum::<f64>()
    }

    /// What nothing can exceed that begins with this log-probability and has at most so many steps.
    ///
    /// A further token never raises the log-probability, for its own is at most 0; a longer sequence is divided by more, and
    /// the longest by most; and the coverage penalty is at most 0.
    pub(super) fn bound(&self, log_probability: f64, longest: usize) -> f64 {
        if self.length == 0.0 {
            return log_probability;
        }
        // A hair above, for powers are rounded.
        log_probability / self.length(longest) * (1.0 - 1e-12)
    }

    fn length(&self, steps: usize) -> f64 {
        // Of no steps the log-probability is 0, and so must its share be.
        if self.length == 0.0 { 1.0 } else { ((5.0 + steps.max(1) as f64) / 6.0).powf(self.length) }
    }
}
