//! Words out of characters: the tag of a character says where in a word it stands, and the word's own tag (Xue 2003).

use unicode_segmentation::UnicodeSegmentation;

use super::Tags;
use super::scheme::{Scheme, Span};
use crate::input::{Labelled, Raw, Token};

/// The scheme in which characters spell words.
pub const SCHEME: Scheme = Scheme::Bmes;

/// A sentence of words with tags as a sentence of characters: `迈向/v` becomes `迈/B-v 向/E-v`. The characters are those that
/// [`Segmentation::Characters`](crate::input::tokenizer::Segmentation::Characters) cuts; white space within a word is none.
pub(super) fn to_characters(sentence: Labelled<Tags>) -> Labelled<Tags> {
    let Raw::Tokens(words) = &sentence.raw else { return sentence };
    let (mut characters, mut tags) = (Vec::new(), Tags::default());
    for ((word, name), &line) in words.iter().zip(&sentence.label.names).zip(&sentence.label.lines) {
        let own = word.graphemes(true).filter(|character| !character.trim().is_empty());
        let own: Vec<String> = own.map(str::to_owned).collect();
        for place in 0..own.len() {
            let part = match (place == 0, place + 1 == own.len()) {
                (true, true) => "S",
                (true, false) => "B",
                (false, true) => "E",
                (false, false) => "M",
            };
            tags.names.push(format!("{part}-{name}"));
            tags.lines.push(line);
        }
        characters.extend(own);
    }
    Labelled { raw: Raw::Tokens(characters), label: tags, line: sentence.line }
}

/// The words of a text whose characters have these tags, and the tag of each. No word goes over white space.
pub(super) fn words<S: AsRef<str>>(tokens: &[Token<'_>], tags: &[S]) -> Vec<Span> {
    let mut words: Vec<Span> = Vec::new();
    for Span { label, start, end } in SCHEME.spans(tags) {
        let mut first = start;
        for place in start + 1..=end {
            if place == end || tokens[place].start > tokens[place - 1].end {
                words.push(Span { label: label.clone(), start: first, end: place });
                first = place;
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::tokenizer::{Segmentation, Tokenizer};

    #[test]
    fn words_become_characters_and_characters_words() {
        let words_of = ["迈向", "的", "一九九八年"].map(str::to_owned).to_vec();
        let names = ["v", "u", "t"].map(str::to_owned).to_vec();
        let label = Tags { names, lines: vec![3, 3, 3] };
        let sentence = to_characters(Labelled { raw: Raw::Tokens(words_of), label, line: 3 });
        let Labelled { raw: Raw::Tokens(characters), label: tags, line: 3 } = &sentence else { panic!() };
        assert_eq!(characters.concat(), "迈向的一九九八年");
        assert_eq!(tags.names.join(" "), "B-v E-v S-u B-t M-t M-t M-t E-t");
        assert_eq!(tags.lines, [3; 8]);
        let tokenizer = Tokenizer::new(Segmentation::Characters);
        let found = |text: &str| {
            let words = words(&tokenizer.tokenize(text), &tags.names);
            words.into_iter().map(|word| format!("{}-{} {}", word.start, word.end, word.label)).collect::<Vec<_>>()
        };
        assert_eq!(found("迈向的一九九八年"), ["0-2 v", "2-3 u", "3-8 t"]);
        assert_eq!(found("迈向的一九 九八年"), ["0-2 v", "2-3 u", "3-5 t", "5-8 t"], "white space ends a word");
    }
}
