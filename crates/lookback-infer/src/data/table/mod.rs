//! Texts and labels from CSV, TSV, JSON Lines, Parquet and Arrow files.
//!
//! # Which columns
//! A column told by name or number is taken as told. For one that is not told, the header is searched for the name that the
//! training data had, then for the names that data sets use: `text`, `sentence`, `question`, `review`, `utterance`, `query`,
//! `content`, `comment`, `message`, `document`, `tweet`, `body` for the text and `label`, `class`, `category`, `intent`,
//! `sentiment`, `target`, `tag`, `topic`, `polarity`, `rating`, `y` for the label, the first found in this order. In a file
//! of two columns the other column is meant. Without a name the values tell, where there are rows enough: texts are words
//! and hardly one comes again, labels are few and come again. Of two columns that tell nothing the text is the first and
//! the label the second. Anything else is an error that asks.
//!
//! # Whether the first line is a header
//! It is when told so, and when a column is asked for by name. Otherwise it is one if it holds a known name of a
//! text and a known name of a label (of a text alone where labels are not read), or if the field at the place of
//! the text is a known text name, or the field at the place of the label is a known label name that never comes
//! again as a label; and if it has a word where all other rows have numbers, or in place of the label something that is no
//! other row's while each of theirs comes again. Names are compared without regard to case and surrounding spaces.
//!
//! # What is read how
//! In the encoding that the file is told or found to have, packed by gzip or Zstandard or not, with LF or CR LF. How fields
//! are told apart is found out too, and what was found out is told as an event of `tracing`. Blank rows are skipped. Labels
//! lose surrounding white space, texts keep it. Of JSON a key may be a path such as `data.text`; true, false and numbers are
//! labels as they are written, and a number is a text.
//!
//! Of Parquet and Arrow the columns that are needed alone, whose names are their header; null is an empty field.
//!
//! # Several labels
//! With a separator for labels a text may have any number of them, none as well: a list in JSON or in a column of lists, a
//! field with the separator between them or, where every field does, a list as Python or JSON writes one, several `__label__` of
//! fastText. Their column is searched for as `labels`, `classes`, `categories`, `intents`, `tags`, `topics`, `genres` and
//! `emotions` first. Without one a text has one label, and a list is an error.

mod delimited;
mod fasttext;
pub(super) mod json;
#[cfg(feature = "parquet")]
mod of_columns;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::bad_rows::BadRows;
use super::columnar::{self, Content};
pub use super::columns::{Column, Labels};
use super::encoding::Decoded;
use super::kept::{Keep, Kept};
use super::label_lists::list;
use super::{Format, Layout, file_text, tagged};
use crate::error::{DataError, counted};

/// What to do with a text that is empty or only white space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmptyText {
    /// An error that names the line.
    #[default]
    Refuse,
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
    /// How the file is laid out, where that is told.
    pub layout: Layout,
    /// The columns of the training data, where these are other data.
    pub trained: Option<TableColumns>,
    /// The columns of a table that are kept beside text and label.
    pub keep: Keep,
    /// What stands between the labels of a text in its column, where a text may have several or none; otherwise it has one.
    pub label_separator: Option<char>,
}

/// The columns of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableColumns {
    /// Whether they have names; numbers stand for those that have none.
    pub header: bool,
    /// What each is called, in their order; of JSON the keys that are read.
    pub names: Vec<String>,
    /// The place of the text, counted from 0.
    pub text: usize,
    /// The place of the label, counted from 0.
    pub label: Option<usize>,
}

/// What a table holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// At least one.
    pub examples: Vec<TextExample>,
    /// Its columns.
    pub columns: TableColumns,
}

/// How a table was found to be.
struct Found {
    /// Such as "commas between the columns".
    form: String,
    columns: TableColumns,
}

impl TableColumns {
    /// Which column was used for what, in a sentence; nothing is said of what could not be otherwise.
    fn sentence(&self) -> String {
        let name = |place: usize| match (self.header, self.names.get(place)) {
            (true, Some(name)) => format!("{name:?}"),
            _ => (place + 1).to_string(),
        };
        let label = self.label.map_or_else(String::new, |place| format!(", labels from {}", name(place)));
        let aside: Vec<String> =
            (0..self.names.len()).filter(|&place| place != self.text && Some(place) != self.label).map(name).collect();
        let aside = if aside.is_empty() { String::new() } else { format!("; left aside: {}", aside.join(", ")) };
        format!("texts from column {}{label}{aside}", name(self.text))
    }
}

impl TableOptions {
    /// Options that read texts alone and keep empty ones.
    pub fn prediction() -> Self {
        Self { labels: Labels::Ignored, empty_text: EmptyText::Keep, ..Self::default() }
    }

    /// The labels that stand in a field; `lists`: as a list, where they may be several.
    fn labels_in(&self, field: &str, lists: bool) -> Vec<String> {
        match self.label_separator {
            Some(_) if lists => list(field).unwrap_or_default(),
            Some(separator) => field.split(separator).map(|label| label.trim().to_owned()).collect(),
            None => vec![field.trim().to_owned()],
        }
    }

