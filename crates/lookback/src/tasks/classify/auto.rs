//! What is chosen by the data where nobody says otherwise.

use std::path::Path;

use lookback_infer::error::Error;
use lookback_infer::input::tokenizer::Segmentation;
use lookback_infer::input::{Example, Input, LabelledInput, Raw};
use lookback_infer::network::Cell;
use lookback_infer::tasks::classify::{LabelsPerText, NgramBagConfig};

use super::options::{ClassifyOptions, Quality};
use super::plan::ClassifyPlan;
use crate::input::NONE;
use crate::tasks::chosen::Chosen;
use crate::train::{AverageChoice, ScheduleChoice, ValidationPlan};

/// Texts that are looked at to tell how they are cut and how many n-grams they have.
const SAMPLE: usize = 2_000;
/// How the number of different n-grams grows with the texts: Heaps' law, of English and Chinese texts.
const GROWTH: f64 = 0.75;

/// What the choice depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Facts {
    /// Training rows, those among them that may be held out.
    pub(super) rows: usize,
    /// Different labels.
    pub(super) labels: usize,
    /// What stands in them.
    pub(super) kind: Kind,
}

/// What stands in the training rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// Texts.
    Texts {
        /// How they are cut.
        segmentation: Segmentation,
        /// Characters of a token, in the mean: about 1.7 in Chinese, 3 where it is mixed with other scripts.
        characters: f64,
    },
    /// Numeric series.
    Series {
        /// Steps of all series together.
        steps: usize,
    },
}

impl Kind {
    fn is_series(self) -> bool {
        matches!(self, Kind::Series { .. })
    }
}

/// Looks at the inputs of the file `data`; gives a sample of the texts as well.
///
/// # Errors
/// If there is nothing to learn from.
pub(super) fn look(
    plan: &ClassifyPlan,
    inputs: &[LabelledInput],
    labels: usize,
    data: &Path,
) -> Result<(Facts, Vec<Example>), Error> {
    let rows = inputs.len();
    if !plan.input.is_text() || rows == 0 {
        let lengths = inputs.iter().map(|input| match &input.raw {
            Raw::Series(series) => series.length,
            _ => 0,
        });
        return Ok((Facts { rows, labels, kind: Kind::Series { steps: lengths.sum() } }, Vec::new()));
    }
    let every = rows.div_ceil(SAMPLE);
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
    let kind = Kind::Texts { segmentation, characters: characters as f64 / tokens.max(1) as f64 };
    Ok((Facts { rows, labels, kind }, examples))
}

/// The names of options that are chosen by the data, whatever these are: of few rows or of many, held out or not.
pub(super) fn open(options: &ClassifyOptions, is_text: bool) -> Vec<&'static str> {
    let buckets = (is_text && options.network.linear_buckets.is_none()).then_some("linear-buckets");
    let is_said = options.train.validation.is_some() || options.train.validation_split.is_some();
    let mut options = options.clone();
    (options.train.validation, options.train.validation_split) = (None, None);
    let kind = match is_text {
        true => Kind::Texts { segmentation: Segmentation::Words, characters: 0.0 },
        false => Kind::Series { steps: 0 },
    };
    let names = |rows: usize| {
        let facts = Facts { rows, labels: 2, kind };
        choose(&options, &facts, &ValidationPlan::Split(0.1)).1.0.into_iter().map(|(name, _)| name)
    };
    let all = names(0).chain(names(FEW)).chain(buckets);
    all.filter(|name| !(is_said && *name == "validation-split")).collect()
}

/// Numbers that the linear part learns for texts and labels, above which it would take long.
const MOST_ANSWERS: usize = 1 << 25;

/// Characters of a token from which Chinese texts are mixed with other scripts.
const MIXED: f64 = 2.2;

/// Rows below which nothing is held out, and answers are judged by cross-validation.
const FEW: usize = 1_000;

/// Networks of the best quality.
const BEST: usize = 5;

