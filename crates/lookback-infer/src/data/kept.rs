//! The input's own columns that go with its answers.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::columns::{Column, FirstLine};
use super::delimited::Row;
use super::table::json::{Place, at};
use crate::error::{DataError, quoted};

/// Which of the input's own columns are kept beside what is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// None of them.
    #[default]
    Nothing,
    /// All of them.
    All,
    /// These, in this order.
    Columns(Vec<Column>),
}

/// Values of an input's own columns: cells of a table, or what stands under keys of an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    names: Arc<[String]>,
    values: Vec<Value>,
}

impl Keep {
    /// Whether nothing is kept.
    pub fn is_nothing(&self) -> bool {
        *self == Keep::Nothing
    }

    /// Tells of keys that the first object does not have; others may have them. No key has a number.
    pub(super) fn check(&self, place: &Place<'_>, object: &Map<String, Value>) -> Result<(), DataError> {
        let Keep::Columns(columns) = self else { return Ok(()) };
        for column in columns.iter().filter(|column| at(object, &key(column, object)).is_none()) {
            match column {
                Column::Number(number) => {
                    return Err(DataError::NumberedKey { file: place.file.into(), number: *number });
                }
                Column::Name(name) => {
                    tracing::warn!("{}; null is kept in its place", place.no_key(object, name.trim()));
                }
            }
        }
        Ok(())
    }
}

impl Kept {
    /// What the columns are called.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.names.iter().map(String::as_str).zip(&self.values)
    }

    /// What stands in a column.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.iter().find_map(|(known, value)| (known == name).then_some(value))
    }

    /// An object with all of it.
    pub fn json(&self) -> Map<String, Value> {
        self.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }

    /// About what it takes of memory.
    pub fn bytes(&self) -> usize {
        let held = |value: &Value| match value {
            Value::String(text) => text.len(),
            Value::Array(_) | Value::Object(_) => value.to_string().len(),
            _ => 0,
        };
        self.values.iter().map(|value| size_of::<Value>() + held(value)).sum()
    }

    /// One value.
    pub(super) fn one(name: &str, value: &str) -> Kept {
        Kept { names: [name.to_owned()].into(), values: vec![value.into()] }
    }

    /// Those of an object; what is not there is null.
    pub(super) fn of_object(keep: &Keep, object: &Map<String, Value>) -> Kept {
        match keep {
            Keep::Nothing => Kept::default(),
            Keep::All => Kept { names: object.keys().cloned().collect(), values: object.values().cloned().collect() },
            Keep::Columns(columns) => {
                let names: Vec<String> = columns.iter().map(|column| key(column, object)).collect();
                let values = names.iter().map(|name| at(object, name).cloned().unwrap_or(Value::Null)).collect();
                Kept { names: names.into(), values }
            }
        }
    }
}

/// The key that is meant in an object: as it was said, or without the blanks that stand around it in a list.
fn key(column: &Column, object: &Map<String, Value>) -> String {
    let said = column.as_key();
    if at(object, &said).is_some() { said } else { said.trim().to_owned() }
}

/// Where the columns that are kept stand in a table.
#[derive(Debug)]
pub(super) struct KeptColumns {
    names: Arc<[String]>,
    places: Vec<usize>,
}

impl KeptColumns {
    /// Of a table that begins with this line, which is a header or not.
    pub(super) fn find(keep: &Keep, first: &FirstLine<'_>, header: bool) -> Result<KeptColumns, DataError> {
        let places: Vec<usize> = match keep {
            Keep::Nothing => Vec::new(),
            Keep::All => (0..first.fields.len()).collect(),
            Keep::Columns(columns) => {
                columns.iter().map(|column| place(first, column, header)).collect::<Result<_, _>>()?
            }
        };
        let name = |&place: &usize| match (header, first.fields.get(place)) {
            (true, Some(name)) => name.trim().to_owned(),
            _ => (place + 1).to_string(),
        };
        Ok(KeptColumns { names: places.iter().map(name).collect(), places })
    }

    /// Of a table in which several rows make an input, `inputs` by their places in `body`: columns that are filled alike in all
    /// rows of each. One that was named and is not is refused; of all columns such are left out, and told.
    pub(super) fn find_of_inputs(
        keep: &Keep,
        first: &FirstLine<'_>,
        header: bool,
        (body, inputs): (&[Row], &[Vec<usize>]),
    ) -> Result<KeptColumns, DataError> {
        let KeptColumns { names, places } = KeptColumns::find(keep, first, header)?;
        let (mut alike, mut others) = (Vec::new(), Vec::new());
        for (name, place) in names.iter().cloned().zip(places) {
            match inputs.iter().find_map(|rows| differing(body, rows, place)) {
                None => alike.push((name, place)),
                Some((one, other)) if *keep != Keep::All => {
                    let (before, here) =
                        (filled(one, place).unwrap_or_default(), filled(other, place).unwrap_or_default());
                    let problem = format!(
                        "the column {name:?} is {here:?} here and {before:?} on line {} of the same sequence; --keep takes \
                         columns that are the same in all rows of a sequence",
                        one.line
                    );
                    return Err(DataError::Line { file: first.file.into(), line: other.line, problem });
                }
                Some(_) => others.push(name),
            }
        }
        if !others.is_empty() {
            let (file, others) = (first.file.display(), quoted(&others));
            tracing::info!("{file}: not kept, for they change within a sequence: {others}");
        }
        let (names, places): (Vec<String>, Vec<usize>) = alike.into_iter().unzip();
        Ok(KeptColumns { names: names.into(), places })
    }

    /// Those of rows that make one input.
    pub(super) fn of_input(&self, body: &[Row], rows: &[usize]) -> Kept {
        let value = |&place: &usize| {
            let filled = rows.iter().find_map(|&row| filled(&body[row], place));
            filled.map_or_else(|| Value::from(""), Value::from)
        };
        Kept { names: Arc::clone(&self.names), values: self.places.iter().map(value).collect() }
    }

    /// Where they stand, counted from 0.
    #[cfg(feature = "parquet")]
    pub(super) fn places(&self) -> &[usize] {
        &self.places
    }

    /// These values of them.
    #[cfg(feature = "parquet")]
    pub(super) fn with(&self, values: Vec<Value>) -> Kept {
        Kept { names: Arc::clone(&self.names), values }
    }

    /// Those of a row, as far as it goes.
    pub(super) fn of(&self, row: &Row) -> Kept {
        let value = |&place: &usize| row.fields.get(place).map_or(Value::Null, Value::from);
        Kept { names: Arc::clone(&self.names), values: self.places.iter().map(value).collect() }
    }
}

/// What stands in a column of a row, if anything does.
fn filled(row: &Row, place: usize) -> Option<&str> {
    row.fields.get(place).map(str::trim).filter(|value| !value.is_empty())
}

/// Two of these rows that are filled in a column, but not alike.
fn differing<'a>(body: &'a [Row], rows: &[usize], place: usize) -> Option<(&'a Row, &'a Row)> {
    let mut there = rows.iter().map(|&row| &body[row]).filter(|row| filled(row, place).is_some());
    let one = there.next()?;
    there.find(|other| filled(other, place) != filled(one, place)).map(|other| (one, other))
}

/// Where a column stands; without a header none has a name.
fn place(first: &FirstLine<'_>, column: &Column, header: bool) -> Result<usize, DataError> {
    match column {
        Column::Name(name) if !header => {
            Err(DataError::NameWithoutHeader { file: first.file.into(), name: name.clone() })
        }
        column => first.find(column),
    }
}
