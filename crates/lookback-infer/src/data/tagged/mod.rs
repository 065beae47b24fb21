//! Sentences with a tag per token, in any of the formats that data sets have.
//!
//! # Which format
//! The one that is said, else by the content. A file that begins with a JSON object, or with an array of objects, is JSON. One whose
//! first line that is no comment has ten columns (or the eleven of an answered file) between tabs, the first an ID, is CoNLL-U, and so
//! is one whose first comment is `# global.columns`. If most of what blanks part has a slash within, or all of it an underscore, lines
//! are sentences of `word/tag`. All else are columns.
//!
//! # Columns
//! One line per token; a line without anything but white space ends a sentence. Columns stand apart by tabs if the first line with
//! a token has one, so that a token may hold blanks, else by blanks; every such line has as many as the first. The token is the first
//! column and the tag the last unless others are said; what stands between is not read. A line that begins with `# ` before a
//! sentence's first token is a comment, unless it has as many columns as the others and its tag is one of theirs; within a sentence it
//! is a token. A line whose first column is `-DOCSTART-` marks a document.
//!
//! # CoNLL-U
//! The token is FORM and the tag UPOS unless others are said. Lines of several tokens at once (`1-2`) and of empty ones (`5.1`) are no
//! tokens; lines that begin with `#` are comments.
//!
//! # Lines
//! A sentence per line. The last slash of a piece parts token and tag, so that a token may hold slashes. Blank lines are skipped.
//! Where words are to be found, lines without tags are sentences as well: white space parts the words.
//!
//! # JSON
//! An object per sentence, in lines or in one array, with a list of tokens and one of tags.

mod columns;
mod content;
mod json;
mod sheet;
mod slash;
#[cfg(test)]
mod tests;
mod write;

use std::path::{Path, PathBuf};

pub use self::columns::{TaggedColumns, TaggedLayout, WORD, Wanted};
use self::sheet::Sheet;
pub use self::write::Document;
use super::bad_rows::BadRows;
use super::encoding::Decoded;
use super::{Encoding, Format, file_text};
use crate::error::{DataError, counted};

/// From this many tokens on a file of one sentence is told: the blank lines between its sentences may be missing.
const LONG: usize = 200;

/// A sentence with a tag per token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentence {
    /// At least one where tags are read.
    pub tokens: Vec<String>,
    /// The tag of each, where they are read.
    pub tags: Vec<String>,
    /// The line of each, counted from 1.
    pub lines: Vec<usize>,
    /// The line of the first token, counted from 1.
    pub line: usize,
}

/// Reads all sentences of a file with their tags, and tells how. `wanted`: not [`Wanted::Tokens`], whose sentences may be empty.
///
/// # Errors
/// If the file cannot be read, is no text or is empty; if a column or key is missing; if a sentence cannot be read and is not to
/// be left out; and if there is no sentence.
pub fn read_tagged(file: &Path, columns: &TaggedColumns, wanted: Wanted) -> Result<Vec<Sentence>, DataError> {
    let Parsed { parts, name, .. } = parse(file, columns, wanted)?;
    let mut bad = BadRows::of_sentences();
    let sentences: Vec<Sentence> = parts.into_iter().filter_map(|part| bad.keep(part.read)).collect();
    bad.settle(&name, columns.on_bad_row)?;
    if sentences.is_empty() {
        return Err(DataError::NoExamples { file: name });
    }
    tell_doubts(&name, &sentences);
    Ok(sentences)
}

/// Whether a file of which nothing is said holds sentences that are cut into tokens, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Its name or its content says so.
    Tokens(Format),
    /// Its lines may be texts, but look like this, too.
    Perhaps(Format),
    /// Nothing speaks for it.
    Texts,
}

impl Holds {
    /// Of a file, by its extension, else by its content. Columns with blanks between, and `word/tag`, may be texts as well.
    ///
    /// # Errors
    /// If the file cannot be read, or is no text.
    pub fn of(file: &Path, encoding: Option<Encoding>) -> Result<Holds, DataError> {
        let extension = file.extension().and_then(|extension| extension.to_str()).map(str::to_lowercase);
        let is_columns = match extension.as_deref() {
            Some("conllu") => return Ok(Holds::Tokens(Format::Conllu)),
            Some("conll" | "iob" | "iob1" | "iob2" | "bio" | "bioes" | "bmes") => true,
            // Tables hold texts.
            Some("csv" | "tsv" | "tab") => return Ok(Holds::Texts),
            _ => false,
        };
        let Decoded { text, .. } = file_text::read(file, encoding)?;
        Ok(match content::format(&text, &TaggedColumns::default(), Wanted::Tokens) {
            Format::Conllu => Holds::Tokens(Format::Conllu),
            _ if is_columns => Holds::Tokens(Format::Conll),
            Format::Jsonl if content::has_lists(&text) => Holds::Tokens(Format::Jsonl),
            Format::Jsonl | Format::Lines => Holds::Texts,
            Format::Conll if content::is_marked(&text) => Holds::Tokens(Format::Conll),
            format => Holds::Perhaps(format),
        })
    }
}

