//! Files of token vectors that were trained before, one row after another.
//!
//! | format | what stands in it |
//! |---|---|
//! | word2vec text, fastText `.vec` | a line with the number of rows and of numbers, then a row a line: word and numbers |
//! | word2vec binary | the same line, then of each row the word, a space, and its numbers as 32-bit floats, little-endian |
//! | GloVe text | a row a line, without a line before |
//!
//! Which it is is found out by the first line and what follows it. Files may be packed by gzip or Zstandard.

use std::fmt;
use std::io::{BufRead, Cursor, Read};
use std::path::{Path, PathBuf};

use super::file_text;
use crate::error::DataError;

/// The most numbers of a vector: no network has wider ones.
const WIDEST: usize = 1 << 16;
/// A word of more bytes is none.
const LONGEST_WORD: usize = 1 << 16;
/// Characters of a number, with the space before it.
const LONGEST_NUMBER: usize = 64;
/// What a network computes with.
const LARGEST: f32 = 1e15;

/// How vectors stand in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VectorFormat {
    /// Lines behind one with the number of rows and of numbers, as word2vec and fastText write them.
    Word2vecText,
    /// 32-bit floats.
    Word2vecBinary,
    /// Lines alone.
    GloveText,
}

impl fmt::Display for VectorFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Word2vecText => "text of word2vec or fastText, by its first line",
            Self::Word2vecBinary => "binary of word2vec, by its first line and the bytes behind it",
            Self::GloveText => "text of GloVe, by its first line, which is a row",
        })
    }
}

/// A file of vectors, open before one of its rows or behind the last.
pub struct VectorFile {
    reader: Box<dyn BufRead + Send>,
    name: PathBuf,
    format: VectorFormat,
    width: usize,
    /// How many rows the first line promises.
    promised: Option<u64>,
    /// The line read last, or of a binary file the row.
    number: usize,
    rows: u64,
    /// The row read last: in text the whole line, in binary its word and its numbers.
    row: Vec<u8>,
    /// Bytes of `row` that are the word.
    word: usize,
}

impl fmt::Debug for VectorFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("VectorFile");
        shown.field("name", &self.name).field("format", &self.format).field("width", &self.width);
        shown.finish_non_exhaustive()
    }
}

impl VectorFile {
    /// Opens a file and finds out its format and how many numbers a vector has.
    ///
    /// # Errors
    /// If it cannot be read, or does not begin as one of the formats does.
    pub fn open(file: &Path) -> Result<VectorFile, DataError> {
        let (reader, name) = (file_text::open(file)?, file_text::name(file));
        let mut vectors = VectorFile {
            reader,
            name,
            format: VectorFormat::GloveText,
            width: 0,
            promised: None,
            number: 0,
            rows: 0,
            row: Vec::new(),
            word: 0,
        };
        let mut first = Vec::new();
        vectors.read_until(b'\n', WIDEST * LONGEST_NUMBER, &mut first)?;
        let first = first.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(&first);
        if first.trim_ascii().is_empty() {
            return Err(DataError::Empty { file: vectors.name });
        }
        if let Some((rows, width)) = header(first) {
            (vectors.width, vectors.promised) = (width, Some(rows));
            let ahead = vectors.beginning()?;
            vectors.format = if is_text(&ahead) { VectorFormat::Word2vecText } else { VectorFormat::Word2vecBinary };
            vectors.put_back(ahead);
            vectors.number = usize::from(vectors.format == VectorFormat::Word2vecText);
        } else {
            vectors.width = numbers_at_end(first);
            let first = first.to_vec();
            if vectors.width == 0 {
                let shown: String = String::from_utf8_lossy(&first).trim_end().chars().take(40).collect();
                return Err(vectors.wrong(1, format!(
                    "the line is {shown:?}; a word and its numbers, as GloVe has them, or the number of rows and of \
                     numbers, as word2vec and fastText (.vec) have them, were expected"
                )));
            }
            vectors.put_back(first);
        }
        if !(1..=WIDEST).contains(&vectors.width) {
            let problem = format!("vectors have {} numbers; from 1 to {WIDEST} were expected", vectors.width);
            return Err(vectors.wrong(1, problem));
        }
        Ok(vectors)
    }

