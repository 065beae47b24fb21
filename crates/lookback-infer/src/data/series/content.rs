//! Whether a table plainly holds numeric series, by what stands in it.

use std::collections::HashSet;
use std::io::Read as _;
use std::path::Path;

use super::long_form::{ID_NAMES, LABEL_NAMES, TIME_NAMES};
use super::roles::{self, Roles};
use super::sheet::{Sheet, cell, is_nameless};
use super::wide::names_columns;
use super::{Column, SeriesOptions};
#[cfg(feature = "parquet")]
use crate::data::columnar::{self, Content};
use crate::data::columns::{FirstLine, TEXT_NAMES};
use crate::data::encoding::decode;
use crate::data::{Format, Layout, file_text};

/// How much of a file is looked at: some rows of long series.
const SAMPLE: u64 = 2 << 20;
/// The same of a table of columns, in rows.
#[cfg(feature = "parquet")]
const SAMPLE_ROWS: usize = 10_000;
/// Fewer rows tell nothing.
const FEWEST_ROWS: usize = 4;
/// So many columns of numbers are steps, where nothing names them.
const MANY_STEPS: usize = 8;
/// So many columns of numbers are steps, where they are numbered.
const FEW_STEPS: usize = 3;

/// What a table of series was found to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundSeries {
    /// The format.
    pub format: Option<Format>,
    /// The column that tells series apart, where no name told that.
    pub id: Option<Column>,
    /// The column that orders steps, where no name told that.
    pub time: Option<Column>,
    /// The column of the label, where no name told that.
    pub label: Option<Column>,
    /// The columns of the channels, where not all others are.
    pub values: Vec<Column>,
}

impl FoundSeries {
    /// Of this format, its columns told by their names or not at all.
    pub fn of(format: Format) -> FoundSeries {
        FoundSeries { format: Some(format), ..FoundSeries::default() }
    }
}

/// The format of series that a table plainly has: a row per step where one column is called an id, ids come again, one is
/// called a label and all others hold numbers, or where what stands in the columns is as plain; a row per series where all
/// columns but one hold numbers, and they are many or are numbered by their names. `label`: its column, where that is told;
/// `is_long`: whether a row is known to be a step, and only its columns are asked for.
///
/// Nothing of a file that cannot be read, or can be read once only; a table of numbers of which neither is plain is warned of.
pub fn found_in_content(file: &Path, layout: &Layout, label: Option<&Column>, is_long: bool) -> Option<FoundSeries> {
    let of = |format| Some(FoundSeries::of(format));
    if !file.is_file() {
        return None;
    }
    let (sheet, header) = match Format::of_texts(file) {
        Some(Format::Csv | Format::Tsv) => (of_text(file, layout)?, None),
        Some(Format::Parquet) => (of_columns(file, label)?, Some(true)),
        _ => return None,
    };
    if sheet.rows.len() < FEWEST_ROWS || sheet.width() < 3 {
        return None;
    }
    let first = sheet.first(file);
    let header = header.unwrap_or_else(|| names_columns(&first, &sheet));
    let label = match label {
        Some(column) => Some(first.find(column).ok()?),
        None => None,
    };
    if header && first.known(TEXT_NAMES).is_some_and(|place| Some(place) != label) {
        return None;
    }
    if header && names_steps(&first, &sheet, label) {
        return of(Format::CsvLong);
    }
    if let Some(roles) = header.then(|| roles::find(&first, &sheet, label)).flatten() {
        return Some(by_roles(&first, roles));
    }
    if is_long {
        return None;
    }
    let numbers = numbers(&first, &sheet, header, label)?;
    if is_numbered(&first, &numbers, header) || !header && numbers.len() >= MANY_STEPS {
        return of(Format::Wide);
    }
    tracing::warn!(
        "{}: all of its columns but one hold numbers; if they are series, say --format csv-long for a row per step, or wide for a \
         row per series; --id, --time and --label name columns that no name tells",
        file.display()
    );
    None
}

/// A table with a row per step, whose columns are told by what stands in them.
fn by_roles(first: &FirstLine<'_>, roles: Roles) -> FoundSeries {
    let Roles { id, time, label, channels } = roles;
    let column = |place: usize, names: &[&str]| {
        let name = first.fields.get(place).map_or("", |name| name.trim());
        match first.known(names) == Some(place) {
            true => None,
            false if is_nameless(name) || first.known(&[name]) != Some(place) => Some(Column::Number(place + 1)),
            false => name.parse::<Column>().ok(),
        }
    };
    tracing::info!(
        "{}: a row per step, by what stands in its columns; --format, --id, --time and --label say otherwise",
        first.file.display()
    );
    FoundSeries {
        format: Some(Format::CsvLong),
        id: column(id, ID_NAMES),
        time: time.and_then(|time| column(time, TIME_NAMES)),
        label: column(label, LABEL_NAMES),
        values: channels.into_iter().flatten().filter_map(|channel| column(channel, &[])).collect(),
    }
}

