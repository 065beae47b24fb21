//! Classification of texts and of numeric series: one label for a whole sequence.

mod metrics;
mod ngrams;

pub use self::metrics::{ClassMetrics, Confused, Metrics};
pub use self::ngrams::{NgramBag, NgramBagConfig, Sizes};
