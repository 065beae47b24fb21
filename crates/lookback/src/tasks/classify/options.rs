//! Classification options as a person types them, on the command line or in a TOML file.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::model::Cell;
use crate::data::table::Column;
use crate::train::TrainOptions;

/// Everything that `lookback train classify` can be told. What is not said takes its default.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClassifyOptions {
    /// What is read, and how.
    #[command(flatten)]
    #[serde(flatten)]
    pub data: DataOptions,
    /// The network.
    #[command(flatten)]
    #[serde(flatten)]
    pub model: ModelOptions,
    /// How it is trained.
    #[command(flatten)]
    #[serde(flatten)]
    pub train: TrainOptions,
}

/// A column by its name or its number from 1; the same as [`Column`], which clap and TOML read as typed.
pub type ColumnChoice = Column;

/// What is read, and how.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Data")]
pub struct DataOptions {
    /// Format of the data [default: by the file's extension]
    #[arg(long, value_enum)]
    pub format: Option<FormatChoice>,
    /// Whether the first row holds the columns' names [default: auto]
    #[arg(long, value_enum)]
    pub header: Option<HeaderChoice>,
    /// Column of the text, by name or by number from 1
    #[arg(long, value_name = "COLUMN")]
    pub text: Option<Column>,
    /// Column of the label, by name or by number from 1
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<Column>,
    /// Column that tells the series apart (csv-long)
    #[arg(long, value_name = "COLUMN")]
    pub id: Option<Column>,
    /// Column that orders the steps of a series (csv-long) [default: the order of the rows]
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<Column>,
    /// Columns of the channels (csv-long) [default: all others]
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Column>,
    /// File with validation data, in the same format
    #[arg(long, value_name = "FILE", conflicts_with = "validation_split")]
    pub validation: Option<PathBuf>,
    /// Share of the data held out for validation, each label in proportion; 0 for none [default: 0.1]
    #[arg(long, value_name = "SHARE")]
    pub validation_split: Option<f64>,
    /// How texts are cut into tokens [default: auto]
    #[arg(long, value_enum)]
    pub tokenizer: Option<TokenizerOption>,
    /// Whether upper and lower case are the same [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub lowercase: Option<bool>,
    /// How often a token must stand in the training data to enter the vocabulary [default: 1]
    #[arg(long, value_name = "N")]
    pub min_count: Option<usize>,
    /// Largest vocabulary, the commonest tokens first [default: 50000]
    #[arg(long, value_name = "N")]
    pub max_vocabulary: Option<usize>,
    /// Longest sequence, in tokens or steps; what is longer is cut [default: 512 tokens; series are not cut]
    #[arg(long, value_name = "N")]
    pub max_length: Option<usize>,
    /// Weights of the labels in the loss [default: none]
    #[arg(long, value_enum)]
    pub class_weights: Option<ClassWeights>,
}

