//! CSV in long form; the rules stand in the documentation of the parent module.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::path::Path;

use super::{Column, Labels, SeriesExample, SeriesOptions, finite};
use crate::data::columns::FirstLine;
use crate::data::delimited::{Row, rows, width_error};
use crate::data::dialect;
use crate::error::DataError;

const ID_NAMES: &[&str] = &["id", "sequence", "sequence_id", "series", "series_id", "case", "case_id"];
const TIME_NAMES: &[&str] = &["time", "step", "t", "timestamp"];
// Fewer than in tables: a channel may well be called "y" or "rating".
const LABEL_NAMES: &[&str] = &["label", "class", "category", "target"];

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

pub(super) fn read(file: &Path, text: &str, options: &SeriesOptions) -> Result<Vec<SeriesExample>, DataError> {
    let (dialect, start) = dialect::find(text, &options.layout, false);
    let rows = rows(file, text, start, dialect)?;
    let Some(first) = rows.first() else { return Err(DataError::Empty { file: file.into() }) };
    let first = FirstLine { file, line: first.line, fields: first.fields.iter().collect() };
    let places = find_places(&first, options)?;
    let wrong = rows.iter().find_map(|row| width_error(file, &rows[0], row, dialect));
    wrong.map_or(Ok(()), Err)?;
    let mut order: HashMap<&str, usize> = HashMap::new();
    let mut sequences: Vec<Vec<&Row>> = Vec::new();
    for row in rows.iter().skip(usize::from(places.header)) {
        let id = field(row, places.id);
        if id.is_empty() {
            let problem = "the id of the sequence is empty".to_owned();
            return Err(DataError::Line { file: file.into(), line: row.line, problem });
        }
        let place = *order.entry(id).or_insert_with(|| {
            sequences.push(Vec::new());
            sequences.len() - 1
        });
        sequences[place].push(row);
    }
    sequences.into_iter().map(|rows| sequence(file, rows, &places, options.labels)).collect()
}

fn find_places(first: &FirstLine<'_>, options: &SeriesOptions) -> Result<Places, DataError> {
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
    let told: Vec<usize> = asked().filter_map(|column| first.find(column).ok()).collect();
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
    let values: Vec<usize> = if options.values.is_empty() {
        (0..first.fields.len()).filter(|&place| !taken.contains(&Some(place))).collect()
    } else {
        options.values.iter().map(|column| first.find(column)).collect::<Result<_, _>>()?
    };
    if values.is_empty() {
        return Err(first.unclear("values"));
    }
    check_distinct(first, [("id", Some(id)), ("time", time), ("label", label)], &values)?;
    let is_number = |&place: &usize| first.fields.get(place).is_some_and(|field| field.trim().parse::<f64>().is_ok());
    let header = named.unwrap_or_else(|| !values.iter().any(is_number));
    let call = |&place: &usize| match first.fields.get(place) {
        Some(name) if header => format!("{} (\"{name}\")", place + 1),
        _ => (place + 1).to_string(),
    };
    let names = values.iter().map(call).collect();
    let label = label.filter(|_| options.labels != Labels::Ignored);
    Ok(Places { id, time, label, values, names, header })
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

/// One sequence from its rows, which are at least one.
fn sequence(file: &Path, mut rows: Vec<&Row>, places: &Places, labels: Labels) -> Result<SeriesExample, DataError> {
    let line = rows.first().map_or(0, |row| row.line);
    if let Some(time) = places.time {
        sort_by_time(file, &mut rows, places.id, time)?;
    }
    let mut label: Option<(&str, usize)> = None;
    let mut values = Vec::with_capacity(rows.len() * places.values.len());
    for (step, row) in rows.iter().enumerate() {
        if let Some(place) = places.label {
            let found = field(row, place);
            if found.is_empty() && labels == Labels::Required {
                return Err(DataError::EmptyLabel { file: file.into(), line: row.line });
            }
            let (expected, first_line) = *label.get_or_insert((found, row.line));
            if found != expected {
                return Err(DataError::SeriesLabel {
                    file: file.into(),
                    line: row.line,
                    id: field(row, places.id).to_owned(),
                    found: found.to_owned(),
                    expected: expected.to_owned(),
                    first_line,
                });
            }
        }
        for (&place, name) in places.values.iter().zip(&places.names) {
            let value = field(row, place);
            values.push(finite(value).ok_or_else(|| DataError::SeriesValue {
                file: file.into(),
                line: row.line,
                channel: name.clone(),
                step: step + 1,
                value: value.to_owned(),
            })?);
        }
    }
    let label = label.map(|(label, _)| label.to_owned()).filter(|label| !label.is_empty());
    Ok(SeriesExample { values, length: rows.len(), channels: places.values.len(), label, line })
}

/// Sorts by number where every time is one, else by text. Two rows at one time are an error.
fn sort_by_time(file: &Path, rows: &mut [&Row], id: usize, time: usize) -> Result<(), DataError> {
    let number = |row: &Row| field(row, time).parse::<f64>().ok().filter(|number| number.is_finite());
    let numeric = rows.iter().all(|row| number(row).is_some());
    let compare = |a: &Row, b: &Row| match (number(a), number(b)) {
        (Some(a), Some(b)) if numeric => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        _ => field(a, time).cmp(field(b, time)),
    };
    rows.sort_by(|a, b| compare(a, b));
    match rows.windows(2).find(|pair| compare(pair[0], pair[1]) == Ordering::Equal) {
        None => Ok(()),
        Some(pair) => Err(DataError::Line {
            file: file.into(),
            line: pair[1].line,
            problem: format!(
                "sequence \"{}\" has the time \"{}\" here and on line {}; one row per time was expected",
                field(pair[1], id),
                field(pair[1], time),
                pair[0].line
            ),
        }),
    }
}

fn field(row: &Row, place: usize) -> &str {
    row.fields.get(place).unwrap_or_default().trim()
}
