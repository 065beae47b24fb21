//! The columns of series as they were found, by which those of other data are.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::numbers::Decimal;
use super::times::TimeFormat;
use super::{Column, SeriesOptions};
use crate::data::columns::FirstLine;
use crate::error::{DataError, quoted};

/// What was found out of a file of series.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SeriesColumns {
    /// What each channel is called, in their order; empty where nothing names them.
    pub channels: Vec<String>,
    /// The name of the column that tells series apart, where it has one.
    pub id: Option<String>,
    /// The name of the column of times, where it has one.
    pub time: Option<String>,
    /// The name of the column of labels, where it has one.
    pub label: Option<String>,
    /// How times are written, where there are any.
    pub time_format: Option<TimeFormat>,
    /// The decimal mark.
    pub decimal: Option<Decimal>,
    /// Of a table with a row per series.
    pub wide: Option<WideColumns>,
}

/// What was found out of a table with a row per series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WideColumns {
    /// How many columns it has.
    pub width: usize,
    /// The place of the label, counted from 0.
    pub label: Option<usize>,
}

impl SeriesColumns {
    /// What messages call a channel, counted from 0: its name in quotes, or its number from 1.
    pub fn call(&self, channel: usize) -> String {
        self.channels.get(channel).map_or_else(|| (channel + 1).to_string(), |name| format!("{name:?}"))
    }
}

/// Options for other data of a trained model: where these have a header, columns are those with the names of the training
/// data, wherever they stand, and not those of its numbers.
pub(super) fn by_training<'a>(first: &FirstLine<'_>, options: &'a SeriesOptions) -> Cow<'a, SeriesOptions> {
    let Some(trained) = &options.trained else { return Cow::Borrowed(options) };
    if options.header == Some(false) {
        // Names of the training data say nothing here.
        let number = |column: &Option<Column>| column.clone().filter(|column| matches!(column, Column::Number(_)));
        return Cow::Owned(SeriesOptions {
            id: number(&options.id),
            time: number(&options.time),
            label: number(&options.label),
            values: options.values.iter().cloned().filter_map(|column| number(&Some(column))).collect(),
            ..options.clone()
        });
    }
    let roles = [&trained.id, &trained.time, &trained.label];
    let fields: HashSet<String> = first.fields.iter().map(|field| field.trim().to_lowercase()).collect();
    let mut names = trained.channels.iter().chain(roles.into_iter().flatten());
    let has_header = options.header == Some(true) || names.any(|name| fields.contains(&name.to_lowercase()));
    if !has_header || roles.into_iter().flatten().next().is_none() && trained.channels.is_empty() {
        return Cow::Borrowed(options);
    }
    let role = |told: &Option<Column>, name: &Option<String>| match (told, name) {
        (Some(Column::Number(_)) | None, Some(name)) if first.known(&[name]).is_some() => {
            Some(Column::Name(name.clone()))
        }
        (Some(Column::Number(_)), Some(_)) => None,
        _ => told.clone(),
    };
    Cow::Owned(SeriesOptions {
        id: role(&options.id, &trained.id),
        time: role(&options.time, &trained.time),
        label: role(&options.label, &trained.label),
        // Those are found by the names of the training data.
        values: if trained.channels.is_empty() { options.values.clone() } else { Vec::new() },
        header: Some(true),
        ..options.clone()
    })
}

/// The places in `first` of the channels that the training data had, in the order of those.
pub(super) fn places_by_name(first: &FirstLine<'_>, trained: &[String]) -> Result<Vec<usize>, DataError> {
    // There may be as many columns as a person likes, so each name is looked up.
    let mut exact: HashMap<&str, VecDeque<usize>> = HashMap::new();
    let mut any_case: HashMap<String, VecDeque<usize>> = HashMap::new();
    for (place, field) in first.fields.iter().enumerate() {
        exact.entry(field.trim()).or_default().push_back(place);
        any_case.entry(field.trim().to_lowercase()).or_default().push_back(place);
    }
    let mut taken: HashSet<usize> = HashSet::new();
    let place = |name: &String| {
        let mut places = exact.get_mut(name.as_str()).into_iter().chain(any_case.get_mut(&name.to_lowercase()));
        // Of several columns with one name, the next is meant.
        let place = places.find_map(|places| {
            while let Some(place) = places.pop_front() {
                if taken.insert(place) {
                    return Some(place);
                }
            }
            None
        });
        place.ok_or_else(|| absent(first.file, first.line, name, trained, &first.present()))
    };
    trained.iter().map(place).collect()
}

fn absent(file: &Path, line: usize, name: &str, trained: &[String], present: &[String]) -> DataError {
    let problem = format!(
        "there is no channel {name:?}; the model was trained on the channels {}, and the columns are {}",
        quoted(trained),
        quoted(present)
    );
    DataError::Line { file: file.into(), line, problem }
}
