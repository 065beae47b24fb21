//! Numbers over time, one series per id, for forecasts: from tables with a row per step, and from tables with a column per series.
//!
//! # `csv-long`, a row per step of a series
//! In any order of the rows:
//! ```text
//! id,time,y,promotion,region
//! a,2024-01-31,5.5,0,north
//! a,2024-02-29,6.0,1,north
//! b,2024-01-31,0.5,0,south
//! ```
//! The id is the column told, or one called `id`, `sequence`, `sequence_id`, `series`, `series_id`, `case`, `case_id`, `unique_id` or
//! `item_id`; without one all rows are one series. The time is the column told, or one called `time`, `step`, `t`, `timestamp`, `ds`,
//! `date` or `datetime`, or the only one that holds dates; without one rows stand in order, and their times are 0, 1, 2 and so
//! on. The targets are the columns told, or one called `y`, `target`, `value`, `sales` or `demand`, or the only one of numbers
//! that is left. Covariates and values of whole series are told. What else there is is left aside.
//!
//! # `wide`, a column per series
//! The time is the column told or one with such a name, or the first where it holds no numbers; without one rows stand in order.
//! All other columns, or those told as targets, are a series each, which its column's name tells apart.
//!
//! # JSON, Parquet and Arrow
//! Hold either table: in JSON an object is a row, in lines or in one array, a number of a column is a key like any other, and what
//! stands deeper is named as in `data.y`. Of Parquet and Arrow the columns that are needed alone are read.
//!
//! # Headers
//! The first line of a table of text names its columns when told so, when a column is asked for by name, when one has a known
//! name, and when none of its fields is a number or a date.
//!
//! # Grids
//! A series is put on a regular grid; a step without a row has no values. How far apart steps are is told, or as in the training
//! data, or found out by the differences of all times, see [`Frequency`]. How times are written is found out, see [`TimeFormat`];
//! whole numbers that are dates without marks, such as 20240131, are dates. A time with a zone is one of UTC.
//!
//! # Values
//! Missing are empty cells, `?`, `NaN`, `NA`, `N/A`, `null` and `None`. A series begins with its first step that has any value. It is
//! as long as its targets are: behind the last of them only future covariates are read.
//!
//! # Other data of a trained model
//! Columns are those with the names of the training data, wherever they stand; a missing one is refused.

mod clock;
mod columns;
mod delimited;
mod frequency;
mod grid;
mod json;
mod long_form;
mod marks;
mod moment;
#[cfg(feature = "parquet")]
mod of_columns;
mod places;
mod sheet;
mod step;
#[cfg(test)]
mod tests;
mod values;
mod wide;

use std::path::Path;

pub use self::columns::{HistoryColumns, StaticKind};
pub use self::frequency::Frequency;
use self::grid::{Grid, Rows};
pub use self::moment::Moment;
use self::places::Places;
use self::sheet::Sheet;
use super::bad_rows::BadRows;
use super::columnar::{self, Content};
pub use super::columns::Column;
use super::columns::FirstLine;
use super::series::numbers::in_words;
use super::series::{Decimal, SeriesLayout, TimeFormat};
use super::{Format, Layout, file_text};
use crate::error::place::{has_rows_only, unit};
use crate::error::{DataError, counted};

/// How histories are read. The default finds everything out, for prediction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistoryOptions {
    /// One of `csv-long`, `wide`, `jsonl` and `parquet`; `csv` and `tsv` are as `csv-long`. Else the extension and the content tell
    /// what the file is, and it has a row per step of a series, unless the training data had a column per series.
    pub format: Option<Format>,
    /// The column that tells which series a row belongs to.
    pub id: Option<Column>,
    /// The column of times.
    pub time: Option<Column>,
    /// The columns of the targets, in this order; found if empty.
    pub targets: Vec<Column>,
    /// The columns of covariates that are known up to now, in this order.
    pub past: Vec<Column>,
    /// The columns of covariates that are known over the horizon as well, in this order.
    pub future: Vec<Column>,
    /// The columns with one value per series, in this order.
    pub statics: Vec<Column>,
    /// Whether the first line is a header; found out if absent.
    pub header: Option<bool>,
    /// How the file is laid out, where that is told.
    pub layout: Layout,
    /// How times and numbers are written, where that is told.
    pub series: SeriesLayout,
    /// How far apart steps are; found out if absent.
    pub frequency: Option<Frequency>,
    /// The columns of the training data, where these are other data.
    pub trained: Option<HistoryColumns>,
    /// Whether rows are expected to end with the last target, as for training and evaluation: then a past covariate behind that is
    /// refused, and a series without a target is left out, and told. Future covariates may go on.
    pub ends_at_target: bool,
}

/// One series on a regular grid. T steps have targets, F more behind them future covariates alone.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// What tells it apart; empty where the file has no ids.
    pub id: String,
    /// The first line that it has in the file, counted from 1.
    pub line: usize,
    /// The moment of step 0, which has a value, unless no step has.
    pub start: Moment,
    /// T: the last step has a value of any target. 0 where none has, which is for prediction only.
    pub length: usize,
    /// `[T, G]`, step after step; NaN where missing.
    pub targets: Vec<f32>,
    /// `[T, P]`; NaN where missing.
    pub past: Vec<f32>,
    /// `[T + F, Q]`; NaN where missing. Of the last of the F steps any is given.
    pub future: Vec<f32>,
    /// One for each column of such values.
    pub statics: Vec<StaticValue>,
}

