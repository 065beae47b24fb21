//! Options, checked: only a plan can train.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::attention::AttentionForm;
use super::model::Cell;
use super::options::{
    ClassWeights, ClassifyOptions, DataOptions, FormatChoice, HeaderChoice, ModelOptions, TokenizerOption,
};
use super::pooling::{PoolKind, Pooling};
use crate::data::encoder::{BigramConfig, NgramConfig};
use crate::data::series::{SeriesFormat, SeriesOptions};
use crate::data::table::{Column, EmptyText, Labels, TableFormat, TableOptions};
use crate::data::tokenizer::TokenizerChoice;
use crate::data::wide::{Sizes, WideConfig};
use crate::train::{TrainOptions, TrainPlan};

/// A checked description of a classifier and its training.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassifyPlan {
    pub(crate) input: InputPlan,
    pub(crate) model: ModelPlan,
    pub(crate) train: TrainPlan,
    pub(crate) class_weights: ClassWeights,
    pub(crate) validation: ValidationPlan,
}

/// What the classifier reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum InputPlan {
    /// Texts.
    Text(TextPlan),
    /// Numeric series.
    Series(SeriesPlan),
}

/// How texts are read and cut up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TextPlan {
    pub(crate) format: Option<FormatChoice>,
    pub(crate) header: Option<bool>,
    pub(crate) text: Option<Column>,
    pub(crate) label: Option<Column>,
    pub(crate) tokenizer: TokenizerOption,
    pub(crate) lowercase: bool,
    pub(crate) min_count: usize,
    pub(crate) max_vocabulary: usize,
    pub(crate) max_length: usize,
    pub(crate) ngrams: Option<NgramConfig>,
    pub(crate) bigrams: Option<BigramConfig>,
    /// The linear part beside the network.
    pub(crate) wide: Option<WideConfig>,
    pub(crate) word_dropout: f64,
}

/// How numeric series are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SeriesPlan {
    pub(crate) format: FormatChoice,
    pub(crate) header: Option<bool>,
    pub(crate) id: Option<Column>,
    pub(crate) time: Option<Column>,
    pub(crate) label: Option<Column>,
    pub(crate) values: Vec<Column>,
    pub(crate) max_length: Option<usize>,
    /// Standard deviation of the noise added while training.
    pub(crate) input_noise: f64,
}

/// The network's shape, apart from what the data decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ModelPlan {
    /// Networks whose probabilities are averaged.
    pub(crate) members: usize,
    pub(crate) cell: Cell,
    pub(crate) embedding: usize,
    pub(crate) embedding_scale: f64,
    pub(crate) hidden: usize,
    pub(crate) layers: usize,
    pub(crate) bidirectional: bool,
    #[serde(default)]
    pub(crate) recompute: bool,
    #[serde(default)]
    pub(crate) attention: AttentionForm,
    pub(crate) pooling: Pooling,
    pub(crate) embedding_dropout: f64,
    pub(crate) layer_dropout: f64,
    pub(crate) output_dropout: f64,
    pub(crate) forget_bias: Option<f64>,
}

/// Where validation data come from.
#[derive(Clone, Debug, PartialEq)]
pub enum ValidationPlan {
    /// A file of its own.
    File(PathBuf),
    /// A share of the training data, each label in proportion.
    Split(f64),
    /// Nowhere: every epoch is run and the last weights are kept.
    None,
}

impl ClassifyPlan {
    /// Checks options for training on the file `data`. The error is a sentence that names the option.
    pub fn new(data: &Path, options: &ClassifyOptions) -> Result<ClassifyPlan, String> {
        let format = match options.data.format {
            Some(format) => Some(format),
            None => has_extension(data, "ts").then_some(FormatChoice::Ts),
        };
        let input = match format {
            Some(format @ (FormatChoice::Ts | FormatChoice::CsvLong)) => {
                InputPlan::Series(series_plan(format, &options.data, &options.model)?)
            }
            format => InputPlan::Text(text_plan(format, &options.data, &options.model)?),
        };
        input.check()?;
        let is_text = matches!(input, InputPlan::Text(_));
        let validation = match (&options.data.validation, options.data.validation_split) {
            (Some(_), Some(_)) => return Err("--validation and --validation-split exclude each other".into()),
            (Some(file), None) => ValidationPlan::File(file.clone()),
            (None, share) => match share.unwrap_or(0.1) {
                0.0 => ValidationPlan::None,
                share if share > 0.0 && share < 1.0 => ValidationPlan::Split(share),
                share => return Err(format!("--validation-split is {share}; it must be from 0 to below 1")),
            },
        };
        if validation == ValidationPlan::None {
            refuse_without_validation(&options.train)?;
        }
        Ok(ClassifyPlan {
            input,
            model: model_plan(&options.model, is_text)?,
            train: TrainPlan::new(&options.train)?,
            class_weights: options.data.class_weights.unwrap_or_default(),
            validation,
        })
    }

