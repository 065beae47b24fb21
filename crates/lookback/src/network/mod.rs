//! What the networks of all tasks are made of, on Burn; how it answers without is `lookback_infer::network`.

mod attend;
mod encoder;
mod forms;
mod options;
mod pooling;
mod reading;
mod tensors;
mod twin;

pub(crate) use encoder::Encoded;
pub use encoder::Encoder;
pub(crate) use forms::{cell_of, score_of};
pub use options::EncoderOptions;
pub(crate) use options::option_of;
pub(crate) use pooling::Pool;
pub use reading::Reading;
pub(crate) use reading::of_encoders;
pub(crate) use tensors::{filled, read, read_each, values};
pub(crate) use twin::twin;
