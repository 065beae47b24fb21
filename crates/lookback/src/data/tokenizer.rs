//! Cutting a text into tokens that know where they stand in it.
//!
//! | segmentation | a token is |
//! |---|---|
//! | words | a word of Unicode Standard Annex 29, or a punctuation mark |
//! | characters | a user-perceived character (grapheme cluster) |
//! | jieba | as words, but each run of Han characters is cut into Chinese words by jieba |
//!
//! White space is never a token. A text that mixes scripts is cut well by `jieba`: what is not Han is cut as words.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use jieba_rs::Jieba;
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use crate::error::DataError;

/// How a text is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Segmentation {
    /// Unicode words and punctuation marks.
    Words,
    /// Grapheme clusters.
    Characters,
    /// Unicode words, with runs of Han characters cut by jieba.
    Jieba,
}

impl fmt::Display for Segmentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Words => "words",
            Self::Characters => "characters",
            Self::Jieba => "jieba",
        })
    }
}

impl FromStr for Segmentation {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        match text {
            "words" => Ok(Self::Words),
            "characters" => Ok(Self::Characters),
            "jieba" => Ok(Self::Jieba),
            _ => Err(DataError::UnknownValue {
                what: "segmentation",
                value: text.to_owned(),
                expected: "words, characters or jieba",
            }),
        }
    }
}

/// A segmentation as a person asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenizerChoice {
    /// Chosen by the scripts of the training texts, see [`TokenizerChoice::resolve`].
    #[default]
    Auto,
    /// [`Segmentation::Words`].
    Words,
    /// [`Segmentation::Characters`].
    Characters,
    /// [`Segmentation::Jieba`].
    Jieba,
}

impl TokenizerChoice {
    /// The segmentation for these training texts.
    ///
    /// `Auto` counts letters. Where kana are 5 % of them or more the text is Japanese, which jieba does not know,
    /// and is cut into characters. Else, where Han characters are 1 % or more, it is cut by jieba, and the words of
    /// other scripts in it as words. Else it is cut into words.
    pub fn resolve<'a>(self, texts: impl IntoIterator<Item = &'a str>) -> Segmentation {
        match self {
            Self::Words => Segmentation::Words,
            Self::Characters => Segmentation::Characters,
            Self::Jieba => Segmentation::Jieba,
            Self::Auto => {
                let (mut letters, mut han, mut kana) = (0usize, 0usize, 0usize);
                for letter in texts.into_iter().flat_map(str::chars).filter(|c| c.is_alphabetic()) {
                    letters += 1;
                    han += usize::from(is_han(letter));
                    kana += usize::from(is_kana(letter));
                }
                if letters == 0 {
                    Segmentation::Words
                } else if kana * 20 >= letters {
                    Segmentation::Characters
                } else if han * 100 >= letters {
                    Segmentation::Jieba
                } else {
                    Segmentation::Words
                }
            }
        }
    }
}

impl fmt::Display for TokenizerChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Words => "words",
            Self::Characters => "characters",
            Self::Jieba => "jieba",
        })
    }
}

impl FromStr for TokenizerChoice {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        match text {
            "auto" => Ok(Self::Auto),
            "words" => Ok(Self::Words),
            "characters" => Ok(Self::Characters),
            "jieba" => Ok(Self::Jieba),
            _ => Err(DataError::UnknownValue {
                what: "tokenizer",
                value: text.to_owned(),
                expected: "auto, words, characters or jieba",
            }),
        }
    }
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token<'t> {
    /// What the token reads, in lower case if the tokenizer says so.
    pub text: Cow<'t, str>,
    /// The byte at which it starts in the original text.
    pub start: usize,
    /// The byte after its last in the original text.
    pub end: usize,
}

/// Cuts texts into tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokenizer {
    /// How a text is cut.
    pub segmentation: Segmentation,
    /// Whether tokens are turned to lower case.
    pub lowercase: bool,
}

impl Tokenizer {
    /// A tokenizer that turns tokens to lower case.
    pub fn new(segmentation: Segmentation) -> Self {
        Self { segmentation, lowercase: true }
    }

    /// Sets whether tokens are turned to lower case.
    pub fn with_lowercase(mut self, lowercase: bool) -> Self {
        self.lowercase = lowercase;
        self
    }

