//! Cells that hold a value: numbers with a decimal point or a decimal comma, and marks that say that a value is missing.
//!
//! # How the decimal mark is found out
//! By all cells of the values together. `0,5` and `12,75` have a decimal comma, for nothing else reads so; `1.5` has a point.
//! A file with both is refused. Where every comma stands before three digits, as in `1,234`, it may part thousands as well:
//! beside decimal points it does, and such a cell is refused as no number; alone it is a decimal comma where semicolons stand
//! between the columns, for they do so since the comma is taken; else it is refused, and `--decimal` says what it is.

use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::SeriesOptions;
use crate::data::bad_rows::NAMED;
use crate::error::DataError;
use crate::error::place::unit;

/// What stands before the digits behind the whole part of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Decimal {
    /// As in 1.5
    Point,
    /// As in 1,5
    Comma,
}

/// What becomes of values that are missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Missing {
    /// Nothing is read; up to twenty lines with such values are named
    #[default]
    Refuse,
    /// They count as the mean, and every channel gets a second one that is 1 where it lacks a value
    Mask,
}

/// What people write for a value that is missing, in any case.
const MARKS: &[&str] = &["", "?", "nan", "na", "n/a", "null", "none"];

/// Whether a cell says that its value is missing.
pub(in crate::data) fn is_missing(text: &str) -> bool {
    MARKS.iter().any(|mark| text.trim().eq_ignore_ascii_case(mark))
}

/// Whether a cell is one of those by which short series are filled up to the length of the longest.
pub(super) fn is_padding(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.eq_ignore_ascii_case("nan")
}

/// A number, or nothing.
pub(in crate::data) fn parsed<T: FromStr>(text: &str, decimal: Decimal) -> Option<T> {
    let text = text.trim();
    match decimal {
        Decimal::Point => text.parse().ok(),
        Decimal::Comma if text.contains('.') => None,
        Decimal::Comma => text.replace(',', ".").parse().ok(),
    }
}

/// A finite number, or nothing.
pub(super) fn number(text: &str, decimal: Decimal) -> Option<f64> {
    parsed(text, decimal).filter(|number: &f64| number.is_finite())
}

/// Whether a cell is a number by either mark, or missing.
pub(in crate::data) fn may_be_number(text: &str) -> bool {
    is_missing(text) || number(text, Decimal::Point).is_some() || number(text, Decimal::Comma).is_some()
}

/// What is told of a decimal mark; nothing of the usual one.
pub(in crate::data) fn in_words(decimal: Decimal) -> Option<String> {
    (decimal == Decimal::Comma).then(|| "numbers with decimal commas".to_owned())
}

/// What a cell says of the decimal mark.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Point,
    Comma,
    /// A comma that may be decimal, or part thousands.
    Either,
    Neither,
}

fn form(text: &str) -> Form {
    let text = text.trim();
    match (text.contains('.'), text.contains(',')) {
        (true, false) if number(text, Decimal::Point).is_some() => Form::Point,
        (false, true) if number(text, Decimal::Comma).is_some() => match parts_thousands(text) {
            true => Form::Either,
            false => Form::Comma,
        },
        _ => Form::Neither,
    }
}

/// Whether the comma of a number may stand between thousands and hundreds.
fn parts_thousands(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once(',').is_some_and(|(whole, rest)| {
        (1..=3).contains(&whole.len()) && !whole.starts_with('0') && digits(whole) && rest.len() == 3 && digits(rest)
    })
}

/// The decimal mark of the values of a file, and whether it was found out by a comma. `cells`: with their lines. `trained`: the
/// mark of the training data, which decides where the cells do not.
pub(in crate::data) fn find_decimal<'a>(
    file: &Path,
    cells: impl Iterator<Item = (usize, &'a str)>,
    semicolons: bool,
    trained: Option<Decimal>,
) -> Result<Decimal, DataError> {
    let (mut point, mut comma, mut either) = (None, None, None);
    for (line, text) in cells {
        let seen = match form(text) {
            Form::Point => &mut point,
            Form::Comma => &mut comma,
            Form::Either => &mut either,
            Form::Neither => continue,
        };
        seen.get_or_insert((line, text.trim()));
        if point.is_some() && comma.is_some() {
            break;
        }
    }
    let refuse = |line, problem| Err(DataError::Line { file: file.into(), line, problem });
    match (point, comma, either) {
        (Some((line, pointed)), Some((other, commaed)), _) => {
            let problem = format!(
                "{pointed:?} has a decimal point but {commaed:?} on line {other} a decimal comma; --decimal point or comma \
                 says which it is, and the other is refused"
            );
            refuse(line, problem)
        }
        (None, Some(_), _) => Ok(Decimal::Comma),
        (Some(_), None, _) | (None, None, None) => Ok(Decimal::Point),
        (None, None, Some((line, text))) => match (trained, semicolons) {
            (Some(trained), _) => Ok(trained),
            (None, true) => {
                let name = file.display();
                tracing::warn!(
                    "{name}, line {line}: {text:?} is read with a decimal comma, since semicolons stand between the \
                     columns; write it without the comma if that parts thousands"
                );
                Ok(Decimal::Comma)
            }
            (None, false) => {
                let problem = format!(
                    "the comma in {text:?} may be decimal or part thousands, and no other value tells; --decimal comma says \
                     that it is decimal, and thousands must be written without a comma"
                );
                refuse(line, problem)
            }
        },
    }
}

