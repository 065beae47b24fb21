//! Tables of Parquet and Arrow, of which the columns that are needed alone are read; the rules stand in the documentation of the
//! parent module.

use std::path::Path;

use arrow_schema::DataType;
use csv::StringRecord;

use super::delimited::{Places, find_places, found};
use super::{Labels, Read, TableColumns, TableOptions, TextExample};
use crate::data::columnar::{Batch, Cells, Source, elements, is_plain};
use crate::data::columns::{FirstLine, TEXT_NAMES, label_names};
use crate::data::delimited::Row;
use crate::data::kept::KeptColumns;
use crate::data::roles::SAMPLE;
use crate::error::{DataError, counted};

/// What is read of a table.
struct Reader<'a> {
    file: &'a Path,
    options: &'a TableOptions,
    places: Places,
    /// Whether labels stand in lists.
    are_lists: bool,
    kept: KeptColumns,
}

/// The examples, labels trimmed, with nothing checked but their columns; tells how they were read.
pub(super) fn read(
    file: &Path,
    source: &Source,
    options: &TableOptions,
) -> Result<(Vec<Read>, TableColumns), DataError> {
    let names = source.names();
    let first = FirstLine { file, line: 0, fields: names.clone(), proposal: None };
    let options = &TableOptions { header: Some(true), ..options.clone() };
    let places = places(&first, source, options)?;
    let are_lists = check_types(&first, source, places)?;
    let kept = KeptColumns::find(&options.keep, &first, true)?;
    let mut needed: Vec<usize> = [places.text].into_iter().chain(places.label).chain(kept.places().to_vec()).collect();
    needed.sort_unstable();
    needed.dedup();
    let reader = Reader { file, options, places, are_lists, kept };
    let mut rows = Vec::new();
    source.for_each(&needed, None, |batch| {
        reader.read(&batch, &mut rows);
        Ok(())
    })?;
    let form = format!("{}, {} of {} read", source.kind(), needed.len(), counted(names.len(), "column"));
    let found = found(&first, places, form);
    let (name, form, count) = (file.display(), found.form, counted(rows.len(), "row"));
    tracing::info!("{name}: {form}, {count}; {}", found.columns.sentence());
    Ok((rows, found.columns))
}

/// Where text and label stand: by the names, and by what stands in the first rows where those do not tell.
fn places(first: &FirstLine<'_>, source: &Source, options: &TableOptions) -> Result<Places, DataError> {
    let mut rows = vec![Row { line: 0, fields: first.fields.iter().collect::<StringRecord>() }];
    let by_name = find_places(first, &rows, options);
    // Of two columns the first is the text where nothing tells; then what stands in them should be asked before.
    let several = options.label_separator.is_some();
    let names_tell = first.fields.len() != 2
        || options.text.is_some()
        || options.label.is_some()
        || options.trained.is_some()
        || first.known(TEXT_NAMES).or_else(|| first.known(&label_names(several))).is_some();
    match by_name {
        Err(DataError::UnclearColumn { .. }) => {}
        Ok(_) if !names_tell => {}
        told => return told,
    }
    let all: Vec<usize> = (0..first.fields.len()).collect();
    source.for_each(&all, Some(SAMPLE), |batch| {
        rows.extend(sample(source, &batch, options.label_separator));
        Ok(())
    })?;
    find_places(first, &rows, options)
}

/// All columns of some rows as in a table of text; lists as the labels of a text are there.
fn sample(source: &Source, batch: &Batch, label_separator: Option<char>) -> Vec<Row> {
    let cells: Vec<Option<Cells<'_>>> = (0..source.names().len())
        .map(|place| {
            let data_type = source.data_type(place);
            let is_read = is_plain(&data_type) || label_separator.is_some() && elements(&data_type).is_some();
            batch.cells(place).filter(|_| is_read)
        })
        .collect();
    let separator = label_separator.map_or_else(String::new, String::from);
    let field = |cells: &Option<Cells<'_>>, row: usize| {
        cells.as_ref().and_then(|cells| cells.texts(row).ok()).unwrap_or_default().join(&separator)
    };
    let row = |row: usize| Row { line: batch.row + row, fields: cells.iter().map(|cells| field(cells, row)).collect() };
    (0..batch.rows).map(row).collect()
}

/// Refuses columns whose values are no texts and no labels; whether labels stand in lists.
fn check_types(first: &FirstLine<'_>, source: &Source, places: Places) -> Result<bool, DataError> {
    let refuse = |place: usize, data_type: &DataType, expected: &str| {
        let column = first.fields.get(place).unwrap_or(&"");
        let problem = format!("the column {column:?} is of the type {data_type}, but {expected} expected");
        Err(DataError::Columns { file: first.file.into(), problem })
    };
    let text = source.data_type(places.text);
    if !is_plain(&text) {
        return refuse(places.text, &text, "texts were");
    }
    let Some(place) = places.label else { return Ok(false) };
    let label = source.data_type(place);
    match elements(&label) {
        Some(element) if is_plain(element) => Ok(true),
        None if is_plain(&label) => Ok(false),
        _ => refuse(place, &label, "labels, or lists of them, were"),
    }
}

impl Reader<'_> {
    fn read(&self, batch: &Batch, rows: &mut Vec<Read>) {
        let text = batch.cells(self.places.text);
        let labels = self.places.label.and_then(|place| batch.cells(place));
        let kept: Vec<Option<Cells<'_>>> = self.kept.places().iter().map(|&place| batch.cells(place)).collect();
        for row in 0..batch.rows {
            let line = batch.row + row;
            let value =
                |cells: &Option<Cells<'_>>| cells.as_ref().map_or_else(Default::default, |cells| cells.json(row));
            let kept = self.kept.with(kept.iter().map(value).collect());
            rows.push(Read { line, example: self.example(text.as_ref(), labels.as_ref(), line, row), kept });
        }
    }

    /// The example of a row, whose place in its batch is `row`.
    fn example(
        &self,
        text: Option<&Cells<'_>>,
        labels: Option<&Cells<'_>>,
        line: usize,
        row: usize,
    ) -> Result<TextExample, DataError> {
        let wrong = |role: &str, problem: String| DataError::Line {
            file: self.file.into(),
            line,
            problem: format!("the {role} cannot be read: {problem}"),
        };
        let text = text.map_or(Ok(None), |cells| cells.text(row)).map_err(|problem| wrong("text", problem))?;
        let labels =
            labels.map_or(Ok(Vec::new()), |cells| cells.texts(row)).map_err(|problem| wrong("label", problem))?;
        let labels: Vec<String> = match (self.are_lists, self.options.label_separator) {
            (true, None) if self.options.labels != Labels::Ignored => {
                let found = format!("the label is a list of {}", counted(labels.len(), "label"));
                return Err(DataError::SeveralLabels { file: self.file.into(), line, found });
            }
            (true, _) => labels.into_iter().map(|label| label.trim().to_owned()).collect(),
            (false, _) => labels.iter().flat_map(|label| self.options.labels_in(label, false)).collect(),
        };
        Ok(TextExample { text: text.unwrap_or_default(), labels, line })
    }
}
