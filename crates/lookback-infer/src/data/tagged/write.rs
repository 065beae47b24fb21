//! Sentences to be tagged, and the file they came from with the tags in it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Map, Value};

use super::columns::{TaggedColumns, Wanted};
use super::content::parts;
use super::sheet::is_id;
use super::{Form, Line, Parsed, Part, Sentence, lines, parse};
use crate::data::Format;
use crate::error::DataError;

/// What stands in the added column of a line of CoNLL-U that is no token.
const NONE: &str = "_";

/// A file of sentences to be tagged, from which it can be written again with their tags: comments, marks of documents, blank
/// lines and lines of several tokens at once stay where they are.
#[derive(Debug)]
pub struct Document {
    text: String,
    form: Form,
    sentences: Vec<Sentence>,
    /// Where each sentence stands.
    places: Vec<Place>,
    /// Why a sentence cannot be read, by its place.
    errors: BTreeMap<usize, DataError>,
}

/// Where a sentence stands in a text.
#[derive(Debug)]
struct Place {
    /// Where what was not written before it begins.
    before: usize,
    start: usize,
    end: usize,
    /// The line at `start`.
    line: usize,
    /// Whether its tokens are known.
    is_read: bool,
}

impl Document {
    /// Reads the tokens of a file, or of standard input where it is `-`; tags need not be there. A sentence that cannot be read
    /// has no tokens, and is written as it stands; [`Document::take_errors`] says why.
    ///
    /// # Errors
    /// If the file cannot be read, is no text or is empty, or a column or key is missing.
    pub fn read(file: &Path, columns: &TaggedColumns) -> Result<Document, DataError> {
        let Parsed { text, parts, form, .. } = parse(file, columns, Wanted::Tokens)?;
        let (sentences, places) = (Vec::with_capacity(parts.len()), Vec::with_capacity(parts.len()));
        let mut document = Document { text, form, sentences, places, errors: BTreeMap::new() };
        let mut before = 0;
        for (place, Part { read, line, start, end }) in parts.into_iter().enumerate() {
            document.places.push(Place { before, start, end, line, is_read: read.is_ok() });
            before = end;
            document.sentences.push(read.unwrap_or_else(|error| {
                document.errors.insert(place, error);
                Sentence { line, ..Sentence::default() }
            }));
        }
        Ok(document)
    }

    /// Why sentences cannot be read, by their places.
    pub fn take_errors(&mut self) -> BTreeMap<usize, DataError> {
        std::mem::take(&mut self.errors)
    }

    /// How sentences stand in the file: in columns, of CoNLL-U or not, as `word/tag` lines, as JSON, or as lines of tokens.
    pub fn format(&self) -> Format {
        match self.form {
            Form::Sheet { conllu: true, .. } => Format::Conllu,
            Form::Sheet { conllu: false, .. } => Format::Conll,
            Form::Slash(_) => Format::Slash,
            Form::Json { .. } => Format::Jsonl,
            Form::Tokens => Format::Lines,
        }
    }

    /// The sentences, without tags.
    pub fn sentences(&self) -> &[Sentence] {
        &self.sentences
    }

