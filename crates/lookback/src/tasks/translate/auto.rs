//! What is chosen by the data where nobody says otherwise.

use std::collections::{HashMap, HashSet};

use lookback_infer::input::tokenizer::TokenizerChoice;
use lookback_infer::input::written::WrittenCut;
use lookback_infer::input::{Labelled, Raw};
use lookback_infer::tasks::translate::DecoderForm;

use super::options::TranslateOptions;
use crate::tasks::chosen::{Chosen, Training};

/// What the choice depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Facts {
    /// What targets are cut into.
    pub(super) cut: WrittenCut,
    /// Tokens of all targets.
    pub(super) tokens: usize,
    /// Tokens of a target, in the mean.
    pub(super) target_length: f64,
    /// Characters of a source, in the mean.
    pub(super) source_characters: f64,
    /// Whether sources are Chinese or Japanese, which are cut by their own rules.
    pub(super) has_han: bool,
    /// Whether sources have blanks.
    pub(super) has_blanks: bool,
    /// Whether capitals stand on both sides.
    pub(super) has_capitals: bool,
    /// Of words that hardly any target has, the share that stands in its own source; 0 where there are few of them.
    pub(super) carried: f64,
}

impl Facts {
    pub(super) fn of(pairs: &[Labelled<Vec<String>>]) -> Facts {
        let sources = || {
            pairs.iter().map(|pair| match &pair.raw {
                Raw::Text(text) => text.as_str(),
                _ => "",
            })
        };
        let targets = pairs.iter().flat_map(|pair| &pair.label).map(String::as_str);
        let cut = WrittenCut::of(targets.clone());
        let (count, tokens) = targets.fold((0, 0), |(count, sum), target| (count + 1, sum + cut.tokens(target).len()));
        let characters: usize = sources().map(|source| source.chars().count()).sum();
        let blanks = sources().filter(|source| source.trim().contains(char::is_whitespace)).count();
        let by_script = TokenizerChoice::from(TokenizerChoice::Auto.resolve(sources(), false));
        let have_capitals = |count: usize| 100 * count >= pairs.len().max(1);
        let has_capital = |text: &str| text.chars().any(char::is_uppercase);
        let sources_with = sources().filter(|source| has_capital(source)).count();
        let targets_with = pairs.iter().filter(|pair| pair.label.iter().any(|target| has_capital(target))).count();
        Facts {
            cut,
            tokens,
            target_length: tokens as f64 / f64::max(1.0, f64::from(count)),
            source_characters: characters as f64 / pairs.len().max(1) as f64,
            has_han: by_script != TokenizerChoice::Words,
            has_blanks: 10 * blanks >= pairs.len(),
            has_capitals: have_capitals(sources_with) && have_capitals(targets_with),
            carried: if cut == WrittenCut::Words { carried(pairs) } else { 0.0 },
        }
    }
}

/// Words of targets that are looked at, at least, before they tell anything.
const ENOUGH: usize = 20;
/// In how many targets a word stands at most that is looked at.
const SELDOM: usize = 2;

/// Of the words that stand in one or two targets alone, the share that stands in its own source: names, mostly, which are no
/// vocabulary's. 0 where they are fewer than one of a hundred.
fn carried(pairs: &[Labelled<Vec<String>>]) -> f64 {
    let words = |text: &str| -> Vec<String> {
        let tokens = WrittenCut::Words.tokens(text).into_iter();
        tokens.map(|token| token.trim().to_owned()).filter(|word| word.chars().any(char::is_alphanumeric)).collect()
    };
    let written: Vec<HashSet<String>> =
        pairs.iter().map(|pair| pair.label.iter().flat_map(|text| words(text)).collect()).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    written.iter().flatten().for_each(|word| *counts.entry(word).or_default() += 1);
    let (mut seldom, mut found, mut all) = (0usize, 0usize, 0usize);
    for (pair, written) in pairs.iter().zip(&written) {
        let Raw::Text(source) = &pair.raw else { continue };
        all += written.len();
        let mut own = written.iter().filter(|word| counts[word.as_str()] <= SELDOM).peekable();
        if own.peek().is_some() {
            let source: HashSet<String> = words(source).into_iter().collect();
            for word in own {
                seldom += 1;
                found += usize::from(source.contains(word));
            }
        }
    }
    if seldom < ENOUGH || 100 * seldom < all { 0.0 } else { found as f64 / seldom as f64 }
}

