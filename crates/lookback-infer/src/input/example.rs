//! One input, before and after it is turned into numbers.

use std::path::Path;
use std::slice;

use super::encoder::{EncodedText, TextEncoder};
use super::normalization::ReadText;
use super::tokenizer::{Token, Tokenizer};
use super::vocabulary::UNK;
use crate::data::history::History;
use crate::data::series::SeriesExample;
use crate::error::DataError;

/// One input as a reader gives it.
#[derive(Clone, Debug, PartialEq)]
pub enum Raw {
    /// A text.
    Text(String),
    /// A text that was cut into tokens before: itself is its tokens with a space between any two.
    Tokens(Vec<String>),
    /// Channels of a series as they stand in the file, `[T, C]`.
    Series(SeriesExample),
    /// Numbers over time as they stand in the file.
    History(Box<History>),
}

impl Raw {
    /// The text, or its tokens, in order.
    pub(super) fn texts(&self, file: &Path) -> Result<&[String], DataError> {
        match self {
            Raw::Text(text) => Ok(slice::from_ref(text)),
            Raw::Tokens(tokens) => Ok(tokens),
            Raw::Series(SeriesExample { line, .. }) => Err(self.no("a text", file, *line)),
            Raw::History(history) => Err(self.no("a text", file, history.line)),
        }
    }

    /// What people call one of its kind.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Raw::Text(_) | Raw::Tokens(_) => "a text",
            Raw::Series(_) => "a numeric series",
            Raw::History(_) => "numbers over time",
        }
    }

    fn no(&self, expected: &'static str, file: &Path, line: usize) -> DataError {
        DataError::Kind { file: file.into(), line, found: self.kind(), expected }
    }

    /// The tokens, cut by `tokenizer` unless they were before.
    pub(super) fn tokens(&self, tokenizer: &Tokenizer) -> Vec<Token<'_>> {
        match self {
            Raw::Text(text) => tokenizer.tokenize(text),
            Raw::Tokens(tokens) => side_by_side(tokens, tokenizer),
            Raw::Series(_) | Raw::History(_) => Vec::new(),
        }
    }

    pub(super) fn series(&self, file: &Path) -> Result<&SeriesExample, DataError> {
        match self {
            Raw::Series(series) => Ok(series),
            _ => Err(self.no("a numeric series", file, 1)),
        }
    }

    pub(super) fn history(&self, file: &Path) -> Result<&History, DataError> {
        match self {
            Raw::History(history) => Ok(history),
            _ => Err(self.no("numbers over time", file, 1)),
        }
    }
}

/// One input, ready for a network.
#[derive(Clone, Debug)]
pub struct Example {
    pub(super) content: Content,
    /// The number of the input that made it.
    pub(super) made_by: usize,
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
    /// Numbers over time, as they stand in the file.
    History(History),
}

/// A text with its tokens.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) text: String,
    /// What is read, where that is not the text itself.
    read: Option<Box<ReadText>>,
    /// Where each token starts and ends in what is read, in bytes: of all that there are, more than `ids` where the text is
    /// cut.
    spans: Vec<(usize, usize)>,
    lowercase: bool,
    pub(super) ids: EncodedText,
    /// How many of those past `ids` the vocabulary does not have.
    unknown_past: usize,
}

impl Text {
    /// The first tokens, so many.
    fn tokens(&self, count: usize) -> Vec<Token<'_>> {
        self.spans.iter().take(count).map(|&span| self.token(span)).collect()
    }

    fn token(&self, (start, end): (usize, usize)) -> Token<'_> {
        match &self.read {
            Some(read) => Token::of_read(read, (start, end), self.lowercase),
            None => Token::new(&self.text[start..end], start, self.lowercase),
        }
    }
}

impl Example {
    pub(super) fn of_text(text: String, encoder: &TextEncoder, line: usize) -> Example {
        let read = encoder.tokenizer.read(&text);
        let ids = Ids::of(&encoder.tokenizer.cut(read.as_ref().map_or(&text, |read| &read.text)), encoder);
        ids.example(text, read, encoder, line)
    }

