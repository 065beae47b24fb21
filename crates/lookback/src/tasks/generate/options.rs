//! Options of a language model as a person types them, on the command line or in a TOML file.

use clap::Args;
use lookback_infer::data::documents::DocumentOptions;
use lookback_infer::input::written::WrittenCut;
use lookback_infer::network::Cell;
use lookback_infer::tasks::generate::{GeneratedText, NetworkPlan};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::train::TrainOptions;

/// Everything that `lookback train generate` can be told. What is not said takes its default.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct GenerateOptions {
    /// How documents stand in the file.
    #[command(flatten, next_help_heading = "Input")]
    #[serde(flatten)]
    pub data: DocumentOptions,
    /// How texts become tokens.
    #[command(flatten)]
    #[serde(flatten)]
    pub tokens: GeneratedTokenOptions,
    /// The network.
    #[command(flatten)]
    #[serde(flatten)]
    pub network: LanguageOptions,
    /// Steps through which gradients flow back (truncated backpropagation through time); states are carried on from piece to piece,
    /// and longer documents than all others are cut so that the rows of a batch have about as much to read [default: 100 of
    /// characters, 35 of words and pieces of words]
    #[arg(long, value_name = "STEPS", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk: Option<usize>,
    /// Weight of the mean square of the last layer's outputs in the loss (activation regularisation, Merity 2017) [default: 0]
    #[arg(long, value_name = "WEIGHT", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation_penalty: Option<f64>,
    /// Weight of the mean square of their change from step to step (temporal activation regularisation) [default: 0]
    #[arg(long, value_name = "WEIGHT", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slowness_penalty: Option<f64>,
    /// How it is trained.
    #[command(flatten)]
    #[serde(flatten)]
    pub train: TrainOptions,
}

/// How texts become tokens.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Input")]
pub struct GeneratedTokenOptions {
    /// How texts are cut into tokens [default: characters]
    #[arg(long, value_enum, value_name = "HOW")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<WrittenCut>,
    /// Pieces of words that are learnt at most, of --tokenizer bpe or unigram [default: 8000]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subwords: Option<usize>,
    /// How often a token must stand in the training texts to enter the vocabulary [default: 1]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_count: Option<usize>,
    /// Largest vocabulary, the commonest tokens first [default: 20000]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_vocabulary: Option<usize>,
}

/// The network.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Network")]
pub struct LanguageOptions {
    /// Recurrent cell [default: lstm]
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<Cell>,
    /// Width of the token vectors [default: by the data]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding: Option<usize>,
    /// Hidden units of a layer [default: by the data]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<usize>,
    /// Recurrent layers, one on the other [default: 1 of characters, else 2]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// Whether the output layer's weights are the token vectors (Press and Wolf 2017); the last layer is then as wide as these
    /// [default: of words and pieces of words true, of characters false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tied: Option<bool>,
    /// Dropout on the token vectors, between layers and before the output, where not said apart; the same at every step of a row
    /// (variational, Gal and Ghahramani 2016) [default: by the data]
    #[arg(long, value_name = "P")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    /// Dropout on the token vectors [default: as --dropout]
    #[arg(long, value_name = "P")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding_dropout: Option<f64>,
    /// Dropout between layers [default: as --dropout]
    #[arg(long, value_name = "P")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_dropout: Option<f64>,
    /// Dropout before the output [default: as --dropout]
    #[arg(long, value_name = "P")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_dropout: Option<f64>,
    /// Dropout of whole tokens, wherever they stand in a batch [default: 0]
    #[arg(long, value_name = "P")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_dropout: Option<f64>,
    /// Dropout of recurrent weights (DropConnect, Merity 2018) [default: 0]
    #[arg(long, value_name = "P")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_dropout: Option<f64>,
    /// Standard deviation of the token vectors at the start [default: 0.1]
    #[arg(long, value_name = "X")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding_scale: Option<f64>,
    /// Bias of the LSTM's forget gate at the start [default: as PyTorch, uniform around 0]
    #[arg(long, value_name = "X")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forget_bias: Option<f64>,
}

impl GenerateOptions {
    /// All options of a training, for a configuration.
    ///
    /// # Errors
    /// If those of the training have another form.
    pub(super) fn whole(
        data: DocumentOptions,
        text: &GeneratedText,
        network: &NetworkPlan,
        training: &Map<String, Value>,
    ) -> Result<GenerateOptions, String> {
        let mut training = training.clone();
        let mut take = |name: &str| training.remove(name).filter(|value| !value.is_null());
        let count =
            |value: Option<Value>| value.as_ref().and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok());
        let (chunk, subwords) = (count(take("chunk")), count(take("subwords")));
        let (min_count, max_vocabulary) = (count(take("min-count")), count(take("max-vocabulary")));
        let mut share = |name: &str| take(name).as_ref().and_then(Value::as_f64);
        let (activation_penalty, slowness_penalty) = (share("activation-penalty"), share("slowness-penalty"));
        let mut options = GenerateOptions::of(data, text, network);
        options.tokens = GeneratedTokenOptions { subwords, min_count, max_vocabulary, ..options.tokens };
        Ok(GenerateOptions {
            chunk,
            activation_penalty,
            slowness_penalty,
            train: TrainOptions::of(&training)?,
            ..options
        })
    }

    /// The options by which documents were read, texts were cut up and the network was made.
    pub(super) fn of(data: DocumentOptions, text: &GeneratedText, network: &NetworkPlan) -> GenerateOptions {
        let train = TrainOptions { ensemble: Some(network.ensemble), ..TrainOptions::default() };
        GenerateOptions {
            data,
            tokens: GeneratedTokenOptions { tokenizer: Some(text.written.cut), ..GeneratedTokenOptions::default() },
            network: LanguageOptions {
                cell: Some(network.cell),
                embedding: Some(network.embedding),
                hidden: Some(network.hidden),
                layers: Some(network.layers),
                tied: Some(network.tied),
                dropout: None,
                embedding_dropout: Some(network.embedding_dropout),
                layer_dropout: (network.layers > 1).then_some(network.layer_dropout),
                output_dropout: Some(network.output_dropout),
                token_dropout: Some(network.token_dropout),
                weight_dropout: Some(network.weight_dropout),
                embedding_scale: Some(network.embedding_scale),
                forget_bias: network.forget_bias,
            },
            chunk: None,
            activation_penalty: None,
            slowness_penalty: None,
            train,
        }
    }
}
