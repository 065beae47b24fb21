//! Records of CSV and TSV files with the lines they start on.

use std::io::Read;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use super::file_text::Lines;
use crate::error::DataError;

/// A row and the line it starts on, counted from 1.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) line: usize,
    pub(super) fields: StringRecord,
}

/// How fields are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Separator {
    /// Commas, and quotes as in RFC 4180: a quoted field may hold commas, line ends and doubled quotes.
    Comma,
    /// Tabs; a quote is a character like any other.
    Tab,
}

/// The rows of `text`, blank lines left out. An open quote is told here, before [`check_widths`] sees what it swallowed.
pub(super) fn rows(file: &Path, text: &str, separator: Separator) -> Result<Vec<Row>, DataError> {
    // The parser takes a quote that is never closed to reach to the end of the file, without a word. This line,
    // put behind the text, then is no row of its own, and that tells.
    const END: &str = "\n-";
    let (delimiter, quoting) = match separator {
        Separator::Comma => (b',', true),
        Separator::Tab => (b'\t', false),
    };
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .quoting(quoting)
        .from_reader(text.as_bytes().chain(END.as_bytes()));
    let mut rows: Vec<Row> = Vec::new();
    let mut lines = Lines::default();
    let mut fields = StringRecord::new();
    while reader.read_record(&mut fields).map_err(|error| unreadable(file, error))? {
        let reported = fields.position().map_or(0, |position| position.byte() as usize).min(text.len());
        // The parser reports where it went on reading, which may be before blank lines and a pending line end.
        let start = reported + text[reported..].bytes().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if start == text.len() {
            return Ok(rows);
        }
        rows.push(Row { line: lines.at(text.as_bytes(), start), fields: std::mem::take(&mut fields) });
    }
    Err(DataError::OpenQuote { file: file.into(), line: rows.last().map_or(1, |row| row.line) })
}

/// Checks that every row has as many fields as the first.
pub(super) fn check_widths(file: &Path, rows: &[Row], separator: Separator) -> Result<(), DataError> {
    let Some(first) = rows.first() else { return Ok(()) };
    match rows.iter().find(|row| row.fields.len() != first.fields.len()) {
        None => Ok(()),
        Some(row) => Err(DataError::FieldCount {
            file: file.into(),
            line: row.line,
            found: row.fields.len(),
            expected: first.fields.len(),
            first_line: first.line,
            hint: match separator {
                Separator::Comma if row.fields.len() > first.fields.len() => {
                    "; a field that holds a comma must stand in quotes"
                }
                _ => "",
            },
        }),
    }
}

fn unreadable(file: &Path, error: csv::Error) -> DataError {
    DataError::Io { file: file.into(), source: std::io::Error::other(error) }
}
