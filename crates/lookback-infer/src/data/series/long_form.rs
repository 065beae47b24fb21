//! Tables with a row per step; the rules stand in the documentation of the parent module.

use std::cmp::Ordering;
#[cfg(feature = "parquet")]
use std::collections::BTreeSet;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::columns::{by_training, places_by_name};
use super::numbers::{Values, find_decimal, in_words, may_be_number};
use super::sheet::{Sheet, called, cell, is_nameless, left_aside};
use super::times::{self, TimeFormat, Times};
use super::{Column, Each, LabelPer, Labels, Read, SeriesColumns, SeriesExample, SeriesOptions};
use crate::data::columns::FirstLine;
use crate::data::delimited::Row;
use crate::data::kept::KeptColumns;
use crate::error::place::unit;
use crate::error::{DataError, counted, quoted};

pub(in crate::data) const ID_NAMES: &[&str] =
    &["id", "sequence", "sequence_id", "series", "series_id", "case", "case_id"];
pub(in crate::data) const TIME_NAMES: &[&str] = &["time", "step", "t", "timestamp"];
// Fewer than in tables: a channel may well be called "y" or "rating".
pub(super) const LABEL_NAMES: &[&str] = &["label", "class", "category", "target"];

/// Where each role stands, counted from 0.
struct Places {
    id: usize,
    time: Option<usize>,
    label: Option<usize>,
    values: Vec<usize>,
    /// What messages call each of `values`.
    names: Vec<String>,
    header: bool,
}

/// What makes series of rows.
struct Reader<'a> {
    file: &'a Path,
    places: &'a Places,
    labels: Labels,
    label_per: LabelPer,
    /// By the place of the row.
    times: Option<Times>,
    values: Values<'a>,
}

pub(super) fn read(file: &Path, sheet: &Sheet, options: &SeriesOptions) -> Result<Read, DataError> {
    let first = sheet.first(file);
    let options = &*by_training(&first, options);
    let places = find_places(&first, sheet, options)?;
    let body = sheet.body(places.header);
    let trained = options.trained.as_ref();
    let decimal = match options.series.decimal {
        Some(told) => told,
        None => {
            let cells = body.iter().flat_map(|row| places.values.iter().map(|&place| (row.line, cell(row, place))));
            find_decimal(file, cells, sheet.has_semicolons(), trained.and_then(|trained| trained.decimal))?
        }
    };
    let (time_format, times) = match places.time {
        Some(place) => {
            let cells: Vec<(usize, &str)> = body.iter().map(|row| (row.line, cell(row, place))).collect();
            let (told, trained) =
                (options.series.time_format.as_ref(), trained.and_then(|trained| trained.time_format.as_ref()));
            let (format, times) = times::read(file, &cells, told, trained, decimal)?;
            (Some(format), Some(times))
        }
        None if options.series.time_format.is_some() => return Err(first.unclear("time")),
        None => {
            if trained.is_some_and(|trained| trained.time_format.is_some()) {
                let name = file.display();
                tracing::warn!(
                    "{name}: no column of times was found, as the training data had; steps are in the order of the rows"
                );
            }
            (None, None)
        }
    };
    let mut reader = Reader {
        file,
        places: &places,
        labels: options.labels,
        label_per: options.series.label_per.unwrap_or_default(),
        times,
        values: Values::new(file, decimal, options),
    };
    let sequences = sequences(file, body, places.id)?;
    let kept = KeptColumns::find_of_inputs(&options.keep, &first, places.header, (body, &sequences))?;
    let each = |steps: Vec<usize>| {
        let (line, kept) = (steps.first().map_or(0, |&step| body[step].line), kept.of_input(body, &steps));
        Each { line, example: reader.series(body, steps), kept }
    };
    let examples = sequences.into_iter().map(each).collect();
    let missing = reader.values.settle()?;
    let told = [Some(sentence(&first, &places, time_format.as_ref()))].into_iter().chain([in_words(decimal), missing]);
    let name = |place: usize| first.fields.get(place).map(|name| name.trim().to_owned()).filter(|_| places.header);
    let channels = places.values.iter().filter_map(|&place| name(place)).collect();
    let (form, count) = (sheet.in_words(places.header), counted(body.len(), "row"));
    Ok(Read {
        examples,
        form: format!("{form}, a row per step (csv-long), {count}"),
        told: told.flatten().collect(),
        columns: SeriesColumns {
            channels,
            id: name(places.id),
            time: places.time.and_then(name),
            label: places.label.and_then(name),
            time_format,
            decimal: Some(decimal),
            wide: None,
        },
    })
}

