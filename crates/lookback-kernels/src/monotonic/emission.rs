//! What every position says of the wanted tokens: `log softmax(W_o tanh(s_j + q_t) + b_o)` at `y_t`, forward and backward.
//!
//! `s` and `q` are source and target, mapped before: a dense layer over both side by side,
//! `W_c [c_j; h_t] + b`, falls into `U c_j` and `Q h_t + b`, of `S` and of `T` rows, so that only `tanh` and the product with
//! `W_o` are made for each of the `T · S` cells.
//!
//! Cells go through in blocks of some `NUMBERS` numbers, or of `CELLS` cells where those have more, or of one step where it
//! has more cells. Nothing of `[B, T, S, V]` is kept: the backward pass makes a block's logits again, by a product more.

use super::check::{lengths, same};
use crate::cross_entropy::{ScaledInPlace, write_log_sums};
use crate::linear::{LinearDims, PackedLinear, bias_of, weight_of};
use crate::simd::{arch, math};
use crate::{KernelError, check};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Hidden values and logits of a block: 2 MiB.
pub(crate) const NUMBERS: usize = 1 << 19;
/// The cells of a block of the largest vocabularies: with fewer, the sum of the gradients of `W_o` over the blocks, `V · W` each,
/// would be what takes the time.
const CELLS: usize = 64;
/// The fewest steps of a block for a thread.
const STEPS: usize = 8;

/// The sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmissionDims {
    /// `B`.
    pub batch: usize,
    /// `T`.
    pub time: usize,
    /// `S`.
    pub positions: usize,
    /// `W`.
    pub width: usize,
    /// `V`.
    pub vocabulary: usize,
}

/// What emissions are made of.
#[derive(Debug, Clone, Copy)]
pub struct EmissionInputs<'a, R = f32> {
    /// `[B, S, W]`: `s`.
    pub source: &'a [R],
    /// `[B, T, W]`: `q`.
    pub target: &'a [R],
    /// `[V, W]`: `W_o`.
    pub weight: &'a [R],
    /// `[V]`: `b_o`.
    pub bias: &'a [R],
    /// `[B, T]`: `y`, of real steps below `V`.
    pub tokens: &'a [u32],
    /// `[B]`, each from 0 to `T`, in any order.
    pub lengths: &'a [usize],
    /// `[B]`, each from 0 to `S`, in any order.
    pub source_lengths: &'a [usize],
}

/// What [`forward`] leaves for [`backward`].
#[derive(Debug, Clone)]
pub struct EmissionTrace {
    dims: EmissionDims,
    /// `[B]` each, of both sides.
    lengths: [Vec<usize>; 2],
    /// `log Σ e^logit` of every real cell, row by row and step by step.
    log_sums: Vec<f32>,
}

/// What [`backward`] gives.
#[derive(Debug, Clone, PartialEq)]
pub struct EmissionGradients<R = f32> {
    /// `[B, S, W]`.
    pub source: Vec<R>,
    /// `[B, T, W]`.
    pub target: Vec<R>,
    /// `[V, W]`.
    pub weight: Vec<R>,
    /// `[V]`.
    pub bias: Vec<R>,
}

/// `log p(y_t | a_t = j)`, `[B, T, S]`; zeros past the lengths.
///
/// # Errors
/// If a slice has not the length of its shape, a length is beyond its axis, `W` or `V` is 0, a real step's token is none, or a
/// row has steps but no position.
pub fn forward(
    dims: EmissionDims,
    inputs: EmissionInputs<'_>,
    threads: usize,
) -> Result<(Vec<f32>, EmissionTrace), KernelError> {
    let packed = checked(dims, inputs)?;
    let mut emissions = vec![0.0; dims.batch * dims.time * dims.positions];
    let mut log_sums = Vec::new();
    for block in blocks(dims, inputs) {
        let hidden = hidden(dims, inputs, &block, threads);
        let logits = packed.forward(&hidden, threads)?;
        let first = log_sums.len();
        log_sums.resize(first + logits.len() / dims.vocabulary, 0.0);
        let sums = &mut log_sums[first..];
        write_log_sums(dims.vocabulary, &logits, sums, threads);
        let mut cell = 0;
        for step in &block {
            let token = inputs.tokens[step.row * dims.time + step.t] as usize;
            for to in &mut emissions[step.at(dims)..][..step.positions] {
                *to = logits[cell * dims.vocabulary + token] - sums[cell];
                cell += 1;
            }
        }
    }
    let lengths = [inputs.lengths, inputs.source_lengths].map(<[usize]>::to_vec);
    Ok((emissions, EmissionTrace { dims, lengths, log_sums }))
}

