//! Cutting a text into tokens that know where they stand in it.
//!
//! | segmentation | a token is |
//! |---|---|
//! | words | a word of Unicode Standard Annex 29, or a punctuation mark |
//! | characters | a user-perceived character (grapheme cluster) |
//! | jieba | as words, but each run of Han characters is cut into Chinese words by jieba |
//! | bpe, unigram | a piece of a word with the blank before it, see [`super::subwords`] |
//!
//! A text that mixes scripts is cut well by `jieba`: what is not Han is cut as words. White space is a token only where
//! the text is to be put together again, see [`Tokenizer::with_white_space`]. What is cut is the text as it is read, see
//! [`super::normalization`]; where a token starts and ends is told of the original.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use super::dictionary::UserDictionary;
#[cfg(feature = "jieba")]
use super::dictionary::jieba_with;
use super::normalization::{Chinese, Normalization, ReadText, Reading};
pub use super::segmentation::{Segmentation, TokenizerChoice};
use super::segmentation::{is_han, is_kana};
use super::subwords::{Subwords, WordCounts};

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<'t> {
    /// What is read of the token, in lower case if the tokenizer says so.
    pub text: Cow<'t, str>,
    /// The same as it was written, upper and lower case.
    pub written: Cow<'t, str>,
    /// The byte at which it starts in the original text.
    pub start: usize,
    /// The byte after its last in the original text.
    pub end: usize,
}

impl<'t> Token<'t> {
    /// The token that reads `piece`, which starts at this byte of its text.
    pub(super) fn new(piece: &'t str, start: usize, lowercase: bool) -> Token<'t> {
        let changes = lowercase && piece.chars().any(|c| !c.to_lowercase().eq([c]));
        let text = if changes { Cow::Owned(piece.to_lowercase()) } else { Cow::Borrowed(piece) };
        Token { text, written: Cow::Borrowed(piece), start, end: start + piece.len() }
    }

    /// The same, for which nobody else needs to keep its text.
    pub(super) fn into_owned(self) -> Token<'static> {
        let owned = |text: Cow<'t, str>| Cow::Owned(text.into_owned());
        Token { text: owned(self.text), written: owned(self.written), start: self.start, end: self.end }
    }

    /// The token at a place of what is read.
    pub(super) fn of_read(read: &'t ReadText, (start, end): (usize, usize), lowercase: bool) -> Token<'t> {
        let token = Token::new(&read.text[start..end], start, lowercase);
        let (start, end) = read.place(start, end);
        Token { start, end, ..token }
    }
}

/// Cuts texts into tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokenizer {
    /// How a text is cut.
    pub segmentation: Segmentation,
    /// Whether tokens are turned to lower case.
    pub lowercase: bool,
    /// Whether white space is kept as tokens of its own, so that the tokens make up the text.
    #[serde(default)]
    pub white_space: bool,
    /// The form to which characters are brought before the text is cut.
    #[serde(default)]
    pub normalization: Normalization,
    /// How Chinese characters are read.
    #[serde(default)]
    pub chinese: Chinese,
    /// Words that jieba's own dictionary lacks, as they are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<UserDictionary>,
    /// Pieces of words, where texts are cut into them. Before they are learnt a text has no token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subwords: Option<Subwords>,
}

impl Tokenizer {
    /// A tokenizer that reads characters in their normal form and turns tokens to lower case.
    pub fn new(segmentation: Segmentation) -> Self {
        let (normalization, chinese) = (Normalization::Nfkc, Chinese::AsIs);
        Self { segmentation, lowercase: true, white_space: false, normalization, chinese, words: None, subwords: None }
    }

    /// Sets whether tokens are turned to lower case.
    pub fn with_lowercase(mut self, lowercase: bool) -> Self {
        self.lowercase = lowercase;
        self
    }

    /// Sets the form to which characters are brought.
    pub fn with_normalization(mut self, normalization: Normalization) -> Self {
        self.normalization = normalization;
        self
    }

    /// Sets how Chinese characters are read.
    pub fn with_chinese(mut self, chinese: Chinese) -> Self {
        self.chinese = chinese;
        self
    }

    /// Adds words to jieba's dictionary.
    pub fn with_words(mut self, words: Option<UserDictionary>) -> Self {
        self.words = words;
        self
    }