/// The places, in order, of the columns of a table that are needed. `names`: its names alone.
#[cfg(feature = "parquet")]
pub(super) fn needed(file: &Path, names: &Sheet, options: &SeriesOptions) -> Result<Vec<usize>, DataError> {
    let first = names.first(file);
    // What is found out is told when the rows are read.
    let silent = tracing::subscriber::NoSubscriber::default();
    let find = || find_places(&first, names, &by_training(&first, options));
    let places = tracing::subscriber::with_default(silent, find)?;
    // A column without a name is a channel unless its values count the rows.
    let nameless = (0..first.fields.len()).filter(|&place| is_nameless(first.fields[place]));
    let roles = [Some(places.id), places.time, places.label].into_iter().flatten();
    let needed: BTreeSet<usize> = roles.chain(places.values.iter().copied()).chain(nameless).collect();
    Ok(needed.into_iter().collect())
}

/// The places of the rows of each sequence, in the order of the file.
fn sequences(file: &Path, body: &[Row], id: usize) -> Result<Vec<Vec<usize>>, DataError> {
    let mut order: HashMap<&str, usize> = HashMap::new();
    let mut sequences: Vec<Vec<usize>> = Vec::new();
    for (step, row) in body.iter().enumerate() {
        let id = cell(row, id);
        if id.is_empty() {
            let problem = "the id of the sequence is empty".to_owned();
            return Err(DataError::Line { file: file.into(), line: row.line, problem });
        }
        let place = *order.entry(id).or_insert_with(|| {
            sequences.push(Vec::new());
            sequences.len() - 1
        });
        sequences[place].push(step);
    }
    Ok(sequences)
}

/// Which column was used for what.
fn sentence(first: &FirstLine<'_>, places: &Places, times: Option<&TimeFormat>) -> String {
    let call = |place: usize| called(first, place, places.header);
    let time = match (places.time, times) {
        (Some(place), Some(format)) => format!("steps ordered by column {} ({format})", call(place)),
        _ => "steps in the order of the rows".to_owned(),
    };
    let label = places.label.map_or_else(String::new, |place| format!(", labels from {}", call(place)));
    let roles = [Some(places.id), places.time, places.label];
    let used: HashSet<usize> = places.values.iter().copied().chain(roles.into_iter().flatten()).collect();
    let aside: Vec<usize> = (0..first.fields.len()).filter(|place| !used.contains(place)).collect();
    let aside = left_aside(first, &aside, places.header).map_or_else(String::new, |aside| format!("; {aside}"));
    format!("series by column {}, {time}{label}{aside}", call(places.id))
}

