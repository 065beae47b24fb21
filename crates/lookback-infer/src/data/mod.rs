//! Reading files: a reader ([`table`], [`lines`], [`series`], [`history`], [`tagged`], [`pairs`] or [`documents`]) gives examples with their line numbers,
//! [`labels`] turns labels into classes. No reader guesses silently: what was found out is told as an event of `tracing`, and what does not fit is an
//! error that names the file and the line.

pub mod documents;
pub mod doubts;
pub mod history;
pub mod labels;
pub mod lines;
pub mod pairs;
pub mod series;
pub mod table;
pub mod tagged;
pub mod vectors;
pub mod words;

mod bad_rows;
mod columnar;
mod columns;
mod compression;
mod delimited;
mod dialect;
mod encoding;
mod fasttext;
mod file_text;
mod first_line;
mod format;
mod kept;
mod label_lists;
mod layout;
mod marks;
mod roles;

pub use self::columns::{Column, HeaderChoice, Labels};
pub use self::encoding::Encoding;
pub use self::format::Format;
pub use self::kept::{Keep, Kept};
pub use self::layout::{Layout, OnBadRow};
pub use self::marks::{Mark, Separator};