impl History {
    /// The same as it was known at its step `end`: what is known of the time ahead stays. `targets`, `past`: how many columns there are.
    pub(crate) fn until(&self, end: usize, [targets, past]: [usize; 2]) -> History {
        History {
            id: self.id.clone(),
            line: self.line,
            start: self.start,
            length: end,
            targets: self.targets[..end * targets].to_vec(),
            past: self.past[..end * past].to_vec(),
            future: self.future.clone(),
            statics: self.statics.clone(),
        }
    }
}

/// A value that a whole series has.
#[derive(Clone, Debug, PartialEq)]
pub enum StaticValue {
    /// Finite.
    Number(f32),
    /// Of a column that holds other words than numbers.
    Category(String),
    /// The file has none for the series.
    Missing,
}

/// What a file of histories holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Histories {
    /// At least one, in the order in which they first appear.
    pub all: Vec<History>,
    /// The columns they stood in.
    pub columns: HistoryColumns,
}

/// What a reader gives.
struct Read {
    all: Vec<Result<History, DataError>>,
    found: Found,
    /// Which columns were used for what; what else was found out.
    told: Vec<String>,
}

/// What was found out beside the columns.
struct Found {
    decimal: Decimal,
    /// How times are read, and how they are written again.
    time_format: Option<(TimeFormat, TimeFormat)>,
    frequency: Frequency,
    static_kinds: Vec<StaticKind>,
}

impl HistoryOptions {
    /// The columns that are told.
    fn told(&self) -> impl Iterator<Item = &Column> {
        let several = [&self.targets, &self.past, &self.future, &self.statics];
        [&self.id, &self.time].into_iter().flatten().chain(several.into_iter().flatten())
    }

    /// The names of columns that are told or known from the training data.
    fn names(&self) -> Vec<&str> {
        let told = self.told().filter_map(|column| match column {
            Column::Name(name) => Some(name),
            Column::Number(_) => None,
        });
        let trained = self.trained.iter().flat_map(|trained| {
            let several = [&trained.targets, &trained.past, &trained.future, &trained.statics];
            [&trained.id, &trained.time].into_iter().flatten().chain(several.into_iter().flatten())
        });
        told.chain(trained).map(String::as_str).collect()
    }
}

/// Reads all series of a file, and tells how.
///
/// # Errors
/// If the file cannot be read, is no text or is empty; if a column is missing or unclear, or one is to be several things; if a
/// value is no finite number, or one of a whole series changes within it; if times cannot be read, come twice in a series or are
/// off its grid; if how far apart steps are cannot be told, or is not as in the training data; and if no series is left. Series that
/// cannot be read are named together, or left out where that is told.
pub fn read_histories(file: &Path, options: &HistoryOptions) -> Result<Histories, DataError> {
    let is_wide = match (options.format, &options.trained) {
        (Some(format), _) => format == Format::Wide,
        (None, Some(trained)) => trained.format == Format::Wide,
        (None, None) => false,
    };
    let container = container(file, options.format);
    let content = columnar::content(file, container, options.layout.encoding)?;
    let file = &file_text::name(file);
    let (sheet, places, options, encoding) = match content {
        Content::Text(decoded) => {
            let container = container.or_else(|| Format::of_content(&decoded.text));
            let (sheet, options) = match container {
                Some(Format::Jsonl) => (json::read(file, &decoded.text, options)?, json::by_keys(options)),
                Some(Format::Csv | Format::Tsv | Format::CsvLong) => {
                    (delimited::read(file, &decoded.text, &options.layout)?, options.clone())
                }
                _ => {
                    let (file, expected) = (file.into(), Format::OF_HISTORIES);
                    return Err(DataError::UnknownFormat { file, expected, hint: "" });
                }
            };
            let places = Places::find(file, &sheet, &options, is_wide)?;
            (sheet, places, options, Some((decoded.encoding, decoded.guessed)))
        }
        #[cfg(feature = "parquet")]
        Content::Columns(source) => {
            let options = HistoryOptions { header: Some(true), ..options.clone() };
            let (sheet, places) = of_columns::read(file, &source, &options, is_wide)?;
            (sheet, places, options, None)
        }
    };
    let format = match (is_wide, container) {
        (true, _) => Format::Wide,
        _ if encoding.is_none() => Format::Parquet,
        (_, Some(Format::Jsonl)) => Format::Jsonl,
        _ if sheet.has_names() => Format::Jsonl,
        _ => Format::CsvLong,
    };
    if sheet.body(places.header).is_empty() {
        return Err(DataError::NoExamples { file: file.into() });
    }
    let Read { all, found, told } = match is_wide {
        true => wide::read(file, &sheet, &places, &options)?,
        false => long_form::read(file, &sheet, &places, &options)?,
    };
    let mut bad = BadRows::of_series();
    let all: Vec<History> = all.into_iter().filter_map(|history| bad.keep(history)).collect();
    bad.settle(file, options.layout.on_bad_row)?;
    let all = if options.ends_at_target { with_targets(file, all) } else { all };
    if all.is_empty() {
        return Err(DataError::NoExamples { file: file.into() });
    }
    let first = sheet.first(file);
    let form = encoding.map(|(encoding, _)| encoding.to_string()).into_iter().chain([sheet.in_words(places.header)]);
    let form: Vec<String> = form.chain([in_numbers(&all, found.frequency)]).collect();
    let more = told.into_iter().chain(places.aside(&first)).chain(in_words(found.decimal));
    let read = std::iter::once(form.join(", ")).chain(more).collect::<Vec<_>>().join("; ");
    match encoding {
        Some((_, true)) => {
            tracing::warn!("{}: {read}; the encoding was found out, --encoding says another", file.display());
        }
        _ => tracing::info!("{}: {read}", file.display()),
    }
    Ok(Histories { all, columns: columns(format, &first, &places, found) })
}