fn find_places(first: &FirstLine<'_>, sheet: &Sheet, options: &SeriesOptions) -> Result<Places, DataError> {
    let asked_label = options.label.as_ref().filter(|_| options.labels != Labels::Ignored);
    let asked =
        || [options.id.as_ref(), options.time.as_ref(), asked_label].into_iter().flatten().chain(&options.values);
    let name = asked().find_map(|column| match column {
        Column::Name(name) => Some(name.clone()),
        Column::Number(_) => None,
    });
    if let (Some(name), Some(false)) = (&name, options.header) {
        return Err(DataError::NameWithoutHeader { file: first.file.into(), name: name.clone() });
    }
    let must_search = options.id.is_none() || (options.label.is_none() && options.labels == Labels::Required);
    let named = options.header.or((name.is_some() || must_search).then_some(true));
    // A place that is told is not free to be found under another role.
    let trained = options.trained.as_ref().filter(|_| named == Some(true)).map(|trained| trained.channels.as_slice());
    let of_training = trained.and_then(|names| places_by_name(first, names).ok()).unwrap_or_default();
    let told: Vec<usize> = asked().filter_map(|column| first.find(column).ok()).chain(of_training).collect();
    let find = |column: Option<&Column>, names: &[&str]| match column {
        Some(column) => first.find(column).map(Some),
        None if named == Some(false) => Ok(None),
        None => Ok(first.known(names).filter(|place| !told.contains(place))),
    };
    let id = find(options.id.as_ref(), ID_NAMES)?.ok_or_else(|| first.unclear("id of the sequence"))?;
    let time = find(options.time.as_ref(), TIME_NAMES)?;
    // The label's column is found even where labels are not read: it is no channel.
    let label = match (&options.label, options.labels) {
        (Some(column), Labels::Ignored) => first.find(column).ok(),
        (column, _) => find(column.as_ref(), LABEL_NAMES)?,
    };
    if label.is_none() && options.labels == Labels::Required {
        return Err(first.unclear("label"));
    }
    let taken = [Some(id), time, label];
    let (values, header) = find_values(first, sheet, options, named, &taken)?;
    check_distinct(first, [("id", Some(id)), ("time", time), ("label", label)], &values)?;
    let names = (0..).zip(&values).map(|(channel, &place)| match first.fields.get(place) {
        Some(name) if header && !is_nameless(name) => format!("{:?}", name.trim()),
        _ => format!("{}", channel + 1),
    });
    let names = names.collect();
    let label = label.filter(|_| options.labels != Labels::Ignored);
    Ok(Places { id, time, label, values, names, header })
}

/// The places of the channels, and whether the first row is a header. `named`: whether it is, where that is known.
fn find_values(
    first: &FirstLine<'_>,
    sheet: &Sheet,
    options: &SeriesOptions,
    named: Option<bool>,
    taken: &[Option<usize>],
) -> Result<(Vec<usize>, bool), DataError> {
    let free = || (0..first.fields.len()).filter(|&place| !taken.contains(&Some(place)));
    let is_number = |place: usize| first.fields.get(place).is_some_and(|field| field.trim().parse::<f64>().is_ok());
    let trained = options.trained.as_ref().map(|trained| trained.channels.as_slice()).filter(|names| !names.is_empty());
    let by_name = |header: bool| trained.filter(|_| header);
    let told = || options.values.iter().map(|column| first.find(column)).collect::<Result<Vec<_>, _>>();
    let header = match named {
        Some(header) => header,
        None if options.values.is_empty() => !free().any(is_number),
        None => !told()?.into_iter().any(is_number),
    };
    let values = if let Some(names) = by_name(header) {
        places_by_name(first, names)?
    } else if options.values.is_empty() {
        let counters = if header { sheet.counters(first.file) } else { HashSet::new() };
        let channels: Vec<usize> = free().filter(|place| !counters.contains(place)).collect();
        check_numbers(first, sheet, &channels, header)?;
        channels
    } else {
        told()?
    };
    if values.is_empty() {
        return Err(first.unclear("values"));
    }
    let expected = trained.map_or(values.len(), <[String]>::len);
    if expected != values.len() {
        return Err(DataError::Channels { file: first.file.into(), line: first.line, found: values.len(), expected });
    }
    if values.windows(2).any(|pair| pair[0] > pair[1]) && by_name(header).is_some() {
        let name = first.file.display();
        let names = by_name(header).map_or_else(String::new, quoted);
        tracing::info!("{name}: its channels are put in the order that the model was trained on: {names}");
    }
    Ok((values, header))
}

/// Refuses a column that was not asked for and holds no number in any row.
fn check_numbers(first: &FirstLine<'_>, sheet: &Sheet, channels: &[usize], header: bool) -> Result<(), DataError> {
    let body = sheet.body(header);
    let holds_words = |place: &&usize| !body.iter().any(|row| may_be_number(cell(row, **place)));
    let Some(&place) = channels.iter().find(holds_words).filter(|_| !body.is_empty() && channels.len() > 1) else {
        return Ok(());
    };
    let column = called(first, place, header);
    let problem = format!("column {column} holds no numbers; --values names the columns of the channels");
    Err(DataError::Line { file: first.file.into(), line: first.line, problem })
}

