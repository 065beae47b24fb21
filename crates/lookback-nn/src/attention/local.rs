//! Local attention (Luong 2015, section 3.2): a window of the memory around a position.

use burn::module::{Module, Param};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Bool, Device, Tensor, TensorCreationOptions, TensorData};

use super::{Attention, AttentionOutput, Mask};
use crate::linear::uniform;
use crate::ops::{Nothing, linear, tanh};
use crate::{Error, check};

/// Where the window stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// `p_t = t`: query `t` looks around key `t` (local-m).
    Monotonic,
    /// `p_t = S · sigmoid(v_p · tanh(W_p h_t))` (eq. 9), and the weights are multiplied by
    /// `exp(-(s - p_t)² / 2σ²)` with `σ = D / 2` (eq. 10) (local-p).
    Predictive {
        /// The size of `v_p`.
        hidden: usize,
    },
}

/// Local attention over any score.
#[derive(Module, Debug)]
pub struct LocalAttention {
    attention: Attention,
    /// `W_p`: `[hidden, Dq]`.
    w_p: Option<Param<Tensor<2>>>,
    /// `v_p`: `[1, hidden]`.
    v_p: Option<Param<Tensor<2>>>,
    #[module(skip)]
    window: usize,
}

impl LocalAttention {
    /// attention: the score inside the window. query: `Dq`. window: `D`, so that `2 D + 1` keys are read.
    ///
    /// # Errors
    /// A size of 0, sizes whose parameters no memory holds, or a predictive window of 0, whose Gaussian would have no
    /// width.
    pub fn new(
        attention: Attention,
        position: Position,
        query: usize,
        window: usize,
        device: &Device,
    ) -> Result<LocalAttention, Error> {
        let (mut w_p, mut v_p) = (None, None);
        if let Position::Predictive { hidden } = position {
            check::sizes(&[("query size", query), ("hidden size of the position", hidden), ("window", window)])?;
            check::parameters(1, &[("weight of the position", &[hidden, query])])?;
            w_p = Some(uniform(query).init([hidden, query], device));
            v_p = Some(uniform(hidden).init([1, hidden], device));
        }
        Ok(LocalAttention { attention, w_p, v_p, window })
    }

    /// query: `[B, Q, Dq]`, keys: `[B, K, Dk]`, values: `[B, K, Dv]`. `S` is the row's key length, or `K`.
    ///
    /// # Errors
    /// When sizes or element types do not fit.
    pub fn forward(
        &self,
        query: Tensor<3>,
        keys: Tensor<3>,
        values: Tensor<3>,
        mask: &Mask,
    ) -> Result<AttentionOutput, Error> {
        let (Some(w_p), Some(v_p)) = (&self.w_p, &self.v_p) else {
            let mask = mask.clone().with_window(self.window, self.window);
            return self.attention.forward_with_weights(query, keys, values, &mask);
        };
        // A score over positions has as many keys as queries: values alone are what is read.
        let ([batch, queries, _], [_, count, width]) = (query.dims(), values.dims());
        let options = TensorCreationOptions::from((&query.device(), query.dtype()));
        self.attention.check_call(&query, &keys, &values)?;
        mask.fit(batch, 1, queries, count)?;
        let lengths: Vec<f32> = match mask.key_lengths() {
            Some(lengths) => lengths.iter().map(|&length| length as f32).collect(),
            None => vec![count as f32; batch],
        };
        let lengths = Tensor::<3>::from_data(TensorData::new(lengths, [batch, 1, 1]), options.clone());
        let seen = tanh(linear("query", query.clone(), w_p.val(), None)?);
        // [B, Q, 1]
        let position = sigmoid(linear("query", seen, v_p.val(), None)?) * lengths;
        let keys_at: Vec<f32> = (0..count).map(|key| key as f32).collect();
        let keys_at = Tensor::<3>::from_data(TensorData::new(keys_at, [1, 1, count]), options);
        if batch * queries * count == 0 {
            let aligned = self.attention.forward_with_weights(query, keys, values, mask)?;
            let zeros = Nothing::of(&position).zeros([batch, queries, width]);
            return Ok(AttentionOutput { context: aligned.context + zeros, ..aligned });
        }
        let distance = keys_at.expand([batch, queries, count]) - position.expand([batch, queries, count]);
        let within: Tensor<3, Bool> = distance.clone().detach().abs().lower_equal_elem(self.window as f32);
        let mask = mask.clone().with_allowed(within);
        let aligned = self.attention.forward_with_weights(query, keys, values.clone(), &mask)?;
        let sigma = self.window as f32 / 2.0;
        let near = (distance.clone() * distance * (-0.5 / (sigma * sigma))).exp();
        let weights = aligned.weights.expect("they were asked for") * near;
        let context = weights.clone().matmul(mask.fit(batch, 1, queries, count)?.without_unread("values", values)?);
        Ok(AttentionOutput { context, weights: Some(weights) })
    }
}
