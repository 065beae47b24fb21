//! The encoder's plan: what every network begins with.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{AttentionForm, Cell};
use crate::error::{PlanError, plan};

/// What training does with the token vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum EmbeddingsMode {
    /// They are trained with the network
    Tuned,
    /// The whole table stays as it is, the vectors of tokens that the file lacks as well
    Frozen,
}

/// The encoder's shape, apart from what the data decide, and how it is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EncoderPlan {
    /// The recurrent cell.
    pub cell: Cell,
    /// Width of the token vectors, `E`.
    pub embedding: usize,
    /// Standard deviation of the token vectors at the start.
    pub embedding_scale: f64,
    /// The file of which the token vectors were at the start.
    #[serde(default)]
    pub embeddings: Option<PathBuf>,
    /// What training does with the token vectors, where that was said.
    #[serde(default)]
    pub embeddings_mode: Option<EmbeddingsMode>,
    /// How many words of that file the vocabulary has beside those of the training data.
    #[serde(default)]
    pub embeddings_vocabulary: usize,
    /// Hidden units per direction, `H`.
    pub hidden: usize,
    /// Recurrent layers; without any, a step is the token's vector itself, and nothing is said of cell, hidden units and
    /// directions.
    pub layers: usize,
    /// Whether the layers read both ways.
    pub bidirectional: bool,
    /// Whether training computes the gates again in the backward pass (activation checkpointing).
    pub recompute: bool,
    /// The attention over the steps.
    pub attention: AttentionForm,
    /// Dropout on the token vectors or channels.
    pub embedding_dropout: f64,
    /// Dropout between layers.
    pub layer_dropout: f64,
    /// Bias of the forget gate at the start; PyTorch's where absent.
    pub forget_bias: Option<f64>,
}

impl EncoderPlan {
    /// Files that training reads beside the data, by what they are called.
    pub fn files(&self) -> Vec<(&'static str, &Path)> {
        self.embeddings.iter().map(|file| ("embeddings", file.as_path())).collect()
    }

    /// Whether training leaves the token vectors as they are.
    pub fn is_frozen(&self) -> bool {
        self.embeddings_mode == Some(EmbeddingsMode::Frozen)
    }

    /// The width of a step of the recurrent layers, `O`; without layers, that of a token's vector.
    pub fn outputs(&self) -> usize {
        match self.layers {
            0 => self.embedding,
            _ => self.hidden * if self.bidirectional { 2 } else { 1 },
        }
    }

    /// The width of a step after the attention.
    pub fn width(&self) -> usize {
        self.attention.width(self.outputs())
    }

    /// Whether a network can be made; a plan from a file may say anything.
    ///
    /// # Errors
    /// If an option has a value that no network has.
    pub fn check(&self) -> Result<(), PlanError> {
        plan::size("embedding", self.embedding, 1 << 16)?;
        plan::size("hidden", self.hidden, 1 << 16)?;
        if self.layers > 64 {
            return Err(PlanError::value("layers", self.layers, "from 0 to 64"));
        }
        self.attention.check(self.outputs())?;
        plan::below_one("embedding-dropout", self.embedding_dropout)?;
        plan::below_one("layer-dropout", self.layer_dropout)?;
        plan::scale("embedding-scale", self.embedding_scale)?;
        plan::at_least(0, "embeddings-vocabulary", self.embeddings_vocabulary)?;
        match self.forget_bias {
            Some(bias) if bias.is_nan() || bias.abs() > 1e6 => {
                Err(PlanError::value("forget-bias", bias, "from -1000000 to 1000000"))
            }
            _ => Ok(()),
        }
    }

    /// The encoder in one line, for people.
    pub fn summary(&self) -> String {
        let attention = match self.attention {
            AttentionForm::None => String::new(),
            form => format!(", attention {form}"),
        };
        if self.layers == 0 {
            return format!("token vectors of {} numbers, no recurrent layer{attention}", self.embedding);
        }
        let ways = if self.bidirectional { "bidirectional" } else { "forward" };
        let layers = if self.layers == 1 { "1 layer".into() } else { format!("{} layers", self.layers) };
        let (cell, hidden) = (self.cell.name(), self.hidden);
        format!("{layers} of {ways} {cell} with {hidden} hidden units per direction{attention}")
    }
}
