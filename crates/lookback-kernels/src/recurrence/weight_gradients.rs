//! The gradients of weights and biases: products with `K` = all real steps.
//!
//! The work is split by rows of the weights, and every row's product runs on one thread over the steps in their order,
//! so the sums are the same whatever the number of threads. What the two weights met, inputs and previous states, is
//! read where it stands.
//!
//! Tried on 2 cores of an AMD EPYC (Zen 3), `lookback-bench lstm` steps, two programs in turns, 12 to 30 turns, the median
//! of the turns' ratios; 1 is a product per gate and weight, each over states gathered before:
//! - rows of all gates, as many per piece as a thread's share, both weights in one piece: (32, 500, 64, 64) 1.02 to 1.08,
//!   (32, 100, 128, 128) 1.04;
//! - half as many rows a piece, so that threads of unequal speed end together: 0.98 at (32, 500, 64, 64);
//! - at (64, 100, 512, 512), pieces of 1,024 rows 0.98, of 256 rows 0.96, of 512 rows 1.03: kept.

use super::backward::gradient_len;
use super::forward::row_len;
use super::packed::padded;
use super::plan::Tokens;
use super::{Cell, Dims, Inputs, Reset, WeightGradients};
use crate::gru::{CANDIDATE, gradient};
use crate::lstm;
use crate::simd::product::{Rows, Side, transposed};
use crate::simd::tile::ROWS as TILE;
use crate::simd::{Aligned, arch};
use crate::written::{Slot, filled};
use pulp::{Simd, WithSimd};
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};

/// Steps whose bias gradients are summed before they join the total, so that rounding grows slowly.
const BIAS_BLOCK: usize = 64;
/// Units whose bias gradients are summed at once.
const BIAS_UNITS: usize = 64;
/// About how many rows of a weight a piece has: each lays out anew what the weights met, and its sums are to stay in the
/// second cache.
const PIECE_ROWS: RangeInclusive<usize> = 96..=512;

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

/// One task.
enum Piece<'a> {
    /// The gradients of some rows of both weights, or of one: the products of their `gates` (so many per step) with what
    /// each weight met.
    Products { gates: &'a [f32], count: usize, sides: Vec<Side<'a>> },
    /// `out [H] = Σ gates`, and the same in `twin`.
    Bias { gates: &'a [f32], out: &'a mut [Slot], twin: Option<&'a mut [Slot]> },
    /// `out [H] = Σ gates ∘ cell`.
    Peephole { gates: &'a [f32], direction: usize, gate: usize, out: &'a mut [Slot] },
}

