//! Which format a file of tagged sentences has, by its content.

use serde_json::{Map, Value};

use super::columns::{TaggedColumns, Wanted};
use super::sheet::{DOCUMENT, GLOBAL_COLUMNS, is_id};
use crate::data::Format;

/// Lines that are looked at.
const SAMPLE: usize = 200;

/// The format that is said, else the one that the first lines have. Where every token must have a tag, there are no lines of tokens
/// alone.
pub(super) fn format(text: &str, columns: &TaggedColumns, wanted: Wanted) -> Format {
    if let Some(format) = columns.format {
        return format;
    }
    if is_json(text) {
        return Format::Jsonl;
    }
    if is_conllu(text) {
        return Format::Conllu;
    }
    if columns.layout.tag_separator.is_some() {
        return Format::Slash;
    }
    if columns.layout.names_columns() {
        return Format::Conll;
    }
    if separator(text).is_some() {
        return Format::Slash;
    }
    if wanted == Wanted::Tags || is_in_columns(text) { Format::Conll } else { Format::Lines }
}

/// What stands between word and tag, where lines are of those.
///
/// It is a slash if most of what white space parts has one within, and else an underscore if all of it has. A line in columns
/// has at most its token like that.
pub(super) fn separator(text: &str) -> Option<char> {
    let pieces = || sample(text).flat_map(str::split_ascii_whitespace);
    let all = pieces().count();
    let with = |separator| pieces().filter(|piece| parts(piece, separator).is_some()).count();
    if 2 * with('/') > all {
        Some('/')
    } else if with('_') == all && sample(text).any(|line| line.split_ascii_whitespace().nth(1).is_some()) {
        Some('_')
    } else {
        None
    }
}

/// The word and the tag of a piece, parted by the last separator.
pub(super) fn parts(piece: &str, separator: char) -> Option<(&str, &str)> {
    piece.rsplit_once(separator).filter(|(word, tag)| !word.is_empty() && !tag.is_empty())
}

fn sample(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim().is_empty()).take(SAMPLE)
}

/// Whether it begins with an object, or with an array of objects.
fn is_json(text: &str) -> bool {
    let first = sample(text).next().unwrap_or_default();
    let is_array = text.trim_start().strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with('{'));
    // A sentence in columns may begin with a brace, too.
    is_array || first.trim_start().starts_with("{\"") || serde_json::from_str::<Map<String, Value>>(first).is_ok()
}

/// Whether the first object of JSON has a list of strings among its values.
pub(super) fn has_lists(text: &str) -> bool {
    let first = text.trim_start().trim_start_matches('[').trim_start();
    let object = serde_json::Deserializer::from_str(first).into_iter::<Map<String, Value>>().next();
    let is_list = |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
    object.is_some_and(|object| object.is_ok_and(|object| object.values().any(is_list)))
}

/// Whether the first line that is no comment has the columns of CoNLL-U, or the first comment names columns.
fn is_conllu(text: &str) -> bool {
    let first = sample(text).next().unwrap_or_default();
    let token = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#')).unwrap_or_default();
    // What a prediction has written has one column more.
    let columns: Vec<&str> = token.split('\t').collect();
    first.starts_with(GLOBAL_COLUMNS) || (10..=11).contains(&columns.len()) && is_id(columns[0])
}

/// Whether nothing but columns looks like this: there are tabs in most lines, or marks of documents.
pub(super) fn is_marked(text: &str) -> bool {
    let tokens = || sample(text).filter(|line| !line.starts_with("# "));
    let tabs = tokens().filter(|line| line.contains('\t')).count();
    2 * tabs > tokens().count() || sample(text).any(|line| line.starts_with(DOCUMENT))
}

/// Whether lines are tokens with columns, and not sentences of tokens: there are tabs or marks of documents, or every line has as
/// many columns as the first and a blank line stands among them.
fn is_in_columns(text: &str) -> bool {
    let tokens = || sample(text).filter(|line| !line.starts_with("# "));
    let count = |line: &str| line.split_ascii_whitespace().count();
    let first = tokens().next().map_or(0, count);
    let blank = text.trim().lines().take(SAMPLE).any(|line| line.trim().is_empty());
    is_marked(text) || blank && tokens().all(|line| count(line) == first)
}
