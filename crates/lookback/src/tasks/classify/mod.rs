//! Classification of texts and of numeric series: one label for a whole sequence.
//!
//! `config` turns options into a checked plan, `data` files into examples and batches, `model` is the network,
//! `attention` what stands between its recurrent layers and the pooling, `wide` the linear part beside it, `metrics`
//! the figures it is judged by, `classifier` the trained model with all it needs to answer: encoder, labels and
//! parameters, in one file. `budget` is what all this may take of memory.

mod attention;
mod budget;
mod classifier;
mod config;
mod data;
mod ensemble;
mod fit;
mod metrics;
mod model;
mod options;
mod parameters;
mod pool;
mod pooling;
mod recurrent;
mod wide;

pub use attention::{AttentionForm, View};
pub use classifier::{Classifier, MemberRecord, Prediction, TrainingRecord};
pub use config::{ClassifyPlan, InputPlan, ModelPlan, SeriesPlan, TextPlan, ValidationPlan};
pub use data::{Batch, BatchInput, Dataset, Example};
pub use fit::{FitError, Fitted, fit, fit_texts};
pub use metrics::{ClassMetrics, Confused, Metrics};
pub use model::{Cell, ClassifierModel, Logits};
pub use options::{
    ClassWeights, ClassifyOptions, ColumnChoice, DataOptions, FormatChoice, HeaderChoice, ModelOptions, TokenizerOption,
};
pub use pooling::{PoolKind, Pooling};
pub use wide::WideBatch;
