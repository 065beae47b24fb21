//! Numeric sequences of one or more channels, from `.ts` files, from tables with a row per step and from tables with a row per
//! series.
//!
//! # `.ts`
//! The format of sktime and aeon: a header of `@` lines, then `@data`, then a sequence per line: channels parted by
//! `:`, values by `,`, the label last if the header says `@classLabel true`. What the header tells (dimensions,
//! length, labels) is checked. With `@timeStamps true` a value is a pair `(time,value)`, and the times order the steps; all
//! channels of a sequence must have the same. Steps at the end that are NaN in all channels are padding, and are cut off.
//!
//! # `csv-long`, a row per step
//! With an id that all rows of a sequence share, in any order of the rows:
//! ```text
//! id,time,x,y,label
//! a,0,0.1,2.0,walk
//! a,1,0.2,2.1,walk
//! b,0,0.9,1.0,run
//! ```
//! The id is the column told, or one called `id`, `sequence`, `sequence_id`, `series`, `series_id`, `case` or
//! `case_id`. The time is the column told, or one called `time`, `step`, `t` or `timestamp`; without one the rows
//! stand in order. How times are written is found out, see [`TimeFormat`]. The label
//! is the column told, or one called `label`, `class`, `category` or `target`. The values are the columns told, or all that are
//! left but those without a name that hold whole numbers, which count rows.
//! The first line is a header when told so, when a column is asked for by name, when one has to be found by name,
//! or when none of its value fields is a number.
//!
//! # `wide`, a row per series
//! One channel, and as many columns as the longest series has steps; empty cells or NaN at the end of a row are padding, and
//! are cut off, and so may a row end before the others. The label is the column told, or one with a known name, or the only one that holds anything but numbers, or the
//! first where there is no header, as the UCR archive has it. The first row is a header when told so, when a column is asked
//! for by name, when it has words over most columns of numbers, or when it counts (`0,1,2`).
//!
//! # Parquet and Arrow
//! Hold either table. Their names are the header, null is a missing value, and of a table with a row per step the columns that are
//! needed alone are read.
//!
//! # Values
//! Decimal commas are found out, see [`Decimal`]. Empty cells, `?`, `NaN`, `NA`, `N/A`, `null` and `None` are missing values:
//! they are refused, or NaN where they are to be masked.
//!
//! # Other data of a trained model
//! Channels are found by the names of the training data, wherever they stand; other columns are left aside, and told. Without
//! a header they must be as many.

mod columns;
mod content;
mod layout;
pub(in crate::data) mod long_form;
pub(in crate::data) mod numbers;
mod roles;
pub(in crate::data) mod sheet;
#[cfg(test)]
mod tests;
pub(in crate::data) mod times;
mod ts;
mod wide;

use std::path::Path;

pub use self::columns::{SeriesColumns, WideColumns};
pub use self::content::{FoundSeries, found_in_content};
pub use self::layout::{LabelPer, SeriesLayout};
pub use self::numbers::{Decimal, Missing};
use self::sheet::Sheet;
pub use self::times::TimeFormat;
use super::bad_rows::BadRows;
use super::columnar::{self, Content};
pub use super::columns::{Column, Labels};
use super::kept::{Keep, Kept};
use super::{Format, Layout, OnBadRow, file_text};
use crate::error::place::has_rows_only;
use crate::error::{DataError, counted, quoted};

/// How to read series. The default fits training. Columns concern tables only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesOptions {
    /// The format, one of series; the extension tells it if absent.
    pub format: Option<Format>,
    /// The column that tells which sequence a row belongs to.
    pub id: Option<Column>,
    /// The column that orders the rows of a sequence.
    pub time: Option<Column>,
    /// The column of the label.
    pub label: Option<Column>,
    /// The columns of the channels, in this order; all that are left if empty.
    pub values: Vec<Column>,
    /// Whether the first line is a header; found out if absent.
    pub header: Option<bool>,
    /// Whether labels are read.
    pub labels: Labels,
    /// How the file is laid out, where that is told.
    pub layout: Layout,
    /// How series stand in it, where that is told.
    pub series: SeriesLayout,
    /// What becomes of values that are missing.
    pub missing: Missing,
    /// The columns of the training data, where these are other data.
    pub trained: Option<SeriesColumns>,
    /// The columns of a table that are kept beside the channels.
    pub keep: Keep,
}

