//! Tagging options as a person types them, on the command line or in a TOML file.

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::input::TokenOptions;
use crate::network::EncoderOptions;
use crate::train::TrainOptions;

/// Everything that `lookback train tag` can be told. What is not said takes its default.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TagOptions {
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
