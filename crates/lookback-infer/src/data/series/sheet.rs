//! Rows and columns of series: what separates them, whether the first row names them, and which of them only count.

use std::collections::HashSet;
use std::path::Path;

#[cfg(feature = "parquet")]
use csv::StringRecord;

use super::SeriesOptions;
use super::numbers::may_be_number;
use crate::data::Format;
#[cfg(feature = "parquet")]
use crate::data::columnar::{Cells, Source};
use crate::data::columns::FirstLine;
use crate::data::delimited::{Row, rows, width_error};
use crate::data::dialect::{self, Dialect};
use crate::data::marks::Separator;
use crate::error::DataError;

/// Rows that are looked at to tell separators apart.
const SAMPLE: usize = 50;
/// Columns that are named of those left aside.
const SHOWN: usize = 20;

/// A table of cells.
pub(in crate::data) struct Sheet {
    /// At least one. No row is blank.
    pub(super) rows: Vec<Row>,
    form: Form,
    /// What else may separate the columns, in a sentence.
    proposal: Option<String>,
}

/// What a sheet was read from.
#[derive(Clone, Copy)]
enum Form {
    Text(Dialect),
    /// A table of columns, such as Parquet. The first row has their names, and its line is 0.
    #[cfg(feature = "parquet")]
    Columns(&'static str),
}

impl Sheet {
    /// All rows have as many cells, unless `ragged`: then they may end before the longest.
    pub(in crate::data) fn read(
        file: &Path,
        text: &str,
        options: &SeriesOptions,
        ragged: bool,
    ) -> Result<Sheet, DataError> {
        let tabs = Format::of_texts(file) == Some(Format::Tsv);
        let (found, start) = dialect::find(text, &options.layout, tabs);
        let mut dialect = found;
        let mut sheet = Sheet::of(file, text, found, start)?;
        // Decimal commas look as separators do where every row has as many of them.
        if options.layout.separator.is_none() && found.separator == b',' {
            for other in [b';', b'\t'] {
                let layout = crate::data::Layout { separator: Some(Separator(other)), ..options.layout.clone() };
                let (other, start) = dialect::find(text, &layout, tabs);
                if !text.as_bytes().contains(&other.separator) {
                    continue;
                }
                let read = Sheet::of(file, text, other, start)?;
                if read.is_even() && read.share_of_numbers() > sheet.share_of_numbers() {
                    (sheet, dialect) = (read, other);
                }
            }
        }
        sheet.proposal = dialect::proposal(&text[start..], dialect, &options.layout);
        let Some(first) = sheet.rows.first() else { return Err(DataError::Empty { file: file.into() }) };
        match sheet.rows.iter().filter(|_| !ragged).find_map(|row| width_error(file, first, row, dialect)) {
            Some(wrong) => Err(wrong),
            None => Ok(sheet),
        }
    }

    fn of(file: &Path, text: &str, dialect: Dialect, start: usize) -> Result<Sheet, DataError> {
        let mut rows = rows(file, text, start, dialect)?;
        rows.retain(|row| !row.is_blank());
        Ok(Sheet { rows, form: Form::Text(dialect), proposal: None })
    }

    /// The columns at `places` of a table of columns, which are in order, in as many rows as `limit` says or all; what the others
    /// hold is left out.
    #[cfg(feature = "parquet")]
    pub(super) fn of_columns(source: &Source, places: &[usize], limit: Option<usize>) -> Result<Sheet, DataError> {
        let width = source.names().len();
        let mut rows = vec![Row { line: 0, fields: source.names().into_iter().collect() }];
        let fields = |cells: &[Option<Cells<'_>>], row: usize| -> Result<StringRecord, String> {
            cells
                .iter()
                .map(|cells| Ok(cells.as_ref().map_or(Ok(None), |cells| cells.text(row))?.unwrap_or_default()))
                .collect()
        };
        source.for_each(places, limit, |batch| {
            let cells: Vec<Option<Cells<'_>>> = (0..width).map(|place| batch.cells(place)).collect();
            for row in 0..batch.rows {
                let line = batch.row + row;
                let fields = fields(&cells, row).map_err(|problem| source.wrong(line, problem))?;
                rows.push(Row { line, fields });
            }
            Ok(())
        })?;
        Ok(Sheet { rows, form: Form::Columns(source.kind()), proposal: None })
    }

    /// The names of the columns alone.
    #[cfg(feature = "parquet")]
    pub(super) fn of_names(source: &Source) -> Sheet {
        let rows = vec![Row { line: 0, fields: source.names().into_iter().collect() }];
        Sheet { rows, form: Form::Columns(source.kind()), proposal: None }
    }