/// One sequence, its label and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesExample {
    /// `[T, C]`, row after row; every value is finite, or NaN where it is missing and is to be masked.
    pub values: Vec<f32>,
    /// T, at least 1.
    pub length: usize,
    /// C, the same for all examples of a file, at least 1.
    pub channels: usize,
    /// The label; always there when labels are required.
    pub label: Option<String>,
    /// The line on which the example starts, counted from 1.
    pub line: usize,
}

/// What a file of series holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// At least one.
    pub examples: Vec<SeriesExample>,
    /// Its columns.
    pub columns: SeriesColumns,
}

/// A series as it was read.
#[derive(Debug)]
pub struct Each {
    /// The line on which it starts, counted from 1.
    pub line: usize,
    /// The series, or why it is none.
    pub example: Result<SeriesExample, DataError>,
    /// The columns that are kept.
    pub kept: Kept,
}

impl Each {
    /// A series of which nothing is kept.
    fn new(line: usize, example: Result<SeriesExample, DataError>) -> Each {
        Each { line, example, kept: Kept::default() }
    }
}

/// What a format's reader gives.
struct Read {
    examples: Vec<Each>,
    columns: SeriesColumns,
    /// Such as "commas between the columns, with a header".
    form: String,
    /// Which columns were used for what, and which were left aside; what else was found out.
    told: Vec<String>,
}

impl SeriesOptions {
    /// Whether one series that cannot be read leaves the others be.
    fn reads_each(&self) -> bool {
        self.labels == Labels::Ignored || self.layout.on_bad_row == Some(OnBadRow::Skip)
    }
}

/// Reads all sequences of a file, and tells how.
///
/// # Errors
/// If the file cannot be read, is no text or is empty; if its header or columns are not as expected; if a value
/// is missing and not to be masked, no number or not finite, with its line, channel and step; if times cannot be ordered; if a
/// label is missing or changes within a sequence; and if channels differ in number or in length. Series that cannot be read are
/// named together, or left out where that is told.
pub fn read_series(file: &Path, options: &SeriesOptions) -> Result<Series, DataError> {
    let (all, columns) = read_each_series(file, options)?;
    let file = &file_text::name(file);
    let mut bad = BadRows::of_series();
    let examples: Vec<SeriesExample> = all.into_iter().filter_map(|each| bad.keep(each.example)).collect();
    bad.settle(file, options.layout.on_bad_row)?;
    match examples.is_empty() {
        true => Err(DataError::NoExamples { file: file.into() }),
        false => Ok(Series { examples, columns }),
    }
}

/// As [`read_series`], each by itself.
///
/// # Errors
/// If the file cannot be read, is no text or is empty; if its header or columns are not as expected, or times cannot be ordered.
pub fn read_each_series(file: &Path, options: &SeriesOptions) -> Result<(Vec<Each>, SeriesColumns), DataError> {
    let format = options.format.or_else(|| Format::of_series(file));
    let container = if has_rows_only(file) { Some(Format::Parquet) } else { format };
    let content = columnar::content(file, container, options.layout.encoding)?;
    let file = &file_text::name(file);
    let (Read { examples, columns, form, told }, guessed) = match &content {
        Content::Text(decoded) => {
            let read = of_text(file, &decoded.text, format, options)?;
            (Read { form: format!("{}, {}", decoded.encoding, read.form), ..read }, decoded.guessed)
        }
        #[cfg(feature = "parquet")]
        Content::Columns(source) => (of_columns(file, source, format, options)?, false),
    };
    if examples.is_empty() {
        return Err(DataError::NoExamples { file: file.into() });
    }
    let expected = examples.iter().find_map(|each| Some(each.example.as_ref().ok()?.channels)).unwrap_or(0);
    let check = |example: SeriesExample| match (example.channels, &example.label, options.labels) {
        (found, ..) if found != expected => {
            Err(DataError::Channels { file: file.into(), line: example.line, found, expected })
        }
        (_, None, Labels::Required) => Err(DataError::EmptyLabel { file: file.into(), line: example.line, hint: "" }),
        _ => Ok(example),
    };
    let examples: Vec<Each> =
        examples.into_iter().map(|each| Each { example: each.example.and_then(check), ..each }).collect();
    let parts = [form, in_numbers(&examples, &columns)].into_iter().chain(told);
    let read = format!("{}: {}", file.display(), parts.collect::<Vec<_>>().join("; "));
    match guessed {
        false => tracing::info!("{read}"),
        true => tracing::warn!("{read}; the encoding was found out, --encoding says another"),
    }
    for channel in empty_channels(&examples, expected) {
        let (name, channel) = (file.display(), columns.call(channel));
        tracing::warn!("{name}: the channel {channel} has no value in any series, so that nothing is learnt from it");
    }
    Ok((examples, columns))
}

