//! Lookback: train, explain and serve sequence models with recurrence and attention.
//!
//! The library behind the `lookback` program, and the half of it that trains; [`lookback_infer`] holds what a trained
//! model needs to answer. `input` and `network` are what all tasks are made of on Burn, `train` the loop they share,
//! `search` tries options, `tasks` holds one folder per task, `insight` draws what a model looked at, and `cli` is the program.
//!
//! ```no_run
//! use std::path::Path;
//!
//! let model = lookback_infer::load(Path::new("model.safetensors"))?;
//! for answer in model.answer_lines(&["where is my parcel"])? {
//!     println!("{}", answer.line);
//! }
//! # Ok::<(), lookback_infer::Error>(())
//! ```
//!
//! Shapes are written with these letters everywhere: `B` batch, `T` time, `I` input, `C` channels of a series,
//! `E` embedding, `H` hidden, `D` directions, `O` outputs of a step, `W` their width after attention, `L` layers,
//! `N` labels, `V` vocabulary.

pub mod cli;
pub mod demo;
pub mod input;
pub mod insight;
pub mod network;
mod options_file;
mod ranges;
pub mod search;
pub mod tasks;
pub mod train;

pub use lookback_infer;