    /// How many numbers a vector has, `E`.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How vectors stand in it.
    pub fn format(&self) -> VectorFormat {
        self.format
    }

    /// Rows that were read.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Goes on to the next row; false behind the last. That there are fewer than promised is told.
    ///
    /// # Errors
    /// If the file cannot be read further, or the row has more or fewer numbers than the others.
    pub fn advance(&mut self) -> Result<bool, DataError> {
        let there = match self.format {
            VectorFormat::Word2vecBinary => self.advance_binary()?,
            VectorFormat::Word2vecText | VectorFormat::GloveText => self.advance_text()?,
        };
        self.rows += u64::from(there);
        if let (false, Some(promised)) = (there, self.promised.filter(|promised| *promised > self.rows)) {
            let (name, rows) = (self.name.display(), self.rows);
            tracing::warn!("{name}: it has {rows} rows, but its first line says {promised}; is it whole?");
        }
        Ok(there)
    }

    /// The word of the row; `None` where it is no UTF-8, as words that were cut in the middle of a character.
    pub fn word(&self) -> Option<&str> {
        std::str::from_utf8(&self.row[..self.word]).ok().map(|word| word.trim_matches([' ', '\t']))
    }

    /// The numbers of the row.
    ///
    /// # Errors
    /// If one is no number, or none that a network can compute with.
    pub fn values(&self) -> Result<Vec<f32>, DataError> {
        let numbers = &self.row[self.word..];
        let fields = || numbers.split(|byte| is_gap(*byte)).skip(1);
        let values: Vec<f32> = match self.format {
            VectorFormat::Word2vecBinary => {
                let number = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                numbers.chunks_exact(4).map(number).collect()
            }
            _ => fields().map(|field| number(field).unwrap_or(f32::NAN)).collect(),
        };
        match values.iter().position(|value| value.is_nan() || value.abs() > LARGEST) {
            None => Ok(values),
            Some(place) => {
                let found = match self.format {
                    VectorFormat::Word2vecBinary => values[place].to_string(),
                    _ => fields().nth(place).map(shown).unwrap_or_default(),
                };
                let word = shown(&self.row[..self.word]);
                let problem = format!("the vector of {word:?} has {found:?}, which is no number from -1e15 to 1e15");
                Err(self.wrong(self.number, problem))
            }
        }
    }

    fn advance_text(&mut self) -> Result<bool, DataError> {
        let limit = self.width.saturating_mul(LONGEST_NUMBER) + LONGEST_WORD;
        let mut row = std::mem::take(&mut self.row);
        loop {
            row.clear();
            self.number += 1;
            if self.read_until(b'\n', limit, &mut row)? == 0 {
                return Ok(false);
            }
            row.truncate(row.trim_ascii_end().len());
            if !row.is_empty() {
                break;
            }
        }
        let gaps = || row.iter().enumerate().rev().filter(|(_, byte)| is_gap(**byte)).map(|(at, _)| at);
        let (word, count) = (gaps().nth(self.width - 1), gaps().count());
        // A word may hold spaces; what looks like a number before the others is one too many.
        let found = if count == self.width { count } else { count.min(numbers_at_end(&row)) };
        match word {
            Some(word) if found <= self.width => {
                (self.row, self.word) = (row, word);
                Ok(true)
            }
            _ => {
                let first = row.split(|byte| is_gap(*byte)).next().map(shown).unwrap_or_default();
                let says = if self.promised.is_some() { "the first line says" } else { "the first row has" };
                let problem = format!("the vector of {first:?} has {found} numbers, but {says} {}", self.width);
                Err(self.wrong(self.number, problem))
            }
        }
    }

