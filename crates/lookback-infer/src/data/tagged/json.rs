//! Sentences as JSON objects with a list of tokens and one of tags.

use std::path::Path;

use serde_json::{Map, Value};

use super::columns::TaggedLayout;
use super::{Line, Part, Sentence, lines};
use crate::data::Column;
use crate::data::table::json::{Place, at, of_array};
use crate::error::DataError;

/// What data sets call the tokens, the most telling first.
const TOKENS: &[&str] = &["tokens", "words", "forms", "token", "sentence"];
/// What data sets call the tags.
const TAGS: &[&str] = &["tags", "labels", "ner_tags", "pos_tags", "upos", "ner", "pos"];

/// The keys under which tokens and tags stand.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) tokens: String,
    pub(super) tags: String,
}

/// The sentences and the keys they stand under. Without `tagged` tags are not read.
pub(super) fn read(
    file: &Path,
    text: &str,
    layout: &TaggedLayout,
    tagged: bool,
) -> Result<(Vec<Part>, Keys), DataError> {
    let rows = rows(file, text)?;
    let objects = |line: &Line<'_>| Place { file, line: line.number }.object(line.content);
    let Some(first) = rows.iter().find_map(|line| Some((line.number, objects(line).ok()?))) else {
        return Err(rows
            .first()
            .and_then(|line| objects(line).err())
            .unwrap_or(DataError::Empty { file: file.into() }));
    };
    let keys = keys(&Place { file, line: first.0 }, &first.1, layout, tagged)?;
    let part = |line: &Line<'_>| {
        let place = Place { file, line: line.number };
        let sentence = objects(line).and_then(|object| sentence(&place, &object, &keys, tagged));
        Part { read: sentence, ..Part::new(line) }
    };
    Ok((rows.iter().map(part).collect(), keys))
}

/// The objects of lines, or of one array, each with its place in the text.
fn rows<'a>(file: &Path, text: &'a str) -> Result<Vec<Line<'a>>, DataError> {
    if !text.trim_start().starts_with('[') {
        return Ok(lines(text).filter(|line| !line.content.trim().is_empty()).collect());
    }
    let row = |(number, content): (usize, &'a str)| {
        // The value is a part of the text.
        let start = (content.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        Line { number, content, start, end: start + content.len() }
    };
    Ok(of_array(file, text)?.into_iter().map(row).collect())
}

/// The keys that are said, else those of the first object that data sets use.
fn keys(
    place: &Place<'_>,
    object: &Map<String, Value>,
    layout: &TaggedLayout,
    tagged: bool,
) -> Result<Keys, DataError> {
    let find = |said: &Option<Column>, known: &[&str]| match said {
        Some(Column::Number(number)) => Err(DataError::NumberedKey { file: place.file.into(), number: *number }),
        Some(Column::Name(name)) if at(object, name).is_none() => Err(place.no_key(object, name)),
        Some(Column::Name(name)) => Ok(Some(name.clone())),
        None => {
            let is_list = |name: &&&str| at(object, name).is_some_and(Value::is_array);
            Ok(known.iter().find(is_list).map(|&name| name.to_owned()))
        }
    };
    let tokens = find(&layout.token_column, TOKENS)?.ok_or_else(|| place.no_key(object, "tokens"))?;
    let tags = match tagged {
        true => find(&layout.tag_column, TAGS)?.ok_or_else(|| place.no_key(object, "tags"))?,
        false => find(&layout.tag_column, TAGS).ok().flatten().unwrap_or_else(|| "tags".to_owned()),
    };
    Ok(Keys { tokens, tags })
}

fn sentence(place: &Place<'_>, object: &Map<String, Value>, keys: &Keys, tagged: bool) -> Result<Sentence, DataError> {
    let wrong = |problem| DataError::Line { file: place.file.into(), line: place.line, problem };
    let tokens = list(place, object, &keys.tokens)?;
    let tags = if tagged { list(place, object, &keys.tags)? } else { Vec::new() };
    if tagged && tokens.is_empty() {
        return Err(wrong(format!("{:?} is empty; at least one token was expected", keys.tokens)));
    }
    if tagged && tokens.len() != tags.len() {
        let (of_tokens, of_tags) = (tokens.len(), tags.len());
        return Err(wrong(format!(
            "{:?} has {of_tokens} and {:?} {of_tags}; a tag for every token was expected",
            keys.tokens, keys.tags
        )));
    }
    let empty = |key: &str, texts: &[String]| {
        let number = texts.iter().position(|text| text.trim().is_empty())? + 1;
        Some(wrong(format!("number {number} of {key:?} is empty")))
    };
    if let Some(error) = empty(&keys.tokens, &tokens).or_else(|| empty(&keys.tags, &tags)) {
        return Err(error);
    }
    let lines = vec![place.line; tokens.len()];
    Ok(Sentence { tokens, tags, lines, line: place.line })
}

/// The texts of a list; numbers, true and false stand for themselves.
fn list(place: &Place<'_>, object: &Map<String, Value>, key: &str) -> Result<Vec<String>, DataError> {
    let wrong = |found: &Value, expected| {
        let problem = format!("{key:?} holds {found}; {expected} was expected");
        DataError::Line { file: place.file.into(), line: place.line, problem }
    };
    let Some(value) = at(object, key) else { return Err(place.no_key(object, key)) };
    let Value::Array(values) = value else { return Err(wrong(value, "a list")) };
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        other => Err(wrong(other, "a list of strings")),
    };
    values.iter().map(text).collect()
}
