//! Cells that hold a value of a step, or one of a whole series.

use std::path::Path;

use super::columns::StaticKind;
use super::places::Places;
use super::sheet::Sheet;
use super::{HistoryOptions, StaticValue};
use crate::data::series::Decimal;
use crate::data::series::numbers::{find_decimal, is_missing, parsed};
use crate::error::DataError;
use crate::error::place::unit;

/// Reads values of a table.
#[derive(Debug)]
pub(super) struct Values<'a> {
    pub(super) file: &'a Path,
    pub(super) sheet: &'a Sheet,
    pub(super) decimal: Decimal,
    /// The row of the sheet with which the rows of series begin.
    pub(super) body: usize,
    pub(super) header: bool,
}

/// The decimal mark: what is told, else what the columns of numbers and `statics` have.
pub(super) fn decimal(
    file: &Path,
    sheet: &Sheet,
    places: &Places,
    options: &HistoryOptions,
) -> Result<Decimal, DataError> {
    if let Some(told) = options.series.decimal {
        return Ok(told);
    }
    let all = [&places.targets, &places.past, &places.future, &places.statics];
    let columns: Vec<usize> =
        all.into_iter().flatten().copied().filter(|&place| sheet.is_of_numbers(place, places.header)).collect();
    if !columns.iter().any(|&place| sheet.has_comma(place)) {
        return Ok(Decimal::Point);
    }
    let cells = columns
        .iter()
        .flat_map(|&place| sheet.body(places.header).map(move |row| (sheet.line(row), sheet.cell(row, place))));
    find_decimal(file, cells, sheet.has_semicolons(), options.trained.as_ref().map(|trained| trained.decimal))
}

impl Values<'_> {
    /// The number in a column of a row, which is NaN where it is missing.
    pub(super) fn number(&self, row: usize, place: usize) -> Result<f32, DataError> {
        let text = self.sheet.cell(self.body + row, place);
        // At once, for rounded to 64 bits before it might be another number.
        match parsed::<f32>(text, self.decimal) {
            Some(value) if value.is_finite() => Ok(value),
            _ if is_missing(text) => Ok(f32::NAN),
            found => Err(self.unfit(row, place, text, found)),
        }
    }

    fn unfit(&self, row: usize, place: usize, text: &str, found: Option<f32>) -> DataError {
        let is_large = found.is_some() && text.bytes().any(|byte| byte.is_ascii_digit());
        let problem = match is_large {
            true => "is more than 32 bits hold, in which values are read (3.4e38 either way); scale the column",
            false => "is no finite number; a number was expected, or nothing where it is missing",
        };
        self.wrong(row, format!("column {}: {text:?} {problem}", self.called(place)))
    }

    /// What messages call a column.
    pub(super) fn called(&self, place: usize) -> String {
        self.sheet.called(place, self.header)
    }

    /// The error that something is wrong with a row.
    pub(super) fn wrong(&self, row: usize, problem: String) -> DataError {
        DataError::Line { file: self.file.into(), line: self.sheet.line(self.body + row), problem }
    }

    /// What a column of one value per series holds: numbers where each of its values is one.
    pub(super) fn kind(&self, place: usize, rows: usize) -> StaticKind {
        let cells = || (0..rows).map(|row| self.sheet.cell(self.body + row, place)).filter(|cell| !is_missing(cell));
        let is_number = |cell: &str| parsed::<f32>(cell, self.decimal).is_some_and(f32::is_finite);
        match cells().next().is_some() && cells().all(is_number) {
            true => StaticKind::Number,
            false => StaticKind::Category,
        }
    }

    /// The one value that a column has in these rows, which are those of a series.
    pub(super) fn of_series(
        &self,
        rows: &[usize],
        place: usize,
        kind: StaticKind,
        id: &str,
    ) -> Result<StaticValue, DataError> {
        let value = |row: usize| -> Result<StaticValue, DataError> {
            let cell = self.sheet.cell(self.body + row, place);
            match kind {
                _ if is_missing(cell) => Ok(StaticValue::Missing),
                StaticKind::Number => self.number(row, place).map(StaticValue::Number),
                StaticKind::Category => Ok(StaticValue::Category(cell.to_owned())),
            }
        };
        let mut known: Option<(usize, &str, StaticValue)> = None;
        for &row in rows {
            let cell = self.sheet.cell(self.body + row, place);
            match &known {
                Some((_, before, _)) if *before == cell || is_missing(cell) => {}
                None if is_missing(cell) => {}
                None => known = Some((row, cell, value(row)?)),
                Some((first, before, one)) => {
                    if value(row)? != *one {
                        let series = if id.is_empty() { "the series".to_owned() } else { format!("series {id:?}") };
                        let problem = format!(
                            "{series} has {cell:?} in column {} here but {before:?} on {} {}; one value per series was \
                             expected",
                            self.called(place),
                            unit(self.file),
                            self.sheet.line(self.body + first)
                        );
                        return Err(self.wrong(row, problem));
                    }
                }
            }
        }
        Ok(known.map_or(StaticValue::Missing, |(_, _, value)| value))
    }
}