    fn advance_binary(&mut self) -> Result<bool, DataError> {
        if self.promised == Some(self.rows) {
            return Ok(false);
        }
        let mut row = std::mem::take(&mut self.row);
        row.clear();
        self.number += 1;
        self.read_until(b' ', LONGEST_WORD, &mut row)?;
        // A line may end behind each row; a word holds no such end.
        let passed = row.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        row.drain(..passed);
        if row.is_empty() {
            return Ok(false);
        }
        if row.pop() != Some(b' ') {
            return Err(self.wrong(self.number, "the file ends, or goes on without a space, in its word".into()));
        }
        self.word = row.len();
        let bytes = 4 * self.width as u64;
        let read = self.reader.by_ref().take(bytes).read_to_end(&mut row);
        let read = read.map_err(|source| DataError::Io { file: self.name.clone(), source })?;
        if (read as u64) < bytes {
            let (word, numbers, width) = (shown(&row[..self.word]), read / 4, self.width);
            let problem =
                format!("the file ends behind {numbers} numbers of the vector of {word:?}; {width} were expected");
            return Err(self.wrong(self.number, problem));
        }
        self.row = row;
        Ok(true)
    }

    /// What the first row begins with: its word and as many bytes as its numbers would take in binary.
    fn beginning(&mut self) -> Result<Vec<u8>, DataError> {
        let mut ahead = Vec::new();
        self.read_until(b' ', LONGEST_WORD, &mut ahead)?;
        let read = self.reader.by_ref().take(4 * self.width.min(WIDEST) as u64).read_to_end(&mut ahead);
        read.map_err(|source| DataError::Io { file: self.name.clone(), source })?;
        Ok(ahead)
    }

    /// Lets what was read be read once more.
    fn put_back(&mut self, ahead: Vec<u8>) {
        let rest = std::mem::replace(&mut self.reader, Box::new(std::io::empty()));
        self.reader = Box::new(Cursor::new(ahead).chain(rest));
    }

    /// Reads up to the first such byte, and that itself; at most so many bytes.
    fn read_until(&mut self, end: u8, limit: usize, into: &mut Vec<u8>) -> Result<usize, DataError> {
        let read = self.reader.by_ref().take(limit as u64 + 1).read_until(end, into);
        let read = read.map_err(|source| DataError::Io { file: self.name.clone(), source })?;
        if read > limit {
            return Err(DataError::LineTooLong { file: self.name.clone(), line: self.number.max(1), limit });
        }
        Ok(read)
    }

    fn wrong(&self, number: usize, problem: String) -> DataError {
        let file = self.name.clone();
        match self.format {
            VectorFormat::Word2vecBinary => DataError::Row { file, row: number, problem },
            _ => DataError::Line { file, line: number, problem },
        }
    }
}

/// The number of rows and of numbers, where a line holds these and nothing else.
fn header(line: &[u8]) -> Option<(u64, usize)> {
    let mut fields = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let header = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    fields.next().is_none().then_some(header)
}

/// How many numbers stand at the end of a line, behind its first field at least.
fn numbers_at_end(line: &[u8]) -> usize {
    let fields: Vec<&[u8]> = line.trim_ascii_end().split(|byte| is_gap(*byte)).skip(1).collect();
    fields.iter().rev().take_while(|field| number(field).is_some()).count()
}

fn is_gap(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn number(field: &[u8]) -> Option<f32> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(40).collect()
}

