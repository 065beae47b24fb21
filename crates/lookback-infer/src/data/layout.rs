//! How a file is laid out, as a person says it, and as it was found to be.

use serde::{Deserialize, Serialize};

use super::encoding::Encoding;
use super::marks::{Mark, Separator};
use crate::error::PlanError;

/// How a file is laid out, where a person says it. What is not said is found out from the file itself, and told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
pub struct Layout {
    /// Encoding of the file, such as utf-8, gb18030, big5 or windows-1252 [default: found out]
    #[cfg_attr(feature = "clap", arg(long, value_name = "NAME"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// What stands between the columns: a character, or the word tab [default: found out]
    #[cfg_attr(feature = "clap", arg(long, value_name = "CHARACTER"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separator: Option<Separator>,
    /// What stands around fields that hold separators: a character, or the word none [default: found out]
    #[cfg_attr(feature = "clap", arg(long, value_name = "CHARACTER"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<Mark>,
    /// What stands before a quote within quotes, for files that do not double it: a character [default: none]
    #[cfg_attr(feature = "clap", arg(long, value_name = "CHARACTER"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escape: Option<Mark>,
    /// What becomes of rows that cannot be read [default: stop]
    #[cfg_attr(feature = "clap", arg(long, value_enum, value_name = "WHAT"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_bad_row: Option<OnBadRow>,
}

/// What becomes of rows that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum OnBadRow {
    /// Nothing is read; up to twenty of them are named
    #[default]
    Stop,
    /// They are left out; they are counted, and up to twenty are named
    Skip,
}

impl Layout {
    /// This where it says something, else what `other` says.
    pub fn or(&self, other: &Layout) -> Layout {
        Layout {
            encoding: self.encoding.or(other.encoding),
            separator: self.separator.or(other.separator),
            quote: self.quote.or(other.quote),
            escape: self.escape.or(other.escape),
            on_bad_row: self.on_bad_row.or(other.on_bad_row),
        }
    }

    /// Whether a table can be read so.
    ///
    /// # Errors
    /// If one character is said to be two things.
    pub fn check(&self) -> Result<(), PlanError> {
        let said = [
            ("separator", self.separator.map(|separator| separator.0)),
            ("quote", self.quote.and_then(|quote| quote.0)),
            ("escape", self.escape.and_then(|escape| escape.0)),
        ];
        for (place, (option, mark)) in said.iter().enumerate() {
            let same = said[..place].iter().find(|(_, other)| mark.is_some() && other == mark);
            if let Some((other, _)) = same {
                return Err(PlanError::conflict(option, format!("is the character that --{other} is")));
            }
        }
        Ok(())
    }

    /// What is said of a file of text, by option.
    pub fn of_text_files(&self) -> [(&'static str, bool); 4] {
        let [separator, quote, escape] = self.of_columns();
        [("encoding", self.encoding.is_some()), separator, quote, escape]
    }

    /// What is said of columns, by option.
    pub fn of_columns(&self) -> [(&'static str, bool); 3] {
        [("separator", self.separator.is_some()), ("quote", self.quote.is_some()), ("escape", self.escape.is_some())]
    }
}
