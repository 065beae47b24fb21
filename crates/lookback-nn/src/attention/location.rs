//! Location-sensitive attention (Chorowski 2015): the previous weights enter the score.

use burn::module::{Initializer, Module, Param};
use burn::tensor::module::conv1d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};

use super::{AttentionOutput, Mask};
use crate::linear::uniform;
use crate::ops::{CoreOptions, CoreScore, Nothing, attention, linear};
use crate::{Error, check};

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
    /// A size of 0, an even width, or sizes whose parameters no memory holds.
    pub fn new(
        query: usize,
        key: usize,
        hidden: usize,
        filters: usize,
        width: usize,
        device: &Device,
    ) -> Result<LocationAttention, Error> {
        check::sizes(&[("query size", query), ("key size", key), ("hidden size", hidden), ("filters", filters)])?;
        if width.is_multiple_of(2) {
            return Err(Error::Config { name: "filter width", found: width.to_string(), expected: "odd" });
        }
        let shapes: [&[usize]; 4] = [&[hidden, query], &[hidden, key], &[filters, 1, width], &[hidden, filters]];
        check::parameters(1, &shapes.map(|shape| ("weight of the score", shape)))?;
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
    /// When sizes or element types do not fit.
    pub fn start(&self, keys: Tensor<3>, values: Tensor<3>, mask: &Mask) -> Result<LocationState, Error> {
        let [batch, count, _] = keys.dims();
        check::remembered(&keys, &values)?;
        let fitted = mask.fit(batch, 1, 1, count)?;
        let weights = Tensor::zeros([batch, count], (&keys.device(), keys.dtype()));
        let keys = linear("keys", fitted.without_unread("keys", keys)?, self.w_key.val(), None)?;
        Ok(LocationState { keys, values, weights })
    }

    /// One step of a decoder. query: `[B, Dq]`. The state's weights become this step's.
    ///
    /// # Errors
    /// When sizes or element types do not fit.
    pub fn step(&self, query: Tensor<2>, state: &mut LocationState, mask: &Mask) -> Result<AttentionOutput, Error> {
        let [_, width] = self.w_query.val().dims();
        check::shape("query", &query, [query.dims()[0], width], "the size this layer was made for")?;
        let query = linear("query", query.unsqueeze_dim(1), self.w_query.val(), Some(self.bias.val()))?;
        let [batch, count, _] = state.keys.dims();
        check::attended(&query, &state.keys, &state.values)?;
        check::shape("state.weights", &state.weights, [batch, count], "B and K of the keys at the start")?;
        check::types([("keys", Some(state.keys.dtype())), ("state.weights", Some(state.weights.dtype()))])?;
        let filter = self.filter.val();
        check::types([("keys", Some(state.keys.dtype())), ("the filter", Some(filter.dtype()))])?;
        let [filters, _, width] = filter.dims();
        let options = ConvOptions::new([1], [width / 2], [1], 1);
        // Burn convolves no empty row.
        let seen = match batch * count {
            0 => Nothing::of(&filter).and(&state.weights).zeros([batch, filters, count]),
            _ => conv1d(state.weights.clone().unsqueeze_dim::<3>(1), filter, None, options),
        };
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
