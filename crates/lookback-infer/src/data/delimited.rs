//! Records of tables with the lines they start on.

use std::io::Read;
use std::path::Path;

use csv::StringRecord;

use super::bad_rows::NAMED;
use super::dialect::Dialect;
use super::file_text::Lines;
use crate::error::DataError;

/// A row and the line it starts on, counted from 1.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) line: usize,
    pub(super) fields: StringRecord,
}

impl Row {
    /// Whether nothing stands in any field.
    pub(super) fn is_blank(&self) -> bool {
        self.fields.iter().all(|field| field.trim().is_empty())
    }
}

/// The rows of `text` from the byte `start` on, blank lines left out. A quote that is open to the end is told here, before
/// [`width_error`] sees what it swallowed; one that seems to have swallowed rows is warned of, and they
/// are read where that can be nothing else.
pub(super) fn rows(file: &Path, text: &str, start: usize, dialect: Dialect) -> Result<Vec<Row>, DataError> {
    let mut rows: Vec<Row> = Vec::new();
    for_each_row(file, text, start, dialect, |line, fields| rows.push(Row { line, fields: std::mem::take(fields) }))?;
    Ok(rows)
}

/// As [`rows`], one after the other, in memory that is used again unless it is taken: of each the line it starts on, counted from
/// 1, and its fields.
pub(super) fn for_each_row(
    file: &Path,
    text: &str,
    start: usize,
    dialect: Dialect,
    mut each: impl FnMut(usize, &mut StringRecord),
) -> Result<(), DataError> {
    // The parser takes a quote that is never closed to reach to the end of the file, without a word. This line,
    // put behind the text, then is no row of its own, and that tells.
    const END: &str = "\n-";
    let mut reader = dialect.reader(text.as_bytes()[start..].chain(END.as_bytes()));
    let mut lines = Lines::default();
    let mut fields = StringRecord::new();
    let mut suspects = 0;
    // Of the first row, and the line of the last one.
    let (mut first_width, mut last_line) = (None, 1);
    while reader.read_record(&mut fields).map_err(|error| unreadable(file, error))? {
        let reported = fields.position().map_or(0, |position| start + position.byte() as usize).min(text.len());
        // The parser reports where it went on reading, which may be before blank lines and a pending line end.
        let begin = reported + text[reported..].bytes().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        if begin == text.len() {
            return Ok(());
        }
        let line = lines.at(text.as_bytes(), begin);
        let end = (start + reader.position().byte() as usize).min(text.len());
        let raw = text[begin..end].trim_end_matches(['\r', '\n']);
        if let Some(quote) = dialect.quote.filter(|&quote| raw.as_bytes().contains(&quote)) {
            let problem = match raw.contains(['\r', '\n']) {
                true if swallows_rows(raw, &fields, dialect, quote) => {
                    let last = line + raw.lines().count() - 1;
                    Some(format!("s {line} to {last}: a quote opens a field that goes on over other rows"))
                }
                false if dialect.goes_on_behind_quote(raw) => {
                    Some(format!(" {line}: text goes on behind the quote that closes a field"))
                }
                _ => None,
            };
            suspects += usize::from(problem.is_some());
            if let Some(problem) = problem.filter(|_| suspects <= NAMED) {
                tracing::warn!("{}, line{problem}; is one of the quotes a mistake?", file.display());
            }
        }
        let width = first_width.unwrap_or(0);
        let mut give = |line: usize, fields: &mut StringRecord| {
            first_width.get_or_insert(fields.len());
            last_line = line;
            each(line, fields);
        };
        match dialect.quote.and_then(|quote| taken_apart(raw, (line, width), dialect, quote)) {
            Some(apart) => apart.into_iter().for_each(|mut row| give(row.line, &mut row.fields)),
            None => give(line, &mut fields),
        }
    }
    Err(DataError::OpenQuote { file: file.into(), line: last_line })
}

/// Whether a row over several lines looks as if a quote were missing: a line within it is a whole row by itself, or text goes
/// on behind a closing quote.
fn swallows_rows(raw: &str, fields: &StringRecord, dialect: Dialect, quote: u8) -> bool {
    let lines: Vec<&str> = raw.lines().collect();
    let separator = char::from(dialect.separator);
    let is_row = |line: &&str| !line.contains(char::from(quote)) && line.split(separator).count() == fields.len();
    let within = lines.get(1..lines.len() - 1).unwrap_or_default();
    (fields.len() > 1 && within.iter().any(is_row)) || dialect.goes_on_behind_quote(raw)
}

/// The rows that a quote has swallowed, which stands before a field by mistake: it is left out, and each line is a row of its own.
/// Only where text goes on behind the next quote, which no quoted field has, and every line then has as many fields as the first
/// row; separators too many belong to the field with the quote.
fn taken_apart(raw: &str, (line, width): (usize, usize), dialect: Dialect, quote: u8) -> Option<Vec<Row>> {
    if width < 2 || !raw.contains(['\r', '\n']) || !dialect.goes_on_behind_quote(raw) {
        return None;
    }
    let (separator, quote) = (char::from(dialect.separator), char::from(quote));
    let row = |(line, content): (usize, &str)| {
        let parts: Vec<&str> = content.split(separator).collect();
        let more = parts.len().checked_sub(width)?;
        let begun = parts.iter().position(|part| part.starts_with(quote));
        let mut fields = StringRecord::new();
        let mut place = 0;
        while let Some(&part) = parts.get(place) {
            let taken = if begun == Some(place) { 1 + more } else { 1 };
            match taken {
                1 => fields.push_field(part.trim_start_matches(quote)),
                _ => fields.push_field(
                    parts.get(place..place + taken)?.join(&separator.to_string()).trim_start_matches(quote),
                ),
            }
            place += taken;
        }
        (fields.len() == width).then_some(Row { line, fields })
    };
    (line..).zip(raw.lines()).map(row).collect()
}

/// The error that a row has another number of fields than the first, where it does.
pub(super) fn width_error(file: &Path, first: &Row, row: &Row, dialect: Dialect) -> Option<DataError> {
    let (found, expected) = (row.fields.len(), first.fields.len());
    (found != expected).then(|| DataError::FieldCount {
        file: file.into(),
        line: row.line,
        found,
        expected,
        first_line: first.line,
        hint: match dialect.separator {
            b',' if found > expected => "; a field that holds a comma must stand in quotes",
            _ => "",
        },
    })
}

fn unreadable(file: &Path, error: csv::Error) -> DataError {
    DataError::Io { file: file.into(), source: std::io::Error::other(error) }
}
