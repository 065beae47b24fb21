//! One input, before and after it is turned into numbers.

use std::borrow::Cow;
use std::path::Path;

use super::encoder::{EncodedText, TextEncoder};
use super::tokenizer::Token;
use crate::data::series::SeriesExample;
use crate::error::DataError;

/// One input as a reader gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum Raw {
    /// A text.
    Text(String),
    /// Channels of a series as they stand in the file, `[T, C]`.
    Series(SeriesExample),
}

impl Raw {
    pub(super) fn text(&self, file: &Path) -> Result<&str, DataError> {
        match self {
            Raw::Text(text) => Ok(text),
            Raw::Series(series) => {
                let (file, line) = (file.into(), series.line);
                Err(DataError::Kind { file, line, found: "a numeric series", expected: "a text" })
            }
        }
    }

    pub(super) fn series(&self, file: &Path) -> Result<&SeriesExample, DataError> {
        match self {
            Raw::Series(series) => Ok(series),
            Raw::Text(_) => {
                let file = file.into();
                Err(DataError::Kind { file, line: 1, found: "a text", expected: "a numeric series" })
            }
        }
    }
}

/// One input, ready for a network.
#[derive(Clone, Debug)]
pub struct Example {
    pub(super) content: Content,
    /// The line it stands on, counted from 1.
    pub line: usize,
    /// Tokens or steps that were cut off, since the model reads no more.
    pub cut: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Text(Text),
    /// Standardised channels, `[T, C]`.
    Series(SeriesExample),
}

/// A text with its tokens.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) text: String,
    /// Where each token starts and ends, in bytes.
    spans: Vec<(usize, usize)>,
    lowercase: bool,
    pub(super) ids: EncodedText,
}

impl Text {
    fn token(&self, (start, end): (usize, usize)) -> Token<'_> {
        let piece = &self.text[start..end];
        let changes = self.lowercase && piece.chars().any(|c| !c.to_lowercase().eq([c]));
        let text = if changes { Cow::Owned(piece.to_lowercase()) } else { Cow::Borrowed(piece) };
        Token { text, start, end }
    }
}

impl Example {
    pub(super) fn of_text(text: String, encoder: &TextEncoder, line: usize) -> Example {
        let tokens = encoder.tokenizer.tokenize(&text);
        let mut ids = encoder.encode_tokens(&tokens);
        let spans = tokens.iter().take(ids.len()).map(|token| (token.start, token.end)).collect();
        let cut = std::mem::take(&mut ids.tokens_cut);
        let lowercase = encoder.tokenizer.lowercase;
        Example { content: Content::Text(Text { text, spans, lowercase, ids }), line, cut }
    }

    /// `longest`: how many steps are kept.
    pub(super) fn of_series(mut series: SeriesExample, longest: Option<usize>, line: usize) -> Example {
        let cut = series.length - longest.unwrap_or(series.length).min(series.length);
        series.length -= cut;
        series.values.truncate(series.length * series.channels);
        Example { content: Content::Series(series), line, cut }
    }

    /// Tokens or steps that are kept, `T`.
    pub fn len(&self) -> usize {
        match &self.content {
            Content::Text(text) => text.ids.len(),
            Content::Series(series) => series.length,
        }
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text with its tokens, where the input is a text.
    pub fn tokens(&self) -> Option<(&str, Vec<Token<'_>>)> {
        match &self.content {
            Content::Text(text) => Some((&text.text, text.spans.iter().map(|&span| text.token(span)).collect())),
            Content::Series(_) => None,
        }
    }

    /// What people call each token or step. `[T]`
    pub fn names(&self) -> Vec<String> {
        match self.tokens() {
            Some((_, tokens)) => tokens.into_iter().map(|token| token.text.into_owned()).collect(),
            None => (1..=self.len()).map(|step| format!("step {step}")).collect(),
        }
    }

    /// What people call one such input, and a part of it.
    pub fn unit(&self) -> (&'static str, &'static str) {
        match &self.content {
            Content::Text(_) => ("text", "token"),
            Content::Series(_) => ("series", "step"),
        }
    }

    /// What people call several of them.
    pub(super) fn units(&self) -> (&'static str, &'static str) {
        match &self.content {
            Content::Text(_) => ("texts", "tokens"),
            Content::Series(_) => ("series", "steps"),
        }
    }
}