    /// Writes a sentence with a tag for each of its tokens, and before it what stands between it and the one before. In columns the
    /// tags are one column more; in `word/tag` lines and JSON they take the place of others; lines of tokens become columns.
    ///
    /// # Errors
    /// If `out` cannot be written to, there is no such sentence, or it has another number of tokens.
    pub fn write_sentence<S: AsRef<str>>(&self, place: usize, tags: &[S], out: &mut dyn Write) -> io::Result<()> {
        let wrong = |problem: &str| io::Error::new(io::ErrorKind::InvalidInput, problem.to_owned());
        let (Some(sentence), Some(at)) = (self.sentences.get(place), self.places.get(place)) else {
            return Err(wrong("there is no such sentence"));
        };
        if sentence.tokens.len() != tags.len() {
            return Err(wrong("a sentence needs a tag for each of its tokens"));
        }
        let (between, own) = (&self.text[at.before..at.start], &self.text[at.start..at.end]);
        if !at.is_read {
            return match self.form {
                Form::Json { .. } => writeln!(out, "{}", own.trim()),
                _ => write!(out, "{between}{own}"),
            };
        }
        match &self.form {
            Form::Tokens => {
                for (token, tag) in sentence.tokens.iter().zip(tags) {
                    writeln!(out, "{token}\t{}", tag.as_ref())?;
                }
                writeln!(out)
            }
            Form::Json { tags: key } => write_object(own, key, tags, out),
            Form::Slash(separator) => {
                out.write_all(between.as_bytes())?;
                write_pieces(own, *separator, tags, out)
            }
            Form::Sheet { conllu, separator } => {
                out.write_all(between.as_bytes())?;
                let mut tags = sentence.lines.iter().zip(tags).peekable();
                for line in lines(own) {
                    let number = at.line + line.number - 1;
                    let tag = tags.next_if(|(of, _)| **of == number).map(|(_, tag)| tag.as_ref());
                    let id = line.content.split('\t').next().unwrap_or_default();
                    match tag.or_else(|| (*conllu && is_id(id)).then_some(NONE)) {
                        Some(tag) => write_with(own, &line, &format!("{separator}{tag}"), out)?,
                        None => out.write_all(&own.as_bytes()[line.start..line.end])?,
                    }
                }
                Ok(())
            }
        }
    }

    /// Writes what stands behind the last sentence.
    ///
    /// # Errors
    /// If `out` cannot be written to.
    pub fn write_end(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.form {
            // What stands between objects is white space, and the marks of an array.
            Form::Json { .. } | Form::Tokens => Ok(()),
            _ => {
                let written = self.places.last().map_or(0, |place| place.end);
                out.write_all(&self.text.as_bytes()[written..])
            }
        }
    }
}

/// A line with more at its end, before its line end.
fn write_with(text: &str, line: &Line<'_>, more: &str, out: &mut dyn Write) -> io::Result<()> {
    let line_end = &text[line.start + line.content.len()..line.end];
    let content = line.content.trim_ascii_end();
    // An empty last column between tabs is a column.
    let content =
        if content.len() < line.content.len() && line.content.ends_with('\t') { line.content } else { content };
    write!(out, "{content}{more}{line_end}")
}

/// A line of `word/tag` with other tags, and the blanks between as they are.
fn write_pieces<S: AsRef<str>>(line: &str, separator: char, tags: &[S], out: &mut dyn Write) -> io::Result<()> {
    let mut tags = tags.iter();
    let mut rest = line;
    loop {
        let blanks = rest.len() - rest.trim_ascii_start().len();
        let (between, behind) = rest.split_at(blanks);
        out.write_all(between.as_bytes())?;
        let (piece, behind) = behind.split_at(behind.find(|c: char| c.is_ascii_whitespace()).unwrap_or(behind.len()));
        match (parts(piece, separator), tags.next()) {
            (Some((word, _)), Some(tag)) => write!(out, "{word}{separator}{}", tag.as_ref())?,
            _ => return out.write_all(piece.as_bytes()),
        }
        rest = behind;
    }
}

/// An object with these tags, on a line of its own.
fn write_object<S: AsRef<str>>(object: &str, key: &str, tags: &[S], out: &mut dyn Write) -> io::Result<()> {
    let mut object: Map<String, Value> = serde_json::from_str(object)?;
    let tags = tags.iter().map(|tag| Value::from(tag.as_ref())).collect();
    match within(&mut object, key) {
        Some(value) => *value = tags,
        None => drop(object.insert(key.to_owned(), tags)),
    }
    serde_json::to_writer(&mut *out, &object)?;
    writeln!(out)
}

/// What stands under a key or a path of keys.
fn within<'a>(object: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Value> {
    if object.contains_key(key) {
        return object.get_mut(key);
    }
    let dot = key
        .match_indices('.')
        .map(|(dot, _)| dot)
        .find(|&dot| object.get(&key[..dot]).is_some_and(Value::is_object))?;
    within(object.get_mut(&key[..dot])?.as_object_mut()?, &key[dot + 1..])
}
