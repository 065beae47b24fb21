//! Classification options as a person types them, on the command line or in a TOML file.

use std::path::Path;

use clap::{Args, ValueEnum};
use lookback_infer::data::Format;
use lookback_infer::error::{PlanError, in_plain_words};
use lookback_infer::input::InputPlan;
use lookback_infer::tasks::classify::{LabelsPerText, NetworkPlan, Sizes};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::input::{FOR_TEXTS, InputOptions, NONE, refuse};
use crate::network::EncoderOptions;
use crate::train::{Files, TrainOptions};

/// Everything that `lookback train classify` can be told. What is not said takes its default.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClassifyOptions {
    /// What is read, and how.
    #[command(flatten)]
    #[serde(flatten)]
    pub input: InputOptions,
    /// The encoder.
    #[command(flatten)]
    #[serde(flatten)]
    pub encoder: EncoderOptions,
    /// What comes behind it and beside it.
    #[command(flatten)]
    #[serde(flatten)]
    pub network: NetworkOptions,
    /// How it is trained.
    #[command(flatten)]
    #[serde(flatten)]
    pub train: TrainOptions,
    /// What is special about it.
    #[command(flatten)]
    #[serde(flatten)]
    pub learning: LearningOptions,
    /// How many labels a text has.
    #[command(flatten)]
    #[serde(flatten)]
    pub labels: LabelOptions,
}

impl ClassifyOptions {
    /// All options of a training, for a configuration.
    ///
    /// # Errors
    /// If those of the training have another form.
    pub(super) fn whole(
        input: &InputPlan,
        network: &NetworkPlan,
        training: &Map<String, Value>,
    ) -> Result<ClassifyOptions, String> {
        let mut learning = LearningOptions::deserialize(Value::Object(training.clone()))
            .map_err(|error| in_plain_words(&error.to_string()))?;
        if Files::has_init(training) {
            // It says how large a new network is.
            learning.quality = None;
        }
        let input_options = InputOptions::with_places(input);
        let own = ["quality", "class-weights", "label-smoothing", "linear-c", "cross-validate"];
        let others = training.iter().filter(|(name, _)| !own.contains(&name.as_str()));
        let train = TrainOptions::of(&others.map(|(name, value)| (name.clone(), value.clone())).collect())?;
        let of = ClassifyOptions::of(input, network);
        let label_separator = input.label_separator().filter(|&separator| separator != LABEL_SEPARATOR);
        let labels = LabelOptions { label_separator, ..of.labels.clone() };
        let encoder = EncoderOptions {
            output_dropout: of.encoder.output_dropout,
            ..EncoderOptions::with_files(&network.encoder, input.is_text())
        };
        Ok(ClassifyOptions { input: input_options, encoder, train, learning, labels, ..of })
    }

    /// The options by which inputs and network were made.
    pub(super) fn of(input: &InputPlan, network: &NetworkPlan) -> ClassifyOptions {
        let range = |sizes: Option<Sizes>| match sizes {
            Some(Sizes { min, max }) => Some(format!("{min}-{max}")),
            None => input.is_text().then(|| NONE.to_owned()),
        };
        let linear = network.linear.as_ref();
        let pools = network.encoder.attention.pools();
        let mut options = ClassifyOptions {
            input: InputOptions::of(input),
            encoder: EncoderOptions::of(&network.encoder, input.is_text()),
            network: NetworkOptions {
                pooling: (!pools).then(|| network.pooling.to_string()),
                linear_characters: range(linear.and_then(|linear| linear.characters)),
                linear_words: range(linear.and_then(|linear| linear.words)),
                linear_buckets: linear.map(|linear| linear.buckets),
            },
            ..ClassifyOptions::default()
        };
        options.labels.multi_label = (network.labels_per_text == LabelsPerText::Several).then_some(true);
        options.encoder.output_dropout = Some(network.output_dropout);
        options.train.ensemble = Some(network.ensemble);
        options
    }
}

/// What stands between the labels of a text in a table, unless another is told.
const LABEL_SEPARATOR: char = '|';