/// A value that is missing.
struct Gap {
    line: usize,
    channel: String,
    step: usize,
    value: String,
}

/// Reads the values of a file, and keeps in mind which are missing.
pub(super) struct Values<'a> {
    file: &'a Path,
    decimal: Decimal,
    missing: Missing,
    /// Whether a value that is missing ends its series, and no more.
    each: bool,
    first: Vec<Gap>,
    /// Lines with a value that is missing, and the last of them.
    lines: (usize, usize),
    /// Values that are missing.
    gaps: usize,
    values: usize,
}

impl<'a> Values<'a> {
    /// By options, but with this decimal mark.
    pub(super) fn new(file: &'a Path, decimal: Decimal, options: &SeriesOptions) -> Values<'a> {
        let (missing, each) = (options.missing, options.reads_each());
        Values { file, decimal, missing, each, first: Vec::new(), lines: (0, 0), gaps: 0, values: 0 }
    }

    /// The value of a cell, which is NaN where it is missing. `channel`: what messages call it, counted from 1 or in quotes;
    /// `step`: counted from 1.
    pub(super) fn read(&mut self, text: &str, line: usize, channel: &str, step: usize) -> Result<f32, DataError> {
        let wrong = |value: &str| DataError::SeriesValue {
            file: self.file.into(),
            line,
            channel: channel.to_owned(),
            step,
            value: value.to_owned(),
        };
        self.values += 1;
        if !is_missing(text) {
            // At once, for rounded to 64 bits before it might be another number.
            let value = parsed(text, self.decimal).filter(|value: &f32| value.is_finite());
            return value.ok_or_else(|| wrong(text.trim()));
        }
        if self.missing == Missing::Refuse && self.each {
            let (channel, value) = (channel.to_owned(), text.trim().to_owned());
            return Err(DataError::MissingValue { file: self.file.into(), line, channel, step, value });
        }
        self.gaps += 1;
        if self.missing == Missing::Refuse && self.lines.1 != line {
            if self.first.len() < NAMED {
                self.first.push(Gap { line, channel: channel.to_owned(), step, value: text.trim().to_owned() });
            }
            self.lines = (self.lines.0 + 1, line);
        }
        Ok(f32::NAN)
    }

    /// Refuses values that are missing, once all of the file is read, unless they are to be masked; says how many there are.
    pub(super) fn settle(mut self) -> Result<Option<String>, DataError> {
        match self.lines.0 {
            0 if self.gaps == 0 && self.missing == Missing::Mask => Ok(Some("no value is missing".to_owned())),
            0 if self.gaps == 0 => Ok(None),
            0 => Ok(Some(format!("{} of {} values are missing", self.gaps, self.values))),
            1 => {
                let Gap { line, channel, step, value } = self.first.remove(0);
                Err(DataError::MissingValue { file: self.file.into(), line, channel, step, value })
            }
            count => {
                let tell = |Gap { line, channel, step, value }: &Gap| {
                    format!("{} {line}, channel {channel}, step {step}: {value:?}", unit(self.file))
                };
                let first = self.first.iter().map(tell).collect();
                Err(DataError::MissingValues { file: self.file.into(), count, first })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(cells: &[&str], semicolons: bool, trained: Option<Decimal>) -> String {
        let cells = cells.iter().enumerate().map(|(index, &text)| (index + 1, text));
        match find_decimal(Path::new("f"), cells, semicolons, trained) {
            Ok(decimal) => format!("{decimal:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_decimal_mark_is_found_out_by_all_cells() {
        assert_eq!(found(&["1", "x", "?", "7"], true, None), "Point");
        assert_eq!(found(&["1", "1,5", "-0,25"], false, None), "Comma");
        assert_eq!(found(&["1,234", "12,5"], false, None), "Comma");
        assert_eq!(found(&["0,234"], false, None), "Comma", "no thousands begin with 0");
        assert_eq!(found(&["1234,567"], false, None), "Comma", "four digits stand together");
        assert_eq!(found(&["1,234", "1.5"], true, None), "Point");
        assert_eq!(found(&["1,234", "-7,001"], true, None), "Comma", "semicolons stand between the columns");
        assert_eq!(found(&["1,234"], false, Some(Decimal::Comma)), "Comma");
        let unclear = found(&["7", "1,234"], false, None);
        assert!(unclear.starts_with("f, line 2: the comma in \"1,234\" may be") && unclear.contains("--decimal"));
        let mixed = found(&["1,5", "2.5"], true, None);
        assert!(mixed.starts_with("f, line 2: \"2.5\" has a decimal point but \"1,5\" on line 1 a decimal comma"));
    }

    #[test]
    fn marks_of_missing_values_are_no_other_word() {
        for mark in ["", " ", "?", "NaN", "nan", "NA", "N/A", "null", "None"] {
            assert!(is_missing(mark), "{mark:?}");
        }
        for word in ["0", "nano", "x", "inf", "-"] {
            assert!(!is_missing(word), "{word:?}");
        }
        assert!(is_padding("NaN") && is_padding(" ") && !is_padding("?"));
        assert_eq!(number("1,5e-1", Decimal::Comma), Some(0.15));
        assert_eq!(number("1.234,5", Decimal::Comma), None);
        assert_eq!(number("inf", Decimal::Point), None);
    }
}
