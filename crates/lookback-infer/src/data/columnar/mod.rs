//! Tables that store column after column: Parquet and Arrow (its files, which Feather of version 2 is, and its streams). They are
//! known by their first bytes; what reads them is there with the feature `parquet` alone.

#[cfg(feature = "parquet")]
mod cells;
#[cfg(feature = "parquet")]
mod source;

use std::fs;
use std::io::Read as _;
use std::path::Path;

#[cfg(feature = "parquet")]
pub(super) use self::cells::{Cells, elements, is_plain};
#[cfg(feature = "parquet")]
pub(super) use self::source::{Batch, Source};
use super::encoding::{Decoded, Encoding};
use super::{Format, file_text};
use crate::error::DataError;

/// How a table of columns is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Parquet,
    /// Its index of columns is encrypted.
    EncryptedParquet,
    /// An Arrow file, or Feather of version 2.
    ArrowFile,
    ArrowStream,
    /// Feather of version 1, which was something else.
    OldFeather,
}

/// What a file of texts or series holds.
pub(super) enum Content {
    /// Text, to be cut into rows or lines.
    Text(Decoded),
    /// A table of columns.
    #[cfg(feature = "parquet")]
    Columns(Source),
}

impl Kind {
    /// By the first bytes of a file; eight tell.
    pub(super) fn of(first: &[u8]) -> Option<Kind> {
        // Text may begin with these four letters as well, but a page, or the index, of Parquet begins with no letter.
        let goes_on_as_text = first.get(4).is_some_and(|&byte| byte >= b' ' || byte.is_ascii_whitespace());
        match first {
            [b'P', b'A', b'R', b'1', ..] if !goes_on_as_text => Some(Kind::Parquet),
            [b'P', b'A', b'R', b'E', ..] if !goes_on_as_text => Some(Kind::EncryptedParquet),
            [b'A', b'R', b'R', b'O', b'W', b'1', 0, 0, ..] => Some(Kind::ArrowFile),
            [0xFF, 0xFF, 0xFF, 0xFF, _, _, _, 0..=0x7F, ..] => Some(Kind::ArrowStream),
            [b'F', b'E', b'A', b'1', ..] if !goes_on_as_text => Some(Kind::OldFeather),
            _ => None,
        }
    }

    /// Of a file that can be opened again, by its own first bytes; of a packed one this is none.
    pub(super) fn of_file(file: &Path) -> Option<Kind> {
        let mut first = Vec::new();
        if file.is_file() {
            fs::File::open(file).ok()?.take(8).read_to_end(&mut first).ok()?;
        }
        Kind::of(&first)
    }

    /// As messages call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Parquet => "a Parquet file",
            Kind::EncryptedParquet => "an encrypted Parquet file",
            Kind::ArrowFile => "an Arrow file",
            Kind::ArrowStream => "an Arrow stream",
            Kind::OldFeather => "a Feather file of version 1",
        }
    }

    /// The error that such a file cannot be read here; `way_out` is what reads it where this build reads such files at all.
    pub(super) fn refused(self, file: &Path, way_out: &str) -> DataError {
        let (file, kind) = (file.into(), self.name());
        match cfg!(feature = "parquet") {
            true => DataError::Columns { file, problem: format!("this is {kind}; {way_out}") },
            false => DataError::NoParquet { file, kind },
        }
    }
}

/// Opens a file, or standard input. `format`: where it is told, or known by the file's name; `encoding`: that of a text, where it
/// is told.
///
/// # Errors
/// If it cannot be read, or is not of that format.
pub(super) fn content(file: &Path, format: Option<Format>, encoding: Option<Encoding>) -> Result<Content, DataError> {
    let mut opened = file_text::open(file)?;
    let name = file_text::name(file);
    let first = opened.fill_buf().map_err(|source| DataError::Io { file: name.clone(), source })?;
    match (Kind::of(first), format) {
        (None, Some(Format::Parquet)) => {
            let problem = "this is no Parquet file and none of Arrow, by its first bytes".to_owned();
            Err(DataError::Columns { file: name, problem })
        }
        (None, _) => Ok(Content::Text(file_text::read_opened(opened, &name, encoding)?)),
        (Some(kind), Some(other @ (Format::Csv | Format::Tsv | Format::Jsonl | Format::Fasttext | Format::Ts))) => {
            let right = if other == Format::Ts { "csv-long or wide" } else { "parquet" };
            let way_out = format!("it is not {}: leave --format out, or say {right}", other.name());
            Err(kind.refused(&name, &way_out))
        }
        (Some(kind), _) => columns(file, kind, opened),
    }
}

#[cfg(feature = "parquet")]
fn columns(file: &Path, kind: Kind, opened: Box<dyn std::io::BufRead + Send>) -> Result<Content, DataError> {
    Source::new(file, kind, opened).map(Content::Columns)
}

#[cfg(not(feature = "parquet"))]
fn columns(file: &Path, kind: Kind, _opened: Box<dyn std::io::BufRead + Send>) -> Result<Content, DataError> {
    Err(kind.refused(&file_text::name(file), ""))
}