    /// How it is trained.
    pub fn train(&self) -> &TrainPlan {
        &self.train
    }
}

fn refuse_without_validation(train: &TrainOptions) -> Result<(), String> {
    let refused = [("patience", train.patience.is_some_and(|patience| patience > 0)), ("score", train.score.is_some())];
    match refused.iter().find(|(_, set)| *set) {
        Some((name, _)) => Err(format!("--{name} needs validation data, but --validation-split is 0")),
        None => Ok(()),
    }
}

fn text_plan(format: Option<FormatChoice>, data: &DataOptions, model: &ModelOptions) -> Result<TextPlan, String> {
    let series_only = [
        ("id", data.id.is_some()),
        ("time", data.time.is_some()),
        ("values", !data.values.is_empty()),
        ("input-noise", model.input_noise.is_some()),
    ];
    if let Some((name, _)) = series_only.iter().find(|(_, set)| *set) {
        return Err(format!("--{name} is for numeric series, but the data are texts; is --format csv-long missing?"));
    }
    if format == Some(FormatChoice::Jsonl) && data.header.is_some() {
        return Err("--header is for csv and tsv; JSON Lines name their columns in every line".into());
    }
    let ngrams = match (&model.char_ngrams, model.char_buckets) {
        (None, None) => None,
        (None, Some(_)) => return Err("--char-buckets needs --char-ngrams".into()),
        (Some(range), buckets) => {
            let Sizes { min, max } = sizes("char-ngrams", range)?;
            let buckets = buckets.unwrap_or(4_000);
            if buckets == 0 {
                return Err("--char-buckets is 0; it must be at least 1".into());
            }
            Some(NgramConfig { min, max, buckets })
        }
    };
    let bigrams = model.bigram_buckets.filter(|&buckets| buckets > 0).map(|buckets| BigramConfig { buckets });
    Ok(TextPlan {
        format,
        header: data.header.and_then(HeaderChoice::told),
        text: data.text.clone(),
        label: data.label.clone(),
        tokenizer: data.tokenizer.unwrap_or_default(),
        lowercase: data.lowercase.unwrap_or(true),
        min_count: data.min_count.unwrap_or(1),
        max_vocabulary: data.max_vocabulary.unwrap_or(50_000),
        max_length: data.max_length.unwrap_or(512),
        ngrams,
        bigrams,
        wide: wide_config(model)?,
        word_dropout: model.word_dropout.unwrap_or(0.0),
    })
}

/// The linear part that the options ask for.
fn wide_config(model: &ModelOptions) -> Result<Option<WideConfig>, String> {
    let range = |name: &str, range: &Option<String>| range.as_deref().map(|range| sizes(name, range)).transpose();
    let characters = range("wide-characters", &model.wide_characters)?;
    let tokens = range("wide-tokens", &model.wide_tokens)?;
    if characters.is_none() && tokens.is_none() {
        let alone = [("wide-buckets", model.wide_buckets.is_some()), ("wide-scale", model.wide_scale.is_some())];
        return match alone.iter().find(|(_, set)| *set) {
            Some((name, _)) => Err(format!("--{name} needs --wide-characters or --wide-tokens")),
            None => Ok(None),
        };
    }
    let buckets = model.wide_buckets.unwrap_or(1 << 18);
    if buckets == 0 || buckets > MOST_BUCKETS {
        return Err(format!("--wide-buckets is {buckets}; it must be from 1 to {MOST_BUCKETS}"));
    }
    let scale = model.wide_scale.unwrap_or(4.0);
    if !(scale > 0.0 && scale <= 1e6) {
        return Err(format!("--wide-scale is {scale}; it must be above 0 and at most 1000000"));
    }
    Ok(Some(WideConfig { characters, tokens, buckets, scale: scale as f32 }))
}

/// The most buckets of the linear part: 64 MiB of numbers a label.
const MOST_BUCKETS: u32 = 1 << 24;

