//! Tables of JSON Lines; the rules stand in the documentation of the parent module.

use std::path::Path;

use serde_json::{Map, Value};

use super::{Column, Labels, TableOptions, TextExample};
use crate::data::columns::{LABEL_NAMES, TEXT_NAMES};
use crate::error::DataError;

/// The examples, labels trimmed, with nothing checked but their types.
pub(super) fn read(file: &Path, text: &str, options: &TableOptions) -> Result<Vec<TextExample>, DataError> {
    let mut keys: Option<(String, Option<String>)> = None;
    let mut examples = Vec::new();
    for (index, content) in text.lines().enumerate() {
        if content.trim().is_empty() {
            continue;
        }
        let place = Place { file, line: index + 1 };
        let object = place.object(content)?;
        if keys.is_none() {
            keys = Some(find_keys(&place, &object, options)?);
        }
        let Some((text_key, label_key)) = &keys else { continue };
        let text = place.text(&object, text_key)?;
        let label = match label_key {
            Some(key) => place.label(&object, key, options.labels == Labels::Required)?,
            None => None,
        };
        examples.push(TextExample { text, label, line: place.line });
    }
    Ok(examples)
}

/// The keys of text and label, told or found in the first object.
fn find_keys(
    place: &Place<'_>,
    object: &Map<String, Value>,
    options: &TableOptions,
) -> Result<(String, Option<String>), DataError> {
    let told = |column: &Option<Column>| match column {
        Some(Column::Name(name)) => Ok(Some(name.clone())),
        Some(Column::Number(number)) if object.contains_key(&number.to_string()) => Ok(Some(number.to_string())),
        Some(Column::Number(number)) => Err(DataError::NumberedKey { file: place.file.into(), number: *number }),
        None => Ok(None),
    };
    let known = |names: &[&str]| names.iter().find(|name| object.contains_key(**name)).map(|name| (*name).to_owned());
    let other = |key: Option<&String>| match (object.len(), key) {
        (2, Some(key)) => object.keys().find(|present| *present != key).cloned(),
        _ => None,
    };
    let unclear = |role| DataError::UnclearColumn {
        file: place.file.into(),
        line: place.line,
        role,
        present: object.keys().cloned().collect(),
    };
    let read_labels = options.labels != Labels::Ignored;
    let label = if read_labels { told(&options.label)?.or_else(|| known(LABEL_NAMES)) } else { None };
    let text = told(&options.text)?.or_else(|| known(TEXT_NAMES)).or_else(|| other(label.as_ref()));
    let text = text.ok_or_else(|| unclear("text"))?;
    let label = label.or_else(|| other(Some(&text)).filter(|_| read_labels));
    if label.as_ref() == Some(&text) {
        let column = format!("{text:?}");
        return Err(DataError::SameColumn { file: place.file.into(), first: "text", second: "label", column });
    }
    if label.is_none() && options.labels == Labels::Required {
        return Err(unclear("label"));
    }
    Ok((text, label))
}

/// The key of the text in objects like this one: the one told, else found as in training.
pub(in crate::data) fn text_key(
    place: &Place<'_>,
    object: &Map<String, Value>,
    text: Option<&Column>,
) -> Result<String, DataError> {
    let options = TableOptions { text: text.cloned(), ..TableOptions::prediction() };
    // Where nothing tells, the message should name the key that people expect.
    match find_keys(place, object, &options) {
        Err(DataError::UnclearColumn { .. }) => Err(place.no_key(object, "text")),
        found => found.map(|(text, _)| text),
    }
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
        match object.get(key) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Err(self.wrong_type("text", other, "a string")),
            None => Err(self.no_key(object, key)),
        }
    }

    /// The label under `key`; a missing one or null is none, or an error if it is `required`.
    fn label(&self, object: &Map<String, Value>, key: &str, required: bool) -> Result<Option<String>, DataError> {
        match object.get(key) {
            Some(Value::String(label)) => Ok(Some(label.trim().to_owned())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(Value::Null) => Ok(None),
            Some(other) => Err(self.wrong_type("label", other, "a string or a number")),
            None if required => Err(self.no_key(object, key)),
            None => Ok(None),
        }
    }

    fn no_key(&self, object: &Map<String, Value>, key: &str) -> DataError {
        DataError::NoKey {
            file: self.file.into(),
            line: self.line,
            key: key.to_owned(),
            present: object.keys().cloned().collect(),
        }
    }

    fn wrong_type(&self, role: &'static str, value: &Value, expected: &'static str) -> DataError {
        const SHOWN: usize = 60;
        let mut found: String = value.to_string();
        if let Some((end, _)) = found.char_indices().nth(SHOWN) {
            found.truncate(end);
            found.push_str("...");
        }
        DataError::JsonType { file: self.file.into(), line: self.line, role, found, expected }
    }
}

/// What the parser says, with its place in the line only: the parser saw one line and calls it line 1.
fn problem(error: &serde_json::Error) -> String {
    let full = error.to_string();
    let said = full.split(" at line ").next().unwrap_or(&full);
    format!("{said} (column {})", error.column())
}
