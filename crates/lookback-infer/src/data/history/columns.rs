//! The columns of histories as they were found, by which those of other data are.

use serde::{Deserialize, Serialize};

use super::frequency::Frequency;
use super::moment::Moment;
use crate::data::Format;
use crate::data::series::{Decimal, TimeFormat};

/// What was found out of a file of histories. Without a header, columns are called by their numbers, counted from 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HistoryColumns {
    /// What the file is: [`Format::CsvLong`], [`Format::Jsonl`] or [`Format::Parquet`] with a row per step of a series, or
    /// [`Format::Wide`] with a column per series, whatever it stands in.
    pub format: Format,
    /// Whether the columns have names.
    pub header: bool,
    /// The column that tells series apart, where there is one.
    pub id: Option<String>,
    /// The column of times, where there is one.
    pub time: Option<String>,
    /// The columns of the targets, in their order; none of a table with a column per series, whose target has no name.
    pub targets: Vec<String>,
    /// The columns of the covariates that are known up to now.
    pub past: Vec<String>,
    /// The columns of the covariates that are known over the horizon as well.
    pub future: Vec<String>,
    /// The columns that have one value per series.
    pub statics: Vec<String>,
    /// What each of those holds.
    pub static_kinds: Vec<StaticKind>,
    /// How times are read, where there are any.
    pub time_format: Option<TimeFormat>,
    /// How times are written again: as they are read, but by one pattern where one gives all dates of ISO 8601 as they stood.
    pub written: Option<TimeFormat>,
    /// How far apart steps are.
    pub frequency: Frequency,
    /// The decimal mark.
    pub decimal: Decimal,
}

/// What a column of one value per series holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StaticKind {
    /// Numbers.
    Number,
    /// Words, of which one is as far from a second as from a third.
    Category,
}

impl HistoryColumns {
    /// G, how many targets a step has.
    pub fn target_count(&self) -> usize {
        if self.format == Format::Wide { 1 } else { self.targets.len() }
    }

    /// A moment as the file would have it.
    pub fn time_text(&self, moment: Moment) -> String {
        moment.text(self.written.as_ref())
    }
}