    /// `tokens`: as they were cut before.
    pub(super) fn of_tokens(tokens: &[String], encoder: &TextEncoder, line: usize) -> Example {
        let (ids, read) = match encoder.tokenizer.reading().read_tokens(tokens) {
            Some((read, spans)) => {
                let token = |&(start, end): &(usize, usize)| {
                    Token::new(&read.text[start..end], start, encoder.tokenizer.lowercase)
                };
                (Ids::of(&spans.iter().map(token).collect::<Vec<_>>(), encoder), Some(read))
            }
            None => (Ids::of(&side_by_side(tokens, &encoder.tokenizer), encoder), None),
        };
        ids.example(tokens.join(" "), read, encoder, line)
    }

    /// `longest`: how many steps are kept.
    pub(super) fn of_series(mut series: SeriesExample, longest: Option<usize>, line: usize) -> Example {
        let cut = series.length - longest.unwrap_or(series.length).min(series.length);
        series.length -= cut;
        series.values.truncate(series.length * series.channels);
        Example { content: Content::Series(series), made_by: 0, line, cut }
    }

    pub(super) fn of_history(history: History) -> Example {
        let line = history.line;
        Example { content: Content::History(history), made_by: 0, line, cut: 0 }
    }

    /// Numbers over time, where the input is those.
    pub fn history(&self) -> Option<&History> {
        match &self.content {
            Content::History(history) => Some(history),
            _ => None,
        }
    }

    /// About what it takes of memory.
    pub fn bytes(&self) -> usize {
        match &self.content {
            Content::Text(text) => {
                let read = text.read.as_ref().map_or(0, |read| read.bytes());
                text.text.len() + read + size_of_val(text.spans.as_slice()) + text.ids.bytes()
            }
            Content::Series(series) => size_of_val(series.values.as_slice()),
            Content::History(History { targets, past, future, .. }) => {
                [targets, past, future].map(|values| size_of_val(values.as_slice())).iter().sum()
            }
        }
    }

    /// Tokens or steps that are kept, `T`.
    pub fn len(&self) -> usize {
        match &self.content {
            Content::Text(text) => text.ids.len(),
            Content::Series(series) => series.length,
            Content::History(history) => history.length,
        }
    }

    /// The ids of the tokens that are kept; none of a series.
    pub(crate) fn ids(&self) -> &[u32] {
        match &self.content {
            Content::Text(text) => &text.ids.ids,
            Content::Series(_) | Content::History(_) => &[],
        }
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text with the tokens that are kept, where the input is a text.
    pub fn tokens(&self) -> Option<(&str, Vec<Token<'_>>)> {
        match &self.content {
            Content::Text(text) => Some((&text.text, text.tokens(text.ids.len()))),
            Content::Series(_) | Content::History(_) => None,
        }
    }

    /// All tokens of a text, those among them that were cut off; none of a series.
    pub fn all_tokens(&self) -> Vec<Token<'_>> {
        match &self.content {
            Content::Text(text) => text.tokens(text.spans.len()),
            Content::Series(_) | Content::History(_) => Vec::new(),
        }
    }

    /// How many tokens a text has and how many of them the vocabulary does not, those among both that were cut off; nothing of a
    /// series.
    pub fn count_tokens(&self) -> Option<(usize, usize)> {
        match &self.content {
            Content::Text(text) => {
                let kept = text.ids.ids.iter().filter(|&&id| id == UNK).count();
                Some((text.spans.len(), kept + text.unknown_past))
            }
            Content::Series(_) | Content::History(_) => None,
        }
    }

    /// What people call each token or step. `[T]`
    pub fn names(&self) -> Vec<String> {
        match self.tokens() {
            Some((_, tokens)) => tokens.into_iter().map(|token| token.text.into_owned()).collect(),
            None => (1..=self.len()).map(|step| format!("step {step}")).collect(),
        }
    }

