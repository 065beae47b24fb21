//! Lookback: train, explain and serve sequence models with recurrence and attention.
//!
//! The library behind the `lookback` program. `data` reads files and makes token ids and batches of them, `tasks`
//! holds one folder a task, `train` the loop that all tasks share, `insight` shows what a model looks at,
//! `memory_limit` bounds what a row or an option can ask for, `model_file` keeps a model in one file, and `cli` is the program.
//!
//! Shapes are written with these letters everywhere: `B` batch, `T` time, `I` input, `C` channels of a series,
//! `E` embedding, `H` hidden, `D` directions, `L` layers, `N` labels, `V` vocabulary.

pub mod cli;
pub mod data;
pub mod demo;
pub mod error;
pub mod insight;
pub mod memory_limit;
pub mod model_file;
pub mod tasks;
pub mod train;
