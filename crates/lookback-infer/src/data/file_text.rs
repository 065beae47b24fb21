//! A whole data file as checked text, and the lines its bytes stand on.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::error::DataError;

pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// What stands for standard input in place of a file.
pub(super) fn is_stdin(file: &Path) -> bool {
    file == Path::new("-")
}

/// What messages call a file, or standard input.
pub(super) fn name(file: &Path) -> PathBuf {
    if is_stdin(file) { "<stdin>".into() } else { file.into() }
}

/// Opens a data file, with a sentence for the usual mistakes.
pub(super) fn open(file: &Path) -> Result<fs::File, DataError> {
    let problem = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => DataError::NoSuchFile { file: file.into() },
        io::ErrorKind::IsADirectory => DataError::Directory { file: file.into() },
        _ => DataError::Io { file: file.into(), source },
    };
    let opened = fs::File::open(file).map_err(problem)?;
    if opened.metadata().map_err(problem)?.is_dir() {
        return Err(DataError::Directory { file: file.into() });
    }
    Ok(opened)
}

/// Reads the file, or standard input, as UTF-8 without its byte order mark. A file of blank lines only is an error.
pub(super) fn read(file: &Path) -> Result<String, DataError> {
    let mut bytes = Vec::new();
    let read = match is_stdin(file) {
        true => io::stdin().read_to_end(&mut bytes),
        false => open(file)?.read_to_end(&mut bytes),
    };
    let file = &name(file);
    read.map_err(|source| DataError::Io { file: file.into(), source })?;
    if bytes.starts_with(BOM) {
        bytes.drain(..BOM.len());
    }
    if let Some(zero) = zero_of_utf16(&bytes) {
        return Err(DataError::Utf16 { file: file.into(), line: Lines::default().at(&bytes, zero) });
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let line_start = bytes[..valid].iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        DataError::NotUtf8 {
            file: file.into(),
            line: Lines::default().at(bytes, valid),
            byte: valid - line_start + 1,
            value: bytes.get(valid).copied().unwrap_or_default(),
        }
    })?;
    if text.trim().is_empty() {
        return Err(DataError::Empty { file: file.into() });
    }
    Ok(text)
}

/// The first zero byte of what looks like UTF-16: in it the characters of ASCII, line ends and separators at least,
/// have a zero as every second byte. A stray zero byte is left to whoever put it there.
pub(super) fn zero_of_utf16(bytes: &[u8]) -> Option<usize> {
    let first = bytes.iter().position(|&byte| byte == 0)?;
    let mut zeros = [0usize; 2];
    for (place, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == 0) {
        zeros[place % 2] += 1;
    }
    let (all, most) = (zeros[0] + zeros[1], zeros[0].max(zeros[1]));
    let enough = all >= 2 && all * 16 >= bytes.len();
    (enough && most * 10 >= all * 9).then_some(first)
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
            Ok(read(&path).err().map_or("no error".to_owned(), |error| error.to_string()))
        };
        assert!(
            message("latin1.csv", b"text,label\r\ngood,a\r\ncaf\xE9,b\n")?
                .contains("line 3: byte 4 of the line is 0xE9")
        );
        assert!(message("cut.csv", b"ab\xE4\xB8")?.contains("line 1: byte 3 of the line is 0xE4"));
        assert!(message("utf16.csv", b"\xFF\xFEt\0")?.contains("line 1: byte 1 of the line is 0xFF"));
        let wide = |text: &str, order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        for text in ["text,label\ngood,a\n", "text,label\n\u{8fd9}\u{4e2a}\u{6c34}\u{679c}\u{975e}\u{5e38},a\n"] {
            for bytes in [wide(text, u16::to_le_bytes), wide(text, u16::to_be_bytes)] {
                let told = message("wide.csv", &bytes)?;
                assert!(told.contains("line 1: every second byte is zero, as in UTF-16; save"), "{told}");
            }
        }
        assert_eq!(message("one.csv", b"a\0b,x\n")?, "no error");
        assert_eq!(message("stray.csv", b"text,label\ngood\0,a\nbad\0,b\nboth,a,b,c,d,e,f,g,h\n")?, "no error");
        assert!(message("empty.csv", b"")?.contains("is empty"));
        assert!(message("bom.csv", b"\xEF\xBB\xBF")?.contains("is empty"));
        assert!(message("blank.csv", b"\n\r\n  \n")?.contains("is empty"));
        let absent = read(&folder.path().join("absent.csv")).unwrap_err().to_string();
        assert!(absent.ends_with("absent.csv: no such file"), "{absent}");
        let directory = read(folder.path()).unwrap_err().to_string();
        assert!(directory.contains("is a directory"), "{directory}");
        Ok(())
    }
}
