//! Tables of JSON, a line or an element per row; the rules stand in the documentation of the parent module.

use std::path::Path;

use csv::StringRecord;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Column, Found, Labels, Read, TableColumns, TableOptions, TextExample};
use crate::data::columns::{TEXT_NAMES, label_names};
use crate::data::delimited::Row;
use crate::data::file_text::Lines;
use crate::data::roles::{Profiles, SAMPLE, is_phrase};
use crate::error::DataError;

/// The examples, labels trimmed, with nothing checked but their types. A file that begins with a bracket is one array.
pub(super) fn read(file: &Path, text: &str, options: &TableOptions) -> Result<(Vec<Read>, Found), DataError> {
    let is_array = text.trim_start().starts_with('[');
    let rows = if is_array { of_array(file, text)? } else { of_lines(text) };
    let mut keys: Option<(String, Option<String>)> = None;
    let mut examples = Vec::new();
    for &(line, content) in &rows {
        let place = Place { file, line };
        let object = match place.object(content) {
            Ok(object) => object,
            Err(error) => {
                examples.push(Read::new(line, Err(error)));
                continue;
            }
        };
        if keys.is_none() {
            let rest = rows.iter().map(|(_, content)| *content);
            keys = Some(find_keys(&place, &object, options, &|| profiles(&object, rest.clone()))?);
        }
        let Some((text_key, label_key)) = &keys else { continue };
        let example = || {
            let text = place.text(&object, text_key)?;
            let labels = match label_key {
                Some(key) => place.labels(&object, key, options)?,
                None => Vec::new(),
            };
            Ok(TextExample { text, labels, line })
        };
        examples.push(Read::new(line, example()));
    }
    let form = if is_array { "a JSON array" } else { "JSON Lines" }.to_owned();
    let (text, label) = keys.unwrap_or_default();
    let label_place = label.is_some().then_some(1);
    let names = std::iter::once(text).chain(label).collect();
    Ok((examples, Found { form, columns: TableColumns { header: true, names, text: 0, label: label_place } }))
}

/// The lines that hold something, each with its number.
pub(in crate::data) fn of_lines(text: &str) -> Vec<(usize, &str)> {
    (1..).zip(text.lines()).filter(|(_, content)| !content.trim().is_empty()).collect()
}

/// The values of an array, each with the line it begins on.
pub(in crate::data) fn of_array<'a>(file: &Path, text: &'a str) -> Result<Vec<(usize, &'a str)>, DataError> {
    let values: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| {
        let (line, said) = (error.line(), problem(&error));
        DataError::Json { file: file.into(), line, problem: said }
    })?;
    let mut lines = Lines::default();
    let row = |value: &'a RawValue| {
        // The value is a part of the text.
        let offset = (value.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        (lines.at(text.as_bytes(), offset), value.get())
    };
    Ok(values.into_iter().map(row).collect())
}

/// What stands under a key, or at the end of a path of keys such as `data.text`.
pub(in crate::data) fn at<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    if let Some(value) = object.get(key) {
        return Some(value);
    }
    // A key may itself hold a dot, so every one is tried.
    key.match_indices('.').find_map(|(dot, _)| match object.get(&key[..dot]) {
        Some(Value::Object(inner)) => at(inner, &key[dot + 1..]),
        _ => None,
    })
}

/// What stands under the keys of the first object in all of them.
fn profiles<'a>(first: &Map<String, Value>, objects: impl Iterator<Item = &'a str>) -> Profiles {
    let keys: StringRecord = first.keys().collect();
    let row = |object: &Map<String, Value>| {
        let cell = |key: &String| match object.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
            _ => String::new(),
        };
        Row { line: 0, fields: first.keys().map(cell).collect() }
    };
    let objects = objects.take(SAMPLE).filter_map(|content| serde_json::from_str::<Map<_, _>>(content).ok());
    let rows: Vec<Row> =
        std::iter::once(Row { line: 0, fields: keys }).chain(objects.map(|object| row(&object))).collect();
    Profiles::new(&rows)
}

/// The keys of text and label, told or found in the first object, or by what stands under them.
fn find_keys(
    place: &Place<'_>,
    object: &Map<String, Value>,
    options: &TableOptions,
    profiles: &dyn Fn() -> Profiles,
) -> Result<(String, Option<String>), DataError> {
    let told = |column: &Option<Column>| match column {
        Some(Column::Name(name)) => Ok(Some(name.clone())),
        Some(Column::Number(number)) if object.contains_key(&number.to_string()) => Ok(Some(number.to_string())),
        Some(Column::Number(number)) => Err(DataError::NumberedKey { file: place.file.into(), number: *number }),
        None => Ok(None),
    };
    let trained = options.trained.as_ref().filter(|trained| trained.header);
    let known = |trained: Option<&String>, names: &[&str]| {
        let names = trained.map(String::as_str).into_iter().chain(names.iter().copied());
        names.into_iter().find(|name| at(object, name).is_some()).map(str::to_owned)
    };
    let other = |key: Option<&String>| match (object.len(), key) {
        (2, Some(key)) => object.keys().find(|present| *present != key).cloned(),
        _ => None,
    };
    let unclear = |role| DataError::UnclearColumn {
        file: place.file.into(),
        line: place.line,
        role,
        present: object.keys().cloned().collect(),
        hint: String::new(),
    };
    let read_labels = options.labels != Labels::Ignored;
    let trained_text = trained.and_then(|trained| trained.names.get(trained.text));
    let trained_label = trained.and_then(|trained| trained.names.get(trained.label?));
    let label_names = label_names(options.label_separator.is_some());
    let label = if read_labels { told(&options.label)?.or_else(|| known(trained_label, &label_names)) } else { None };
    let text = told(&options.text)?.or_else(|| known(trained_text, TEXT_NAMES)).or_else(|| other(label.as_ref()));
    let at_place = |place: usize| object.keys().nth(place).cloned();
    let place_of = |key: &String| object.keys().position(|present| present == key);
    let by_content = || profiles().text(label.as_ref().and_then(place_of)).and_then(at_place);
    let text = text.or_else(by_content).ok_or_else(|| unclear("text"))?;
    let label = label.or_else(|| other(Some(&text)).filter(|_| read_labels));
    let label_by_content = || profiles().label(place_of(&text)).and_then(at_place);
    let label = label.or_else(|| read_labels.then(label_by_content).flatten());
    if label.as_ref() == Some(&text) {
        let column = format!("{text:?}");
        return Err(DataError::SameColumn { file: place.file.into(), first: "text", second: "label", column });
    }
    if label.is_none() && options.labels == Labels::Required {
        return Err(unclear("label"));
    }
    Ok((text, label))
}

