//! The scores beside those that the programs give which others quote.

use serde_json::Value;

use super::*;

/// What `conformance/translation_scores.py` wrote, the committed file or another that is named.
fn peers() -> Value {
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/translation_scores.json");
    let file = std::env::var("LOOKBACK_SCORES").unwrap_or(committed.to_owned());
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

const TOKENIZERS: [BleuTokenizer; 4] =
    [BleuTokenizer::V13a, BleuTokenizer::Zh, BleuTokenizer::Char, BleuTokenizer::None];

/// Answers with their references.
type Corpus = Vec<(String, Vec<String>)>;

fn judged(corpus: &Corpus) -> Vec<Judged<'_>> {
    corpus.iter().map(|(hypothesis, references)| Judged { hypothesis, references }).collect()
}

fn corpus(sources: &[(&str, &[&str])]) -> Corpus {
    let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    sources.iter().map(|&(hypothesis, references)| (hypothesis.to_owned(), owned(references))).collect()
}

/// The largest differences from the peers, by score.
#[derive(Debug, Default)]
struct Differences(std::collections::BTreeMap<&'static str, f64>);

impl Differences {
    fn note(&mut self, score: &'static str, found: f64, expected: &Value, case: &Value) {
        let difference = (found - expected.as_f64().unwrap()).abs();
        assert!(difference < 1e-6, "{score} is {found} instead of {expected}: {case}");
        let largest = self.0.entry(score).or_default();
        *largest = largest.max(difference);
    }

    fn note_bleu(&mut self, bleu: &Bleu, expected: &Value, case: &Value) {
        self.note("BLEU", bleu.score, &expected[0], case);
        for (place, precision) in bleu.precisions.iter().enumerate() {
            self.note("precisions", *precision, &expected[1][place], case);
        }
        self.note("brevity penalty", bleu.brevity_penalty, &expected[2], case);
        let lengths = [bleu.hypothesis_length, bleu.reference_length].map(Value::from);
        assert_eq!((&lengths[0], &lengths[1]), (&expected[3], &expected[4]), "{case}");
        assert_eq!(bleu.signature, expected[5].as_str().unwrap());
    }
}

#[test]
fn tokens_are_those_of_the_peers() {
    let peers = peers();
    let cases = peers["tokens"].as_array().unwrap();
    for case in cases {
        for tokenizer in TOKENIZERS {
            let found = tokenizer.tokens(case[0].as_str().unwrap()).join(" ");
            assert_eq!(found, case[1][tokenizer.name()].as_str().unwrap(), "{}: {}", tokenizer.name(), case[0]);
        }
    }
    assert!(cases.len() > 150, "{}", cases.len());
}

#[test]
fn scores_are_those_of_the_peers() {
    let peers = peers();
    let cases = peers["corpora"].as_array().unwrap();
    let mut differences = Differences::default();
    for case in cases {
        let of_source = |source: &Value| (source[0].as_str().unwrap().to_owned(), texts(&source[1]));
        let corpus: Corpus = case["sources"].as_array().unwrap().iter().map(of_source).collect();
        let (judged, expected) = (judged(&corpus), &case["scores"]);
        for tokenizer in TOKENIZERS {
            let bleu = Bleu::of(&judged, tokenizer);
            differences.note_bleu(&bleu, &expected["bleu"][tokenizer.name()], case);
        }
        let options = ScoreOptions { chrf_words: 2, ter: true, rouge: true, ..ScoreOptions::default() };
        let scores = Scores::of(&judged, &options);
        let (chrf, ter, rouge) = (Chrf::of(&judged, 0), scores.ter.unwrap(), scores.rouge.unwrap());
        differences.note("chrF", chrf.score, &expected["chrf"][0], case);
        differences.note("chrF++", scores.chrf.score, &expected["chrf++"][0], case);
        differences.note("TER", ter.score, &expected["ter"][0], case);
        assert_eq!(chrf.signature, expected["chrf"][1].as_str().unwrap());
        assert_eq!(scores.chrf.signature, expected["chrf++"][1].as_str().unwrap());
        assert_eq!(ter.signature, expected["ter"][1].as_str().unwrap());
        for (kind, found) in [("rouge1", rouge.one), ("rouge2", rouge.two), ("rougeL", rouge.longest)] {
            for (place, figure) in [found.precision, found.recall, found.f1].into_iter().enumerate() {
                differences.note("ROUGE", figure, &expected["rouge"][kind][place], case);
            }
        }
        if expected.get("wer").is_some() {
            differences.note("WER", scores.wer.rate, &expected["wer"], case);
            differences.note("CER", scores.cer.rate, &expected["cer"], case);
        }
    }
    println!("{} corpora, largest differences: {:?}", cases.len(), differences.0);
    assert!(cases.len() >= 28, "{}", cases.len());
}

#[test]
fn a_reference_of_several_is_enough_for_an_exact_match() {
    let corpus = corpus(&[("a b ", &["x", "a b"]), ("a", &["a b"]), ("", &["a"]), ("A", &["a"])]);
    assert_eq!(exact_match(&judged(&corpus)), 0.25);
    assert_eq!(exact_match(&[]), 0.0);
}

#[test]
fn the_reference_with_the_lowest_rate_counts() {
    // One edit of four words is less than one of two; two of three characters more than one of seven.
    let several = corpus(&[("a b c d", &["a b", "a b c x"]), ("w er d", &["w er d", "w"])]);
    let words = ErrorRate::of(&judged(&several), Unit::Words);
    assert_eq!(words, ErrorRate { rate: 1.0 / 7.0, edits: 1, reference_length: 7 });
    let characters = ErrorRate::of(&judged(&several), Unit::Characters);
    assert_eq!((characters.edits, characters.reference_length), (1, 13));
    let nothing = corpus(&[("a b", &[""]), ("", &[""])]);
    let none = ErrorRate::of(&judged(&nothing), Unit::Words);
    assert_eq!(none, ErrorRate { rate: 1.0, edits: 2, reference_length: 0 });
}

#[test]
fn nothing_to_judge_and_nothing_to_compare_with_have_a_score() {
    let options = ScoreOptions { ter: true, rouge: true, ..ScoreOptions::default() };
    for corpus in [Corpus::new(), vec![(String::new(), Vec::new())]] {
        let scores = Scores::of(&judged(&corpus), &options);
        let figures = [scores.bleu.score, scores.chrf.score, scores.exact_match, scores.wer.rate, scores.cer.rate];
        assert_eq!(figures, [0.0; 5]);
        assert_eq!((scores.ter.unwrap().score, scores.rouge.unwrap().one.f1), (0.0, 0.0));
    }
}

#[test]
fn texts_of_very_different_lengths_take_memory_of_both_alone() {
    // The table of all their beginnings would have four hundred million places.
    let long = "a b c d ".repeat(5_000);
    let corpus = vec![("a b".to_owned(), vec![long.clone()]), (long, vec!["b a".to_owned()])];
    let ter = Ter::of(&judged(&corpus));
    assert_eq!((ter.edits, ter.reference_length), (2 * 19_998, 20_002.0));
}

#[test]
fn scores_are_written_under_the_names_that_others_have() {
    let corpus = corpus(&[("a b c d", &["a b c d"])]);
    let options = ScoreOptions { tokenizer: BleuTokenizer::Zh, rouge: true, ..ScoreOptions::default() };
    let written = serde_json::to_value(Scores::of(&judged(&corpus), &options)).unwrap();
    let names: Vec<&String> = written.as_object().unwrap().keys().collect();
    assert_eq!(names, ["bleu", "chrf", "exact_match", "wer", "cer", "rouge"]);
    assert_eq!(written["rouge"]["rougeL"]["f1"], 1.0);
    assert_eq!(written["bleu"]["signature"], "nrefs:1|case:mixed|eff:no|tok:zh|smooth:exp|version:2.6.0");
    for tokenizer in TOKENIZERS {
        assert_eq!(serde_json::to_value(tokenizer).unwrap(), tokenizer.name());
    }
}
