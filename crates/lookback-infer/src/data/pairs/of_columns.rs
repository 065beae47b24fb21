//! Pairs in tables of Parquet and Arrow, of which the two columns alone are read.

use std::path::Path;

use arrow_schema::DataType;
use csv::StringRecord;

use super::columns::{Places, find};
use super::{Found, Pair, PairOptions, pair};
use crate::data::HeaderChoice;
use crate::data::columnar::{Cells, Source, elements, is_plain};
use crate::data::columns::FirstLine;
use crate::data::delimited::Row;
use crate::data::table::TableColumns;
use crate::error::{DataError, counted};

/// The pairs of a table; lists are several targets.
pub(super) fn read(
    file: &Path,
    source: &Source,
    options: &PairOptions,
    trained: Option<&TableColumns>,
) -> Result<Found, DataError> {
    let names = source.names();
    let first = FirstLine { file, line: 0, fields: names.clone(), proposal: None };
    let rows = [Row { line: 0, fields: names.iter().collect::<StringRecord>() }];
    let options = &PairOptions { header: Some(HeaderChoice::Yes), ..options.clone() };
    let places = find(&first, &rows, options, trained)?;
    check_types(&first, source, places)?;
    let mut needed = [places.source, places.target];
    needed.sort_unstable();
    let mut rows = Vec::new();
    source.for_each(&needed, None, |batch| {
        let (sources, targets) = (batch.cells(places.source), batch.cells(places.target));
        rows.extend((0..batch.rows).map(|row| of_row(file, batch.row + row, row, sources.as_ref(), targets.as_ref())));
        Ok(())
    })?;
    let form = format!("{}, {} of {} read", source.kind(), needed.len(), counted(names.len(), "column"));
    Ok(Found { rows, columns: places.columns(&first), form })
}

/// Refuses columns whose values are no texts, and of targets no lists of them.
fn check_types(first: &FirstLine<'_>, source: &Source, places: Places) -> Result<(), DataError> {
    let refuse = |place: usize, data_type: &DataType, expected: &str| {
        let column = first.fields.get(place).unwrap_or(&"");
        let problem = format!("the column {column:?} is of the type {data_type}, but {expected} expected");
        Err(DataError::Columns { file: first.file.into(), problem })
    };
    let (sources, targets) = (source.data_type(places.source), source.data_type(places.target));
    if !is_plain(&sources) {
        return refuse(places.source, &sources, "texts were");
    }
    match elements(&targets).unwrap_or(&targets) {
        plain if is_plain(plain) => Ok(()),
        _ => refuse(places.target, &targets, "texts, or lists of them, were"),
    }
}

/// The pair of a row, whose place in its batch is `row`.
fn of_row(
    file: &Path,
    line: usize,
    row: usize,
    sources: Option<&Cells<'_>>,
    targets: Option<&Cells<'_>>,
) -> Result<Pair, DataError> {
    let wrong = |role: &str, problem: String| DataError::Line {
        file: file.into(),
        line,
        problem: format!("the {role} cannot be read: {problem}"),
    };
    let source = sources.map_or(Ok(None), |cells| cells.text(row)).map_err(|problem| wrong("source", problem))?;
    let targets =
        targets.map_or(Ok(Vec::new()), |cells| cells.texts(row)).map_err(|problem| wrong("target", problem))?;
    pair((file, line), source.unwrap_or_default(), (file, line), targets)
}