/// Characters of a source below which it is spelt, not read word by word, where its target is.
const SPELT: f64 = 60.0;
/// Tokens of targets that all epochs together go through.
const GONE_THROUGH: usize = 6_000_000;
/// Tokens of targets below which there are few.
const FEW: usize = 500_000;

/// The share of seldom words that stand in their sources from which on words are copied.
const CARRIED: f64 = 0.5;

/// Whether words may be copied, as far as was said.
fn may_copy(options: &TranslateOptions) -> bool {
    let are_words = options.targets.target_tokenizer == Some(WrittenCut::Words)
        && matches!(options.tokens.tokenizer, None | Some(TokenizerChoice::Words));
    let aligns = options.decoder.decoder == Some(DecoderForm::HardMonotonic);
    let smooths = options.label_smoothing.is_some_and(|share| share > 0.0);
    are_words && !aligns && !smooths && options.shortlist.is_none() && options.sampling.scheduled_sampling.is_none()
}

/// The names of options that are chosen by the data, whatever these are.
pub(super) fn open(options: &TranslateOptions) -> Vec<&'static str> {
    let facts = Facts {
        cut: WrittenCut::Words,
        tokens: 0,
        target_length: 9.0,
        source_characters: 9.0,
        has_han: false,
        has_blanks: true,
        has_capitals: true,
        carried: 1.0,
    };
    choose(options, &facts).1.0.into_iter().map(|(name, _)| name).collect()
}

