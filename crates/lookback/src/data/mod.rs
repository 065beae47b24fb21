//! Reading examples and turning them into numbers.
//!
//! The way of the data: a reader ([`table`], [`lines`] or [`series`]) gives examples with their line numbers; a
//! [`tokenizer`] cuts texts into tokens; an [`encoder`] with its [`vocabulary`] turns tokens into ids; [`labels`]
//! turns labels into classes; [`split`] keeps a part for validation and [`batches`] groups rows of similar length.
//! No reader guesses silently: what does not fit is an error that names the file and the line.

pub mod batches;
pub mod encoder;
pub mod labels;
pub mod lines;
pub mod series;
pub mod split;
pub mod table;
pub mod tokenizer;
pub mod vocabulary;
pub mod wide;

mod columns;
mod delimited;
mod file_text;
