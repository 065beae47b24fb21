//! Decoder cells: a recurrent layer and attention over the encoder's outputs, one step at a time.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::{Attention, Mask, Memory};
use crate::ops::{Nothing, UnrolledLinear, joined, on_flex, tanh};
use crate::{Error, Gru, GruConfig, Linear, LinearConfig, Lstm, LstmConfig, State, TrainingStepper, check};

/// `h̃ = tanh(W_c [c; h])`, or the plain map: context and query side by side, projected (Luong 2015, eq. 5; the last
/// two of the six steps in the well-known tutorials).
#[derive(Module, Debug)]
pub struct QueryAndContext {
    projection: Linear,
    /// `Dc` and `Dq`: the projection knows their sum alone.
    #[module(skip)]
    sizes: [usize; 2],
    #[module(skip)]
    bent: bool,
}

impl QueryAndContext {
    /// context, query, output: the sizes. bent: whether `tanh` follows.
    ///
    /// # Errors
    /// A size of 0, or sizes whose parameters no memory holds.
    pub fn new(
        context: usize,
        query: usize,
        output: usize,
        bent: bool,
        device: &Device,
    ) -> Result<QueryAndContext, Error> {
        check::sizes(&[("context size", context), ("query size", query), ("output size", output)])?;
        let projection = LinearConfig::new(context.saturating_add(query), output).init(device)?;
        Ok(QueryAndContext { projection, sizes: [context, query], bent })
    }

    /// context: `[B, Q, Dc]`, query: `[B, Q, Dq]`. Gives `[B, Q, output]`.
    ///
    /// # Errors
    /// When sizes or element types do not fit.
    pub fn forward(&self, context: Tensor<3>, query: Tensor<3>) -> Result<Tensor<3>, Error> {
        self.apply(context, query, None)
    }

    /// The map, packed once for many calls; `None` where the kernels do not run.
    fn unrolled(&self) -> Option<UnrolledLinear> {
        let (weight, bias) = self.projection.tensors();
        let fused = on_flex(&weight) && bias.as_ref().is_none_or(on_flex);
        fused.then(|| UnrolledLinear::new(weight, bias))
    }

    fn apply(
        &self,
        context: Tensor<3>,
        query: Tensor<3>,
        unrolled: Option<&UnrolledLinear>,
    ) -> Result<Tensor<3>, Error> {
        let ([dc, dq], [batch, queries, _]) = (self.sizes, query.dims());
        check::shape("query", &query, [batch, queries, dq], "the size this layer was made for")?;
        let why = format_args!("B and Q of query {:?}, and the size this layer was made for", query.dims());
        check::shape("context", &context, [batch, queries, dc], why)?;
        let (name, both) = ("context and query", check::beside(("context", context), ("query", query))?);
        let output = match unrolled {
            Some(unrolled) => unrolled.step(name, both)?,
            None => self.projection.apply(name, both)?,
        };
        Ok(if self.bent { tanh(output) } else { output })
    }
}

/// What stays the same over the steps of a sequence: the encoder's outputs, projected once, and the decoder's weights,
/// packed once. Make one a sequence, and call `backward` once on what comes of it.
#[derive(Debug, Clone)]
pub struct DecoderMemory {
    memory: Memory,
    layers: TrainingStepper,
    combine: Option<UnrolledLinear>,
}

/// Luong's decoder: the recurrent layer reads `[x_t; h̃_{t-1}]` (input feeding, Luong 2015, section 3.3), attention
/// reads its output `h_t`, and `h̃_t = tanh(W_c [c_t; h_t])`.
#[derive(Module, Debug)]
pub struct InputFeedingDecoder {
    pub(super) lstm: Lstm,
    pub(super) attention: Attention,
    pub(super) combine: QueryAndContext,
    #[module(skip)]
    input: usize,
}

/// What one step of [`InputFeedingDecoder`] gives, and the next one takes.
#[derive(Debug, Clone)]
pub struct InputFeedingStep {
    /// `[B, H]`: `h̃_t`, which predicts the output and is fed back.
    pub attentional: Tensor<2>,
    /// The recurrent layer's state.
    pub state: State,
    /// `[B, K]`, where they were asked for.
    pub weights: Option<Tensor<2>>,
}

impl InputFeedingDecoder {
    /// input: of `x_t`. hidden: `H`, of the LSTM and of `h̃`. memory: the size of the encoder's outputs. attention: made
    /// for queries of size `H` and keys of size `memory`. layers: of the LSTM.
    ///
    /// # Errors
    /// A size of 0, sizes whose parameters no memory holds, or an attention for other sizes.
    pub fn new(
        input: usize,
        hidden: usize,
        memory: usize,
        layers: usize,
        attention: Attention,
        device: &Device,
    ) -> Result<InputFeedingDecoder, Error> {
        check_sizes(input, hidden, memory, &attention)?;
        let lstm = LstmConfig::new(input.saturating_add(hidden), hidden).with_layers(layers).init(device)?;
        let combine = QueryAndContext::new(memory, hidden, hidden, true, device)?;
        Ok(InputFeedingDecoder { lstm, attention, combine, input })
    }

    /// Prepares for the steps of a sequence over the encoder's outputs `[B, K, memory]`.
    ///
    /// # Errors
    /// When sizes or element types do not fit.
    pub fn memory(&self, outputs: Tensor<3>, mask: &Mask) -> Result<DecoderMemory, Error> {
        let memory = self.attention.memory(outputs.clone(), outputs, mask)?;
        Ok(DecoderMemory { memory, layers: self.lstm.training_stepper()?, combine: self.combine.unrolled() })
    }