/// `options` with what is chosen by these facts, and what that is.
pub(super) fn choose(
    options: &ClassifyOptions,
    facts: &Facts,
    validation: &ValidationPlan,
) -> (ClassifyOptions, Chosen) {
    let (mut options, mut chosen) = (options.clone(), Chosen::default());
    let (few, quality) = (facts.rows < FEW, options.learning.quality.unwrap_or_default());
    match facts.kind {
        Kind::Texts { segmentation, characters } => {
            choose_ngrams(&mut options, &mut chosen, facts, segmentation, characters);
            let of_state = |pooling: &String| pooling.contains("last") || pooling.contains("query");
            let needs_layers =
                options.encoder.is_about_layers() || options.network.pooling.as_ref().is_some_and(of_state);
            if quality == Quality::Fast && !needs_layers {
                chosen.fill("layers", &mut options.encoder.layers, 0);
            }
        }
        Kind::Series { .. } => {
            chosen.fill("input-noise", &mut options.input.input_noise, 0.3);
            if !options.encoder.pools() {
                chosen.fill("pooling", &mut options.network.pooling, "attention+mean+max".into());
            }
        }
    }
    let encoder = &mut options.encoder;
    if encoder.layers != Some(0) {
        if encoder.cell.is_none() && encoder.forget_bias.is_none() {
            encoder.cell = Some(Cell::Gru);
            chosen.0.push(("cell", "gru".into()));
        }
        let is_small = quality == Quality::Fast && facts.kind.is_series();
        chosen.fill("hidden", &mut encoder.hidden, if is_small { 32 } else { 64 });
    }
    if !facts.kind.is_series() && encoder.embeddings.is_none() {
        chosen.fill("embedding", &mut encoder.embedding, 64);
    }
    choose_training(&mut options, &mut chosen, facts, quality);
    choose_validation(&mut options, &mut chosen, few, *validation != ValidationPlan::None);
    (options, chosen)
}

/// What n-grams the linear part and the tokens have.
fn choose_ngrams(
    options: &mut ClassifyOptions,
    chosen: &mut Chosen,
    facts: &Facts,
    segmentation: Segmentation,
    characters: f64,
) {
    let has_words = segmentation == Segmentation::Words;
    let [words, characters] = match facts.rows.saturating_mul(facts.labels) > MOST_ANSWERS {
        true => [NONE; 2],
        false if has_words => ["1-2", "2-5"],
        // Of few Chinese texts the characters tell more than their words.
        false => [if facts.rows < FEW { NONE } else { "1-1" }, if characters < MIXED { "1-2" } else { "1-4" }],
    };
    chosen.fill("linear-words", &mut options.network.linear_words, words.into());
    chosen.fill("linear-characters", &mut options.network.linear_characters, characters.into());
    let tokens = &mut options.input.tokens;
    chosen.fill("char-ngrams", &mut tokens.char_ngrams, if has_words { "3-5" } else { "1-2" }.into());
    chosen.fill("word-dropout", &mut tokens.word_dropout, 0.3);
}

/// How long and in what steps the networks are trained, and how many.
fn choose_training(options: &mut ClassifyOptions, chosen: &mut Chosen, facts: &Facts, quality: Quality) {
    let (few, train) = (facts.rows < FEW, &mut options.train);
    let (epochs, batch_size, learning_rate) = match (facts.kind, few) {
        (Kind::Texts { .. }, true) => (25, 16, 0.002),
        (Kind::Texts { .. }, false) => (15, 32, 0.004),
        (Kind::Series { steps }, true) => (epochs_of_few(facts.rows, steps), 8, 0.003),
        (Kind::Series { .. }, false) => (30, 32, 0.003),
    };
    // Labels that are answered by themselves take longer to be learnt.
    let several = options.labels.per_text() == LabelsPerText::Several;
    let epochs = if several { epochs.max(25) } else { epochs };
    let epochs = if quality == Quality::Fast { epochs / 3 } else { epochs };
    chosen.fill("epochs", &mut train.epochs, epochs);
    chosen.fill_batch_size(train, batch_size);
    chosen.fill("learning-rate", &mut train.learning_rate, learning_rate);
    if facts.kind.is_series() && train.schedule.is_none() {
        train.schedule = Some(ScheduleChoice::Cosine);
        chosen.0.push(("schedule", "cosine".into()));
    }
    if train.average.is_none() && train.average_start.is_none() {
        train.average = Some(AverageChoice::Ema);
        chosen.0.push(("average", "ema".into()));
        chosen.fill("average-decay", &mut train.average_decay, 0.99);
    }
    if quality == Quality::Best {
        chosen.fill("ensemble", &mut train.ensemble, BEST);
    }
}

