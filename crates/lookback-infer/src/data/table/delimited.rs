//! Tables of fields with separators; the rules stand in the documentation of the parent module.

use std::path::Path;

use super::{Column, Format, Found, Labels, Read, TableColumns, TableOptions, TextExample};
use crate::data::columns::{FirstLine, TEXT_NAMES, label_names};
use crate::data::delimited::{Row, rows, width_error};
use crate::data::dialect;
use crate::data::kept::KeptColumns;
use crate::data::label_lists::{are_lists, list};
use crate::data::roles::{Profiles, first_is_header_of_several};
use crate::error::DataError;

/// Where text and label stand, counted from 0, and whether the first row is a header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    pub(super) text: usize,
    pub(super) label: Option<usize>,
    header: bool,
}

/// The examples, labels trimmed, with nothing checked but their columns; rows in which nothing stands are left out where
/// labels are wanted.
pub(super) fn read(
    file: &Path,
    text: &str,
    format: Format,
    options: &TableOptions,
) -> Result<(Vec<Read>, Found), DataError> {
    let (dialect, start) = dialect::find(text, &options.layout, format == Format::Tsv);
    dialect.tell_escape(file, text, &options.layout);
    let rows = rows(file, text, start, dialect)?;
    let Some(first_row) = rows.first() else { return Err(DataError::Empty { file: file.into() }) };
    let proposal = dialect::proposal(&text[start..], dialect, &options.layout);
    let first = FirstLine { file, line: first_row.line, fields: first_row.fields.iter().collect(), proposal };
    let places = find_places(&first, &rows, options)?;
    let field = |row: &Row, place: usize| row.fields.get(place).unwrap_or_default().to_owned();
    let body = || rows.iter().skip(usize::from(places.header));
    let in_labels = |place: usize| body().map(move |row| row.fields.get(place).unwrap_or_default());
    let lists = options.label_separator.is_some() && places.label.is_some_and(|place| are_lists(in_labels(place)));
    let example = |row: &Row| TextExample {
        text: field(row, places.text),
        labels: places.label.map_or_else(Vec::new, |place| options.labels_in(&field(row, place), lists)),
        line: row.line,
    };
    let kept = KeptColumns::find(&options.keep, &first, places.header)?;
    let read = |row: &Row| {
        let error = width_error(file, first_row, row, dialect);
        Read { line: row.line, example: error.map_or_else(|| Ok(example(row)), Err), kept: kept.of(row) }
    };
    let counts = |row: &&Row| options.labels == Labels::Ignored || !row.is_blank();
    let form = if lists { format!("{dialect}, lists of labels") } else { dialect.to_string() };
    Ok((body().filter(counts).map(read).collect(), found(&first, places, form)))
}

/// How the table was read.
pub(super) fn found(first: &FirstLine<'_>, places: Places, form: String) -> Found {
    let name =
        |(place, name): (usize, &&str)| if places.header { name.trim().to_owned() } else { (place + 1).to_string() };
    let columns = TableColumns {
        header: places.header,
        names: first.fields.iter().enumerate().map(name).collect(),
        text: places.text,
        label: places.label,
    };
    Found { form, columns }
}

/// The places in a table of which these are the first rows, or all.
pub(super) fn find_places(first: &FirstLine<'_>, rows: &[Row], options: &TableOptions) -> Result<Places, DataError> {
    let asked_label = options.label.as_ref().filter(|_| options.labels != Labels::Ignored);
    let names = [options.text.as_ref(), asked_label].into_iter().flatten().find_map(|column| match column {
        Column::Name(name) => Some(name),
        Column::Number(_) => None,
    });
    if let (Some(name), Some(false)) = (names, options.header) {
        return Err(DataError::NameWithoutHeader { file: first.file.into(), name: name.clone() });
    }
    let mut header = options.header.or(names.map(|_| true));
    let trained = options.trained.as_ref();
    let read_labels = options.labels != Labels::Ignored;
    let label_names = label_names(options.label_separator.is_some());
    // The names of the training data go before those that data sets use.
    let trained_name = |place: fn(&TableColumns) -> Option<usize>| {
        let trained = trained.filter(|trained| trained.header)?;
        first.known(&[trained.names.get(place(trained)?)?])
    };
    let trained_text = trained_name(|trained| Some(trained.text));
    let known_text = trained_text.or_else(|| first.known(TEXT_NAMES));
    let known_label = trained_name(|trained| trained.label).or_else(|| first.known(&label_names));
    if header.is_none() && (trained_text.is_some() || known_text.is_some() && (known_label.is_some() || !read_labels)) {
        header = Some(true);
    }
    let named = header == Some(true);
    let mut text = options.text.as_ref().map(|column| first.find(column)).transpose()?;
    let mut label = asked_label.map(|column| first.find(column)).transpose()?;
    if named {
        text = text.or(known_text.filter(|&place| Some(place) != label));
        label = label.or(known_label.filter(|&place| Some(place) != text));
    }
    // What no name tells, the places in the training data do, and then the values.
    let columns = first.fields.len();
    let alike = trained.filter(|trained| !named && trained.names.len() == columns);
    text = text.or(alike.map(|trained| trained.text).filter(|&place| Some(place) != label));
    label = label.or(alike.and_then(|trained| trained.label).filter(|&place| read_labels && Some(place) != text));
    let profiles = Profiles::new(rows);
    text = text.or_else(|| match (columns, label) {
        // With labels ignored, a file of one column is a list of texts.
        (1, None) if !read_labels => Some(0),
        (2, Some(label)) => Some(1 - label),
        _ => profiles.text(label).or((columns == 2 && trained.is_none()).then_some(0)),
    });
    let text = text.ok_or_else(|| first.unclear("text"))?;
    // A place in other data says less than what stands there: an id must not be answered.
    if trained.is_some() && options.text.is_none() && !named && profiles.is_id_beside_texts(text) {
        return Err(first.unclear("text"));
    }
    if read_labels {
        label = label.or((columns == 2).then_some(1 - text.min(1))).or_else(|| profiles.label(Some(text)));
    }
    let label = match options.labels {
        Labels::Ignored => None,
        Labels::Required => Some(label.ok_or_else(|| first.unclear("label"))?),
        Labels::Optional => label,
    };
    if label == Some(text) {
        let column = first.fields.get(text).map_or_else(String::new, |name| format!("{} ({name:?})", text + 1));
        return Err(DataError::SameColumn { file: first.file.into(), first: "text", second: "label", column });
    }
    let of_several = || {
        let labels = |field: &str| options.labels_in(field, list(field).is_some());
        options.label_separator.is_some() && label.is_some_and(|place| first_is_header_of_several(rows, place, labels))
    };
    let header = header.unwrap_or_else(|| {
        looks_like_header(first, rows, text, label, &label_names)
            || profiles.first_is_header(first, label)
            || of_several()
    });
    Ok(Places { text, label, header })
}

/// Whether the first line names its columns, at places found without it.
fn looks_like_header(
    first: &FirstLine<'_>,
    rows: &[Row],
    text: usize,
    label: Option<usize>,
    label_names: &[&str],
) -> bool {
    let is_known = |place: usize, names: &[&str]| {
        first.fields.get(place).is_some_and(|field| names.contains(&field.trim().to_lowercase().as_str()))
    };
    let comes_again = |place: usize| {
        let field = |row: &Row| row.fields.get(place).map(|field| field.trim().to_lowercase());
        rows.iter().skip(1).any(|row| field(row) == rows.first().and_then(field))
    };
    is_known(text, TEXT_NAMES) || label.is_some_and(|place| is_known(place, label_names) && !comes_again(place))
}