/// Whether bytes are text, of which the last character may be cut.
fn is_text(bytes: &[u8]) -> bool {
    let is_utf_8 = std::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true);
    is_utf_8 && !bytes.iter().any(|byte| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r'))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    type Rows = Vec<(String, Vec<f32>)>;

    /// All rows of a file with this content, or what is wrong.
    fn read(content: impl AsRef<[u8]>) -> Result<(VectorFormat, Rows), String> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("v");
        std::fs::write(&file, content).expect("a file");
        let rows = || {
            let mut vectors = VectorFile::open(&file)?;
            let mut rows = Vec::new();
            while vectors.advance()? {
                rows.push((vectors.word().unwrap_or("?").to_owned(), vectors.values()?));
            }
            Ok::<_, DataError>((vectors.format(), rows))
        };
        rows().map_err(|error| error.to_string())
    }

    fn binary(rows: &[(&[u8], [f32; 2])], end: &str) -> Vec<u8> {
        let mut bytes = format!("{} 2\n", rows.len()).into_bytes();
        for (word, numbers) in rows {
            bytes.extend([word, &b" "[..]].concat());
            bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
            bytes.extend(end.as_bytes());
        }
        bytes
    }

    #[test]
    fn every_format_is_found_out_and_read() {
        let expected = vec![("the".to_owned(), vec![0.5, -1.0]), ("猫".to_owned(), vec![1e-3, 2.0])];
        let text = "the 0.5 -1 \n猫 1e-3 2.0\n";
        assert_eq!(read(text), Ok((VectorFormat::GloveText, expected.clone())));
        assert_eq!(read(format!("\u{FEFF}{text}\n")), Ok((VectorFormat::GloveText, expected.clone())));
        assert_eq!(read(text.replace(' ', "\t").replace('\n', "\r\n")).map(|read| read.1), Ok(expected.clone()));
        assert_eq!(read(format!("2 2\n{text}")), Ok((VectorFormat::Word2vecText, expected.clone())));
        let rows: [(&[u8], [f32; 2]); 2] = [(b"the", [0.5, -1.0]), ("猫".as_bytes(), [1e-3, 2.0])];
        for end in ["", "\n"] {
            assert_eq!(read(binary(&rows, end)), Ok((VectorFormat::Word2vecBinary, expected.clone())));
        }
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(text.as_bytes()).expect("memory");
        assert_eq!(read(packed.finish().expect("memory")).map(|read| read.1), Ok(expected));
    }

    #[test]
    fn words_may_hold_spaces_and_be_cut() {
        let (_, rows) = read("the 1 2\n. . . 3 4\nat a@b.c 5 6\n1 7 8\n 9 9\n").expect("rows");
        let words: Vec<&str> = rows.iter().map(|(word, _)| word.as_str()).collect();
        assert_eq!(words, ["the", ". . .", "at a@b.c", "1", ""]);
        assert_eq!(rows[1].1, [3.0, 4.0]);
        let (_, rows) = read(b"the 1 2\ncaf\xC3 3 4\n").expect("rows");
        assert_eq!(rows[1].0, "?");
    }

    #[test]
    fn a_wrong_row_is_told_with_its_line_and_what_was_expected() {
        for (content, parts) in [
            ("the 1 2\ncat 3\n", ["line 2: the vector of \"cat\" has 1 numbers", "but the first row has 2"]),
            ("the 1 2\ncat 3 4 5\n", ["line 2: the vector of \"cat\" has 3 numbers", "but the first row has 2"]),
            (
                "2 3\nthe 1 2 3\n\ncat 1 2\n",
                ["line 4: the vector of \"cat\" has 2 numbers", "but the first line says 3"],
            ),
            ("the 1 2\ncat 3 x\n", ["line 2: the vector of \"cat\" has \"x\"", "no number from"]),
            ("the 1 2\ncat nan 3\n", ["line 2: the vector of \"cat\" has \"nan\"", "no number"]),
            ("the 1 2\ncat inf 3\n", ["line 2", "\"inf\""]),
            ("the 1 2\ncat 1e30 3\n", ["line 2", "\"1e30\""]),
            ("no vectors here\n", ["line 1: the line is \"no vectors here\"", "as GloVe has them"]),
            ("2 0\nthe\n", ["line 1: vectors have 0 numbers", "from 1 to 65536"]),
            ("2 99999999\nthe 1\n", ["vectors have 99999999 numbers", "from 1 to 65536"]),
            ("\n", ["is empty", ""]),
        ] {
            let error = read(content).expect_err(content);
            assert!(parts.iter().all(|part| error.contains(part)), "{content:?}: {error}");
        }
        let rows: [(&[u8], [f32; 2]); 2] = [(b"the", [0.5, -1.0]), (b"cat", [f32::NAN, 2.0])];
        let error = read(binary(&rows, "")).expect_err("no number");
        assert!(error.contains("row 2: the vector of \"cat\" has \"NaN\""), "{error}");
        let whole = binary(&rows, "");
        let error = read(&whole[..whole.len() - 3]).expect_err("cut");
        assert!(error.contains("row 2: the file ends behind 1 numbers of the vector of \"cat\"; 2 were"), "{error}");
        let error = read(&whole[..whole.len() - 9]).expect_err("cut in a word");
        assert!(error.contains("row 2: the file ends"), "{error}");
        assert_eq!(read(&whole[..16]).map(|read| read.1.len()), Ok(1), "a file with fewer rows is told alone");
    }
}
