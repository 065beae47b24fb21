//! What a recurrent layer did with one row, step by step, and how its state at one step depends on an earlier one.
//!
//! Everything is computed by the cells' references in double precision: slow and plain, for looking into a model, not for running it.
//! `J_t = ∂s_t / ∂s_(t-1)` is the Jacobian of a step, `s` being the hidden state, of an LSTM with the cell state behind it. What
//! flows back over `n` steps is multiplied by `J_t J_(t-1) ... J_(t-n+1)` (Bengio 1994; Pascanu 2013, eq. 5): if the largest singular
//! value of that product is far below 1, gradients vanish over `n` steps, and if it is far above, they explode.

use crate::cell::Weights;
use crate::cell::reference::{ParameterGradients, Step, StepBack, StepGradients};
use crate::gru::Reset;
use crate::recurrence::{Activation, Cell, reference};
use crate::{KernelError, check};

/// Rounds of the power method, and how little the largest singular value may change in one to be the last.
const ROUNDS: usize = 60;
const CLOSE: f64 = 1e-7;

/// A layer's steps over one row, in one direction, in the order in which it read them.
#[derive(Debug, Clone)]
pub struct Trace {
    cell: Cell,
    /// `H`
    hidden: usize,
    /// `[G*H, H]`
    weight_hh: Vec<f64>,
    /// `[3*H]`, of an LSTM with peepholes.
    peephole: Option<Vec<f64>>,
    /// `[H]`: the state that a row begins with.
    zeros: Vec<f64>,
    steps: Vec<Step<f64>>,
}

impl Trace {
    /// Reads a row from the states of zeros. x: `[T, I]`, in the order of reading. `hidden`: `H`.
    ///
    /// # Errors
    /// If `x` or a weight has not the length of its shape, naming both.
    pub fn new(
        cell: Cell,
        weights: &Weights<'_, f64>,
        (x, input): (&[f64], usize),
        hidden: usize,
    ) -> Result<Trace, KernelError> {
        let gates = cell.gates() * hidden;
        check::slice("weight_ih", weights.weight_ih, &[gates, input], "[G*H, I]")?;
        check::slice("weight_hh", weights.weight_hh, &[gates, hidden], "[G*H, H]")?;
        for (name, bias) in [("bias_ih", weights.bias_ih), ("bias_hh", weights.bias_hh)] {
            bias.map_or(Ok(()), |bias| check::slice(name, bias, &[gates], "[G*H]"))?;
        }
        let peephole = weights.peephole.filter(|_| cell == Cell::Lstm);
        peephole.map_or(Ok(()), |peephole| check::slice("peephole", peephole, &[3 * hidden], "[3*H]"))?;
        let time = x.len() / input.max(1);
        check::slice("x", x, &[time, input], "[T, I]")?;
        let mut steps: Vec<Step<f64>> = Vec::with_capacity(time);
        let zeros = vec![0.0; hidden];
        for x in x.chunks_exact(input.max(1)) {
            let (h, c) = steps.last().map_or((&zeros, &zeros), |step| (&step.h, &step.c));
            let step = reference::step(cell, weights, x, h, c);
            steps.push(step);
        }
        let (weight_hh, peephole) = (weights.weight_hh.to_vec(), peephole.map(<[f64]>::to_vec));
        Ok(Trace { cell, hidden, weight_hh, peephole, zeros, steps })
    }

    /// `T`
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether nothing was read.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The hidden state after every step. `[T, H]`
    pub fn hidden(&self) -> Vec<f64> {
        self.steps.iter().flat_map(|step| step.h.iter().copied()).collect()
    }

    /// The cell state after every step. `[T, H]`, or nothing where the cell has none.
    pub fn cell_states(&self) -> Vec<f64> {
        self.steps.iter().flat_map(|step| step.c.iter().copied()).collect()
    }

    /// One of the activated gates, in the order of [`Cell::gate_names`], at every step. `[T, H]`
    ///
    /// # Panics
    /// If the cell has no such gate.
    pub fn gate(&self, gate: usize) -> Vec<f64> {
        assert!(gate < self.cell.gate_names().len(), "{} has no gate {gate}", self.cell.name());
        let own = gate * self.hidden..(gate + 1) * self.hidden;
        self.steps.iter().flat_map(|step| step.gates[own.clone()].iter().copied()).collect()
    }

    /// How many numbers a state has: `H`, of an LSTM `2 H`.
    pub fn state_len(&self) -> usize {
        if self.cell.has_cell_state() { 2 * self.hidden } else { self.hidden }
    }

