//! Tables with a row per series; the rules stand in the documentation of the parent module.

use std::collections::HashSet;
use std::path::Path;

use super::columns::by_training;
use super::long_form::{ID_NAMES, LABEL_NAMES};
use super::numbers::{Values, find_decimal, in_words, is_padding, may_be_number};
use super::sheet::{Sheet, called, cell, left_aside};
use super::{Column, Each, Labels, Read, SeriesColumns, SeriesExample, SeriesOptions, WideColumns, cut_ends};
use crate::data::columns::FirstLine;
use crate::data::delimited::Row;
use crate::data::kept::KeptColumns;
use crate::error::{DataError, counted};

/// Fewer columns that count tell no header.
const FEWEST_COUNTED: usize = 3;
/// The same, where nothing else stands beside them.
const MANY_COUNTED: usize = 6;

pub(super) fn read(file: &Path, sheet: &Sheet, options: &SeriesOptions) -> Result<Read, DataError> {
    let first = sheet.first(file);
    let options = &*by_training(&first, options);
    let header = has_header(&first, sheet, options)?;
    if header {
        sheet.check_below_header(file)?;
    }
    refuse_long(&first, sheet, header)?;
    let aside = aside(&first, sheet, options, header)?;
    let label = find_label(&first, sheet, options, header, &aside)?;
    let steps: Vec<usize> =
        (0..sheet.width()).filter(|place| !aside.contains(place) && Some(*place) != label).collect();
    if steps.is_empty() {
        return Err(first.unclear("values"));
    }
    let body = sheet.body(header);
    let decimal = match options.series.decimal {
        Some(told) => told,
        None => {
            let cells = body.iter().flat_map(|row| steps.iter().map(|&place| (row.line, cell(row, place))));
            let trained = options.trained.as_ref().and_then(|trained| trained.decimal);
            find_decimal(file, cells, sheet.has_semicolons(), trained)?
        }
    };
    let mut values = Values::new(file, decimal, options);
    let label_of = label.filter(|_| options.labels != Labels::Ignored);
    let kept = KeptColumns::find(&options.keep, &first, header)?;
    let mut examples = Vec::with_capacity(body.len());
    let mut cut = 0;
    for row in body {
        let example = series(file, row, &steps, label_of, &mut values);
        cut += usize::from(example.as_ref().is_ok_and(|example| example.length < steps.len()));
        examples.push(Each { line: row.line, example, kept: kept.of(row) });
    }
    let labels = label_of.map(|place| format!("labels from column {}", called(&first, place, header)));
    let unread = |place: &usize| aside.contains(place) || Some(*place) == label && label_of.is_none();
    let left: Vec<usize> = (0..sheet.width()).filter(unread).collect();
    let left = left_aside(&first, &left, header);
    Ok(Read {
        examples,
        form: format!("{}, a row per series (wide)", sheet.in_words(header)),
        told: [labels, left, in_words(decimal), cut_ends(cut), values.settle()?].into_iter().flatten().collect(),
        columns: SeriesColumns {
            label: label.filter(|_| header).map(|place| first.fields[place].trim().to_owned()),
            decimal: Some(decimal),
            wide: Some(WideColumns { width: sheet.width(), label }),
            ..SeriesColumns::default()
        },
    })
}

/// One series from its row.
fn series(
    file: &Path,
    row: &Row,
    steps: &[usize],
    label: Option<usize>,
    values: &mut Values<'_>,
) -> Result<SeriesExample, DataError> {
    let padding = steps.iter().rev().take_while(|&&place| is_padding(cell(row, place))).count();
    let length = steps.len() - padding;
    if length == 0 {
        let problem = "the series has no value".to_owned();
        return Err(DataError::Line { file: file.into(), line: row.line, problem });
    }
    let read = (1..).zip(&steps[..length]).map(|(step, &place)| values.read(cell(row, place), row.line, "1", step));
    let read = read.collect::<Result<Vec<f32>, _>>()?;
    let label = label.map(|place| cell(row, place).to_owned()).filter(|label| !label.is_empty());
    Ok(SeriesExample { values: read, length, channels: 1, label, line: row.line })
}

/// Whether the first row names the columns.
fn has_header(first: &FirstLine<'_>, sheet: &Sheet, options: &SeriesOptions) -> Result<bool, DataError> {
    let asked_label = options.label.as_ref().filter(|_| options.labels != Labels::Ignored);
    let name = [asked_label, options.id.as_ref()].into_iter().flatten().find_map(|column| match column {
        Column::Name(name) => Some(name),
        Column::Number(_) => None,
    });
    match (name, options.header) {
        (Some(name), Some(false)) => Err(DataError::NameWithoutHeader { file: first.file.into(), name: name.clone() }),
        (Some(_), None) => Ok(true),
        (_, Some(told)) => Ok(told),
        (None, None) => Ok(names_columns(first, sheet)),
    }
}