    /// Sets the pieces of words into which texts are cut.
    pub fn with_subwords(mut self, subwords: Option<Subwords>) -> Self {
        self.subwords = subwords;
        self
    }

    /// Sets whether white space is kept as tokens. With it [`Tokenizer::decode`] gives back every text as it is read, and as
    /// it was where that is the same: without lower case, normal form and another form of Chinese.
    pub fn with_white_space(mut self, white_space: bool) -> Self {
        self.white_space = white_space;
        self
    }

    /// Whether this build of the program can cut texts so.
    ///
    /// # Errors
    /// A sentence, where the segmentation needs a dictionary that the program was built without.
    pub fn check(&self) -> Result<(), String> {
        match self.segmentation {
            Segmentation::Jieba if !cfg!(feature = "jieba") => {
                Err("is jieba, but this program was built without jieba's dictionary".into())
            }
            other if other != Segmentation::Jieba && self.words.is_some() => {
                Err(format!("is {other}, but words were added to jieba's dictionary"))
            }
            other if other.subwords() != self.subwords.as_ref().map(Subwords::method) => {
                let learnt = self.subwords.as_ref().map_or("none".into(), |subwords| subwords.method().to_string());
                Err(format!("is {other}, but the pieces of words that were learnt are {learnt}"))
            }
            _ if self.chinese != Chinese::AsIs && !cfg!(feature = "chinese") => {
                Err(format!("reads Chinese as {}, but this program was built without the tables for it", self.chinese))
            }
            _ => Ok(()),
        }
    }

    /// The text that tokens make up. Where white space was kept it is the text as it is read, in lower case if tokens are; else a
    /// space stands between any two tokens, but not beside Han or kana and not before closing punctuation; tokens that are
    /// single characters are put together as they are.
    pub fn decode<T: AsRef<str>>(&self, tokens: impl IntoIterator<Item = T>) -> String {
        let mut text = String::new();
        for token in tokens {
            let token = token.as_ref();
            let apart = !self.white_space && self.segmentation != Segmentation::Characters;
            if apart && parted(text.chars().next_back(), token.chars().next()) {
                text.push(' ');
            }
            text.push_str(token);
        }
        // The blank that every text of pieces begins with.
        if self.segmentation.subwords().is_some() && text.starts_with(' ') {
            text.remove(0);
        }
        text
    }

