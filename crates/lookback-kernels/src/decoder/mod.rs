//! An attention decoder over known targets (teacher forcing): the whole sequence in one call, forward and backward.
//!
//! | form | a step |
//! |---|---|
//! | [`DecoderForm::Luong`] | the layers read `[x_t; h̃_{t-1}]`, attention reads the top layer's `h_t`, `h̃_t = tanh(W_c [c_t; h_t] + b_c)` (Luong 2015, section 3.3 and eq. 5) |
//! | [`DecoderForm::Bahdanau`] | attention reads the top layer's `s_{t-1}`, the layers read `[x_t; c_t]` (Bahdanau 2015, eq. 4 to 6) |
//!
//! Keys are projected already, as in [`crate::attention`]; the map of the query is a part of the decoder, for it stands
//! between two steps. Rows are dealt to tasks once a sequence, and a task goes through time with nothing to wait for.
//!
//! With coverage (See 2017, eq. 10 and 11; Tu 2016) the additive score of step `t` also reads what the steps before looked
//! at: `e_tj = v · tanh(q_t + k_j + w_c c_tj)`, `c_t` being the sum of the weights of all steps before `t`.
//!
//! # Legend of shapes
//! `B` batch, `T` target steps, `I` input, `H` hidden, `L` layers, `G` gates, `K` keys, `A` the width of a query and a key,
//! `M` the width of a value, `F` what the first layer reads beside `x`: `H` with input feeding, 0 without, `M` in
//! Bahdanau's form.
//!
//! # What holds
//! - Steps at or past `lengths[b]`, keys and values at or past `key_lengths[b]` are never read and come out as exact zeros.
//! - A row without keys has a context of zeros. A row without steps ends with the state it began with.
//! - Masks between the layers change what a layer reads, never the state that it hands on to its next step.
//! - A row alone has the bits it has in any batch, and no bit depends on the number of threads.

mod attend;
mod backward;
mod check;
mod cover;
mod forward;
mod gradients;
mod made;
mod packed;
mod plan;
pub mod reference;
#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::KernelError;
use crate::attention::Score;
use crate::cell::Weights;
use crate::recurrence::Cell;

pub use plan::DecoderTrace;

/// The sizes of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecoderDims {
    /// `B`.
    pub batch: usize,
    /// `T`.
    pub time: usize,
    /// `I`.
    pub input: usize,
    /// `H`, of every layer.
    pub hidden: usize,
    /// `L`.
    pub layers: usize,
    /// `K`.
    pub keys: usize,
    /// `A`.
    pub width: usize,
    /// `M`.
    pub memory: usize,
}

/// What a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecoderForm {
    /// Step, attend, combine.
    Luong {
        /// Whether the first layer reads `h̃_{t-1}` beside `x_t`.
        feeding: bool,
    },
    /// Attend, then step.
    Bahdanau,
}

/// Which decoder it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecoderKind {
    /// The cell of every layer.
    pub cell: Cell,
    /// What a step is.
    pub form: DecoderForm,
    /// Whether the weights of attention are a part of what it gives.
    pub weights: bool,
}

/// A linear map.
#[derive(Debug, Clone, Copy)]
pub struct Map<'a, R = f32> {
    /// `[outputs, inputs]`.
    pub weight: &'a [R],
    /// `[outputs]`.
    pub bias: Option<&'a [R]>,
}

/// What the decoder has learnt.
#[derive(Debug, Clone, Copy)]
pub struct DecoderParameters<'a, R = f32> {
    /// `[L]`. The first layer's `weight_ih` is `[G*H, I + F]`, those of the others `[G*H, H]`; no peepholes.
    pub layers: &'a [Weights<'a, R>],
    /// `[A, H]`; `None` where the state itself is the query, and `A` is `H`.
    pub query: Option<Map<'a, R>>,
    /// How well a query and a key fit.
    pub score: Score<'a, R>,
    /// `[H, M + H]`, of the context and the state; Luong's form has it, and no other.
    pub combine: Option<Map<'a, R>>,
    /// `[A]`: `w_c`, with coverage, which the additive score alone has.
    pub coverage: Option<&'a [R]>,
}

/// What the decoder reads.
#[derive(Debug, Clone, Copy)]
pub struct DecoderInputs<'a, R = f32> {
    /// `[B, T, I]`.
    pub x: &'a [R],
    /// `[B]`, each from 0 to `T`, in any order. `None`: all `T`.
    pub lengths: Option<&'a [usize]>,
    /// `[B, K, A]`, projected.
    pub keys: &'a [R],
    /// `[B, K, M]`.
    pub values: &'a [R],
    /// `[B]`, each from 0 to `K`, in any order. `None`: all `K`.
    pub key_lengths: Option<&'a [usize]>,
    /// `[B, H]`: `h̃` before the first step, with input feeding alone. `None`: zeros.
    pub previous: Option<&'a [R]>,
    /// `[L, B, H]`. `None`: zeros.
    pub h0: Option<&'a [R]>,
    /// `[L, B, H]`, LSTM only. `None`: zeros.
    pub c0: Option<&'a [R]>,
    /// `[L - 1, B, T, H]`: what every layer above the first multiplies the state below with, when it reads it. Dropout
    /// between the layers is zeros and scales, another draw for every step (Zaremba 2014, section 3.1). `None`: ones.
    pub masks: Option<&'a [R]>,
}