    /// How it was read, in words. `header`: whether the first row has names.
    pub(super) fn in_words(&self, header: bool) -> String {
        match self.form {
            Form::Text(dialect) => format!("{dialect}, {} a header", if header { "with" } else { "without" }),
            #[cfg(feature = "parquet")]
            Form::Columns(kind) => kind.to_owned(),
        }
    }

    /// How its fields are told apart, where it was read from text.
    pub(in crate::data) fn dialect(&self) -> Option<Dialect> {
        match self.form {
            Form::Text(dialect) => Some(dialect),
            #[cfg(feature = "parquet")]
            Form::Columns(_) => None,
        }
    }

    /// Whether semicolons stand between the columns.
    pub(super) fn has_semicolons(&self) -> bool {
        matches!(self.form, Form::Text(dialect) if dialect.separator == b';')
    }

    fn is_even(&self) -> bool {
        let width = self.width();
        width > 1 && self.rows.iter().all(|row| row.fields.len() == width)
    }

    fn share_of_numbers(&self) -> f64 {
        let cells = || self.rows.iter().take(SAMPLE).flat_map(|row| row.fields.iter());
        cells().filter(|cell| may_be_number(cell)).count() as f64 / cells().count().max(1) as f64
    }

    /// How many columns there are: cells of the longest row.
    pub(super) fn width(&self) -> usize {
        self.rows.iter().map(|row| row.fields.len()).max().unwrap_or(0)
    }

    /// Refuses a row that is longer than the header.
    pub(super) fn check_below_header(&self, file: &Path) -> Result<(), DataError> {
        let (Some(first), Form::Text(dialect)) = (self.rows.first(), self.form) else { return Ok(()) };
        let longer = self.rows.iter().filter(|row| row.fields.len() > first.fields.len());
        longer.filter_map(|row| width_error(file, first, row, dialect)).next().map_or(Ok(()), Err)
    }

    pub(super) fn first<'a>(&'a self, file: &'a Path) -> FirstLine<'a> {
        let line = self.rows.first().map_or(1, |row| row.line);
        let fields = self.rows.first().map_or_else(Vec::new, |row| row.fields.iter().collect());
        FirstLine { file, line, fields, proposal: self.proposal.clone() }
    }

    /// The rows below the header, if there is one.
    pub(super) fn body(&self, header: bool) -> &[Row] {
        self.rows.get(usize::from(header)..).unwrap_or_default()
    }

    /// Whether all cells of a column below the header are numbers or missing.
    pub(super) fn is_numeric(&self, place: usize, header: bool) -> bool {
        self.body(header).iter().all(|row| may_be_number(cell(row, place)))
    }

    /// Whether nearly all of them are: one that is not is a mistake, which is told when the file is read.
    pub(super) fn is_mostly_numeric(&self, place: usize, header: bool) -> bool {
        let body = self.body(header);
        10 * body.iter().filter(|row| may_be_number(cell(row, place))).count() >= 9 * body.len()
    }

    /// The columns that have no name, or one that pandas gives such a column, and hold whole numbers: they count rows, and
    /// were written by mistake.
    pub(super) fn counters(&self, file: &Path) -> HashSet<usize> {
        let whole = |place: usize| self.body(true).iter().all(|row| cell(row, place).parse::<u64>().is_ok());
        let first = self.first(file);
        (0..self.width())
            .filter(|&place| first.fields.get(place).is_some_and(|name| is_nameless(name)) && whole(place))
            .collect()
    }
}

/// Whether a name of a column is none, or one that pandas gives such a column in CSV or in Parquet.
pub(in crate::data) fn is_nameless(name: &str) -> bool {
    let name = name.trim();
    let number = name
        .strip_prefix("Unnamed: ")
        .or_else(|| name.strip_prefix("__index_level_").and_then(|rest| rest.strip_suffix("__")));
    name.is_empty() || number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What stands in a column of a row.
pub(super) fn cell(row: &Row, place: usize) -> &str {
    row.fields.get(place).unwrap_or_default().trim()
}

/// The columns that are left aside, if any.
pub(in crate::data) fn left_aside(first: &FirstLine<'_>, places: &[usize], header: bool) -> Option<String> {
    let names: Vec<String> = places.iter().take(SHOWN).map(|&place| called(first, place, header)).collect();
    let more = if places.len() > SHOWN { format!(" and {} more", places.len() - SHOWN) } else { String::new() };
    let columns = if places.len() == 1 { "column" } else { "columns" };
    (!places.is_empty()).then(|| format!("left aside: {columns} {}{more}", names.join(", ")))
}

/// What messages call a column: its name, or its number where it has none.
pub(in crate::data) fn called(first: &FirstLine<'_>, place: usize, header: bool) -> String {
    match first.fields.get(place) {
        Some(name) if header && !name.trim().is_empty() => format!("{:?}", name.trim()),
        _ => (place + 1).to_string(),
    }
}