    /// The tokens of `text` in order. Only white space, and marks that are not read, lies between them, and nothing at all
    /// where white space is kept. They do not overlap, but that a character which is read as several may be shared.
    pub fn tokenize<'t>(&self, text: &'t str) -> Vec<Token<'t>> {
        let Some(read) = self.read(text) else { return self.cut(text) };
        let owned = |token: Token<'_>| {
            let (start, end) = read.place(token.start, token.end);
            Token { start, end, ..token.into_owned() }
        };
        self.cut(&read.text).into_iter().map(owned).collect()
    }

    /// What is read of a token that was cut before.
    pub fn as_token<'t>(&self, token: &'t str) -> Cow<'t, str> {
        match self.read(token) {
            Some(read) => Cow::Owned(Token::new(&read.text, 0, self.lowercase).text.into_owned()),
            None => Token::new(token, 0, self.lowercase).text,
        }
    }

    /// What is read of `text`; `None` where that is the text itself.
    pub(super) fn read(&self, text: &str) -> Option<ReadText> {
        let read = self.reading().read(text);
        match self.segmentation.subwords() {
            Some(_) => Some(ReadText::behind_blank(text, read)),
            None => read,
        }
    }

    /// Counts the words of which pieces are learnt.
    pub(super) fn count_words(&self, text: &str, counts: &mut WordCounts) {
        let read = self.read(text);
        counts.add(read.as_ref().map_or(text, |read| &read.text), self.lowercase);
    }

    /// What is said of how characters are read, behind a noun; nothing where they are read as they stand.
    pub(super) fn reads(&self) -> String {
        let form = (self.normalization == Normalization::Nfkc).then(|| "NFKC".to_owned());
        let chinese = (self.chinese != Chinese::AsIs).then(|| format!("{} Chinese", self.chinese));
        let said: Vec<String> = form.into_iter().chain(chinese).collect();
        if said.is_empty() { String::new() } else { format!(" read as {}", said.join(" and ")) }
    }

    /// How characters are read.
    pub(super) fn reading(&self) -> Reading {
        Reading::new(self.normalization, self.chinese)
    }

    /// The tokens of what is read of a text, with their places in that.
    pub(super) fn cut<'t>(&self, read: &'t str) -> Vec<Token<'t>> {
        let mut tokens = Vec::new();
        match self.segmentation {
            Segmentation::Words => self.push_words(read, 0, &mut tokens),
            Segmentation::Characters => {
                for (start, piece) in read.grapheme_indices(true) {
                    self.push(piece, start, &mut tokens);
                }
            }
            Segmentation::Jieba => self.push_mixed(read, &mut tokens),
            Segmentation::Bpe | Segmentation::Unigram => {
                for (start, end) in self.subwords.iter().flat_map(|subwords| subwords.pieces(read, self.lowercase)) {
                    self.push(&read[start..end], start, &mut tokens);
                }
            }
        }
        tokens
    }

    fn push<'t>(&self, piece: &'t str, start: usize, tokens: &mut Vec<Token<'t>>) {
        if !self.white_space && piece.trim().is_empty() {
            return;
        }
        tokens.push(Token::new(piece, start, self.lowercase));
    }

    fn push_words<'t>(&self, text: &'t str, offset: usize, tokens: &mut Vec<Token<'t>>) {
        for (start, piece) in text.split_word_bound_indices() {
            self.push(piece, offset + start, tokens);
        }
    }

    /// Cuts out the added words that jieba would not look for, and what lies between them by its scripts.
    fn push_mixed<'t>(&self, text: &'t str, tokens: &mut Vec<Token<'t>>) {
        let mut start = 0;
        if let Some(words) = &self.words {
            while let Some((from, to)) = words.next_mixed(text, start, self.lowercase) {
                self.push_runs(&text[start..from], start, tokens);
                self.push(&text[from..to], from, tokens);
                start = to;
            }
        }
        self.push_runs(&text[start..], start, tokens);
    }

    /// Cuts runs of Han characters by jieba and what lies between them as words.
    #[cfg(feature = "jieba")]
    fn push_runs<'t>(&self, text: &'t str, offset: usize, tokens: &mut Vec<Token<'t>>) {
        let mut start = 0;
        while start < text.len() {
            let rest = &text[start..];
            let han = rest.starts_with(is_han);
            let length = rest.find(|c| is_han(c) != han).unwrap_or(rest.len());
            let run = &rest[..length];
            if han {
                for word in jieba_with(self.words.as_ref()).cut(run, true) {
                    self.push(word.word, offset + start + word.byte_start, tokens);
                }
            } else {
                self.push_words(run, offset + start, tokens);
            }
            start += length;
        }
    }

    /// Without the dictionary no model that needs it is read, see [`Tokenizer::check`].
    #[cfg(not(feature = "jieba"))]
    fn push_runs<'t>(&self, text: &'t str, offset: usize, tokens: &mut Vec<Token<'t>>) {
        self.push_words(text, offset, tokens);
    }
}

