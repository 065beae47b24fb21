//! Tagging options as a person types them, on the command line or in a TOML file.

use clap::Args;
use lookback_infer::data::tagged::TaggedColumns;
use lookback_infer::input::TextPlan;
use lookback_infer::tasks::tag::NetworkPlan;
use lookback_infer::tasks::tag::scheme::{Scheme, Schemes};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::input::TokenOptions;
use crate::network::EncoderOptions;
use crate::train::TrainOptions;

/// How the sentences of a model's training data were read.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) data: TaggedColumns,
    pub(super) schemes: Schemes,
    pub(super) segment: bool,
}

/// Everything that `lookback train tag` can be told. What is not said takes its default.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct TagOptions {
    /// How the sentences stand in the file.
    #[command(flatten, next_help_heading = "Input")]
    #[serde(flatten)]
    pub data: TaggedColumns,
    /// Scheme in which tags spell spans of tokens, such as entities [default: found out]
    #[arg(long, value_enum, help_heading = "Input")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Scheme>,
    /// Scheme on which the network is trained; answers are spelt as the data are [default: that of the data]
    #[arg(long, value_enum, value_name = "SCHEME", help_heading = "Input")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_scheme: Option<Scheme>,
    /// Whether words are cut into characters, so that the model finds the words of a text, and the tag of each [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Input")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<bool>,
    /// How texts become tokens.
    #[command(flatten)]
    #[serde(flatten)]
    pub tokens: TokenOptions,
    /// The encoder.
    #[command(flatten)]
    #[serde(flatten)]
    pub encoder: EncoderOptions,
    /// Whether tags are chosen together, by a linear-chain conditional random field (Lafferty 2001); else each by itself, by a
    /// softmax [default: true]
    #[arg(long, value_name = "BOOL", help_heading = "Network")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crf: Option<bool>,
    /// How it is trained.
    #[command(flatten)]
    #[serde(flatten)]
    pub train: TrainOptions,
}

impl TagOptions {
    /// All options of a training, for a configuration.
    ///
    /// # Errors
    /// If those of the training have another form.
    pub(super) fn whole(
        texts: &TextPlan,
        network: &NetworkPlan,
        read: Read,
        training: &Map<String, Value>,
    ) -> Result<TagOptions, String> {
        let (tokens, train) = (TokenOptions::with_files(texts), TrainOptions::of(training)?);
        let of = TagOptions::of(texts, network, read);
        let encoder = EncoderOptions {
            output_dropout: of.encoder.output_dropout,
            ..EncoderOptions::with_files(&network.encoder, true)
        };
        Ok(TagOptions { tokens, encoder, train, ..of })
    }

    /// The options by which sentences were read, texts were cut up and the network was made.
    pub(super) fn of(texts: &TextPlan, network: &NetworkPlan, read: Read) -> TagOptions {
        let Read { data, schemes, segment } = read;
        let mut options = TagOptions {
            data,
            // What characters spell is no option.
            scheme: (!segment).then_some(schemes.written),
            train_scheme: (!segment).then_some(schemes.trained),
            segment: Some(segment),
            tokens: TokenOptions::of(texts),
            encoder: EncoderOptions::of(&network.encoder, true),
            crf: Some(network.crf),
            train: TrainOptions::default(),
        };
        options.encoder.output_dropout = Some(network.output_dropout);
        options.train.ensemble = Some(network.ensemble);
        options
    }
}
