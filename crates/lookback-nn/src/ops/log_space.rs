//! Sums of what is kept as its logarithm, made of Burn's own operations.

use burn::tensor::Tensor;

/// What cannot be, where there is no -inf: its exponential is 0 however many of it are added, and it has gradients.
pub(super) const FORBIDDEN: f32 = -1e30;

/// `log Σ e^x` along an axis, which stays with size 1.
pub(super) fn log_sum<const R: usize>(x: Tensor<R>, axis: usize) -> Tensor<R> {
    let largest = x.clone().detach().max_dim(axis);
    (x - largest.clone()).exp().sum_dim(axis).log() + largest
}
