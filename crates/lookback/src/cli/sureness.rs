//! `--threshold` and `--margin`, of every command that answers.

use clap::Args;
use lookback_infer::model::Unsure;

/// When an answer is unsure. `evaluate` then tells the share of those that are not, and how many of them are right.
#[derive(Args, Debug)]
pub(super) struct Sureness {
    /// An answer is unsure where the likeliest label's probability is below this; of a model of several labels a text, the labels
    /// of this probability or more are answered
    #[arg(long, value_name = "PROBABILITY", allow_negative_numbers = true)]
    threshold: Option<f64>,
    /// An answer is unsure where the likeliest label is less than this above the next
    #[arg(long, value_name = "DIFFERENCE", allow_negative_numbers = true)]
    margin: Option<f64>,
}

impl Sureness {
    pub(super) fn unsure(&self) -> Unsure {
        Unsure { threshold: self.threshold, margin: self.margin, label: None }
    }
}