/// The channels that have no value at all, counted from 0.
fn empty_channels(examples: &[Each], channels: usize) -> Vec<usize> {
    let mut empty = vec![true; channels];
    for example in examples.iter().filter_map(|each| each.example.as_ref().ok()) {
        for row in example.values.chunks_exact(channels.max(1)) {
            empty.iter_mut().zip(row).for_each(|(empty, value)| *empty &= value.is_nan());
        }
    }
    (0..channels).filter(|&channel| empty[channel]).collect()
}

fn of_text(file: &Path, text: &str, format: Option<Format>, options: &SeriesOptions) -> Result<Read, DataError> {
    match format {
        Some(Format::Ts) => ts::read(file, text, options),
        Some(Format::CsvLong) => long_form::read(file, &Sheet::read(file, text, options, false)?, options),
        Some(Format::Wide) => wide::read(file, &Sheet::read(file, text, options, true)?, options),
        _ => Err(DataError::UnknownFormat { file: file.into(), expected: Format::OF_SERIES, hint: "" }),
    }
}

/// Of a table of columns, whose names are the header.
#[cfg(feature = "parquet")]
fn of_columns(
    file: &Path,
    source: &columnar::Source,
    format: Option<Format>,
    options: &SeriesOptions,
) -> Result<Read, DataError> {
    let options = &SeriesOptions { header: Some(true), ..options.clone() };
    match format {
        Some(Format::CsvLong) => {
            let needed = long_form::needed(file, &Sheet::of_names(source), options)?;
            let read = long_form::read(file, &Sheet::of_columns(source, &needed, None)?, options)?;
            let of = counted(source.names().len(), "column");
            Ok(Read { form: format!("{}, {} of {of} read", read.form, needed.len()), ..read })
        }
        Some(Format::Wide) => {
            let all: Vec<usize> = (0..source.names().len()).collect();
            wide::read(file, &Sheet::of_columns(source, &all, None)?, options)
        }
        _ => Err(DataError::UnknownFormat { file: file.into(), expected: Format::OF_SERIES, hint: "" }),
    }
}

/// How many series and channels there are, and how long they are.
fn in_numbers(examples: &[Each], columns: &SeriesColumns) -> String {
    let all = examples.len();
    let read = || examples.iter().filter_map(|each| each.example.as_ref().ok());
    let lengths = || read().map(|example| example.length);
    let (shortest, longest) = (lengths().min().unwrap_or(0), lengths().max().unwrap_or(0));
    let steps = match shortest == longest {
        true => counted(longest, "step"),
        false => format!("{shortest} to {longest} steps"),
    };
    let channels = counted(read().next().map_or(0, |example| example.channels), "channel");
    let names = if columns.channels.is_empty() { String::new() } else { format!(": {}", quoted(&columns.channels)) };
    match read().count() {
        0 => format!("none of {all} series can be read"),
        count if count < all => format!("{count} of {all} series can be read, of {steps}, {channels}{names}"),
        _ => format!("{all} series of {steps}, {channels}{names}"),
    }
}

/// How many series were cut at their ends, if any.
fn cut_ends(cut: usize) -> Option<String> {
    (cut > 0).then(|| format!("padding at the end of {cut} series is cut off"))
}
