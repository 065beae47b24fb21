//! Tables of CSV and TSV; the rules stand in the documentation of the parent module.

use std::path::Path;

use super::{Column, Format, Labels, TableOptions, TextExample};
use crate::data::columns::{FirstLine, LABEL_NAMES, TEXT_NAMES};
use crate::data::delimited::{Row, Separator, check_widths, rows};
use crate::error::DataError;

/// Where text and label stand, counted from 0, and whether the first row is a header.
#[derive(Clone, Copy)]
struct Places {
    text: usize,
    label: Option<usize>,
    header: bool,
}

/// The examples, labels trimmed, with nothing checked but their columns.
pub(super) fn read(
    file: &Path,
    text: &str,
    format: Format,
    options: &TableOptions,
) -> Result<Vec<TextExample>, DataError> {
    let separator = if format == Format::Tsv { Separator::Tab } else { Separator::Comma };
    let rows = rows(file, text, separator)?;
    let Some(first) = rows.first() else { return Err(DataError::Empty { file: file.into() }) };
    let first = FirstLine { file, line: first.line, fields: first.fields.iter().collect() };
    let places = find_places(&first, &rows, options)?;
    check_widths(file, &rows, separator)?;
    let field = |row: &Row, place: usize| row.fields.get(place).unwrap_or_default().to_owned();
    let example = |row: &Row| TextExample {
        text: field(row, places.text),
        label: places.label.map(|place| field(row, place).trim().to_owned()),
        line: row.line,
    };
    Ok(rows.iter().skip(usize::from(places.header)).map(example).collect())
}

fn find_places(first: &FirstLine<'_>, rows: &[Row], options: &TableOptions) -> Result<Places, DataError> {
    let asked_label = options.label.as_ref().filter(|_| options.labels != Labels::Ignored);
    let names = [options.text.as_ref(), asked_label].into_iter().flatten().find_map(|column| match column {
        Column::Name(name) => Some(name),
        Column::Number(_) => None,
    });
    if let (Some(name), Some(false)) = (names, options.header) {
        return Err(DataError::NameWithoutHeader { file: first.file.into(), name: name.clone() });
    }
    let mut header = options.header.or(names.map(|_| true));
    let known_text = first.known(TEXT_NAMES);
    let known_label = first.known(LABEL_NAMES);
    if header.is_none() && known_text.is_some() && (known_label.is_some() || options.labels == Labels::Ignored) {
        header = Some(true);
    }
    let named = header == Some(true);
    let mut text = options.text.as_ref().map(|column| first.find(column)).transpose()?;
    let mut label = asked_label.map(|column| first.find(column)).transpose()?;
    if named {
        text = text.or(known_text.filter(|&place| Some(place) != label));
        label = label.or(known_label.filter(|&place| Some(place) != text));
    }
    let columns = first.fields.len();
    let other = |place: Option<usize>, unnamed: usize| match (columns, place) {
        (2, Some(place)) => Some(1 - place),
        (2, None) => Some(unnamed),
        _ => None,
    };
    // With labels ignored, a file of one column is a list of texts.
    text = text.or(other(label, 0)).or((columns == 1).then_some(0).filter(|_| options.labels == Labels::Ignored));
    let text = text.ok_or_else(|| first.unclear("text"))?;
    let label = match options.labels {
        Labels::Ignored => None,
        Labels::Required => Some(label.or(other(Some(text), 1)).ok_or_else(|| first.unclear("label"))?),
        Labels::Optional => label.or(other(Some(text), 1)),
    };
    if label == Some(text) {
        let column = first.fields.get(text).map_or_else(String::new, |name| format!("{} ({name:?})", text + 1));
        return Err(DataError::SameColumn { file: first.file.into(), first: "text", second: "label", column });
    }
    let header = header.unwrap_or_else(|| looks_like_header(first, rows, text, label));
    Ok(Places { text, label, header })
}

/// Whether the first line names its columns, at places found without it.
fn looks_like_header(first: &FirstLine<'_>, rows: &[Row], text: usize, label: Option<usize>) -> bool {
    let is_known = |place: usize, names: &[&str]| {
        first.fields.get(place).is_some_and(|field| names.contains(&field.trim().to_lowercase().as_str()))
    };
    let comes_again = |place: usize| {
        let field = |row: &Row| row.fields.get(place).map(|field| field.trim().to_lowercase());
        rows.iter().skip(1).any(|row| field(row) == rows.first().and_then(field))
    };
    is_known(text, TEXT_NAMES) || label.is_some_and(|place| is_known(place, LABEL_NAMES) && !comes_again(place))
}