/// The first rows of a table of text.
fn of_text(file: &Path, layout: &Layout) -> Option<Sheet> {
    let mut bytes = Vec::new();
    file_text::open(file).ok()?.take(SAMPLE).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 == SAMPLE {
        let end = bytes.iter().rposition(|&byte| byte == b'\n')?;
        bytes.truncate(end + 1);
    }
    let text = decode(bytes, layout.encoding).ok()?.text;
    let options = SeriesOptions { layout: layout.clone(), ..SeriesOptions::default() };
    // What is wrong with the file is told when it is read.
    let silent = tracing::subscriber::NoSubscriber::default();
    tracing::subscriber::with_default(silent, || Sheet::read(file, &text, &options, true)).ok()
}

/// The first rows of a table of columns, unless it plainly holds texts.
#[cfg(feature = "parquet")]
fn of_columns(file: &Path, label: Option<&Column>) -> Option<Sheet> {
    let Content::Columns(source) = columnar::content(file, None, None).ok()? else { return None };
    let names = Sheet::of_names(&source);
    let first = names.first(file);
    let label = label.and_then(|column| first.find(column).ok());
    match first.known(TEXT_NAMES).filter(|&place| Some(place) != label) {
        // They need not be read twice.
        Some(_) => None,
        None => {
            let all: Vec<usize> = (0..first.fields.len()).collect();
            Sheet::of_columns(&source, &all, Some(SAMPLE_ROWS)).ok()
        }
    }
}

#[cfg(not(feature = "parquet"))]
fn of_columns(_file: &Path, _label: Option<&Column>) -> Option<Sheet> {
    None
}

/// Whether rows are steps.
fn names_steps(first: &FirstLine<'_>, sheet: &Sheet, label: Option<usize>) -> bool {
    let (Some(id), Some(label)) = (first.known(ID_NAMES), label.or_else(|| first.known(LABEL_NAMES))) else {
        return false;
    };
    let time = first.known(TIME_NAMES);
    let mut channels =
        (0..sheet.width()).filter(|place| ![Some(id), Some(label), time].contains(&Some(*place))).peekable();
    let ids: HashSet<&str> = sheet.body(true).iter().map(|row| cell(row, id)).collect();
    id != label
        && channels.peek().is_some()
        && channels.all(|place| sheet.is_mostly_numeric(place, true))
        && 2 * ids.len() <= sheet.body(true).len()
}

/// The columns of numbers, if all but one are: the label, or what may be it.
fn numbers(first: &FirstLine<'_>, sheet: &Sheet, header: bool, label: Option<usize>) -> Option<Vec<usize>> {
    let named = |names: &[&str]| if header { first.known(names) } else { None };
    let counters = if header { sheet.counters(first.file) } else { HashSet::new() };
    let columns: Vec<usize> =
        (0..sheet.width()).filter(|place| !counters.contains(place) && named(ID_NAMES) != Some(*place)).collect();
    let mut words = columns.iter().copied().filter(|&place| !sheet.is_mostly_numeric(place, header));
    let label = label.or_else(|| named(LABEL_NAMES)).or_else(|| words.next()).or(if header { None } else { Some(0) });
    let steps: Vec<usize> = columns.into_iter().filter(|place| Some(*place) != label).collect();
    steps.iter().all(|&place| sheet.is_mostly_numeric(place, header)).then_some(steps)
}

/// Whether the names of columns are numbers in a row, with the same letters before them or none.
fn is_numbered(first: &FirstLine<'_>, places: &[usize], header: bool) -> bool {
    let parts = |&place: &usize| {
        let name = first.fields.get(place)?.trim();
        let letters = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
        name[letters.len()..].parse::<u64>().ok().map(|number| (letters, number))
    };
    let Some(names) = places.iter().map(parts).collect::<Option<Vec<_>>>() else { return false };
    let follows = |pair: &[(&str, u64)]| pair[0].0 == pair[1].0 && pair[0].1 + 1 == pair[1].1;
    header
        && names.len() >= FEW_STEPS
        && names.windows(2).all(follows)
        && !places.iter().any(|&place| first.fields.get(place).is_some_and(|name| is_nameless(name)))
}
