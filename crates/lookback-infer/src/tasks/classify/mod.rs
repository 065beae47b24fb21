//! Classification of texts and of numeric series: one label for a whole sequence.
//!
//! `plan` says what the network is, `network` answers, with the `linear` part beside it and its `ngrams`; `data` are
//! labelled examples, `metrics` the figures it is judged by, `model` the trained classifier.

mod data;
mod linear;
mod metrics;
mod model;
mod network;
mod ngrams;
mod plan;

pub use self::data::{Bag, Dataset};
pub use self::metrics::{Confused, Metrics};
pub use self::model::{Classifier, Description, NGRAM_WEIGHT, Prediction, budget, judge};
pub use self::network::{Network, answer_together};
pub use self::ngrams::{NgramBag, NgramBagConfig, Sizes};
pub use self::plan::NetworkPlan;
use crate::model::Score;

/// The task's name, and the kind of its model files.
pub const NAME: &str = "classify";

/// Share of right answers.
pub const ACCURACY: Score = Score::share("accuracy", "accuracy");
/// F1 averaged over the labels that occur, each counting the same.
pub const MACRO_F1: Score = Score::share("macro-f1", "macro F1");
/// F1 over all answers together.
const MICRO_F1: Score = Score::share("micro-f1", "micro F1");

/// What a classifier is validated by; the first decides unless another is asked for.
pub const SCORES: [Score; 2] = [ACCURACY, MACRO_F1];
