//! The gradients of weights and biases: one product a gate with `K` = all real steps.
//!
//! The work is split by gate, and every gate's product runs on one thread over the steps in their order, so
//! the sums are the same whatever the number of threads.

use super::backward::gradient_len;
use super::forward::row_len;
use super::packed::padded;
use super::plan::Tokens;
use super::{Cell, Dims, Inputs, Reset, WeightGradients};
use crate::simd::product::transposed;
use crate::simd::{Aligned, arch};
use pulp::{Simd, WithSimd};

/// Steps whose bias gradients are summed before they join the total, so that rounding grows slowly.
const BIAS_BLOCK: usize = 64;
/// Units whose bias gradients are summed at once.
const BIAS_UNITS: usize = 64;

/// What the products are made of.
pub(super) struct Parts<'a> {
    pub(super) cell: Cell,
    pub(super) dims: &'a Dims,
    pub(super) inputs: &'a Inputs<'a>,
    pub(super) y: &'a [f32],
    pub(super) saved: &'a [f32],
    /// `[D, real steps, gradient_len]`.
    pub(super) gates: &'a [f32],
    pub(super) tokens: &'a Tokens,
}

/// One task: a gate of a direction against the inputs or the previous states.
enum Piece<'a> {
    /// `out [H, columns] = gatesᵀ · rows`.
    Product { gates: &'a [f32], rows: &'a [f32], columns: usize, out: &'a mut [f32] },
    /// `out [H] = Σ gates`, and the same in `twin`.
    Bias { gates: &'a [f32], out: &'a mut [f32], twin: Option<&'a mut [f32]> },
    /// `out [H] = Σ gates ∘ cell`.
    Peephole { gates: &'a [f32], direction: usize, gate: usize, out: &'a mut [f32] },
}

/// One task of copying steps together, for the products to read.
enum Copy<'a> {
    /// The real steps of `x`.
    Inputs(&'a mut [f32]),
    /// The hidden state before each real step of some rows, in direction `d`.
    States { d: usize, rows: std::ops::Range<usize>, to: &'a mut [f32] },
}

/// Fills every gradient that is asked for.
pub(super) fn compute<'g>(
    parts: &Parts<'_>,
    gradients: &'g mut [WeightGradients<'_>],
    scratch: &mut Aligned,
    threads: usize,
) {
    let Dims { input, hidden, directions, time, .. } = *parts.dims;
    let tokens = parts.tokens;
    let hp = padded(hidden);
    let stride = gradient_len(parts.cell, hp);
    let whole = tokens.lengths.iter().all(|&length| length == time);
    let x_len = if whole { 0 } else { tokens.count * input };
    let state_len = tokens.count * hidden;
    let resets = if parts.cell == Cell::Gru(Reset::BeforeProduct) { directions } else { 0 };
    let scratch = scratch.scratch(x_len + (directions + resets) * state_len);
    let (scratch_x, scratch) = scratch.split_at_mut(x_len);
    let (states, seen) = scratch.split_at_mut(directions * state_len);
    let mut copies: Vec<Copy<'_>> = Vec::new();
    if !whole {
        copies.push(Copy::Inputs(&mut *scratch_x));
    }
    for (d, states) in states.chunks_exact_mut(state_len.max(1)).enumerate() {
        // Two copies a direction, so that two threads have work.
        let middle = tokens.offsets.get(tokens.offsets.len() / 2).copied().unwrap_or(0);
        let (first, second) = states.split_at_mut(middle * hidden);
        let rows = tokens.offsets.len();
        copies.push(Copy::States { d, rows: 0..rows / 2, to: first });
        copies.push(Copy::States { d, rows: rows / 2..rows, to: second });
    }
    share(copies, threads, |copy| match copy {
        Copy::Inputs(to) => gather_x(parts, to),
        Copy::States { d, rows, to } => gather_states(parts, d, rows, to),
    });
    for d in 0..directions {
        if resets > 0 {
            let seen = &mut seen[d * state_len..][..state_len];
            let row_len = row_len(parts.cell, hp);
            for (token, seen) in seen.chunks_exact_mut(hidden).enumerate() {
                let r = &parts.saved[(d * tokens.count + token) * row_len..];
                let h = &states[d * state_len + token * hidden..];
                seen.iter_mut().zip(r).zip(h).for_each(|((seen, r), h)| *seen = r * h);
            }
        }
    }
    let x = if whole { parts.inputs.x } else { &scratch_x[..] };

    let mut pieces = Vec::new();
    for (d, gradients) in gradients.iter_mut().enumerate() {
        // The gates of this direction; a section is reached by its offset in every row.
        let gates = &parts.gates[d * tokens.count * stride..][..tokens.count * stride];
        let at = |section: usize| &gates[(section * hp).min(gates.len())..];
        let states = &states[d * state_len..][..state_len];
        let of_input = |gate: usize| if matches!(parts.cell, Cell::Gru(_)) { [1, 2, 0][gate] } else { gate };
        let of_state = |gate: usize| match parts.cell {
            Cell::Gru(Reset::AfterProduct) => [1, 2, 3][gate],
            _ => of_input(gate),
        };
        let products =
            [(gradients.weight_ih.as_deref_mut(), input, true), (gradients.weight_hh.as_deref_mut(), hidden, false)];
        for (out, columns, of_x) in products {
            let Some(out) = out else { continue };
            for (gate, out) in out.chunks_exact_mut(hidden * columns).enumerate() {
                let section = if of_x { of_input(gate) } else { of_state(gate) };
                let rows = match (of_x, gate) {
                    (true, _) => x,
                    (false, 2) if resets > 0 => &seen[d * state_len..][..state_len],
                    (false, _) => states,
                };
                pieces.push(Piece::Product { gates: at(section), rows, columns, out });
            }
        }
        let each_gate = |out: Option<&'g mut [f32]>| {
            let mut gates = out.map(|out| out.chunks_exact_mut(hidden));
            std::iter::from_fn(move || Some(gates.as_mut().and_then(Iterator::next)))
        };
        let biases = each_gate(gradients.bias_ih.as_deref_mut()).zip(each_gate(gradients.bias_hh.as_deref_mut()));
        for (gate, (ih, hh)) in biases.take(parts.cell.gates()).enumerate() {
            // Both biases enter the same sum and have the same gradient, but for a gate whose reset stands between.
            let (ih_at, hh_at) = (at(of_input(gate)), at(of_state(gate)));
            match (ih, hh) {
                (Some(out), twin) if of_input(gate) == of_state(gate) => {
                    pieces.push(Piece::Bias { gates: ih_at, out, twin });
                }
                (ih, hh) => {
                    pieces.extend(ih.map(|out| Piece::Bias { gates: ih_at, out, twin: None }));
                    pieces.extend(hh.map(|out| Piece::Bias { gates: hh_at, out, twin: None }));
                }
            }
        }
        let peephole = gradients.peephole.as_deref_mut();
        for (index, out) in peephole.into_iter().flat_map(|out| out.chunks_exact_mut(hidden)).enumerate() {
            let gate = [0, 1, 3][index];
            pieces.push(Piece::Peephole { gates: at(gate), direction: d, gate, out });
        }
    }
    share(pieces, threads, |piece| match piece {
        Piece::Product { gates, rows, columns, out } => {
            transposed([hidden, columns, tokens.count], (gates, stride), (rows, columns), out);
        }
        Piece::Bias { gates, out, twin } => {
            arch().dispatch(Bias { gates, stride, steps: tokens.count, out: &mut *out });
            if let Some(twin) = twin {
                twin.copy_from_slice(out);
            }
        }
        Piece::Peephole { gates, direction, gate, out } => peephole(parts, gates, direction, gate, out),
    });
}

