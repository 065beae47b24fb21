//! A trained model that answers, on the kernels alone: no autodiff, no optimiser, no framework.
//!
//! [`load`] reads a model file that `lookback train` wrote; a [`model::Model`] reads inputs as it was trained to, answers
//! them and shows what it looked at. `data` reads files, `input` turns what they hold into ids and numbers, `network` is
//! what the networks of all tasks are made of, `search` finds the sequences that a decoder makes likely, `tasks` holds one
//! folder per task, `model_file` keeps a model in one file.
//!
//! Shapes are written with these letters everywhere: `B` batch, `T` time, `I` input, `C` channels of a series,
//! `E` embedding, `H` hidden, `D` directions, `O` outputs of a step (`D * H`), `L` layers, `N` labels, `V` vocabulary.

pub mod data;
pub mod error;
pub mod input;
pub mod memory_limit;
pub mod model;

pub mod model_file;
pub mod network;
pub mod search;
pub mod tasks;

pub use error::{Error, Result};
pub use tasks::load;
