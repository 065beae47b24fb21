//! Classification of texts and of numeric series: one label, or several, for a whole sequence.
//!
//! `plan` says what the network is, `network` answers, with the `linear` part beside it and its `ngrams`, and `calibration`
//! makes one answer of both; `data` are labelled examples, `metrics` the figures it is judged by, `coverage` those of the answers
//! that are sure; `model` is the trained classifier, and `answer` what it says. A text has one label or several:
//! `labels_per_text` says which, and `targets`, `thresholds` and `several_metrics` are what follows from it.

mod answer;
mod calibration;
mod coverage;
mod data;
mod labels_per_text;
mod linear;
mod metrics;
mod model;
mod network;
mod ngrams;
mod plan;
mod several_metrics;
mod targets;
mod thresholds;

pub use self::calibration::Calibration;
pub use self::data::{Dataset, encoded};
pub use self::labels_per_text::LabelsPerText;
pub use self::linear::LinearPart;
pub use self::metrics::{Confused, Metrics};
pub use self::model::{Classifier, Description, Prediction, budget, logits};
pub use self::network::{Network, answer_together};
pub use self::ngrams::{NgramBag, NgramBagConfig, Sizes};
pub use self::plan::NetworkPlan;
pub use self::several_metrics::SeveralMetrics;
pub use self::targets::Targets;
pub use self::thresholds::Thresholds;
use crate::model::Score;

/// The task's name, and the kind of its model files.
pub const NAME: &str = "classify";

/// Share of right answers.
pub const ACCURACY: Score = Score::share("accuracy", "accuracy");
/// F1 averaged over the labels that occur, each counting the same.
pub const MACRO_F1: Score = Score::share("macro-f1", "macro F1");
/// F1 over all answers together.
pub const MICRO_F1: Score = Score::share("micro-f1", "micro F1");
/// Share of texts of which all labels are answered, and no other.
pub const SUBSET_ACCURACY: Score = Score::share("subset-accuracy", "subset accuracy");

/// How far the probabilities of the answers are from the share of right ones.
const CALIBRATION_ERROR: Score = error("calibration-error", "calibration error");
/// As it would be without calibration.
const CALIBRATION_ERROR_BEFORE: Score = error("calibration-error-before", "before calibration");
/// Area under the curve of true against false positives, of two labels.
const ROC_AUC: Score = Score::share("roc-auc", "ROC AUC");
/// Area under the curve of precision against recall, of two labels.
const AVERAGE_PRECISION: Score = Score::share("average-precision", "average precision");

/// Share of wrong decisions about a label and a text, where a text may have several labels.
const HAMMING_LOSS: Score = error("hamming-loss", "Hamming loss");
/// Average precision, averaged over the labels.
const MEAN_AVERAGE_PRECISION: Score = Score::share("mean-average-precision", "mean average precision");

const fn error(name: &'static str, title: &'static str) -> Score {
    Score { higher_is_better: false, ..Score::share(name, title) }
}

/// Share of the examples whose answer is sure.
const COVERAGE: Score = Score::share("coverage", "coverage");
/// Share of right answers among those that are sure.
const ACCURACY_ANSWERED: Score = Score::share("accuracy-answered", "accuracy of answered");

/// What a classifier is validated by; the first decides unless another is asked for.
pub const SCORES: [Score; 2] = [ACCURACY, MACRO_F1];

/// What a classifier is validated by whose texts may have several labels.
pub const SCORES_OF_SEVERAL: [Score; 3] = [MICRO_F1, MACRO_F1, SUBSET_ACCURACY];
