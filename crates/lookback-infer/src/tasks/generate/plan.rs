//! The plan of a language model's network.

use serde::{Deserialize, Serialize};

use crate::error::{PlanError, plan};
use crate::network::{AttentionForm, Cell, EncoderPlan, MOST_NETWORKS};

/// The network's shape, apart from what the data decide, and how it is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NetworkPlan {
    /// The recurrent cell.
    pub cell: Cell,
    /// Width of the token vectors, `E`.
    pub embedding: usize,
    /// Standard deviation of the token vectors at the start.
    pub embedding_scale: f64,
    /// Hidden units of a layer, `H`.
    pub hidden: usize,
    /// Recurrent layers, at least one.
    pub layers: usize,
    /// Whether the output layer's weights are the vectors of the tokens (Press and Wolf 2017); the last layer is then as wide
    /// as these.
    pub tied: bool,
    /// Bias of the forget gate at the start; PyTorch's where absent.
    pub forget_bias: Option<f64>,
    /// Dropout on the token vectors, the same at every step of a row (variational, Gal and Ghahramani 2016).
    pub embedding_dropout: f64,
    /// Dropout of whole tokens (Gal and Ghahramani 2016, section 4.2).
    pub token_dropout: f64,
    /// Dropout between layers, the same at every step of a row.
    pub layer_dropout: f64,
    /// Dropout before the output, the same at every step of a row.
    pub output_dropout: f64,
    /// Dropout of recurrent weights (DropConnect, Merity 2018, section 2).
    pub weight_dropout: f64,
    /// Networks that answer together.
    pub ensemble: usize,
}

impl NetworkPlan {
    /// Whether a network can be made; a plan from a file may say anything.
    ///
    /// # Errors
    /// If an option has a value that no network has.
    pub fn check(&self) -> Result<(), PlanError> {
        plan::size("ensemble", self.ensemble, MOST_NETWORKS)?;
        if self.layers == 0 {
            return Err(PlanError::value("layers", 0, "from 1 to 64"));
        }
        self.as_encoder().check()?;
        if self.tied && self.layers == 1 && self.hidden != self.embedding {
            let (hidden, embedding) = (self.hidden, self.embedding);
            let problem = format!(
                "makes the last layer as wide as the token vectors, but of one layer --hidden is {hidden} and --embedding \
                 {embedding}"
            );
            return Err(PlanError::conflict("tied", problem));
        }
        if self.forget_bias.is_some() && self.cell != Cell::Lstm {
            return Err(PlanError::conflict("forget-bias", "is for --cell lstm only"));
        }
        let shares = [
            ("token-dropout", self.token_dropout),
            ("output-dropout", self.output_dropout),
            ("weight-dropout", self.weight_dropout),
        ];
        shares.into_iter().try_for_each(|(option, share)| plan::below_one(option, share))
    }

    /// Hidden units of layer `place`, from 0.
    pub fn width(&self, place: usize) -> usize {
        if self.tied && place + 1 == self.layers { self.embedding } else { self.hidden }
    }

    /// What the output layer reads, `W`.
    pub fn output_width(&self) -> usize {
        self.width(self.layers - 1)
    }

    /// What layer `place`, from 0, reads.
    pub fn input_width(&self, place: usize) -> usize {
        if place == 0 { self.embedding } else { self.width(place - 1) }
    }

    /// The same layers as an encoder, for what is asked of those: their check, and how much memory they take.
    pub(super) fn as_encoder(&self) -> EncoderPlan {
        EncoderPlan {
            cell: self.cell,
            embedding: self.embedding,
            embedding_scale: self.embedding_scale,
            embeddings: None,
            embeddings_mode: None,
            embeddings_vocabulary: 0,
            hidden: self.hidden.max(if self.tied { self.embedding } else { 0 }),
            layers: self.layers,
            bidirectional: false,
            recompute: false,
            attention: AttentionForm::None,
            embedding_dropout: self.embedding_dropout,
            layer_dropout: self.layer_dropout,
            forget_bias: self.forget_bias,
        }
    }

    /// The network in one line, for people.
    pub fn summary(&self) -> String {
        let layers = if self.layers == 1 { "1 layer".into() } else { format!("{} layers", self.layers) };
        let (cell, hidden) = (self.cell.name(), self.hidden);
        let tied = if self.tied { ", tied to the token vectors" } else { "" };
        let many = if self.ensemble > 1 { format!("{} networks, each ", self.ensemble) } else { String::new() };
        format!(
            "{many}token vectors of {} numbers, {layers} of {cell} with {hidden} hidden units{tied}",
            self.embedding
        )
    }
}