    /// `J_t v`: how the state after step `t` changes with the state before it.
    ///
    /// # Panics
    /// If there is no such step, or `v` is not as long as a state.
    pub fn push(&self, t: usize, v: &[f64]) -> Vec<f64> {
        let (size, step) = (self.hidden, &self.steps[t]);
        let (h_prev, c_prev) = self.before(t);
        let (vh, vc) = v.split_at(size);
        let gate = |gate: usize, u: usize| step.gates[gate * size + u];
        match self.cell {
            Cell::Rnn(activation) => {
                let a = self.product(0..size, vh);
                a.iter().zip(&step.h).map(|(a, &h)| a * slope(activation, h)).collect()
            }
            Cell::Lstm => {
                let a = self.product(0..4 * size, vh);
                let (mut h, mut c) = (vec![0.0; size], vec![0.0; size]);
                for u in 0..size {
                    let [i, f, g, o] = [0, 1, 2, 3].map(|own| gate(own, u));
                    let sees = |own: usize, cell: f64| self.peephole.as_ref().map_or(0.0, |p| p[own * size + u] * cell);
                    let di = i * (1.0 - i) * (a[u] + sees(0, vc[u]));
                    let df = f * (1.0 - f) * (a[size + u] + sees(1, vc[u]));
                    let dg = (1.0 - g * g) * a[2 * size + u];
                    c[u] = f * vc[u] + df * c_prev[u] + di * g + i * dg;
                    let d_o = o * (1.0 - o) * (a[3 * size + u] + sees(2, c[u]));
                    let tanh = step.c[u].tanh();
                    h[u] = d_o * tanh + o * (1.0 - tanh * tanh) * c[u];
                }
                [h, c].concat()
            }
            Cell::Gru(reset) => {
                let a = self.product(0..2 * size, vh);
                let dr: Vec<f64> = (0..size).map(|u| gate(0, u) * (1.0 - gate(0, u)) * a[u]).collect();
                let inner = match reset {
                    Reset::AfterProduct => {
                        let product = self.product(2 * size..3 * size, vh);
                        (0..size).map(|u| dr[u] * gate(3, u) + gate(0, u) * product[u]).collect()
                    }
                    Reset::BeforeProduct => {
                        let seen: Vec<f64> = (0..size).map(|u| gate(0, u) * vh[u] + dr[u] * h_prev[u]).collect();
                        self.product(2 * size..3 * size, &seen)
                    }
                };
                let of = |u: usize| {
                    let (z, n) = (gate(1, u), gate(2, u));
                    let dz = z * (1.0 - z) * a[size + u];
                    (1.0 - z) * (1.0 - n * n) * inner[u] + z * vh[u] + dz * (h_prev[u] - n)
                };
                (0..size).map(of).collect()
            }
        }
    }

    /// `vᵀ J_t`: what of a gradient of the state after step `t` reaches the state before it.
    ///
    /// # Panics
    /// If there is no such step, or `v` is not as long as a state.
    pub fn pull(&self, t: usize, v: &[f64]) -> Vec<f64> {
        self.pull_with(t, v, &mut self.unread())
    }

    /// As [`Trace::pull`], by the reference's step back. What it makes of the parameters' gradients is not read.
    fn pull_with(&self, t: usize, v: &[f64], unread: &mut ParameterGradients<f64>) -> Vec<f64> {
        let (dh, dc) = v.split_at(self.hidden);
        let (h_prev, c_prev) = self.before(t);
        // Without an input, of which nothing is asked here.
        let weights = Weights {
            weight_ih: &[],
            weight_hh: &self.weight_hh,
            bias_ih: None,
            bias_hh: None,
            peephole: self.peephole.as_deref(),
        };
        let back = StepBack { x: &[], h_prev, c_prev, step: &self.steps[t], dh, dc };
        let StepGradients { h, c, .. } = reference::step_backward(self.cell, &weights, &back, unread);
        [h, c].concat()
    }

    /// Room for gradients of the parameters.
    fn unread(&self) -> ParameterGradients<f64> {
        let gates = self.cell.gates() * self.hidden;
        ParameterGradients {
            weight_ih: Vec::new(),
            weight_hh: vec![0.0; gates * self.hidden],
            bias_ih: vec![0.0; gates],
            bias_hh: vec![0.0; gates],
            peephole: vec![0.0; 3 * self.hidden],
        }
    }

