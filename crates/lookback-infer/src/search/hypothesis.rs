//! What is found, and which of it is better.

use std::cmp::Ordering;

use super::paths::Paths;

/// A sequence that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// `[T]`, the forced ones too, without the end.
    pub tokens: Vec<u32>,
    /// The log-probability, normalised by length and coverage as the options say.
    pub score: f64,
    /// The sum of all log-probabilities.
    pub log_probability: f64,
    /// `[T]`, or `[T + 1]` with that of the end: the decoder's own log-probability of each token, whatever it was drawn from.
    pub log_probabilities: Vec<f32>,
    /// `[T, S]`, or `[T + 1, S]`: what each step looked at, where that is kept.
    pub attention: Vec<Vec<f32>>,
    /// Why it ends.
    pub ending: Ending,
    /// How many of the required sequences it lacks; none where it ended by itself.
    pub missing: usize,
}

/// Why a sequence ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The decoder ended it.
    End,
    /// It was cut at the maximum.
    Longest,
    /// Whoever watched broke it off: [`Search::run_watched`](super::Search::run_watched).
    BrokenOff,
    /// Every token that could follow is forbidden or has no probability.
    Stuck,
}

/// A sequence that is complete, in the tree of all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finished {
    pub(super) node: usize,
    pub(super) log_probability: f64,
    pub(super) score: f64,
    pub(super) ending: Ending,
    pub(super) missing: usize,
}

impl Finished {
    /// What is better comes first: what lacks fewer required sequences; what ended by itself, where that goes first, and
    /// what was stuck last; the higher score; the lower first token that differs.
    fn order(&self, other: &Finished, ended_first: bool, paths: &Paths) -> Ordering {
        let rank = |finished: &Finished| (finished.missing, finished.class(ended_first));
        let order = rank(self).cmp(&rank(other)).then(other.score.total_cmp(&self.score));
        order.then_with(|| paths.tokens(self.node).cmp(&paths.tokens(other.node)))
    }

    fn class(&self, ended_first: bool) -> u8 {
        match self.ending {
            Ending::End | Ending::BrokenOff => 0,
            Ending::Longest => u8::from(ended_first),
            Ending::Stuck => 2,
        }
    }

    pub(super) fn hypothesis(&self, paths: &Paths, with_attention: bool) -> Hypothesis {
        let mut tokens = paths.tokens(self.node);
        if self.ending == Ending::End {
            tokens.pop();
        }
        Hypothesis {
            tokens,
            score: self.score,
            log_probability: self.log_probability,
            log_probabilities: paths.log_probabilities(self.node),
            attention: if with_attention { paths.attention(self.node) } else { Vec::new() },
            ending: self.ending,
            missing: self.missing,
        }
    }
}

/// The best sequences that are complete, the best first.
#[derive(Clone, Debug)]
pub(super) struct Best {
    most: usize,
    ended_first: bool,
    sorted: Vec<Finished>,
}

impl Best {
    pub(super) fn new(most: usize, ended_first: bool) -> Self {
        Self { most, ended_first, sorted: Vec::new() }
    }

    pub(super) fn offer(&mut self, finished: Finished, paths: &Paths) {
        let place = self.sorted.partition_point(|other| other.order(&finished, self.ended_first, paths).is_le());
        if place < self.most {
            self.sorted.truncate(self.most - 1);
            self.sorted.insert(place, finished);
        }
    }

    pub(super) fn sorted(&self) -> &[Finished] {
        &self.sorted
    }

    /// Whether nothing with a score of at most `bound` can still be among them.
    pub(super) fn are_final(&self, bound: f64) -> bool {
        let worst = self.sorted.get(self.most - 1);
        worst.is_some_and(|worst| worst.missing == 0 && worst.class(self.ended_first) == 0 && worst.score > bound)
    }
}
