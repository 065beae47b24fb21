//! The plain recurrent network of Elman 1990: `h = act(W x + b + U h_prev + b')`.
//!
//! The reference stands in [`mod@reference`]; the engine of the crate's root runs the fast twin.

mod backward;
mod forward;
pub mod reference;

use crate::Real;
use crate::cell::backward::BackRows;
use crate::cell::forward::StepRows;
use crate::cell::reference::{ParameterGradients, Step, StepBack, StepGradients};
use crate::cell::{CellKernel, Form, Weights};
use crate::simd::tile::Start;
use pulp::Simd;

/// The activation of a plain RNN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Activation {
    /// `tanh`, as in Elman 1990.
    #[default]
    Tanh,
    /// `max(0, ·)`.
    Relu,
}

/// The plain RNN. What is kept of a step is `[h]`, and the gradients are `[a]`.
#[derive(Clone, Copy)]
pub(crate) struct Rnn(pub(crate) Activation);

static FORM: Form = Form {
    name: "RNN",
    gate_names: &[],
    kept: 1,
    cell_state: None,
    of_input: &[0],
    of_state: &[0],
    gated: None,
    reads_hidden: false,
    peepholes: &[],
};

impl CellKernel for Rnn {
    fn form(self) -> &'static Form {
        &FORM
    }

    #[inline(always)]
    unsafe fn step<S: Simd>(self, simd: S, step: &StepRows<'_>) {
        // SAFETY: the caller's promise.
        unsafe { forward::step(simd, self.0, step) }
    }

    #[inline(always)]
    unsafe fn step_back<S: Simd>(self, simd: S, step: &BackRows<'_>) {
        // SAFETY: the caller's promise.
        unsafe { backward::cell(simd, self.0, step) }
    }

    #[inline(always)]
    unsafe fn state_back<S: Simd>(self, simd: S, step: &BackRows<'_>) {
        // SAFETY: the caller's promise.
        unsafe { step.product(simd, &step.weights.hidden, 0, Start::ZEROS, step.dh) }
    }

    fn reference_step<R: Real>(self, weights: &Weights<'_, R>, x: &[R], h: &[R], _: &[R]) -> Step<R> {
        reference::step(self.0, weights, x, h)
    }

    fn reference_step_back<R: Real>(
        self,
        weights: &Weights<'_, R>,
        back: &StepBack<'_, R>,
        gradients: &mut ParameterGradients<R>,
    ) -> StepGradients<R> {
        reference::step_backward(self.0, weights, back, gradients)
    }
}
