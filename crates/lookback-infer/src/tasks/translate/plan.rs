//! The translator's plan: encoder, bridge, decoder.

use serde::{Deserialize, Serialize};

use crate::error::{PlanError, plan};
use crate::network::{Cell, DecoderScore, EncoderPlan, MOST_NETWORKS};

/// The network's shape, apart from what the data decide, and how it is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NetworkPlan {
    /// What reads the source.
    pub encoder: EncoderPlan,
    /// From the encoder's final states to the decoder's first.
    pub bridge: Bridge,
    /// What writes the target.
    pub decoder: DecoderPlan,
    /// Networks that answer together.
    pub ensemble: usize,
}

/// The decoder's shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DecoderPlan {
    /// How it looks at the source: what comes first in a step, attention or recurrence, or one position a token.
    pub form: DecoderForm,
    /// The recurrent cell.
    pub cell: Cell,
    /// Hidden units, `H`.
    pub hidden: usize,
    /// Recurrent layers.
    pub layers: usize,
    /// How the attention compares a state and a step of the source.
    pub score: DecoderScore,
    /// Width of the vectors of target tokens, `E`.
    pub embedding: usize,
    /// Whether the output layer's weights are the vectors of the target tokens (Press and Wolf 2017).
    pub tied: bool,
    /// Dropout on the vectors of target tokens.
    pub embedding_dropout: f64,
    /// Dropout between layers.
    pub layer_dropout: f64,
    /// Dropout before the output.
    pub output_dropout: f64,
    /// Whether tokens are copied from the source (pointer-generator, See 2017, section 2.2).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub copy: bool,
    /// Whether the attention reads what the steps before looked at (coverage, See 2017, section 2.3).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub coverage: bool,
}

/// How a decoder looks at the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum DecoderForm {
    /// A recurrent step, then attention, whose result is fed to the next step (Luong 2015, input feeding)
    #[default]
    Luong,
    /// Attention by the state before, then a recurrent step on what it gave (Bahdanau 2015)
    Bahdanau,
    /// Every token is written at one position of the source, never before that of the last one, and all alignments are
    /// summed over (Wu and Cotterell 2019): for spelling to sound and inflection
    HardMonotonic,
}

/// How many distances have a bias under hard monotonic attention: jumps of 0 to 4 positions, the width of the paper, and all
/// longer ones together.
pub const DISTANCES: usize = 6;

/// From the encoder's final states to the decoder's first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Bridge {
    /// A dense layer with tanh from the last layer's final hidden states
    #[default]
    Dense,
    /// The final states themselves, layer by layer, both directions side by side
    Copy,
    /// Zeros
    Zero,
}

impl NetworkPlan {
    /// Whether a network can be made; a plan from a file may say anything.
    ///
    /// # Errors
    /// If an option has a value that no network has, or parts do not fit.
    pub fn check(&self) -> Result<(), PlanError> {
        plan::size("ensemble", self.ensemble, MOST_NETWORKS)?;
        self.encoder.check()?;
        self.decoder.check()?;
        if self.encoder.layers == 0 {
            return Err(PlanError::conflict("layers", "is 0, but a source is read by recurrent layers"));
        }
        if self.encoder.attention.pools() {
            let form = self.encoder.attention;
            let problem =
                format!("{form} makes one vector of a whole text, but the decoder looks at every token of it");
            return Err(PlanError::conflict("attention", problem));
        }
        let (memory, hidden) = (self.encoder.width(), self.decoder.hidden);
        let remedy = format!("make --decoder-hidden {memory}, or use general or additive");
        self.decoder.score.check(hidden, memory, &remedy)?;
        if self.decoder.form == DecoderForm::HardMonotonic && self.decoder.score != DecoderScore::General {
            let problem = format!("is {}, but --decoder hard-monotonic has the general one alone", self.decoder.score);
            return Err(PlanError::conflict("decoder-attention", problem));
        }
        for (option, said) in [("copy", self.decoder.copy), ("coverage", self.decoder.coverage)] {
            if said && self.decoder.form == DecoderForm::HardMonotonic {
                let problem =
                    "is of attention that looks at all of the source at once; not with --decoder hard-monotonic";
                return Err(PlanError::conflict(option, problem));
            }
        }
        if self.bridge == Bridge::Copy {
            let (encoder, decoder) = (&self.encoder, &self.decoder);
            let ours = (decoder.cell, decoder.layers, decoder.hidden);
            let theirs = (encoder.cell, encoder.layers, encoder.outputs());
            if ours != theirs {
                let problem = format!(
                    "copy wants a decoder as the encoder is: {} layers of {} numbers of the same cell",
                    encoder.layers,
                    encoder.outputs()
                );
                return Err(PlanError::conflict("bridge", problem));
            }
        }
        Ok(())
    }