/// Runs the pieces, each whole on one thread.
fn share<P: Send>(pieces: Vec<P>, threads: usize, work: impl Fn(P) + Sync) {
    if threads <= 1 || pieces.len() <= 1 {
        return pieces.into_iter().for_each(work);
    }
    let work = &work;
    rayon::scope(|scope| pieces.into_iter().for_each(|piece| scope.spawn(move |_| work(piece))));
}

/// `out = Σ` over the steps.
struct Bias<'a> {
    gates: &'a [f32],
    stride: usize,
    steps: usize,
    out: &'a mut [f32],
}

impl WithSimd for Bias<'_> {
    type Output = ();

    // Plain loops, which the compiler turns into vectors once it may use the instruction set.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Bias { gates, stride, steps, out } = self;
        out.fill(0.0);
        let mut block = [0.0; BIAS_UNITS];
        for (chunk, out) in out.chunks_mut(BIAS_UNITS).enumerate() {
            let block = &mut block[..out.len()];
            for first in (0..steps).step_by(BIAS_BLOCK) {
                block.fill(0.0);
                for step in first..(first + BIAS_BLOCK).min(steps) {
                    let gates = &gates[step * stride + chunk * BIAS_UNITS..][..block.len()];
                    for (sum, gate) in block.iter_mut().zip(gates) {
                        *sum += gate;
                    }
                }
                for (out, sum) in out.iter_mut().zip(&*block) {
                    *out += sum;
                }
            }
        }
    }
}

