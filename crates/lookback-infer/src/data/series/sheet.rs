//! Rows and columns of series: what separates them, whether the first row names them, and which of them only count.

use std::collections::HashSet;
use std::path::Path;

use super::SeriesOptions;
use super::numbers::may_be_number;
use crate::data::Format;
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
pub(super) struct Sheet {
    /// At least one. No row is blank.
    pub(super) rows: Vec<Row>,
    pub(super) dialect: Dialect,
    /// What else may separate the columns, in a sentence.
    proposal: Option<String>,
}

impl Sheet {
    /// All rows have as many cells, unless `ragged`: then they may end before the longest.
    pub(super) fn read(file: &Path, text: &str, options: &SeriesOptions, ragged: bool) -> Result<Sheet, DataError> {
        let tabs = Format::of_texts(file) == Some(Format::Tsv);
        let (found, start) = dialect::find(text, &options.layout, tabs);
        let mut sheet = Sheet::of(file, text, found, start)?;
        // Decimal commas look as separators do where every row has as many of them.
        if options.layout.separator.is_none() && found.separator == b',' {
            for other in [b';', b'\t'] {
                let layout = crate::data::Layout { separator: Some(Separator(other)), ..options.layout.clone() };
                let (other, start) = dialect::find(text, &layout, tabs);
                if !text.as_bytes().contains(&other.separator) {
                    continue;
                }
                let other = Sheet::of(file, text, other, start)?;
                if other.is_even() && other.share_of_numbers() > sheet.share_of_numbers() {
                    sheet = other;
                }
            }
        }
        sheet.proposal = dialect::proposal(&text[start..], sheet.dialect, &options.layout);
        let Some(first) = sheet.rows.first() else { return Err(DataError::Empty { file: file.into() }) };
        match sheet.rows.iter().filter(|_| !ragged).find_map(|row| width_error(file, first, row, sheet.dialect)) {
            Some(wrong) => Err(wrong),
            None => Ok(sheet),
        }
    }

    fn of(file: &Path, text: &str, dialect: Dialect, start: usize) -> Result<Sheet, DataError> {
        let mut rows = rows(file, text, start, dialect)?;
        rows.retain(|row| !row.is_blank());
        Ok(Sheet { rows, dialect, proposal: None })
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
        let Some(first) = self.rows.first() else { return Ok(()) };
        let longer = self.rows.iter().filter(|row| row.fields.len() > first.fields.len());
        longer.filter_map(|row| width_error(file, first, row, self.dialect)).next().map_or(Ok(()), Err)
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

/// Whether a name of a column is none.
pub(super) fn is_nameless(name: &str) -> bool {
    let name = name.trim();
    name.is_empty() || name.strip_prefix("Unnamed: ").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What stands in a column of a row.
pub(super) fn cell(row: &Row, place: usize) -> &str {
    row.fields.get(place).unwrap_or_default().trim()
}

/// The columns that are left aside, if any.
pub(super) fn left_aside(first: &FirstLine<'_>, places: &[usize], header: bool) -> Option<String> {
    let names: Vec<String> = places.iter().take(SHOWN).map(|&place| called(first, place, header)).collect();
    let more = if places.len() > SHOWN { format!(" and {} more", places.len() - SHOWN) } else { String::new() };
    let columns = if places.len() == 1 { "column" } else { "columns" };
    (!places.is_empty()).then(|| format!("left aside: {columns} {}{more}", names.join(", ")))
}

/// What messages call a column: its name, or its number where it has none.
pub(super) fn called(first: &FirstLine<'_>, place: usize, header: bool) -> String {
    match first.fields.get(place) {
        Some(name) if header && !name.trim().is_empty() => format!("{:?}", name.trim()),
        _ => (place + 1).to_string(),
    }
}
