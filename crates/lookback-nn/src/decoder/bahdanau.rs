//! Bahdanau's decoder: attention first.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use lookback_kernels::decoder::DecoderForm;

use super::coverage::{self, Looked, attend};
use super::known::{Known, ended};
use super::{DecoderMemory, check_parts};
use crate::attention::{Attention, Mask};
use crate::ops::{DecoderSteps, Nothing, joined};
use crate::{Error, Recurrent, State, check};

/// Bahdanau's decoder: attention reads the previous state `s_{t-1}` first, then the recurrent layer steps on
/// `[x_t; c_t]` (Bahdanau 2015, eq. 4 to 6). Of several layers the top one's state is the query.
#[derive(Module, Debug)]
pub struct BahdanauDecoder {
    pub(super) recurrent: Recurrent,
    pub(super) attention: Attention,
    /// `[A]`: `w_c`, with coverage.
    pub(super) coverage: Option<Param<Tensor<1>>>,
    #[module(skip)]
    input: usize,
}

/// What one step of [`BahdanauDecoder`] gives.
#[derive(Debug, Clone)]
pub struct BahdanauStep {
    /// `[B, H]`: `s_t`.
    pub output: Tensor<2>,
    /// The recurrent layer's state.
    pub state: State,
    /// `[B, memory]`: `c_t`, for the output layer, which also reads it (eq. 4).
    pub context: Tensor<2>,
    /// `[B, K]`, where they were asked for.
    pub weights: Option<Tensor<2>>,
}

/// What all steps of [`BahdanauDecoder`] give.
#[derive(Debug, Clone)]
pub struct BahdanauSteps {
    /// `[B, T, H]`: every `s_t`.
    pub outputs: Tensor<3>,
    /// `[B, T, memory]`: every `c_t`.
    pub contexts: Tensor<3>,
    /// `[B, T, K]`: what every step looked at, zeros where a row has no step or key; where it was asked for.
    pub weights: Option<Tensor<3>>,
    /// The last state.
    pub state: State,
}

impl BahdanauDecoder {
    /// input: of `x_t`. memory: the size of the encoder's outputs. recurrent: of any cell and any number of layers, one
    /// direction, for inputs of size `input + memory`. attention: made for queries of size `H` and keys of size `memory`.
    ///
    /// # Errors
    /// A size of 0, parts that do not fit, or a bidirectional layer.
    pub fn new(
        input: usize,
        memory: usize,
        recurrent: Recurrent,
        attention: Attention,
    ) -> Result<BahdanauDecoder, Error> {
        check_parts(input, memory, ("the context", memory), &recurrent, &attention)?;
        Ok(BahdanauDecoder { recurrent, attention, coverage: None, input })
    }

    /// With coverage.
    ///
    /// # Errors
    /// If the score is not additive.
    pub fn with_coverage(mut self, device: &Device) -> Result<BahdanauDecoder, Error> {
        self.coverage = Some(coverage::vector(&self.attention, device)?);
        Ok(self)
    }

    /// The recurrent layer.
    pub fn recurrent(&self) -> &Recurrent {
        &self.recurrent
    }

    /// Prepares for the steps of a sequence over the encoder's outputs `[B, K, memory]`.
    ///
    /// # Errors
    /// When sizes or element types do not fit, or the recurrent layer recomputes.
    pub fn memory(&self, outputs: Tensor<3>, mask: &Mask) -> Result<DecoderMemory, Error> {
        let memory = self.attention.memory(outputs.clone(), outputs, mask)?;
        self.recurrent.steps_alone()?;
        Ok(DecoderMemory::new(memory))
    }

    /// All steps of sequences that are known (teacher forcing). x: `[B, T, input]`. lengths: `[B]`, each from 0 to `T`, in
    /// any order; what comes of later steps is zero, and the last state each row's own. `None`: all `T`. state: before the
    /// first step.
    ///
    /// # Errors
    /// When sizes, lengths or element types do not fit.
    pub fn forward(
        &self,
        x: Tensor<3>,
        lengths: Option<&[usize]>,
        state: State,
        memory: &DecoderMemory,
        mask: &Mask,
    ) -> Result<BahdanauSteps, Error> {
        self.steps(x, lengths, state, (memory, mask), false)
    }

    /// [`BahdanauDecoder::forward`], and what every step looked at.
    ///
    /// # Errors
    /// As [`BahdanauDecoder::forward`].
    pub fn forward_with_weights(
        &self,
        x: Tensor<3>,
        lengths: Option<&[usize]>,
        state: State,
        memory: &DecoderMemory,
        mask: &Mask,
    ) -> Result<BahdanauSteps, Error> {
        self.steps(x, lengths, state, (memory, mask), true)
    }

