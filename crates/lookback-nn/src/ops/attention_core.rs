//! What one attention is, fused or composed: its score and options, what it refuses, and what it gives of nothing.

use burn::tensor::Tensor;
use lookback_kernels::attention::Dims;

use super::Nothing;
use crate::attention::{Fitted, Mask};
use crate::{Error, check};

/// How a query and a key are compared, both projected already.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "one stands on the stack for one call")]
pub enum CoreScore {
    /// `v · tanh(q + k)` (Bahdanau 2015); the tensor is `v`, `[N * width]`.
    Additive(Tensor<1>),
    /// `scale * q · k` (Luong 2015, Vaswani 2017).
    Product(f32),
}

/// What one attention is, beside its tensors.
#[derive(Debug, Clone)]
pub struct CoreOptions {
    /// `N`: query, keys and values hold so many heads side by side.
    pub heads: usize,
    /// The probability of dropout on the weights; it counts on a training device alone.
    pub dropout: f64,
    /// Whether the weights are wanted.
    pub weights: bool,
}

/// Compares everything with everything, before anything is read.
pub(super) fn check<'a>(
    score: &CoreScore,
    query: &Tensor<3>,
    keys: &Tensor<3>,
    values: &Tensor<3>,
    mask: &'a Mask,
    options: &CoreOptions,
) -> Result<(Dims, Fitted<'a>), Error> {
    let ([batch, queries, width], heads) = (query.dims(), options.heads);
    let ([_, key_count, _], [_, _, value_width]) = (keys.dims(), values.dims());
    check::attended(query, keys, values)?;
    check::shape("keys", keys, [batch, key_count, width], format_args!("the width of query {:?}", query.dims()))?;
    for (name, width) in [("the width of queries and keys", width), ("the width of values", value_width)] {
        if heads == 0 || width == 0 || width % heads != 0 {
            let found = width.to_string();
            return Err(Error::Heads { name, found, heads });
        }
    }
    if let CoreScore::Additive(v) = score {
        check::shape("v", v, [width], format_args!("the width of query {:?}", query.dims()))?;
        check::types([("query", Some(query.dtype())), ("v", Some(v.dtype()))])?;
    }
    check::dropout(options.dropout)?;
    let fitted = mask.fit(batch, heads, queries, key_count)?;
    fitted.check_type("query", query.dtype())?;
    let dims = Dims { batch, queries, keys: key_count, heads, width: width / heads, value: value_width / heads };
    Ok((dims, fitted))
}

/// What an attention gives without rows, queries or keys: zeros, whatever stands in the other arguments.
pub(super) fn nothing(
    score: &CoreScore,
    query: &Tensor<3>,
    keys: &Tensor<3>,
    values: &Tensor<3>,
    dims: &Dims,
    options: &CoreOptions,
) -> (Tensor<3>, Option<Tensor<4>>) {
    let Dims { batch, queries, keys: key_count, heads, value, .. } = *dims;
    let mut nothing = Nothing::of(query).and(keys).and(values);
    if let CoreScore::Additive(v) = score {
        nothing = nothing.and(v);
    }
    let weights = options.weights.then(|| nothing.zeros([batch, heads, queries, key_count]));
    (nothing.zeros([batch, queries, heads * value]), weights)
}
