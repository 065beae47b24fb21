//! The input's own columns that go with its answers.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::columns::{Column, FirstLine};
use super::delimited::Row;
use super::table::json::{Place, at};
use crate::error::DataError;

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
        for column in columns.iter().filter(|column| at(object, &column.as_key()).is_none()) {
            match column {
                Column::Number(number) => {
                    return Err(DataError::NumberedKey { file: place.file.into(), number: *number });
                }
                Column::Name(name) => tracing::warn!("{}; null is kept in its place", place.no_key(object, name)),
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
                let names: Vec<String> = columns.iter().map(Column::as_key).collect();
                let values = names.iter().map(|name| at(object, name).cloned().unwrap_or(Value::Null)).collect();
                Kept { names: names.into(), values }
            }
        }
    }
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

/// Where a column stands; without a header none has a name.
fn place(first: &FirstLine<'_>, column: &Column, header: bool) -> Result<usize, DataError> {
    match column {
        Column::Name(name) if !header => {
            Err(DataError::NameWithoutHeader { file: first.file.into(), name: name.clone() })
        }
        column => first.find(column),
    }
}
