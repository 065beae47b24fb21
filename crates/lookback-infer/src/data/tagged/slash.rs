//! Sentences as `word/tag` lines, or as lines of tokens or words alone.

use std::path::Path;

use super::content::{parts, separator};
use super::{Line, Part, WORD, lines};
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
    lines(text).map(|line| of_pieces(&line, None)).collect()
}

/// The sentences of lines with white space between the words, whose tag is [`WORD`]. Blank lines are none.
pub(super) fn read_words(text: &str) -> Vec<Part> {
    lines(text).filter(|line| !line.content.trim().is_empty()).map(|line| of_pieces(&line, Some(WORD))).collect()
}

fn of_pieces(line: &Line<'_>, tag: Option<&str>) -> Part {
    let mut part = Part::new(line);
    if let Ok(sentence) = &mut part.read {
        // Between Chinese words an ideographic space may stand.
        let pieces =
            line.content.split(|c: char| if tag.is_some() { c.is_whitespace() } else { c.is_ascii_whitespace() });
        pieces.filter(|piece| !piece.is_empty()).for_each(|piece| sentence.push(piece, tag, line.number));
    }
    part
}

/// What stands between word and tag: as said, or found.
pub(super) fn separator_of(text: &str, said: Option<char>) -> char {
    said.or_else(|| separator(text)).unwrap_or('/')
}
