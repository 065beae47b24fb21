//! Every refusal of the attention kernels, in one place, before anything is written.

use super::{Dims, Dropout, Gradients, Inputs, Mask, Outputs, STATISTICS, Score, Upstream};
use crate::KernelError;
use crate::check::{optional, positive, probability, product, slice};
use crate::written::Slot;

/// The widest panel of any machine, which a small width is padded to.
const PADDED: usize = 64;

/// Refuses sizes, masks, inputs and dropout that do not fit.
pub(super) fn call(
    score: Score<'_>,
    dims: &Dims,
    mask: &Mask<'_>,
    dropout: Option<Dropout>,
    inputs: &Inputs<'_>,
) -> Result<(), KernelError> {
    let Dims { batch, queries, keys, heads, width, value } = *dims;
    positive(&[("N", heads), ("width", width), ("value", value)])?;
    // Everything that a pass computes with is a part of one of these: no size wraps behind this line.
    product("queries and keys", &[batch, queries.max(keys), heads, PADDED.max(width), 2], "[B, Q or K, N, width, 2]")?;
    product("values", &[batch, queries.max(keys), heads, PADDED.max(value)], "[B, Q or K, N, value]")?;
    product("weights", &[batch, heads, queries, keys], "[B, N, Q, K]")?;
    slice("query", inputs.query, &[batch, queries, heads, width], "[B, Q, N, width]")?;
    slice("keys", inputs.keys, &[batch, keys, heads, width], "[B, K, N, width]")?;
    slice("values", inputs.values, &[batch, keys, heads, value], "[B, K, N, value]")?;
    if let Score::Additive { v } = score {
        slice("v", v, &[heads, width], "[N, width]")?;
    }
    if let Some(lengths) = mask.key_lengths {
        slice("key lengths", lengths, &[batch], "[B]")?;
        if let Some((row, &length)) = lengths.iter().enumerate().find(|&(_, &length)| length > keys) {
            return Err(KernelError::KeyLength { row, length, keys });
        }
    }
    let shapes = [
        ("[Q, K]", vec![queries, keys]),
        ("[B, Q, K]", vec![batch, queries, keys]),
        ("[B, N, Q, K]", vec![batch, heads, queries, keys]),
    ];
    one_of("attention mask", mask.allowed.map(<[bool]>::len), &shapes[..2])?;
    one_of("attention bias", mask.bias.map(<[f32]>::len), &shapes)?;
    dropout.map_or(Ok(()), |dropout| probability(dropout.probability))
}

/// Refuses outputs that do not fit.
pub(super) fn outputs(dims: &Dims, outputs: &Outputs<'_, Slot>) -> Result<(), KernelError> {
    let Dims { batch, queries, keys, heads, value, .. } = *dims;
    slice("context", outputs.context, &[batch, queries, heads, value], "[B, Q, N, value]")?;
    optional("weights", outputs.weights.as_deref(), &[batch, heads, queries, keys], "[B, N, Q, K]")?;
    optional("statistics", outputs.statistics.as_deref(), &[batch, heads, queries, STATISTICS], "[B, N, Q, 3]")
}

/// Refuses what the backward pass reads beyond the inputs, and gradients on either side, that do not fit.
pub(super) fn gradients(
    score: Score<'_>,
    dims: &Dims,
    context: &[f32],
    statistics: &[f32],
    upstream: &Upstream<'_>,
    gradients: &Gradients<'_, Slot>,
) -> Result<(), KernelError> {
    let Dims { batch, queries, keys, heads, width, value } = *dims;
    let of_context = [batch, queries, heads, value];
    let of_weights = [batch, heads, queries, keys];
    slice("context", context, &of_context, "[B, Q, N, value]")?;
    slice("statistics", statistics, &[batch, heads, queries, STATISTICS], "[B, N, Q, 3]")?;
    optional("upstream context", upstream.context, &of_context, "[B, Q, N, value]")?;
    optional("upstream weights", upstream.weights, &of_weights, "[B, N, Q, K]")?;
    optional("gradient query", gradients.query.as_deref(), &[batch, queries, heads, width], "[B, Q, N, width]")?;
    optional("gradient keys", gradients.keys.as_deref(), &[batch, keys, heads, width], "[B, K, N, width]")?;
    optional("gradient values", gradients.values.as_deref(), &[batch, keys, heads, value], "[B, K, N, value]")?;
    optional("gradient bias", gradients.bias.as_deref(), &of_weights, "[B, N, Q, K]")?;
    match score {
        Score::Additive { .. } => optional("gradient v", gradients.v.as_deref(), &[heads, width], "[N, width]"),
        Score::Product { .. } if gradients.v.is_some() => {
            Err(KernelError::NotPart { name: "gradient v", cell: "product score" })
        }
        Score::Product { .. } => Ok(()),
    }
}

fn one_of(name: &'static str, found: Option<usize>, shapes: &[(&str, Vec<usize>)]) -> Result<(), KernelError> {
    let Some(found) = found else { return Ok(()) };
    for (legend, shape) in shapes {
        if product(name, shape, legend)? == found {
            return Ok(());
        }
    }
    let shapes: Vec<String> = shapes.iter().map(|(legend, shape)| format!("{legend} = {shape:?}")).collect();
    Err(KernelError::NoShape { name, found, shapes: shapes.join(" nor ") })
}
