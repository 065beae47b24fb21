//! Pairs (stub).
use crate::data::table::{EmptyText, TableOptions, read_table};
use crate::data::{Column, Format, HeaderChoice, Labels, Layout};
use crate::error::{DataError, PlanError};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
pub struct PairColumns {
    /// Format
    #[cfg_attr(feature = "clap", arg(long, value_enum))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Header
    #[cfg_attr(feature = "clap", arg(long, value_enum))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderChoice>,
    /// Source
    #[cfg_attr(feature = "clap", arg(long, value_name = "COLUMN"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Column>,
    /// Target
    #[cfg_attr(feature = "clap", arg(long, value_name = "COLUMN"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Column>,
    /// Layout
    #[cfg_attr(feature = "clap", command(flatten))]
    #[serde(flatten)]
    pub layout: Layout,
}
impl PairColumns {
    /// Check.
    pub fn check(&self, _targets: bool) -> Result<(), PlanError> {
        Ok(())
    }
}
/// Pair.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// s
    pub source: String,
    /// t
    pub targets: Vec<String>,
    /// l
    pub line: usize,
}
/// Pairs.
#[derive(Clone, Debug, PartialEq)]
pub struct Pairs {
    /// p
    pub pairs: Vec<Pair>,
}
/// Read.
pub fn read_pairs(file: &Path, c: &PairColumns) -> Result<Pairs, DataError> {
    let options = TableOptions {
        format: c.format,
        text: c.source.clone().or(Some(Column::Number(1))),
        label: c.target.clone().or(Some(Column::Number(2))),
        header: c.header.and_then(HeaderChoice::explicit),
        labels: Labels::Required,
        empty_text: EmptyText::Refuse,
        layout: c.layout.clone(),
        ..TableOptions::default()
    };
    let table = read_table(file, &options)?;
    let mut pairs: Vec<Pair> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for e in table.examples {
        let at = *known.entry(e.text.clone()).or_insert_with(|| {
            pairs.push(Pair { source: e.text.clone(), targets: vec![], line: e.line });
            pairs.len() - 1
        });
        pairs[at].targets.extend(e.labels);
    }
    Ok(Pairs { pairs })
}
