//! What a model reads: from a file or a line to ids and numbers. The only place that tells texts from numeric series.
//!
//! An [`InputPlan`] says how inputs are read; [`Input::fit`] learns vocabulary or scales from the training data and is kept
//! with the model. It turns what a reader gives into an [`Example`], examples make a [`Batch`], and [`Stream`] gives the
//! examples of any file or pipe one after another.

mod batch;
mod chinese;
mod columns;
pub mod dictionary;
pub mod encoder;
mod example;
pub(crate) mod hash;
mod history;
mod labelled;
mod layer;
pub mod normalization;
mod plan;
mod segmentation;
mod series;
mod standardizer;
mod stream;
pub mod subwords;
mod taken_on;
pub mod tokenizer;
pub mod vocabulary;
pub mod written;

use std::borrow::Cow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

pub use self::batch::{Batch, BatchInput, Parts, by_length};
pub use self::columns::Columns;
pub use self::example::{Example, Raw};
pub use self::history::{HistoryEncoder, HistoryPlan, Spread, StaticEncoder};
pub use self::labelled::{Labelled, LabelledInput};
pub(crate) use self::layer::InputLayer;
pub use self::plan::{DEFAULT_SUBWORDS, FileColumns, InputPlan, MOST_SUBWORDS, NOT_TEXT, SeriesPlan, TextPlan};
pub use self::standardizer::Standardizer;
pub use self::stream::{Item, Stream};

use self::encoder::TextEncoder;
use self::subwords::WordCounts;
use self::tokenizer::Segmentation;
pub use self::tokenizer::Token;
use self::vocabulary::{Vocabulary, VocabularyOptions};
use crate::data::history::{History, HistoryColumns};
use crate::data::series::{Missing, SeriesColumns, SeriesExample};
use crate::error::{DataError, Error, ModelFileError, PlanError, counted};
use crate::model_file::ModelFile;

/// The key under which a model file keeps how inputs are read.
const PLAN_KEY: &str = "input";
/// The key under which a model file keeps what was learnt of the training inputs.
const ENCODER_KEY: &str = "encoder";

/// How inputs are read, with what was learnt from the training data.
#[derive(Clone, Debug)]
pub struct Input {
    plan: InputPlan,
    encoder: Encoder,
    /// A number of its own, by which the examples that it makes are known.
    number: usize,
}

impl PartialEq for Input {
    /// Whether both read alike.
    fn eq(&self, other: &Self) -> bool {
        self.plan == other.plan && self.encoder == other.encoder
    }
}

/// What turns inputs into examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Encoder {
    Text(TextEncoder),
    Series(Standardizer),
    History(HistoryEncoder),
}

/// What the first layer must be made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputShape {
    /// Rows of the tables for tokens, n-grams, bigrams and shapes.
    Tokens {
        /// Entries of the vocabulary, `V`.
        vocabulary: usize,
        /// Rows of the table of character n-grams.
        ngrams: Option<usize>,
        /// Rows of the table of pairs of tokens.
        bigrams: Option<usize>,
        /// Rows of the table of shapes.
        shapes: Option<usize>,
    },
    /// Channels of a series, `C`.
    Channels(usize),
}

impl InputShape {
    /// Channels of a series; 0 for tokens, whose width is an option.
    pub fn width(self) -> usize {
        match self {
            InputShape::Tokens { .. } => 0,
            InputShape::Channels(channels) => channels,
        }
    }
}

impl Input {
    fn new(plan: InputPlan, encoder: Encoder) -> Input {
        // From 1: an example that no input has made has 0.
        static MADE: AtomicUsize = AtomicUsize::new(1);
        Input { plan, encoder, number: MADE.fetch_add(1, Ordering::Relaxed) }
    }

    /// Refuses examples that another input has made: their ids mean other tokens.
    ///
    /// # Errors
    /// If there is one.
    pub(crate) fn check_made(&self, examples: &[&Example]) -> Result<(), PlanError> {
        match examples.iter().all(|example| example.made_by == self.number) {
            true => Ok(()),
            false => Err(PlanError::Unfit("an example was made by the input of another model".into())),
        }
    }

    /// How texts are cut; `None` where inputs are series.
    pub fn segmentation(&self) -> Option<Segmentation> {
        match &self.encoder {
            Encoder::Text(encoder) => Some(encoder.tokenizer.segmentation),
            Encoder::Series(_) | Encoder::History(_) => None,
        }
    }

