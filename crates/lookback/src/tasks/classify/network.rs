//! The network: token vectors or channels, recurrent layers, pooling, a dense layer.

use burn::module::{Initializer, Module};
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use clap::ValueEnum;
use lookback_nn::ops::{self, dropout_layer};
use serde::{Deserialize, Serialize};

use super::attention::{Attend, View};
use super::config::ModelPlan;
use super::data::{Batch, BatchInput, Parts};
use super::pool::Pool;
use super::pooling::PoolKind;
use super::recurrent::Recurrent;
use super::wide::Wide;

/// The recurrent cells.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[value(rename_all = "kebab-case")]
pub enum Cell {
    /// Long short-term memory (Hochreiter and Schmidhuber 1997)
    #[default]
    Lstm,
    /// Gated recurrent unit (Cho 2014)
    Gru,
    /// Plain recurrence with tanh (Elman 1990)
    Rnn,
}

impl Cell {
    /// Numbers a unit and step that training keeps for the backward pass: the gates with what they read and make.
    pub(crate) fn kept(self) -> usize {
        match self {
            Cell::Lstm | Cell::Gru => 5,
            Cell::Rnn => 2,
        }
    }

    /// The name that people read.
    pub fn name(self) -> &'static str {
        match self {
            Cell::Lstm => "LSTM",
            Cell::Gru => "GRU",
            Cell::Rnn => "RNN",
        }
    }
}

/// What the first layer must be made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InputShape {
    /// Rows of the tables for tokens, n-grams and bigrams, and of the linear part's.
    Tokens { vocabulary: usize, ngrams: Option<usize>, bigrams: Option<usize>, wide: Option<usize> },
    /// Channels of a series.
    Channels(usize),
}

/// The network. Its parameters have PyTorch's names and layout in files.
#[derive(Module, Debug)]
pub struct ClassifierModel {
    /// `[V, E]`: one vector a token; absent for series.
    embedding: Option<Embedding>,
    /// `[buckets + 1, E]`: one vector a bucket of character n-grams.
    ngram_embedding: Option<Embedding>,
    /// `[buckets + 1, E]`: one vector a bucket of token pairs.
    bigram_embedding: Option<Embedding>,
    embedding_dropout: Dropout,
    recurrent: Recurrent,
    /// Attention between the recurrent layers and the pooling.
    attend: Attend,
    pool: Pool,
    output_dropout: Dropout,
    output: Linear,
    /// The linear part beside the layers above.
    wide: Option<Wide>,
}

/// What the network gives for a batch.
#[derive(Clone, Debug)]
pub struct Logits {
    /// `[B, N]`, before the softmax.
    pub logits: Tensor<2>,
    /// `[B, N]` each: those of the network and of the linear part, which have losses of their own and whose mean
    /// `logits` are; without a linear part, the network's alone.
    pub parts: Vec<Tensor<2>>,
    /// `[B, T]`: the weight of every step, where the pooling has weights; zero past the row's length.
    pub weights: Option<Tensor<2>>,
    /// The attention before the pooling, where there is one and it was asked for: a view a head or hop.
    pub views: Vec<View>,
    /// `[1]`: what structured attention adds to the loss.
    pub penalty: Option<Tensor<1>>,
}

impl ClassifierModel {
    /// A network with random parameters, drawn at once so that they depend on the device's seed alone.
    pub(crate) fn new(
        plan: &ModelPlan,
        input: InputShape,
        labels: usize,
        device: &Device,
    ) -> Result<ClassifierModel, String> {
        let model = Self::undrawn(plan, input, labels, device)?;
        super::parameters::draw(&model);
        Ok(model)
    }