    /// Labels as they were read, without blank ones and each once; checked, where labels are required, that there is one
    /// unless there may be several or none.
    fn checked_labels(&self, labels: Vec<String>, file: &Path, line: usize) -> Result<Vec<String>, DataError> {
        let mut kept: Vec<String> = Vec::with_capacity(labels.len());
        for label in labels {
            if !label.is_empty() && !kept.contains(&label) {
                kept.push(label);
            }
        }
        match (self.label_separator, kept.len()) {
            (None, 0) if self.labels == Labels::Required => {
                let hint = "; a text may have none for a model that is trained with --multi-label";
                Err(DataError::EmptyLabel { file: file.into(), line, hint })
            }
            (None, 2..) if self.labels != Labels::Ignored => {
                let found = format!("the text has the labels {}", kept.join(", "));
                Err(DataError::SeveralLabels { file: file.into(), line, found })
            }
            _ => Ok(kept),
        }
    }
}

/// One text, its label and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextExample {
    /// The text as it stands in the file.
    pub text: String,
    /// The labels, each once: none where they are not read, one where they are required, any number of them where a text may
    /// have several.
    pub labels: Vec<String>,
    /// The line on which the example starts, counted from 1.
    pub line: usize,
}

/// A row as it was read.
#[derive(Debug)]
pub struct Read {
    /// The line on which it starts, counted from 1.
    pub line: usize,
    /// The example, or why it is none.
    pub example: Result<TextExample, DataError>,
    /// The columns that are kept.
    pub kept: Kept,
}

impl Read {
    /// A row of which nothing is kept.
    fn new(line: usize, example: Result<TextExample, DataError>) -> Read {
        Read { line, example, kept: Kept::default() }
    }
}

/// Reads all examples of a file, and tells how.
///
/// # Errors
/// If the file cannot be read, is no text or is empty; if a column is missing or unclear; if a row does not fit, lacks its
/// label or, unless [`EmptyText`] says otherwise, its text, and is not to be left out; and if no example is left.
pub fn read_table(file: &Path, options: &TableOptions) -> Result<Table, DataError> {
    table_of(file, read_rows(file, options)?, options)
}

/// As [`read_table`], of what a file holds that was opened already.
///
/// # Errors
/// As [`read_table`].
pub(super) fn read_table_of(file: &Path, content: Content, options: &TableOptions) -> Result<Table, DataError> {
    table_of(file, rows_of(file, content, options.format, options)?, options)
}

/// The examples of rows, none of which may be bad.
fn table_of(
    file: &Path,
    (rows, columns): (Vec<Read>, TableColumns),
    options: &TableOptions,
) -> Result<Table, DataError> {
    let file = &file_text::name(file);
    let mut bad = BadRows::default();
    let examples: Vec<TextExample> = rows.into_iter().filter_map(|row| bad.keep(row.example)).collect();
    bad.settle(file, options.layout.on_bad_row)?;
    if examples.is_empty() {
        return Err(DataError::NoExamples { file: file.into() });
    }
    Ok(Table { examples, columns })
}

/// As [`read_table`], each row by itself.
///
/// # Errors
/// If the file cannot be read, is no text or is empty; if a column is missing or unclear.
pub fn read_rows(file: &Path, options: &TableOptions) -> Result<(Vec<Read>, TableColumns), DataError> {
    // Opening comes first: a missing file should not be reported as a file of unknown format.
    let format = options.format.or_else(|| Format::of_texts(file));
    rows_of(file, columnar::content(file, format, options.layout.encoding)?, format, options)
}

fn rows_of(
    file: &Path,
    content: Content,
    format: Option<Format>,
    options: &TableOptions,
) -> Result<(Vec<Read>, TableColumns), DataError> {
    let file = &file_text::name(file);
    let (rows, columns) = match content {
        Content::Text(decoded) => of_text(file, &decoded, format, options)?,
        #[cfg(feature = "parquet")]
        Content::Columns(source) => of_columns::read(file, &source, options)?,
    };
    let checked = |example: TextExample| {
        let labels = options.checked_labels(example.labels, file, example.line)?;
        if example.text.trim().is_empty() && options.empty_text == EmptyText::Refuse {
            return Err(DataError::EmptyText { file: file.into(), line: example.line });
        }
        Ok(TextExample { labels, ..example })
    };
    Ok((rows.into_iter().map(|row| Read { example: row.example.and_then(&checked), ..row }).collect(), columns))
}

/// The rows of a text, with nothing checked but their columns; tells how they were read.
fn of_text(
    file: &Path,
    decoded: &Decoded,
    format: Option<Format>,
    options: &TableOptions,
) -> Result<(Vec<Read>, TableColumns), DataError> {
    let Decoded { text, encoding, guessed } = decoded;
    let format = format.or_else(|| Format::of_content(text));
    let (rows, Found { form, columns }) = match format {
        Some(format @ (Format::Csv | Format::Tsv)) => delimited::read(file, text, format, options)?,
        Some(Format::Jsonl) => json::read(file, text, options)?,
        Some(Format::Fasttext) => fasttext::read(file, text, options)?,
        _ => {
            // A model of texts is there already, or what is to be trained may be one of series.
            let expected = if options.trained.is_some() { Format::OF_TEXTS } else { Format::OF_TRAINING };
            let hint = if options.trained.is_none() { tagged::hint(text) } else { "" };
            return Err(DataError::UnknownFormat { file: file.into(), expected, hint });
        }
    };
    let header = match format {
        Some(Format::Csv | Format::Tsv) if columns.header => ", with a header",
        Some(Format::Csv | Format::Tsv) => ", without a header",
        _ => "",
    };
    let (name, count) = (file.display(), counted(rows.len(), "row"));
    let read = format!("{name}: {encoding}, {form}{header}, {count}; {}", columns.sentence());
    match guessed {
        false => tracing::info!("{read}"),
        true => tracing::warn!("{read}; the encoding was found out, --encoding says another"),
    }
    Ok((rows, columns))
}
