//! Tagging: one label per token of a text.
//!
//! `plan` says what the network is, `network` scores tags and `decoder` chooses them; `segment` makes words of characters; `data` are sentences with their tags, `scheme` is how tags spell spans, `metrics`
//! and `span_scores` are the figures it is judged by, `model` is the trained tagger and
//! `answer` what it says.

mod answer;
mod data;
mod decoder;
mod metrics;
mod model;
mod network;
mod plan;
pub mod scheme;
mod segment;
mod span_scores;

pub use self::data::{Dataset, Tags, convert, read, wanted};
pub use self::decoder::Decoder;
pub use self::metrics::Metrics;
pub use self::model::{Description, Prediction, Tagger, budget, decoder, judge};
pub use self::network::{Network, TagScores, answer_together};
pub use self::plan::NetworkPlan;
pub use self::segment::SCHEME as WORDS;
pub use self::span_scores::{Average, SpanScores};
use crate::model::Score;

/// The task's name, and the kind of its model files.
pub const NAME: &str = "tag";

/// Share of tokens with the right tag.
pub const ACCURACY: Score = Score::share("accuracy", "accuracy");
/// The same among tokens that the vocabulary does not have.
pub const UNKNOWN_ACCURACY: Score = Score::share("unknown-accuracy", "accuracy on unknown tokens");
/// Share of the answered spans that are right.
pub const PRECISION: Score = Score::share("precision", "precision");
/// Share of the right spans that are answered.
pub const RECALL: Score = Score::share("recall", "recall");
/// Harmonic mean of the two.
pub const F1: Score = Score::share("f1", "F1");
/// The same for spans that are spelt without a mistake.
pub const STRICT_F1: Score = Score::share("strict-f1", "strict F1");

/// What a tagger is validated by; the first decides unless another is asked for.
pub const SCORES: [Score; 3] = [ACCURACY, UNKNOWN_ACCURACY, F1];
