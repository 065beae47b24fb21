//! One vector from a sequence.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::Mask;
use crate::linear::uniform;
use crate::ops::{CoreOptions, CoreScore, PoolQuery, attention, attention_pool, in_every_row, linear};
use crate::{Error, check};

/// How [`AttentionPool`] scores a step `h_t` `[O]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolScore {
    /// `w · tanh(h_t)` (Zhou 2016, eq. 9).
    Tanh,
    /// `u · tanh(W h_t + b)` with a learnt context `u` (Yang 2016, eq. 5 and 6).
    Context {
        /// The size of `u`.
        hidden: usize,
    },
    /// `q · h_t` with a query of the row's own, such as its final hidden state.
    Query,
}

/// Attention pooling: `Σ_t a_t h_t` with `a = softmax(score)`.
#[derive(Module, Debug)]
pub struct AttentionPool {
    /// Zhou 2016: `[O]`.
    w: Option<Param<Tensor<1>>>,
    /// Yang 2016: `[hidden, O]`.
    weight: Option<Param<Tensor<2>>>,
    /// Yang 2016: `[hidden]`.
    bias: Option<Param<Tensor<1>>>,
    /// Yang 2016: `[hidden]`.
    context: Option<Param<Tensor<1>>>,
    #[module(skip)]
    outputs: usize,
}

/// What pooling gives.
#[derive(Debug, Clone)]
pub struct PoolOutput {
    /// `[B, O]`.
    pub pooled: Tensor<2>,
    /// `[B, T]`, zero past the row's length.
    pub weights: Tensor<2>,
}

impl AttentionPool {
    /// outputs: `O`, the width of a step.
    ///
    /// # Errors
    /// A size of 0, or sizes whose parameters no memory holds.
    pub fn new(score: PoolScore, outputs: usize, device: &Device) -> Result<AttentionPool, Error> {
        let hidden = if let PoolScore::Context { hidden } = score { hidden } else { 1 };
        check::sizes(&[("outputs", outputs), ("hidden size of the score", hidden)])?;
        check::parameters(1, &[("weight of the score", &[hidden, outputs])])?;
        let yang = matches!(score, PoolScore::Context { .. });
        Ok(AttentionPool {
            w: (score == PoolScore::Tanh).then(|| uniform(outputs).init([outputs], device)),
            weight: yang.then(|| uniform(outputs).init([hidden, outputs], device)),
            bias: yang.then(|| uniform(outputs).init([hidden], device)),
            context: yang.then(|| uniform(hidden).init([hidden], device)),
            outputs,
        })
    }

    /// sequence: `[B, T, O]`. lengths: `[B]`; steps at or past them are never read, and a row of length 0 gives zeros.
    /// query: `[B, O]`, for [`PoolScore::Query`] and for no other.
    ///
    /// # Errors
    /// When sizes or element types do not fit, or a query is missing or too much.
    pub fn forward(
        &self,
        sequence: Tensor<3>,
        lengths: &[usize],
        query: Option<Tensor<2>>,
    ) -> Result<PoolOutput, Error> {
        let [batch, time, outputs] = sequence.dims();
        if outputs != self.outputs {
            let expected = format!("[.., .., {}] (the width this pooling was made for)", self.outputs);
            return Err(Error::Shape { name: "sequence", found: sequence.dims().to_vec(), expected });
        }
        let learnt = self.w.is_some() || self.weight.is_some();
        let query = match (&self.w, query) {
            (Some(w), None) => PoolQuery::Learnt(w.val()),
            (None, Some(query)) if !learnt => PoolQuery::Row(query),
            (None, None) if learnt => {
                check::lengths(lengths, batch, time)?;
                return self.by_context(sequence, lengths);
            }
            (_, query) => {
                let found = if query.is_some() { "given" } else { "missing" };
                let expected = if learnt { "left out, the score has a learnt vector" } else { "given, one per row" };
                return Err(Error::Config { name: "query", found: found.into(), expected });
            }
        };
        let (pooled, weights) = attention_pool(sequence, query, lengths)?;
        Ok(PoolOutput { pooled, weights })
    }

