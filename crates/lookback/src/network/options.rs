//! Options of the encoder as a person types them, and their check.

use std::path::PathBuf;

use clap::Args;
use lookback_infer::data::vectors::VectorFile;
use lookback_infer::error::{PlanError, plan};
use lookback_infer::network::{AttentionForm, Cell, EmbeddingsMode, EncoderPlan};
use serde::{Deserialize, Serialize};

use crate::input::{FOR_TEXTS, check_file, refuse};

/// The encoder: what every network begins with.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Network")]
pub struct EncoderOptions {
    /// Recurrent cell [default: lstm; to classify: gru]
    #[arg(long, value_enum)]
    pub cell: Option<Cell>,
    /// Width of the token vectors [default: that of --embeddings; else 128; texts to classify: by the data]
    #[arg(long, value_name = "N")]
    pub embedding: Option<usize>,
    /// File with token vectors to start from: of word2vec (text or binary), GloVe or fastText (.vec), plain or packed; those of
    /// the tokens of the training data are taken
    #[arg(long, value_name = "FILE")]
    pub embeddings: Option<PathBuf>,
    /// What training does with the token vectors of --embeddings [default: tuned]
    #[arg(long, value_enum, value_name = "MODE")]
    pub embeddings_mode: Option<EmbeddingsMode>,
    /// How many words of --embeddings, the first of the file, become known beside those of the training data [default: 0]
    #[arg(long, value_name = "N")]
    pub embeddings_vocabulary: Option<usize>,
    /// Hidden units per direction [default: 128; to classify: by the data]
    #[arg(long, value_name = "N")]
    pub hidden: Option<usize>,
    /// Recurrent layers, one on the other; 0 for none, which weighs token vectors alone [default: 1]
    #[arg(long, value_name = "N")]
    pub layers: Option<usize>,
    /// Compute the gates again in the backward pass instead of keeping them (activation checkpointing): less memory for
    /// long texts and series, for one more forward pass [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub recompute: Option<bool>,
    /// Whether the layers read both ways [default: true]
    #[arg(long, value_name = "BOOL")]
    pub bidirectional: Option<bool>,
    /// Attention over the steps of the recurrent layers: none, additive, dot, general, scaled-dot, self, multi-head:N, or
    /// structured:N, which pools by itself [default: none]
    #[arg(long, value_name = "FORM")]
    pub attention: Option<String>,
    /// Dropout on the token vectors, between layers and before the output, where not said apart [default: 0.5; to translate:
    /// by the data]
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
    /// Standard deviation of the token vectors at the start; PyTorch has 1 [default: that of --embeddings; else 0.3]
    #[arg(long, value_name = "X")]
    pub embedding_scale: Option<f64>,
    /// Bias of the LSTM's forget gate at the start [default: as PyTorch, uniform around 0]
    #[arg(long, value_name = "X")]
    pub forget_bias: Option<f64>,
}

impl EncoderOptions {
    /// As [`EncoderOptions::of`], with the file that the token vectors came from.
    pub fn with_files(plan: &EncoderPlan, is_text: bool) -> EncoderOptions {
        let of = EncoderOptions::of(plan, is_text);
        match &plan.embeddings {
            None => of,
            Some(file) => EncoderOptions {
                embeddings: Some(file.clone()),
                embeddings_vocabulary: Some(plan.embeddings_vocabulary),
                embedding_scale: None,
                ..of
            },
        }
    }

    /// The options by which an encoder of texts or of series was made. What was read of files beside the data a model has.
    pub fn of(plan: &EncoderPlan, is_text: bool) -> EncoderOptions {
        let recurs = plan.layers > 0;
        EncoderOptions {
            cell: recurs.then_some(plan.cell),
            embedding: is_text.then_some(plan.embedding),
            embeddings: None,
            embeddings_mode: plan.embeddings_mode,
            embeddings_vocabulary: None,
            hidden: recurs.then_some(plan.hidden),
            layers: Some(plan.layers),
            recompute: recurs.then_some(plan.recompute),
            bidirectional: recurs.then_some(plan.bidirectional),
            attention: Some(plan.attention.to_string()),
            dropout: None,
            embedding_dropout: Some(plan.embedding_dropout),
            layer_dropout: (plan.layers > 1).then_some(plan.layer_dropout),
            output_dropout: None,
            embedding_scale: is_text.then_some(plan.embedding_scale),
            forget_bias: plan.forget_bias,
        }
    }