    /// The largest singular value of `J_end ... J_(end-steps+1)`: by how much a gradient may grow that flows back so far from behind
    /// step `end`. By the power method; 1 over no steps.
    ///
    /// # Panics
    /// If the row has not so many steps up to `end`.
    pub fn growth(&self, end: usize, steps: usize) -> f64 {
        assert!(steps <= end + 1 && end < self.len(), "{steps} steps up to step {end} of {}", self.len());
        if steps == 0 || self.hidden == 0 {
            return 1.0;
        }
        let first = end + 1 - steps;
        // Any start does that is not at right angles to the answer; nobody chooses this one.
        let mut v: Vec<f64> = (0..self.state_len()).map(|at| 1.0 + ((at * 7919 + 13) % 101) as f64 / 101.0).collect();
        let (mut largest, mut unread) = (0.0, self.unread());
        for _ in 0..ROUNDS {
            let length = norm(&v);
            if length == 0.0 || !length.is_finite() {
                return length;
            }
            v.iter_mut().for_each(|v| *v /= length);
            v = (first..=end).fold(v, |v, t| self.push(t, &v));
            let found = norm(&v);
            v = (first..=end).rev().fold(v, |v, t| self.pull_with(t, &v, &mut unread));
            let is_close = (found - largest).abs() <= CLOSE * found;
            largest = found;
            if is_close {
                break;
            }
        }
        largest
    }

    /// The hidden and the cell state before a step.
    fn before(&self, t: usize) -> (&[f64], &[f64]) {
        match t.checked_sub(1).map(|before| &self.steps[before]) {
            Some(step) => (&step.h, &step.c),
            None => (&self.zeros, &self.zeros),
        }
    }

    /// These rows of the recurrent weights times `v`.
    fn product(&self, rows: std::ops::Range<usize>, v: &[f64]) -> Vec<f64> {
        let rows = self.weight_hh[rows.start * self.hidden..rows.end * self.hidden].chunks_exact(self.hidden);
        rows.map(|row| row.iter().zip(v).map(|(w, v)| w * v).sum()).collect()
    }
}