    /// A network whose parameters hold no values yet and take no memory.
    pub(super) fn undrawn(
        plan: &ModelPlan,
        input: InputShape,
        labels: usize,
        device: &Device,
    ) -> Result<ClassifierModel, String> {
        plan.check()?;
        let table = |rows: usize| {
            EmbeddingConfig::new(rows, plan.embedding)
                .with_initializer(Initializer::Normal { mean: 0.0, std: plan.embedding_scale })
                .init(device)
        };
        let (embedding, ngram_embedding, bigram_embedding, width) = match input {
            InputShape::Tokens { vocabulary, ngrams, bigrams, .. } => {
                (Some(table(vocabulary)), ngrams.map(table), bigrams.map(table), plan.embedding)
            }
            InputShape::Channels(channels) => (None, None, None, channels),
        };
        let wide = match input {
            InputShape::Tokens { wide, .. } => wide,
            InputShape::Channels(_) => None,
        };
        let recurrent = Recurrent::new(plan, width, device)?;
        let outputs = plan.hidden * if plan.bidirectional { 2 } else { 1 };
        let attend = Attend::new(plan.attention, outputs, device)?;
        let step = plan.attention.width(outputs);
        let pool = Pool::new(plan.pooling(), step, device);
        let pooled = match plan.attention.pools() {
            true => step,
            // The final state has the recurrent layers' width, whatever attention makes of the steps.
            false => {
                let width = |kind: &PoolKind| if *kind == PoolKind::Last { outputs } else { step };
                plan.pooling().parts().iter().map(width).sum()
            }
        };
        Ok(ClassifierModel {
            embedding,
            ngram_embedding,
            bigram_embedding,
            embedding_dropout: DropoutConfig::new(plan.embedding_dropout).init(),
            recurrent,
            attend,
            pool,
            output_dropout: DropoutConfig::new(plan.output_dropout).init(),
            output: LinearConfig::new(pooled, labels).init(device),
            wide: wide.map(|buckets| Wide::new(buckets, labels, device)),
        })
    }

    /// Logits and weights of a batch.
    pub fn forward(&self, batch: &Batch) -> Logits {
        self.run(batch, false)
    }

    /// As [`ClassifierModel::forward`], with every view of what the network looked at.
    pub fn forward_with_views(&self, batch: &Batch) -> Logits {
        self.run(batch, true)
    }

    fn run(&self, batch: &Batch, views: bool) -> Logits {
        let x = dropout_layer(&self.embedding_dropout, self.vectors(&batch.input));
        let (sequence, last) = self.recurrent.forward(x, &batch.lengths);
        let attended = self
            .attend
            .forward(sequence, &batch.lengths, views)
            .unwrap_or_else(|error| panic!("a batch fits the network it was made for: {error}"));
        let (pooled, weights, penalty) = match attended.pooled {
            Some((pooled, weights, penalty)) => (pooled, Some(weights), Some(penalty)),
            None => {
                let (pooled, weights) = self.pool.forward(attended.sequence, last, &batch.lengths);
                (pooled, weights, None)
            }
        };
        let views = attended.views;
        let logits = self.output.forward(dropout_layer(&self.output_dropout, pooled));
        match &self.wide {
            None => Logits { parts: vec![logits.clone()], logits, weights, views, penalty },
            Some(wide) => {
                let linear = wide.forward(batch.wide.as_ref(), batch.lengths.len());
                let mean = (logits.clone() + linear.clone()).mul_scalar(0.5);
                Logits { logits: mean, parts: vec![logits, linear], weights, views, penalty }
            }
        }
    }

    /// Which tables the network has beside the tokens' own.
    pub(crate) fn parts(&self) -> Parts {
        Parts { ngrams: self.ngram_embedding.is_some(), bigrams: self.bigram_embedding.is_some() }
    }

    /// `[B, T, E]`, or the channels `[B, T, C]` as they are.
    ///
    /// # Panics
    /// If the batch was made for another network.
    fn vectors(&self, input: &BatchInput) -> Tensor<3> {
        match input {
            BatchInput::Series(series) => (**series).clone(),
            BatchInput::Tokens { lookup, shape: [batch, time] } => {
                let tables = [&self.embedding, &self.ngram_embedding, &self.bigram_embedding];
                let tables = tables.into_iter().flatten().map(|table| table.weight.val()).collect();
                let vectors = ops::lookup(tables, lookup.clone())
                    .unwrap_or_else(|error| panic!("a batch fits the network it was made for: {error}"));
                let width = vectors.dims()[1];
                vectors.reshape([*batch, *time, width])
            }
        }
    }
}
