//! Coverage: what the steps before have looked at, as a part of the score (See 2017, eq. 10 and 11):
//! `e_tj = v · tanh(q_t + k_j + w_c c_tj + b)`, where `c_t` is the sum of the weights of all steps before `t`.

use burn::module::{Initializer, Param};
use burn::tensor::{Device, Tensor};

use super::DecoderMemory;
use crate::Error;
use crate::attention::{Attention, AttentionOutput, Mask};
use crate::ops::{Nothing, joined};

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

/// What steps that are taken one by one have looked at.
pub(super) struct Looked {
    /// `[B, K]`: their sum, with coverage.
    pub(super) covered: Option<Tensor<2>>,
    /// `[B, 1, K]` each, where they are asked for.
    all: Option<Vec<Tensor<3>>>,
}

impl Looked {
    /// Before the first step. x: `[B, T, I]`, what the steps read.
    pub(super) fn before(coverage: bool, asked: bool, keys: usize, x: &Tensor<3>) -> Looked {
        let nothing = || Tensor::zeros([x.dims()[0], keys], (&x.device(), x.dtype()));
        Looked { covered: coverage.then(nothing), all: asked.then(Vec::new) }
    }

    /// Another step's weights, `[B, K]`; there are some wherever they are asked for or summed.
    pub(super) fn add(&mut self, weights: Option<Tensor<2>>) {
        let Some(weights) = weights else { return };
        let [batch, keys] = weights.dims();
        if let Some(all) = &mut self.all {
            all.push(match batch * keys {
                // Burn reshapes nothing.
                0 => Nothing::of(&weights).zeros([batch, 1, keys]),
                _ => weights.clone().unsqueeze_dim(1),
            });
        }
        self.covered = self.covered.take().map(|covered| covered + weights);
    }

    /// `[B, T, K]`, where they were asked for.
    pub(super) fn weights(self) -> Option<Tensor<3>> {
        self.all.map(|all| joined(all, 1))
    }
}