/// Fills every gradient that is asked for.
pub(super) fn compute<'g>(
    parts: &Parts<'_>,
    gradients: &'g mut [WeightGradients<'_, Slot>],
    scratch: &mut Aligned,
    threads: usize,
) {
    let Dims { input, hidden, directions, .. } = *parts.dims;
    let tokens = parts.tokens;
    let hp = padded(hidden);
    let stride = gradient_len(parts.cell, hp);
    let zeros = vec![0.0; hidden];
    let x = inputs(parts);
    let states: Vec<_> = (0..directions).map(|d| states(parts, d, &zeros)).collect();
    let resets = parts.cell == Cell::Gru(Reset::BeforeProduct);
    let seen = scratch.scratch(if resets { directions * tokens.count * hidden } else { 0 });
    if resets {
        let row_len = row_len(parts.cell, hp);
        for ((seen, r), h) in
            seen.chunks_exact_mut(hidden).zip(parts.saved.chunks_exact(row_len)).zip(states.iter().flatten())
        {
            seen.iter_mut().zip(r).zip(*h).for_each(|((seen, r), h)| *seen = r * h);
        }
    }
    let seen = &*seen;

    let most = (parts.cell.gates() * hidden * directions).div_ceil(threads.max(1));
    let most = most.clamp(*PIECE_ROWS.start(), *PIECE_ROWS.end());
    let (mut pieces, mut sums) = (Vec::new(), Vec::new());
    for (d, gradients) in gradients.iter_mut().enumerate() {
        // The gates of this direction; a section is reached by its offset in every row.
        let gates = &parts.gates[d * tokens.count * stride..][..tokens.count * stride];
        let at = |section: usize| &gates[(section * hp).min(gates.len())..];
        let of_input = |gate: usize| match parts.cell {
            Cell::Gru(_) => [gradient::RESET, gradient::UPDATE, gradient::CANDIDATE][gate],
            _ => gate,
        };
        let of_state = |gate: usize| match parts.cell {
            Cell::Gru(Reset::AfterProduct) => [gradient::RESET, gradient::UPDATE, gradient::PRODUCT][gate],
            _ => of_input(gate),
        };
        let mut of_x = gradients.weight_ih.as_deref_mut();
        let mut of_h = gradients.weight_hh.as_deref_mut();
        let mut gate = 0;
        while gate < parts.cell.gates() {
            // Gates that stand beside one another, in the weights and in the gradients of the gates, are one product.
            let mut run = 1;
            while hp == hidden
                && gate + run < parts.cell.gates()
                && of_input(gate + run) == of_input(gate) + run
                && of_state(gate + run) == of_state(gate) + run
                && !(resets && gate + run == CANDIDATE)
            {
                run += 1;
            }
            let rows = run * hidden;
            let share = rows.div_ceil(rows.div_ceil(most)).next_multiple_of(TILE);
            for first in (0..rows).step_by(share) {
                let count = share.min(rows - first);
                let part = |section: usize| &gates[(section * hp + first).min(gates.len())..];
                let of_x = of_x.as_mut().and_then(|left| left.split_off_mut(..count * input));
                let of_h = of_h.as_mut().and_then(|left| left.split_off_mut(..count * hidden));
                let rows = match (resets, gate) {
                    (true, CANDIDATE) => Rows::Strided(&seen[d * tokens.count * hidden..], hidden),
                    _ => Rows::Listed(&states[d]),
                };
                let x = of_x.map(|c| Side { b: Rows::Listed(&x), columns: input, c });
                let h = of_h.map(|c| Side { b: rows, columns: hidden, c });
                let (x, h): (Vec<_>, Vec<_>) = (x.into_iter().collect(), h.into_iter().collect());
                if of_input(gate) == of_state(gate) {
                    let sides = x.into_iter().chain(h).collect();
                    pieces.push(Piece::Products { gates: part(of_input(gate)), count, sides });
                } else {
                    pieces.push(Piece::Products { gates: part(of_input(gate)), count, sides: x });
                    pieces.push(Piece::Products { gates: part(of_state(gate)), count, sides: h });
                }
            }
            gate += run;
        }
        let each_gate = |out: Option<&'g mut [Slot]>| {
            let mut gates = out.map(|out| out.chunks_exact_mut(hidden));
            std::iter::from_fn(move || Some(gates.as_mut().and_then(Iterator::next)))
        };
        let biases = each_gate(gradients.bias_ih.as_deref_mut()).zip(each_gate(gradients.bias_hh.as_deref_mut()));
        for (gate, (ih, hh)) in biases.take(parts.cell.gates()).enumerate() {
            // Both biases enter the same sum and have the same gradient, but for a gate whose reset stands between.
            let (ih_at, hh_at) = (at(of_input(gate)), at(of_state(gate)));
            match (ih, hh) {
                (Some(out), twin) if of_input(gate) == of_state(gate) => {
                    sums.push(Piece::Bias { gates: ih_at, out, twin });
                }
                (ih, hh) => {
                    sums.extend(ih.map(|out| Piece::Bias { gates: ih_at, out, twin: None }));
                    sums.extend(hh.map(|out| Piece::Bias { gates: hh_at, out, twin: None }));
                }
            }
        }
        let peephole = gradients.peephole.as_deref_mut();
        for (index, out) in peephole.into_iter().flat_map(|out| out.chunks_exact_mut(hidden)).enumerate() {
            let gate = [lstm::I, lstm::F, lstm::O][index];
            sums.push(Piece::Peephole { gates: at(gate), direction: d, gate, out });
        }
    }
    pieces.append(&mut sums);
    share(pieces, threads, |piece| match piece {
        Piece::Products { gates, count, mut sides } => {
            transposed([count, tokens.count], (gates, stride), &mut sides);
        }
        Piece::Bias { gates, out, twin } => {
            let out = filled(out, 0.0);
            arch().dispatch(Bias { gates, stride, steps: tokens.count, out });
            if let Some(twin) = twin {
                twin.write_copy_of_slice(out);
            }
        }
        Piece::Peephole { gates, direction, gate, out } => peephole(parts, gates, direction, gate, filled(out, 0.0)),
    });
}

/// Runs the pieces, each whole on one thread, in their order: the longest come first.
fn share<P: Send>(pieces: Vec<P>, threads: usize, work: impl Fn(P) + Sync) {
    if threads <= 1 || pieces.len() <= 1 {
        return pieces.into_iter().for_each(work);
    }
    let workers = threads.min(pieces.len());
    let left = Mutex::new(pieces.into_iter());
    let take = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    rayon::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|_| std::iter::from_fn(take).for_each(&work));
        }
    });
}

/// `out += Σ` over the steps.
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

/// `out += Σ gates ∘ c`: the previous cell for `i` and `f`, the new one for `o`.
fn peephole(parts: &Parts<'_>, gates: &[f32], d: usize, gate: usize, out: &mut [f32]) {
    let Dims { batch, hidden, .. } = *parts.dims;
    let hp = padded(hidden);
    let (stride, row_len) = (gradient_len(parts.cell, hp), row_len(parts.cell, hp));
    let tokens = parts.tokens;
    let mut sums = vec![0.0; hidden];
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

/// The inputs of the real steps, one after another.
fn inputs<'a>(parts: &Parts<'a>) -> Vec<&'a [f32]> {
    let Dims { time, input, .. } = *parts.dims;
    let rows = parts.tokens.lengths.iter().enumerate();
    rows.flat_map(|(row, &length)| parts.inputs.x[row * time * input..][..length * input].chunks_exact(input)).collect()
}

/// The hidden states before the real steps, one after another.
fn states<'a>(parts: &Parts<'a>, d: usize, zeros: &'a [f32]) -> Vec<&'a [f32]> {
    let Dims { batch, time, hidden, directions, .. } = *parts.dims;
    let mut states = Vec::with_capacity(parts.tokens.count);
    for (row, &length) in parts.tokens.lengths.iter().enumerate() {
        let h0 = parts.inputs.h0.map_or(zeros, |h0| &h0[(d * batch + row) * hidden..][..hidden]);
        let y = |t: usize| &parts.y[((row * time + t) * directions + d) * hidden..][..hidden];
        states.extend((0..length).map(|t| match d {
            0 if t > 0 => y(t - 1),
            1 if t + 1 < length => y(t + 1),
            _ => h0,
        }));
    }
    states
}