/// How many labels a text has.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Input")]
pub struct LabelOptions {
    /// A text may have several labels, or none: a list in JSON, labels with | between them in a table or a list such as ['a', 'b'],
    /// or several __label__ of fastText [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub multi_label: Option<bool>,
    /// What stands between the labels of a text in a table (--multi-label) [default: |]
    #[arg(long, value_name = "CHARACTER")]
    pub label_separator: Option<char>,
}

impl LabelOptions {
    /// Whether a text has one label or several.
    pub(super) fn per_text(&self) -> LabelsPerText {
        if self.multi_label == Some(true) { LabelsPerText::Several } else { LabelsPerText::One }
    }

    /// How the inputs of the file `data` are read when their labels are.
    ///
    /// # Errors
    /// If what is said does not go with the data.
    pub(super) fn plan(&self, input: InputPlan, data: &Path) -> Result<InputPlan, PlanError> {
        let separator = [("label-separator", self.label_separator.is_some())];
        let InputPlan::Text(texts) = &input else {
            refuse(&[("multi-label", self.per_text() == LabelsPerText::Several)], FOR_TEXTS)?;
            refuse(&separator, FOR_TEXTS)?;
            return Ok(input);
        };
        if self.per_text() == LabelsPerText::One {
            refuse(&separator, "stands between several labels of a text, which --multi-label asks for")?;
            return Ok(input);
        }
        if let Some(Format::Jsonl | Format::Fasttext) = texts.format.or_else(|| Format::of_texts(data)) {
            refuse(&separator, "is for tables with columns, csv and tsv")?;
        }
        Ok(input.with_label_separator(self.label_separator.unwrap_or(LABEL_SEPARATOR)))
    }
}

/// What a classifier has behind the encoder and beside it.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Network")]
pub struct NetworkOptions {
    /// How the steps become one vector: attention (Zhou 2016), query (the final state asks, by dot product), last, mean,
    /// max, or several joined by + [default: attention; of series attention+mean+max]
    #[arg(long, value_name = "POOLING")]
    pub pooling: Option<String>,
    /// Characters in the n-grams that a linear part beside the network weighs, for example 1-3, or none; the two answer
    /// together [default: by the data]
    #[arg(long, value_name = "MIN-MAX")]
    pub linear_characters: Option<String>,
    /// Neighbouring words in the n-grams of the linear part, for example 1-2, or none [default: by the data]
    #[arg(long, value_name = "MIN-MAX")]
    pub linear_words: Option<String>,
    /// Buckets that the n-grams of the linear part are hashed into [default: by the data]
    #[arg(long, value_name = "N")]
    pub linear_buckets: Option<u32>,
}

/// What is special about training a classifier.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Training")]
pub struct LearningOptions {
    /// How much is spent on what is chosen by the data: fast, balanced or best [default: balanced]
    #[arg(long, value_enum)]
    pub quality: Option<Quality>,
    /// Weights of the labels in the loss [default: none]
    #[arg(long, value_enum)]
    pub class_weights: Option<ClassWeights>,
    /// Share of the probability that the loss spreads over all labels [default: 0]
    #[arg(long, value_name = "X")]
    pub label_smoothing: Option<f64>,
    /// What an example counts against the squared weights of the linear part: C of scikit-learn and LIBLINEAR [default: 30]
    #[arg(long, value_name = "C")]
    pub linear_c: Option<f64>,
    /// Parts into which the data are split, each to be judged by a training on the others; their mean and spread are told,
    /// and where nothing is held out they say how sure answers may be; 0 for none [default: by the data]
    #[arg(long, value_name = "K")]
    pub cross_validate: Option<usize>,
}

/// How much is spent on what is chosen by the data.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[value(rename_all = "kebab-case")]
pub enum Quality {
    /// Seconds: texts by the linear part and weighed token vectors, without recurrent layers; series by a small network
    Fast,
    /// A minute or so for 10,000 short texts
    #[default]
    Balanced,
    /// Several times as long: five networks answer together
    Best,
}

/// Weights of the labels in the loss.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[value(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// Every example counts the same
    #[default]
    None,
    /// Every label counts the same
    Balanced,
}