/// The gradients of `Σ upstream ∘ emissions` of the call of [`forward`] that gave the trace, with the same inputs. upstream:
/// `[B, T, S]`, never read past the lengths.
///
/// # Errors
/// As [`forward`], or if the trace is of other sizes.
pub fn backward(
    dims: EmissionDims,
    inputs: EmissionInputs<'_>,
    trace: &EmissionTrace,
    upstream: &[f32],
    threads: usize,
) -> Result<EmissionGradients, KernelError> {
    let EmissionDims { batch, time, positions, width, vocabulary } = dims;
    let packed = checked(dims, inputs)?;
    check::slice("upstream", upstream, &[batch, time, positions], "[B, T, S]")?;
    same(trace.dims == dims && trace.lengths == [inputs.lengths, inputs.source_lengths])?;
    let mut gradients = EmissionGradients {
        source: vec![0.0; batch * positions * width],
        target: vec![0.0; batch * time * width],
        weight: vec![0.0; vocabulary * width],
        bias: vec![0.0; vocabulary],
    };
    let mut done = 0;
    for block in blocks(dims, inputs) {
        let hidden = hidden(dims, inputs, &block, threads);
        let mut slopes = packed.forward(&hidden, threads)?;
        let cells: Vec<(usize, u32)> = block.iter().flat_map(|step| step.cells(dims, inputs.tokens)).collect();
        slopes
            .par_chunks_exact_mut(vocabulary)
            .zip(&cells)
            .zip(&trace.log_sums[done..])
            .with_min_len(least(threads, 64))
            .for_each(|((row, &(cell, token)), &log_sum)| {
                arch().dispatch(ScaledInPlace { row, log_sum, scale: -upstream[cell] });
                row[token as usize] += upstream[cell];
            });
        done += cells.len();
        let d_hidden = packed.input_gradient(&slopes, threads)?;
        let sizes = LinearDims { rows: cells.len(), inputs: width, outputs: vocabulary };
        add(&mut gradients.weight, &weight_of(sizes, &hidden, &slopes, threads));
        add(&mut gradients.bias, &bias_of(sizes, &slopes));
        to_sides(dims, &block, [&hidden, &d_hidden], &mut gradients, threads);
    }
    Ok(gradients)
}

/// The output layer, packed, of a call that fits.
fn checked(dims: EmissionDims, inputs: EmissionInputs<'_>) -> Result<PackedLinear, KernelError> {
    let EmissionDims { batch, time, positions, width, vocabulary } = dims;
    check::positive(&[("W", width), ("V", vocabulary)])?;
    check::slice("source", inputs.source, &[batch, positions, width], "[B, S, W]")?;
    check::slice("target", inputs.target, &[batch, time, width], "[B, T, W]")?;
    check::slice("weight", inputs.weight, &[vocabulary, width], "[V, W]")?;
    check::slice("bias", inputs.bias, &[vocabulary], "[V]")?;
    check::slice("tokens", inputs.tokens, &[batch, time], "[B, T]")?;
    check::product("the emissions", &[batch, time, positions], "[B, T, S]")?;
    lengths([batch, time, positions], inputs.lengths, inputs.source_lengths)?;
    for (row, &length) in inputs.lengths.iter().enumerate() {
        let tokens = &inputs.tokens[row * time..][..length];
        if let Some((t, &index)) = tokens.iter().enumerate().find(|&(_, &token)| token as usize >= vocabulary) {
            let (at, of) = (row * time + t, "tokens of the vocabulary".to_owned());
            return Err(KernelError::Index { name: "tokens", at, index, count: vocabulary, of });
        }
    }
    PackedLinear::new(width, vocabulary, inputs.weight, Some(inputs.bias))
}

/// A real step of a row.
#[derive(Debug, Clone, Copy)]
struct Step {
    row: usize,
    t: usize,
    /// Real positions of the row.
    positions: usize,
}

impl Step {
    /// Its first cell in `[B, T, S]`.
    fn at(&self, dims: EmissionDims) -> usize {
        (self.row * dims.time + self.t) * dims.positions
    }

    /// Its real cells, and the token that is wanted of each.
    fn cells(self, dims: EmissionDims, tokens: &[u32]) -> impl Iterator<Item = (usize, u32)> {
        let (first, token) = (self.at(dims), tokens[self.row * dims.time + self.t]);
        (first..first + self.positions).map(move |cell| (cell, token))
    }
}

