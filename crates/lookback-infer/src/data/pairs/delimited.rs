//! Pairs in tables of fields with separators.

use std::path::Path;

use super::columns::find;
use super::{Found, PairOptions, pair};
use crate::data::columns::FirstLine;
use crate::data::delimited::{Row, rows, width_error};
use crate::data::table::TableColumns;
use crate::data::{Format, dialect};
use crate::error::DataError;

/// The pairs of a table; blank rows are left out.
pub(super) fn read(
    file: &Path,
    text: &str,
    format: Format,
    options: &PairOptions,
    trained: Option<&TableColumns>,
) -> Result<Found, DataError> {
    let (dialect, start) = dialect::find(text, &options.layout, format == Format::Tsv);
    dialect.tell_escape(file, text, &options.layout);
    let rows = rows(file, text, start, dialect)?;
    let Some(first_row) = rows.first() else { return Err(DataError::Empty { file: file.into() }) };
    let proposal = dialect::proposal(&text[start..], dialect, &options.layout);
    let first = FirstLine { file, line: first_row.line, fields: first_row.fields.iter().collect(), proposal };
    let places = find(&first, &rows, options, trained)?;
    let read = |row: &Row| match width_error(file, first_row, row, dialect) {
        Some(error) => Err(error),
        None => {
            let field = |place: usize| row.fields.get(place).unwrap_or_default().to_owned();
            pair((file, row.line), field(places.source), (file, row.line), vec![field(places.target)])
        }
    };
    let body = rows.iter().skip(usize::from(places.header)).filter(|row| !row.is_blank());
    let header = if places.header { "with" } else { "without" };
    Ok(Found {
        rows: body.map(read).collect(),
        columns: places.columns(&first),
        form: format!("{dialect}, {header} a header"),
    })
}
