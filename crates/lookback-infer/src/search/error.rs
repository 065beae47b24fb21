//! What can be wrong while sequences are searched for.

use crate::error::{Overflow, PlanError};

/// Why there is no answer. Sources, steps and tokens are counted from 0.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError<E: std::error::Error> {
    /// The decoder's own.
    #[error(transparent)]
    Decoder(E),
    /// A log-probability that is none.
    #[error(
        "the decoder gave {value} as the log-probability of token {token} at step {step} of source {source_row}; \
         a number of at most 0 was expected"
    )]
    LogProbability {
        /// The source.
        source_row: usize,
        /// The step.
        step: usize,
        /// The token.
        token: usize,
        /// What it gave.
        value: f32,
    },
    /// A weight of the attention that is none.
    #[error(
        "the decoder gave {value} as a weight of its attention at step {step} of source {source_row}; a number from 0 on was \
         expected"
    )]
    Attention {
        /// The source.
        source_row: usize,
        /// The step.
        step: usize,
        /// What it gave.
        value: f32,
    },
    /// A normaliser that is no number, where the repetition penalty needs it.
    #[error(
        "the decoder gave {value} as what the logits were above the log-probabilities at step {step} of source {source_row}; \
         a number was expected"
    )]
    Normalizer {
        /// The source.
        source_row: usize,
        /// The step.
        step: usize,
        /// What it gave.
        value: f32,
    },
    /// Attention is asked for, and there is none, or not of all rows.
    #[error(
        "{asked} needs the attention of every row, but of {rows} rows the decoder gave that of {found} at step {step}"
    )]
    NoAttention {
        /// What needs it.
        asked: &'static str,
        /// How many rows there were.
        rows: usize,
        /// How many have one.
        found: usize,
        /// The step.
        step: usize,
    },
    /// A token that a source must begin with, and that cannot come there.
    #[error("source {source_row} must begin with token {token} at step {step}, but its probability there is zero")]
    Prefix {
        /// The source.
        source_row: usize,
        /// The step.
        step: usize,
        /// The token.
        token: u32,
    },
    /// What is asked for cannot be searched for.
    #[error("source {source_row} {problem}")]
    Request {
        /// The source.
        source_row: usize,
        /// What does not fit, as the rest of the sentence.
        problem: String,
    },
    /// The same of all sources.
    #[error("{0}")]
    Unfit(String),
}

/// Why a model that searches has no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// Numbers overflow.
    Overflow,
    /// What is asked for cannot be done, in a sentence.
    Unfit(String),
}

impl<E: std::error::Error> From<SearchError<E>> for Unanswered {
    fn from(error: SearchError<E>) -> Self {
        match error {
            SearchError::LogProbability { .. } | SearchError::Attention { .. } | SearchError::Normalizer { .. } => {
                Unanswered::Overflow
            }
            other => Unanswered::Unfit(other.to_string()),
        }
    }
}

impl Unanswered {
    /// As an error of a model whose largest weight this is.
    pub(crate) fn of(self, largest: &Overflow) -> crate::Error {
        match self {
            Unanswered::Overflow => largest.clone().into(),
            Unanswered::Unfit(problem) => PlanError::Unfit(problem).into(),
        }
    }
}

/// What a source finds wrong, before it is told which one it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    LogProbability { token: usize, value: f32 },
    Attention(f32),
    Normalizer(f32),
    Prefix(u32),
}

impl Fault {
    pub(super) fn of<E: std::error::Error>(self, source_row: usize, step: usize) -> SearchError<E> {
        match self {
            Fault::LogProbability { token, value } => SearchError::LogProbability { source_row, step, token, value },
            Fault::Attention(value) => SearchError::Attention { source_row, step, value },
            Fault::Normalizer(value) => SearchError::Normalizer { source_row, step, value },
            Fault::Prefix(token) => SearchError::Prefix { source_row, step, token },
        }
    }
}