fn series_plan(format: FormatChoice, data: &DataOptions, model: &ModelOptions) -> Result<SeriesPlan, String> {
    let text_only = [
        ("text", data.text.is_some()),
        ("tokenizer", data.tokenizer.is_some()),
        ("lowercase", data.lowercase.is_some()),
        ("min-count", data.min_count.is_some()),
        ("max-vocabulary", data.max_vocabulary.is_some()),
        ("embedding", model.embedding.is_some()),
        ("embedding-scale", model.embedding_scale.is_some()),
        ("word-dropout", model.word_dropout.is_some()),
        ("char-ngrams", model.char_ngrams.is_some()),
        ("char-buckets", model.char_buckets.is_some()),
        ("bigram-buckets", model.bigram_buckets.is_some()),
        ("wide-characters", model.wide_characters.is_some()),
        ("wide-tokens", model.wide_tokens.is_some()),
        ("wide-buckets", model.wide_buckets.is_some()),
        ("wide-scale", model.wide_scale.is_some()),
    ];
    if let Some((name, _)) = text_only.iter().find(|(_, set)| *set) {
        return Err(format!("--{name} is for texts, but the data are numeric series"));
    }
    let columns = [
        ("id", data.id.is_some()),
        ("time", data.time.is_some()),
        ("label", data.label.is_some()),
        ("values", !data.values.is_empty()),
        ("header", data.header.is_some()),
    ];
    if format == FormatChoice::Ts
        && let Some((name, _)) = columns.iter().find(|(_, set)| *set)
    {
        return Err(format!("--{name} is about columns, but a .ts file has none"));
    }
    Ok(SeriesPlan {
        format,
        header: data.header.and_then(HeaderChoice::told),
        id: data.id.clone(),
        time: data.time.clone(),
        label: data.label.clone(),
        values: data.values.clone(),
        max_length: data.max_length,
        input_noise: model.input_noise.unwrap_or(0.0),
    })
}

fn model_plan(options: &ModelOptions, is_text: bool) -> Result<ModelPlan, String> {
    let cell = options.cell.unwrap_or_default();
    let layers = options.layers.unwrap_or(1);
    if options.forget_bias.is_some() && cell != Cell::Lstm {
        return Err("--forget-bias is for --cell lstm only".into());
    }
    if layers == 1 && options.layer_dropout.is_some_and(|p| p > 0.0) {
        return Err("--layer-dropout is between layers, but --layers is 1".into());
    }
    let dropout = share("dropout", options.dropout.unwrap_or(0.5))?;
    let embedding_dropout = options.embedding_dropout.unwrap_or(if is_text { dropout } else { 0.0 });
    let plan = ModelPlan {
        members: options.members.unwrap_or(1),
        cell,
        embedding: options.embedding.unwrap_or(128),
        embedding_scale: options.embedding_scale.unwrap_or(0.3),
        hidden: options.hidden.unwrap_or(128),
        layers,
        bidirectional: options.bidirectional.unwrap_or(true),
        recompute: options.recompute.unwrap_or(false),
        attention: options.attention.as_deref().unwrap_or("none").parse()?,
        pooling: options.pooling.as_deref().unwrap_or("attention").parse()?,
        embedding_dropout,
        layer_dropout: if layers == 1 { 0.0 } else { options.layer_dropout.unwrap_or(dropout) },
        output_dropout: options.output_dropout.unwrap_or(dropout),
        forget_bias: options.forget_bias,
    };
    if plan.attention.pools() && options.pooling.is_some() {
        return Err(format!("--attention {} pools by itself, and --pooling would be left unused", plan.attention));
    }
    plan.check()?;
    Ok(plan)
}

impl ModelPlan {
    /// Whether a network can be made; a plan from a file may say anything.
    pub(crate) fn check(&self) -> Result<(), String> {
        let sizes = [
            ("members", self.members, 64),
            ("embedding", self.embedding, 1 << 16),
            ("hidden", self.hidden, 1 << 16),
            ("layers", self.layers, 64),
        ];
        for (name, value, most) in sizes {
            if value == 0 || value > most {
                return Err(format!("--{name} is {value}; it must be from 1 to {most}"));
            }
        }
        self.attention.check(self.outputs())?;
        if self.attention != AttentionForm::None && !self.attention.pools() {
            let parts = self.pooling.parts();
            if parts == [PoolKind::Last] {
                return Err(format!(
                    "--pooling last reads the final state alone, and --attention {} would be left unused",
                    self.attention
                ));
            }
            if parts.contains(&PoolKind::Query) && self.attention.width(1) != 1 {
                let form = self.attention;
                return Err(format!(
                    "--pooling query compares the final state with the steps, which --attention {form} makes twice as wide"
                ));
            }
        }
        share("embedding-dropout", self.embedding_dropout)?;
        share("layer-dropout", self.layer_dropout)?;
        share("output-dropout", self.output_dropout)?;
        if !(self.embedding_scale > 0.0 && self.embedding_scale <= 1e6) {
            return Err(format!(
                "--embedding-scale is {}; it must be above 0 and at most 1000000",
                self.embedding_scale
            ));
        }
        if let Some(bias) = self.forget_bias.filter(|bias| bias.is_nan() || bias.abs() > 1e6) {
            return Err(format!("--forget-bias is {bias}; it must be from -1000000 to 1000000"));
        }
        Ok(())
    }