    /// Learns vocabulary or scales from the training inputs, which stand in `file`. `special`: tokens such as
    /// [`vocabulary::BOS`] that the vocabulary has beside those of the texts.
    ///
    /// # Errors
    /// If an input is not of the plan's kind, or there is nothing to learn from.
    pub fn fit<'a>(
        plan: &InputPlan,
        inputs: impl Iterator<Item = &'a Raw> + Clone,
        special: &[&str],
        file: &Path,
    ) -> Result<Input, Error> {
        Input::fit_beside(plan, inputs, special, WordCounts::default(), file)
    }

    /// The same where pieces of words, if texts are cut into them, are learnt of other words as well: those of what is
    /// written, where what is read and what is written are to have the same pieces.
    ///
    /// # Errors
    /// As [`Input::fit`].
    pub fn fit_beside<'a>(
        plan: &InputPlan,
        inputs: impl Iterator<Item = &'a Raw> + Clone,
        special: &[&str],
        words: WordCounts,
        file: &Path,
    ) -> Result<Input, Error> {
        match plan {
            InputPlan::Text(plan) => {
                let texts: Vec<&[String]> = inputs.clone().map(|raw| raw.texts(file)).collect::<Result<_, _>>()?;
                let are_tokens = inputs.clone().any(|raw| matches!(raw, Raw::Tokens(_)));
                let segmentation =
                    plan.tokenizer.resolve(texts.iter().copied().flatten().map(String::as_str), are_tokens);
                let tokenizer = plan.cutting(segmentation);
                if let (Some(_), false) = (&plan.user_dictionary, segmentation == Segmentation::Jieba) {
                    let problem = format!(
                        "is for jieba, but the texts are cut into {segmentation}; is --tokenizer jieba missing?"
                    );
                    return Err(PlanError::conflict("user-dictionary", problem).into());
                }
                let tokenizer = match segmentation.subwords() {
                    Some(_) if are_tokens => {
                        let problem = format!("is {segmentation}, but tokens that are given are not cut any further");
                        return Err(PlanError::conflict("tokenizer", problem).into());
                    }
                    Some(method) => plan.learn(tokenizer, method, &texts, words)?,
                    None => tokenizer,
                };
                tokenizer.check().map_err(|problem| PlanError::conflict("tokenizer", problem))?;
                let options = VocabularyOptions {
                    min_count: plan.min_count,
                    max_size: Some(plan.max_vocabulary),
                    special: special.iter().map(|&token| token.to_owned()).collect(),
                };
                let tokens = inputs.flat_map(|raw| raw.tokens(&tokenizer)).map(|token| token.text);
                let encoder = TextEncoder {
                    vocabulary: Vocabulary::build(tokens, &options),
                    tokenizer,
                    ngrams: plan.ngrams.clone(),
                    bigrams: plan.bigrams.clone(),
                    shapes: plan.shapes.clone(),
                    max_length: plan.max_length,
                };
                // With the tokenizer that `auto` turned out to be.
                let plan = TextPlan { tokenizer: encoder.tokenizer.segmentation.into(), ..plan.clone() };
                Ok(Input::new(InputPlan::Text(plan), Encoder::Text(encoder)))
            }
            InputPlan::Series(series) => {
                let indicators = series.missing == Missing::Mask;
                let series: Vec<SeriesExample> =
                    inputs.map(|raw| raw.series(file).cloned()).collect::<Result<_, _>>()?;
                let standardizer = Standardizer::fit(&series, indicators)
                    .ok_or_else(|| DataError::NoExamples { file: file.into() })?;
                Ok(Input::new(plan.clone(), Encoder::Series(standardizer)))
            }
            InputPlan::History(_) => {
                let histories: Vec<&History> = inputs.map(|raw| raw.history(file)).collect::<Result<_, _>>()?;
                Ok(Input::fit_histories(plan, &histories, file)?)
            }
        }
    }

    /// As [`Input::fit`], of histories whose columns the plan has.
    ///
    /// # Errors
    /// If a column of them has too many categories.
    ///
    /// # Panics
    /// If the plan is of other inputs, or has no columns.
    pub fn fit_histories(plan: &InputPlan, histories: &[&History], file: &Path) -> Result<Input, DataError> {
        let InputPlan::History(HistoryPlan { columns: Some(columns), .. }) = plan else {
            panic!("histories are read by a plan with their columns")
        };
        let encoder = HistoryEncoder::fit(histories, columns, file)?;
        Ok(Input::new(plan.clone(), Encoder::History(encoder)))
    }

    /// How often each entry of the vocabulary stands in these inputs, by its id. `[V]`, or nothing where inputs are series.
    pub fn counts<'a>(&self, inputs: impl Iterator<Item = &'a Raw>) -> Vec<u64> {
        let Encoder::Text(encoder) = &self.encoder else { return Vec::new() };
        let mut counts = vec![0; encoder.vocabulary.len()];
        for token in inputs.flat_map(|raw| raw.tokens(&encoder.tokenizer)) {
            counts[encoder.vocabulary.encode(&token.text) as usize] += 1;
        }
        counts
    }

    /// With these words in the vocabulary, behind those that are there; what it has already is not added.
    #[must_use]
    pub fn with_words(self, words: &[&str]) -> Input {
        match self.encoder {
            Encoder::Text(encoder) => {
                let (vocabulary, _) = encoder.vocabulary.extended(words, &VocabularyOptions::default());
                Input::new(self.plan, Encoder::Text(TextEncoder { vocabulary, ..encoder }))
            }
            Encoder::Series(_) | Encoder::History(_) => self,
        }
    }

    /// Reads what [`Input::put`] wrote; `path` is where the file came from.
    ///
    /// # Errors
    /// If an entry is missing or says what reads nothing.
    pub fn of_file(file: &ModelFile, path: &Path) -> Result<Input, ModelFileError> {
        let wrong = |key: &str, problem: String| ModelFileError::Entry { file: path.into(), key: key.into(), problem };
        let plan: InputPlan = file.json(path, PLAN_KEY)?;
        plan.check().map_err(|error| wrong(PLAN_KEY, error.to_string()))?;
        let encoder: Encoder = file.json(path, ENCODER_KEY)?;
        match (&plan, &encoder) {
            (InputPlan::Text(_), Encoder::Text(text)) => {
                text.check().and_then(|()| text.tokenizer.check()).map_err(|problem| wrong(ENCODER_KEY, problem))?;
            }
            (InputPlan::Series(series), Encoder::Series(standardizer)) => {
                series::check_stored(series, standardizer).map_err(|problem| wrong(PLAN_KEY, problem))?;
            }
            (InputPlan::History(history), Encoder::History(encoder)) => {
                encoder.check(history.columns.as_ref()).map_err(|problem| wrong(ENCODER_KEY, problem))?;
            }
            _ => return Err(wrong(ENCODER_KEY, "it is not for the kind of inputs that the model reads".into())),
        }
        Ok(Input::new(plan, encoder))
    }

    /// Writes plan and encoder under the keys `input` and `encoder`.
    ///
    /// # Errors
    /// If they cannot be written as JSON.
    pub fn put(&self, file: &mut ModelFile) -> Result<(), ModelFileError> {
        file.put_json(PLAN_KEY, &self.plan)?;
        file.put_json(ENCODER_KEY, &self.encoder)
    }

    /// The keys that [`Input::put`] writes.
    pub const KEYS: [&str; 2] = [PLAN_KEY, ENCODER_KEY];

    /// How inputs are read.
    pub fn plan(&self) -> &InputPlan {
        &self.plan
    }

    /// What the first layer must be made for.
    pub fn shape(&self) -> InputShape {
        match &self.encoder {
            Encoder::Text(encoder) => InputShape::Tokens {
                vocabulary: encoder.vocabulary.len(),
                ngrams: encoder.ngrams.as_ref().map(|ngrams| ngrams.rows()),
                bigrams: encoder.bigrams.as_ref().map(|bigrams| bigrams.rows()),
                shapes: encoder.shapes.as_ref().map(|shapes| shapes.rows()),
            },
            Encoder::Series(standardizer) => InputShape::Channels(standardizer.width()),
            // What a network reads of a history is cut by the task.
            Encoder::History(_) => InputShape::Channels(0),
        }
    }

    /// The tokenizer and vocabulary, where inputs are texts.
    pub fn text(&self) -> Option<&TextEncoder> {
        match &self.encoder {
            Encoder::Text(encoder) => Some(encoder),
            Encoder::Series(_) | Encoder::History(_) => None,
        }
    }

    /// The columns of the training data and what was learnt of them, where inputs are histories.
    pub fn history(&self) -> Option<(&HistoryColumns, &HistoryEncoder)> {
        match (&self.plan, &self.encoder) {
            (InputPlan::History(HistoryPlan { columns: Some(columns), .. }), Encoder::History(encoder)) => {
                Some((columns, encoder))
            }
            _ => None,
        }
    }

    /// Whether inputs are histories of which every step is told.
    pub(crate) fn tells_every_step(&self) -> bool {
        matches!(&self.plan, InputPlan::History(plan) if plan.every_step)
    }

    /// How `file` is read, which `columns` say differs from the training data.
    ///
    /// # Errors
    /// If they say what does not go with the model's inputs.
    pub fn plan_over(&self, columns: &Columns, file: &Path) -> Result<InputPlan, PlanError> {
        self.plan.over(columns, file)
    }

    /// What was found out of the training data, of series.
    fn series_columns(&self) -> Cow<'_, SeriesColumns> {
        match &self.plan {
            InputPlan::Series(SeriesPlan { columns: Some(columns), .. }) => Cow::Borrowed(columns),
            _ => Cow::Owned(SeriesColumns::default()),
        }
    }

    /// An example from an input of this line of `file`.
    ///
    /// # Errors
    /// If it is not of the kind the model reads, has other channels, or a value too far from those of the training.
    pub fn encode(&self, raw: Raw, file: &Path, line: usize) -> Result<Example, DataError> {
        let example = match (&self.encoder, raw) {
            (Encoder::Text(encoder), Raw::Text(text)) => Example::of_text(text, encoder, line),
            (Encoder::Text(encoder), Raw::Tokens(tokens)) => Example::of_tokens(&tokens, encoder, line),
            (Encoder::Series(standardizer), Raw::Series(mut series)) => {
                standardizer.apply(file, &mut series, &self.series_columns())?;
                let longest = match &self.plan {
                    InputPlan::Series(plan) => plan.max_length,
                    InputPlan::Text(_) | InputPlan::History(_) => None,
                };
                Example::of_series(series, longest, line)
            }
            (Encoder::History(_), Raw::History(history)) => Example::of_history(*history),
            (encoder, raw) => {
                let expected = match encoder {
                    Encoder::Text(_) => "a text",
                    Encoder::Series(_) => "a numeric series",
                    Encoder::History(_) => "numbers over time",
                };
                return Err(DataError::Kind { file: file.into(), line, found: raw.kind(), expected });
            }
        };
        Ok(Example { made_by: self.number, ..example })
    }

    /// An example from a line that holds one input: the text itself; of series, a JSON array of steps, each an array of
    /// channels.
    ///
    /// # Errors
    /// As [`Input::encode`], and if a series is no such array.
    pub fn encode_line(&self, content: &str, file: &Path, line: usize) -> Result<Example, DataError> {
        self.encode_owned_line(content.to_owned(), file, line)
    }

    /// As [`Input::encode_line`], from a line that nobody else needs.
    fn encode_owned_line(&self, content: String, file: &Path, line: usize) -> Result<Example, DataError> {
        let raw = match &self.encoder {
            Encoder::Text(_) => Raw::Text(content),
            Encoder::Series(standardizer) => {
                Raw::Series(series::parse(&content, standardizer, &self.series_columns(), file, line)?)
            }
            Encoder::History(_) => {
                let (columns, _) = self.history().expect("an input of histories has their columns");
                Raw::History(Box::new(history::parse(&content, (columns, self.tells_every_step()), file, line)?))
            }
        };
        self.encode(raw, file, line)
    }

    /// What is read, in lines of name and value.
    pub fn describe(&self) -> Vec<(String, String)> {
        let line = |name: &str, value: String| (name.to_owned(), value);
        match &self.encoder {
            Encoder::Text(encoder) => {
                let entries = encoder.vocabulary.len();
                let cut = format!("texts{}, cut into {}", encoder.tokenizer.reads(), encoder.tokenizer.segmentation);
                let mut lines = vec![
                    line("input", cut),
                    line("vocabulary", format!("{entries} tokens, with those for padding and unknown")),
                ];
                if let Some(words) = &encoder.tokenizer.words {
                    lines.push(line("dictionary", format!("{} beside those of jieba", counted(words.len(), "word"))));
                }
                if let Some(subwords) = &encoder.tokenizer.subwords {
                    lines.push(line(
                        "sub-words",
                        format!("{} by {}", counted(subwords.len(), "piece"), subwords.method()),
                    ));
                }
                if let Some(ngrams) = &encoder.ngrams {
                    let (min, max, buckets) = (ngrams.min, ngrams.max, ngrams.buckets);
                    lines.push(line("n-grams", format!("{min} to {max} characters in {buckets} buckets")));
                }
                if let Some(bigrams) = &encoder.bigrams {
                    lines.push(line("bigrams", format!("{} buckets", bigrams.buckets)));
                }
                if let Some(shapes) = &encoder.shapes {
                    lines.push(line("shapes", format!("{} buckets", shapes.buckets)));
                }
                lines.push(line("longest", format!("{} tokens", encoder.max_length)));
                lines
            }
            Encoder::Series(standardizer) => {
                let input = series::in_words(standardizer, &self.series_columns());
                let mut lines = vec![line("input", input)];
                lines.extend(self.series_columns().time_format.as_ref().map(|time| line("times", time.to_string())));
                lines
            }
            Encoder::History(_) => {
                let Some((columns, _)) = self.history() else { return Vec::new() };
                let mut lines = vec![line("input", history::in_words(columns, self.tells_every_step()))];
                lines.extend(columns.time_format.as_ref().map(|time| line("times", time.to_string())));
                lines
            }
        }
    }
}
