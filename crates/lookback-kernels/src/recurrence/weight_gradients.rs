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

use super::plan::Tokens;
use super::{Dims, Inputs, WeightGradients};
use crate::cell::packed::padded;
use crate::cell::{Form, Peephole};
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
pub(crate) struct Parts<'a> {
    pub(crate) form: &'static Form,
    pub(crate) dims: &'a Dims,
    pub(crate) inputs: &'a Inputs<'a>,
    pub(crate) y: &'a [f32],
    pub(crate) saved: &'a [f32],
    /// `[D, real steps, gradient_len]`.
    pub(crate) gates: &'a [f32],
    pub(crate) tokens: &'a Tokens,
}

/// One task.
enum Piece<'a> {
    /// The gradients of some rows of both weights, or of one: the products of their `gates` (so many per step) with what
    /// each weight met.
    Products { gates: &'a [f32], count: usize, sides: Vec<Side<'a>> },
    /// `out [H] = Σ gates`, and the same in `twin`.
    Bias { gates: &'a [f32], out: &'a mut [Slot], twin: Option<&'a mut [Slot]> },
    /// `out [H] = Σ gates ∘ cell`.
    Peephole { gates: &'a [f32], direction: usize, of: &'static Peephole, out: &'a mut [Slot] },
}

/// Fills every gradient that is asked for.
pub(crate) fn compute(
    parts: &Parts<'_>,
    gradients: &mut [WeightGradients<'_, Slot>],
    scratch: &mut Aligned,
    threads: usize,
) {
    let Dims { hidden, directions, .. } = *parts.dims;
    let zeros = vec![0.0; hidden];
    let x = inputs(parts);
    let states: Vec<_> = (0..directions).map(|d| states(parts, d, &zeros)).collect();
    let seen = seen(parts, &states, scratch);
    let most = (parts.form.gates() * hidden * directions).div_ceil(threads.max(1));
    let most = most.clamp(*PIECE_ROWS.start(), *PIECE_ROWS.end());
    let (mut pieces, mut sums) = (Vec::new(), Vec::new());
    let each = parts.tokens.count * parts.form.gradient_len(padded(hidden));
    for (d, gradients) in gradients.iter_mut().enumerate() {
        let seen = seen.map(|seen| &seen[d * parts.tokens.count * hidden..]);
        let gates = &parts.gates[d * each..][..each];
        let direction = Direction { parts, index: d, gates, x: &x, states: &states[d], seen };
        let WeightGradients { weight_ih, weight_hh, bias_ih, bias_hh, peephole } = gradients;
        direction.products(weight_ih.as_deref_mut(), weight_hh.as_deref_mut(), most, &mut pieces);
        direction.biases(bias_ih.as_deref_mut(), bias_hh.as_deref_mut(), &mut sums);
        direction.peepholes(peephole.as_deref_mut(), &mut sums);
    }
    pieces.append(&mut sums);
    share(pieces, threads, |piece| piece.run(parts));
}

/// What the pieces of one direction are cut from.
struct Direction<'a> {
    parts: &'a Parts<'a>,
    index: usize,
    /// `[real steps, gradient_len]`.
    gates: &'a [f32],
    /// `[real steps]` rows of `[I]`.
    x: &'a [&'a [f32]],
    /// `[real steps]` rows of `[H]`.
    states: &'a [&'a [f32]],
    /// `[real steps, H]`: what a gated product sees of the states.
    seen: Option<&'a [f32]>,
}