/// `out = Σ gates ∘ c`: the previous cell for `i` and `f`, the new one for `o`.
fn peephole(parts: &Parts<'_>, gates: &[f32], d: usize, gate: usize, out: &mut [f32]) {
    let Dims { batch, hidden, .. } = *parts.dims;
    let hp = padded(hidden);
    let (stride, row_len) = (gradient_len(parts.cell, hp), row_len(parts.cell, hp));
    let tokens = parts.tokens;
    let mut sums = vec![0.0; hidden];
    out.fill(0.0);
    for row in 0..batch {
        let length = tokens.lengths[row];
        sums.fill(0.0);
        for s in 0..length {
            let token = |s: usize| tokens.offsets[row] + Tokens::position(d, length, s);
            let kept = |s: usize| &parts.saved[(d * tokens.count + token(s)) * row_len + 4 * hp..][..hidden];
            let cell = match (gate, s) {
                (3, _) => kept(s),
                (_, 0) => match parts.inputs.c0 {
                    Some(c0) => &c0[(d * batch + row) * hidden..][..hidden],
                    None => continue,
                },
                _ => kept(s - 1),
            };
            let gates = &gates[token(s) * stride..];
            sums.iter_mut().zip(gates).zip(cell).for_each(|((sum, gate), cell)| *sum += gate * cell);
        }
        out.iter_mut().zip(&sums).for_each(|(out, sum)| *out += sum);
    }
}

/// The real steps of `x`, one after another.
fn gather_x(parts: &Parts<'_>, to: &mut [f32]) {
    let Dims { time, input, .. } = *parts.dims;
    for (row, (&length, &offset)) in parts.tokens.lengths.iter().zip(&parts.tokens.offsets).enumerate() {
        let from = &parts.inputs.x[row * time * input..][..length * input];
        to[offset * input..][..length * input].copy_from_slice(from);
    }
}

/// The hidden state before each real step of `rows`, one after another.
fn gather_states(parts: &Parts<'_>, d: usize, rows: std::ops::Range<usize>, to: &mut [f32]) {
    let Dims { batch, time, hidden, directions, .. } = *parts.dims;
    let first = parts.tokens.offsets.get(rows.start).copied().unwrap_or(0);
    for row in rows {
        let (length, offset) = (parts.tokens.lengths[row], parts.tokens.offsets[row] - first);
        for s in 0..length {
            let t = Tokens::position(d, length, s);
            let to = &mut to[(offset + t) * hidden..][..hidden];
            if s > 0 {
                let before = Tokens::position(d, length, s - 1);
                to.copy_from_slice(&parts.y[((row * time + before) * directions + d) * hidden..][..hidden]);
            } else if let Some(h0) = parts.inputs.h0 {
                to.copy_from_slice(&h0[(d * batch + row) * hidden..][..hidden]);
            } else {
                to.fill(0.0);
            }
        }
    }
}
