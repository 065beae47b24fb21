//! Texts one line at a time, for prediction on a file or a stream of any length.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::Column;
use super::file_text;
use super::table::json_lines::{Place, text_key};
use crate::error::DataError;

/// The longest line that is read. A text this long is a mistake, such as a binary file.
const LONGEST_LINE: usize = 16 << 20;

/// What a line holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineFormat {
    /// The text itself. An empty line is an empty text.
    Plain,
    /// A JSON object with the text under a key. Blank lines are skipped.
    JsonLines {
        /// The key; if absent it is found in the first object, as a table's column is.
        text: Option<Column>,
    },
}

/// A text and the line it stands on, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextLine {
    /// The text, without its line end.
    pub text: String,
    /// The line.
    pub line: usize,
}

/// The texts of a reader, one line held at a time.
///
/// After an error of one line (not UTF-8, not JSON, too long) the iterator goes on with the next line; after an error of
/// the reader itself it ends.
#[derive(Debug)]
pub struct TextLines<R> {
    reader: R,
    name: PathBuf,
    format: LineFormat,
    /// The key of the text, once an object has told it.
    key: Option<String>,
    line: usize,
    /// Whether the rest of a line that is too long is still to be passed over.
    within: bool,
    /// Whether a line has been one of UTF-16.
    utf16: bool,
    ended: bool,
}

/// Opens a file, or standard input where it is `-`, to read it line by line.
///
/// # Errors
/// If there is no such file, or it is a directory, or it cannot be read.
pub fn open_lines(file: &Path, format: LineFormat) -> Result<TextLines<Box<dyn BufRead + Send>>, DataError> {
    let reader: Box<dyn BufRead + Send> = match file_text::is_stdin(file) {
        true => Box::new(BufReader::new(io::stdin())),
        false => Box::new(BufReader::new(file_text::open(file)?)),
    };
    Ok(TextLines::new(reader, file_text::name(file), format))
}

impl<R: BufRead> TextLines<R> {
    /// Reads from `reader`; `name` is what messages call it, such as `<stdin>`.
    pub fn new(reader: R, name: impl Into<PathBuf>, format: LineFormat) -> Self {
        Self { reader, name: name.into(), format, key: None, line: 0, within: false, utf16: false, ended: false }
    }

    /// The line read last, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Whether nothing follows, because the input is at its end or cannot be read further.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The next line as it stands, or `None` at the end.
    fn next_line(&mut self) -> Result<Option<String>, DataError> {
        let mut bytes = Vec::new();
        let limit = LONGEST_LINE as u64 + 1;
        if std::mem::take(&mut self.within) {
            self.reader.skip_until(b'\n').map_err(|source| self.broken(source))?;
        }
        let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut bytes);
        let read = read.map_err(|source| self.broken(source))?;
        if read == 0 {
            self.ended = true;
            return Ok(None);
        }
        self.line += 1;
        if bytes.len() > LONGEST_LINE {
            self.within = bytes.last() != Some(&b'\n');
            return Err(DataError::LineTooLong { file: self.name.clone(), line: self.line, limit: LONGEST_LINE });
        }
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        if self.line == 1 && bytes.starts_with(file_text::BOM) {
            bytes.drain(..file_text::BOM.len());
        }
        // A line of UTF-16 leaves the second byte of its end to the next, which may have nothing else.
        if file_text::zero_of_utf16(&bytes).is_some() || self.utf16 && bytes.contains(&0) {
            self.utf16 = true;
            return Err(DataError::Utf16 { file: self.name.clone(), line: self.line });
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            DataError::NotUtf8 {
                file: self.name.clone(),
                line: self.line,
                byte: valid + 1,
                value: error.as_bytes().get(valid).copied().unwrap_or_default(),
            }
        })?;
        Ok(Some(text))
    }

    /// The reader's own error, after which nothing follows.
    fn broken(&mut self, source: std::io::Error) -> DataError {
        self.ended = true;
        DataError::Io { file: self.name.clone(), source }
    }

    fn next_text(&mut self) -> Result<Option<TextLine>, DataError> {
        while let Some(content) = self.next_line()? {
            let text = match &self.format {
                LineFormat::Plain => content,
                LineFormat::JsonLines { .. } if content.trim().is_empty() => continue,
                LineFormat::JsonLines { text } => {
                    let place = Place { file: &self.name, line: self.line };
                    let object = place.object(&content)?;
                    let key = match &self.key {
                        Some(key) => key.clone(),
                        None => text_key(&place, &object, text.as_ref())?,
                    };
                    let text = place.text(&object, &key)?;
                    self.key = Some(key);
                    text
                }
            };
            return Ok(Some(TextLine { text, line: self.line }));
        }
        Ok(None)
    }
}