impl<'a> Direction<'a> {
    /// The gradients of the gates from column `first` of a section on: so it is reached by its offset in every row.
    fn section(&self, section: usize, first: usize) -> &'a [f32] {
        &self.gates[(section * padded(self.parts.dims.hidden) + first).min(self.gates.len())..]
    }

    /// Whether the product of `gate` does not see the states themselves.
    fn is_gated(&self, gate: usize) -> bool {
        self.parts.form.gated.as_ref().is_some_and(|gated| gated.gate == gate)
    }

    /// How many gates from `gate` on stand beside one another, in the weights and in the gradients of the gates: they are
    /// one product.
    fn neighbours(&self, gate: usize) -> usize {
        let (Dims { hidden, .. }, Form { of_input, of_state, .. }) = (*self.parts.dims, self.parts.form);
        let beside = |next: usize| {
            let by = next - gate;
            of_input[next] == of_input[gate] + by && of_state[next] == of_state[gate] + by && !self.is_gated(next)
        };
        let most = if padded(hidden) == hidden { of_input.len() - gate } else { 1 };
        1 + (1..most).take_while(|by| beside(gate + by)).count()
    }

    /// Both weights in pieces of at most about `most` rows.
    fn products(
        &self,
        mut of_x: Option<&'a mut [Slot]>,
        mut of_h: Option<&'a mut [Slot]>,
        most: usize,
        pieces: &mut Vec<Piece<'a>>,
    ) {
        let (Dims { input, hidden, .. }, Form { of_input, of_state, .. }) = (*self.parts.dims, self.parts.form);
        let mut gate = 0;
        while gate < of_input.len() {
            let run = self.neighbours(gate);
            let rows = run * hidden;
            let share = rows.div_ceil(rows.div_ceil(most)).next_multiple_of(TILE);
            for first in (0..rows).step_by(share) {
                let count = share.min(rows - first);
                let of_x = of_x.as_mut().and_then(|left| left.split_off_mut(..count * input));
                let of_h = of_h.as_mut().and_then(|left| left.split_off_mut(..count * hidden));
                let met = match self.seen {
                    Some(seen) if self.is_gated(gate) => Rows::Strided(seen, hidden),
                    _ => Rows::Listed(self.states),
                };
                let x = of_x.map(|c| Side { b: Rows::Listed(self.x), columns: input, c });
                let h = of_h.map(|c| Side { b: met, columns: hidden, c });
                let (x, h): (Vec<_>, Vec<_>) = (x.into_iter().collect(), h.into_iter().collect());
                let gates = self.section(of_input[gate], first);
                if of_input[gate] == of_state[gate] {
                    pieces.push(Piece::Products { gates, count, sides: x.into_iter().chain(h).collect() });
                } else {
                    pieces.push(Piece::Products { gates, count, sides: x });
                    pieces.push(Piece::Products { gates: self.section(of_state[gate], first), count, sides: h });
                }
            }
            gate += run;
        }
    }

    /// Both biases, which enter the same sum and have the same gradient, but for a gate that stands between the products.
    fn biases(&self, ih: Option<&'a mut [Slot]>, hh: Option<&'a mut [Slot]>, pieces: &mut Vec<Piece<'a>>) {
        let (Dims { hidden, .. }, Form { of_input, of_state, .. }) = (*self.parts.dims, self.parts.form);
        let [mut ih, mut hh] = [ih, hh].map(|all| all.into_iter().flat_map(|all| all.chunks_exact_mut(hidden)));
        for (&of_input, &of_state) in of_input.iter().zip(of_state.iter()) {
            let (gates, of_hh) = (self.section(of_input, 0), self.section(of_state, 0));
            match (ih.next(), hh.next()) {
                (Some(out), twin) if of_input == of_state => pieces.push(Piece::Bias { gates, out, twin }),
                (ih, hh) => {
                    pieces.extend(ih.map(|out| Piece::Bias { gates, out, twin: None }));
                    pieces.extend(hh.map(|out| Piece::Bias { gates: of_hh, out, twin: None }));
                }
            }
        }
    }

    /// The peepholes.
    fn peepholes(&self, all: Option<&'a mut [Slot]>, pieces: &mut Vec<Piece<'a>>) {
        let all = all.into_iter().flat_map(|all| all.chunks_exact_mut(self.parts.dims.hidden));
        pieces.extend(all.zip(self.parts.form.peepholes).map(|(out, of)| Piece::Peephole {
            gates: self.section(of.gate, 0),
            direction: self.index,
            of,
            out,
        }));
    }
}

impl Piece<'_> {
    fn run(self, parts: &Parts<'_>) {
        let (steps, stride) = (parts.tokens.count, parts.form.gradient_len(padded(parts.dims.hidden)));
        match self {
            Piece::Products { gates, count, mut sides } => transposed([count, steps], (gates, stride), &mut sides),
            Piece::Bias { gates, out, twin } => {
                let out = filled(out, 0.0);
                arch().dispatch(Bias { gates, stride, steps, out });
                if let Some(twin) = twin {
                    twin.write_copy_of_slice(out);
                }
            }
            Piece::Peephole { gates, direction, of, out } => peephole(parts, gates, direction, of, filled(out, 0.0)),
        }
    }
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

/// `out += Σ gates ∘ c`.
fn peephole(parts: &Parts<'_>, gates: &[f32], d: usize, of: &Peephole, out: &mut [f32]) {
    let Dims { batch, hidden, .. } = *parts.dims;
    let hp = padded(hidden);
    let (stride, row_len) = (parts.form.gradient_len(hp), parts.form.row_len(hp));
    let (tokens, section) = (parts.tokens, parts.form.cell_state.unwrap_or_default());
    let mut sums = vec![0.0; hidden];
    for row in 0..batch {
        let length = tokens.lengths[row];
        sums.fill(0.0);
        for s in 0..length {
            let token = |s: usize| tokens.offsets[row] + Tokens::position(d, length, s);
            let kept = |s: usize| &parts.saved[(d * tokens.count + token(s)) * row_len + section * hp..][..hidden];
            let cell = match (of.sees_new, s) {
                (true, _) => kept(s),
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

/// What a gated product sees of the states, `[D, real steps, H]`, where the cell has one.
fn seen<'a>(parts: &Parts<'_>, states: &[Vec<&[f32]>], scratch: &'a mut Aligned) -> Option<&'a [f32]> {
    let gated = parts.form.gated.as_ref()?;
    let Dims { hidden, directions, .. } = *parts.dims;
    let hp = padded(hidden);
    let seen = scratch.scratch(directions * parts.tokens.count * hidden);
    let kept = parts.saved.chunks_exact(parts.form.row_len(hp)).map(|kept| &kept[gated.by * hp..]);
    for ((seen, r), h) in seen.chunks_exact_mut(hidden).zip(kept).zip(states.iter().flatten()) {
        seen.iter_mut().zip(r).zip(*h).for_each(|((seen, r), h)| *seen = r * h);
    }
    Some(seen)
}
