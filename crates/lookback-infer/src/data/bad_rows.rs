//! Rows, or series, that cannot be read: left out, or told all together.

use std::path::Path;

use super::layout::OnBadRow;
use crate::error::{DataError, counted};

/// How many of them are named.
pub(super) const NAMED: usize = 20;

/// Rows that cannot be read.
#[derive(Debug, Default)]
pub(super) struct BadRows {
    unit: Unit,
    first: Vec<DataError>,
    count: usize,
}

/// What cannot be read as a whole.
#[derive(Clone, Copy, Debug, Default)]
enum Unit {
    #[default]
    Row,
    Series,
    Sentence,
    Pair,
}

impl Unit {
    fn plural(self) -> &'static str {
        match self {
            Unit::Row => "rows",
            Unit::Series => "series",
            Unit::Sentence => "sentences",
            Unit::Pair => "pairs",
        }
    }

    fn counted(self, count: usize) -> String {
        match self {
            Unit::Row => counted(count, "row"),
            Unit::Series => format!("{count} series"),
            Unit::Sentence => counted(count, "sentence"),
            Unit::Pair => counted(count, "pair"),
        }
    }
}

impl BadRows {
    /// For series in place of rows.
    pub(super) fn of_series() -> BadRows {
        BadRows { unit: Unit::Series, ..BadRows::default() }
    }

    /// For sentences in place of rows.
    pub(super) fn of_sentences() -> BadRows {
        BadRows { unit: Unit::Sentence, ..BadRows::default() }
    }

    /// For pairs of a source and a target in place of rows.
    pub(super) fn of_pairs() -> BadRows {
        BadRows { unit: Unit::Pair, ..BadRows::default() }
    }

    /// The value of a row that can be read.
    pub(super) fn keep<T>(&mut self, row: Result<T, DataError>) -> Option<T> {
        match row {
            Ok(value) => Some(value),
            Err(error) => {
                self.count += 1;
                if self.first.len() < NAMED {
                    self.first.push(error);
                }
                None
            }
        }
    }

    /// What becomes of them, once all of `file` is read.
    pub(super) fn settle(mut self, file: &Path, choice: Option<OnBadRow>) -> Result<(), DataError> {
        let unit = self.unit.plural();
        match (choice.unwrap_or_default(), self.count) {
            (_, 0) => Ok(()),
            (OnBadRow::Stop, 1) => {
                tracing::warn!("{}: --on-bad-row skip leaves out {unit} that cannot be read", file.display());
                Err(self.first.remove(0))
            }
            (OnBadRow::Stop, count) => {
                let first = self.first.iter().map(DataError::to_string).collect();
                Err(DataError::BadRows { file: file.into(), unit, count, first })
            }
            (OnBadRow::Skip, count) => {
                for error in &self.first {
                    tracing::warn!("left out: {error}");
                }
                let more = match count - self.first.len() {
                    0 => String::new(),
                    more => format!(", {more} of them not named"),
                };
                tracing::warn!("{}: {} left out{more}", file.display(), self.unit.counted(count));
                Ok(())
            }
        }
    }
}