/// What the file is, where that is told or known by its name.
fn container(file: &Path, told: Option<Format>) -> Option<Format> {
    match told {
        // Of which neither tells what it stands in.
        None | Some(Format::Wide) => {
            let known = if has_rows_only(file) { Some(Format::Parquet) } else { Format::of_texts(file) };
            known.or_else(|| told.map(|_| Format::CsvLong))
        }
        Some(Format::CsvLong) if has_rows_only(file) => Some(Format::Parquet),
        told => told,
    }
}

/// The grid of a file, of whose rows each series' are then sorted by time; and how times are read, and how they are written again.
fn grid<'a>(
    file: &'a Path,
    sheet: &'a Sheet,
    places: &Places,
    rows: &mut Rows,
    (options, decimal, is_wide): (&HistoryOptions, Decimal, bool),
) -> Result<(Grid<'a>, Option<(TimeFormat, TimeFormat)>), DataError> {
    let (body, trained) = (sheet.body(places.header), options.trained.as_ref());
    let (told, of_training) = (options.frequency, trained.map(|trained| trained.frequency));
    let place = (file, sheet, body.start);
    let may_lack_id = places.id.is_none() && !is_wide;
    let way_out = if may_lack_id { "; --id names the column that tells series apart" } else { "" };
    let Some(time) = places.time else {
        let counts = |frequency: Frequency| matches!(frequency, Frequency::Number(_));
        let frequency = told.or(of_training).unwrap_or(Frequency::Number(1.0));
        if options.series.time_format.is_some() || !counts(frequency) {
            return Err(sheet.first(file).unclear("time"));
        }
        return Ok((Grid::new(place, None, frequency, way_out, body.len()), None));
    };
    let formats = (options.series.time_format.as_ref(), trained.and_then(|trained| trained.time_format.as_ref()));
    let clock = clock::Clock::read(file, sheet, (time, places.header), formats, decimal)?;
    rows.sort(&clock);
    let frequency = step::settle(file, &clock, rows, told, of_training)?;
    let time_format = Some((clock.format.clone(), clock.written.clone()));
    Ok((Grid::new(place, Some(clock), frequency, way_out, body.len()), time_format))
}

/// Those that have a target; the others are told.
fn with_targets(file: &Path, all: Vec<History>) -> Vec<History> {
    let (with, without): (Vec<History>, Vec<History>) = all.into_iter().partition(|history| history.length > 0);
    if let Some(History { id, line, .. }) = without.first() {
        let (name, unit) = (file.display(), unit(file));
        let count = without.len();
        tracing::warn!(
            "{name}: left out, for no row has a target: {count} series, the first of them {id:?} on {unit} {line}"
        );
    }
    with
}

/// How many series there are, how long they are and how far apart their steps.
fn in_numbers(all: &[History], frequency: Frequency) -> String {
    let lengths = || all.iter().map(|history| history.length);
    let (shortest, longest) = (lengths().min().unwrap_or(0), lengths().max().unwrap_or(0));
    let steps = match shortest == longest {
        true => counted(longest, "step"),
        false => format!("{shortest} to {longest} steps"),
    };
    format!("{} series of {steps}, every {frequency}", all.len())
}

fn columns(
    format: Format,
    first: &FirstLine<'_>,
    places: &Places,
    Found { decimal, time_format, frequency, static_kinds }: Found,
) -> HistoryColumns {
    let names = |of: &[usize]| of.iter().map(|&place| places.name(first, place)).collect();
    let (time_format, written) = time_format.unzip();
    HistoryColumns {
        format,
        header: places.header,
        id: places.id.map(|place| places.name(first, place)),
        time: places.time.map(|place| places.name(first, place)),
        targets: if format == Format::Wide { Vec::new() } else { names(&places.targets) },
        past: names(&places.past),
        future: names(&places.future),
        statics: names(&places.statics),
        static_kinds,
        time_format,
        written,
        frequency,
        decimal,
    }
}
