//! Location-sensitive attention (Chorowski 2015): the previous weights enter the score.

use burn::module::{Initializer, Module, Param};
use burn::tensor::module::conv1d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};

use super::score::uniform;
use super::{AttentionOutput, Mask};
use crate::Error;
use crate::ops::{CoreOptions, CoreScore, attention, linear};

/// `e_j = v · tanh(W q + V k_j + U f_j + b)` with `f = F * α`, the previous weights convolved (eq. 8 and 9).
#[derive(Module, Debug)]
pub struct LocationAttention {
    /// `[H, Dq]`.
    w_query: Param<Tensor<2>>,
    /// `[H, Dk]`.
    w_key: Param<Tensor<2>>,
    /// `F`: `[filters, 1, filter width]`.
    filter: Param<Tensor<3>>,
    /// `U`: `[H, filters]`.
    w_location: Param<Tensor<2>>,
    /// `[H]`.
    bias: Param<Tensor<1>>,
    /// `[H]`.
    v: Param<Tensor<1>>,
}

/// What a decoder carries from one step to the next.
#[derive(Debug, Clone)]
pub struct LocationState {
    /// `[B, K, H]`: the projected keys.
    keys: Tensor<3>,
    /// `[B, K, Dv]`.
    values: Tensor<3>,
    /// `[B, K]`: the weights of the step before; zeros before the first.
    pub weights: Tensor<2>,
}

impl LocationAttention {
    /// query, key: the sizes `Dq` and `Dk`. hidden: `H`. filters, width: of the convolution; the width must be odd.
    ///
    /// # Errors
    /// A size of 0, or an even width.
    pub fn new(
        query: usize,
        key: usize,
        hidden: usize,
        filters: usize,
        width: usize,
        device: &Device,
    ) -> Result<LocationAttention, Error> {
        for (name, size) in [("query size", query), ("key size", key), ("hidden size", hidden), ("filters", filters)] {
            if size == 0 {
                return Err(Error::Config { name, found: "0".into(), expected: "at least 1" });
            }
        }
        if width.is_multiple_of(2) {
            return Err(Error::Config { name: "filter width", found: width.to_string(), expected: "odd" });
        }
        Ok(LocationAttention {
            w_query: uniform(query).init([hidden, query], device),
            w_key: uniform(key).init([hidden, key], device),
            filter: uniform(width).init([filters, 1, width], device),
            w_location: uniform(filters).init([hidden, filters], device),
            bias: Initializer::Zeros.init([hidden], device),
            v: uniform(hidden).init([hidden], device),
        })
    }

    /// The state before the first step. keys: `[B, K, Dk]`, values: `[B, K, Dv]`.
    ///
    /// # Errors
    /// When sizes do not fit.
    pub fn start(&self, keys: Tensor<3>, values: Tensor<3>, mask: &Mask) -> Result<LocationState, Error> {
        let [batch, count, _] = keys.dims();
        mask.check(batch, 1, 1, count)?;
        let weights = Tensor::zeros([batch, count], &keys.device());
        let keys = linear("keys", mask.without_unread(keys, 1, 1), self.w_key.val(), None)?;
        Ok(LocationState { keys, values, weights })
    }

    /// One step of a decoder. query: `[B, Dq]`. The state's weights become this step's.
    ///
    /// # Errors
    /// When sizes do not fit.
    pub fn step(&self, query: Tensor<2>, state: &mut LocationState, mask: &Mask) -> Result<AttentionOutput, Error> {
        let query = linear("query", query.unsqueeze_dim(1), self.w_query.val(), Some(self.bias.val()))?;
        let filter = self.filter.val();
        let [_, _, width] = filter.dims();
        let options = ConvOptions::new([1], [width / 2], [1], 1);
        let seen = conv1d(state.weights.clone().unsqueeze_dim::<3>(1), filter, None, options);
        let location = linear("location", seen.swap_dims(1, 2), self.w_location.val(), None)?;
        let keys = state.keys.clone() + location;
        let options = CoreOptions { heads: 1, dropout: 0.0, weights: true };
        let (context, weights) =
            attention(CoreScore::Additive(self.v.val()), query, keys, state.values.clone(), mask, &options)?;
        let weights = weights.expect("they were asked for").squeeze_dim::<3>(1);
        state.weights = weights.clone().squeeze_dim(1);
        Ok(AttentionOutput { context, weights: Some(weights) })
    }
}