/// Whether a space stands between two tokens that end and begin so.
fn parted(before: Option<char>, after: Option<char>) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return false };
    let joined = |c: char| {
        is_han(c) || is_kana(c) || ('\u{3000}'..='\u{303F}').contains(&c) || ('\u{FF00}'..='\u{FFEF}').contains(&c)
    };
    let closing = matches!(after, '.' | ',' | ';' | ':' | '!' | '?' | ')' | ']' | '}' | '%' | '\u{2019}');
    !(joined(before) || joined(after) || closing || matches!(before, '(' | '[' | '{'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(segmentation: Segmentation, text: &str) -> Vec<String> {
        Tokenizer::new(segmentation).tokenize(text).into_iter().map(|token| token.text.into_owned()).collect()
    }

    #[test]
    fn each_segmentation_cuts_as_its_table_says() {
        use Segmentation::{Characters, Jieba, Words};
        let cases: [(Segmentation, &str, &[&str]); 9] = [
            (Words, "What's the U.S. GDP?", &["what's", "the", "u.s", ".", "gdp", "?"]),
            (Words, "  3.14 \t naïve\n", &["3.14", "naïve"]),
            (Words, "我很好", &["我", "很", "好"]),
            (Words, "", &[]),
            (Characters, "Ab é!", &["a", "b", "é", "!"]),
            (Characters, "👩‍👩‍👧 好", &["👩‍👩‍👧", "好"]),
            (Jieba, "我们喜欢北京。", &["我们", "喜欢", "北京", "。"]),
            (Jieba, "用Rust写iPhone的程序, OK?", &["用", "rust", "写", "iphone", "的", "程序", ",", "ok", "?"]),
            (Jieba, "plain words", &["plain", "words"]),
        ];
        for (segmentation, text, expected) in cases {
            assert_eq!(cut(segmentation, text), expected, "{segmentation} of {text:?}");
        }
        let kept = Tokenizer::new(Words).with_lowercase(false);
        assert_eq!(kept.tokenize("USA").first().map(|token| token.text.clone()), Some(Cow::Borrowed("USA")));
    }

    #[test]
    fn tokens_without_white_space_are_put_together_as_people_write() {
        let decode = |tokens: &[&str]| Tokenizer::new(Segmentation::Jieba).decode(tokens);
        assert_eq!(decode(&["we", "met", "(", "twice", ")", ",", "no", "?"]), "we met (twice), no?");
        assert_eq!(decode(&["我们", "喜欢", "rust", "。"]), "我们喜欢rust。");
        assert_eq!(Tokenizer::new(Segmentation::Characters).decode(["a", "b"]), "ab");
        assert_eq!(decode(&[]), "");
    }

    proptest! {
        #[test]
        fn tokens_cover_all_but_white_space_in_order(text in "(\\PC|[ \n\t]|[一-龥]|[a-zA-Z]){0,40}", lowercase: bool) {
            for segmentation in [Segmentation::Words, Segmentation::Characters, Segmentation::Jieba] {
                let mut at = 0;
                let tokenizer = Tokenizer::new(segmentation).with_normalization(Normalization::None);
                for token in tokenizer.with_lowercase(lowercase).tokenize(&text) {
                    prop_assert!(token.start >= at && token.end > token.start);
                    prop_assert!(text[at..token.start].trim().is_empty(), "{:?} lost", &text[at..token.start]);
                    let original = &text[token.start..token.end];
                    let expected = if lowercase { original.to_lowercase() } else { original.to_owned() };
                    prop_assert_eq!(&*token.text, expected.as_str());
                    at = token.end;
                }
                prop_assert!(text[at..].trim().is_empty());
            }
        }

        #[test]
        fn with_white_space_every_text_comes_back_as_it_was(text in "(\\PC|[ \n\t\r]|[一-龥]|[a-zA-Z]){0,40}") {
            for segmentation in [Segmentation::Words, Segmentation::Characters, Segmentation::Jieba] {
                let tokenizer = Tokenizer::new(segmentation).with_lowercase(false).with_white_space(true);
                let read = tokenizer.read(&text).map_or_else(|| text.clone(), |read| read.text);
                for (tokenizer, expected) in
                    [(tokenizer.clone(), &read), (tokenizer.with_normalization(Normalization::None), &text)]
                {
                    let tokens = tokenizer.tokenize(&text);
                    prop_assert_eq!(&tokenizer.decode(tokens.iter().map(|token| &token.text)), expected);
                }
            }
        }

        #[test]
        fn a_text_is_cut_as_what_is_read_of_it(text in "(\\PC|[ \u{AD}\u{200B}]|[\u{FF01}-\u{FFDC}]|[一-龥]|[a-zA-Z]){0,40}") {
            for segmentation in [Segmentation::Words, Segmentation::Characters, Segmentation::Jieba] {
                let tokenizer = Tokenizer::new(segmentation);
                let read = tokenizer.read(&text).map_or_else(|| text.clone(), |read| read.text);
                let (found, expected) = (tokenizer.tokenize(&text), tokenizer.cut(&read));
                prop_assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(&expected) {
                    prop_assert_eq!(&found.text, &expected.text);
                    prop_assert!(found.start < found.end && text.get(found.start..found.end).is_some());
                }
                for (found, expected) in found.windows(2).zip(expected.windows(2)) {
                    // What stands side by side does so in the original, and a gap is one there, unless it is in a
                    // character that is read as several words.
                    let (joined, shared) = (expected[1].start == expected[0].end, found[1].start < found[0].end);
                    prop_assert!(shared || joined == (found[1].start == found[0].end));
                }
            }
        }
    }
}