    /// All steps of sequences that are known (teacher forcing). x: `[B, T, input]`. previous, state: as in
    /// [`InputFeedingDecoder::step`], before the first step. Gives every `h̃_t`, `[B, T, H]`, and the last state.
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
        let [batch, time, _] = x.dims();
        self.check_step(&x, [batch, time, self.input], &previous)?;
        let (mut previous, mut state) = (previous, state);
        if time == 0 {
            let [_, hidden] = previous.dims();
            return Ok((Nothing::of(&x).and(&previous).and_module(self).zeros([batch, time, hidden]), state));
        }
        let mut all = Vec::with_capacity(time);
        for t in 0..time {
            let x_t = x.clone().narrow(1, t, 1).squeeze_dim(1);
            let step = self.step(x_t, previous, state, memory, mask, false)?;
            (previous, state) = (step.attentional, Some(step.state));
            all.push(previous.clone().unsqueeze_dim::<3>(1));
        }
        Ok((joined(all, 1), state))
    }

    /// One step. x: `[B, input]`. previous: `h̃_{t-1}` `[B, H]`, zeros at the first step. state: `None` means zeros.
    ///
    /// # Errors
    /// When sizes or element types do not fit.
    pub fn step(
        &self,
        x: Tensor<2>,
        previous: Tensor<2>,
        state: Option<State>,
        memory: &DecoderMemory,
        mask: &Mask,
        weights: bool,
    ) -> Result<InputFeedingStep, Error> {
        self.check_step(&x, [x.dims()[0], self.input], &previous)?;
        let (hidden, state) = memory.layers.step(check::beside(("x", x), ("previous", previous))?, state)?;
        let query = hidden.unsqueeze_dim::<3>(1);
        let seen = self.attention.attend(query.clone(), &memory.memory, mask, weights)?;
        let attentional = self.combine.apply(seen.context, query, memory.combine.as_ref())?.squeeze_dim(1);
        Ok(InputFeedingStep { attentional, state, weights: seen.weights.map(|weights| weights.squeeze_dim(1)) })
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

/// The sizes of a decoder, and that its attention was made for them.
fn check_sizes(input: usize, hidden: usize, memory: usize, attention: &Attention) -> Result<(), Error> {
    check::sizes(&[("input size", input), ("hidden size", hidden), ("memory size", memory)])?;
    if attention.sizes() == [hidden, memory] {
        return Ok(());
    }
    let expected = format!("[{hidden}, {memory}] (H and the size of the memory)");
    Err(Error::Shape { name: "the attention's query and key size", found: attention.sizes().to_vec(), expected })
}

/// Bahdanau's decoder: attention reads the previous state `s_{t-1}` first, then the GRU steps on `[x_t; c_t]`
/// (Bahdanau 2015, eq. 4 to 6).
#[derive(Module, Debug)]
pub struct AttendFirstDecoder {
    gru: Gru,
    attention: Attention,
    #[module(skip)]
    input: usize,
}

/// What one step of [`AttendFirstDecoder`] gives.
#[derive(Debug, Clone)]
pub struct AttendFirstStep {
    /// `[B, H]`: `s_t`.
    pub output: Tensor<2>,
    /// The recurrent layer's state.
    pub state: State,
    /// `[B, memory]`: `c_t`, for the output layer, which also reads it (eq. 4).
    pub context: Tensor<2>,
    /// `[B, K]`, where they were asked for.
    pub weights: Option<Tensor<2>>,
}

impl AttendFirstDecoder {
    /// input: of `x_t`. hidden: `H`. memory: the size of the encoder's outputs. attention: made for queries of size `H`
    /// and keys of size `memory`. layers: of the GRU; its top layer's state is the query.
    ///
    /// # Errors
    /// A size of 0, sizes whose parameters no memory holds, or an attention for other sizes.
    pub fn new(
        input: usize,
        hidden: usize,
        memory: usize,
        layers: usize,
        attention: Attention,
        device: &Device,
    ) -> Result<AttendFirstDecoder, Error> {
        check_sizes(input, hidden, memory, &attention)?;
        let gru = GruConfig::new(input.saturating_add(memory), hidden).with_layers(layers).init(device)?;
        Ok(AttendFirstDecoder { gru, attention, input })
    }

    /// Prepares for the steps of a sequence over the encoder's outputs `[B, K, memory]`.
    ///
    /// # Errors
    /// When sizes or element types do not fit.
    pub fn memory(&self, outputs: Tensor<3>, mask: &Mask) -> Result<DecoderMemory, Error> {
        let memory = self.attention.memory(outputs.clone(), outputs, mask)?;
        Ok(DecoderMemory { memory, layers: self.gru.training_stepper()?, combine: None })
    }

    /// One step. x: `[B, input]`. state: of the step before, or made from the encoder's.
    ///
    /// # Errors
    /// When sizes or element types do not fit.
    pub fn step(
        &self,
        x: Tensor<2>,
        state: State,
        memory: &DecoderMemory,
        mask: &Mask,
        weights: bool,
    ) -> Result<AttendFirstStep, Error> {
        let [layers, batch, hidden] = state.hidden.dims();
        if layers == 0 {
            let expected = "[layers, B, H] with at least one layer".into();
            return Err(Error::Shape { name: "state", found: vec![layers, batch, hidden], expected });
        }
        check::shape("x", &x, [batch, self.input], format_args!("B of the state {:?}", state.hidden.dims()))?;
        let query = state.hidden.clone().slice(layers - 1..layers).swap_dims(0, 1);
        let seen = self.attention.attend(query, &memory.memory, mask, weights)?;
        let context = seen.context.squeeze_dim::<2>(1);
        let (output, state) =
            memory.layers.step(check::beside(("x", x), ("context", context.clone()))?, Some(state))?;
        let weights = seen.weights.map(|weights| weights.squeeze_dim(1));
        Ok(AttendFirstStep { output, state, context, weights })
    }
}
