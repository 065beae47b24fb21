//! Naming columns, and finding them in a first line.

use std::convert::Infallible;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::DataError;

/// What data sets call the text, the most telling first.
pub(super) const TEXT_NAMES: &[&str] = &[
    "text",
    "sentence",
    "question",
    "review",
    "utterance",
    "query",
    "content",
    "comment",
    "message",
    "document",
    "tweet",
    "body",
];
/// What data sets call the label.
const LABEL_NAMES: &[&str] =
    &["label", "class", "category", "intent", "sentiment", "target", "tag", "topic", "polarity", "rating", "y"];
/// What data sets call the labels where a text has several, before those names.
const SEVERAL_LABELS_NAMES: &[&str] =
    &["labels", "classes", "categories", "intents", "tags", "topics", "genres", "emotions"];

/// What data sets call one label, or `several`, of a text.
pub(super) fn label_names(several: bool) -> Vec<&'static str> {
    let plural = if several { SEVERAL_LABELS_NAMES } else { &[] };
    plural.iter().chain(LABEL_NAMES).copied().collect()
}

/// A column by its name in the header or by its number, counted from 1. As text, digits only are a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Column {
    /// By place, counted from 1.
    Number(usize),
    /// By name, exactly as the header has it; failing that, without regard to case.
    Name(String),
}

impl FromStr for Column {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        Ok(number.map_or_else(|| Self::Name(text.to_owned()), Self::Number))
    }
}

impl Column {
    /// As a key of an object, of which a number is a name as any other.
    pub fn as_key(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Name(name) => name.clone(),
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "{name:?}"),
        }
    }
}

/// Whether there is a header row, as a person says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum HeaderChoice {
    /// Found out from the first row
    Auto,
    /// There is one
    Yes,
    /// There is none
    No,
}

impl HeaderChoice {
    /// That there is a header, or none.
    pub fn of(header: bool) -> HeaderChoice {
        if header { HeaderChoice::Yes } else { HeaderChoice::No }
    }

    /// What was said explicitly; `None` makes a reader look.
    pub fn explicit(self) -> Option<bool> {
        match self {
            HeaderChoice::Auto => None,
            HeaderChoice::Yes => Some(true),
            HeaderChoice::No => Some(false),
        }
    }
}

/// Whether examples carry labels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Labels {
    /// Every example has one: for training and evaluation.
    #[default]
    Required,
    /// Taken where the file has a column or key for them.
    Optional,
    /// Not read: for prediction.
    Ignored,
}

/// The first line of a table, whether it is a header or not.
pub(super) struct FirstLine<'a> {
    pub(super) file: &'a Path,
    pub(super) line: usize,
    pub(super) fields: Vec<&'a str>,
    /// What else may separate the columns, in a sentence, where nothing that is looked for does.
    pub(super) proposal: Option<String>,
}

impl FirstLine<'_> {
    /// The place of `column`, counted from 0; a name is looked up as in a header.
    pub(super) fn find(&self, column: &Column) -> Result<usize, DataError> {
        match column {
            Column::Number(number) => {
                number.checked_sub(1).filter(|&place| place < self.fields.len()).ok_or_else(|| {
                    DataError::NoColumnNumber {
                        file: self.file.into(),
                        line: self.line,
                        number: *number,
                        present: self.present(),
                    }
                })
            }
            Column::Name(name) => match (self.named(name), name.trim().parse()) {
                (Some(place), _) => Ok(place),
                // With a blank before it, as behind the comma of a list.
                (None, Ok(Column::Number(number))) if *name != name.trim() => self.find(&Column::Number(number)),
                _ => Err(DataError::NoColumn {
                    file: self.file.into(),
                    line: self.line,
                    name: name.trim().to_owned(),
                    present: self.present(),
                }),
            },
        }
    }

    /// The place of the field that reads `name`, else of one that does so without regard to blanks around it, else to case.
    fn named(&self, name: &str) -> Option<usize> {
        let place = |is: &dyn Fn(&str) -> bool| self.fields.iter().position(|field| is(field));
        let (trimmed, lower) = (name.trim(), name.trim().to_lowercase());
        place(&|field| field == name)
            .or_else(|| place(&|field| field == trimmed))
            .or_else(|| place(&|field| field.trim() == trimmed))
            .or_else(|| place(&|field| field.trim().to_lowercase() == lower))
    }

    /// The place of the first of `names` that a field bears.
    pub(super) fn known(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.named(name))
    }

    /// The fields, for messages.
    pub(super) fn present(&self) -> Vec<String> {
        self.fields.iter().map(|field| (*field).to_owned()).collect()
    }

    /// The error that no column could be told for `role`.
    pub(super) fn unclear(&self, role: &'static str) -> DataError {
        DataError::UnclearColumn {
            file: self.file.into(),
            line: self.line,
            role,
            present: self.present(),
            hint: self.proposal.clone().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_around_a_name_are_left_out_unless_it_has_them() {
        let first =
            FirstLine { file: Path::new("f"), line: 1, fields: vec![" a", "a", "B ", "two words"], proposal: None };
        let find =
            |name: &str| first.find(&name.parse().unwrap_or(Column::Number(0))).map_err(|error| error.to_string());
        for (name, place) in
            [(" a", 0), ("a", 1), ("a ", 1), ("b", 2), (" B", 2), (" two words", 3), (" 2", 1), ("2", 1)]
        {
            assert_eq!(find(name), Ok(place), "{name:?}");
        }
        assert!(find(" c").unwrap_err().contains("no column \"c\""));
        assert!(find(" 9").unwrap_err().contains("no column 9"));
    }
}