/// All real steps in the order of the batch, in blocks that do not depend on the number of threads.
fn blocks(dims: EmissionDims, inputs: EmissionInputs<'_>) -> Vec<Vec<Step>> {
    let most = (NUMBERS / dims.width.saturating_add(dims.vocabulary)).max(CELLS);
    let (mut blocks, mut cells) = (Vec::<Vec<Step>>::new(), 0);
    for (row, (&length, &positions)) in inputs.lengths.iter().zip(inputs.source_lengths).enumerate() {
        for t in 0..length {
            let step = Step { row, t, positions };
            match blocks.last_mut() {
                Some(block) if cells + positions <= most => {
                    block.push(step);
                    cells += positions;
                }
                _ => {
                    blocks.push(vec![step]);
                    cells = positions;
                }
            }
        }
    }
    blocks
}

/// `tanh(s_j + q_t)` of a block's cells, `[cells, W]`.
fn hidden(dims: EmissionDims, inputs: EmissionInputs<'_>, block: &[Step], threads: usize) -> Vec<f32> {
    let width = dims.width;
    let mut hidden = vec![0.0; block.iter().map(|step| step.positions * width).sum()];
    let mut parts = Vec::with_capacity(block.len());
    let mut rest = &mut hidden[..];
    for step in block {
        let (part, others) = rest.split_at_mut(step.positions * width);
        parts.push((step, part));
        rest = others;
    }
    parts.into_par_iter().with_min_len(least(threads, STEPS)).for_each(|(step, part)| {
        let source = &inputs.source[step.row * dims.positions * width..][..step.positions * width];
        let target = &inputs.target[(step.row * dims.time + step.t) * width..][..width];
        for (to, source) in part.chunks_exact_mut(width).zip(source.chunks_exact(width)) {
            to.iter_mut().zip(source).zip(target).for_each(|((to, source), target)| *to = source + target);
        }
        math::tanh(part);
    });
    hidden
}

/// From the gradient of a block's hidden values to those of both sides: each step of the target has the sum over its positions,
/// each position that over the steps, in their order.
fn to_sides(
    dims: EmissionDims,
    block: &[Step],
    [hidden, d_hidden]: [&[f32]; 2],
    gradients: &mut EmissionGradients,
    threads: usize,
) {
    let EmissionDims { time, positions, width, .. } = dims;
    let (Some(first), Some(last)) = (block.first(), block.last()) else { return };
    let (from, count) = (first.row, last.row - first.row + 1);
    // The steps of each row, which stand together, and where its cells begin.
    let mut of_rows = vec![(&block[..0], 0); count];
    let mut cell = 0;
    for steps in block.chunk_by(|a, b| a.row == b.row) {
        of_rows[steps[0].row - from] = (steps, cell);
        cell += steps.iter().map(|step| step.positions).sum::<usize>();
    }
    let of_source = gradients.source.par_chunks_exact_mut(positions * width).skip(from).take(count);
    let of_target = gradients.target.par_chunks_exact_mut(time * width).skip(from).take(count);
    let rows = of_source.zip(of_target).zip(of_rows).with_min_len(least(threads, 1));
    rows.for_each(|((source, target), (steps, first))| {
        let mut at = first * width;
        for step in steps {
            let to_target = &mut target[step.t * width..][..width];
            for to_source in source.chunks_exact_mut(width).take(step.positions) {
                arch().dispatch(Sides {
                    hidden: &hidden[at..][..width],
                    d_hidden: &d_hidden[at..][..width],
                    to_source,
                    to_target,
                });
                at += width;
            }
        }
    });
}

fn add(to: &mut [f32], values: &[f32]) {
    to.iter_mut().zip(values).for_each(|(to, value)| *to += value);
}

fn least(threads: usize, least: usize) -> usize {
    if threads <= 1 { usize::MAX } else { least }
}

/// `d_hidden (1 - hidden²)`, added to both sides.
struct Sides<'a> {
    hidden: &'a [f32],
    d_hidden: &'a [f32],
    to_source: &'a mut [f32],
    to_target: &'a mut [f32],
}

impl WithSimd for Sides<'_> {
    type Output = ();

    // A plain loop, which the compiler turns into vectors once it may use the instruction set.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Sides { hidden, d_hidden, to_source, to_target } = self;
        let sides = to_source.iter_mut().zip(to_target.iter_mut());
        for ((to_source, to_target), (&hidden, &d_hidden)) in sides.zip(hidden.iter().zip(d_hidden)) {
            let slope = d_hidden * (1.0 - hidden * hidden);
            *to_source += slope;
            *to_target += slope;
        }
    }
}
