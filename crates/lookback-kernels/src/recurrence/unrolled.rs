//! A layer that is run step by step, with something else between the steps, and learns: a decoder.
//!
//! The weights are packed once per sequence for both passes. A step's backward pass leaves the gradients of its gates, and
//! the gradients of the weights are one product over all steps in the end, instead of a small one per step.

use super::backward::{Sequence, gate_gradients};
use super::forward::saved_values;
use super::plan::Tokens;
use super::{
    Cell, Dims, InputGradients, Inputs, Packed, Saving, Upstream, WeightGradients, Weights, Workspace, check,
    forward_owned, weight_gradients, weight_lens,
};
use crate::KernelError;
use crate::cell::packed::{PackedBackward, padded};
use crate::check::slice;
use crate::written::Unwritten;

/// The weights of one forward layer, packed for both passes.
#[derive(Debug)]
pub struct Unrolled {
    cell: Cell,
    input: usize,
    hidden: usize,
    packed: Packed,
    backward: PackedBackward,
    peephole: Option<Vec<f32>>,
}

/// What the steps of an [`Unrolled`] layer left for the gradients of its weights, in the order of their backward passes.
#[derive(Debug, Default)]
pub struct UnrolledSteps {
    /// The layer whose steps these are; `None` before the first.
    of: Option<(Cell, usize, usize, bool)>,
    rows: usize,
    x: Vec<f32>,
    h: Vec<f32>,
    c: Vec<f32>,
    saved: Vec<f32>,
    gates: Vec<f32>,
}

impl Unrolled {
    /// input: `I`, hidden: `H`.
    ///
    /// # Errors
    /// [`KernelError`] when a size does not fit.
    pub fn new(cell: Cell, input: usize, hidden: usize, weights: &Weights<'_>) -> Result<Self, KernelError> {
        let dims = Dims { batch: 1, time: 1, input, hidden, directions: 1 };
        let packed = Packed::new(cell, &dims, std::slice::from_ref(weights))?;
        let backward = PackedBackward::new(cell.form(), [input, hidden], weights);
        Ok(Unrolled { cell, input, hidden, packed, backward, peephole: weights.peephole.map(<[f32]>::to_vec) })
    }

    fn dims(&self, batch: usize) -> Dims {
        Dims { batch, time: 1, input: self.input, hidden: self.hidden, directions: 1 }
    }

    fn kind(&self) -> (Cell, usize, usize, bool) {
        (self.cell, self.input, self.hidden, self.peephole.is_some())
    }

    /// Refuses steps of another layer.
    fn check_steps(&self, steps: &UnrolledSteps) -> Result<(), KernelError> {
        let describe = |(cell, input, hidden, peephole): (Cell, usize, usize, bool)| {
            let with = if peephole { " and peepholes" } else { "" };
            format!("{cell:?} with I = {input}, H = {hidden}{with}")
        };
        match steps.of {
            Some(of) if of != self.kind() => {
                Err(KernelError::Packed { packed: describe(of), called: describe(self.kind()) })
            }
            _ => Ok(()),
        }
    }

    /// One step. x: `[B, I]`, h, c: `[B, H]`, `None` for zeros. Gives `y`, `h_n` and `c_n` one after another, and what
    /// [`Unrolled::backward`] needs where `saving` is true.
    ///
    /// # Errors
    /// [`KernelError`] when a size does not fit.
    #[allow(clippy::too_many_arguments, reason = "plain slices")]
    pub fn forward(
        &self,
        batch: usize,
        x: &[f32],
        h: Option<&[f32]>,
        c: Option<&[f32]>,
        saving: bool,
        workspace: &mut Workspace,
        threads: usize,
    ) -> Result<(Vec<f32>, Vec<f32>), KernelError> {
        let saving = if saving { Saving::Gates } else { Saving::Nothing };
        let inputs = Inputs { x, lengths: None, h0: h, c0: c };
        forward_owned(self.cell, &self.dims(batch), &self.packed, &inputs, saving, workspace, threads)
    }

