//! Sentences in columns, as the CoNLL shared tasks have them: one token per line, its tag in the last column.
//!
//! # What is read how
//! UTF-8, with or without a byte order mark. A line without anything but white space ends a sentence. Columns stand apart
//! by tabs if the first line with a token has one, so that a token may hold spaces, else by white space; every such line has
//! as many as the first. The token is the first column and the tag the last; what stands between is not read. A line that
//! begins with `# ` before a sentence's first token is a comment, unless it has as many columns as the others and its last
//! is a tag of one of them; within a sentence it is a token.

use std::collections::HashSet;
use std::path::Path;

use super::encoding::Decoded;
use super::file_text;
use crate::error::DataError;

/// A sentence with a tag per token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// At least one.
    pub tokens: Vec<String>,
    /// The tag of each.
    pub tags: Vec<String>,
    /// The line of the first token, counted from 1; every other one stands on the line after the one before.
    pub line: usize,
}

/// Reads all sentences of a file.
///
/// # Errors
/// If the file cannot be read, is not UTF-8 or is empty; if a line has no tag, another number of columns than the first, or
/// a token or tag that is empty; and if there is no sentence.
pub fn read_conll(file: &Path) -> Result<Vec<Sentence>, DataError> {
    let Decoded { text, encoding, guessed } = file_text::read(file, None)?;
    let file = &file_text::name(file);
    if guessed {
        tracing::warn!("{}: its encoding was found to be {encoding}", file.display());
    }
    let mut sentences: Vec<Sentence> = Vec::new();
    let mut first: Option<First> = None;
    let mut within = false;
    let tags = tags(&text);
    for (line, content) in (1..).zip(text.lines()) {
        if content.trim().is_empty() {
            within = false;
            continue;
        }
        if !within && may_be_comment(content) {
            let columns = first.as_ref().map_or_else(|| First::new(line, content), First::clone);
            let is_token = columns.token_and_tag(content).is_ok_and(|(_, tag)| tags.contains(tag));
            if !is_token {
                continue;
            }
        }
        let first = first.get_or_insert_with(|| First::new(line, content));
        let (token, tag) = first.token_and_tag(content).map_err(|wrong| wrong.error(file, line, first))?;
        if !within {
            sentences.push(Sentence { tokens: Vec::new(), tags: Vec::new(), line });
            within = true;
        }
        if let Some(sentence) = sentences.last_mut() {
            sentence.tokens.push(token.to_owned());
            sentence.tags.push(tag.to_owned());
        }
    }
    if sentences.is_empty() { Err(DataError::NoExamples { file: file.into() }) } else { Ok(sentences) }
}

/// Whether a line begins as a comment does.
fn may_be_comment(content: &str) -> bool {
    content == "#" || content.starts_with("# ") || content.starts_with("#\t")
}

/// The tags of all lines that are no comments for sure.
fn tags(text: &str) -> HashSet<&str> {
    let mut first: Option<First> = None;
    let lines = text.lines().filter(|content| !content.trim().is_empty() && !may_be_comment(content));
    let tag = |content| {
        let first = first.get_or_insert_with(|| First::new(1, content));
        first.token_and_tag(content).ok().map(|(_, tag)| tag)
    };
    lines.filter_map(tag).collect()
}

/// The first line with a token, by which the others are read.
#[derive(Clone)]
struct First {
    line: usize,
    columns: usize,
    tabs: bool,
}

enum Wrong<'a> {
    /// There is one column.
    Alone(&'a str),
    /// There are so many columns.
    Columns(usize),
    EmptyToken,
    EmptyTag,
}

impl First {
    fn new(line: usize, content: &str) -> First {
        let mut first = First { line, columns: 0, tabs: content.contains('\t') };
        first.columns = first.cut(content).len();
        first
    }