/// `options` with what is chosen by these facts, and what that is.
pub(super) fn choose(options: &TranslateOptions, facts: &Facts) -> (TranslateOptions, Chosen) {
    let (mut options, mut chosen) = (options.clone(), Chosen::default());
    let few = facts.tokens < FEW;
    if options.targets.target_tokenizer.is_none() {
        options.targets.target_tokenizer = Some(facts.cut);
        chosen.0.push(("target-tokenizer", facts.cut.to_string()));
    }
    if facts.carried >= CARRIED && may_copy(&options) {
        chosen.fill("copy", &mut options.decoder.copy, true);
    }
    let copies = options.decoder.copy == Some(true);
    let cut = options.targets.target_tokenizer.unwrap_or(facts.cut);
    let is_spelt = facts.cut == WrittenCut::Characters && facts.source_characters < SPELT;
    if options.tokens.tokenizer.is_none() && (!facts.has_han || copies) {
        // What is copied is cut as what is written.
        let is_read_by_character = if copies { cut == WrittenCut::Characters } else { !facts.has_blanks || is_spelt };
        let (cut, name) = match is_read_by_character {
            true => (TokenizerChoice::Characters, "characters"),
            false => (TokenizerChoice::Words, "words"),
        };
        options.tokens.tokenizer = Some(cut);
        chosen.0.push(("tokenizer", name.into()));
    }
    // What is spelt is spelt with capitals where it has some.
    if facts.has_capitals && options.tokens.tokenizer == Some(TokenizerChoice::Characters) {
        chosen.fill("lowercase", &mut options.tokens.lowercase, false);
    }
    chosen.fill("hidden", &mut options.encoder.hidden, 128);
    if options.encoder.embeddings.is_none() {
        chosen.fill("embedding", &mut options.encoder.embedding, 128);
    }
    chosen.fill("dropout", &mut options.encoder.dropout, if few { 0.3 } else { 0.2 });
    let training = Training {
        epochs: (GONE_THROUGH / facts.tokens.max(1)).clamp(8, 40),
        batch_size: if few { 32 } else { 64 },
        learning_rate: 0.002,
        decay: if few { 0.99 } else { 0.998 },
        score: match facts.cut {
            WrittenCut::Words => "bleu",
            _ if facts.target_length < 30.0 => "exact-match",
            _ => "chrf",
        },
    };
    chosen.fill_training(&mut options.train, &training);
    (options, chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(pairs: &[(&str, &str)]) -> Vec<Labelled<Vec<String>>> {
        let pair = |(source, target): &(&str, &str)| Labelled {
            raw: Raw::Text((*source).into()),
            label: vec![(*target).into()],
            line: 1,
        };
        pairs.iter().map(pair).collect()
    }

    fn chosen(pairs: &[(&str, &str)]) -> String {
        choose(&TranslateOptions::default(), &Facts::of(&labelled(pairs))).1.in_words()
    }

    #[test]
    fn texts_are_cut_by_what_they_are() {
        let cases: [(&[(&str, &str)], &str); 4] = [
            (&[("the third of May 2021", "2021-05-03")], "--target-tokenizer characters --tokenizer characters"),
            (&[("cat", "katze"), ("dog", "hund")], "--target-tokenizer characters --tokenizer characters"),
            (&[("the old cat", "die alte Katze")], "--target-tokenizer words --tokenizer words"),
            (
                &[("Open the file in a new window of the program that is selected", "在新窗口中打开文件")],
                "--tokenizer words",
            ),
        ];
        for (pairs, expected) in cases {
            let found = chosen(pairs);
            assert!(found.contains(expected), "{pairs:?}: {found}");
        }
        let spelt: Vec<(&str, &str)> = [("cat", "K AE T"), ("act", "AE K T")].repeat(40);
        assert!(chosen(&spelt).starts_with("--target-tokenizer blanks --tokenizer characters"), "{}", chosen(&spelt));
        assert!(chosen(&spelt).contains("--score exact-match"));
        // Chinese is cut as in every task.
        assert!(!chosen(&[("打开文件", "open the file"), ("关闭", "close it")]).contains("--tokenizer words"));
    }

    #[test]
    fn capitals_are_kept_where_both_sides_are_spelt_with_them() {
        let spelt: Vec<(&str, &str)> = [("Nuph", "Nuf"), ("phil", "fil")].repeat(20);
        assert!(chosen(&spelt).contains("--tokenizer characters --lowercase false"), "{}", chosen(&spelt));
        let sounds: Vec<(&str, &str)> = [("cat", "K AE T"), ("act", "AE K T")].repeat(40);
        assert!(!chosen(&sounds).contains("lowercase"), "{}", chosen(&sounds));
    }

    #[test]
    fn seldom_words_that_stand_in_their_sources_are_copied() {
        let texts = |of: fn(&str) -> (String, String)| -> Vec<(String, String)> {
            (0..60).map(|i| of(&format!("Nora{i}"))).collect()
        };
        let chosen = |texts: Vec<(String, String)>| {
            let pairs: Vec<(&str, &str)> = texts.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            let pairs = labelled(&pairs);
            let facts = Facts { cut: WrittenCut::Words, carried: carried(&pairs), ..Facts::of(&pairs) };
            choose(&TranslateOptions::default(), &facts).1.in_words()
        };
        let carried = texts(|name| (format!("tell {name} the news"), format!("call {name} today")));
        assert!(chosen(carried).contains("--copy true --tokenizer words"));
        let changed = texts(|name| (format!("tell {name} the news"), format!("call {}x today", name.to_lowercase())));
        assert!(!chosen(changed).contains("--copy"));
    }

    #[test]
    fn what_was_said_stays() {
        let mut options = TranslateOptions::default();
        options.encoder.hidden = Some(9);
        options.train.validation_split = Some(0.0);
        let (filled, chosen) = choose(&options, &Facts::of(&labelled(&[("a b", "c d")])));
        assert_eq!(filled.encoder.hidden, Some(9));
        assert!(
            ["--hidden", "validation-split", "patience", "score"].iter().all(|name| !chosen.in_words().contains(name))
        );
        assert!(open(&TranslateOptions::default()).contains(&"target-tokenizer"));
    }
}