    /// Whether targets may be made of shortlists of tokens.
    ///
    /// # Errors
    /// If the decoder has other tokens, or asks more than the output layer for them.
    pub fn check_shortlist(&self) -> Result<(), PlanError> {
        if self.decoder.copy {
            let problem = "is of tokens of the vocabulary, and with --copy they may be of the source alone";
            return Err(PlanError::conflict("shortlist", problem));
        }
        if self.decoder.form == DecoderForm::HardMonotonic {
            let problem = "is not for --decoder hard-monotonic, of which every position has a say about every token";
            return Err(PlanError::conflict("shortlist", problem));
        }
        Ok(())
    }

    /// Numbers that the dense bridge makes for a row: every layer's hidden state and, where there is one, its cell state.
    pub fn states(&self) -> usize {
        self.decoder.layers * self.decoder.hidden * self.decoder.states_per_layer()
    }

    /// The network in one line, for people.
    pub fn summary(&self) -> String {
        let networks = if self.ensemble == 1 { String::new() } else { format!("{} networks, each ", self.ensemble) };
        format!("{networks}{}; {}", self.encoder.summary(), self.decoder.summary())
    }
}

impl DecoderPlan {
    /// What the output layer reads: of Luong's the attentional vector, of Bahdanau's state and context, of hard monotonic
    /// attention what state and position make together.
    pub fn output_width(&self, memory: usize) -> usize {
        match self.form {
            DecoderForm::Luong | DecoderForm::HardMonotonic => self.hidden,
            DecoderForm::Bahdanau => self.hidden + memory,
        }
    }

    /// What stands beside a target token's vector in a step: of Luong's the attentional vector before, of Bahdanau's the
    /// context, of hard monotonic attention nothing: its states do not know the alignment.
    pub fn fed(&self, memory: usize) -> usize {
        match self.form {
            DecoderForm::Luong => self.hidden,
            DecoderForm::Bahdanau => memory,
            DecoderForm::HardMonotonic => 0,
        }
    }

    /// Two where the cell has a state beside the hidden one.
    pub fn states_per_layer(&self) -> usize {
        if self.cell == Cell::Lstm { 2 } else { 1 }
    }

    fn check(&self) -> Result<(), PlanError> {
        plan::size("decoder-hidden", self.hidden, 1 << 16)?;
        plan::size("decoder-layers", self.layers, 64)?;
        plan::size("target-embedding", self.embedding, 1 << 16)?;
        plan::below_one("embedding-dropout", self.embedding_dropout)?;
        plan::below_one("layer-dropout", self.layer_dropout)?;
        plan::below_one("output-dropout", self.output_dropout)?;
        if self.coverage && self.score != DecoderScore::Additive {
            let problem = format!(
                "needs --decoder-attention additive, whose score has a place for it; here it is {}",
                self.score
            );
            return Err(PlanError::conflict("coverage", problem));
        }
        if self.tied && (self.form == DecoderForm::Bahdanau || self.embedding != self.hidden) {
            let problem = match self.form {
                DecoderForm::Bahdanau => {
                    "is for --decoder luong or hard-monotonic, whose output reads a vector as wide as a token's"
                        .to_owned()
                }
                DecoderForm::Luong | DecoderForm::HardMonotonic => format!(
                    "needs token vectors as wide as the decoder, but --target-embedding is {} and --decoder-hidden {}",
                    self.embedding, self.hidden
                ),
            };
            return Err(PlanError::conflict("tie-embeddings", problem));
        }
        Ok(())
    }

    fn summary(&self) -> String {
        let layers = if self.layers == 1 { "1 layer".into() } else { format!("{} layers", self.layers) };
        let form = match self.form {
            DecoderForm::Luong => "Luong's decoder",
            DecoderForm::Bahdanau => "Bahdanau's decoder",
            DecoderForm::HardMonotonic => "decoder with hard monotonic attention",
        };
        let (cell, hidden, score) = (self.cell.name(), self.hidden, self.score);
        let coverage = if self.coverage { " with coverage" } else { "" };
        let copy = if self.copy { ", copies from the source" } else { "" };
        format!("{form}, {layers} of {cell} with {hidden} hidden units, {score} attention{coverage}{copy}")
    }
}