    /// The gradients of `x`, `h` and `c` of one step, where they are wanted; `steps` takes what the weights' need.
    ///
    /// # Errors
    /// [`KernelError`] when a size does not fit.
    #[allow(clippy::too_many_arguments, reason = "plain slices")]
    pub fn backward(
        &self,
        batch: usize,
        inputs: &Inputs<'_>,
        saved: &[f32],
        upstream: &Upstream<'_>,
        wanted: [bool; 3],
        steps: &mut UnrolledSteps,
        workspace: &mut Workspace,
        threads: usize,
    ) -> Result<[Option<Vec<f32>>; 3], KernelError> {
        let (cell, dims) = (self.cell, &self.dims(batch));
        check::dims(dims, None)?;
        check::inputs(cell, dims, inputs)?;
        slice("saved", saved, &[saved_values(cell, dims, None)], "[saved_len]")?;
        check::gradients(cell, dims, upstream, &InputGradients::default(), &[WeightGradients::default()])?;
        self.check_steps(steps)?;
        steps.of = Some(self.kind());
        let states = batch * self.hidden;
        let lens = [inputs.x.len(), states, states];
        let wanted = [wanted[0], wanted[1], wanted[2] && cell.has_cell_state()];
        let mut parts: [Option<Unwritten>; 3] =
            std::array::from_fn(|part| wanted[part].then(|| Unwritten::new(lens[part])));
        let from = steps.gates.len();
        steps.gates.resize(from + batch * cell.form().gradient_len(padded(self.hidden)), 0.0);
        let sequence = Sequence {
            cell,
            dims,
            packed: std::slice::from_ref(&self.backward),
            peepholes: &[self.peephole.as_deref()],
            inputs,
            // With one step nothing before it is read.
            y: &[],
            saved,
            tokens: &Tokens::new(dims, None),
        };
        let [x, h0, c0] = parts.each_mut().map(|part| part.as_mut().map(Unwritten::slots));
        // SAFETY: every slice has been checked against its shape, and the engine writes every gradient.
        let gradients = unsafe {
            let gradients = InputGradients { x, h0, c0 };
            gate_gradients(&sequence, upstream, &mut steps.gates[from..], gradients, &mut workspace.tasks, threads);
            parts.map(|part| part.map(|part| part.written()))
        };
        steps.rows += batch;
        steps.x.extend_from_slice(inputs.x);
        let extend = |to: &mut Vec<f32>, from: Option<&[f32]>| match from {
            Some(from) => to.extend_from_slice(from),
            None => to.resize(to.len() + states, 0.0),
        };
        extend(&mut steps.h, inputs.h0);
        if self.peephole.is_some() {
            extend(&mut steps.c, inputs.c0);
        }
        if self.peephole.is_some() || cell.form().gated.is_some() {
            steps.saved.extend_from_slice(saved);
        }
        Ok(gradients)
    }

    /// The gradients of `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh` and `peephole`, where they are wanted, summed over
    /// `steps`, which are given back empty.
    ///
    /// # Errors
    /// [`KernelError`] when peepholes are wanted that the layer does not have, or the steps are another layer's.
    pub fn weight_gradients(
        &self,
        steps: &mut UnrolledSteps,
        wanted: [bool; 5],
        workspace: &mut Workspace,
        threads: usize,
    ) -> Result<[Option<Vec<f32>>; 5], KernelError> {
        if wanted[4] && self.peephole.is_none() {
            return Err(KernelError::NotPart { name: "gradient peephole", cell: "layer without peepholes" });
        }
        self.check_steps(steps)?;
        let steps = std::mem::take(steps);
        let (cell, dims) = (self.cell, &self.dims(steps.rows));
        let lens = weight_lens(cell, dims);
        let mut parts: [Option<Unwritten>; 5] =
            std::array::from_fn(|part| wanted[part].then(|| Unwritten::new(lens[part])));
        let inputs =
            Inputs { x: &steps.x, lengths: None, h0: Some(&steps.h), c0: self.peephole.as_ref().map(|_| &steps.c[..]) };
        let tokens = &Tokens::new(dims, None);
        let all = weight_gradients::Parts {
            form: cell.form(),
            dims,
            inputs: &inputs,
            y: &[],
            saved: &steps.saved,
            gates: &steps.gates,
            tokens,
        };
        let mut gradients = [WeightGradients::from(parts.each_mut().map(|part| part.as_mut().map(Unwritten::slots)))];
        weight_gradients::compute(&all, &mut gradients, &mut workspace.rows, threads);
        // SAFETY: every gradient that is asked for is written, also where there was no step.
        Ok(parts.map(|part| part.map(|part| unsafe { part.written() })))
    }
}