    fn cut<'a>(&self, content: &'a str) -> Vec<&'a str> {
        if self.tabs { content.split('\t').map(str::trim).collect() } else { content.split_whitespace().collect() }
    }

    fn token_and_tag<'a>(&self, content: &'a str) -> Result<(&'a str, &'a str), Wrong<'a>> {
        match self.cut(content).as_slice() {
            [] => Err(Wrong::EmptyToken),
            [alone] => Err(Wrong::Alone(alone)),
            columns if columns.len() != self.columns => Err(Wrong::Columns(columns.len())),
            ["", ..] => Err(Wrong::EmptyToken),
            [.., ""] => Err(Wrong::EmptyTag),
            [token, .., tag] => Ok((token, tag)),
        }
    }
}

impl Wrong<'_> {
    fn error(self, file: &Path, line: usize, first: &First) -> DataError {
        let apart = if first.tabs { "a tab" } else { "white space" };
        let problem = match self {
            Wrong::Alone(token) => format!("{token:?} stands alone; a token, {apart} and its tag were expected"),
            Wrong::EmptyToken => format!("the token is empty; a token, {apart} and its tag were expected"),
            Wrong::EmptyTag => format!("the tag is empty; a token, {apart} and its tag were expected"),
            Wrong::Columns(found) => {
                let (expected, first_line) = (first.columns, first.line);
                return DataError::FieldCount { file: file.into(), line, found, expected, first_line, hint: "" };
            }
        };
        DataError::Line { file: file.into(), line, problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> Result<Vec<Sentence>, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.conll");
        std::fs::write(&file, content).unwrap();
        read_conll(&file).map_err(|error| error.to_string().split("a.conll").last().unwrap_or_default().to_owned())
    }

    /// Every sentence as "line: token/tag ..".
    fn show(content: &str) -> Vec<String> {
        let pairs = |sentence: &Sentence| {
            let pairs = sentence.tokens.iter().zip(&sentence.tags).map(|(token, tag)| format!("{token}/{tag}"));
            format!("{}: {}", sentence.line, pairs.collect::<Vec<_>>().join(" "))
        };
        read(content).unwrap().iter().map(pairs).collect()
    }

    #[test]
    fn sentences_are_read_in_columns_of_white_space_or_of_tabs() {
        let cases: [(&str, &[&str]); 6] = [
            ("a X\nb Y\n\n\nc X\n", &["1: a/X b/Y", "5: c/X"]),
            ("\u{feff}a  NN  B-NP   X\r\nb VB B-VP Y\r\n \r\n", &["1: a/X b/Y"]),
            ("New York\tX\n a \tY\n", &["1: New York/X a/Y"]),
            ("a\t\t\tX\n", &["1: a/X"]),
            ("# a comment\n#\na X\n# X\n\n# another\n\nb Y", &["3: a/X #/X", "8: b/Y"]),
            ("#rust X\nb Y\n\n# Y\nb X\n\n# comment\na X\n", &["1: #rust/X b/Y", "4: #/Y b/X", "8: a/X"]),
        ];
        for (content, expected) in cases {
            assert_eq!(show(content), expected, "{content:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_line() {
        let cases = [
            ("a X\nb\n", ", line 2: \"b\" stands alone; a token, white space and its tag were expected"),
            ("alone\n", ", line 1: \"alone\" stands alone; a token, white space and its tag were expected"),
            ("a\tX\nb Y\n", ", line 2: \"b Y\" stands alone; a token, a tab and its tag were expected"),
            ("a X\n\nb N Y\n", ", line 3: the row has 3 fields; 2 expected as on line 1"),
            ("a\tX\n\tY\n", ", line 2: the token is empty; a token, a tab and its tag were expected"),
            ("a\tX\nb\t\n", ", line 2: the tag is empty; a token, a tab and its tag were expected"),
            ("# nothing\n", " holds no examples"),
            (" \n", " is empty; at least one example was expected"),
        ];
        for (content, expected) in cases {
            assert_eq!(read(content).unwrap_err(), expected, "{content:?}");
        }
    }
}
