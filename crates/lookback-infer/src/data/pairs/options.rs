//! How pairs stand in a file, as a person says it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::data::{Column, Format, HeaderChoice, Layout};
use crate::error::PlanError;
use crate::error::plan::refuse;

/// How pairs of a source and a target stand in a file, where a person says it. What is not said is found out from the file itself,
/// and told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
pub struct PairOptions {
    /// Format of the data: csv, tsv, jsonl or parquet; lines where the targets stand in a file of their own [default: by the
    /// extension or the content]
    #[cfg_attr(feature = "clap", arg(long, value_enum, hide_possible_values = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Column or key of the source, by name or by number from 1 [default: found out]
    #[cfg_attr(feature = "clap", arg(long, value_name = "COLUMN"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Column>,
    /// Column or key of the target, by name or by number from 1; a list in JSON is several targets [default: found out]
    #[cfg_attr(feature = "clap", arg(long, value_name = "COLUMN"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Column>,
    /// Whether the first row of a table names the columns [default: auto]
    #[cfg_attr(feature = "clap", arg(long, value_enum, value_name = "WHAT"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderChoice>,
    /// How the file is laid out.
    #[cfg_attr(feature = "clap", command(flatten))]
    #[serde(flatten)]
    pub layout: Layout,
}

impl PairOptions {
    /// This where it says something, else what `other` says: that of the training data, for another file.
    pub fn or(&self, other: &PairOptions) -> PairOptions {
        PairOptions {
            format: self.format.or(other.format),
            source: self.source.clone().or_else(|| other.source.clone()),
            target: self.target.clone().or_else(|| other.target.clone()),
            header: self.header.or(other.header),
            layout: self.layout.or(&other.layout),
        }
    }

    /// Whether these files can be read so.
    ///
    /// # Errors
    /// If two options say what does not go together, or one says what the files do not have.
    pub fn check(&self, file: &Path, target_file: Option<&Path>) -> Result<(), PlanError> {
        self.layout.check()?;
        if target_file.is_some() {
            return self.check_side_by_side();
        }
        match self.format {
            None | Some(Format::Csv | Format::Tsv | Format::Jsonl | Format::Parquet) => {}
            Some(Format::Lines) => {
                let problem = "lines is for sources alone, or with --target-file for targets in a file of their own";
                return Err(PlanError::conflict("format", problem));
            }
            Some(other) => return Err(PlanError::value("format", other.name(), Format::OF_PAIRS)),
        }
        let of_tables = [("header", self.header.is_some())].into_iter();
        match self.format.or_else(|| Format::of_texts(file)) {
            Some(Format::Jsonl) => refuse(of_tables.chain(self.layout.of_columns()), "is for tables, but this is JSON"),
            Some(Format::Parquet) => {
                let problem = "is for files of text, but these data are Parquet or Arrow";
                refuse(of_tables.chain(self.layout.of_text_files()), problem)
            }
            _ => Ok(()),
        }
    }

    fn check_side_by_side(&self) -> Result<(), PlanError> {
        match self.format {
            None | Some(Format::Lines) => {}
            Some(other) => {
                let problem = format!("is {}, but with --target-file two files of lines are read", other.name());
                return Err(PlanError::conflict("format", problem));
            }
        }
        let of_columns =
            [("source", self.source.is_some()), ("target", self.target.is_some()), ("header", self.header.is_some())];
        let said = of_columns.into_iter().chain(self.layout.of_columns());
        refuse(said, "is about columns, but with --target-file each line is a source, or a target")
    }

    /// Whether there is a header, where that was said.
    pub(super) fn has_header(&self) -> Option<bool> {
        self.header.and_then(HeaderChoice::explicit)
    }

    /// A column that was asked for by name.
    pub(super) fn named(&self) -> Option<&str> {
        [&self.source, &self.target].into_iter().find_map(|column| match column {
            Some(Column::Name(name)) => Some(name.as_str()),
            _ => None,
        })
    }
}
