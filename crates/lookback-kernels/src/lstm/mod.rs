//! Long short-term memory: Hochreiter and Schmidhuber 1997, with the forget gate (Gers 2000) and, as an
//! option, peepholes (Gers and Schmidhuber 2000).
//!
//! The reference stands in [`mod@reference`]; the engine of the crate's root runs the fast twin.
//!
//! # Forward
//! With `σ` the logistic function, `⊙` the product unit by unit, and `W`, `U`, `b` of each gate its rows of `weight_ih`, `weight_hh` and
//! the biases, in the order `i, f, g, o`:
//!
//! ```text
//! i_t = σ(W_i x_t + U_i h_(t-1) + b_i)        what is let in
//! f_t = σ(W_f x_t + U_f h_(t-1) + b_f)        what is kept
//! g_t = tanh(W_g x_t + U_g h_(t-1) + b_g)     the candidate
//! o_t = σ(W_o x_t + U_o h_(t-1) + b_o)        what is shown
//! c_t = f_t ⊙ c_(t-1) + i_t ⊙ g_t             the cell state
//! h_t = o_t ⊙ tanh(c_t)                       the hidden state
//! ```
//!
//! # Backward
//! `dh` is what the loss and the next step ask of `h_t`, `dc` what the next step asks of `c_t`; `da` are the gradients before the
//! activations:
//!
//! ```text
//! da_o = dh ⊙ tanh(c_t) ⊙ o ⊙ (1 - o)         dc   = dc + dh ⊙ o ⊙ (1 - tanh²(c_t))
//! da_i = dc ⊙ g ⊙ i ⊙ (1 - i)                 da_f = dc ⊙ c_(t-1) ⊙ f ⊙ (1 - f)
//! da_g = dc ⊙ i ⊙ (1 - g²)
//! dc_(t-1) = dc ⊙ f                           dh_(t-1) = Uᵀ da
//! dW += da x_tᵀ    dU += da h_(t-1)ᵀ    db += da    dx_t = Wᵀ da
//! ```
//!
//! The line of `dc_(t-1)` is why an LSTM remembers: where `f` is near 1 a gradient passes from step to step without any matrix, while
//! that of `dh_(t-1)` is multiplied by `Uᵀ` each time, and vanishes or explodes with its singular values ([`crate::trace`]).
//!
//! # Update, reset, check
//! The update subtracts a multiple of `dW`, `dU` and `db`. The state is reset by beginning with zeros, which is what a call without
//! `h0` and `c0` does. The example `lstm_by_hand` does all of it on plain slices and checks a gradient against finite differences;
//! `lookback gradcheck` checks those of every cell.

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