/// The key of the text in objects like this one: the one told, else that of the training data or found as there.
pub(in crate::data) fn text_key(
    place: &Place<'_>,
    object: &Map<String, Value>,
    text: Option<&Column>,
    trained: Option<&TableColumns>,
) -> Result<String, DataError> {
    let options = TableOptions { text: text.cloned(), trained: trained.cloned(), ..TableOptions::prediction() };
    match find_keys(place, object, &options, &|| profiles(object, std::iter::empty())) {
        Err(DataError::UnclearColumn { .. }) => match only_phrase(object) {
            Some(key) => {
                let name = place.file.display();
                tracing::info!(
                    "{name}: texts from the key {key:?}, the only one that holds words; --text names another"
                );
                Ok(key)
            }
            // Where nothing tells, the message should name the key that people expect.
            None => {
                let trained = options.trained.as_ref().filter(|trained| trained.header);
                let expected = trained.and_then(|trained| trained.names.get(trained.text));
                Err(place.no_key(object, expected.map_or("text", String::as_str)))
            }
        },
        found => found.map(|(text, _)| text),
    }
}

/// The only key under which a text stands, where there is one.
fn only_phrase(object: &Map<String, Value>) -> Option<String> {
    let mut phrases = object.iter().filter(|(_, value)| value.as_str().is_some_and(is_phrase));
    phrases.next().map(|(key, _)| key.clone()).filter(|_| phrases.next().is_none())
}

/// A line of a JSON Lines file.
pub(in crate::data) struct Place<'a> {
    pub(in crate::data) file: &'a Path,
    pub(in crate::data) line: usize,
}

impl Place<'_> {
    /// The object that the line holds.
    pub(in crate::data) fn object(&self, content: &str) -> Result<Map<String, Value>, DataError> {
        match serde_json::from_str(content) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(other) => Err(self.wrong_type("line", &other, "an object such as {\"text\": \"...\"}")),
            Err(error) => Err(DataError::Json { file: self.file.into(), line: self.line, problem: problem(&error) }),
        }
    }

    /// The text under `key`.
    pub(in crate::data) fn text(&self, object: &Map<String, Value>, key: &str) -> Result<String, DataError> {
        match at(object, key) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(other) => Err(self.wrong_type("text", other, "a string")),
            None => Err(self.no_key(object, key)),
        }
    }

    /// The labels under `key`: one, or a list of them where there may be several; null is none, and so is a missing key unless
    /// labels are required.
    fn labels(&self, object: &Map<String, Value>, key: &str, options: &TableOptions) -> Result<Vec<String>, DataError> {
        match at(object, key) {
            Some(Value::Array(list)) if options.label_separator.is_some() => {
                list.iter().map(|label| self.label(label)).collect()
            }
            Some(list @ Value::Array(_)) => Err(DataError::SeveralLabels {
                file: self.file.into(),
                line: self.line,
                found: format!("the label is the list {}", shown(list)),
            }),
            Some(Value::Null) => Ok(Vec::new()),
            Some(label) => Ok(vec![self.label(label)?]),
            None if options.labels == Labels::Required => Err(self.no_key(object, key)),
            None => Ok(Vec::new()),
        }
    }

    fn label(&self, value: &Value) -> Result<String, DataError> {
        match value {
            Value::String(label) => Ok(label.trim().to_owned()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(label) => Ok(label.to_string()),
            other => Err(self.wrong_type("label", other, "a string, a number, true or false")),
        }
    }

    /// The error that an object lacks a key.
    pub(in crate::data) fn no_key(&self, object: &Map<String, Value>, key: &str) -> DataError {
        DataError::NoKey {
            file: self.file.into(),
            line: self.line,
            key: key.to_owned(),
            present: object.keys().cloned().collect(),
        }
    }

    /// The error that a value is of another type than `expected`.
    pub(in crate::data) fn wrong_type(&self, role: &'static str, value: &Value, expected: &'static str) -> DataError {
        DataError::JsonType { file: self.file.into(), line: self.line, role, found: shown(value), expected }
    }
}

/// A value for a message, cut where it is long.
fn shown(value: &Value) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = value.to_string();
    if let Some((end, _)) = shown.char_indices().nth(SHOWN) {
        shown.truncate(end);
        shown.push_str("...");
    }
    shown
}

/// What the parser says, with its place in the line only: the parser saw one line and calls it line 1.
fn problem(error: &serde_json::Error) -> String {
    let full = error.to_string();
    let said = full.split(" at line ").next().unwrap_or(&full);
    format!("{said} (column {})", error.column())
}
