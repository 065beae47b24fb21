//! What a cell is to the engine that repeats it over time: its parameters, its form and its arithmetic.
//!
//! A cell is a folder (`rnn`, `lstm`, `gru`) with its fast twin in `forward.rs` and `backward.rs`, its equations in
//! `reference.rs`, and its [`CellKernel`] in `mod.rs`; and one line in `recurrence/cells.rs`, the only list of cells.

pub(crate) mod backward;
pub(crate) mod forward;
pub(crate) mod packed;
pub(crate) mod reference;

use crate::Real;
use backward::BackRows;
use forward::StepRows;
use pulp::Simd;
use reference::{ParameterGradients, Step, StepBack, StepGradients};

/// One direction's parameters, in PyTorch's layout.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a, R = f32> {
    /// `[G*H, I]`.
    pub weight_ih: &'a [R],
    /// `[G*H, H]`.
    pub weight_hh: &'a [R],
    /// `[G*H]`.
    pub bias_ih: Option<&'a [R]>,
    /// `[G*H]`.
    pub bias_hh: Option<&'a [R]>,
    /// `[3*H]`, LSTM only, in the order `i, f, o` (Gers 2000): `i` and `f` see the previous cell, `o` the new.
    pub peephole: Option<&'a [R]>,
}

/// A kind of cell: what the engine must know of it, one step and one step back.
///
/// The engine is compiled for each cell, and chosen once a call.
pub(crate) trait CellKernel: Copy + Send + Sync {
    /// What does not change from step to step.
    fn form(self) -> &'static Form;

    /// One step. The gates hold the products of the input, with the biases; here the products of the state come on top of
    /// them, and then the activations, so that `gates` holds what [`Form::kept`] says and `h_next` the new state.
    ///
    /// # Safety
    /// As said in [`StepRows`].
    unsafe fn step<S: Simd>(self, simd: S, step: &StepRows<'_>);

    /// One step back, for what needs no gate of other units: `gates` gets the gradients of all gates before their
    /// activations, `dc` the gradient of the previous cell state, and `dh` what reaches the previous state straight.
    ///
    /// # Safety
    /// As said in [`BackRows`].
    unsafe fn step_back<S: Simd>(self, simd: S, step: &BackRows<'_>);

    /// The rest of it, once the gradients of the gates of all units are there: `dh` becomes the gradient of the previous
    /// state.
    ///
    /// # Safety
    /// As said in [`BackRows`].
    unsafe fn state_back<S: Simd>(self, simd: S, step: &BackRows<'_>);

    /// One step of one row, by the equations: `x [I]`, `h [H]`, `c [H]`.
    fn reference_step<R: Real>(self, weights: &Weights<'_, R>, x: &[R], h: &[R], c: &[R]) -> Step<R>;

    /// One step back, by the equations. Adds to the gradients of the parameters.
    fn reference_step_back<R: Real>(
        self,
        weights: &Weights<'_, R>,
        back: &StepBack<'_, R>,
        gradients: &mut ParameterGradients<R>,
    ) -> StepGradients<R>;
}

/// What the engine must know of a cell before its first step.
///
/// What is kept of a step, and the gradients of its gates, are sections of `Hp` values each.
#[derive(Debug)]
pub(crate) struct Form {
    /// The cell's usual name.
    pub(crate) name: &'static str,
    /// The names of the gates that a reader may see, which are the first sections that are kept.
    pub(crate) gate_names: &'static [&'static str],
    /// How many sections are kept of a step.
    pub(crate) kept: usize,
    /// Which of them is the cell state, where there is one.
    pub(crate) cell_state: Option<usize>,
    /// `[G]`, in the order of the weights: which section of the gradients belongs to the product with the input.
    pub(crate) of_input: &'static [usize],
    /// `[G]`: which section belongs to the product with the state. It differs where a gate stands between the products.
    pub(crate) of_state: &'static [usize],
    /// The gate whose product does not see the previous state itself, where there is one.
    pub(crate) gated: Option<Gated>,
    /// Whether the step back reads the previous hidden state.
    pub(crate) reads_hidden: bool,
    /// The peepholes that the cell may have, in the order of the weights.
    pub(crate) peepholes: &'static [Peephole],
}

/// A gate whose product sees `kept ∘ h_prev` in place of `h_prev`.
#[derive(Debug)]
pub(crate) struct Gated {
    /// Which gate.
    pub(crate) gate: usize,
    /// Which section of what is kept the state is multiplied with.
    pub(crate) by: usize,
}

/// A gate that sees the cell state.
#[derive(Debug)]
pub(crate) struct Peephole {
    /// Which gate.
    pub(crate) gate: usize,
    /// Whether it sees the new cell state, and not the previous one.
    pub(crate) sees_new: bool,
}

impl Form {
    /// `G`: how many gates stand in the weights.
    pub(crate) fn gates(&self) -> usize {
        self.of_input.len()
    }

    /// How many values are kept of one step of one row.
    pub(crate) fn row_len(&self, hp: usize) -> usize {
        self.kept * hp
    }

    /// How many gradients the gates of one step of one row have.
    pub(crate) fn gradient_len(&self, hp: usize) -> usize {
        self.of_input.iter().chain(self.of_state).max().map_or(0, |last| last + 1) * hp
    }
}
