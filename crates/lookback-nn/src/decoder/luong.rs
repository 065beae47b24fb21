//! Luong's decoder: input feeding.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use lookback_kernels::decoder::DecoderForm;

use super::coverage::{self, Looked, attend};
use super::known::{Known, ended};
use super::{AttentionalLayer, DecoderMemory, check_parts};
use crate::attention::{Attention, Mask};
use crate::ops::{Nothing, joined};
use crate::{Error, Recurrent, State, check};

/// Luong's decoder: the recurrent layer reads `[x_t; h̃_{t-1}]` (input feeding, Luong 2015, section 3.3), attention
/// reads its output `h_t`, and `h̃_t = tanh(W_c [c_t; h_t])`.
#[derive(Module, Debug)]
pub struct LuongDecoder {
    pub(super) recurrent: Recurrent,
    pub(super) attention: Attention,
    pub(super) combine: AttentionalLayer,
    /// `[A]`: `w_c`, with coverage.
    pub(super) coverage: Option<Param<Tensor<1>>>,
    #[module(skip)]
    input: usize,
}

/// What one step of [`LuongDecoder`] gives, and the next one takes.
#[derive(Debug, Clone)]
pub struct LuongStep {
    /// `[B, H]`: `h̃_t`, which predicts the output and is fed back.
    pub attentional: Tensor<2>,
    /// The recurrent layer's state.
    pub state: State,
    /// `[B, K]`, where they were asked for.
    pub weights: Option<Tensor<2>>,
}

/// What all steps of [`LuongDecoder`] give.
#[derive(Debug, Clone)]
pub struct LuongSteps {
    /// `[B, T, H]`: every `h̃_t`.
    pub outputs: Tensor<3>,
    /// `[B, T, K]`: what every step looked at, zeros where a row has no step or key; where it was asked for.
    pub weights: Option<Tensor<3>>,
    /// The last state.
    pub state: Option<State>,
}

impl LuongDecoder {
    /// input: of `x_t`. memory: the size of the encoder's outputs. recurrent: of any cell and any number of layers, one
    /// direction, for inputs of size `input + H`. attention: made for queries of size `H` and keys of size `memory`.
    ///
    /// # Errors
    /// A size of 0, parts that do not fit, a bidirectional layer, or sizes whose parameters no memory holds.
    pub fn new(
        input: usize,
        memory: usize,
        recurrent: Recurrent,
        attention: Attention,
        device: &Device,
    ) -> Result<LuongDecoder, Error> {
        let hidden = recurrent.hidden();
        check_parts(input, memory, ("what is fed back", hidden), &recurrent, &attention)?;
        let combine = AttentionalLayer::new(memory, hidden, hidden, true, device)?;
        Ok(LuongDecoder { recurrent, attention, combine, coverage: None, input })
    }

