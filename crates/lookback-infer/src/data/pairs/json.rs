//! Pairs in JSON, an object each, in lines or in one array.

use std::path::Path;

use serde_json::{Map, Value};

use super::columns::{SOURCE_NAMES, TARGET_NAMES};
use super::{Found, Pair, PairOptions, pair};
use crate::data::Column;
use crate::data::table::TableColumns;
use crate::data::table::json::{Place, at, of_array, of_lines};
use crate::error::DataError;

/// The keys of source and target.
struct Keys {
    source: String,
    target: String,
}

/// The pairs of a file. One that begins with a bracket is one array.
pub(super) fn read(
    file: &Path,
    text: &str,
    options: &PairOptions,
    trained: Option<&TableColumns>,
) -> Result<Found, DataError> {
    let is_array = text.trim_start().starts_with('[');
    let objects = if is_array { of_array(file, text)? } else { of_lines(text) };
    let mut keys: Option<Keys> = None;
    let mut rows = Vec::with_capacity(objects.len());
    for (line, content) in objects {
        let place = Place { file, line };
        let object = match place.object(content) {
            Ok(object) => object,
            Err(error) => {
                rows.push(Err(expecting_pair(error)));
                continue;
            }
        };
        let keys = match &mut keys {
            Some(keys) => keys,
            none => none.insert(Keys::find(&place, &object, options, trained)?),
        };
        rows.push(of_object(&place, &object, keys));
    }
    let Keys { source, target } = keys.unwrap_or(Keys { source: String::new(), target: String::new() });
    let form = if is_array { "a JSON array" } else { "JSON Lines" }.to_owned();
    let columns = TableColumns { header: true, names: vec![source, target], text: 0, label: Some(1) };
    Ok(Found { rows, columns, form })
}

/// The error that a line is no object, with one that would be.
fn expecting_pair(error: DataError) -> DataError {
    match error {
        DataError::JsonType { file, line, role, found, .. } => {
            let expected = "an object such as {\"source\": \"...\", \"target\": \"...\"}";
            DataError::JsonType { file, line, role, found, expected }
        }
        other => other,
    }
}

/// The pair of an object.
fn of_object(place: &Place<'_>, object: &Map<String, Value>, keys: &Keys) -> Result<Pair, DataError> {
    let source = match at(object, &keys.source) {
        Some(Value::Null) => String::new(),
        Some(value) => text(place, "source", value, "a string")?,
        None => return Err(place.no_key(object, &keys.source)),
    };
    let targets = match at(object, &keys.target) {
        Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => {
            list.iter().map(|value| text(place, "target", value, "a string")).collect::<Result<_, _>>()?
        }
        Some(value) => vec![text(place, "target", value, "a string, or a list of strings,")?],
        None => return Err(place.no_key(object, &keys.target)),
    };
    let here = (place.file, place.line);
    pair(here, source, here, targets)
}

fn text(place: &Place<'_>, role: &'static str, value: &Value, expected: &'static str) -> Result<String, DataError> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(place.wrong_type(role, other, expected)),
    }
}

impl Keys {
    /// The keys told, or found in the first object.
    fn find(
        place: &Place<'_>,
        object: &Map<String, Value>,
        options: &PairOptions,
        trained: Option<&TableColumns>,
    ) -> Result<Keys, DataError> {
        for column in [&options.source, &options.target].into_iter().flatten() {
            if let Column::Number(number) = column
                && !object.contains_key(&number.to_string())
            {
                return Err(DataError::NumberedKey { file: place.file.into(), number: *number });
            }
        }
        let trained = trained.filter(|trained| trained.header);
        let known = |trained: Option<&String>, names: &[&str]| {
            let names = trained.map(String::as_str).into_iter().chain(names.iter().copied());
            names.into_iter().find(|name| at(object, name).is_some_and(|value| !value.is_object())).map(str::to_owned)
        };
        let trained_source = trained.and_then(|trained| trained.names.get(trained.text));
        let trained_target = trained.and_then(|trained| trained.names.get(trained.label?));
        let mut source = options.source.as_ref().map(Column::as_key).or_else(|| known(trained_source, SOURCE_NAMES));
        let mut target = options.target.as_ref().map(Column::as_key).or_else(|| known(trained_target, TARGET_NAMES));
        if let Some([first, second]) = two_keys(object) {
            let other = |key: &String| if *key == first { second.clone() } else { first.clone() };
            source = source.or_else(|| Some(target.as_ref().map_or_else(|| first.clone(), other)));
            target = target.or_else(|| source.as_ref().map(other));
        }
        let unclear = |role| DataError::UnclearColumn {
            file: place.file.into(),
            line: place.line,
            role,
            present: object.keys().cloned().collect(),
            hint: String::new(),
        };
        let source = source.ok_or_else(|| unclear("source"))?;
        let target = target.ok_or_else(|| unclear("target"))?;
        if source == target {
            let column = format!("{source:?}");
            return Err(DataError::SameColumn { file: place.file.into(), first: "source", second: "target", column });
        }
        Ok(Keys { source, target })
    }
}

/// The keys of an object that has two, or of the only object in it that does.
fn two_keys(object: &Map<String, Value>) -> Option<[String; 2]> {
    let are_texts = |object: &Map<String, Value>| object.len() == 2 && !object.values().any(Value::is_object);
    if are_texts(object) {
        let mut keys = object.keys().cloned();
        return Some([keys.next()?, keys.next()?]);
    }
    let mut inner = object.iter().filter_map(|(key, value)| Some((key, value.as_object()?)));
    let (key, pair) = inner.next().filter(|(_, pair)| are_texts(pair) && inner.next().is_none())?;
    let mut keys = pair.keys().map(|name| format!("{key}.{name}"));
    Some([keys.next()?, keys.next()?])
}
