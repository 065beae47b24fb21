//! One step of one row, naively: what goes in and out of it, and the affine map that every cell is made of.

use crate::Real;

/// One step of one row: the new state, and what the backward step needs.
#[derive(Debug, Clone)]
pub struct Step<R> {
    /// `[H]`.
    pub h: Vec<R>,
    /// `[H]`; empty where the cell has none.
    pub c: Vec<R>,
    /// The activated gates, in the cell's own order.
    pub gates: Vec<R>,
}

/// One step that was taken, and what flows back into it.
#[derive(Debug, Clone, Copy)]
pub struct StepBack<'a, R> {
    /// `[I]`: what it read.
    pub x: &'a [R],
    /// `[H]`: the hidden state before it.
    pub h_prev: &'a [R],
    /// `[H]`: the cell state before it; not read where the cell has none.
    pub c_prev: &'a [R],
    /// What it gave.
    pub step: &'a Step<R>,
    /// `[H]`: the gradient of its hidden state.
    pub dh: &'a [R],
    /// `[H]`: the gradient of its cell state; not read where the cell has none.
    pub dc: &'a [R],
}

/// One direction's parameter gradients, shaped as [`super::Weights`]. Every field is filled.
#[derive(Debug, Clone)]
pub struct ParameterGradients<R> {
    /// `[G*H, I]`.
    pub weight_ih: Vec<R>,
    /// `[G*H, H]`.
    pub weight_hh: Vec<R>,
    /// `[G*H]`.
    pub bias_ih: Vec<R>,
    /// `[G*H]`.
    pub bias_hh: Vec<R>,
    /// `[3*H]`.
    pub peephole: Vec<R>,
}

/// What flows back out of one step.
#[derive(Debug, Clone)]
pub struct StepGradients<R> {
    /// `[I]`.
    pub x: Vec<R>,
    /// `[H]`.
    pub h: Vec<R>,
    /// `[H]`; empty where the cell has none.
    pub c: Vec<R>,
}

/// `weight [rows, x.len()]` times `x`, plus the bias if there is one.
pub(crate) fn affine<R: Real>(weight: &[R], bias: Option<&[R]>, x: &[R]) -> Vec<R> {
    weight
        .chunks_exact(x.len())
        .enumerate()
        .map(|(row, weight)| {
            let start = bias.map_or(R::ZERO, |bias| bias[row]);
            weight.iter().zip(x).fold(start, |sum, (&w, &x)| sum + w * x)
        })
        .collect()
}

/// Adds `da xᵀ` to the weight's gradient and `da` to the bias's, and returns `weightᵀ da`.
pub(crate) fn affine_backward<R: Real>(
    weight: &[R],
    x: &[R],
    da: &[R],
    weight_gradient: &mut [R],
    bias_gradient: &mut [R],
) -> Vec<R> {
    let width = x.len();
    let mut dx = vec![R::ZERO; width];
    for (row, &da) in da.iter().enumerate() {
        bias_gradient[row] += da;
        for (k, &x) in x.iter().enumerate() {
            weight_gradient[row * width + k] += da * x;
            dx[k] += weight[row * width + k] * da;
        }
    }
    dx
}
