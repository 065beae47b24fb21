//! Reading files: a reader ([`table`], [`lines`], [`series`] or [`conll`]) gives examples with their line numbers, [`labels`] turns
//! labels into classes. No reader guesses silently: what does not fit is an error that names the file and the line.

pub mod conll;
pub mod labels;
pub mod lines;
pub mod series;
pub mod table;

mod columns;
mod delimited;
mod file_text;
mod format;

pub use self::columns::{Column, HeaderChoice, Labels};
pub use self::format::Format;
