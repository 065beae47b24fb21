//! How texts are cut, and how that is chosen by what they are written in.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::subwords::SubwordMethod;

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
    /// Pieces of words by byte-pair encoding.
    Bpe,
    /// Pieces of words by the unigram model.
    Unigram,
}

impl Segmentation {
    /// By which method pieces of words are learnt; `None` where tokens are not learnt.
    pub fn subwords(self) -> Option<SubwordMethod> {
        match self {
            Segmentation::Words | Segmentation::Characters | Segmentation::Jieba => None,
            Segmentation::Bpe => Some(SubwordMethod::Bpe),
            Segmentation::Unigram => Some(SubwordMethod::Unigram),
        }
    }
}

impl fmt::Display for Segmentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Words => "words",
            Self::Characters => "characters",
            Self::Jieba => "jieba",
            Self::Bpe => "bpe",
            Self::Unigram => "unigram",
        })
    }
}

/// A segmentation as a person asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum TokenizerChoice {
    /// Chinese words where the texts are mostly Chinese, words otherwise
    #[default]
    Auto,
    /// Words as Unicode finds them
    Words,
    /// Single characters
    Characters,
    /// Chinese words by jieba
    Jieba,
    /// Pieces of words, learnt by byte-pair encoding
    Bpe,
    /// Pieces of words, learnt by the unigram model
    Unigram,
}

impl From<Segmentation> for TokenizerChoice {
    fn from(segmentation: Segmentation) -> Self {
        match segmentation {
            Segmentation::Words => Self::Words,
            Segmentation::Characters => Self::Characters,
            Segmentation::Jieba => Self::Jieba,
            Segmentation::Bpe => Self::Bpe,
            Segmentation::Unigram => Self::Unigram,
        }
    }
}

impl TokenizerChoice {
    /// By which method pieces of words are to be learnt; `None` where tokens are not learnt.
    pub fn subwords(self) -> Option<SubwordMethod> {
        match self {
            Self::Auto | Self::Words | Self::Characters | Self::Jieba => None,
            Self::Bpe => Some(SubwordMethod::Bpe),
            Self::Unigram => Some(SubwordMethod::Unigram),
        }
    }

    /// The segmentation for these training texts.
    ///
    /// `Auto` counts letters. Where kana are 5 % of them or more the text is Japanese, which jieba does not know,
    /// and is cut into characters. Else, where Han characters are 1 % or more, it is cut by jieba, and the words of
    /// other scripts in it as words. Else it is cut into words. `are_tokens`: whether the texts are tokens that were cut
    /// before; where those with Han characters have one each, texts are to be cut so too.
    pub fn resolve<'a>(self, texts: impl IntoIterator<Item = &'a str>, are_tokens: bool) -> Segmentation {
        match self {
            Self::Words => Segmentation::Words,
            Self::Characters => Segmentation::Characters,
            Self::Jieba => Segmentation::Jieba,
            Self::Bpe => Segmentation::Bpe,
            Self::Unigram => Segmentation::Unigram,
            Self::Auto => {
                let (mut letters, mut han, mut kana) = (0usize, 0usize, 0usize);
                let (mut with_han, mut alone) = (0usize, 0usize);
                for text in texts {
                    let before = han;
                    for letter in text.chars().filter(|c| c.is_alphabetic()) {
                        letters += 1;
                        han += usize::from(is_han(letter));
                        kana += usize::from(is_kana(letter));
                    }
                    with_han += usize::from(han > before);
                    alone += usize::from(han == before + 1);
                }
                if letters == 0 {
                    Segmentation::Words
                } else if kana * 20 >= letters || are_tokens && with_han > 0 && alone * 20 >= with_han * 19 {
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

/// Han characters: the unified ideographs, the planes of their extensions, the compatibility ideographs, 々 and 〇.
pub(super) fn is_han(c: char) -> bool {
    matches!(c,
        '\u{4E00}'..='\u{9FFF}' | '\u{3400}'..='\u{4DBF}' | '\u{20000}'..='\u{323AF}'
        | '\u{F900}'..='\u{FAFF}' | '\u{3005}' | '\u{3007}')
}

pub(super) fn is_kana(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{309F}' | '\u{30A1}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}' | '\u{FF66}'..='\u{FF9F}')
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(TokenizerChoice::Auto.resolve(texts.iter().copied(), false), expected, "{texts:?}");
        }
        assert_eq!(TokenizerChoice::Characters.resolve(["words"], false), Segmentation::Characters);
        // Tokens that were cut before, into characters and into words.
        for (tokens, expected) in
            [("张 三 去 了 北 京 .", Segmentation::Characters), ("张三 去 了 北京", Segmentation::Jieba)]
        {
            assert_eq!(TokenizerChoice::Auto.resolve(tokens.split(' '), true), expected, "{tokens}");
        }
    }
}