    fn by_context(&self, sequence: Tensor<3>, lengths: &[usize]) -> Result<PoolOutput, Error> {
        let (Some(weight), Some(bias), Some(context)) = (&self.weight, &self.bias, &self.context) else {
            unreachable!("the score of Yang 2016 has all three")
        };
        let [batch, time, _] = sequence.dims();
        let mask = Mask::none().with_key_lengths(lengths);
        let read = mask.fit(batch, 1, 1, time)?.without_unread("sequence", sequence.clone())?;
        let keys = linear("sequence", read, weight.val(), None)?;
        // The bias enters as the query: u · tanh(b + W h).
        let hidden = bias.val().dims()[0];
        let query = in_every_row(bias.val().reshape([1, 1, hidden]), batch);
        let options = CoreOptions { heads: 1, dropout: 0.0, weights: true };
        let (pooled, weights) = attention(CoreScore::Additive(context.val()), query, keys, sequence, &mask, &options)?;
        let weights = weights.expect("they were asked for").squeeze_dim::<3>(1).squeeze_dim::<2>(1);
        Ok(PoolOutput { pooled: pooled.squeeze_dim::<2>(1), weights })
    }
}

/// Structured self-attention (Lin 2017, eq. 6 and 7): `r` hops, each a softmax of its own over the steps,
/// `A = softmax(W_2 tanh(W_1 Hᵀ))`, `M = A H`.
#[derive(Module, Debug)]
pub struct StructuredPool {
    /// `W_1`: `[hidden, O]`.
    w_1: Param<Tensor<2>>,
    /// `W_2`: `[hops, hidden]`.
    w_2: Param<Tensor<2>>,
}

/// What structured self-attention gives.
#[derive(Debug, Clone)]
pub struct StructuredOutput {
    /// `[B, r, O]`.
    pub hops: Tensor<3>,
    /// `[B, r, T]`, zero past the row's length.
    pub weights: Tensor<3>,
    /// `[1]`: `|A Aᵀ - I|²` in the Frobenius norm, the mean over the batch (Lin 2017, eq. 8).
    pub penalty: Tensor<1>,
}

impl StructuredPool {
    /// outputs: `O`. hidden: the size `d_a` of the score. hops: `r`.
    ///
    /// # Errors
    /// A size of 0, no hop, or sizes whose parameters no memory holds.
    pub fn new(outputs: usize, hidden: usize, hops: usize, device: &Device) -> Result<StructuredPool, Error> {
        check::sizes(&[("outputs", outputs), ("hidden size of the score", hidden), ("hops", hops)])?;
        check::parameters(1, &[("w_1", &[hidden, outputs]), ("w_2", &[hops, hidden])])?;
        Ok(StructuredPool {
            w_1: uniform(outputs).init([hidden, outputs], device),
            w_2: uniform(hidden).init([hops, hidden], device),
        })
    }

    /// How many hops.
    pub fn hops(&self) -> usize {
        self.w_2.val().dims()[0]
    }

    /// sequence: `[B, T, O]`. lengths: `[B]`; steps at or past them are never read.
    ///
    /// # Errors
    /// When sizes or element types do not fit.
    pub fn forward(&self, sequence: Tensor<3>, lengths: &[usize]) -> Result<StructuredOutput, Error> {
        let [batch, time, _] = sequence.dims();
        check::lengths(lengths, batch, time)?;
        let mask = Mask::none().with_key_lengths(lengths);
        let [hops, _] = self.w_2.val().dims();
        let (device, dtype) = (sequence.device(), sequence.dtype());
        let read = mask.fit(batch, 1, hops, time)?.without_unread("sequence", sequence.clone())?;
        let keys = linear("sequence", read, self.w_1.val(), None)?;
        let query = in_every_row(self.w_2.val().unsqueeze::<3>(), batch);
        let options = CoreOptions { heads: 1, dropout: 0.0, weights: true };
        let (pooled, weights) =
            attention(CoreScore::Product(1.0), query, crate::ops::tanh(keys), sequence, &mask, &options)?;
        let weights = weights.expect("they were asked for").squeeze_dim::<3>(1);
        let overlap = weights.clone().matmul(weights.clone().swap_dims(1, 2));
        let excess = overlap - Tensor::<2>::eye(hops, &device).cast(dtype).unsqueeze::<3>();
        let penalty = (excess.clone() * excess).sum() / batch.max(1) as f32;
        Ok(StructuredOutput { hops: pooled, weights, penalty })
    }
}
