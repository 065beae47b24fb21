//! Numeric sequences of one or more channels, from `.ts` files and from CSV in long form.
//!
//! # `.ts`
//! The format of sktime and aeon: a header of `@` lines, then `@data`, then a sequence per line: channels parted by
//! `:`, values by `,`, the label last if the header says `@classLabel true`. What the header tells (dimensions,
//! length, labels) is checked. Time stamps are not supported.
//!
//! # Long form
//! A CSV row per time step, with an id that all rows of a sequence share, in any order of the rows:
//! ```text
//! id,time,x,y,label
//! a,0,0.1,2.0,walk
//! a,1,0.2,2.1,walk
//! b,0,0.9,1.0,run
//! ```
//! The id is the column told, or one called `id`, `sequence`, `sequence_id`, `series`, `series_id`, `case` or
//! `case_id`. The time is the column told, or one called `time`, `step`, `t` or `timestamp`; without one the rows
//! stand in order. Times sort as numbers, or as text where one is no number, which is right for ISO 8601. The label
//! is the column told, or one called `label`, `class`, `category` or `target`. The values are the columns told, or all that are left.
//! The first line is a header when told so, when a column is asked for by name, when one has to be found by name,
//! or when none of its value fields is a number.

mod long_form;
#[cfg(test)]
mod tests;
mod ts;

use std::path::Path;

pub use super::columns::{Column, Labels};
use super::encoding::Decoded;
use super::{Format, Layout, file_text};
use crate::error::DataError;

/// How to read series. The default fits training. All columns concern the long form only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesOptions {
    /// The format, one of series; the extension tells it if absent.
    pub format: Option<Format>,
    /// The column that tells which sequence a row belongs to.
    pub id: Option<Column>,
    /// The column that orders the rows of a sequence.
    pub time: Option<Column>,
    /// The column of the label.
    pub label: Option<Column>,
    /// The columns of the channels, in this order; all that are left if empty.
    pub values: Vec<Column>,
    /// Whether the first line is a header; found out if absent.
    pub header: Option<bool>,
    /// Whether labels are read.
    pub labels: Labels,
    /// How the file is laid out, where that is told.
    pub layout: Layout,
}

/// One sequence, its label and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesExample {
    /// `[T, C]`, row after row; every value is finite.
    pub values: Vec<f32>,
    /// T, at least 1.
    pub length: usize,
    /// C, the same for all examples of a file, at least 1.
    pub channels: usize,
    /// The label; always there when labels are required.
    pub label: Option<String>,
    /// The line on which the example starts, counted from 1.
    pub line: usize,
}

/// Reads all sequences of a file.
///
/// # Errors
/// If the file cannot be read, is not UTF-8 or is empty; if its header or columns are not as expected; if a value
/// is missing, no number or not finite, with its line, channel and step; if a label is missing or changes within a
/// sequence; and if channels differ in number or in length.
pub fn read_series(file: &Path, options: &SeriesOptions) -> Result<Vec<SeriesExample>, DataError> {
    let Decoded { text, encoding, guessed } = file_text::read(file, options.layout.encoding)?;
    let file = &file_text::name(file);
    if guessed {
        tracing::warn!("{}: its encoding was found to be {encoding}; --encoding says another", file.display());
    }
    let examples = match options.format.or_else(|| Format::of_series(file)) {
        Some(Format::Ts) => ts::read(file, &text, options.labels)?,
        Some(Format::CsvLong) => long_form::read(file, &text, options)?,
        _ => return Err(DataError::UnknownFormat { file: file.into(), expected: Format::OF_SERIES }),
    };
    let Some(first) = examples.first() else { return Err(DataError::NoExamples { file: file.into() }) };
    let expected = first.channels;
    if let Some(other) = examples.iter().find(|example| example.channels != expected) {
        return Err(DataError::Channels { file: file.into(), line: other.line, found: other.channels, expected });
    }
    let unlabelled = |example: &&SeriesExample| example.label.is_none();
    if let Some(example) = examples.iter().find(unlabelled).filter(|_| options.labels == Labels::Required) {
        return Err(DataError::EmptyLabel { file: file.into(), line: example.line });
    }
    Ok(examples)
}

/// A finite number, or nothing.
fn finite(text: &str) -> Option<f32> {
    text.trim().parse::<f32>().ok().filter(|value| value.is_finite())
}