/// Where the parts of what [`forward`] gives stand in it, one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecoderParts {
    /// `[B, T, H]`: `h̃_t`, or in Bahdanau's form `s_t`.
    pub y: Range<usize>,
    /// `[B, T, M]`: `c_t` in Bahdanau's form, else nothing.
    pub context: Range<usize>,
    /// `[B, T, K]`: the weights of attention, zeros behind a row's keys, where they are asked for, else nothing.
    pub weights: Range<usize>,
    /// `[L, B, H]`: each row's own last state.
    pub h_n: Range<usize>,
    /// `[L, B, H]`, LSTM only.
    pub c_n: Range<usize>,
}

impl DecoderKind {
    /// `F`: how many values the first layer reads beside `x`.
    pub fn fed(self, dims: &DecoderDims) -> usize {
        match self.form {
            DecoderForm::Luong { feeding: true } => dims.hidden,
            DecoderForm::Luong { feeding: false } => 0,
            DecoderForm::Bahdanau => dims.memory,
        }
    }

    /// Where the parts of an output of these sizes stand; sizes must be ones that [`forward`] takes.
    pub fn parts(self, dims: &DecoderDims) -> DecoderParts {
        let DecoderDims { batch, time, hidden, layers, keys, memory, .. } = *dims;
        let steps = batch * time;
        let y = steps * hidden;
        let context = y + if self.form == DecoderForm::Bahdanau { steps * memory } else { 0 };
        let weights = context + if self.weights { steps * keys } else { 0 };
        let h_n = weights + layers * batch * hidden;
        let c_n = h_n + if self.cell.has_cell_state() { layers * batch * hidden } else { 0 };
        DecoderParts { y: 0..y, context: y..context, weights: context..weights, h_n: weights..h_n, c_n: h_n..c_n }
    }
}

/// Gradients of one layer's parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerGradients<R = f32> {
    /// `[G*H, I + F]` or `[G*H, H]`.
    pub weight_ih: Vec<R>,
    /// `[G*H, H]`.
    pub weight_hh: Vec<R>,
    /// `[G*H]`.
    pub bias_ih: Vec<R>,
    /// `[G*H]`.
    pub bias_hh: Vec<R>,
}

/// Gradients of a linear map.
#[derive(Debug, Clone, PartialEq)]
pub struct MapGradients<R = f32> {
    /// `[outputs, inputs]`.
    pub weight: Vec<R>,
    /// `[outputs]`.
    pub bias: Vec<R>,
}

/// Gradients of everything that the decoder reads. Those of biases are there whether or not it has them.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderGradients<R = f32> {
    /// `[B, T, I]`.
    pub x: Vec<R>,
    /// `[B, K, A]`.
    pub keys: Vec<R>,
    /// `[B, K, M]`.
    pub values: Vec<R>,
    /// `[B, H]`; empty without input feeding.
    pub previous: Vec<R>,
    /// `[L, B, H]`.
    pub h0: Vec<R>,
    /// `[L, B, H]`; empty where the cell has no cell state.
    pub c0: Vec<R>,
    /// `[L]`.
    pub layers: Vec<LayerGradients<R>>,
    /// Of the map of the query, where there is one.
    pub query: Option<MapGradients<R>>,
    /// `[A]`; empty where the score has no `v`.
    pub v: Vec<R>,
    /// In Luong's form.
    pub combine: Option<MapGradients<R>>,
    /// `[A]`; empty without coverage.
    pub coverage: Vec<R>,
}

/// All steps. Gives what [`DecoderKind::parts`] names, and what [`backward`] needs.
///
/// # Errors
/// [`KernelError`] when a size does not fit, or something is given that this decoder does not have.
pub fn forward(
    kind: DecoderKind,
    dims: &DecoderDims,
    parameters: &DecoderParameters<'_>,
    inputs: &DecoderInputs<'_>,
    threads: usize,
) -> Result<(Vec<f32>, DecoderTrace), KernelError> {
    check::dims(kind, dims, inputs.lengths, inputs.key_lengths)?;
    check::parameters(kind, dims, parameters)?;
    check::inputs(kind, dims, inputs)?;
    Ok(forward::run(kind, dims, parameters, inputs, threads))
}

/// The gradients of `Σ upstream ∘ output`, `output` being what [`forward`] gave of the same arguments with the trace.
/// upstream: as long as the output; of steps at or past `lengths[b]` it is never read, nor that of weights behind a row's keys.
///
/// # Errors
/// [`KernelError`] when a size does not fit, or the trace is of another call.
#[allow(clippy::too_many_arguments, reason = "what the forward pass read, gave and left")]
pub fn backward(
    kind: DecoderKind,
    dims: &DecoderDims,
    parameters: &DecoderParameters<'_>,
    inputs: &DecoderInputs<'_>,
    output: &[f32],
    trace: &DecoderTrace,
    upstream: &[f32],
    threads: usize,
) -> Result<DecoderGradients, KernelError> {
    check::dims(kind, dims, inputs.lengths, inputs.key_lengths)?;
    check::parameters(kind, dims, parameters)?;
    check::inputs(kind, dims, inputs)?;
    check::outputs(kind, dims, output, upstream)?;
    trace.check(kind, dims, inputs, parameters.coverage.is_some())?;
    Ok(backward::run(kind, dims, parameters, inputs, output, trace, upstream, threads))
}