    /// With coverage.
    ///
    /// # Errors
    /// If the score is not additive.
    pub fn with_coverage(mut self, device: &Device) -> Result<LuongDecoder, Error> {
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

    /// All steps of sequences that are known (teacher forcing). x: `[B, T, input]`. previous, state: as in
    /// [`LuongDecoder::step`], before the first step. Gives every `h̃_t`, `[B, T, H]`, and the last state.
    ///
    /// # Errors
    /// When sizes or element types do not fit.
    pub fn forward(
        &self,
        x: Tensor<3>,
        previous: Tensor<2>,
        state: Option<State>,
        memory: &DecoderMemory,
        mask: &Mask,
    ) -> Result<(Tensor<3>, Option<State>), Error> {
        self.forward_ragged(x, None, previous, state, memory, mask)
    }

    /// [`LuongDecoder::forward`] of targets of several lengths. lengths: `[B]`, each from 0 to `T`, in any order; `h̃_t` of
    /// later steps is zero, and the last state each row's own. `None`: all `T`.
    ///
    /// # Errors
    /// When sizes, lengths or element types do not fit.
    pub fn forward_ragged(
        &self,
        x: Tensor<3>,
        lengths: Option<&[usize]>,
        previous: Tensor<2>,
        state: Option<State>,
        memory: &DecoderMemory,
        mask: &Mask,
    ) -> Result<(Tensor<3>, Option<State>), Error> {
        let LuongSteps { outputs, state, .. } = self.steps(x, lengths, (previous, state), (memory, mask), false)?;
        Ok((outputs, state))
    }

    /// [`LuongDecoder::forward_ragged`], and what every step looked at.
    ///
    /// # Errors
    /// As [`LuongDecoder::forward_ragged`].
    pub fn forward_with_weights(
        &self,
        x: Tensor<3>,
        lengths: Option<&[usize]>,
        previous: Tensor<2>,
        state: Option<State>,
        memory: &DecoderMemory,
        mask: &Mask,
    ) -> Result<LuongSteps, Error> {
        self.steps(x, lengths, (previous, state), (memory, mask), true)
    }

    fn steps(
        &self,
        x: Tensor<3>,
        lengths: Option<&[usize]>,
        (previous, state): (Tensor<2>, Option<State>),
        (memory, mask): (&DecoderMemory, &Mask),
        weights: bool,
    ) -> Result<LuongSteps, Error> {
        let [batch, time, _] = x.dims();
        self.check_step(&x, [batch, time, self.input], &previous)?;
        lengths.map_or(Ok(()), |lengths| check::lengths(lengths, batch, time))?;
        let known = Known {
            form: DecoderForm::Luong { feeding: true },
            recurrent: &self.recurrent,
            attention: &self.attention,
            combine: Some(&self.combine),
            coverage: self.coverage.as_ref(),
            weights,
            x: &x,
            previous: Some(&previous),
            state: state.as_ref(),
            lengths,
            memory,
            mask,
        };
        match known.run()? {
            Some(steps) => Ok(LuongSteps { outputs: steps.y, weights: steps.weights, state: Some(steps.state) }),
            None => self.step_by_step(x, lengths, (previous, state), (memory, mask), weights),
        }
    }

    /// [`LuongDecoder::steps`], one after another.
    pub(super) fn step_by_step(
        &self,
        x: Tensor<3>,
        lengths: Option<&[usize]>,
        (previous, state): (Tensor<2>, Option<State>),
        (memory, mask): (&DecoderMemory, &Mask),
        weights: bool,
    ) -> Result<LuongSteps, Error> {
        let [batch, time, _] = x.dims();
        let (mut previous, mut state) = (previous, state);
        if time == 0 {
            let ([_, hidden], keys) = (previous.dims(), memory.keys());
            let nothing = Nothing::of(&x).and(&previous).and_module(self);
            let weights = weights.then(|| nothing.zeros([batch, time, keys]));
            return Ok(LuongSteps { outputs: nothing.zeros([batch, time, hidden]), weights, state });
        }
        let mut looked = Looked::before(self.coverage.is_some(), weights, memory.keys(), &x);
        let mut all = Vec::with_capacity(time);
        for t in 0..time {
            let x_t = x.clone().narrow(1, t, 1).squeeze_dim(1);
            let step = self.step_over(x_t, previous, state.clone(), (memory, mask), looked.covered.clone(), weights)?;
            let made = [Some(step.attentional), step.weights].into_iter().flatten().collect();
            let (made, next) = ended(lengths, t, made, step.state, state);
            let mut made = made.into_iter();
            let Some(attentional) = made.next() else { unreachable!("what goes in comes out") };
            (previous, state) = (attentional, Some(next));
            all.push(previous.clone().unsqueeze_dim::<3>(1));
            looked.add(made.next());
        }
        Ok(LuongSteps { outputs: joined(all, 1), weights: looked.weights(), state })
    }

    /// One step. x: `[B, input]`. previous: `h̃_{t-1}` `[B, H]`, zeros at the first step. state: `None` means zeros.
    ///
    /// # Errors
    /// When sizes or element types do not fit, or the decoder has coverage, which [`LuongDecoder::step_covering`] reads.
    pub fn step(
        &self,
        x: Tensor<2>,
        previous: Tensor<2>,
        state: Option<State>,
        memory: &DecoderMemory,
        mask: &Mask,
        weights: bool,
    ) -> Result<LuongStep, Error> {
        self.step_over(x, previous, state, (memory, mask), None, weights)
    }

    /// One step of a decoder with coverage, which gives its weights. coverage: `[B, K]`, the sum of the weights of the steps
    /// before, zeros at the first.
    ///
    /// # Errors
    /// As [`LuongDecoder::step`], and if the decoder has no coverage.
    pub fn step_covering(
        &self,
        x: Tensor<2>,
        previous: Tensor<2>,
        state: Option<State>,
        coverage: Tensor<2>,
        memory: &DecoderMemory,
        mask: &Mask,
    ) -> Result<LuongStep, Error> {
        self.step_over(x, previous, state, (memory, mask), Some(coverage), true)
    }

    fn step_over(
        &self,
        x: Tensor<2>,
        previous: Tensor<2>,
        state: Option<State>,
        (memory, mask): (&DecoderMemory, &Mask),
        covered: Option<Tensor<2>>,
        weights: bool,
    ) -> Result<LuongStep, Error> {
        self.check_step(&x, [x.dims()[0], self.input], &previous)?;
        let (hidden, state) =
            memory.stepper(&self.recurrent)?.step(check::beside(("x", x), ("previous", previous))?, state)?;
        let query = hidden.unsqueeze_dim::<3>(1);
        let by = (&self.attention, self.coverage.as_ref());
        let seen = attend(by, query.clone(), (memory, mask), covered, weights)?;
        let combine = memory.combine.get_or_init(|| self.combine.unrolled());
        let attentional = self.combine.apply(seen.context, query, combine.as_ref())?.squeeze_dim(1);
        Ok(LuongStep { attentional, state, weights: seen.weights.map(|weights| weights.squeeze_dim(1)) })
    }

    /// `x` and what is fed back, of which the recurrent layer knows the sum of the sizes alone.
    fn check_step<const R: usize>(
        &self,
        x: &Tensor<R>,
        expected: [usize; R],
        previous: &Tensor<2>,
    ) -> Result<(), Error> {
        check::shape("x", x, expected, "the size this decoder was made for")?;
        let [hidden, _] = self.attention.sizes();
        check::shape("previous", previous, [expected[0], hidden], format_args!("B of x {:?}, and H", x.dims()))?;
        check::types([("x", Some(x.dtype())), ("previous", Some(previous.dtype()))])
    }
}
