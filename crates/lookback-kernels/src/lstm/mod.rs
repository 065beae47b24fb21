//! Long short-term memory: Hochreiter and Schmidhuber 1997, with the forget gate (Gers 2000) and, as an
//! option, peepholes (Gers and Schmidhuber 2000).
//!
//! The reference stands in [`mod@reference`]; the engine of the crate's root runs the fast twin.

mod backward;
mod forward;
pub mod reference;

use crate::Real;
use crate::cell::backward::BackRows;
use crate::cell::forward::StepRows;
use crate::cell::reference::{ParameterGradients, Step, StepBack, StepGradients};
use crate::cell::{CellKernel, Form, Peephole, Weights};
use crate::simd::tile::Start;
use pulp::Simd;

/// Where the input gate stands, in weights and in what is kept of a step.
pub const I: usize = 0;
/// The forget gate.
pub const F: usize = 1;
/// The candidate, or cell input.
pub const G: usize = 2;
/// The output gate.
pub const O: usize = 3;
/// The cell state, behind the gates of a step.
const CELL: usize = 4;
/// The output gate among the peepholes, which the candidate has none of; the others stand as among the gates.
pub const PEEPHOLE_O: usize = 2;

/// The LSTM. What is kept of a step is `[i f g o c]`, and the gradients are `[i f g o]`.
#[derive(Clone, Copy)]
pub(crate) struct Lstm;

static FORM: Form = Form {
    name: "LSTM",
    gate_names: &["input", "forget", "candidate", "output"],
    kept: 5,
    cell_state: Some(CELL),
    of_input: &[I, F, G, O],
    of_state: &[I, F, G, O],
    gated: None,
    reads_hidden: false,
    peepholes: &[
        Peephole { gate: I, sees_new: false },
        Peephole { gate: F, sees_new: false },
        Peephole { gate: O, sees_new: true },
    ],
};

impl CellKernel for Lstm {
    fn form(self) -> &'static Form {
        &FORM
    }

    #[inline(always)]
    unsafe fn step<S: Simd>(self, simd: S, step: &StepRows<'_>) {
        // SAFETY: the caller's promise.
        unsafe { forward::step(simd, step) }
    }

    #[inline(always)]
    unsafe fn step_back<S: Simd>(self, simd: S, step: &BackRows<'_>) {
        // SAFETY: the caller's promise.
        unsafe { backward::cell(simd, step.peephole, step) }
    }

    #[inline(always)]
    unsafe fn state_back<S: Simd>(self, simd: S, step: &BackRows<'_>) {
        // SAFETY: the caller's promise.
        unsafe { step.product(simd, &step.weights.hidden, 0, Start::ZEROS, step.dh) }
    }

    fn reference_step<R: Real>(self, weights: &Weights<'_, R>, x: &[R], h: &[R], c: &[R]) -> Step<R> {
        reference::step(weights, x, h, c)
    }

    fn reference_step_back<R: Real>(
        self,
        weights: &Weights<'_, R>,
        back: &StepBack<'_, R>,
        gradients: &mut ParameterGradients<R>,
    ) -> StepGradients<R> {
        reference::step_backward(weights, back, gradients)
    }
}
