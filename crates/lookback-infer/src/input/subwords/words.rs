//! The words beyond which no piece of one reaches.

use unicode_segmentation::UnicodeSegmentation;

use crate::input::segmentation::{is_han, is_kana};

/// No word is longer, in characters; what is longer is cut, so that the time for a word has a bound.
const LONGEST: usize = 64;

/// Where the words of a text start and end, in bytes: a word of Unicode Standard Annex 29 with the blank before it; a mark
/// of punctuation likewise; white space but for that blank. Letters of scripts without blanks, each of which the annex
/// takes for a word, are one word as long as they follow each other. Nothing lies between two words.
pub(super) fn words(text: &str) -> Vec<(usize, usize)> {
    let mut words: Vec<(usize, usize)> = Vec::new();
    // Where a blank stands that belongs to the word behind it.
    let mut blank = None;
    for (at, piece) in text.split_word_bound_indices() {
        let end = at + piece.len();
        if piece.trim().is_empty() {
            words.extend(blank.take().map(|blank| (blank, at)));
            let before = end - usize::from(piece.ends_with(' '));
            if at < before {
                words.push((at, before));
            }
            if before < end {
                blank = Some(before);
            }
            continue;
        }
        match (blank.take(), words.last_mut()) {
            (None, Some(last)) if last.1 == at && are_one(&text[last.0..at], piece) => last.1 = end,
            (blank, _) => words.push((blank.unwrap_or(at), end)),
        }
    }
    words.extend(blank.map(|blank| (blank, text.len())));
    words.into_iter().flat_map(|word| bounded(text, word)).collect()
}

/// Whether two words that stand side by side are letters of one word.
fn are_one(before: &str, after: &str) -> bool {
    let (Some(last), Some(first)) = (before.chars().next_back(), after.chars().next()) else { return false };
    let is_cjk = |c: char| is_han(c) || is_kana(c);
    last.is_alphabetic() && first.is_alphabetic() && is_cjk(last) == is_cjk(first)
}

/// A word, in several where it is too long.
fn bounded(text: &str, (start, end): (usize, usize)) -> Vec<(usize, usize)> {
    let word = &text[start..end];
    if word.len() <= LONGEST {
        return vec![(start, end)];
    }
    let starts = word.char_indices().step_by(LONGEST).map(|(at, _)| start + at);
    let mut bounds: Vec<usize> = starts.chain([end]).collect();
    bounds.dedup();
    bounds.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_carry_the_blank_before_them() {
        let cases: [(&str, &[&str]); 8] = [
            (" The U.S. won, 3-1!", &[" The", " U.S", ".", " won", ",", " 3", "-", "1", "!"]),
            (" a  b ", &[" a", " ", " b", " "]),
            (" a\n b\t", &[" a", "\n", " b", "\t"]),
            (" 用Rust写的程序。", &[" 用", "Rust", "写的程序", "。"]),
            (" この映画は", &[" この映画は"]),
            (" เปิดไฟล์", &[" เปิดไฟล์"]),
            ("ab", &["ab"]),
            ("", &[]),
        ];
        for (text, expected) in cases {
            let found: Vec<&str> = words(text).into_iter().map(|(start, end)| &text[start..end]).collect();
            assert_eq!(found, expected, "{text:?}");
        }
        let long = "x".repeat(150);
        assert_eq!(words(&long), [(0, 64), (64, 128), (128, 150)]);
    }

    proptest! {
        #[test]
        fn words_cover_the_text(text in "(\\PC|[ \n\t\u{A0}]|[一-龥]|[ก-ฮ]|[a-zA-Z.]){0,80}") {
            let mut at = 0;
            for (start, end) in words(&text) {
                prop_assert!(start == at && end > start && text[start..end].chars().count() <= LONGEST);
                at = end;
            }
            prop_assert_eq!(at, text.len());
        }
    }
}
