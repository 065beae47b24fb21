//! A whole layer, naively: the loop over rows, directions and time that the three references share.

use super::{Activation, Cell, Dims, Inputs, Reset, Upstream, Weights};
use crate::{Real, gru, lstm, rnn};

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

/// A layer's outputs, with every step kept.
#[derive(Debug, Clone)]
pub struct Forward<R> {
    /// `[B, T, D*H]`.
    pub y: Vec<R>,
    /// `[D, B, H]`.
    pub h_n: Vec<R>,
    /// `[D, B, H]`; empty where the cell has none.
    pub c_n: Vec<R>,
    steps: Vec<Vec<Step<R>>>,
}

/// One direction's parameter gradients, shaped as [`Weights`]. Every field is filled.
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

/// All gradients of a layer.
#[derive(Debug, Clone)]
pub struct Gradients<R> {
    /// `[B, T, I]`.
    pub x: Vec<R>,
    /// `[D, B, H]`.
    pub h0: Vec<R>,
    /// `[D, B, H]`; zeros where the cell has none.
    pub c0: Vec<R>,
    /// One per direction.
    pub weights: Vec<ParameterGradients<R>>,
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

/// One step of one row of `cell`: `x [I]`, `h [H]`, `c [H]`.
pub fn step<R: Real>(cell: Cell, weights: &Weights<'_, R>, x: &[R], h: &[R], c: &[R]) -> Step<R> {
    match cell {
        Cell::Rnn(activation) => rnn::reference::step(activation, weights, x, h),
        Cell::Lstm => lstm::reference::step(weights, x, h, c),
        Cell::Gru(reset) => gru::reference::step(reset, weights, x, h),
    }
}

/// The whole layer. Sizes must fit; the naive code indexes without checking them first.
pub fn forward<R: Real>(cell: Cell, dims: &Dims, weights: &[Weights<'_, R>], inputs: &Inputs<'_, R>) -> Forward<R> {
    let Dims { batch, time, input, hidden, directions } = *dims;
    let mut out = Forward {
        y: vec![R::ZERO; batch * time * directions * hidden],
        h_n: vec![R::ZERO; directions * batch * hidden],
        c_n: if cell.has_cell_state() { vec![R::ZERO; directions * batch * hidden] } else { Vec::new() },
        steps: Vec::new(),
    };
    for (d, weights) in weights.iter().enumerate().take(directions) {
        for b in 0..batch {
            let state = (d * batch + b) * hidden..(d * batch + b + 1) * hidden;
            let mut h = inputs.h0.map_or(vec![R::ZERO; hidden], |h0| h0[state.clone()].to_vec());
            let mut c = inputs.c0.map_or(vec![R::ZERO; hidden], |c0| c0[state.clone()].to_vec());
            let mut steps = Vec::new();
            for t in order(length(inputs, b, time), d) {
                let x = &inputs.x[(b * time + t) * input..][..input];
                let step = step(cell, weights, x, &h, &c);
                h.clone_from(&step.h);
                c.clone_from(&step.c);
                out.y[((b * time + t) * directions + d) * hidden..][..hidden].copy_from_slice(&h);
                steps.push(step);
            }
            out.h_n[state.clone()].copy_from_slice(&h);
            if cell.has_cell_state() {
                out.c_n[state].copy_from_slice(&c);
            }
            out.steps.push(steps);
        }
    }
    out
}

/// Backward through time over what [`forward`] returned.
pub fn backward<R: Real>(
    cell: Cell,
    dims: &Dims,
    weights: &[Weights<'_, R>],
    inputs: &Inputs<'_, R>,
    forward: &Forward<R>,
    upstream: &Upstream<'_, R>,
) -> Gradients<R> {
    let Dims { batch, time, input, hidden, directions } = *dims;
    let gh = cell.gates() * hidden;
    let mut out = Gradients {
        x: vec![R::ZERO; batch * time * input],
        h0: vec![R::ZERO; directions * batch * hidden],
        c0: vec![R::ZERO; directions * batch * hidden],
        weights: (0..directions)
            .map(|_| ParameterGradients {
                weight_ih: vec![R::ZERO; gh * input],
                weight_hh: vec![R::ZERO; gh * hidden],
                bias_ih: vec![R::ZERO; gh],
                bias_hh: vec![R::ZERO; gh],
                peephole: vec![R::ZERO; 3 * hidden],
            })
            .collect(),
    };
    let zeros = vec![R::ZERO; hidden];
    for d in 0..directions {
        for b in 0..batch {
            let row = d * batch + b;
            let state = row * hidden..(row + 1) * hidden;
            let h0 = inputs.h0.map_or(zeros.as_slice(), |h0| &h0[state.clone()]);
            let c0 = inputs.c0.map_or(zeros.as_slice(), |c0| &c0[state.clone()]);
            let mut dh = upstream.h_n.map_or(zeros.clone(), |g| g[state.clone()].to_vec());
            let mut dc = upstream.c_n.map_or(zeros.clone(), |g| g[state.clone()].to_vec());
            let steps = &forward.steps[row];
            for (s, t) in order(length(inputs, b, time), d).into_iter().enumerate().rev() {
                if let Some(dy) = upstream.y {
                    let dy = &dy[((b * time + t) * directions + d) * hidden..][..hidden];
                    dh.iter_mut().zip(dy).for_each(|(dh, &dy)| *dh += dy);
                }
                let (h_prev, c_prev) =
                    if s == 0 { (h0, c0) } else { (steps[s - 1].h.as_slice(), steps[s - 1].c.as_slice()) };
                let x = &inputs.x[(b * time + t) * input..][..input];
                let (w, g) = (&weights[d], &mut out.weights[d]);
                let step = match cell {
                    Cell::Rnn(activation) => rnn::reference::step_backward(activation, w, x, h_prev, &steps[s], &dh, g),
                    Cell::Lstm => lstm::reference::step_backward(w, x, h_prev, c_prev, &steps[s], &dh, &dc, g),
                    Cell::Gru(reset) => gru::reference::step_backward(reset, w, x, h_prev, &steps[s], &dh, g),
                };
                // Both directions reach the same input.
                let dx = &mut out.x[(b * time + t) * input..][..input];
                dx.iter_mut().zip(&step.x).for_each(|(dx, &g)| *dx += g);
                dh = step.h;
                dc = step.c;
            }
            out.h0[state.clone()].copy_from_slice(&dh);
            if cell.has_cell_state() {
                out.c0[state].copy_from_slice(&dc);
            }
        }
    }
    out
}

/// The positions of a row in the order a direction visits them: the reverse starts at the row's own last.
fn order(length: usize, direction: usize) -> Vec<usize> {
    if direction == 0 { (0..length).collect() } else { (0..length).rev().collect() }
}

fn length<R>(inputs: &Inputs<'_, R>, row: usize, time: usize) -> usize {
    inputs.lengths.map_or(time, |lengths| lengths[row])
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

/// Every cell with every option, for tables of tests.
pub const CELLS: [Cell; 5] = [
    Cell::Rnn(Activation::Tanh),
    Cell::Rnn(Activation::Relu),
    Cell::Lstm,
    Cell::Gru(Reset::AfterProduct),
    Cell::Gru(Reset::BeforeProduct),
];
