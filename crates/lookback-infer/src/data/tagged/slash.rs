//! Sentences as `word/tag` lines, or as lines of tokens alone.

use std::path::Path;

use super::content::{parts, separator};
use super::{Part, lines};
use crate::error::DataError;

/// The sentences of lines in which every piece is a token, the separator and its tag. Without `tagged` the tags are not kept.
pub(super) fn read(file: &Path, text: &str, separator: char, tagged: bool) -> Vec<Part> {
    let mut read = Vec::new();
    for line in lines(text).filter(|line| !line.content.trim().is_empty()) {
        let mut part = Part::new(&line);
        for piece in line.content.split_ascii_whitespace() {
            match (parts(piece, separator), &mut part.read) {
                (Some((token, tag)), Ok(sentence)) => sentence.push(token, tagged.then_some(tag), line.number),
                (None, Ok(_)) => {
                    let problem = format!("{piece:?} has no tag; a token, {separator} and its tag were expected");
                    part.read = Err(DataError::Line { file: file.into(), line: line.number, problem });
                }
                (_, Err(_)) => break,
            }
        }
        read.push(part);
    }
    read
}

/// The sentences of lines with blanks between the tokens. A blank line is a sentence without tokens.
pub(super) fn read_tokens(text: &str) -> Vec<Part> {
    let sentence = |line| {
        let mut part = Part::new(&line);
        if let Ok(sentence) = &mut part.read {
            line.content.split_ascii_whitespace().for_each(|token| sentence.push(token, None, line.number));
        }
        part
    };
    lines(text).map(sentence).collect()
}

/// What stands between word and tag: as said, or found.
pub(super) fn separator_of(text: &str, said: Option<char>) -> char {
    said.or_else(|| separator(text)).unwrap_or('/')
}
