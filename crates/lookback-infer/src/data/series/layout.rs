//! How series stand in a file, as a person says it.

use serde::{Deserialize, Serialize};

use super::numbers::Decimal;
use super::times::TimeFormat;
use crate::data::Format;

/// How numeric series stand in a file, where a person says it. What is not said is found out from the file itself, and told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
pub struct SeriesLayout {
    /// How the times of series are written: number, iso or a pattern such as "%d/%m/%Y %H:%M" [default: found out]
    #[cfg_attr(feature = "clap", arg(long, value_name = "FORMAT"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_format: Option<TimeFormat>,
    /// Decimal mark of the values of series (csv-long, wide) [default: found out]
    #[cfg_attr(feature = "clap", arg(long, value_enum, value_name = "MARK"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<Decimal>,
    /// Which rows of a series have its label (csv-long) [default: row]
    #[cfg_attr(feature = "clap", arg(long, value_enum, value_name = "WHICH"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_per: Option<LabelPer>,
}

/// Which rows of a series have its label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum LabelPer {
    /// Every row
    #[default]
    Row,
    /// The first row of a series; in the others it is empty, or the same
    First,
}

impl SeriesLayout {
    /// This where it says something, else what `other` says.
    pub fn or(&self, other: &SeriesLayout) -> SeriesLayout {
        SeriesLayout {
            time_format: self.time_format.clone().or_else(|| other.time_format.clone()),
            decimal: self.decimal.or(other.decimal),
            label_per: self.label_per.or(other.label_per),
        }
    }

    /// What is said, by option.
    pub fn said(&self) -> [(&'static str, bool); 3] {
        [
            ("time-format", self.time_format.is_some()),
            ("decimal", self.decimal.is_some()),
            ("label-per", self.label_per.is_some()),
        ]
    }

    /// Which of it a format has no place for, by option.
    pub fn unfit(&self, format: Format) -> Vec<(&'static str, bool)> {
        let unfit: &[&str] = match format {
            Format::CsvLong => &[],
            Format::Wide => &["time-format", "label-per"],
            Format::Ts => &["decimal", "label-per"],
            _ => &["time-format", "decimal", "label-per"],
        };
        self.said().into_iter().filter(|(option, _)| unfit.contains(option)).collect()
    }
}
