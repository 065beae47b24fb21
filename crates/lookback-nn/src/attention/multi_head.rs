//! Several heads side by side.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};

use super::Mask;
use crate::ops::{CoreOptions, CoreScore, attention, linear};
use crate::{Error, Linear, LinearConfig, check};

/// Options of a [`MultiHeadAttention`].
#[derive(Debug, Clone, PartialEq)]
pub struct MultiHeadConfig {
    size: usize,
    heads: usize,
    key: usize,
    value: usize,
    bias: bool,
    dropout: f64,
}

impl MultiHeadConfig {
    /// size: `E`, of queries and of the output. heads: how many, dividing `E`.
    pub fn new(size: usize, heads: usize) -> Self {
        MultiHeadConfig { size, heads, key: size, value: size, bias: true, dropout: 0.0 }
    }

    /// Sizes of keys and values that differ from `E` (PyTorch's `kdim` and `vdim`).
    pub fn with_key_and_value(mut self, key: usize, value: usize) -> Self {
        (self.key, self.value) = (key, value);
        self
    }

    /// Whether the projections have biases. Default true.
    pub fn with_bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// Dropout on the weights, after the softmax as in PyTorch, in training alone. Default 0.
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        self.dropout = dropout;
        self
    }

    /// Draws the parameters as PyTorch does: Xavier uniform, biases zero.
    ///
    /// # Errors
    /// A size of 0, heads that do not divide `E`, sizes whose parameters no memory holds, or a dropout that is no
    /// probability.
    pub fn init(&self, device: &Device) -> Result<MultiHeadAttention, Error> {
        let MultiHeadConfig { size, heads, key, value, bias, dropout } = *self;
        check::sizes(&[("size", size), ("heads", heads), ("key size", key), ("value size", value)])?;
        if size % heads != 0 {
            return Err(Error::Heads { name: "size", found: size.to_string(), heads });
        }
        check::dropout(dropout)?;
        let shapes: [&[usize]; 4] = [&[size, size], &[size, size], &[size, key], &[size, value]];
        check::parameters(1, &shapes.map(|shape| ("projection", shape)))?;
        let xavier = |rows: usize, columns: usize| -> Param<Tensor<2>> {
            let bound = (6.0 / (rows + columns) as f64).sqrt();
            Initializer::Uniform { min: -bound, max: bound }.init([rows, columns], device)
        };
        let together = key == size && value == size;
        let mut out_proj = LinearConfig::new(size, size).with_bias(bias).init(device)?;
        out_proj.bias = bias.then(|| Initializer::Zeros.init([size], device));
        Ok(MultiHeadAttention {
            in_proj_weight: together.then(|| xavier(3 * size, size)),
            q_proj_weight: (!together).then(|| xavier(size, size)),
            k_proj_weight: (!together).then(|| xavier(size, key)),
            v_proj_weight: (!together).then(|| xavier(size, value)),
            in_proj_bias: bias.then(|| Initializer::Zeros.init([3 * size], device)),
            out_proj,
            size,
            heads,
            dropout,
        })
    }
}

/// Multi-head attention (Vaswani 2017, section 3.2.2) with the parameters of PyTorch's `nn.MultiheadAttention`.
#[derive(Module, Debug)]
pub struct MultiHeadAttention {
    /// `[3E, E]`: query, key and value, where all have size `E`.
    in_proj_weight: Option<Param<Tensor<2>>>,
    /// `[E, E]`, where key and value have sizes of their own.
    q_proj_weight: Option<Param<Tensor<2>>>,
    /// `[E, key size]`.
    k_proj_weight: Option<Param<Tensor<2>>>,
    /// `[E, value size]`.
    v_proj_weight: Option<Param<Tensor<2>>>,
    /// `[3E]`.
    in_proj_bias: Option<Param<Tensor<1>>>,
    out_proj: Linear,
    #[module(skip)]
    size: usize,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    dropout: f64,
}