    /// As [`Example::names`], but each token as it stands in the text, upper and lower case.
    pub fn written_names(&self) -> Vec<String> {
        match self.tokens() {
            Some((text, tokens)) => tokens.iter().map(|token| text[token.start..token.end].to_owned()).collect(),
            None => self.names(),
        }
    }

    /// Whether each token is one that the vocabulary does not have; a step of a series never is. `[T]`
    pub fn unknown(&self) -> Vec<bool> {
        match &self.content {
            Content::Text(text) => text.ids.ids.iter().map(|&id| id == UNK).collect(),
            Content::Series(_) | Content::History(_) => vec![false; self.len()],
        }
    }

    /// Whether nothing of it tells anything: it has no token, or of its words the vocabulary has none. Marks of punctuation
    /// count where nothing else is there; every step of a series tells something.
    pub fn is_unknown(&self) -> bool {
        let (Content::Text(text), Some((_, tokens))) = (&self.content, self.tokens()) else { return self.is_empty() };
        let known = |(id, _): &(&u32, &Token<'_>)| **id != UNK;
        let is_word = |(_, token): &(&u32, &Token<'_>)| token.text.chars().any(|c| c.is_alphanumeric());
        let pairs = || text.ids.ids.iter().zip(&tokens);
        match pairs().any(|pair| is_word(&pair)) {
            true => !pairs().any(|pair| is_word(&pair) && known(&pair)),
            false => !pairs().any(|pair| known(&pair)),
        }
    }

    /// The text itself, of one that is a text.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(&text.text),
            Content::Series(_) | Content::History(_) => None,
        }
    }

    /// What people call one such input, and a part of it.
    pub fn unit(&self) -> (&'static str, &'static str) {
        match &self.content {
            Content::Text(_) => ("text", "token"),
            Content::Series(_) | Content::History(_) => ("series", "step"),
        }
    }

    /// What people call several of them.
    pub(super) fn units(&self) -> (&'static str, &'static str) {
        match &self.content {
            Content::Text(_) => ("texts", "tokens"),
            Content::Series(_) | Content::History(_) => ("series", "steps"),
        }
    }
}

/// Tokens that were cut before, with a space between any two.
fn side_by_side<'t>(tokens: &'t [String], tokenizer: &Tokenizer) -> Vec<Token<'t>> {
    if let Some((read, spans)) = tokenizer.reading().read_tokens(tokens) {
        let owned = |span: &(usize, usize)| Token::of_read(&read, *span, tokenizer.lowercase).into_owned();
        return spans.iter().map(owned).collect();
    }
    let mut start = 0;
    let token = |token| {
        let token = Token::new(token, start, tokenizer.lowercase);
        start = token.end + 1;
        token
    };
    tokens.iter().map(String::as_str).map(token).collect()
}

/// What a model reads of a text's tokens, and where all of them stand.
struct Ids {
    spans: Vec<(usize, usize)>,
    ids: EncodedText,
    unknown_past: usize,
}

