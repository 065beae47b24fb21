//! What is learnt where tokens are copied from the source, and where attention is covered (See 2017).

use burn::tensor::Tensor;
use lookback_infer::tasks::translate::Targets;
use lookback_nn::Error;
use lookback_nn::ops::{Wanted, pointer_loss};

/// What the right tokens cost where they are written or copied (eq. 9), the mean over them. logits: `[N, V]`, gates: `[N]`,
/// weights: `[B, T, S]`.
///
/// # Errors
/// If the targets were made for others, or without their sources.
pub(super) fn loss(
    logits: Tensor<2>,
    gates: Tensor<1>,
    weights: Tensor<3>,
    targets: &Targets<'_>,
) -> Result<Tensor<1>, Error> {
    let [_, _, keys] = weights.dims();
    let wanted = targets.wanted_places(keys);
    pointer_loss(
        logits,
        gates,
        weights,
        Wanted { tokens: wanted.tokens, offsets: wanted.offsets, places: wanted.places },
    )
}

/// `Σ_t Σ_j min(a_tj, c_tj)` (eq. 12), over all steps of all rows; what is padding has weights of zero. weights: `[B, T, S]`.
pub(super) fn coverage_loss(weights: Tensor<3>) -> Tensor<1> {
    let coverage = weights.clone().cumsum(1) - weights.clone();
    weights.min_pair(coverage).sum()
}
