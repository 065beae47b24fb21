//! What the networks of all tasks are made of, and how it answers: token vectors or channels, recurrent layers, attention.
//!
//! The same as the networks that `lookback` trains, tensor for tensor and name for name, on slices and kernels. The names
//! stand with [`Encoder`].

mod attend;
mod attention_form;
pub mod budget;
mod cell;
mod compare;
mod encoder;
mod ensemble;
mod linear;
mod link;
mod plan;
mod pool;
mod pooling_form;
mod ragged;
mod recurrent;
mod softmax;
mod workspace;

pub use self::attention_form::AttentionForm;
pub use self::cell::Cell;
pub use self::compare::DecoderScore;
pub(crate) use self::compare::{Compare, look};
pub use self::encoder::{Encoded, Encoder, Pooled, Weights};
pub(crate) use self::ensemble::together;
pub use self::ensemble::{MOST_NETWORKS, Output};
pub(crate) use self::linear::Linear;
pub use self::link::Link;
pub use self::plan::{EmbeddingsMode, EncoderPlan};
pub(crate) use self::pool::Pool;
pub use self::pooling_form::{PoolKind, Pooling};
pub(crate) use self::ragged::Ragged;
pub(crate) use self::recurrent::{LayerState, Recurrent, RecurrentShape};
pub use self::softmax::log_softmax;
pub(crate) use self::softmax::{add_logs, cross_entropy, likeliest, log_of_sum, softmax};
pub(crate) use self::workspace::Workspaces;