/// No column can have two roles.
fn check_distinct(
    first: &FirstLine<'_>,
    roles: [(&'static str, Option<usize>); 3],
    values: &[usize],
) -> Result<(), DataError> {
    let told = roles.into_iter().filter_map(|(role, place)| place.map(|place| (role, place)));
    let all: Vec<(&'static str, usize)> = told.chain(values.iter().map(|&place| ("values", place))).collect();
    // A table may have as many columns as a person likes, so each is looked up, not compared with all others.
    let mut roles: HashMap<usize, &'static str> = HashMap::new();
    for (second, place) in all {
        if let Some(role) = roles.insert(place, second) {
            let column = format!("{} ({:?})", place + 1, first.fields.get(place).unwrap_or(&""));
            return Err(DataError::SameColumn { file: first.file.into(), first: role, second, column });
        }
    }
    Ok(())
}

impl Reader<'_> {
    /// One series from the places of its rows in `body`, which are at least one.
    fn series(&mut self, body: &[Row], mut steps: Vec<usize>) -> Result<SeriesExample, DataError> {
        let line = steps.first().map_or(0, |&step| body[step].line);
        let of_file = steps.first().copied();
        if let Some(times) = &self.times {
            sort_by_time(self.file, body, &mut steps, self.places, times)?;
        }
        let rows: Vec<&Row> = steps.iter().map(|&step| &body[step]).collect();
        let label = match self.places.label {
            Some(place) => self.label(place, of_file.map(|step| &body[step]), &rows)?,
            None => None,
        };
        let channels = self.places.values.len();
        let mut values = Vec::with_capacity(rows.len() * channels);
        for (step, row) in rows.iter().enumerate() {
            for (&place, name) in self.places.values.iter().zip(&self.places.names) {
                values.push(self.values.read(cell(row, place), row.line, name, step + 1)?);
            }
        }
        Ok(SeriesExample { values, length: rows.len(), channels, label, line })
    }

    /// The label of a series. `of_file`: its first row in the file.
    fn label(&self, place: usize, of_file: Option<&Row>, rows: &[&Row]) -> Result<Option<String>, DataError> {
        let label = |row: &&Row| {
            Some(cell(row, place)).filter(|label| !label.is_empty()).map(|label| (label.to_owned(), row.line))
        };
        let in_first = of_file.and_then(|row| label(&row)).or_else(|| rows.first().and_then(label));
        let required = self.labels == Labels::Required;
        let Some((expected, first_line)) =
            in_first.or_else(|| if required { None } else { rows.iter().find_map(label) })
        else {
            let line = of_file.map_or(0, |row| row.line);
            return if required {
                Err(DataError::EmptyLabel { file: self.file.into(), line, hint: "" })
            } else {
                Ok(None)
            };
        };
        for row in rows {
            let found = cell(row, place);
            if found.is_empty() && required && self.label_per == LabelPer::Row {
                let unit = unit(self.file);
                let problem = format!(
                    "the label is empty, but that of the same sequence on {unit} {first_line} is {expected:?}; --label-per \
                     first reads labels from the first row of a sequence alone"
                );
                return Err(DataError::Line { file: self.file.into(), line: row.line, problem });
            }
            if !found.is_empty() && found != expected {
                return Err(DataError::SeriesLabel {
                    file: self.file.into(),
                    line: row.line,
                    id: cell(row, self.places.id).to_owned(),
                    found: found.to_owned(),
                    expected,
                    first_line,
                });
            }
        }
        Ok(Some(expected))
    }
}

/// Sorts the rows of a sequence by their times. Two rows at one time are an error.
fn sort_by_time(
    file: &Path,
    body: &[Row],
    steps: &mut [usize],
    places: &Places,
    times: &Times,
) -> Result<(), DataError> {
    steps.sort_by(|&a, &b| times.compare(a, b));
    let same = |pair: &&[usize]| times.compare(pair[0], pair[1]) == Ordering::Equal;
    let Some(pair) = steps.windows(2).find(same) else { return Ok(()) };
    let (other, row) = (&body[pair[0]], &body[pair[1]]);
    let time = places.time.map_or("", |place| cell(row, place));
    let problem = format!(
        "sequence \"{}\" has the time \"{time}\" here and on {} {}; one row per time was expected",
        cell(row, places.id),
        unit(file),
        other.line
    );
    Err(DataError::Line { file: file.into(), line: row.line, problem })
}