impl Ids {
    fn of(tokens: &[Token<'_>], encoder: &TextEncoder) -> Ids {
        let ids = encoder.encode_tokens(tokens);
        let past = tokens.iter().skip(ids.len());
        let unknown_past = past.filter(|token| encoder.vocabulary.encode(&token.text) == UNK).count();
        Ids { spans: tokens.iter().map(|token| (token.start, token.end)).collect(), ids, unknown_past }
    }

    fn example(self, text: String, read: Option<ReadText>, encoder: &TextEncoder, line: usize) -> Example {
        let Ids { spans, mut ids, unknown_past } = self;
        let cut = std::mem::take(&mut ids.tokens_cut);
        let lowercase = encoder.tokenizer.lowercase;
        Example {
            content: Content::Text(Text { text, read: read.map(Box::new), spans, lowercase, ids, unknown_past }),
            made_by: 0,
            line,
            cut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_unknown_whose_words_are_whatever_stands_between_them() {
        let encoder = TextEncoder {
            tokenizer: Tokenizer::new(Segmentation::Words),
            vocabulary: Vocabulary::build(["soup", "!", ",", "\u{1f600}"], &VocabularyOptions::default()),
            ngrams: None,
            bigrams: None,
            shapes: None,
            max_length: 5,
        };
        let unknown = |text: &str| Example::of_text(text.into(), &encoder, 1).is_unknown();
        for (text, expected) in [("hot, soup!", false), ("qqq, zzz!", true), ("!", false), ("?", true), ("", true)] {
            assert_eq!(unknown(text), expected, "{text:?}");
        }
        assert!(!unknown("\u{1f600}"), "what was trained is known");
    }
    use crate::input::tokenizer::Segmentation;
    use crate::input::vocabulary::{Vocabulary, VocabularyOptions};

    #[test]
    fn tokens_that_are_given_stay_as_they_are_and_know_where_they_stand() {
        let encoder = TextEncoder {
            tokenizer: Tokenizer::new(Segmentation::Words),
            vocabulary: Vocabulary::build(["don't", "new york", "no"], &VocabularyOptions::default()),
            ngrams: None,
            bigrams: None,
            shapes: None,
            max_length: 3,
        };
        // What a tokenizer would cut, a token with a space, and one past the longest.
        let given = ["Don't", "New York", "e-mail", "no"].map(str::to_owned);
        let example = Example::of_tokens(&given, &encoder, 7);
        assert_eq!((example.names(), example.cut), (vec!["don't".into(), "new york".into(), "e-mail".into()], 1));
        assert_eq!(example.unknown(), [false, false, true]);
        assert!(!example.is_unknown());
        let (text, tokens) = example.tokens().unwrap();
        assert_eq!(text, "Don't New York e-mail no");
        let pieces: Vec<&str> = tokens.iter().map(|token| &text[token.start..token.end]).collect();
        assert_eq!(pieces, ["Don't", "New York", "e-mail"]);
        // What was cut off is still known.
        let all: Vec<String> = example.all_tokens().into_iter().map(|token| token.text.into_owned()).collect();
        assert_eq!(all, ["don't", "new york", "e-mail", "no"]);
        assert_eq!(example.count_tokens(), Some((4, 1)));
        let past = ["no", "no", "no", "no", "e-mail", "ship"].map(str::to_owned);
        assert_eq!(Example::of_tokens(&past, &encoder, 7).count_tokens(), Some((6, 2)), "what was cut off counts");
    }

    #[test]
    fn what_is_read_is_the_normal_form_and_offsets_are_of_the_original() {
        let encoder = TextEncoder {
            tokenizer: Tokenizer::new(Segmentation::Words),
            vocabulary: Vocabulary::build(["great", "film", "cooperate"], &VocabularyOptions::default()),
            ngrams: None,
            bigrams: None,
            shapes: None,
            max_length: 9,
        };
        let text = "Ｇｒｅａｔ ﬁlm, co\u{AD}operate";
        let example = Example::of_text(text.into(), &encoder, 1);
        assert_eq!(example.names(), ["great", "film", ",", "cooperate"]);
        assert_eq!(example.unknown(), [false, false, true, false]);
        let (original, tokens) = example.tokens().unwrap();
        let pieces: Vec<&str> = tokens.iter().map(|token| &original[token.start..token.end]).collect();
        assert_eq!(pieces, ["Ｇｒｅａｔ", "ﬁlm", ",", "co\u{AD}operate"]);
        assert_eq!(tokens, encoder.tokenizer.tokenize(text), "the same tokens as when they were cut");
        // Tokens that were cut before, each by itself.
        let given = ["Ｇｒｅａｔ", "ﬁlm s", "\u{200B}"].map(str::to_owned);
        let example = Example::of_tokens(&given, &encoder, 1);
        assert_eq!(example.names(), ["great", "film s", "\u{200B}"]);
        let (original, tokens) = example.tokens().unwrap();
        let pieces: Vec<&str> = tokens.iter().map(|token| &original[token.start..token.end]).collect();
        assert_eq!(pieces, given);
        assert_eq!(tokens, Raw::Tokens(given.to_vec()).tokens(&encoder.tokenizer));
    }
}
