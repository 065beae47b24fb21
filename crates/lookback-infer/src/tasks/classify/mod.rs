//! Classification of texts and of numeric series: one label for a whole sequence.

mod linear;
mod metrics;
mod network;
mod ngrams;
mod plan;

pub use self::linear::Bag;
pub use self::metrics::{ClassMetrics, Confused, Metrics};
pub use self::network::{Network, Output, answer_together};
pub use self::ngrams::{NgramBag, NgramBagConfig, Sizes};
pub use self::plan::NetworkPlan;
