//! Tables of JSON, an object per step, in lines or in one array.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::HistoryOptions;
use super::sheet::{Form, Sheet};
use crate::data::Column;
use crate::data::table::json::{Place, at, of_array, of_lines};
use crate::error::DataError;

/// Cells that a small file may take, however few of them hold anything.
const FEW: usize = 1 << 20;

/// The values under all keys; a file that begins with a bracket is one array.
pub(super) fn read(file: &Path, text: &str, options: &HistoryOptions) -> Result<Sheet, DataError> {
    let is_array = text.trim_start().starts_with('[');
    let objects = if is_array { of_array(file, text)? } else { of_lines(text) };
    let mut sheet = Sheet::new(Form::Json(if is_array { "a JSON array" } else { "JSON Lines" }));
    sheet.add_row(objects.first().map_or(1, |(line, _)| *line));
    // Those may stand within others, as in "data.y".
    let paths: Vec<&str> = options.names().into_iter().filter(|name| name.contains('.')).collect();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (line, content) in objects {
        let place = Place { file, line };
        let object = place.object(content).map_err(expecting_step)?;
        if sheet.body(true).is_empty() {
            check_numbers(&place, &object, options)?;
        }
        sheet.add_row(line);
        let within = paths.iter().filter(|path| !object.contains_key(**path));
        let within = within.filter_map(|path| Some((*path, at(&object, path)?)));
        for (key, value) in object.iter().map(|(key, value)| (key.as_str(), value)).chain(within) {
            let place = match places.get(key) {
                Some(&place) => place,
                None => *places.entry(key.to_owned()).or_insert(sheet.add_column(key)),
            };
            sheet.put(place, &cell(value));
        }
        if sheet.held() > text.len().max(FEW) {
            let problem = format!(
                "the objects up to here have {} keys between them, but most of them few; an object per step with the same keys \
                 was expected",
                places.len()
            );
            return Err(DataError::Line { file: file.into(), line, problem });
        }
    }
    Ok(sheet)
}

/// As in a table of text; null is nothing.
fn cell(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// The error that a line is no object, with one that would be.
fn expecting_step(error: DataError) -> DataError {
    match error {
        DataError::JsonType { file, line, role, found, .. } => {
            let expected = "an object such as {\"id\": \"a\", \"time\": \"2024-01-31\", \"y\": 1.5}";
            DataError::JsonType { file, line, role, found, expected }
        }
        other => other,
    }
}

/// Options whose numbers of columns are names of keys, as all of an object are.
pub(super) fn by_keys(options: &HistoryOptions) -> HistoryOptions {
    let key = |column: &Column| Column::Name(column.as_key());
    let keys = |columns: &[Column]| columns.iter().map(key).collect();
    HistoryOptions {
        id: options.id.as_ref().map(key),
        time: options.time.as_ref().map(key),
        targets: keys(&options.targets),
        past: keys(&options.past),
        future: keys(&options.future),
        statics: keys(&options.statics),
        header: Some(true),
        ..options.clone()
    }
}

/// Refuses a number that is no key.
fn check_numbers(place: &Place<'_>, object: &Map<String, Value>, options: &HistoryOptions) -> Result<(), DataError> {
    let numbers = options.told().filter_map(|column| match column {
        Column::Number(number) => Some(*number),
        Column::Name(_) => None,
    });
    match numbers.into_iter().find(|number| !object.contains_key(&number.to_string())) {
        Some(number) => Err(DataError::NumberedKey { file: place.file.into(), number }),
        None => Ok(()),
    }
}