/// The network.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Model")]
pub struct ModelOptions {
    /// Recurrent cell [default: lstm]
    #[arg(long, value_enum)]
    pub cell: Option<Cell>,
    /// Width of the token vectors [default: 128]
    #[arg(long, value_name = "N")]
    pub embedding: Option<usize>,
    /// Hidden units a direction [default: 128]
    #[arg(long, value_name = "N")]
    pub hidden: Option<usize>,
    /// Recurrent layers, one on the other [default: 1]
    #[arg(long, value_name = "N")]
    pub layers: Option<usize>,
    /// Compute the gates again in the backward pass instead of keeping them: less memory for long texts and series, for
    /// one more forward pass [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub recompute: Option<bool>,
    /// Whether the layers read both ways [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub bidirectional: Option<bool>,
    /// Attention between the recurrent layers and the pooling: none, additive, dot, general, scaled-dot, self,
    /// multi-head:N, or structured:N, which pools by itself [default: none]
    #[arg(long, value_name = "FORM")]
    pub attention: Option<String>,
    /// How outputs become one vector: attention (Zhou 2016), query (the final state asks, by dot product), last, mean,
    /// max, or several joined by + [default: attention]
    #[arg(long, value_name = "POOLING")]
    pub pooling: Option<String>,
    /// Dropout on the token vectors, between layers and before the output, where not told apart [default: 0.5]
    #[arg(long, value_name = "P")]
    pub dropout: Option<f64>,
    /// Dropout on the token vectors, or on the channels of a series [default: as --dropout; series 0]
    #[arg(long, value_name = "P")]
    pub embedding_dropout: Option<f64>,
    /// Dropout between layers [default: as --dropout]
    #[arg(long, value_name = "P")]
    pub layer_dropout: Option<f64>,
    /// Dropout before the output [default: as --dropout]
    #[arg(long, value_name = "P")]
    pub output_dropout: Option<f64>,
    /// Chance that a token is replaced by the unknown token while training; its n-grams stay [default: 0]
    #[arg(long, value_name = "P")]
    pub word_dropout: Option<f64>,
    /// Character n-grams, shortest-longest, whose mean is added to a token's vector, for example 3-5 [default: none]
    #[arg(long, value_name = "MIN-MAX")]
    pub char_ngrams: Option<String>,
    /// Buckets that the character n-grams are hashed into [default: 4000]
    #[arg(long, value_name = "N")]
    pub char_buckets: Option<u32>,
    /// Buckets for pairs of neighbouring tokens, added to the second one's vector; 0 for none [default: 0]
    #[arg(long, value_name = "N")]
    pub bigram_buckets: Option<u32>,
    /// Characters in the n-grams of the whole text that a linear part beside the network weighs, for example 1-3; the
    /// two answer together [default: none]
    #[arg(long, value_name = "MIN-MAX")]
    pub wide_characters: Option<String>,
    /// Neighbouring tokens in the n-grams of the linear part, for example 1-2 [default: none]
    #[arg(long, value_name = "MIN-MAX")]
    pub wide_tokens: Option<String>,
    /// Buckets that the n-grams of the linear part are hashed into [default: 262144]
    #[arg(long, value_name = "N")]
    pub wide_buckets: Option<u32>,
    /// Length of a text's vector of n-grams; the longer, the faster the linear part learns [default: 4]
    #[arg(long, value_name = "X")]
    pub wide_scale: Option<f64>,
    /// Networks trained one after the other from seeds of their own, whose probabilities are averaged [default: 1]
    #[arg(long, value_name = "N")]
    pub members: Option<usize>,
    /// Standard deviation of the token vectors at the start; PyTorch has 1 [default: 0.3]
    #[arg(long, value_name = "X")]
    pub embedding_scale: Option<f64>,
    /// Standard deviation of the noise added to a series' standardised channels while training [default: 0]
    #[arg(long, value_name = "X")]
    pub input_noise: Option<f64>,
    /// Bias of the LSTM's forget gate at the start [default: as PyTorch, uniform around 0]
    #[arg(long, value_name = "X")]
    pub forget_bias: Option<f64>,
}

/// The formats the classifier reads.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[value(rename_all = "kebab-case")]
pub enum FormatChoice {
    /// Comma-separated texts and labels
    Csv,
    /// Tab-separated texts and labels
    Tsv,
    /// One JSON object a line
    Jsonl,
    /// Numeric series, as the UEA archive has them
    Ts,
    /// Numeric series in CSV, one row a step
    CsvLong,
}

impl FormatChoice {
    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            FormatChoice::Csv => "csv",
            FormatChoice::Tsv => "tsv",
            FormatChoice::Jsonl => "jsonl",
            FormatChoice::Ts => "ts",
            FormatChoice::CsvLong => "csv-long",
        }
    }
}

/// Whether there is a header row.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[value(rename_all = "kebab-case")]
pub enum HeaderChoice {
    /// Found out from the first row
    Auto,
    /// There is one
    Yes,
    /// There is none
    No,
}

impl HeaderChoice {
    /// What a reader of tables is told; `None` makes it look.
    pub fn told(self) -> Option<bool> {
        match self {
            HeaderChoice::Auto => None,
            HeaderChoice::Yes => Some(true),
            HeaderChoice::No => Some(false),
        }
    }
}

/// How texts are cut into tokens.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[value(rename_all = "kebab-case")]
pub enum TokenizerOption {
    /// Chinese words where the texts are mostly Chinese, words otherwise
    #[default]
    Auto,
    /// Words as Unicode finds them
    Words,
    /// Single characters
    Characters,
    /// Chinese words by jieba
    Jieba,
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

impl ClassWeights {
    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            ClassWeights::None => "none",
            ClassWeights::Balanced => "balanced",
        }
    }
}
