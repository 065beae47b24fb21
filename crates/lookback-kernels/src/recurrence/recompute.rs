//! Activation (gradient) checkpointing: a backward pass that computes the gates again, so that a long sequence needs
//! little memory (Chen 2016, "Training Deep Nets with Sublinear Memory Cost").
//!
//! The forward pass keeps `y` and the cell states between segments of time. Here each segment, the last one first, runs
//! forward once more from the state before it, then backward. Only one segment's gates and their gradients exist at once.
//! The gates come out with the same bits; the gradients of the weights are summed segment by segment.

use super::forward::{between_len, saved_values};
use super::plan::Tokens;
use super::{
    Cell, Dims, InputGradients, Inputs, OF_WEIGHTS, Outputs, Packed, Upstream, WeightGradients, Weights, Workspace,
    backward, check, forward, weight_lens,
};
use crate::KernelError;
use crate::check::slice;
use crate::written::Slot;
use rayon::prelude::*;

/// About how many segments a sequence has.
const SEGMENTS: usize = 16;
/// The fewest steps of a segment: its product for the weights' gradients shall still be a large one.
const LEAST: usize = 32;

/// How many steps a segment should have in a sequence of `time` steps.
pub fn segment(time: usize) -> usize {
    time.div_ceil(SEGMENTS).max(LEAST)
}

/// As [`super::backward_owned`], where [`super::forward_owned`] kept `between`, the cell states between segments of
/// `segment` steps, instead of the gates.
///
/// # Errors
/// As [`super::backward_owned`].
#[allow(clippy::too_many_arguments, reason = "as `backward`")]
pub fn backward_recomputing(
    cell: Cell,
    dims: &Dims,
    weights: &[Weights<'_>],
    inputs: &Inputs<'_>,
    y: &[f32],
    (segment, between): (usize, &[f32]),
    upstream: &Upstream<'_>,
    wanted: &[bool],
    workspace: &mut Workspace,
    threads: usize,
) -> Result<Vec<Option<Vec<f32>>>, KernelError> {
    if segment == 0 {
        return Err(KernelError::TooSmall { name: "segment", least: 1, found: 0 });
    }
    check::dims(dims, inputs.lengths)?;
    check::weights(cell, dims, weights)?;
    check::inputs(cell, dims, inputs)?;
    check::sequence("y", y, dims)?;
    slice("between", between, &[between_len(cell, dims, segment)], "[D, segments - 1, B, H]")?;
    slice("wanted", wanted, &[3 + OF_WEIGHTS * dims.directions], "[3 + 5*D]")?;
    check::gradients(cell, dims, upstream, &InputGradients::default(), &no_gradients(dims.directions))?;
    let mut pass = Pass { cell, dims, weights, inputs, y, between, upstream, segment, workspace, threads };
    let mut dx = wanted[0].then(|| vec![0.0; inputs.x.len()]);
    let (mut dh0, mut dc0) = (Vec::new(), Vec::new());
    let mut of_weights = Vec::new();
    for d in 0..dims.directions {
        let from = 3 + OF_WEIGHTS * d;
        let (dh, dc, gradients) = pass.direction(d, dx.as_deref_mut(), &wanted[from..from + OF_WEIGHTS])?;
        dh0.extend(dh);
        dc0.extend(dc);
        of_weights.extend(gradients);
    }
    let states = [wanted[1].then_some(dh0), (wanted[2] && cell.has_cell_state()).then_some(dc0)];
    Ok([dx].into_iter().chain(states).chain(of_weights).collect())
}

/// What the segments of one call share.
struct Pass<'a> {
    cell: Cell,
    dims: &'a Dims,
    weights: &'a [Weights<'a>],
    inputs: &'a Inputs<'a>,
    y: &'a [f32],
    between: &'a [f32],
    upstream: &'a Upstream<'a>,
    segment: usize,
    workspace: &'a mut Workspace,
    threads: usize,
}

/// The gradients of a direction's parameters, where they are wanted.
type OfWeights = [Option<Vec<f32>>; OF_WEIGHTS];

