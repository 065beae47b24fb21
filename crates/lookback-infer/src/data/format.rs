//! The formats of data files.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::columnar::Kind;
use super::compression;
use super::fasttext::PREFIX;
use crate::error::place::has_rows_only;

/// How inputs stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Format {
    /// One input per line, without labels
    Lines,
    /// Table of commas, RFC 4180, or of another separator where that is told or found
    Csv,
    /// Table of tabs, or of another separator where that is told or found
    Tsv,
    /// JSON, one object per line or one array of them
    Jsonl,
    /// Lines of fastText, which begin with __label__
    Fasttext,
    /// Table of Parquet or Arrow (.feather as well), known by its first bytes; in builds with --features parquet
    Parquet,
    /// Numeric series, as the UEA archive has them
    Ts,
    /// Numeric series in a table, one row per step
    CsvLong,
    /// Numeric series of one channel in a table, one row per series
    Wide,
    /// Tokens in columns with their tags, one line per token, a blank line behind each sentence
    Conll,
    /// Tokens in the ten columns of CoNLL-U
    Conllu,
    /// Tokens with their tags as word/tag, one line per sentence
    Slash,
}

impl Format {
    /// The formats of texts with labels, for messages.
    pub(crate) const OF_TEXTS: &str = "csv, tsv, jsonl, fasttext or parquet";
    /// All formats of labelled inputs, for messages.
    pub(crate) const OF_TRAINING: &str =
        "csv, tsv, jsonl, fasttext or parquet for texts, ts, csv-long or wide for numeric series";
    /// The formats of series, for messages.
    pub(crate) const OF_SERIES: &str = "ts, csv-long or wide";
    /// The formats of histories of series, for messages.
    pub(crate) const OF_HISTORIES: &str = "csv-long, wide, jsonl or parquet";
    /// The formats of pairs of a source and a target, for messages.
    pub(crate) const OF_PAIRS: &str =
        "csv, tsv, jsonl or parquet; targets in a file of their own are named by --target-file";
    /// The formats of sentences with a tag per token, for messages.
    pub(crate) const OF_TAGS: &str = "conll, conllu, slash or jsonl";
    /// Those of sentences in words.
    pub(crate) const OF_WORDS: &str = "lines, conll, conllu, slash or jsonl";

    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            Format::Lines => "lines",
            Format::Csv => "csv",
            Format::Tsv => "tsv",
            Format::Jsonl => "jsonl",
            Format::Fasttext => "fasttext",
            Format::Parquet => "parquet",
            Format::Ts => "ts",
            Format::CsvLong => "csv-long",
            Format::Wide => "wide",
            Format::Conll => "conll",
            Format::Conllu => "conllu",
            Format::Slash => "slash",
        }
    }

    /// The format of texts that the first bytes of the file tell, which is [`Format::Parquet`], or its extension: `csv`, `tsv` or
    /// `tab`, `jsonl`, `ndjson` or `json`, `parquet`, `arrow`, `feather` or `ipc`.
    pub fn of_texts(file: &Path) -> Option<Format> {
        if Kind::of_file(file).is_some() || has_rows_only(file) {
            return Some(Format::Parquet);
        }
        match extension(file).as_str() {
            "csv" => Some(Format::Csv),
            "tsv" | "tab" => Some(Format::Tsv),
            "jsonl" | "ndjson" | "json" => Some(Format::Jsonl),
            _ => None,
        }
    }

    /// The format of texts with labels that the content tells, where it is one that nothing else looks like.
    pub(super) fn of_content(text: &str) -> Option<Format> {
        let text = text.trim_start();
        if text.starts_with(PREFIX) {
            Some(Format::Fasttext)
        } else if text.starts_with("{\"") || text.starts_with("[{") || text.starts_with("{ \"") {
            Some(Format::Jsonl)
        } else {
            None
        }
    }

    /// The format of series that the extension tells: `ts`, or `csv` for one row per step, as it is of a table of columns.
    pub fn of_series(file: &Path) -> Option<Format> {
        if Format::of_texts(file) == Some(Format::Parquet) {
            return Some(Format::CsvLong);
        }
        match extension(file).as_str() {
            "ts" => Some(Format::Ts),
            "csv" => Some(Format::CsvLong),
            _ => None,
        }
    }

    /// Whether it holds numeric series and nothing else.
    pub fn is_of_series(self) -> bool {
        matches!(self, Format::Ts | Format::CsvLong | Format::Wide)
    }

    /// Whether it holds sentences with a tag per token and nothing else.
    pub fn is_of_tags(self) -> bool {
        matches!(self, Format::Conll | Format::Conllu | Format::Slash)
    }
}

/// The extension, without that of a packed file.
fn extension(file: &Path) -> String {
    let of = |file: &Path| file.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_lowercase();
    match of(file) {
        packed if compression::EXTENSIONS.contains(&packed.as_str()) => of(&file.with_extension("")),
        other => other,
    }
}
