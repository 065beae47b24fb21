//! The gated recurrent unit of Cho 2014, with the reset before the product as there, or after it as in
//! PyTorch and cuDNN.
//!
//! The reference stands in [`mod@reference`]; the engine of the crate's root runs the fast twin.

mod backward;
mod forward;
pub mod reference;

use crate::Real;
use crate::cell::backward::BackRows;
use crate::cell::forward::StepRows;
use crate::cell::reference::{ParameterGradients, Step, StepBack, StepGradients};
use crate::cell::{CellKernel, Form, Gated, Weights};
use crate::simd::tile::Start;
use pulp::Simd;

/// Where a GRU applies its reset gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Reset {
    /// `n = tanh(W x + b + r ∘ (U h + b'))`: PyTorch, cuDNN, Keras 2 and later.
    #[default]
    AfterProduct,
    /// `n = tanh(W x + b + U (r ∘ h) + b')`: Cho 2014, eq. 8, and Keras 1.
    BeforeProduct,
}

/// Where the reset gate stands, in weights and in what is kept of a step.
pub const RESET: usize = 0;
/// The update gate.
pub const UPDATE: usize = 1;
/// The candidate.
pub const CANDIDATE: usize = 2;
/// `U h_prev + b'` of the candidate, kept behind the gates where the reset follows it.
const PRODUCT: usize = 3;

/// Where the gradients of the gates stand in a row of them, so that those that the input meets, and those that the state
/// meets, are neighbours.
mod gradient {
    pub(super) const CANDIDATE: usize = 0;
    pub(super) const RESET: usize = 1;
    pub(super) const UPDATE: usize = 2;
    pub(super) const PRODUCT: usize = 3;
}

/// The GRU. What is kept of a step is `[r z n product]`, and the gradients are `[n r z product]`; without the product where
/// the reset comes before it.
#[derive(Clone, Copy)]
pub(crate) struct Gru(pub(crate) Reset);

static AFTER_PRODUCT: Form = Form {
    name: "GRU",
    gate_names: &["reset", "update", "candidate"],
    kept: 4,
    cell_state: None,
    of_input: &[gradient::RESET, gradient::UPDATE, gradient::CANDIDATE],
    of_state: &[gradient::RESET, gradient::UPDATE, gradient::PRODUCT],
    gated: None,
    reads_hidden: true,
    peepholes: &[],
};

static BEFORE_PRODUCT: Form = Form {
    name: "GRU",
    gate_names: &["reset", "update", "candidate"],
    kept: 3,
    cell_state: None,
    of_input: &[gradient::RESET, gradient::UPDATE, gradient::CANDIDATE],
    of_state: &[gradient::RESET, gradient::UPDATE, gradient::CANDIDATE],
    gated: Some(Gated { gate: CANDIDATE, by: RESET }),
    reads_hidden: true,
    peepholes: &[],
};

impl CellKernel for Gru {
    fn form(self) -> &'static Form {
        match self.0 {
            Reset::AfterProduct => &AFTER_PRODUCT,
            Reset::BeforeProduct => &BEFORE_PRODUCT,
        }
    }

    #[inline(always)]
    unsafe fn step<S: Simd>(self, simd: S, step: &StepRows<'_>) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.0 {
                Reset::AfterProduct => forward::step_after_product(simd, step),
                Reset::BeforeProduct => forward::step_before_product(simd, step),
            }
        }
    }

    #[inline(always)]
    unsafe fn step_back<S: Simd>(self, simd: S, step: &BackRows<'_>) {
        // SAFETY: the caller's promise.
        unsafe {
            backward::cell(simd, self.0, step);
            if let Some(candidate) = &step.weights.hidden_gated {
                step.product(simd, candidate, gradient::CANDIDATE, Start::ZEROS, step.dseen);
                backward::reset_gate(simd, step);
            }
        }
    }

    #[inline(always)]
    unsafe fn state_back<S: Simd>(self, simd: S, step: &BackRows<'_>) {
        // SAFETY: the caller's promise.
        unsafe { step.product(simd, &step.weights.hidden, gradient::RESET, Start::Output, step.dh) }
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
