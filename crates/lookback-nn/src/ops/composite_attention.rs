//! The same attention in Burn's own operations: the path of every backend without kernels, and the reference.

use burn::tensor::activation::softmax;
use burn::tensor::{Distribution, Tensor};

use super::attention_core::{CoreOptions, CoreScore, check, nothing};
use crate::Error;
use crate::attention::{Fitted, Mask};

/// [`super::attention()`], made of Burn's own operations. Here a NaN stored at a key that only some queries are masked from
/// does reach those; at a key that no query reads it does not.
///
/// # Errors
/// When sizes or element types do not fit.
pub fn composite_attention(
    score: CoreScore,
    query: Tensor<3>,
    keys: Tensor<3>,
    values: Tensor<3>,
    mask: &Mask,
    options: &CoreOptions,
) -> Result<(Tensor<3>, Option<Tensor<4>>), Error> {
    let (dims, fitted) = check(&score, &query, &keys, &values, mask, options)?;
    if dims.batch * dims.queries * dims.keys == 0 {
        return Ok(nothing(&score, &query, &keys, &values, &dims, options));
    }
    let (key_count, heads) = (dims.keys, dims.heads);
    let ([batch, queries, width], [_, _, value]) = (query.dims(), values.dims());
    let keys = fitted.without_unread("keys", keys)?;
    let values = fitted.without_unread("values", values)?;
    let by_head = |x: Tensor<3>| {
        let [batch, steps, width] = x.dims();
        x.reshape([batch, steps, heads, width / heads]).swap_dims(1, 2)
    };
    let scores = match score {
        CoreScore::Product(scale) => by_head(query).matmul(by_head(keys).swap_dims(2, 3)) * scale,
        CoreScore::Additive(v) => {
            let each = width / heads;
            let q = by_head(query).reshape([batch * heads, queries, 1, each]);
            let k = by_head(keys).reshape([batch * heads, 1, key_count, each]);
            let activated = (q + k).tanh().reshape([batch, heads, queries * key_count, each]);
            let v = v.reshape([1, heads, 1, each]);
            (activated * v).sum_dim(3).reshape([batch, heads, queries, key_count])
        }
    };
    let mut weights = masked_softmax(scores, &fitted);
    if options.dropout > 0.0 && weights.device().is_autodiff() {
        let kept = weights.random_like(Distribution::Bernoulli(1.0 - options.dropout));
        weights = weights * kept * (1.0 / (1.0 - options.dropout));
    }
    let context = weights.clone().matmul(by_head(values)).swap_dims(1, 2).reshape([batch, queries, value]);
    Ok((context, options.weights.then_some(weights)))
}

/// Weights `[B, N, Q, K]` from scores of that shape: zero at what is masked, and zeros where all is.
pub(crate) fn masked_softmax(scores: Tensor<4>, mask: &Fitted<'_>) -> Tensor<4> {
    match mask.close(scores) {
        (scores, Some(closed)) => softmax(scores.mask_fill(closed.clone(), f32::MIN / 2.0), 3).mask_fill(closed, 0.0),
        (scores, None) => softmax(scores, 3),
    }
}