/// The slope of an activation where it gave `h`.
fn slope(activation: Activation, h: f64) -> f64 {
    match activation {
        Activation::Tanh => 1.0 - h * h,
        Activation::Relu => f64::from(u8::from(h > 0.0)),
    }
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recurrence::cells::CELLS;

    const INPUT: usize = 3;
    const HIDDEN: usize = 5;

    /// Numbers without a pattern.
    fn drawn(count: usize, seed: usize, size: f64) -> Vec<f64> {
        (0..count)
            .map(|at| ((at * 7919 + seed * 104_729 + 31) % 1009) as f64 / 1009.0 - 0.5)
            .map(|x| 2.0 * size * x)
            .collect()
    }

    struct Parameters {
        weight_ih: Vec<f64>,
        weight_hh: Vec<f64>,
        bias: Vec<f64>,
        peephole: Option<Vec<f64>>,
    }

    impl Parameters {
        fn of(cell: Cell, peephole: bool) -> Parameters {
            let gates = cell.gates() * HIDDEN;
            Parameters {
                weight_ih: drawn(gates * INPUT, 1, 0.9),
                weight_hh: drawn(gates * HIDDEN, 2, 0.9),
                bias: drawn(gates, 3, 0.3),
                peephole: peephole.then(|| drawn(3 * HIDDEN, 4, 0.7)),
            }
        }

        fn weights(&self) -> Weights<'_, f64> {
            Weights {
                weight_ih: &self.weight_ih,
                weight_hh: &self.weight_hh,
                bias_ih: Some(&self.bias),
                bias_hh: Some(&self.bias),
                peephole: self.peephole.as_deref(),
            }
        }
    }

    fn step(cell: Cell, w: &Weights<'_, f64>, x: &[f64], state: &[f64]) -> Vec<f64> {
        let (h, c) = state.split_at(HIDDEN);
        let step = reference::step(cell, w, x, h, c);
        [step.h, step.c].concat()
    }

    fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn jacobians_are_those_of_finite_differences_and_each_others_transposes() {
        for (cell, peephole) in CELLS.into_iter().map(|cell| (cell, false)).chain([(Cell::Lstm, true)]) {
            let parameters = Parameters::of(cell, peephole);
            let (w, x) = (parameters.weights(), drawn(4 * INPUT, 5, 1.0));
            let trace = Trace::new(cell, &w, (&x, INPUT), HIDDEN).unwrap();
            let length = trace.state_len();
            let (mut before, mut worst) = (vec![0.0; length], 0.0f64);
            for t in 0..4 {
                let (v, u) = (drawn(length, 6 + t, 1.0), drawn(length, 60 + t, 1.0));
                let moved = |by: f64| -> Vec<f64> {
                    let state: Vec<f64> = before.iter().zip(&v).map(|(state, v)| state + by * v).collect();
                    step(cell, &w, &x[t * INPUT..][..INPUT], &state)
                };
                let (more, less) = (moved(1e-6), moved(-1e-6));
                for ((pushed, more), less) in trace.push(t, &v).iter().zip(more).zip(less) {
                    worst = worst.max((pushed - (more - less) / 2e-6).abs());
                }
                let difference = dot(&u, &trace.push(t, &v)) - dot(&trace.pull(t, &u), &v);
                assert!(difference.abs() < 1e-12, "{cell:?}, step {t}: transposes differ by {difference}");
                before = step(cell, &w, &x[t * INPUT..][..INPUT], &before);
                let states = [trace.steps[t].h.clone(), trace.steps[t].c.clone()].concat();
                assert_eq!(states, before, "{cell:?}, step {t}");
            }
            // Where a rectifier bends there is no slope to compare; the drawn states keep away from it.
            assert!(worst < 1e-7, "{cell:?}, peephole {peephole}: {worst}");
        }
    }

    #[test]
    fn growth_is_the_largest_singular_value_of_the_product() {
        for cell in CELLS {
            let parameters = Parameters::of(cell, false);
            let x = drawn(6 * INPUT, 5, 1.0);
            let trace = Trace::new(cell, &parameters.weights(), (&x, INPUT), HIDDEN).unwrap();
            let length = trace.state_len();
            for (end, steps) in [(0, 1), (5, 1), (5, 4), (5, 6)] {
                // The whole product, and M Mᵀ squared so often that the largest part alone is left.
                let unit = |at: usize| (0..length).map(|place| f64::from(u8::from(place == at))).collect::<Vec<f64>>();
                let rows: Vec<Vec<f64>> = (0..length)
                    .map(|at| (end + 1 - steps..=end).rev().fold(unit(at), |v, t| trace.pull(t, &v)))
                    .collect();
                let gram: Vec<Vec<f64>> = rows.iter().map(|a| rows.iter().map(|b| dot(a, b)).collect()).collect();
                let mut power = gram.clone();
                let mut logarithm = 0.0;
                for round in 0..20 {
                    let scale = power.iter().flatten().fold(0.0f64, |most, value| most.max(value.abs()));
                    logarithm += scale.ln() / f64::from(1u32 << round);
                    power.iter_mut().flatten().for_each(|value| *value /= scale);
                    let squared = |a: &Vec<f64>| (0..length).map(|b| dot(a, &power[b])).collect::<Vec<f64>>();
                    power = power.iter().map(squared).collect();
                }
                let trace_of: f64 = (0..length).map(|at| power[at][at]).sum();
                logarithm += trace_of.ln() / f64::from(1u32 << 20);
                let expected = (logarithm / 2.0).exp();
                let found = trace.growth(end, steps);
                assert!(
                    (found - expected).abs() < 1e-3 * expected,
                    "{cell:?}, {steps} to {end}: {found}, not {expected}"
                );
            }
            assert_eq!(trace.growth(3, 0), 1.0);
        }
    }

    #[test]
    fn growth_is_as_by_hand() {
        // h = relu(W h + 1): with positive states J is W, whose largest singular value is 3 and of whose n-th power 3^n.
        let (weight_ih, weight_hh) = (vec![1.0, 1.0], vec![0.5, 0.0, 0.0, 3.0]);
        let weights =
            Weights { weight_ih: &weight_ih, weight_hh: &weight_hh, bias_ih: None, bias_hh: None, peephole: None };
        let trace = Trace::new(Cell::Rnn(Activation::Relu), &weights, (&[1.0; 6], 1), 2).unwrap();
        for steps in 1..=6 {
            let found = trace.growth(5, steps);
            assert!((found - 3f64.powi(steps as i32)).abs() < 1e-6 * found, "{steps}: {found}");
        }
        // W = [[0, 2], [0, 0]]: nothing of it is left after two steps.
        let weight_hh = vec![0.0, 2.0, 0.0, 0.0];
        let weights = Weights { weight_hh: &weight_hh, ..weights };
        let trace = Trace::new(Cell::Rnn(Activation::Relu), &weights, (&[1.0; 6], 1), 2).unwrap();
        assert_eq!([1, 2, 3].map(|steps| trace.growth(5, steps)), [2.0, 0.0, 0.0]);
    }

    #[test]
    fn wrong_shapes_are_refused() {
        let parameters = Parameters::of(Cell::Lstm, false);
        let refused = |weights: &Weights<'_, f64>, x: &[f64]| {
            Trace::new(Cell::Lstm, weights, (x, INPUT), HIDDEN).unwrap_err().to_string()
        };
        assert!(refused(&parameters.weights(), &[0.0; 4]).contains('x'));
        let short = Weights { weight_hh: &parameters.weight_hh[1..], ..parameters.weights() };
        assert!(refused(&short, &[0.0; 3]).contains("weight_hh"));
        let empty = Trace::new(Cell::Lstm, &parameters.weights(), (&[], INPUT), HIDDEN).unwrap();
        assert!(empty.is_empty() && empty.hidden().is_empty());
    }
}
