//! Coverage: what the steps before have looked at, as a part of the score (See 2017, eq. 10 and 11):
//! `e_tj = v · tanh(q_t + k_j + w_c c_tj + b)`, where `c_t` is the sum of the weights of all steps before `t`.

use burn::module::{Initializer, Param};
use burn::tensor::{Device, Tensor};

use super::DecoderMemory;
use crate::Error;
use crate::attention::{Attention, AttentionOutput, Mask};

/// `w_c`, `[A]`, for an attention of an additive score, drawn as its `v` is.
///
/// # Errors
/// For any other score, of which no such vector is defined.
pub(super) fn vector(attention: &Attention, device: &Device) -> Result<Param<Tensor<1>>, Error> {
    let Some(width) = attention.covering_width() else {
        let found = format!("{:?} with coverage", attention.score());
        return Err(Error::Config { name: "the attention's score", found, expected: "additive or concat" });
    };
    let bound = 1.0 / (width as f64).sqrt();
    Ok(Initializer::Uniform { min: -bound, max: bound }.init([width], device))
}

/// What one step looks at: with coverage by what the steps before looked at, `[B, K]`.
///
/// # Errors
/// When sizes do not fit, or one of `w_c` and what it weighs is missing.
pub(super) fn attend(
    (attention, coverage): (&Attention, Option<&Param<Tensor<1>>>),
    query: Tensor<3>,
    (memory, mask): (&DecoderMemory, &Mask),
    covered: Option<Tensor<2>>,
    weights: bool,
) -> Result<AttentionOutput, Error> {
    let refused = |found: &str, expected| Err(Error::Config { name: "the step", found: found.into(), expected });
    match (coverage, covered) {
        (None, None) => attention.attend(query, &memory.memory, mask, weights),
        (Some(coverage), Some(covered)) => {
            attention.attend_covering(query, &memory.memory, (covered, coverage.val()), mask)
        }
        (Some(_), None) => {
            refused("one that knows nothing of those before", "one of step_covering, for the decoder has coverage")
        }
        (None, Some(_)) => refused("one of step_covering", "one of step, for the decoder has no coverage"),
    }
}