    /// The width of a step's output.
    pub(crate) fn outputs(&self) -> usize {
        self.hidden * if self.bidirectional { 2 } else { 1 }
    }

    /// The attention between the recurrent layers and the pooling.
    pub fn attention(&self) -> AttentionForm {
        self.attention
    }

    /// Whether an answer comes with weights over the steps.
    pub fn has_weights(&self) -> bool {
        self.attention.pools() || self.pooling.weighted().is_some()
    }

    /// How outputs become one vector.
    pub fn pooling(&self) -> &Pooling {
        &self.pooling
    }

    /// The network in one line, for people.
    pub fn summary(&self) -> String {
        let ways = if self.bidirectional { "bidirectional" } else { "forward" };
        let layers = if self.layers == 1 { "1 layer".into() } else { format!("{} layers", self.layers) };
        let members = if self.members == 1 { String::new() } else { format!("{} networks, each ", self.members) };
        let attention = match self.attention {
            AttentionForm::None => String::new(),
            form => format!(", attention {form}"),
        };
        let pooling = if self.attention.pools() { String::new() } else { format!(", pooling by {}", self.pooling) };
        let (cell, hidden) = (self.cell.name(), self.hidden);
        format!("{members}{layers} of {ways} {cell} with {hidden} hidden units a direction{attention}{pooling}")
    }
}

impl InputPlan {
    /// Whether inputs can be read by it; a plan from a file may say anything.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self {
            InputPlan::Text(plan) => {
                at_least(1, "min-count", plan.min_count)?;
                at_least(3, "max-vocabulary", plan.max_vocabulary)?;
                at_least(1, "max-length", plan.max_length)?;
                share("word-dropout", plan.word_dropout)?;
            }
            InputPlan::Series(plan) => {
                plan.max_length.map(|length| at_least(1, "max-length", length)).transpose()?;
                crate::train::not_negative("input-noise", plan.input_noise)?;
            }
        }
        Ok(())
    }
}

impl TextPlan {
    /// How a table of texts is read.
    pub(crate) fn table(&self, labels: Labels, empty_text: EmptyText) -> TableOptions {
        TableOptions {
            format: self.format.and_then(|format| match format {
                FormatChoice::Csv => Some(TableFormat::Csv),
                FormatChoice::Tsv => Some(TableFormat::Tsv),
                FormatChoice::Jsonl => Some(TableFormat::JsonLines),
                FormatChoice::Ts | FormatChoice::CsvLong => None,
            }),
            text: self.text.clone(),
            label: self.label.clone(),
            header: self.header,
            labels,
            empty_text,
        }
    }

    pub(crate) fn tokenizer(&self) -> TokenizerChoice {
        match self.tokenizer {
            TokenizerOption::Auto => TokenizerChoice::Auto,
            TokenizerOption::Words => TokenizerChoice::Words,
            TokenizerOption::Characters => TokenizerChoice::Characters,
            TokenizerOption::Jieba => TokenizerChoice::Jieba,
        }
    }
}

impl SeriesPlan {
    /// How a file of series is read.
    pub(crate) fn series(&self, labels: Labels) -> SeriesOptions {
        SeriesOptions {
            format: Some(if self.format == FormatChoice::Ts { SeriesFormat::Ts } else { SeriesFormat::Csv }),
            header: self.header,
            id: self.id.clone(),
            time: self.time.clone(),
            label: self.label.clone(),
            values: self.values.clone(),
            labels,
        }
    }
}

/// The longest n-grams. A text has as many n-grams of every length as it has characters or tokens, so that without a
/// bound their number would be the square of the text's length.
const LONGEST_NGRAM: usize = 64;

fn sizes(name: &str, range: &str) -> Result<Sizes, String> {
    let wrong = || format!("--{name} is '{range}'; expected shortest-longest, for example 2-5");
    let (min, max) = range.split_once('-').unwrap_or((range, range));
    let min: usize = min.trim().parse().map_err(|_| wrong())?;
    let max: usize = max.trim().parse().map_err(|_| wrong())?;
    if max > LONGEST_NGRAM {
        return Err(format!("--{name} is '{range}'; the longest may be at most {LONGEST_NGRAM}"));
    }
    if min == 0 || max < min { Err(wrong()) } else { Ok(Sizes { min, max }) }
}

fn at_least(least: usize, name: &str, value: usize) -> Result<usize, String> {
    crate::train::writable(name, value as u64)?;
    if value < least { Err(format!("--{name} is {value}; it must be at least {least}")) } else { Ok(value) }
}

fn share(name: &str, value: f64) -> Result<f64, String> {
    crate::train::below_one(name, value)
}

pub(crate) fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}