    /// The plan of an encoder of texts or of series.
    ///
    /// # Errors
    /// If an option has a value that no network has, or does not go with the others.
    pub fn plan(&self, is_text: bool) -> Result<EncoderPlan, PlanError> {
        let cell = self.cell.unwrap_or_default();
        let layers = self.layers.unwrap_or(1);
        if self.forget_bias.is_some() && cell != Cell::Lstm {
            return Err(PlanError::conflict("forget-bias", "is for --cell lstm only"));
        }
        if layers == 0 {
            let of_layers = [
                ("cell", self.cell.is_some()),
                ("hidden", self.hidden.is_some()),
                ("bidirectional", self.bidirectional.is_some()),
                ("recompute", self.recompute.is_some()),
            ];
            refuse(&of_layers, "is about recurrent layers, but --layers is 0")?;
        }
        if layers < 2 && self.layer_dropout.is_some_and(|p| p > 0.0) {
            let problem = format!("is between layers, but --layers is {layers}");
            return Err(PlanError::conflict("layer-dropout", problem));
        }
        if !is_text {
            let text_only = [
                ("embedding", self.embedding.is_some()),
                ("embedding-scale", self.embedding_scale.is_some()),
                ("embeddings", self.embeddings.is_some()),
                ("embeddings-mode", self.embeddings_mode.is_some()),
                ("embeddings-vocabulary", self.embeddings_vocabulary.is_some()),
            ];
            refuse(&text_only, FOR_TEXTS)?;
        }
        let dropout = self.dropout()?;
        let plan = EncoderPlan {
            cell,
            embedding: self.width()?,
            embedding_scale: self.embedding_scale.unwrap_or(0.3),
            embeddings: self.embeddings.clone(),
            embeddings_mode: self.embeddings_mode,
            embeddings_vocabulary: self.embeddings_vocabulary.unwrap_or(0),
            hidden: self.hidden.unwrap_or(128),
            layers,
            bidirectional: self.bidirectional.unwrap_or(true),
            recompute: self.recompute.unwrap_or(false),
            attention: self.attention.as_deref().unwrap_or("none").parse()?,
            embedding_dropout: self.embedding_dropout.unwrap_or(if is_text { dropout } else { 0.0 }),
            layer_dropout: if layers < 2 { 0.0 } else { self.layer_dropout.unwrap_or(dropout) },
            forget_bias: self.forget_bias,
        };
        plan.check()?;
        Ok(plan)
    }

    /// Whether anything is said of recurrent layers.
    pub(crate) fn is_about_layers(&self) -> bool {
        let said = [self.cell.is_some(), self.hidden.is_some(), self.bidirectional.is_some(), self.recompute.is_some()];
        said.contains(&true) || self.forget_bias.is_some() || self.layer_dropout.is_some()
    }

    /// Whether the attention that is asked for pools by itself.
    pub(crate) fn pools(&self) -> bool {
        let form = self.attention.as_deref().and_then(|form| form.parse::<AttentionForm>().ok());
        form.is_some_and(AttentionForm::pools)
    }

    /// Width of the token vectors: that of the file, where they come from one.
    fn width(&self) -> Result<usize, PlanError> {
        let Some(file) = &self.embeddings else {
            refuse(&[("embeddings-vocabulary", self.embeddings_vocabulary.is_some())], "needs --embeddings")?;
            return Ok(self.embedding.unwrap_or(128));
        };
        let scale = "is of a random start, but --embeddings has vectors, whose deviation the other tokens take";
        refuse(&[("embedding-scale", self.embedding_scale.is_some())], scale)?;
        check_file("embeddings", file)?;
        let width =
            VectorFile::open(file).map_err(|error| PlanError::conflict("embeddings", error.to_string()))?.width();
        match self.embedding.filter(|asked| *asked != width) {
            None => Ok(width),
            Some(asked) => {
                let problem =
                    format!("is {asked}, but the vectors of {} have {width} numbers; leave it out", file.display());
                Err(PlanError::conflict("embedding", problem))
            }
        }
    }

    /// Dropout where nothing is said of a place.
    fn dropout(&self) -> Result<f64, PlanError> {
        let dropout = self.dropout.unwrap_or(0.5);
        plan::below_one("dropout", dropout)?;
        Ok(dropout)
    }

    /// Dropout before the output.
    ///
    /// # Errors
    /// If it is no share.
    pub fn output_dropout(&self) -> Result<f64, PlanError> {
        let dropout = self.output_dropout.map_or_else(|| self.dropout(), Ok)?;
        plan::below_one("output-dropout", dropout)?;
        Ok(dropout)
    }
}

/// The option by which a table of this name would be smaller.
pub(crate) fn option_of(table: &str) -> &'static str {
    match table {
        "encoder.embedding.weight" => "--max-vocabulary or --embedding",
        "encoder.ngram_embedding.weight" => "--char-buckets or --embedding",
        "encoder.bigram_embedding.weight" => "--bigram-buckets or --embedding",
        "encoder.shape_embedding.weight" => "--shape-buckets or --embedding",
        _ => "--hidden",
    }
}