/// What is to be said to one who reads it as texts with labels, if it looks like sentences with a tag per token.
pub(super) fn hint(text: &str) -> &'static str {
    // Columns alone may be a table of texts.
    let is_parted = text.trim().lines().any(|line| line.trim().is_empty());
    match content::format(text, &TaggedColumns::default(), Wanted::Tokens) {
        Format::Conll if !is_parted => "",
        Format::Conll | Format::Conllu | Format::Slash => {
            "; it looks like sentences with a tag per token, which `train tag` reads"
        }
        _ => "",
    }
}

/// A sentence in a text.
#[derive(Debug)]
struct Part {
    read: Result<Sentence, DataError>,
    /// The line on which it begins.
    line: usize,
    /// Where in the text it begins, and where the lines behind it do.
    start: usize,
    end: usize,
}

impl Part {
    /// A sentence that begins with this line, and is nothing else yet.
    fn new(line: &Line<'_>) -> Part {
        let read = Ok(Sentence { line: line.number, ..Sentence::default() });
        Part { read, line: line.number, start: line.start, end: line.end }
    }
}

/// A file as it was found to be.
struct Parsed {
    text: String,
    name: PathBuf,
    parts: Vec<Part>,
    form: Form,
}

/// What has to be known to write sentences as they stood.
#[derive(Debug)]
enum Form {
    /// In columns, with this between them.
    Sheet { conllu: bool, separator: char },
    /// As `word/tag` lines.
    Slash(char),
    /// As JSON, the tags under this key.
    Json { tags: String },
    /// Tokens alone.
    Tokens,
}

/// Reads a file as it is said or found to be.
fn parse(file: &Path, columns: &TaggedColumns, wanted: Wanted) -> Result<Parsed, DataError> {
    let Decoded { text, encoding, guessed } = file_text::read(file, columns.encoding)?;
    let name = file_text::name(file);
    let (layout, tagged) = (&columns.layout, wanted != Wanted::Tokens);
    let (parts, form, told) = match content::format(&text, columns, wanted) {
        Format::Jsonl => {
            let (parts, keys) = json::read(&name, &text, layout, tagged)?;
            let tags = if tagged { format!(", tags from {:?}", keys.tags) } else { String::new() };
            let told = format!("JSON, tokens from {:?}{tags}", keys.tokens);
            (parts, Form::Json { tags: keys.tags }, told)
        }
        Format::Slash => {
            let separator = slash::separator_of(&text, layout.tag_separator);
            let parts = slash::read(&name, &text, separator, tagged);
            (parts, Form::Slash(separator), format!("lines of word{separator}tag"))
        }
        Format::Lines if wanted == Wanted::Tokens => {
            (slash::read_tokens(&text), Form::Tokens, "lines of tokens".to_owned())
        }
        Format::Lines if wanted == Wanted::Words => {
            (slash::read_words(&text), Form::Tokens, "lines of words without tags".to_owned())
        }
        format @ (Format::Conll | Format::Conllu) => {
            let sheet = Sheet::find(&name, &text, format, layout, tagged)?;
            let form = Form::Sheet { conllu: format == Format::Conllu, separator: sheet.separator() };
            (sheet.read(&text), form, sheet.form())
        }
        _ => return Err(DataError::UnknownFormat { file: name, expected: Format::OF_TAGS, hint: "" }),
    };
    let read = || parts.iter().filter_map(|part| part.read.as_ref().ok());
    let tokens = counted(read().map(|sentence| sentence.tokens.len()).sum(), "token");
    let read = format!("{}: {encoding}, {told}; {} of {tokens}", name.display(), counted(read().count(), "sentence"));
    match guessed {
        false => tracing::info!("{read}"),
        true => tracing::warn!("{read}; the encoding was found out, --encoding says another"),
    }
    Ok(Parsed { text, name, parts, form })
}

/// Tells what looks like a mistake but may be none.
fn tell_doubts(file: &Path, sentences: &[Sentence]) {
    let name = file.display();
    if let [only] = sentences
        && only.tokens.len() >= LONG
        && only.lines.first() != only.lines.last()
    {
        let count = only.tokens.len();
        tracing::warn!("{name}: no blank line ends a sentence, so that all {count} tokens are one");
    }
    let mut tags = sentences.iter().flat_map(|sentence| sentence.tags.iter().zip(&sentence.lines));
    if let Some((tag, line)) = tags.find(|(tag, _)| tag.contains(']') && tag.len() > 1) {
        tracing::warn!("{name}, line {line}: {tag:?} is taken for a tag; brackets around nested chunks are not read");
    }
    let with_blanks = || {
        let tokens = sentences.iter().flat_map(|sentence| sentence.tokens.iter().zip(&sentence.lines));
        tokens.filter(|(token, _)| token.contains(char::is_whitespace))
    };
    if let Some((token, line)) = with_blanks().next() {
        let count = counted(with_blanks().count(), "token");
        tracing::info!("{name}: {count} with white space within, the first of them {token:?} on line {line}");
    }
}

/// A line of a text.
#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    /// Counted from 1.
    number: usize,
    /// Without its end.
    content: &'a str,
    /// Where it begins, and where the next one does.
    start: usize,
    end: usize,
}

/// The lines of a text.
fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut end = 0;
    (1..).zip(text.split_inclusive('\n')).map(move |(number, line)| {
        let start = end;
        end += line.len();
        let content = line.strip_suffix('\n').unwrap_or(line);
        Line { number, content: content.strip_suffix('\r').unwrap_or(content), start, end }
    })
}
