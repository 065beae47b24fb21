use proptest::prelude::*;

use super::*;
use crate::input::tokenizer::{Segmentation, Tokenizer};

const METHODS: [SubwordMethod; 2] = [SubwordMethod::Bpe, SubwordMethod::Unigram];

/// Sentences of words that are made of a few stems and endings, with rules of dashes between.
fn sentences() -> Vec<String> {
    let (stems, endings) = (["walk", "talk", "jump", "żółw", "play", "open"], ["", "s", "ed", "ing", "er", "ers"]);
    let mut state = 7usize;
    let mut draw = |most: usize| {
        state = (state * 1_103_515_245 + 12_345) % (1 << 31);
        (state >> 8) % most
    };
    let mut word = || format!("{}{}", stems[draw(stems.len())], endings[draw(endings.len())]);
    let sentence = |i: usize| format!("{} {}, {} {}", word(), word(), word(), "-".repeat(i % 17));
    (0..120).map(sentence).collect()
}

fn learnt(method: SubwordMethod, size: usize) -> Subwords {
    let sentences = sentences();
    Subwords::learn(method, &WordCounts::of(sentences.iter().map(String::as_str)), size).unwrap()
}

#[test]
fn stems_and_endings_are_found_and_no_more_pieces_than_are_asked_for() {
    for method in METHODS {
        let subwords = learnt(method, 70);
        assert!(subwords.len() > 40 && subwords.len() <= 70, "{method}: {}", subwords.len());
        assert_eq!(subwords.method(), method);
        assert_eq!(subwords.tokens("talk"), [" talk"], "{subwords:?}");
        assert_eq!(subwords.tokens_behind("s"), ["s"], "{method}");
        // Words that were not there are cut, and what no word has is a piece of its own.
        assert_eq!(subwords.tokens("talkqqs"), [" talk", "qq", "s"], "{method}");
        assert!(subwords.tokens("").is_empty());
    }
    // By hand: "ab" stands three times in words, and with the blank before it two times.
    let words = WordCounts::of(["ab ab", "xab"]);
    let bpe = Subwords::learn(SubwordMethod::Bpe, &words, 100).unwrap();
    let expected = r#"{"bpe":{"alphabet":" abx","merges":[["a","b"],[" ","ab"]]}}"#;
    assert_eq!(serde_json::to_string(&bpe).unwrap(), expected);
}

#[test]
fn as_few_pieces_as_there_are_characters_are_learnt_or_refused() {
    for method in METHODS {
        let words = WordCounts::of(["ab ab ba", "abab bb a"]);
        // There are three characters. Of the unigram model one more must fit, or nothing is learnt, for ever.
        let least = if method == SubwordMethod::Bpe { 3 } else { 4 };
        let problem = Subwords::learn(method, &words, least - 1).unwrap_err();
        assert!(problem.contains(&format!("wants {least} at least")), "{problem}");
        for size in least..12 {
            let subwords = Subwords::learn(method, &words, size).unwrap();
            assert!(subwords.len() <= size, "{method}: {} of {size}: {subwords:?}", subwords.len());
            assert_eq!(subwords.tokens("ab ba").concat(), " ab ba");
        }
    }
}

#[test]
fn the_same_texts_give_the_same_pieces_on_any_number_of_threads() {
    for method in METHODS {
        let first = serde_json::to_string(&learnt(method, 70)).unwrap();
        for threads in [1, 2, 3, 8, 1, 2, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| serde_json::to_string(&learnt(method, 70)).unwrap()), first, "{method}");
        }
    }
}

