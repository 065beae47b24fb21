//! The encoder on Burn: token vectors or channels, recurrent layers, attention over their steps.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Embedding};
use burn::tensor::{Device, Tensor};
use lookback_infer::error::PlanError;
use lookback_infer::input::{Batch, InputShape, Parts};
use lookback_infer::network::EncoderPlan;
use lookback_nn::ops::dropout_layer;
use lookback_nn::{Error, Recurrent, RecurrentConfig, State};

use super::attend::{Attend, Attended};
use super::cell_of;
use crate::input::{tables, vectors};

/// What every network begins with. Its twin without Burn is `lookback_infer::network`.
#[derive(Module, Debug)]
pub struct Encoder {
    /// `[V, E]`: one vector per token; absent for series.
    embedding: Option<Embedding>,
    /// `[buckets + 1, E]`: one vector per bucket of character n-grams.
    ngram_embedding: Option<Embedding>,
    /// `[buckets + 1, E]`: one vector per bucket of token pairs.
    bigram_embedding: Option<Embedding>,
    /// `[buckets + 1, E]`: one vector per bucket of shapes.
    shape_embedding: Option<Embedding>,
    embedding_dropout: Dropout,
    /// Absent where the plan has no layers.
    recurrent: Option<Recurrent>,
    attend: Attend,
}

/// What the encoder gives for a batch.
pub(crate) struct Encoded {
    /// `[B, T, W]`
    pub(crate) steps: Tensor<3>,
    /// `[B, O]`: the final hidden states of the last recurrent layer; zeros without layers.
    pub(crate) last: Tensor<2>,
    /// The final states of all recurrent layers; `None` without layers.
    pub(crate) state: Option<State>,
    /// Where the attention pools: the pooled vectors `[B, hops * O]`, and the penalty `[1]` that the loss adds.
    pub(crate) pooled: Option<(Tensor<2>, Tensor<1>)>,
}

impl Encoder {
    /// An encoder whose parameters are drawn when they are first asked for.
    ///
    /// # Errors
    /// If the plan is of no network.
    pub fn new(plan: &EncoderPlan, shape: InputShape, device: &Device) -> Result<Encoder, PlanError> {
        plan.check()?;
        let unfit = |error: Error| PlanError::Unfit(error.to_string());
        let [mut embedding, ngram_embedding, bigram_embedding, shape_embedding] =
            tables(shape, plan.embedding, plan.embedding_scale, device);
        if plan.layers == 0 && embedding.is_none() {
            return Err(PlanError::conflict("layers", "is 0, which is for texts, but the data are numeric series"));
        }
        if plan.is_frozen() {
            // Without a gradient no optimiser touches it, and its average is itself.
            embedding = embedding.map(|table| Embedding { weight: table.weight.set_require_grad(false) });
        }
        let width = match &embedding {
            Some(_) => plan.embedding,
            None => shape.width(),
        };
        let config = RecurrentConfig::new(cell_of(plan.cell), width, plan.hidden)
            .with_layers(plan.layers)
            .with_bidirectional(plan.bidirectional)
            .with_recompute(plan.recompute)
            .with_dropout(plan.layer_dropout)
            .with_forget_bias(plan.forget_bias);
        let recurrent = (plan.layers > 0).then(|| config.init(device)).transpose().map_err(unfit)?;
        Ok(Encoder {
            embedding,
            ngram_embedding,
            bigram_embedding,
            shape_embedding,
            embedding_dropout: DropoutConfig::new(plan.embedding_dropout).init(),
            recurrent,
            attend: Attend::new(plan.attention, plan.outputs(), device).map_err(unfit)?,
        })
    }

    /// The encoding of a batch; noise of this standard deviation is added to channels.
    ///
    /// # Errors
    /// If the batch was made for another encoder.
    pub(crate) fn forward(&self, batch: &Batch, noise: f64, device: &Device) -> Result<Encoded, Error> {
        self.forward_vectors(self.vectors(batch, noise, device)?, &batch.lengths)
    }

    /// The vectors `[B, T, E]` of a batch's tokens, or its channels, with noise of this standard deviation.
    ///
    /// # Errors
    /// If the batch was made for another encoder.
    pub(crate) fn vectors(&self, batch: &Batch, noise: f64, device: &Device) -> Result<Tensor<3>, Error> {
        let tables = [&self.embedding, &self.ngram_embedding, &self.bigram_embedding, &self.shape_embedding];
        vectors(tables, batch, noise, device)
    }

    /// The encoding of vectors, or of channels, that were made already. x: `[B, T, I]`.
    ///
    /// # Errors
    /// If they were made for another encoder.
    pub(crate) fn forward_vectors(&self, x: Tensor<3>, lengths: &[usize]) -> Result<Encoded, Error> {
        let x = dropout_layer(&self.embedding_dropout, x);
        let (sequence, last, state) = match &self.recurrent {
            Some(recurrent) => {
                let output = recurrent.forward(x, Some(lengths), None)?;
                (output.sequence.clone(), output.last_layer(), Some(output.state))
            }
            None => {
                let [rows, _, width] = x.dims();
                let last = Tensor::zeros([rows, width], &x.device());
                (x, last, None)
            }
        };
        let Attended { steps, pooled } = self.attend.forward(sequence, lengths)?;
        Ok(Encoded { steps, last, state, pooled })
    }

    /// Which tables there are beside the tokens' own.
    pub(crate) fn parts(&self) -> Parts {
        Parts {
            ngrams: self.ngram_embedding.is_some(),
            bigrams: self.bigram_embedding.is_some(),
            shapes: self.shape_embedding.is_some(),
        }
    }
}
