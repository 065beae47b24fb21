//! What a model reads, as training sees it: options become an [`lookback_infer::input::InputPlan`], a batch becomes
//! vectors. All else about inputs is `lookback_infer::input`.

mod options;
mod vectors;

pub use options::InputOptions;
pub(crate) use options::{FOR_TEXTS, refuse};
pub(crate) use vectors::{tables, vectors};
