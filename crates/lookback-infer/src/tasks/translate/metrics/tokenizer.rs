//! How texts are cut before BLEU compares them.

use serde::{Deserialize, Serialize};

use super::{is_space, words};

/// How sacreBLEU cuts texts into tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum BleuTokenizer {
    /// Punctuation apart, as mteval-v13a does: for languages with blanks between words
    #[default]
    #[serde(rename = "13a")]
    #[cfg_attr(feature = "clap", value(name = "13a"))]
    V13a,
    /// Each Chinese character by itself, all else as 13a
    Zh,
    /// Each character by itself
    Char,
    /// At white space alone, for texts that are cut already
    None,
}

impl BleuTokenizer {
    /// As options and signatures call it.
    pub fn name(self) -> &'static str {
        match self {
            BleuTokenizer::V13a => "13a",
            BleuTokenizer::Zh => "zh",
            BleuTokenizer::Char => "char",
            BleuTokenizer::None => "none",
        }
    }

    /// The tokens of a text.
    pub fn tokens(self, text: &str) -> Vec<String> {
        let text = text.trim_end_matches(is_space);
        match self {
            BleuTokenizer::V13a => punctuation_apart(&format!(" {} ", without_markup(text))),
            BleuTokenizer::Zh => punctuation_apart(&chinese_apart(text.trim_matches(is_space))),
            BleuTokenizer::Char => text.chars().filter(|&c| !is_space(c)).map(String::from).collect(),
            BleuTokenizer::None => words(text).map(str::to_owned).collect(),
        }
    }
}

/// What mteval takes out and reads otherwise before it cuts, in this order.
fn without_markup(text: &str) -> String {
    const REPLACED: [(&str, &str); 7] =
        [("<skipped>", ""), ("-\n", ""), ("\n", " "), ("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")];
    REPLACED.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// With blanks around each Chinese character.
fn chinese_apart(text: &str) -> String {
    let mut apart = String::with_capacity(2 * text.len());
    for c in text.chars() {
        if is_chinese(c) { apart.extend([' ', c, ' ']) } else { apart.push(c) }
    }
    apart
}

/// Whether sacreBLEU takes a character for a Chinese one. Its table has U+20000 to U+2A6D6 written so that it reads as U+2001 to
/// U+2A6D, which are dashes, quotation marks and other signs; so they are apart as well, and the characters meant are not.
fn is_chinese(c: char) -> bool {
    matches!(u32::from(c),
        0x2001..=0x2A6D
        | 0x2E80..=0x2FDF
        | 0x2FF0..=0x303F
        | 0x3100..=0x312F
        | 0x31A0..=0x31BF
        | 0x31C0..=0x31EF
        | 0x3200..=0x33FF
        | 0x3400..=0x4DB5
        | 0x4E00..=0x9FBB
        | 0xF900..=0xFA2D
        | 0xFA30..=0xFA6A
        | 0xFA70..=0xFAD9
        | 0xFE10..=0xFE1F
        | 0xFE30..=0xFE4F
        | 0xFF00..=0xFFEF)
}

/// The four substitutions of mteval-v13a for western languages, one after the other, then the cut at white space.
fn punctuation_apart(text: &str) -> Vec<String> {
    let digit = |c: char| c.is_ascii_digit();
    let point = |c: char| matches!(c, '.' | ',');
    let mut apart = Vec::with_capacity(2 * text.len());
    for c in text.chars() {
        if is_sign(c) { apart.extend([' ', c, ' ']) } else { apart.push(c) }
    }
    // Points behind no digit, points before no digit, hyphens behind a digit.
    let apart = pairs_apart(&apart, |a, b| !digit(a) && point(b), |a, b| [a, ' ', b, ' ']);
    let apart = pairs_apart(&apart, |a, b| point(a) && !digit(b), |a, b| [' ', a, ' ', b]);
    let apart = pairs_apart(&apart, |a, b| digit(a) && b == '-', |a, b| [a, ' ', b, ' ']);
    words(&apart.into_iter().collect::<String>()).map(str::to_owned).collect()
}

/// Whether a sign stands apart wherever it is: those of ASCII but `'`, `,`, `-`, `.`.
fn is_sign(c: char) -> bool {
    matches!(c, '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/')
}

/// Puts what `written` makes of it in the place of each pair of neighbours that `is_pair` takes, from left to right without overlap.
fn pairs_apart(
    text: &[char],
    is_pair: impl Fn(char, char) -> bool,
    written: impl Fn(char, char) -> [char; 4],
) -> Vec<char> {
    let mut apart = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        rest = match rest {
            [a, b, behind @ ..] if is_pair(*a, *b) => {
                apart.extend(written(*a, *b));
                behind
            }
            [a, behind @ ..] => {
                apart.push(*a);
                behind
            }
            [] => return apart,
        };
    }
}
