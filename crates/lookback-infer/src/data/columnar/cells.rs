//! Values of a column as text, as lists of labels and as JSON.
//!
//! They read as in a table of text: numbers and booleans are written out, dates and times are those of ISO 8601 (with a time zone
//! in UTC), null is nothing. Columns that hold few values many times (dictionaries, categories) are as the values.

use arrow_array::cast::AsArray as _;
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType};
use serde_json::{Map, Number, Value};

/// Null is an empty cell, and what cannot be shown an error.
const SHOWN: FormatOptions<'static> = FormatOptions::new().with_display_error(false).with_null("");

/// The values of one column in a batch, made by [`readable`].
pub(in crate::data) struct Cells<'a> {
    array: &'a dyn Array,
    shown: ArrayFormatter<'a>,
}

/// A column whose values are themselves there, and can be shown without a calendar of time zones.
pub(super) fn readable(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::Dictionary(_, values) => readable(&cast(column, values)?),
        DataType::RunEndEncoded(_, values) => readable(&cast(column, values.data_type())?),
        DataType::Timestamp(unit, Some(_)) => cast(column, &DataType::Timestamp(*unit, Some("+00:00".into()))),
        DataType::Duration(_) => cast(column, &DataType::Int64),
        _ => Ok(column.clone()),
    }
}

/// Whether values of a type have one text each.
pub(in crate::data) fn is_plain(data_type: &DataType) -> bool {
    !data_type.is_nested() && !matches!(data_type, DataType::Interval(_))
}

/// The type of the elements, of lists.
pub(in crate::data) fn elements(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::List(element) | DataType::LargeList(element) | DataType::FixedSizeList(element, _) => {
            Some(element.data_type())
        }
        _ => None,
    }
}

impl<'a> Cells<'a> {
    /// Nothing where values of the type cannot be shown.
    pub(in crate::data) fn new(array: &'a dyn Array) -> Option<Cells<'a>> {
        Some(Cells { array, shown: ArrayFormatter::try_new(array, &SHOWN).ok()? })
    }

    /// The value of a row, which is nothing where it is null; or what is wrong with it.
    pub(in crate::data) fn text(&self, row: usize) -> Result<Option<String>, String> {
        if self.array.is_null(row) {
            return Ok(None);
        }
        match self.bytes(row) {
            Some(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Some(text.to_owned())),
                Err(error) => {
                    let (at, value) = (error.valid_up_to(), bytes.get(error.valid_up_to()).copied().unwrap_or(0));
                    Err(format!("byte {} of the value is 0x{value:02X}, which is not UTF-8", at + 1))
                }
            },
            None => self.shown.value(row).try_to_string().map(Some).map_err(|error| error.to_string()),
        }
    }

    /// The elements of a list without those that are null, or the value itself; nothing where it is null.
    pub(in crate::data) fn texts(&self, row: usize) -> Result<Vec<String>, String> {
        match self.list(row) {
            None => Ok(self.text(row)?.into_iter().collect()),
            Some(Err(error)) => Err(error.to_string()),
            Some(Ok(list)) => {
                let Some(cells) = Cells::new(&*list) else { return Ok(Vec::new()) };
                let texts = (0..list.len()).map(|element| cells.text(element)).collect::<Result<Vec<_>, _>>()?;
                Ok(texts.into_iter().flatten().collect())
            }
        }
    }

    /// The value of a row as JSON has it; numbers that are not finite, and what cannot be shown, are null.
    pub(in crate::data) fn json(&self, row: usize) -> Value {
        if self.array.is_null(row) {
            return Value::Null;
        }
        if let Some(list) = self.list(row) {
            let Ok(list) = list else { return Value::Null };
            let Some(cells) = Cells::new(&*list) else { return Value::Null };
            return (0..list.len()).map(|element| cells.json(element)).collect();
        }
        if let Some(fields) = self.array.as_struct_opt() {
            let value = |column: &ArrayRef| {
                let column = readable(column).ok()?;
                Cells::new(&*column).map(|cells| cells.json(row))
            };
            let names = fields.column_names().into_iter().map(str::to_owned);
            let values = fields.columns().iter().map(|column| value(column).unwrap_or(Value::Null));
            return Value::Object(names.zip(values).collect::<Map<_, _>>());
        }
        let Ok(Some(text)) = self.text(row) else { return Value::Null };
        match self.array.data_type() {
            DataType::Boolean => Value::Bool(text == "true"),
            number if number.is_integer() || number.is_floating() => {
                serde_json::from_str::<Number>(&text).map_or(Value::Null, Value::Number)
            }
            _ => Value::String(text),
        }
    }

    /// The elements of a row of lists.
    fn list(&self, row: usize) -> Option<Result<ArrayRef, ArrowError>> {
        if self.array.is_null(row) {
            return None;
        }
        let list = match self.array.data_type() {
            DataType::List(_) => self.array.as_list::<i32>().value(row),
            DataType::LargeList(_) => self.array.as_list::<i64>().value(row),
            DataType::FixedSizeList(..) => self.array.as_fixed_size_list().value(row),
            _ => return None,
        };
        Some(readable(&list))
    }

    /// What stands in a row of bytes, which may be text of which nobody said that it is.
    fn bytes(&self, row: usize) -> Option<&[u8]> {
        match self.array.data_type() {
            DataType::Binary => Some(self.array.as_binary::<i32>().value(row)),
            DataType::LargeBinary => Some(self.array.as_binary::<i64>().value(row)),
            DataType::BinaryView => Some(self.array.as_binary_view().value(row)),
            DataType::FixedSizeBinary(_) => Some(self.array.as_fixed_size_binary().value(row)),
            _ => None,
        }
    }
}