    fn steps(
        &self,
        x: Tensor<3>,
        lengths: Option<&[usize]>,
        state: State,
        (memory, mask): (&DecoderMemory, &Mask),
        weights: bool,
    ) -> Result<BahdanauSteps, Error> {
        let [batch, time, _] = x.dims();
        check::shape("x", &x, [batch, time, self.input], "the size this decoder was made for")?;
        lengths.map_or(Ok(()), |lengths| check::lengths(lengths, batch, time))?;
        let known = Known {
            form: DecoderForm::Bahdanau,
            recurrent: &self.recurrent,
            attention: &self.attention,
            combine: None,
            coverage: self.coverage.as_ref(),
            weights,
            x: &x,
            previous: None,
            state: Some(&state),
            lengths,
            memory,
            mask,
        };
        if let Some(DecoderSteps { y, context: Some(contexts), weights, state }) = known.run()? {
            return Ok(BahdanauSteps { outputs: y, contexts, weights, state });
        }
        self.step_by_step(x, lengths, state, (memory, mask), weights)
    }

    /// [`BahdanauDecoder::steps`], one after another.
    pub(super) fn step_by_step(
        &self,
        x: Tensor<3>,
        lengths: Option<&[usize]>,
        state: State,
        (memory, mask): (&DecoderMemory, &Mask),
        weights: bool,
    ) -> Result<BahdanauSteps, Error> {
        let ([batch, time, _], [_, width]) = (x.dims(), self.attention.sizes());
        if time == 0 {
            let nothing = Nothing::of(&x).and(&state.hidden).and_module(self);
            let (outputs, contexts) =
                (nothing.zeros([batch, 0, self.recurrent.hidden()]), nothing.zeros([batch, 0, width]));
            let weights = weights.then(|| nothing.zeros([batch, 0, memory.keys()]));
            return Ok(BahdanauSteps { outputs, contexts, weights, state });
        }
        let (mut state, mut outputs, mut contexts) = (state, Vec::with_capacity(time), Vec::with_capacity(time));
        let mut looked = Looked::before(self.coverage.is_some(), weights, memory.keys(), &x);
        for t in 0..time {
            let x_t = x.clone().narrow(1, t, 1).squeeze_dim(1);
            let step = self.step_over(x_t, state.clone(), (memory, mask), looked.covered.clone(), weights)?;
            let made = [Some(step.output), Some(step.context), step.weights].into_iter().flatten().collect();
            let (made, next) = ended(lengths, t, made, step.state, Some(state));
            state = next;
            let mut made = made.into_iter();
            for (made, all) in made.by_ref().take(2).zip([&mut outputs, &mut contexts]) {
                all.push(made.unsqueeze_dim::<3>(1));
            }
            looked.add(made.next());
        }
        let (outputs, contexts) = (joined(outputs, 1), joined(contexts, 1));
        Ok(BahdanauSteps { outputs, contexts, weights: looked.weights(), state })
    }

    /// One step. x: `[B, input]`. state: of the step before, or made from the encoder's.
    ///
    /// # Errors
    /// When sizes or element types do not fit, or the decoder has coverage, which [`BahdanauDecoder::step_covering`] reads.
    pub fn step(
        &self,
        x: Tensor<2>,
        state: State,
        memory: &DecoderMemory,
        mask: &Mask,
        weights: bool,
    ) -> Result<BahdanauStep, Error> {
        self.step_over(x, state, (memory, mask), None, weights)
    }

    /// One step of a decoder with coverage, which gives its weights. coverage: `[B, K]`, the sum of the weights of the steps
    /// before, zeros at the first.
    ///
    /// # Errors
    /// As [`BahdanauDecoder::step`], and if the decoder has no coverage.
    pub fn step_covering(
        &self,
        x: Tensor<2>,
        state: State,
        coverage: Tensor<2>,
        memory: &DecoderMemory,
        mask: &Mask,
    ) -> Result<BahdanauStep, Error> {
        self.step_over(x, state, (memory, mask), Some(coverage), true)
    }

    fn step_over(
        &self,
        x: Tensor<2>,
        state: State,
        (memory, mask): (&DecoderMemory, &Mask),
        covered: Option<Tensor<2>>,
        weights: bool,
    ) -> Result<BahdanauStep, Error> {
        let [layers, batch, hidden] = state.hidden.dims();
        if layers == 0 {
            let expected = "[layers, B, H] with at least one layer".into();
            return Err(Error::Shape { name: "state", found: vec![layers, batch, hidden], expected });
        }
        check::shape("x", &x, [batch, self.input], format_args!("B of the state {:?}", state.hidden.dims()))?;
        let query = state.hidden.clone().slice(layers - 1..layers).swap_dims(0, 1);
        let by = (&self.attention, self.coverage.as_ref());
        let seen = attend(by, query, (memory, mask), covered, weights)?;
        let context = seen.context.squeeze_dim::<2>(1);
        let (output, state) = memory
            .stepper(&self.recurrent)?
            .step(check::beside(("x", x), ("context", context.clone()))?, Some(state))?;
        let weights = seen.weights.map(|weights| weights.squeeze_dim(1));
        Ok(BahdanauStep { output, state, context, weights })
    }
}