/// Epochs over few series: so many that there are some 1,600 batches of 8, which tiny sets need, but fewer where series are long.
fn epochs_of_few(rows: usize, steps: usize) -> usize {
    /// Steps of series that are gone through in all epochs.
    const MOST_STEPS: usize = 2_500_000;
    let wanted = (1_600 * 8 / rows.max(1)).clamp(60, 300);
    wanted.min((MOST_STEPS / steps.max(1)).max(20))
}

/// What is held out to judge by, and what the best of the epochs is chosen by. `is_said`: whether there may be anything.
fn choose_validation(options: &mut ClassifyOptions, chosen: &mut Chosen, few: bool, is_said: bool) {
    let train = &mut options.train;
    // Whoever asks for early stopping or a score wants rows to be held out.
    let held_out = train.patience.is_some_and(|patience| patience > 0) || train.score.is_some();
    let is_open = train.validation.is_none() && train.validation_split.is_none();
    if is_open && few && !held_out && options.learning.cross_validate != Some(0) {
        chosen.fill("validation-split", &mut train.validation_split, 0.0);
        chosen.fill("cross-validate", &mut options.learning.cross_validate, 5);
    } else if is_open {
        chosen.fill("validation-split", &mut train.validation_split, 0.1);
    }
    if is_said && train.validation_split != Some(0.0) {
        chosen.fill("patience", &mut train.patience, 0);
        chosen.fill("score", &mut train.score, "loss".into());
    }
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
        Facts { rows, labels, kind: Kind::Texts { segmentation, characters } }
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
        let names = open(&options, true);
        assert!(["epochs", "linear-buckets", "cross-validate", "patience"].iter().all(|name| names.contains(name)));
        assert!(["hidden", "average", "validation-split"].iter().all(|name| !names.contains(name)), "{names:?}");
    }
    #[test]
    fn quality_says_how_much_is_spent() {
        let spent = |quality: Quality, kind: Kind| {
            let mut options = ClassifyOptions::default();
            options.learning.quality = Some(quality);
            chosen(&options, &Facts { rows: 5_000, labels: 3, kind })
        };
        let texts = Kind::Texts { segmentation: Segmentation::Words, characters: 4.0 };
        let fast = spent(Quality::Fast, texts);
        assert!(fast.contains("--layers 0") && fast.contains("--epochs 5") && !fast.contains("--hidden"), "{fast}");
        let best = spent(Quality::Best, texts);
        assert!(best.contains("--ensemble 5") && best.contains("--epochs 15"), "{best}");
        assert!(spent(Quality::Fast, Kind::Series { steps: 50_000 }).contains("--hidden 32"));
        assert_eq!(
            spent(Quality::Balanced, texts),
            chosen(&ClassifyOptions::default(), &facts(5_000, 3, Segmentation::Words, 4.0))
        );
    }

    #[test]
    fn series_have_no_ngrams() {
        let few =
            chosen(&ClassifyOptions::default(), &Facts { rows: 60, labels: 3, kind: Kind::Series { steps: 600 } });
        assert!(few.contains("--batch-size 8") && few.contains("--cross-validate 5"), "{few}");
        assert!(["linear", "char", "embedding", "word"].iter().all(|of_texts| !few.contains(of_texts)), "{few}");
        assert_eq!([epochs_of_few(50, 7_500), epochs_of_few(270, 4_000), epochs_of_few(100, 146_000)], [256, 60, 20]);
        let names = open(&ClassifyOptions::default(), false);
        assert!(names.contains(&"input-noise") && !names.contains(&"linear-buckets"), "{names:?}");
    }
}
