//! A table as text, column after column, whatever file it was read from.

use std::ops::Range;
use std::path::Path;

use super::clock;
use crate::data::columns::FirstLine;
use crate::data::dialect::Dialect;
use crate::data::series::numbers::{is_missing, may_be_number};
use crate::data::series::sheet::is_nameless;

/// Rows that are looked at to tell what a column holds.
pub(super) const SAMPLE: usize = 1_000;

/// A table of cells. Its first row has the names of the columns, unless it is one of text without a header.
#[derive(Debug)]
pub(super) struct Sheet {
    /// Of each row that is not blank, counted from 1.
    lines: Vec<usize>,
    columns: Vec<Cells>,
    form: Form,
    /// What else may separate the columns, in a sentence.
    pub(super) proposal: Option<String>,
}

/// What a sheet was read from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Text(Dialect),
    /// Objects, in words such as "JSON Lines".
    Json(&'static str),
    /// A table of columns, such as Parquet, and how many of its columns were read.
    #[cfg(feature = "parquet")]
    Columns(&'static str, usize),
}

/// The cells of a column, one behind the other in one text.
#[derive(Debug, Default)]
struct Cells {
    text: String,
    /// Where the cell of each row ends; rows behind the last that has one are empty.
    ends: Vec<usize>,
}

impl Cells {
    /// Puts a cell into a row behind all that have one.
    fn put(&mut self, row: usize, cell: &str) {
        self.ends.resize(row, self.text.len());
        self.text.push_str(cell);
        self.ends.push(self.text.len());
    }

    fn get(&self, row: usize) -> &str {
        let Some(&end) = self.ends.get(row) else { return "" };
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.text[start..end].trim()
    }
}

impl Sheet {
    /// One without rows.
    pub(super) fn new(form: Form) -> Sheet {
        Sheet { lines: Vec::new(), columns: Vec::new(), form, proposal: None }
    }

    /// Puts a row behind the others, whose cells are still empty.
    pub(super) fn add_row(&mut self, line: usize) {
        self.lines.push(line);
    }

    /// Puts a column behind the others, which is called so where there is a header.
    pub(super) fn add_column(&mut self, name: &str) -> usize {
        let mut cells = Cells::default();
        cells.put(0, name);
        self.columns.push(cells);
        self.columns.len() - 1
    }

    /// Fills a cell of the last row.
    pub(super) fn put(&mut self, place: usize, cell: &str) {
        let row = self.lines.len().saturating_sub(1);
        while self.columns.len() <= place {
            self.columns.push(Cells::default());
        }
        self.columns[place].put(row, cell);
    }

    /// How many cells take memory.
    pub(super) fn held(&self) -> usize {
        self.columns.iter().map(|column| column.ends.len()).sum()
    }

    /// How it was read, in words. `header`: whether the first row has names.
    pub(super) fn in_words(&self, header: bool) -> String {
        match self.form {
            Form::Text(dialect) => format!("{dialect}, {} a header", if header { "with" } else { "without" }),
            Form::Json(words) => words.to_owned(),
            #[cfg(feature = "parquet")]
            Form::Columns(kind, read) => format!("{kind}, {read} of {} columns read", self.width()),
        }
    }

    /// Whether there is a header for certain, because the file has names of its own.
    pub(super) fn has_names(&self) -> bool {
        !matches!(self.form, Form::Text(_))
    }

    /// Whether semicolons stand between the columns.
    pub(super) fn has_semicolons(&self) -> bool {
        matches!(self.form, Form::Text(dialect) if dialect.separator == b';')
    }

    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    pub(super) fn first<'a>(&'a self, file: &'a Path) -> FirstLine<'a> {
        let fields = (0..self.width()).map(|place| self.cell(0, place)).collect();
        FirstLine { file, line: self.line(0), fields, proposal: self.proposal.clone() }
    }

    /// The rows below the header, if there is one.
    pub(super) fn body(&self, header: bool) -> Range<usize> {
        usize::from(header).min(self.lines.len())..self.lines.len()
    }

    /// The line on which a row starts, counted from 1.
    pub(super) fn line(&self, row: usize) -> usize {
        self.lines.get(row).copied().unwrap_or(1)
    }

    /// What stands in a column of a row, without blanks around it.
    pub(super) fn cell(&self, row: usize, place: usize) -> &str {
        self.columns.get(place).map_or("", |column| column.get(row))
    }

    /// What messages call a column: its name, or its number where it has none.
    pub(super) fn called(&self, place: usize, header: bool) -> String {
        match self.cell(0, place) {
            name if header && !name.is_empty() => format!("{name:?}"),
            _ => (place + 1).to_string(),
        }
    }

    /// Whether a comma stands anywhere in a column.
    pub(super) fn has_comma(&self, place: usize) -> bool {
        self.columns.get(place).is_some_and(|column| column.text.contains(','))
    }

    /// The first cells of a column that are not missing, each with its line.
    fn sample(&self, place: usize, header: bool) -> impl Iterator<Item = (usize, &str)> {
        let cells = self.body(header).map(move |row| (self.line(row), self.cell(row, place)));
        cells.filter(|(_, cell)| !is_missing(cell)).take(SAMPLE)
    }

    /// Whether nearly all cells of a column are numbers: one that is not is a mistake, which is told when values are read.
    pub(super) fn is_of_numbers(&self, place: usize, header: bool) -> bool {
        let (mut all, mut numbers) = (0, 0);
        for (_, cell) in self.sample(place, header) {
            all += 1;
            numbers += usize::from(may_be_number(cell));
        }
        all > 0 && 10 * numbers >= 9 * all
    }

    /// Whether one form of dates reads all cells of a column.
    pub(super) fn is_of_dates(&self, place: usize, header: bool) -> bool {
        clock::are_dates(&self.sample(place, header).collect::<Vec<_>>())
    }

    /// Whether a column has no name, or one that pandas gives such a column, and whole numbers: it counts rows, and was written
    /// by mistake.
    pub(super) fn is_counter(&self, place: usize, header: bool) -> bool {
        let whole = |(_, cell): (usize, &str)| cell.parse::<u64>().is_ok();
        header && is_nameless(self.cell(0, place)) && self.sample(place, header).all(whole)
    }
}
