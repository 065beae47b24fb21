//! A whole data file as text, and the lines its bytes stand on.

use std::fs;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use super::columnar::Kind;
use super::compression::unpacked;
use super::encoding::{Decoded, Encoding, Malformed, decode};
use crate::error::DataError;

/// What stands for standard input in place of a file.
pub(super) fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

/// What messages call a file, or standard input.
pub(super) fn name(file: &Path) -> PathBuf {
    if is_stdin(file) { "<stdin>".into() } else { file.into() }
}

/// Opens a data file, or standard input, with a sentence for the usual mistakes. What is packed is unpacked.
pub(super) fn open(file: &Path) -> Result<Box<dyn BufRead + Send>, DataError> {
    let problem = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => DataError::NoSuchFile { file: file.into() },
        io::ErrorKind::IsADirectory => DataError::Directory { file: file.into() },
        _ => DataError::Io { file: name(file), source },
    };
    if is_stdin(file) {
        return unpacked(io::stdin()).map_err(problem);
    }
    let opened = fs::File::open(file).map_err(problem)?;
    if opened.metadata().map_err(problem)?.is_dir() {
        return Err(DataError::Directory { file: file.into() });
    }
    unpacked(opened).map_err(problem)
}

/// Reads the file, or standard input, in the encoding that is told or else found out. A file of blank lines only is an
/// error, and so is a table of columns.
pub(super) fn read(file: &Path, told: Option<Encoding>) -> Result<Decoded, DataError> {
    let mut opened = open(file)?;
    let file = &name(file);
    let first = opened.fill_buf().map_err(|source| DataError::Io { file: file.into(), source })?;
    match Kind::of(first) {
        Some(kind) => {
            let problem = format!("this is {}, but a file of text was expected", kind.name());
            Err(DataError::Columns { file: file.into(), problem })
        }
        None => read_opened(opened, file, told),
    }
}

/// As [`read`], where `opened` is known to be no table of columns. `file`: as messages call it.
pub(super) fn read_opened(
    mut opened: Box<dyn BufRead + Send>,
    file: &Path,
    told: Option<Encoding>,
) -> Result<Decoded, DataError> {
    let mut bytes = Vec::new();
    opened.read_to_end(&mut bytes).map_err(|source| DataError::Io { file: file.into(), source })?;
    if let Some(problem) = Encoding::refused(&bytes, told) {
        return Err(DataError::Line { file: file.into(), line: 1, problem: problem.into() });
    }
    let decoded = decode(bytes, told).map_err(|(malformed, bytes)| not_text(file, &bytes, &malformed))?;
    if decoded.text.trim().is_empty() {
        return Err(DataError::Empty { file: file.into() });
    }
    Ok(decoded)
}

/// That bytes are no text of the encoding.
fn not_text(file: &Path, bytes: &[u8], Malformed { at, encoding }: &Malformed) -> DataError {
    let before = &bytes[..*at];
    let (line, start) = match encoding.is_utf_16() {
        true => {
            let ends = before.chunks_exact(2).filter(|unit| matches!(unit, [b'\n', 0] | [0, b'\n'])).count();
            let last = before.chunks_exact(2).rposition(|unit| matches!(unit, [b'\n', 0] | [0, b'\n']));
            (ends + 1, last.map_or(0, |unit| 2 * unit + 2))
        }
        false => {
            let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
            (Lines::default().at(bytes, *at), start)
        }
    };
    let value = bytes.get(*at).copied().unwrap_or_default();
    DataError::NotText { file: file.into(), line, byte: at - start + 1, value, encoding: encoding.name() }
}

/// Counts lines up to growing byte offsets. A line ends with LF, CR LF or a lone CR.
#[derive(Debug, Default)]
pub(super) struct Lines {
    offset: usize,
    ends: usize,
}

impl Lines {
    /// The line, counted from 1, on which `offset` stands. Offsets must not go back.
    pub(super) fn at(&mut self, bytes: &[u8], offset: usize) -> usize {
        let offset = offset.min(bytes.len());
        while self.offset < offset {
            let byte = bytes[self.offset];
            self.offset += 1;
            let ends = byte == b'\n' || byte == b'\r' && bytes.get(self.offset) != Some(&b'\n');
            self.ends += usize::from(ends);
        }
        self.ends + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_over_all_three_kinds_of_line_ends() {
        let bytes = b"a\nb\r\nc\rd";
        let mut lines = Lines::default();
        let places: Vec<usize> = (0..bytes.len()).map(|offset| lines.at(bytes, offset)).collect();
        assert_eq!(places, [1, 1, 2, 2, 2, 3, 3, 4]);
    }

    #[test]
    fn files_that_cannot_be_text_are_told() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let message = |name: &str, bytes: &[u8]| -> io::Result<String> {
            let path = folder.path().join(name);
            fs::write(&path, bytes)?;
            Ok(read(&path, None).err().map_or("no error".to_owned(), |error| error.to_string()))
        };
        let damaged = "text,label\r\ngüt,a\r\nschön,b\nca".as_bytes();
        let told = message("damaged.csv", &[damaged, b"f\xE9,b\n"].concat())?;
        assert!(told.contains("line 4: byte 4 of the line is 0xE9, which is not UTF-8"), "{told}");
        let told = message("cut.csv", "schön, über".as_bytes().split_last().expect("bytes").1)?;
        assert_eq!(told, "no error", "a whole letter was cut");
        let told = message("cut.csv", &[damaged, "ö".as_bytes()].concat()[..damaged.len() + 1])?;
        assert!(told.contains("line 4: byte 3 of the line is 0xC3"), "{told}");
        let told = message("utf16.csv", b"\xFF\xFEt\0\n\0\0\xD8")?;
        assert!(told.contains("line 2: byte 1 of the line is 0x00, which is not UTF-16LE"), "{told}");
        assert_eq!(message("one.csv", b"a\0b,x\n")?, "no error");
        assert!(message("empty.csv", b"")?.contains("is empty"));
        assert!(message("bom.csv", b"\xEF\xBB\xBF")?.contains("is empty"));
        assert!(message("blank.csv", b"\n\r\n  \n")?.contains("is empty"));
        let absent = read(&folder.path().join("absent.csv"), None).unwrap_err().to_string();
        assert!(absent.ends_with("absent.csv: no such file"), "{absent}");
        let directory = read(folder.path(), None).unwrap_err().to_string();
        assert!(directory.contains("is a directory"), "{directory}");
        Ok(())
    }
}
