//! What the networks of all tasks are made of, and how it answers: token vectors or channels, recurrent layers, attention.

mod attention_form;

pub mod budget;
mod cell;
mod plan;
mod pooling_form;
mod tensors;

pub use self::attention_form::AttentionForm;
pub use self::cell::Cell;
pub use self::plan::EncoderPlan;
pub use self::pooling_form::{PoolKind, Pooling};
pub use self::tensors::Tensors;
