//! What a model reads, as training sees it: options become an [`lookback_infer::input::InputPlan`], a batch becomes
//! vectors. All else about inputs is `lookback_infer::input`.

mod options;
mod vectors;

pub(crate) use options::{FOR_TEXTS, NONE, check_file, largest_vocabulary, refuse};
pub use options::{InputOptions, TokenOptions};
pub(crate) use vectors::{tables, vectors};
