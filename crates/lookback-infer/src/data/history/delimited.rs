//! Tables of text; what separates their columns is told or found out.

use std::path::Path;

use super::sheet::{Form, Sheet};
use crate::data::delimited::{Row, for_each_row, width_error};
use crate::data::dialect::{self, Dialect};
use crate::data::series::SeriesOptions;
use crate::data::series::sheet::Sheet as SeriesSheet;
use crate::data::{Format, Layout};
use crate::error::DataError;

/// All rows have as many cells.
pub(super) fn read(file: &Path, text: &str, layout: &Layout) -> Result<Sheet, DataError> {
    let tabs = Format::of_texts(file) == Some(Format::Tsv);
    let (found, start) = dialect::find(text, layout, tabs);
    let dialect = beside_decimal_commas(file, text, found, layout)?;
    let mut sheet = Sheet::new(Form::Text(dialect));
    let (mut first, mut wrong): (Option<Row>, Option<DataError>) = (None, None);
    for_each_row(file, text, start, dialect, |line, fields| {
        if fields.iter().all(|field| field.trim().is_empty()) || wrong.is_some() {
            return;
        }
        let first = first.get_or_insert_with(|| Row { line, fields: fields.clone() });
        if fields.len() != first.fields.len() {
            wrong = width_error(file, first, &Row { line, fields: fields.clone() }, dialect);
            return;
        }
        sheet.add_row(line);
        (0..).zip(fields.iter()).for_each(|(place, field)| sheet.put(place, field));
    })?;
    sheet.proposal = dialect::proposal(&text[start..], dialect, layout);
    match (wrong, first) {
        (Some(wrong), _) => Err(wrong),
        (None, None) => Err(DataError::Empty { file: file.into() }),
        (None, Some(_)) => Ok(sheet),
    }
}

/// What separates the columns where commas seem to, but may be decimal ones: that is found out as in other tables of series.
fn beside_decimal_commas(file: &Path, text: &str, found: Dialect, layout: &Layout) -> Result<Dialect, DataError> {
    if layout.separator.is_some() || found.separator != b',' || !text.contains([';', '\t']) {
        return Ok(found);
    }
    let options = SeriesOptions { layout: layout.clone(), ..SeriesOptions::default() };
    Ok(SeriesSheet::read(file, text, &options, true)?.dialect().unwrap_or(found))
}
