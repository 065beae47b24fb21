//! Tables of Parquet and Arrow, of which the columns that are needed alone are read.

use std::path::Path;

use super::HistoryOptions;
use super::places::Places;
use super::sheet::{Form, SAMPLE, Sheet};
use crate::data::columnar::{Cells, Source, is_plain};
use crate::data::series::sheet::is_nameless;
use crate::error::DataError;

/// The table, and which of its columns are what: by their names, and by what stands in the first rows where those do not tell.
pub(super) fn read(
    file: &Path,
    source: &Source,
    options: &HistoryOptions,
    is_wide: bool,
) -> Result<(Sheet, Places), DataError> {
    let names_tell = !source.names().into_iter().any(is_nameless);
    let places = match Places::find(file, &of_names(source, 0), options, is_wide) {
        Ok(places) if names_tell && places.time.is_some() => places,
        _ => {
            let is_plain = |place: &usize| is_plain(&source.data_type(*place));
            let plain: Vec<usize> = (0..source.names().len()).filter(is_plain).collect();
            Places::find(file, &of_columns(source, &plain, Some(SAMPLE))?, options, is_wide)?
        }
    };
    Ok((of_columns(source, &places.needed(), None)?, places))
}

/// The names of the columns alone, of which so many are read.
fn of_names(source: &Source, read: usize) -> Sheet {
    let mut sheet = Sheet::new(Form::Columns(source.kind(), read));
    sheet.add_row(0);
    for name in source.names() {
        sheet.add_column(name);
    }
    sheet
}

/// The columns at `places`, which are in order, in as many rows as `limit` says or all; what the others hold is left out.
fn of_columns(source: &Source, places: &[usize], limit: Option<usize>) -> Result<Sheet, DataError> {
    let mut sheet = of_names(source, places.len());
    source.for_each(places, limit, |batch| {
        let cells: Vec<(usize, Option<Cells<'_>>)> = places.iter().map(|&place| (place, batch.cells(place))).collect();
        for row in 0..batch.rows {
            let line = batch.row + row;
            sheet.add_row(line);
            for (place, cells) in &cells {
                let text = cells.as_ref().map_or(Ok(None), |cells| cells.text(row));
                let text = text.map_err(|problem| source.wrong(line, problem))?;
                sheet.put(*place, &text.unwrap_or_default());
            }
        }
        Ok(())
    })?;
    Ok(sheet)
}
