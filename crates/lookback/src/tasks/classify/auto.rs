//! What is chosen by the data where nobody says otherwise.

use std::fmt::Display;
use std::path::Path;

use lookback_infer::error::Error;
use lookback_infer::input::tokenizer::Segmentation;
use lookback_infer::input::{Example, Input, LabelledInput, Raw};
use lookback_infer::network::Cell;
use lookback_infer::tasks::classify::{LabelsPerText, NgramBagConfig};

use super::options::{ClassifyOptions, NONE};
use super::plan::ClassifyPlan;
use crate::train::{AverageChoice, ValidationPlan};

/// Texts that are looked at to tell how they are cut and how many n-grams they have.
const SAMPLE: usize = 2_000;
/// How the number of different n-grams grows with the texts: Heaps' law, of English and Chinese texts.
const GROWTH: f64 = 0.75;

/// What the choice depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Facts {
    /// Training texts, those among them that may be held out.
    pub(super) rows: usize,
    /// Different labels.
    pub(super) labels: usize,
    /// Characters of a token, in the mean: about 1.7 in Chinese, 3 where it is mixed with other scripts.
    pub(super) characters: f64,
    /// How texts are cut.
    pub(super) segmentation: Segmentation,
}

/// Looks at the texts of the file `data`.
///
/// # Errors
/// If there is nothing to learn from.
pub(super) fn look(
    plan: &ClassifyPlan,
    inputs: &[LabelledInput],
    labels: usize,
    data: &Path,
) -> Result<Option<(Facts, Vec<Example>)>, Error> {
    if !plan.input.is_text() || inputs.is_empty() {
        return Ok(None);
    }
    let every = inputs.len().div_ceil(SAMPLE);
    let sample = || inputs.iter().step_by(every);
    let raws: Vec<&Raw> = sample().map(|input| &input.raw).collect();
    let input = Input::fit(&plan.input, raws.iter().copied(), &[], data)?;
    let examples: Vec<Example> =
        sample().map(|labelled| input.encode(labelled.raw.clone(), data, labelled.line)).collect::<Result<_, _>>()?;
    let (mut tokens, mut characters) = (0usize, 0usize);
    for token in examples.iter().flat_map(Example::all_tokens) {
        tokens += 1;
        characters += token.text.chars().count();
    }
    let segmentation = input.segmentation().unwrap_or(Segmentation::Words);
    let facts =
        Facts { rows: inputs.len(), labels, characters: characters as f64 / tokens.max(1) as f64, segmentation };
    Ok(Some((facts, examples)))
}

