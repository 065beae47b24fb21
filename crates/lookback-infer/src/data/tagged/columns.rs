//! How tagged sentences stand in a file, as a person says it.

use serde::{Deserialize, Serialize};

use crate::data::{Column, Encoding, Format, OnBadRow};
use crate::error::PlanError;

/// What of sentences is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Their tokens alone.
    Tokens,
    /// A tag for each token.
    Tags,
    /// Words that are to be found again, with their tags; lines without tags are of words as well, each tagged [`WORD`].
    Words,
}

/// The tag of a word of which nothing else is known.
pub const WORD: &str = "word";

/// How tagged sentences stand in a file, where a person says it. What is not said is found out from the file itself, and told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
pub struct TaggedColumns {
    /// Format of the data: conll, conllu, slash or jsonl, with --segment lines of words as well [default: found out]
    #[cfg_attr(feature = "clap", arg(long, value_enum, hide_possible_values = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Where tokens and tags stand in it.
    #[cfg_attr(feature = "clap", command(flatten))]
    #[serde(flatten)]
    pub layout: TaggedLayout,
    /// Encoding of the file, such as utf-8, gb18030, big5 or windows-1252 [default: found out]
    #[cfg_attr(feature = "clap", arg(long, value_name = "NAME"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    /// What becomes of sentences that cannot be read [default: stop]
    #[cfg_attr(feature = "clap", arg(long, value_enum, value_name = "WHAT"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_bad_row: Option<OnBadRow>,
}

/// Where tokens and tags stand in the lines of a file, where a person says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
pub struct TaggedLayout {
    /// Column of the token in tagged sentences, by number from 1, of CoNLL-U by name, of JSON its key [default: the first;
    /// FORM; tokens]
    #[cfg_attr(feature = "clap", arg(long, value_name = "COLUMN"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_column: Option<Column>,
    /// Column of the tag in tagged sentences, by number from 1, of CoNLL-U by name such as XPOS, of JSON its key [default:
    /// the last; UPOS; tags]
    #[cfg_attr(feature = "clap", arg(long, value_name = "COLUMN"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag_column: Option<Column>,
    /// What stands between a token and its tag in word/tag lines: a character [default: found out, / or _]
    #[cfg_attr(feature = "clap", arg(long, value_name = "CHARACTER"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag_separator: Option<char>,
}

impl TaggedColumns {
    /// Whether this of a file can be read so.
    ///
    /// # Errors
    /// If two options say what does not go together.
    pub fn check(&self, wanted: Wanted) -> Result<(), PlanError> {
        self.layout.check()?;
        match self.format {
            None | Some(Format::Conll | Format::Conllu | Format::Slash | Format::Jsonl) => {}
            Some(Format::Lines) if wanted != Wanted::Tags => {}
            Some(other) if wanted == Wanted::Words => {
                return Err(PlanError::value("format", other.name(), Format::OF_WORDS));
            }
            Some(other) => return Err(PlanError::value("format", other.name(), Format::OF_TAGS)),
        }
        if let Some(format) = self.format
            && let Some((option, _)) = self.layout.unfit(format).first()
        {
            return Err(PlanError::conflict(option, format!("does not concern the format {}", format.name())));
        }
        Ok(())
    }
}

impl TaggedLayout {
    /// This where it says something, else what `other` says.
    pub fn or(&self, other: &TaggedLayout) -> TaggedLayout {
        TaggedLayout {
            token_column: self.token_column.clone().or_else(|| other.token_column.clone()),
            tag_column: self.tag_column.clone().or_else(|| other.tag_column.clone()),
            tag_separator: self.tag_separator.or(other.tag_separator),
        }
    }

    /// What is said, by option.
    pub fn said(&self) -> [(&'static str, bool); 3] {
        [
            ("token-column", self.token_column.is_some()),
            ("tag-column", self.tag_column.is_some()),
            ("tag-separator", self.tag_separator.is_some()),
        ]
    }

    /// What is said and a format has no place for, by option.
    pub fn unfit(&self, format: Format) -> Vec<(&'static str, bool)> {
        let fit: &[&str] = match format {
            Format::Slash => &["tag-separator"],
            Format::Lines => &[],
            _ => &["token-column", "tag-column"],
        };
        self.said().into_iter().filter(|(option, said)| *said && !fit.contains(option)).collect()
    }

    /// Whether tokens or tags are looked for in a column.
    pub(super) fn names_columns(&self) -> bool {
        self.token_column.is_some() || self.tag_column.is_some()
    }

    fn check(&self) -> Result<(), PlanError> {
        if let Some(separator) = self.tag_separator
            && (separator.is_alphanumeric() || separator.is_whitespace() || separator.is_control())
        {
            let expected = "a character that is no letter, digit or white space";
            return Err(PlanError::value("tag-separator", format!("{separator:?}"), expected));
        }
        for (option, column) in [("token-column", &self.token_column), ("tag-column", &self.tag_column)] {
            if column == &Some(Column::Number(0)) {
                return Err(PlanError::value(option, 0, "1 or more, or a name"));
            }
        }
        if self.tag_separator.is_some() && self.names_columns() {
            return Err(PlanError::conflict("tag-separator", "is for word/tag lines, which have no columns"));
        }
        match (&self.token_column, &self.tag_column) {
            (Some(token), Some(tag)) if token == tag => {
                Err(PlanError::conflict("tag-column", format!("is {tag}, which is the column of the token")))
            }
            _ => Ok(()),
        }
    }
}