#[test]
fn what_was_learnt_comes_back_and_what_is_damaged_is_refused() {
    for method in METHODS {
        let subwords = learnt(method, 70);
        let stored = serde_json::to_string(&subwords).unwrap();
        let again: Subwords = serde_json::from_str(&stored).unwrap();
        assert_eq!(again, subwords);
        for text in sentences() {
            assert_eq!(again.tokens(&text), subwords.tokens(&text));
        }
    }
    for wrong in [
        r#"{"bpe":{"alphabet":"ab","merges":[["a","c"]]}}"#,
        r#"{"bpe":{"alphabet":"ab","merges":[["","a"]]}}"#,
        r#"{"bpe":{"alphabet":"ab"}}"#,
        r#"{"unigram":{"pieces":[["",-1.0]]}}"#,
        r#"{"unigram":{"pieces":[["a",1e999]]}}"#,
        r#"{"other":{"pieces":[]}}"#,
        "3",
    ] {
        assert!(serde_json::from_str::<Subwords>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn texts_with_more_characters_than_pieces_are_refused_and_few_texts_are_not() {
    for method in METHODS {
        let problem = Subwords::learn(method, &WordCounts::of(["abcdef"]), 6).unwrap_err();
        assert!(problem.contains("7 different characters"), "{problem}");
        for texts in [&[][..], &[""], &["a"], &[" "], &["aaaaaaaaaaaaaaaa"], &["ab", "ab"], &["\0\u{1}", "<UNK>"]] {
            let subwords = Subwords::learn(method, &WordCounts::of(texts.iter().copied()), 20).unwrap();
            for text in texts {
                assert_eq!(subwords.tokens(text).concat().strip_prefix(' ').unwrap_or_default(), *text, "{method}");
            }
        }
    }
}

#[test]
fn pieces_know_where_they_stand_in_the_original() {
    for (method, segmentation) in
        [(SubwordMethod::Bpe, Segmentation::Bpe), (SubwordMethod::Unigram, Segmentation::Unigram)]
    {
        let tokenizer = Tokenizer::new(segmentation).with_white_space(true).with_subwords(Some(learnt(method, 70)));
        tokenizer.check().unwrap();
        let text = "ＷＡＬＫqqs  Ż\u{AD}ÓŁWqq";
        let tokens = tokenizer.tokenize(text);
        let found: Vec<(&str, &str)> =
            tokens.iter().map(|token| (&*token.text, &text[token.start..token.end])).collect();
        let expected =
            [(" walk", "ＷＡＬＫ"), ("qq", "qq"), ("s", "s"), (" ", " "), (" żółw", "Ż\u{AD}ÓŁW"), ("qq", "qq")];
        assert_eq!(found, expected, "{method}");
    }
    let without = Tokenizer::new(Segmentation::Bpe);
    assert!(without.check().unwrap_err().contains("none"));
}

proptest! {
    #[test]
    fn any_text_is_made_up_of_its_pieces(text in "(\\PC|[ \n\t\r]|[一-龥]|[a-zA-Zİß]|talking){0,40}", lowercase: bool) {
        use std::sync::LazyLock;
        static LEARNT: LazyLock<[Subwords; 2]> = LazyLock::new(|| METHODS.map(|method| learnt(method, 70)));
        for subwords in LEARNT.iter() {
            prop_assert_eq!(subwords.tokens_behind(&text).concat(), text.clone());
            if !text.is_empty() {
                prop_assert_eq!(subwords.tokens(&text).concat(), format!(" {text}"));
            }
            let mut at = 0;
            for (start, end) in subwords.pieces(&text, lowercase) {
                prop_assert!(start == at && end > start && text.get(start..end).is_some());
                at = end;
            }
            prop_assert_eq!(at, text.len());
            let segmentation = match subwords.method() {
                SubwordMethod::Bpe => Segmentation::Bpe,
                SubwordMethod::Unigram => Segmentation::Unigram,
            };
            let tokenizer = Tokenizer::new(segmentation).with_white_space(true).with_lowercase(false);
            let tokenizer = tokenizer.with_subwords(Some(subwords.clone()));
            let read = Tokenizer::new(Segmentation::Words).read(&text).map_or_else(|| text.clone(), |read| read.text);
            let tokens = tokenizer.tokenize(&text);
            prop_assert_eq!(tokenizer.decode(tokens.iter().map(|token| &token.text)), read);
            prop_assert!(tokens.windows(2).all(|pair| pair[0].start <= pair[1].start));
            prop_assert!(tokens.iter().all(|token| text.get(token.start..token.end).is_some()));
        }
    }
}
