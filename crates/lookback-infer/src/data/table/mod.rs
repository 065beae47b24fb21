//! Texts and labels from CSV, TSV and JSON Lines files.
//!
//! # Which columns
//! A column told by name or number is taken as told. For a column that is not told, the header is searched for the
//! names that data sets use: `text`, `sentence`, `question`, `review`, `utterance`, `query`, `content`, `comment`,
//! `message`, `document`, `tweet`, `body` for the text and `label`, `class`, `category`, `intent`, `sentiment`,
//! `target`, `tag`, `topic`, `polarity`, `rating`, `y` for the label, the first found in this order. In a file of
//! two columns the other column is meant; of two unnamed columns the text is the first and the label the second.
//! Anything else is an error that asks.
//!
//! # Whether the first line is a header
//! It is when told so, and when a column is asked for by name. Otherwise it is one if it holds a known name of a
//! text and a known name of a label (of a text alone where labels are not read), or if the field at the place of
//! the text is a known text name, or the field at the place of the label is a known label name that never comes
//! again as a label. Names are compared without regard to case and surrounding spaces.
//!
//! # What is read how
//! UTF-8, with or without a byte order mark, with LF or CR LF. In CSV a quoted field may hold commas and line
//! ends; in TSV a quote is an ordinary character. Blank lines are skipped. Labels lose surrounding white space,
//! texts keep it.

mod delimited;
pub(super) mod json_lines;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use super::columns::{Column, Labels};
use super::{Format, file_text};
use crate::error::DataError;

/// What to do with a text that is empty or only white space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmptyText {
    /// An error that names the line.
    #[default]
    Refuse,
    /// Leave the example out, with a warning that names the line.
    Skip,
    /// Keep it: a prediction answers every line.
    Keep,
}

/// How to read a table. The default fits training: labels are required and empty texts refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableOptions {
    /// The format, one of texts; the extension tells it if absent.
    pub format: Option<Format>,
    /// The column or key of the text.
    pub text: Option<Column>,
    /// The column or key of the label.
    pub label: Option<Column>,
    /// Whether the first line is a header; found out if absent. JSON Lines have none.
    pub header: Option<bool>,
    /// Whether labels are read.
    pub labels: Labels,
    /// What happens to empty texts.
    pub empty_text: EmptyText,
}

impl TableOptions {
    /// Options that read texts alone and keep empty ones.
    pub fn prediction() -> Self {
        Self { labels: Labels::Ignored, empty_text: EmptyText::Keep, ..Self::default() }
    }
}

/// One text, its label and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextExample {
    /// The text as it stands in the file.
    pub text: String,
    /// The label; always there when labels are required.
    pub label: Option<String>,
    /// The line on which the example starts, counted from 1.
    pub line: usize,
}

/// Reads all examples of a file.
///
/// # Errors
/// If the file cannot be read, is not UTF-8 or is empty; if a column is missing or unclear; if a row does not fit,
/// lacks its label or, unless [`EmptyText`] says otherwise, its text; and if no example is left.
pub fn read_table(file: &Path, options: &TableOptions) -> Result<Vec<TextExample>, DataError> {
    // Opening comes first: a missing file should not be reported as a file of unknown format.
    let text = file_text::read(file)?;
    let file = &file_text::name(file);
    let found = match options.format.or_else(|| Format::of_texts(file)) {
        Some(format @ (Format::Csv | Format::Tsv)) => delimited::read(file, &text, format, options)?,
        Some(Format::Jsonl) => json_lines::read(file, &text, options)?,
        _ => return Err(DataError::UnknownFormat { file: file.into(), expected: Format::OF_TEXTS }),
    };
    let mut examples = Vec::with_capacity(found.len());
    for example in found {
        if options.labels == Labels::Required && example.label.as_ref().is_none_or(String::is_empty) {
            return Err(DataError::EmptyLabel { file: file.into(), line: example.line });
        }
        if example.text.trim().is_empty() {
            match options.empty_text {
                EmptyText::Refuse => return Err(DataError::EmptyText { file: file.into(), line: example.line }),
                EmptyText::Skip => {
                    tracing::warn!("{}, line {}: the text is empty; left out", file.display(), example.line);
                    continue;
                }
                EmptyText::Keep => {}
            }
        }
        // A label that is there but empty is no label where labels are optional.
        examples.push(TextExample { label: example.label.filter(|label| !label.is_empty()), ..example });
    }
    if examples.is_empty() {
        return Err(DataError::NoExamples { file: file.into() });
    }
    Ok(examples)
}