/// What multi-head attention gives.
#[derive(Debug, Clone)]
pub struct MultiHeadOutput {
    /// `[B, Q, E]`, after `out_proj`.
    pub context: Tensor<3>,
    /// `[B, N, Q, K]`, where they were asked for: each head's, after dropout.
    pub weights: Option<Tensor<4>>,
}

impl MultiHeadOutput {
    /// `[B, Q, K]`: the weights averaged over the heads, as PyTorch returns them.
    pub fn averaged_weights(&self) -> Option<Tensor<3>> {
        self.weights.clone().map(|weights| weights.mean_dim(1).squeeze_dim(1))
    }
}

impl MultiHeadAttention {
    /// How many heads.
    pub fn heads(&self) -> usize {
        self.heads
    }

    /// The context alone. query: `[B, Q, E]`, keys: `[B, K, key size]`, values: `[B, K, value size]`.
    ///
    /// # Errors
    /// When sizes or element types do not fit; the message names both.
    pub fn forward(
        &self,
        query: Tensor<3>,
        keys: Tensor<3>,
        values: Tensor<3>,
        mask: &Mask,
    ) -> Result<Tensor<3>, Error> {
        Ok(self.run(query, keys, values, mask, false)?.context)
    }

    /// Context and every head's weights. Asking for them changes no bit of the context.
    ///
    /// # Errors
    /// As [`MultiHeadAttention::forward`].
    pub fn forward_with_weights(
        &self,
        query: Tensor<3>,
        keys: Tensor<3>,
        values: Tensor<3>,
        mask: &Mask,
    ) -> Result<MultiHeadOutput, Error> {
        self.run(query, keys, values, mask, true)
    }

    /// Attention of a sequence `[B, T, E]` to itself.
    ///
    /// # Errors
    /// As [`MultiHeadAttention::forward`], and where key and value have sizes of their own.
    pub fn self_attention(&self, sequence: Tensor<3>, mask: &Mask, weights: bool) -> Result<MultiHeadOutput, Error> {
        self.run(sequence.clone(), sequence.clone(), sequence, mask, weights)
    }

    fn run(
        &self,
        query: Tensor<3>,
        keys: Tensor<3>,
        values: Tensor<3>,
        mask: &Mask,
        weights: bool,
    ) -> Result<MultiHeadOutput, Error> {
        let ([batch, queries, _], [_, count, _]) = (query.dims(), keys.dims());
        check::attended(&query, &keys, &values)?;
        let fitted = mask.fit(batch, self.heads, queries, count)?;
        // A projection reads what it projects: masked keys and values are taken out before.
        let keys = fitted.without_unread("keys", keys)?;
        let values = fitted.without_unread("values", values)?;
        let part = |index: usize| index * self.size..(index + 1) * self.size;
        let own = [&self.q_proj_weight, &self.k_proj_weight, &self.v_proj_weight];
        let project = |index: usize, name: &'static str, x: Tensor<3>| -> Result<Tensor<3>, Error> {
            let weight = match (&self.in_proj_weight, own[index]) {
                (Some(weight), _) => weight.val().slice([part(index), 0..self.size]),
                (None, Some(weight)) => weight.val(),
                (None, None) => unreachable!("a layer has either all weights together or three of their own"),
            };
            linear(name, x, weight, self.in_proj_bias.as_ref().map(|bias| bias.val().slice(part(index))))
        };
        let projected = [project(0, "query", query)?, project(1, "keys", keys)?, project(2, "values", values)?];
        self.attend(projected, mask, weights)
    }

    fn attend(
        &self,
        [query, keys, values]: [Tensor<3>; 3],
        mask: &Mask,
        weights: bool,
    ) -> Result<MultiHeadOutput, Error> {
        let scale = 1.0 / ((self.size / self.heads) as f32).sqrt();
        let options = CoreOptions { heads: self.heads, dropout: self.dropout, weights };
        let (context, weights) = attention(CoreScore::Product(scale), query, keys, values, mask, &options)?;
        Ok(MultiHeadOutput { context: self.out_proj.apply("context", context)?, weights })
    }
}