/// Whether the first row has words over most columns of numbers, or counts as no other row does.
pub(super) fn names_columns(first: &FirstLine<'_>, sheet: &Sheet) -> bool {
    let body = sheet.body(true);
    let holds_numbers = |place: &usize| {
        let is_filled = body.iter().any(|row| !is_padding(cell(row, *place)));
        is_filled && sheet.is_mostly_numeric(*place, true)
    };
    // One word alone is a mistake in the first series.
    let of_numbers: Vec<usize> = (0..first.fields.len()).filter(holds_numbers).collect();
    let words = of_numbers.iter().filter(|&&place| !may_be_number(first.fields[place])).count();
    let word_over_numbers = 2 * words > of_numbers.len();
    let counts = |fields: &[&str]| {
        let numbers: Vec<u64> = fields.iter().filter_map(|field| field.trim().parse().ok()).collect();
        // Series may begin so too, but they have no word beside a label of words, and none begins with the label 0, 1, 2..
        let is_marked = match fields.len() - numbers.len() {
            0 => numbers.len() >= MANY_COUNTED && numbers.first() == Some(&0),
            others => numbers.len() >= FEWEST_COUNTED && others <= 2,
        };
        is_marked && numbers.windows(2).all(|pair| pair[0] + 1 == pair[1])
    };
    let other_counts = || body.iter().any(|row| counts(&row.fields.iter().collect::<Vec<_>>()));
    !body.is_empty() && (word_over_numbers || counts(&first.fields) && !other_counts())
}

/// Refuses a table whose ids come back, which has a row per step.
fn refuse_long(first: &FirstLine<'_>, sheet: &Sheet, header: bool) -> Result<(), DataError> {
    let Some(place) = header.then(|| first.known(ID_NAMES)).flatten() else { return Ok(()) };
    let body = sheet.body(header);
    let distinct: HashSet<&str> = body.iter().map(|row| cell(row, place)).collect();
    match 2 * distinct.len() <= body.len() {
        true => {
            let problem = format!(
                "the ids of column {:?} come back on other lines, as in a table with a row per step; --format csv-long reads that",
                first.fields[place]
            );
            Err(DataError::Line { file: first.file.into(), line: first.line, problem })
        }
        false => Ok(()),
    }
}

/// The columns that are neither label nor step.
fn aside(
    first: &FirstLine<'_>,
    sheet: &Sheet,
    options: &SeriesOptions,
    header: bool,
) -> Result<HashSet<usize>, DataError> {
    let mut aside = if header { sheet.counters(first.file) } else { HashSet::new() };
    match &options.id {
        Some(column) => drop(aside.insert(first.find(column)?)),
        None if header => aside.extend(first.known(ID_NAMES)),
        None => {}
    }
    Ok(aside)
}

/// Whether the values of a column come back so often that they may be labels: as whole numbers, of which most stand in other rows
/// as well.
fn is_repeated(sheet: &Sheet, place: usize) -> bool {
    let body = sheet.body(false);
    let values: Vec<Option<f64>> = body.iter().map(|row| cell(row, place).parse::<f64>().ok()).collect();
    let are_whole = values.iter().all(|value| value.is_some_and(|value| value.fract() == 0.0));
    let mut distinct: Vec<f64> = values.into_iter().flatten().collect();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    are_whole && 2 * distinct.len() <= body.len()
}

fn find_label(
    first: &FirstLine<'_>,
    sheet: &Sheet,
    options: &SeriesOptions,
    header: bool,
    aside: &HashSet<usize>,
) -> Result<Option<usize>, DataError> {
    let trained = options.trained.as_ref().and_then(|trained| trained.wide);
    match &options.label {
        Some(column) if options.labels != Labels::Ignored => return first.find(column).map(Some),
        // A number may be that of a step where there are no labels.
        Some(Column::Name(name)) if header => return Ok(first.known(&[name])),
        _ => {}
    }
    let known = if header { first.known(LABEL_NAMES).filter(|place| !aside.contains(place)) } else { None };
    if known.is_some() {
        return Ok(known);
    }
    let words: Vec<usize> =
        (0..sheet.width()).filter(|place| !aside.contains(place) && !sheet.is_numeric(*place, header)).collect();
    match (words.as_slice(), options.labels, trained) {
        ([only], ..) => Ok(Some(*only)),
        ([], Labels::Required, Some(WideColumns { label: Some(label), .. })) if !header && label < sheet.width() => {
            Ok(Some(label))
        }
        ([], Labels::Required, _) if !header => match (is_repeated(sheet, 0), is_repeated(sheet, sheet.width() - 1)) {
            (false, true) => Ok(Some(sheet.width() - 1)),
            // As the archive of UCR has it.
            _ => Ok(Some(0)),
        },
        ([], Labels::Ignored | Labels::Optional, Some(trained)) if !header => match (sheet.width(), trained.label) {
            (width, Some(label)) if width == trained.width => Ok(Some(label)),
            (width, _) if width + usize::from(trained.label.is_some()) == trained.width => Ok(None),
            (width, _) => {
                let problem = format!(
                    "the row has {}, but those of the training data had {} with the label; whether there is a label among them \
                     cannot be told: give rows as long, or a header",
                    counted(width, "column"),
                    trained.width
                );
                Err(DataError::Line { file: first.file.into(), line: first.line, problem })
            }
        },
        ([], Labels::Ignored | Labels::Optional, _) => Ok(None),
        _ => Err(first.unclear("label")),
    }
}
