//! A whole layer, naively: the loop over rows, directions and time that the three references share.

use super::cells::with_kernel;
use super::{Cell, Dims, Inputs, Upstream, Weights};
use crate::Real;
use crate::cell::CellKernel;

pub use super::cells::CELLS;
pub use crate::cell::reference::{ParameterGradients, Step, StepBack, StepGradients};

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

/// One step of one row of `cell`: `x [I]`, `h [H]`, `c [H]`.
pub fn step<R: Real>(cell: Cell, weights: &Weights<'_, R>, x: &[R], h: &[R], c: &[R]) -> Step<R> {
    with_kernel!(cell, kernel => kernel.reference_step(weights, x, h, c))
}

/// One step of one row back; the parameters' gradients are added to `gradients`.
pub fn step_backward<R: Real>(
    cell: Cell,
    weights: &Weights<'_, R>,
    back: &StepBack<'_, R>,
    gradients: &mut ParameterGradients<R>,
) -> StepGradients<R> {
    with_kernel!(cell, kernel => kernel.reference_step_back(weights, back, gradients))
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
                let back = StepBack { x, h_prev, c_prev, step: &steps[s], dh: &dh, dc: &dc };
                let (w, g) = (&weights[d], &mut out.weights[d]);
                let step = step_backward(cell, w, &back, g);
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
