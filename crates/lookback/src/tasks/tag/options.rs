//! Tagging options as a person types them, on the command line or in a TOML file.

use clap::Args;
use lookback_infer::data::tagged::TaggedColumns;
use lookback_infer::input::TextPlan;
use lookback_infer::tasks::tag::NetworkPlan;
use lookback_infer::tasks::tag::scheme::{SchemeChoice, Schemes};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::input::TokenOptions;
use crate::network::EncoderOptions;
use crate::train::TrainOptions;

/// Everything that `lookback train tag` can be told. What is not said takes its default.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TagOptions {
    /// How the sentences stand in the file.
    #[command(flatten, next_help_heading = "Input")]
    #[serde(flatten)]
    pub data: TaggedColumns,
    /// Scheme in which tags spell spans of tokens, such as entities [default: auto]
    #[arg(long, value_enum, help_heading = "Input")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<SchemeChoice>,
    /// How texts become tokens.
    #[command(flatten)]
    #[serde(flatten)]
    pub tokens: TokenOptions,
    /// The encoder.
    #[command(flatten)]
    #[serde(flatten)]
    pub encoder: EncoderOptions,
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
        (data, schemes): (TaggedColumns, Schemes),
        training: &Map<String, Value>,
    ) -> Result<TagOptions, String> {
        let (tokens, train) = (TokenOptions::with_files(texts), TrainOptions::of(training)?);
        let of = TagOptions::of(texts, network, (data, schemes));
        let encoder = EncoderOptions {
            output_dropout: of.encoder.output_dropout,
            ..EncoderOptions::with_files(&network.encoder, true)
        };
        Ok(TagOptions { tokens, encoder, train, ..of })
    }

    /// The options by which sentences were read, texts were cut up and the network was made.
    pub(super) fn of(texts: &TextPlan, network: &NetworkPlan, (data, schemes): (TaggedColumns, Schemes)) -> TagOptions {
        let mut options = TagOptions {
            data,
            scheme: Some(schemes.written.into()),
            tokens: TokenOptions::of(texts),
            encoder: EncoderOptions::of(&network.encoder, true),
            train: TrainOptions::default(),
        };
        options.encoder.output_dropout = Some(network.output_dropout);
        options.train.ensemble = Some(network.ensemble);
        options
    }
}
