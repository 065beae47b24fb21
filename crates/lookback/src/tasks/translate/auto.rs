//! What is chosen by the data where nobody says otherwise.

use lookback_infer::input::tokenizer::TokenizerChoice;
use lookback_infer::input::{Labelled, Raw};
use lookback_infer::tasks::translate::TargetCut;

use super::options::TranslateOptions;
use crate::tasks::chosen::Chosen;
use crate::train::{AverageChoice, ScheduleChoice};

/// What the choice depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Facts {
    /// What targets are cut into.
    pub(super) cut: TargetCut,
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
        let cut = TargetCut::of(targets.clone());
        let (count, tokens) = targets.fold((0, 0), |(count, sum), target| (count + 1, sum + cut.tokens(target).len()));
        let characters: usize = sources().map(|source| source.chars().count()).sum();
        let blanks = sources().filter(|source| source.trim().contains(char::is_whitespace)).count();
        let by_script = TokenizerChoice::from(TokenizerChoice::Auto.resolve(sources(), false));
        Facts {
            cut,
            tokens,
            target_length: tokens as f64 / f64::max(1.0, f64::from(count)),
            source_characters: characters as f64 / pairs.len().max(1) as f64,
            has_han: by_script != TokenizerChoice::Words,
            has_blanks: 10 * blanks >= pairs.len(),
        }
    }
}

/// Characters of a source below which it is spelt, not read word by word, where its target is.
const SPELT: f64 = 60.0;
/// Tokens of targets that all epochs together go through.
const GONE_THROUGH: usize = 6_000_000;
/// Tokens of targets below which there are few.
const FEW: usize = 500_000;

/// The names of options that are chosen by the data, whatever these are.
pub(super) fn open(options: &TranslateOptions) -> Vec<&'static str> {
    let facts = Facts {
        cut: TargetCut::Words,
        tokens: 0,
        target_length: 9.0,
        source_characters: 9.0,
        has_han: false,
        has_blanks: true,
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
    let is_spelt = facts.cut == TargetCut::Characters && facts.source_characters < SPELT;
    if options.tokens.tokenizer.is_none() && !facts.has_han {
        let (cut, name) = match !facts.has_blanks || is_spelt {
            true => (TokenizerChoice::Characters, "characters"),
            false => (TokenizerChoice::Words, "words"),
        };
        options.tokens.tokenizer = Some(cut);
        chosen.0.push(("tokenizer", name.into()));
    }
    chosen.fill("hidden", &mut options.encoder.hidden, 128);
    if options.encoder.embeddings.is_none() {
        chosen.fill("embedding", &mut options.encoder.embedding, 128);
    }
    chosen.fill("dropout", &mut options.encoder.dropout, if few { 0.3 } else { 0.2 });
    let train = &mut options.train;
    chosen.fill("epochs", &mut train.epochs, (GONE_THROUGH / facts.tokens.max(1)).clamp(8, 40));
    chosen.fill("batch-size", &mut train.batch_size, if few { 32 } else { 64 });
    chosen.fill("learning-rate", &mut train.learning_rate, 0.002);
    if train.schedule.is_none() {
        train.schedule = Some(ScheduleChoice::Cosine);
        chosen.0.push(("schedule", "cosine".into()));
    }
    if train.average.is_none() && train.average_start.is_none() {
        train.average = Some(AverageChoice::Ema);
        chosen.0.push(("average", "ema".into()));
        chosen.fill("average-decay", &mut train.average_decay, if few { 0.99 } else { 0.998 });
    }
    if train.validation.is_none() {
        chosen.fill("validation-split", &mut train.validation_split, 0.1);
    }
    if train.validation_split != Some(0.0) {
        chosen.fill("patience", &mut train.patience, 0);
        let score = match facts.cut {
            TargetCut::Words => "bleu",
            _ if facts.target_length < 30.0 => "exact-match",
            _ => "chrf",
        };
        chosen.fill("score", &mut train.score, score.into());
    }
    (options, chosen)
}
