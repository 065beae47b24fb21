//! Texts one line at a time, for prediction on a file or a stream of any length.

use std::collections::VecDeque;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use super::Column;
use super::columnar::Kind;
use super::encoding::Encoding;
use super::fasttext::parts;
use super::file_text;
use super::first_line;
use super::kept::{Keep, Kept};
use super::table::TableColumns;
use super::table::json::{Place, of_array, text_key};
use crate::error::DataError;

/// The longest line that is read. A text this long is a mistake, such as a binary file.
const LONGEST_LINE: usize = 16 << 20;

/// What a line holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineFormat {
    /// The text itself. An empty line is an empty text.
    Plain,
    /// The text itself, or what stands behind labels of fastText, unless the first line tells otherwise: a JSON object with the
    /// key of the text, or an array, then as [`LineFormat::JsonLines`]. A line that has the names of the trained columns is
    /// refused, for the table below it would be taken for texts.
    Found {
        /// The key of the text, where it is told.
        text: Option<Column>,
        /// The columns or keys of the training data.
        trained: Option<TableColumns>,
    },
    /// What stands behind labels of fastText, where a line begins with any.
    Fasttext,
    /// A JSON object with the text under a key. Blank lines are skipped.
    JsonLines {
        /// The key; if absent it is found in the first object, as a table's column is.
        text: Option<Column>,
        /// The keys of the training data.
        trained: Option<TableColumns>,
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
/// The encoding is that of the mark at the beginning, or told, or found out from what is there when the first line is read.
/// After an error of one line (no text of the encoding, not JSON, too long) the iterator goes on with the next line; after an
/// error of the reader itself it ends.
#[derive(Debug)]
pub struct TextLines<R> {
    reader: R,
    name: PathBuf,
    format: LineFormat,
    /// As told, or once the first line was read.
    encoding: Option<Encoding>,
    begun: bool,
    /// The key of the text, once an object has told it.
    key: Option<String>,
    /// What comes before anything else that is read: the elements of an array, or lines that turned out to be of none.
    ahead: VecDeque<(usize, String)>,
    /// What is kept of every line, and what was kept of the line read last.
    keep: Keep,
    kept: Kept,
    /// Whether the reader has given all it has.
    drained: bool,
    line: usize,
    /// Whether the rest of a line that is too long is still to be passed over.
    within: bool,
    ended: bool,
}

/// Opens a file, or standard input where it is `-`, to read it line by line. What is packed is unpacked.
///
/// # Errors
/// If there is no such file, or it is a directory, or it cannot be read.
pub fn open_lines(
    file: &Path,
    format: LineFormat,
    encoding: Option<Encoding>,
) -> Result<TextLines<Box<dyn BufRead + Send>>, DataError> {
    Ok(TextLines::new(file_text::open(file)?, file_text::name(file), format, encoding))
}

impl<R: BufRead> TextLines<R> {
    /// Reads from `reader`; `name` is what messages call it, such as `<stdin>`. `encoding`: where it is told.
    pub fn new(reader: R, name: impl Into<PathBuf>, format: LineFormat, encoding: Option<Encoding>) -> Self {
        let name = name.into();
        Self {
            reader,
            name,
            format,
            encoding,
            begun: false,
            key: None,
            ahead: VecDeque::new(),
            keep: Keep::Nothing,
            kept: Kept::default(),
            drained: false,
            line: 0,
            within: false,
            ended: false,
        }
    }

    /// What is kept of every line beside its text: keys of an object, or of a plain line the text itself.
    #[must_use]
    pub fn keeping(self, keep: Keep) -> Self {
        Self { keep, ..self }
    }

    /// What was kept of the line read last.
    pub fn take_kept(&mut self) -> Kept {
        std::mem::take(&mut self.kept)
    }

    /// The line read last, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// Whether nothing follows, because the input is at its end or cannot be read further.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The encoding: told, or found out from what is there of the input when this is first asked.
    fn encoding(&mut self) -> Result<Encoding, DataError> {
        if let (true, Some(encoding)) = (self.begun, self.encoding) {
            return Ok(encoding);
        }
        self.begun = true;
        let there = match self.reader.fill_buf() {
            Ok(there) => there,
            Err(source) => return Err(self.broken(source)),
        };
        if let Some(kind) = Kind::of(there) {
            self.ended = true;
            let way_out = "--format parquet reads a table of texts, csv-long and wide those of series";
            return Err(kind.refused(&self.name, way_out));
        }
        if let Some(problem) = Encoding::refused(there, self.encoding) {
            self.ended = true;
            return Err(DataError::Line { file: self.name.clone(), line: 1, problem: problem.into() });
        }
        let mark = Encoding::of_mark(there).filter(|(found, _)| self.encoding.is_none_or(|told| told == *found));
        let (encoding, guessed, passed) = match (self.encoding, mark) {
            (told, Some((found, length))) => (told.unwrap_or(found), false, length),
            (Some(told), None) => (told, false, 0),
            (None, None) => {
                let (found, guessed) = Encoding::of_beginning(there).unwrap_or((Encoding::UTF_8, false));
                (found, guessed, 0)
            }
        };
        self.reader.consume(passed);
        if guessed {
            let name = self.name.display();
            tracing::warn!("{name}: its encoding was found to be {encoding}; --encoding says another");
        }
        self.encoding = Some(encoding);
        Ok(encoding)
    }

    /// The next line as it stands, or `None` at the end.
    fn next_line(&mut self) -> Result<Option<String>, DataError> {
        let encoding = self.encoding()?;
        let mut bytes = Vec::new();
        if std::mem::take(&mut self.within) {
            self.pass_over(encoding)?;
        }
        while bytes.len() <= LONGEST_LINE {
            let limit = (LONGEST_LINE + 2 - bytes.len()) as u64;
            let read = self.reader.by_ref().take(limit).read_until(b'\n', &mut bytes);
            let read = read.map_err(|source| self.broken(source))?;
            if encoding.is_utf_16() && bytes.len() % 2 == 1 && bytes.last() == Some(&b'\n') {
                // The other half of what may be a line's end.
                let half = self.reader.by_ref().take(1).read_to_end(&mut bytes);
                half.map_err(|source| self.broken(source))?;
            }
            if read == 0 || encoding.ends_line(&bytes) {
                break;
            }
        }
        if bytes.is_empty() {
            self.ended = true;
            return Ok(None);
        }
        self.line += 1;
        if bytes.len() > LONGEST_LINE {
            self.within = !encoding.ends_line(&bytes);
            return Err(DataError::LineTooLong { file: self.name.clone(), line: self.line, limit: LONGEST_LINE });
        }
        let mut text = encoding.decode(&bytes).map_err(|malformed| DataError::NotText {
            file: self.name.clone(),
            line: self.line,
            byte: malformed.at + 1,
            value: bytes.get(malformed.at).copied().unwrap_or_default(),
            encoding: encoding.name(),
        })?;
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        Ok(Some(text))
    }

    /// Passes over the rest of a line.
    fn pass_over(&mut self, encoding: Encoding) -> Result<(), DataError> {
        // In pieces, so that a line of any length takes no memory; an even number of bytes keeps halves together.
        let mut piece = Vec::new();
        loop {
            piece.clear();
            let read = self.reader.by_ref().take(1 << 16).read_until(b'\n', &mut piece);
            let read = read.map_err(|source| self.broken(source))?;
            if encoding.is_utf_16() && piece.len() % 2 == 1 && piece.last() == Some(&b'\n') {
                let half = self.reader.by_ref().take(1).read_to_end(&mut piece);
                half.map_err(|source| self.broken(source))?;
            }
            if read == 0 || encoding.ends_line(&piece) {
                return Ok(());
            }
        }
    }

    /// The reader's own error, after which nothing follows.
    fn broken(&mut self, source: std::io::Error) -> DataError {
        self.ended = true;
        DataError::Io { file: self.name.clone(), source }
    }

    /// The elements of a JSON array that begins with this line; the lines themselves, should they be none.
    fn read_array(&mut self, first: String) -> Result<(), DataError> {
        let mut lines = vec![first];
        while let Some(line) = self.next_line()? {
            lines.push(line);
        }
        // There are elements still.
        (self.ended, self.drained) = (false, true);
        let text = lines.join("\n");
        self.ahead = match of_array(&self.name, &text) {
            Ok(values) => values.into_iter().map(|(line, value)| (line, value.to_owned())).collect(),
            Err(_) => (1..).zip(lines).collect(),
        };
        Ok(())
    }

    /// The next line, or the next element of an array, and its number.
    fn next_content(&mut self) -> Result<Option<String>, DataError> {
        if !self.drained {
            let Some(content) = self.next_line()? else { return Ok(None) };
            let is_array = matches!(self.format, LineFormat::JsonLines { .. }) && content.trim_start().starts_with('[');
            if self.line == 1 && matches!(self.format, LineFormat::Found { .. }) {
                match first_line::format(&self.name, &content, &self.format) {
                    Ok(format) => self.format = format,
                    Err(error) => {
                        self.ended = true;
                        return Err(error);
                    }
                }
                let is_array =
                    matches!(self.format, LineFormat::JsonLines { .. }) && content.trim_start().starts_with('[');
                if is_array {
                    self.read_array(content)?;
                    return self.next_content();
                }
                return Ok(Some(content));
            }
            if self.line > 1 || !is_array {
                return Ok(Some(content));
            }
            self.read_array(content)?;
        }
        let next = self.ahead.pop_front();
        self.ended = next.is_none();
        Ok(next.map(|(line, content)| {
            self.line = line;
            content
        }))
    }

    fn next_text(&mut self) -> Result<Option<TextLine>, DataError> {
        self.kept = Kept::default();
        while let Some(content) = self.next_content()? {
            let text = match &self.format {
                LineFormat::Plain | LineFormat::Found { .. } => content,
                // A line without labels stays as it is, its blanks as well.
                LineFormat::Fasttext => match parts(&content) {
                    (labels, _) if labels.is_empty() => content,
                    (_, text) => text.to_owned(),
                },
                LineFormat::JsonLines { .. } if content.trim().is_empty() => continue,
                LineFormat::JsonLines { text, trained } => {
                    let place = Place { file: &self.name, line: self.line };
                    let object = place.object(&content)?;
                    self.kept = Kept::of_object(&self.keep, &object);
                    if self.key.is_none()
                        && let Err(error) = self.keep.check(&place, &object)
                    {
                        self.ended = true;
                        return Err(error);
                    }
                    let key = match &self.key {
                        Some(key) => key.clone(),
                        None => text_key(&place, &object, text.as_ref(), trained.as_ref())?,
                    };
                    let text = place.text(&object, &key)?;
                    self.key = Some(key);
                    text
                }
            };
            if !self.keep.is_nothing() && !matches!(self.format, LineFormat::JsonLines { .. }) {
                self.kept = Kept::one("text", &text);
            }
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
    use std::io::BufReader;

    use super::*;

    fn json(text: Option<&str>) -> LineFormat {
        LineFormat::JsonLines { text: text.map(|name| Column::Name(name.to_owned())), trained: None }
    }

    fn found(trained: Option<TableColumns>) -> LineFormat {
        LineFormat::Found { text: None, trained }
    }

    fn all(bytes: &[u8], format: LineFormat) -> Vec<String> {
        let show = |line: Result<TextLine, DataError>| match line {
            Ok(TextLine { text, line }) => format!("{line} {text}"),
            Err(error) => format!("error: {error}"),
        };
        TextLines::new(bytes, "<stdin>", format, None).map(show).collect()
    }

    #[test]
    fn plain_lines_keep_empty_texts_and_lose_line_ends() {
        assert_eq!(all(b"\xEF\xBB\xBFone\r\n\r\n two \nlast", LineFormat::Plain), ["1 one", "2 ", "3  two ", "4 last"]);
        assert!(all(b"", LineFormat::Plain).is_empty());
        assert_eq!(all(b"\n", LineFormat::Plain), ["1 "]);
    }

    #[test]
    fn a_wrong_line_is_told_and_the_next_is_read() {
        let mut bytes = "schön\nübel\nbad ".as_bytes().to_vec();
        bytes.extend(b"\xFF\nagain");
        let read = all(&bytes, LineFormat::Plain);
        assert_eq!((read[0].as_str(), read[1].as_str(), read[3].as_str()), ("1 schön", "2 übel", "4 again"));
        assert!(read[2].contains("<stdin>, line 3: byte 5 of the line is 0xFF, which is not UTF-8"), "{}", read[2]);
    }

    #[test]
    fn the_encoding_is_found_out_or_told() {
        let chinese = "这本书写得非常好\n房间很小\n\n上\n";
        let expected = ["1 这本书写得非常好", "2 房间很小", "3 ", "4 上"];
        let wide = |order: fn(u16) -> [u8; 2]| chinese.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        let gbk = encoding_rs::GBK.encode(chinese).0.into_owned();
        let little = wide(u16::to_le_bytes);
        // Of nothing but Chinese no second byte is zero, so that a mark must tell.
        for bytes in [chinese.as_bytes(), &gbk, &[b"\xFF\xFE", &little[..]].concat()] {
            assert_eq!(all(bytes, LineFormat::Plain), expected);
        }
        let told = |bytes: &[u8], label: &str| -> Vec<String> {
            let encoding = Some(label.parse().expect("a label"));
            let lines = TextLines::new(bytes, "<stdin>", LineFormat::Plain, encoding);
            lines
                .map(|line| line.map_or_else(|error| error.to_string(), |line| format!("{} {}", line.line, line.text)))
                .collect()
        };
        // U+0A0A and U+4E0A have a line feed as one of their two bytes.
        assert_eq!(told(&wide(u16::to_be_bytes), "utf-16be"), expected);
        assert_eq!(
            told(&"\u{a0a}\u{4e0a}\nx".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(), "utf-16le"),
            ["1 \u{a0a}\u{4e0a}", "2 x"]
        );
        assert!(told(&gbk, "utf-8")[0].contains("which is not UTF-8"));
    }

    #[test]
    fn an_array_is_read_as_its_elements_are() {
        let array = b"[{\"text\":\"a\"},\n\n  {\"text\": \"b\"}, 3,\n {\"text\":\"c\"}]\n";
        let read = all(array, json(None));
        assert_eq!((read[0].as_str(), read[1].as_str(), read[3].as_str()), ("1 a", "3 b", "4 c"));
        assert!(read[2].contains("line 3: the line is 3, an object"), "{}", read[2]);
        assert_eq!(read.len(), 4);
        assert!(all(b"[]", json(None)).is_empty());
        let mut lines = TextLines::new(&b"[{\"text\":\"a\"}, 3]"[..], "<stdin>", json(None), None);
        assert!(lines.next().unwrap().is_ok() && lines.next().unwrap().is_err());
        assert!(!lines.has_ended(), "an element that is wrong ends nothing");
        assert!(lines.next().is_none() && lines.has_ended());
        let none = all(b"[1]\n{\"text\":\"b\"}\n", json(None));
        assert!(none[0].contains("line 1: the line is [1]") && none[1] == "2 b", "{none:?}");
    }

    #[test]
    fn labels_of_fasttext_are_no_text() {
        let lines = b"__label__pos great movie\nno label\n__label__a __label__b x\n";
        let read = all(lines, found(None));
        assert_eq!(read, ["1 great movie", "2 no label", "3 x"]);
        assert_eq!(all(lines, LineFormat::Plain)[0], "1 __label__pos great movie");
        assert_eq!(all(b"plain\n__label__pos x\n", found(None))[1], "2 x", "a line may have no label");
    }

    #[test]
    fn json_lines_take_the_key_and_tell_what_does_not_fit() {
        let lines = b"{\"text\":\"a\"}\n\n{\"q\":\"b\"}\n[1]\n{\"text\":3}\n{\"text\n";
        let read = all(lines, json(None));
        let expected = [
            "1 a",
            "error: <stdin>, line 3: the object has no key \"text\"; its keys are \"q\"",
            "error: <stdin>, line 4: the line is [1], an object such as {\"text\": \"...\"} was expected",
            "5 3",
            "error: <stdin>, line 6: not valid JSON: EOF while parsing a string (column 6)",
        ];
        assert_eq!(read, expected);
        let found = all(b"{\"n\":1,\"sentence\":\"a\"}\n{\"sentence\":\"b\"}", json(None));
        assert_eq!(found, ["1 a", "2 b"]);
        assert_eq!(all(b"{\"q\":\"b\"}", json(Some("q"))), ["1 b"]);
    }

    #[test]
    fn a_line_without_end_is_refused_before_it_fills_the_memory() {
        let endless = BufReader::new(std::io::repeat(b'x'));
        let mut lines = TextLines::new(endless, "<stdin>", LineFormat::Plain, None);
        assert!(matches!(lines.next(), Some(Err(DataError::LineTooLong { line: 1, .. }))));
    }

    #[test]
    fn a_line_too_long_is_told_and_the_next_is_read() {
        let long = std::io::repeat(b'x').take(LONGEST_LINE as u64 * 2).chain(&b"\ngood\n"[..]);
        let mut lines = TextLines::new(BufReader::new(long), "<stdin>", LineFormat::Plain, None);
        assert!(matches!(lines.next(), Some(Err(DataError::LineTooLong { line: 1, .. }))));
        assert_eq!(lines.next().unwrap().unwrap(), TextLine { text: "good".into(), line: 2 });
        assert!(lines.next().is_none());
    }
}
