//! Tagging: one label per token of a text.
//!
//! `plan` says what the network is, `network` answers; `data` are sentences with their tags, `metrics` the figures it is
//! judged by, `model` the trained tagger.

mod data;
mod metrics;
mod model;
mod network;
mod plan;

pub use self::data::{Dataset, read};
pub use self::metrics::Metrics;
pub use self::model::{Description, Prediction, Tagger, budget, judge};
pub use self::network::{Network, answer_together};
pub use self::plan::NetworkPlan;
use crate::model::Score;

/// The task's name, and the kind of its model files.
pub const NAME: &str = "tag";

/// Share of tokens with the right tag.
pub const ACCURACY: Score = Score::share("accuracy", "accuracy");
/// The same among tokens that the vocabulary does not have.
pub const UNKNOWN_ACCURACY: Score = Score::share("unknown-accuracy", "accuracy on unknown tokens");

/// What a tagger is validated by; the first decides unless another is asked for.
pub const SCORES: [Score; 2] = [ACCURACY, UNKNOWN_ACCURACY];
