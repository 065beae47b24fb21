//! Characters that lay out a table, as a person names them.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What stands between the columns of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Separator(pub(super) u8);

/// A character around fields or before quotes, or that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mark(pub(super) Option<u8>);

/// The byte that a character stands for on the command line.
fn byte(text: &str) -> Option<u8> {
    match text {
        "tab" | "\\t" => Some(b'\t'),
        // As people write it who escape it for a shell that has not asked for that.
        "\\\\" => Some(b'\\'),
        _ => match text.as_bytes() {
            [byte] if !byte.is_ascii_alphanumeric() && !matches!(byte, b'\r' | b'\n') => Some(*byte),
            _ => None,
        },
    }
}

/// What it is called on the command line.
pub(super) fn name(byte: u8) -> String {
    if byte == b'\t' { "tab".to_owned() } else { char::from(byte).to_string() }
}

impl FromStr for Separator {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        byte(text).map(Separator).ok_or_else(|| {
            format!("{text:?} is no separator; one ASCII character that is no letter or digit, or the word tab, was expected")
        })
    }
}

impl FromStr for Mark {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Mark(None));
        }
        byte(text).map(|byte| Mark(Some(byte))).ok_or_else(|| {
            format!("{text:?} is no such mark; one ASCII character that is no letter or digit, or the word none, was expected")
        })
    }
}

impl TryFrom<String> for Separator {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl TryFrom<String> for Mark {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Separator> for String {
    fn from(separator: Separator) -> String {
        name(separator.0)
    }
}

impl From<Mark> for String {
    fn from(mark: Mark) -> String {
        mark.0.map_or("none".to_owned(), name)
    }
}