/// What was chosen: options by name, and their values.
#[derive(Clone, Debug, Default)]
pub(super) struct Chosen(pub(super) Vec<(&'static str, String)>);

impl Chosen {
    /// `value` for an option of which nothing is said.
    fn fill<T: Clone + Display>(&mut self, name: &'static str, option: &mut Option<T>, value: T) {
        if option.is_none() {
            self.0.push((name, value.to_string()));
            *option = Some(value);
        }
    }

    /// `--hidden 64 --epochs 15`
    pub(super) fn in_words(&self) -> String {
        self.0.iter().map(|(name, value)| format!("--{name} {value}")).collect::<Vec<_>>().join(" ")
    }
}

/// The names of options that are chosen by the data, whatever these are: of few texts or of many, held out or not.
pub(super) fn open(options: &ClassifyOptions) -> Vec<&'static str> {
    let buckets = options.network.linear_buckets.is_none().then_some("linear-buckets");
    let is_said = options.train.validation.is_some() || options.train.validation_split.is_some();
    let mut options = options.clone();
    (options.train.validation, options.train.validation_split) = (None, None);
    let names = |rows: usize| {
        let facts = Facts { rows, labels: 2, characters: 0.0, segmentation: Segmentation::Words };
        choose(&options, &facts, &ValidationPlan::Split(0.1)).1.0.into_iter().map(|(name, _)| name)
    };
    let all = names(0).chain(names(FEW)).chain(buckets);
    all.filter(|name| !(is_said && *name == "validation-split")).collect()
}

/// Numbers that the linear part learns for texts and labels, above which it would take long.
const MOST_ANSWERS: usize = 1 << 25;

/// Characters of a token from which Chinese texts are mixed with other scripts.
const MIXED: f64 = 2.2;

/// Texts below which nothing is held out, and answers are judged by cross-validation.
const FEW: usize = 1_000;

/// `options` with what is chosen by these facts, and what that is.
pub(super) fn choose(
    options: &ClassifyOptions,
    facts: &Facts,
    validation: &ValidationPlan,
) -> (ClassifyOptions, Chosen) {
    let (mut options, mut chosen) = (options.clone(), Chosen::default());
    let few = facts.rows < FEW;
    let has_words = facts.segmentation == Segmentation::Words;
    let network = &mut options.network;
    let [words, characters] = match facts.rows.saturating_mul(facts.labels) > MOST_ANSWERS {
        true => [NONE; 2],
        false if has_words => ["1-2", "2-5"],
        // Of few Chinese texts the characters tell more than their words.
        false => [if few { NONE } else { "1-1" }, if facts.characters < MIXED { "1-2" } else { "1-4" }],
    };
    chosen.fill("linear-words", &mut network.linear_words, words.into());
    chosen.fill("linear-characters", &mut network.linear_characters, characters.into());
    let encoder = &mut options.encoder;
    if encoder.cell.is_none() && encoder.forget_bias.is_none() {
        encoder.cell = Some(Cell::Gru);
        chosen.0.push(("cell", "gru".into()));
    }
    chosen.fill("embedding", &mut encoder.embedding, 64);
    chosen.fill("hidden", &mut encoder.hidden, 64);
    let train = &mut options.train;
    let tokens = &mut options.input.tokens;
    chosen.fill("char-ngrams", &mut tokens.char_ngrams, if has_words { "3-5" } else { "1-2" }.into());
    chosen.fill("word-dropout", &mut tokens.word_dropout, 0.3);
    // Labels that are answered by themselves take longer to be learnt.
    let long = few || options.labels.per_text() == LabelsPerText::Several;
    chosen.fill("epochs", &mut train.epochs, if long { 25 } else { 15 });
    chosen.fill("batch-size", &mut train.batch_size, if few { 16 } else { 32 });
    chosen.fill("learning-rate", &mut train.learning_rate, if few { 0.002 } else { 0.004 });
    if train.average.is_none() && train.average_start.is_none() {
        train.average = Some(AverageChoice::Ema);
        chosen.0.push(("average", "ema".into()));
        chosen.fill("average-decay", &mut train.average_decay, 0.99);
    }
    // Whoever asks for early stopping or a score wants rows to be held out.
    let held_out = train.patience.is_some_and(|patience| patience > 0) || train.score.is_some();
    let is_open = train.validation.is_none() && train.validation_split.is_none();
    if is_open && few && !held_out && options.learning.cross_validate != Some(0) {
        chosen.fill("validation-split", &mut train.validation_split, 0.0);
        chosen.fill("cross-validate", &mut options.learning.cross_validate, 5);
    } else if is_open {
        chosen.fill("validation-split", &mut train.validation_split, 0.1);
    }
    let validates = *validation != ValidationPlan::None && train.validation_split != Some(0.0);
    if validates {
        chosen.fill("patience", &mut train.patience, 0);
        chosen.fill("score", &mut train.score, "loss".into());
    }
    (options, chosen)
}

/// Buckets for the n-grams of so many texts, of which these are a sample: half as many as there are different n-grams, so
/// that a bucket holds two or three, which costs no accuracy; and fewer where there are many labels.
pub(super) fn buckets(config: &NgramBagConfig, sample: &[Example], facts: &Facts) -> u32 {
    const LEAST: usize = 1 << 10;
    const MOST: usize = 1 << 19;
    /// Numbers in the table of weights.
    const MOST_WEIGHTS: usize = 1 << 23;
    let distinct = config.distinct(sample.iter().map(Example::all_tokens)) as f64;
    let all = distinct * (facts.rows as f64 / sample.len().max(1) as f64).powf(GROWTH);
    let wanted = ((all / 2.0) as usize).next_power_of_two();
    // The power of two below.
    let fitting = 1usize << (MOST_WEIGHTS / facts.labels.max(1)).max(1).ilog2();
    wanted.min(fitting).clamp(LEAST, MOST) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(rows: usize, labels: usize, segmentation: Segmentation, characters: f64) -> Facts {
        Facts { rows, labels, characters, segmentation }
    }

    fn chosen(options: &ClassifyOptions, facts: &Facts) -> String {
        choose(options, facts, &ValidationPlan::Split(0.1)).1.in_words()
    }

    #[test]
    fn few_texts_are_cross_validated_and_many_have_a_part_held_out() {
        let few = chosen(&ClassifyOptions::default(), &facts(999, 3, Segmentation::Words, 4.0));
        assert!(few.contains("--validation-split 0 --cross-validate 5") && few.contains("--epochs 25"), "{few}");
        let many = chosen(&ClassifyOptions::default(), &facts(1_000, 3, Segmentation::Words, 4.0));
        assert!(many.contains("--validation-split 0.1 --patience 0 --score loss"), "{many}");
        let mut options = ClassifyOptions::default();
        options.train.patience = Some(3);
        let asked = chosen(&options, &facts(60, 3, Segmentation::Words, 4.0));
        assert!(asked.contains("--validation-split 0.1") && !asked.contains("cross-validate"), "{asked}");
    }

    #[test]
    fn ngrams_go_by_the_script_and_there_are_none_where_they_would_take_long() {
        let ngrams = |facts: &Facts| {
            let (options, _) = choose(&ClassifyOptions::default(), facts, &ValidationPlan::Split(0.1));
            [options.network.linear_words.unwrap(), options.network.linear_characters.unwrap()]
        };
        assert_eq!(ngrams(&facts(5_000, 9, Segmentation::Words, 4.0)), ["1-2", "2-5"]);
        assert_eq!(ngrams(&facts(5_000, 9, Segmentation::Jieba, 1.7)), ["1-1", "1-2"]);
        assert_eq!(ngrams(&facts(60, 6, Segmentation::Jieba, 3.0)), ["none", "1-4"]);
        assert_eq!(ngrams(&facts(20_000, 10_000, Segmentation::Words, 4.0)), ["none", "none"]);
    }

    #[test]
    fn several_labels_a_text_take_more_epochs() {
        let mut options = ClassifyOptions::default();
        let many = facts(5_000, 9, Segmentation::Words, 4.0);
        assert!(chosen(&options, &many).contains("--epochs 15"));
        options.labels.multi_label = Some(true);
        assert!(chosen(&options, &many).contains("--epochs 25"));
    }

    #[test]
    fn what_was_said_stays() {
        let mut options = ClassifyOptions::default();
        options.encoder.hidden = Some(9);
        options.train.average = Some(AverageChoice::None);
        let (filled, chosen) = choose(&options, &facts(5_000, 9, Segmentation::Words, 4.0), &ValidationPlan::None);
        assert_eq!((filled.encoder.hidden, filled.train.average), (Some(9), Some(AverageChoice::None)));
        assert!(!chosen.in_words().contains("hidden") && !chosen.in_words().contains("average"));
        options.train.validation_split = Some(0.0);
        let names = open(&options);
        assert!(["epochs", "linear-buckets", "cross-validate", "patience"].iter().all(|name| names.contains(name)));
        assert!(["hidden", "average", "validation-split"].iter().all(|name| !names.contains(name)), "{names:?}");
    }
}