impl<R: BufRead> Iterator for TextLines<R> {
    type Item = Result<TextLine, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended { None } else { self.next_text().transpose() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], format: LineFormat) -> Vec<String> {
        let show = |line: Result<TextLine, DataError>| match line {
            Ok(TextLine { text, line }) => format!("{line} {text}"),
            Err(error) => format!("error: {error}"),
        };
        TextLines::new(bytes, "<stdin>", format).map(show).collect()
    }

    #[test]
    fn plain_lines_keep_empty_texts_and_lose_line_ends() {
        assert_eq!(all(b"\xEF\xBB\xBFone\r\n\r\n two \nlast", LineFormat::Plain), ["1 one", "2 ", "3  two ", "4 last"]);
        assert!(all(b"", LineFormat::Plain).is_empty());
        assert_eq!(all(b"\n", LineFormat::Plain), ["1 "]);
    }

    #[test]
    fn a_wrong_line_is_told_and_the_next_is_read() {
        let read = all(b"good\nbad \xFF\nagain", LineFormat::Plain);
        assert_eq!(read[0], "1 good");
        assert!(read[1].contains("<stdin>, line 2: byte 5 of the line is 0xFF"), "{}", read[1]);
        assert_eq!(read[2], "3 again");
        let read = all(b"h\0o\0t\0\n\0good\n", LineFormat::Plain);
        assert!(read[0].contains("<stdin>, line 1: every second byte is zero, as in UTF-16"), "{}", read[0]);
    }

    #[test]
    fn json_lines_take_the_key_and_tell_what_does_not_fit() {
        let lines = b"{\"text\":\"a\"}\n\n{\"q\":\"b\"}\n[1]\n{\"text\":3}\n{\"text\n";
        let read = all(lines, LineFormat::JsonLines { text: None });
        let expected = [
            "1 a",
            "error: <stdin>, line 3: the object has no key \"text\"; its keys are \"q\"",
            "error: <stdin>, line 4: the line is [1], an object such as {\"text\": \"...\"} was expected",
            "error: <stdin>, line 5: the text is 3, a string was expected",
            "error: <stdin>, line 6: not valid JSON: EOF while parsing a string (column 6)",
        ];
        assert_eq!(read, expected);
        let found = all(b"{\"n\":1,\"sentence\":\"a\"}\n{\"sentence\":\"b\"}", LineFormat::JsonLines { text: None });
        assert_eq!(found, ["1 a", "2 b"]);
        assert_eq!(all(b"{\"q\":\"b\"}", LineFormat::JsonLines { text: Some(Column::Name("q".to_owned())) }), ["1 b"]);
    }

    #[test]
    fn a_line_without_end_is_refused_before_it_fills_the_memory() {
        let endless = BufReader::new(std::io::repeat(b'x'));
        let mut lines = TextLines::new(endless, "<stdin>", LineFormat::Plain);
        assert!(matches!(lines.next(), Some(Err(DataError::LineTooLong { line: 1, .. }))));
    }

    #[test]
    fn a_line_too_long_is_told_and_the_next_is_read() {
        let long = std::io::repeat(b'x').take(LONGEST_LINE as u64 * 2).chain(&b"\ngood\n"[..]);
        let mut lines = TextLines::new(BufReader::new(long), "<stdin>", LineFormat::Plain);
        assert!(matches!(lines.next(), Some(Err(DataError::LineTooLong { line: 1, .. }))));
        assert_eq!(lines.next().unwrap().unwrap(), TextLine { text: "good".into(), line: 2 });
        assert!(lines.next().is_none());
    }
}
