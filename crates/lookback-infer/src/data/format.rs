//! The formats of data files.

use std::path::Path;

use serde::{Deserialize, Serialize};

/// How inputs stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Format {
    /// One input per line, without labels
    Lines,
    /// Comma-separated table, RFC 4180
    Csv,
    /// Tab-separated table without quoting
    Tsv,
    /// One JSON object per line
    Jsonl,
    /// Numeric series, as the UEA archive has them
    Ts,
    /// Numeric series in CSV, one row per step
    CsvLong,
}

impl Format {
    /// The formats of texts with labels, for messages.
    pub(crate) const OF_TEXTS: &str = "csv, tsv or jsonl";
    /// The formats of series, for messages.
    pub(crate) const OF_SERIES: &str = "ts or csv-long";

    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            Format::Lines => "lines",
            Format::Csv => "csv",
            Format::Tsv => "tsv",
            Format::Jsonl => "jsonl",
            Format::Ts => "ts",
            Format::CsvLong => "csv-long",
        }
    }

    /// The format of texts that the extension tells: `csv`, `tsv` or `tab`, `jsonl`, `ndjson` or `json`.
    pub fn of_texts(file: &Path) -> Option<Format> {
        match extension(file).as_str() {
            "csv" => Some(Format::Csv),
            "tsv" | "tab" => Some(Format::Tsv),
            "jsonl" | "ndjson" | "json" => Some(Format::Jsonl),
            _ => None,
        }
    }

    /// The format of series that the extension tells: `ts`, or `csv` for one row per step.
    pub fn of_series(file: &Path) -> Option<Format> {
        match extension(file).as_str() {
            "ts" => Some(Format::Ts),
            "csv" => Some(Format::CsvLong),
            _ => None,
        }
    }

    /// Whether it holds numeric series and nothing else.
    pub fn is_of_series(self) -> bool {
        matches!(self, Format::Ts | Format::CsvLong)
    }
}

fn extension(file: &Path) -> String {
    file.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase()
}