impl Pass<'_> {
    /// All segments of direction `d`. Adds to `dx`, and gives the gradients of the initial states and of the parameters.
    fn direction(
        &mut self,
        d: usize,
        mut dx: Option<&mut [f32]>,
        wanted: &[bool],
    ) -> Result<(Vec<f32>, Vec<f32>, OfWeights), KernelError> {
        let (cell, threads) = (self.cell, self.threads);
        let Dims { batch, time, input, hidden, directions } = *self.dims;
        let (state, lstm) = (batch * hidden, cell.has_cell_state());
        let mut dh = self.state_of(d, self.upstream.h_n);
        let mut dc = if lstm { self.state_of(d, self.upstream.c_n) } else { Vec::new() };
        let lens = weight_lens(cell, self.dims);
        let zeros = || std::array::from_fn(|part| wanted[part].then(|| vec![0.0; lens[part]]));
        let (mut sums, mut parts): (OfWeights, OfWeights) = (zeros(), zeros());
        let lengths = self.inputs.lengths.map_or_else(|| vec![time; batch], <[usize]>::to_vec);
        let weights = &self.weights[d..=d];
        let one = Dims { directions: 1, ..*self.dims };
        let packed = Packed::new(cell, &one, weights)?;
        let mut buffers: [Vec<f32>; 5] = Default::default();
        for index in (0..time.div_ceil(self.segment)).rev() {
            let first = index * self.segment;
            let steps = self.segment.min(time - first);
            let rest: Vec<usize> = lengths.iter().map(|length| length.saturating_sub(first).min(steps)).collect();
            if rest.iter().all(|&steps| steps == 0) {
                continue;
            }
            // In the order in which this direction walks; padding is never read, and keeps what it held.
            let place = |row: usize, s: usize| row * time + Tokens::position(d, lengths[row], first + s);
            let [x, dy, y, saved, own_dx] = &mut buffers;
            let gather = |from: &[f32], (width, stride, offset): (usize, usize, usize), to: &mut Vec<f32>| {
                to.resize(batch * steps * width, 0.0);
                to.par_chunks_mut(steps * width).enumerate().for_each(|(row, to)| {
                    for (s, to) in to.chunks_exact_mut(width).enumerate().take(rest[row]) {
                        to.copy_from_slice(&from[place(row, s) * stride + offset..][..width]);
                    }
                });
            };
            gather(self.inputs.x, (input, input, 0), x);
            if let Some(from) = self.upstream.y {
                gather(from, (hidden, directions * hidden, d * hidden), dy);
            }
            let (h0, c0) = self.state_before(d, index, &lengths);
            let dims = Dims { time: steps, ..one };
            let inputs = Inputs { x, lengths: Some(&rest), h0: Some(&h0), c0: lstm.then_some(&c0) };
            y.resize(batch * steps * hidden, 0.0);
            saved.resize(saved_values(cell, &dims, Some(&rest)), 0.0);
            let (mut h_n, mut c_n) = (vec![0.0; state], vec![0.0; if lstm { state } else { 0 }]);
            let outputs = Outputs { y: &mut y[..], h_n: &mut h_n, c_n: lstm.then_some(&mut c_n[..]) };
            forward(cell, &dims, &packed, &inputs, outputs, Some(&mut saved[..]), self.workspace, threads)?;
            let upstream = Upstream { y: self.upstream.y.map(|_| &dy[..]), h_n: Some(&dh), c_n: lstm.then_some(&dc) };
            // The states that came out are read no more: their places take the gradients of those that went in.
            own_dx.resize(if dx.is_some() { batch * steps * input } else { 0 }, 0.0);
            let of_inputs = InputGradients {
                x: dx.is_some().then_some(&mut own_dx[..]),
                h0: Some(&mut h_n),
                c0: lstm.then_some(&mut c_n[..]),
            };
            let of_weights = &mut [WeightGradients::from(parts.each_mut().map(Option::as_deref_mut))];
            backward(
                cell,
                &dims,
                weights,
                &inputs,
                y,
                saved,
                &upstream,
                of_inputs,
                of_weights,
                self.workspace,
                threads,
            )?;
            (dh, dc) = (h_n, c_n);
            for (sum, part) in sums.iter_mut().zip(&parts) {
                let pairs = sum.iter_mut().flatten().zip(part.iter().flatten());
                pairs.for_each(|(sum, part)| *sum += part);
            }
            if let Some(dx) = &mut dx {
                dx.par_chunks_mut(time * input).enumerate().for_each(|(row, dx)| {
                    for (s, from) in own_dx[row * steps * input..].chunks_exact(input).enumerate().take(rest[row]) {
                        let to = &mut dx[(place(row, s) - row * time) * input..][..input];
                        to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
                    }
                });
            }
        }
        Ok((dh, dc, sums))
    }

    /// Direction `d`'s part of a state `[D, B, H]`, zeros where there is none.
    fn state_of(&self, d: usize, all: Option<&[f32]>) -> Vec<f32> {
        let state = self.dims.batch * self.dims.hidden;
        all.map_or_else(|| vec![0.0; state], |all| all[d * state..][..state].to_vec())
    }

    /// The states of direction `d` before segment `index`, `[B, H]` each; zeros where a row has ended.
    fn state_before(&self, d: usize, index: usize, lengths: &[usize]) -> (Vec<f32>, Vec<f32>) {
        let Dims { batch, time, hidden, directions, .. } = *self.dims;
        let state = batch * hidden;
        if index == 0 {
            return (self.state_of(d, self.inputs.h0), self.state_of(d, self.inputs.c0));
        }
        let first = index * self.segment;
        let mut h = vec![0.0; state];
        for (row, h) in h.chunks_exact_mut(hidden).enumerate().filter(|&(row, _)| lengths[row] > first) {
            let t = Tokens::position(d, lengths[row], first - 1);
            h.copy_from_slice(&self.y[((row * time + t) * directions + d) * hidden..][..hidden]);
        }
        let place = d * (time.div_ceil(self.segment) - 1) + index - 1;
        let c = if self.cell.has_cell_state() { self.between[place * state..][..state].to_vec() } else { Vec::new() };
        (h, c)
    }
}

fn no_gradients(directions: usize) -> Vec<WeightGradients<'static, Slot>> {
    (0..directions).map(|_| WeightGradients::default()).collect()
}
