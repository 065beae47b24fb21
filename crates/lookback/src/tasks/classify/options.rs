//! Classification options as a person types them, on the command line or in a TOML file.

use clap::{Args, ValueEnum};
use lookback_infer::error::in_plain_words;
use lookback_infer::input::InputPlan;
use lookback_infer::tasks::classify::{NetworkPlan, Sizes};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::input::InputOptions;
use crate::network::EncoderOptions;
use crate::train::TrainOptions;

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
        let learning = LearningOptions::deserialize(Value::Object(training.clone()))
            .map_err(|error| in_plain_words(&error.to_string()))?;
        let input_options = InputOptions::with_places(input);
        let own = ["quality", "class-weights", "label-smoothing", "linear-c", "cross-validate"];
        let others = training.iter().filter(|(name, _)| !own.contains(&name.as_str()));
        let train = TrainOptions::of(&others.map(|(name, value)| (name.clone(), value.clone())).collect())?;
        let mut options =
            ClassifyOptions { input: input_options, train, learning, ..ClassifyOptions::of(input, network) };
        options.encoder = EncoderOptions {
            output_dropout: options.encoder.output_dropout,
            ..EncoderOptions::with_files(&network.encoder, input.is_text())
        };
        Ok(options)
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
        options.encoder.output_dropout = Some(network.output_dropout);
        options.train.ensemble = Some(network.ensemble);
        options
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

/// No n-grams at all.
pub(super) const NONE: &str = "none";

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