    /// The tokens of `text` in order. They do not overlap, and only white space lies between them.
    pub fn tokenize<'t>(&self, text: &'t str) -> Vec<Token<'t>> {
        let mut tokens = Vec::new();
        match self.segmentation {
            Segmentation::Words => self.push_words(text, 0, &mut tokens),
            Segmentation::Characters => {
                for (start, piece) in text.grapheme_indices(true) {
                    self.push(piece, start, &mut tokens);
                }
            }
            Segmentation::Jieba => self.push_mixed(text, &mut tokens),
        }
        tokens
    }

    fn push<'t>(&self, piece: &'t str, start: usize, tokens: &mut Vec<Token<'t>>) {
        if piece.trim().is_empty() {
            return;
        }
        let changes = self.lowercase && piece.chars().any(|c| !c.to_lowercase().eq([c]));
        let text = if changes { Cow::Owned(piece.to_lowercase()) } else { Cow::Borrowed(piece) };
        tokens.push(Token { text, start, end: start + piece.len() });
    }

    fn push_words<'t>(&self, text: &'t str, offset: usize, tokens: &mut Vec<Token<'t>>) {
        for (start, piece) in text.split_word_bound_indices() {
            self.push(piece, offset + start, tokens);
        }
    }

    /// Cuts runs of Han characters by jieba and what lies between them as words.
    fn push_mixed<'t>(&self, text: &'t str, tokens: &mut Vec<Token<'t>>) {
        let mut start = 0;
        while start < text.len() {
            let rest = &text[start..];
            let han = rest.starts_with(is_han);
            let length = rest.find(|c| is_han(c) != han).unwrap_or(rest.len());
            let run = &rest[..length];
            if han {
                for word in jieba().cut(run, true) {
                    self.push(word.word, start + word.byte_start, tokens);
                }
            } else {
                self.push_words(run, start, tokens);
            }
            start += length;
        }
    }
}

/// The dictionary takes about a third of a second to load, so it is loaded once and only when Han characters are met.
fn jieba() -> &'static Jieba {
    static JIEBA: OnceLock<Jieba> = OnceLock::new();
    JIEBA.get_or_init(Jieba::new)
}

/// Han characters: the unified ideographs, the planes of their extensions, the compatibility ideographs, 々 and 〇.
fn is_han(c: char) -> bool {
    matches!(c,
        '\u{4E00}'..='\u{9FFF}' | '\u{3400}'..='\u{4DBF}' | '\u{20000}'..='\u{323AF}'
        | '\u{F900}'..='\u{FAFF}' | '\u{3005}' | '\u{3007}')
}

fn is_kana(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{309F}' | '\u{30A1}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}' | '\u{FF66}'..='\u{FF9F}')
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
    fn auto_chooses_by_the_scripts() {
        let cases: [(&[&str], Segmentation); 7] = [
            (&["What is this?", "Who is it?"], Segmentation::Words),
            (&["这家酒店很好"], Segmentation::Jieba),
            (&["Where is the station?", "车站在哪里"], Segmentation::Jieba),
            (&["この映画はとても面白かった"], Segmentation::Characters),
            (&["Где находится вокзал?"], Segmentation::Words),
            (&["12 34 !?"], Segmentation::Words),
            (&[], Segmentation::Words),
        ];
        for (texts, expected) in cases {
            assert_eq!(TokenizerChoice::Auto.resolve(texts.iter().copied()), expected, "{texts:?}");
        }
        assert_eq!(TokenizerChoice::Characters.resolve(["words"]), Segmentation::Characters);
    }

    #[test]
    fn names_are_read_and_unknown_ones_told() {
        for name in ["auto", "words", "characters", "jieba"] {
            assert_eq!(name.parse::<TokenizerChoice>().expect("a known name").to_string(), name);
        }
        let message = "wordz".parse::<TokenizerChoice>().unwrap_err().to_string();
        assert_eq!(message, "\"wordz\" is not a tokenizer; auto, words, characters or jieba was expected");
    }

    proptest! {
        #[test]
        fn tokens_cover_all_but_white_space_in_order(text in "(\\PC|[ \n\t]|[一-龥]|[a-zA-Z]){0,40}", lowercase: bool) {
            for segmentation in [Segmentation::Words, Segmentation::Characters, Segmentation::Jieba] {
                let mut at = 0;
                for token in Tokenizer::new(segmentation).with_lowercase(lowercase).tokenize(&text) {
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
    }
}
