//! Any number of recurrent layers on one another, of any cell.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::module::{Initializer, Param};
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Tensor, TensorData};
use lookback_kernels::{Cell as KernelCell, Dims};

use super::{Cell, Output, RecurrentConfig, State, Stepper, Trace, TrainingStepper, trace};
use crate::ops::{DirectionTensors, LayerSpec, dropout, dropout_layer, on_flex, recurrent, recurrent_with_steps};
use crate::{Error, check, parameters};

/// Recurrent layers on one another, each in one direction or both, of any [`Cell`]. Made by [`RecurrentConfig`], or by the
/// configurations of its three names [`Lstm`], [`Gru`] and [`Rnn`].
///
/// Parameters have PyTorch's names and layout: `weight_ih_l0 [G*H, I]`, `weight_hh_l0 [G*H, H]`, `bias_ih_l0 [G*H]`,
/// `bias_hh_l0 [G*H]`, then `.._l1`, and `.._reverse` for the other direction. The names of the field that holds the
/// layers stand before: `encoder.weight_ih_l0`.
#[derive(Debug, Clone)]
pub struct Recurrent {
    cell: KernelCell,
    pub(super) input: usize,
    pub(super) hidden: usize,
    /// `[L][D]`.
    pub(super) layers: Vec<Vec<Direction>>,
    pub(super) dropout: Dropout,
    recompute: bool,
}

/// Long short-term memory (Hochreiter and Schmidhuber 1997, Gers 2000), gates in the order `i, f, g, o`. Peepholes, where
/// there are any, are `weight_peephole_l0 [3*H]`, in the order `i, f, o`. Made by [`super::LstmConfig`].
pub type Lstm = Recurrent;

/// The gated recurrent unit (Cho 2014), gates in the order `r, z, n`. Made by [`super::GruConfig`].
pub type Gru = Recurrent;

/// A plain recurrent network (Elman 1990): `h = act(W x + b + U h_prev + b')`. Made by [`super::RnnConfig`].
pub type Rnn = Recurrent;

/// One direction of one layer. `suffix` ends its parameters' names: `_l0`, `_l0_reverse`.
#[derive(Debug, Clone)]
pub(super) struct Direction {
    pub(super) suffix: String,
    pub(super) weight_ih: Param<Tensor<2>>,
    pub(super) weight_hh: Param<Tensor<2>>,
    pub(super) bias: Option<[Param<Tensor<1>>; 2]>,
    pub(super) peephole: Option<Param<Tensor<1>>>,
}

impl Direction {
    fn tensors(&self) -> DirectionTensors {
        DirectionTensors {
            weight_ih: self.weight_ih.val(),
            weight_hh: self.weight_hh.val(),
            bias: self.bias.as_ref().map(|bias| bias.each_ref().map(Param::val)),
            peephole: self.peephole.as_ref().map(Param::val),
        }
    }

    pub(super) fn name(&self, kind: &str) -> String {
        format!("{kind}{}", self.suffix)
    }
}

impl Recurrent {
    pub(super) fn new(config: &RecurrentConfig, device: &Device) -> Result<Self, Error> {
        config.check()?;
        let (cell, hidden) = (config.kernel_cell(), config.hidden);
        let gates = cell.gates();
        let directions = config.directions();
        let bound = 1.0 / (hidden as f64).sqrt();
        let uniform = Initializer::Uniform { min: -bound, max: bound };
        let layers = (0..config.layers)
            .map(|layer| {
                let input = if layer == 0 { config.input } else { directions * hidden };
                (0..directions)
                    .map(|d| Direction {
                        suffix: format!("_l{layer}{}", if d == 0 { "" } else { "_reverse" }),
                        weight_ih: uniform.init([gates * hidden, input], device),
                        weight_hh: uniform.init([gates * hidden, hidden], device),
                        bias: config.bias.then(|| {
                            [0, 1].map(|which| {
                                let drawn = uniform.init([gates * hidden], device);
                                let forget = config.forget_bias.map(|bias| if which == 0 { bias } else { 0.0 });
                                forget.map_or(drawn.clone(), |forget| with_forget_bias(&drawn, hidden, forget))
                            })
                        }),
                        peephole: config.peepholes.then(|| uniform.init([3 * hidden], device)),
                    })
                    .collect()
            })
            .collect();
        let dropout = DropoutConfig::new(config.dropout).init();
        Ok(Recurrent { cell, input: config.input, hidden, layers, dropout, recompute: config.recompute })
    }

    /// The cell.
    pub fn cell(&self) -> Cell {
        Cell::of(self.cell)
    }

    /// `I`.
    pub fn input(&self) -> usize {
        self.input
    }

    /// `H`.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// `L`.
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// `D`: 1, or 2 for bidirectional layers.
    pub fn directions(&self) -> usize {
        self.layers[0].len()
    }

    /// Runs the layers over a batch.
    ///
    /// x: `[B, T, I]`; steps at or past `lengths[b]` are never read. lengths: `[B]`, each from 0 to `T`, in any order;
    /// `None`: all `T`. state: what the rows start from; `None`: zeros.
    ///
    /// # Errors
    /// When a shape or an element type does not fit, both sides named.
    pub fn forward(&self, x: Tensor<3>, lengths: Option<&[usize]>, state: Option<State>) -> Result<Output, Error> {
        self.run((x, lengths, state), 0.0, None)
    }

    /// As [`Recurrent::forward`], each recurrent weight zeroed with this probability and the others scaled to make up for it, on a
    /// device with autodiff alone: one draw for all rows and steps (DropConnect, Wan 2013; on recurrent weights Merity 2018,
    /// section 2).
    ///
    /// # Errors
    /// As [`Recurrent::forward`], and if the probability is none below 1.
    pub fn forward_with_weight_dropout(
        &self,
        x: Tensor<3>,
        lengths: Option<&[usize]>,
        state: Option<State>,
        probability: f64,
    ) -> Result<Output, Error> {
        if !(0.0..1.0).contains(&probability) {
            let (found, expected) = (probability.to_string(), "from 0 to below 1");
            return Err(Error::Config { name: "weight dropout", found, expected });
        }
        self.run((x, lengths, state), probability, None)
    }

    /// As [`Recurrent::forward`], with the same bits, and the gates and states of every step. The kernels run twice for
    /// them, and the trace holds all steps at once, in a layer that recomputes too.
    ///
    /// # Errors
    /// As [`Recurrent::forward`].
    pub fn forward_with_trace(
        &self,
        x: Tensor<3>,
        lengths: Option<&[usize]>,
        state: Option<State>,
    ) -> Result<(Output, Trace), Error> {
        let mut trace = Trace { layers: Vec::new() };
        let output = self.run((x, lengths, state), 0.0, Some(&mut trace))?;
        Ok((output, trace))
    }

    fn run(
        &self,
        (x, lengths, state): (Tensor<3>, Option<&[usize]>, Option<State>),
        weight_dropout: f64,
        mut trace: Option<&mut Trace>,
    ) -> Result<Output, Error> {
        let weight_dropout = if x.device().is_autodiff() { weight_dropout } else { 0.0 };
        let [batch, time, input] = x.dims();
        let directions = self.directions();
        self.check(&x, lengths, state.as_ref())?;
        let lengths: Option<Arc<[usize]>> = lengths.map(Arc::from);
        let mut sequence = x;
        let (mut finals, mut cells) = (Vec::new(), Vec::new());
        for (index, layer) in self.layers.iter().enumerate() {
            let spec = LayerSpec {
                cell: self.cell,
                dims: Dims {
                    batch,
                    time,
                    input: if index == 0 { input } else { directions * self.hidden },
                    hidden: self.hidden,
                    directions,
                },
                lengths: lengths.clone(),
                bias: layer[0].bias.is_some(),
                peephole: layer[0].peephole.is_some(),
                state: state.is_some(),
                recompute: self.recompute,
            };
            if index > 0 {
                sequence = dropout_layer(&self.dropout, sequence);
            }
            let own = |all: &Tensor<3>| all.clone().slice(index * directions..(index + 1) * directions);
            let h0 = state.as_ref().map(|state| own(&state.hidden));
            let c0 = state.as_ref().and_then(|state| state.cell.as_ref()).map(own);
            let dropping = |direction: &Direction| {
                let tensors = direction.tensors();
                DirectionTensors { weight_hh: dropout(tensors.weight_hh, weight_dropout), ..tensors }
            };
            let parameters = layer.iter().map(dropping).collect();
            let output = match &mut trace {
                None => recurrent(sequence, h0, c0, parameters, spec)?,
                Some(trace) => {
                    let (output, steps) = recurrent_with_steps(sequence, h0, c0, parameters, spec)?;
                    trace.layers.push(trace::layer(steps, &output.sequence));
                    output
                }
            };
            sequence = output.sequence;
            finals.push(output.hidden);
            cells.extend(output.cell);
        }
        let cell = self.cell.has_cell_state().then(|| cat(cells));
        Ok(Output { sequence, state: State { hidden: cat(finals), cell } })
    }

    /// One step of every row: x_t `[B, I]` to `[B, H]` and the new state. Stepping through a sequence gives what
    /// [`Recurrent::forward`] gives, bit for bit. For many steps of a finished model [`Recurrent::stepper`] is faster, and
    /// in training [`Recurrent::training_stepper`]: they pack the weights once.
    ///
    /// # Errors
    /// For a bidirectional layer, and when a shape or an element type does not fit.
    pub fn step(&self, x_t: Tensor<2>, state: Option<State>) -> Result<(Tensor<2>, State), Error> {
        if self.directions() > 1 {
            return Err(Error::StepBidirectional);
        }
        let output = self.forward(self.one_step(x_t)?, None, state)?;
        Ok((output.sequence.squeeze_dim(1), output.state))
    }

    /// A copy of the weights, packed to stream one step after another over plain slices.
    ///
    /// # Errors
    /// For a bidirectional layer.
    pub fn stepper(&self) -> Result<Stepper, Error> {
        Stepper::new(self)
    }

    /// The layers for the many steps of one sequence, in training too: the weights are packed once, and their gradients
    /// summed once.
    ///
    /// # Errors
    /// For a bidirectional layer, one that recomputes, and parameters of several element types.
    pub fn training_stepper(&self) -> Result<TrainingStepper, Error> {
        TrainingStepper::new(self)
    }

    /// All parameters by PyTorch's names.
    pub fn parameters(&self) -> BTreeMap<String, TensorData> {
        parameters::read(self, "")
    }

    /// The layers with these parameters, by PyTorch's names, every one of them and no other.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a name that is missing or unknown, or a shape that does not fit.
    pub fn with_parameters(self, parameters: BTreeMap<String, TensorData>) -> Result<Self, Error> {
        parameters::replace(self, parameters)
    }

    /// `[L]`: every layer's forward direction; an error where there is another.
    pub(crate) fn forward_only(&self) -> Result<Vec<DirectionTensors>, Error> {
        if self.directions() > 1 {
            return Err(Error::StepBidirectional);
        }
        Ok(self.layers.iter().map(|layer| layer[0].tensors()).collect())
    }

    pub(crate) fn kernel_cell(&self) -> KernelCell {
        self.cell
    }

    /// x_t `[B, I]` as `[B, 1, I]`. Burn adds no axis before one of size 0.
    pub(super) fn one_step(&self, x_t: Tensor<2>) -> Result<Tensor<3>, Error> {
        check::shape("x_t", &x_t, [x_t.dims()[0], self.input], "the layer's input size")?;
        Ok(x_t.unsqueeze_dim(1))
    }

    pub(super) fn recompute(&self) -> bool {
        self.recompute
    }

    pub(super) fn dropout(&self) -> &Dropout {
        &self.dropout
    }

    /// The probability of dropout between the layers, on a training device or not; 0 where nothing is dropped.
    pub(crate) fn drops(&self, training: bool) -> f64 {
        if self.layers.len() > 1 && training && self.dropout.training.is_enabled() { self.dropout.prob } else { 0.0 }
    }

    pub(crate) fn check(&self, x: &Tensor<3>, lengths: Option<&[usize]>, state: Option<&State>) -> Result<(), Error> {
        let [batch, time, input] = x.dims();
        let shape =
            |name, found: &[usize], expected: String| Err(Error::Shape { name, found: found.to_vec(), expected });
        if input != self.input {
            let expected = format!("[B, T, {}] (the layer's input size)", self.input);
            return shape("x", &[batch, time, input], expected);
        }
        let own = self.layers[0][0].weight_ih.val().dtype();
        let cell = state.and_then(|state| state.cell.as_ref());
        let states = [("state.hidden", state.map(|state| &state.hidden)), ("state.cell", cell)];
        for (name, found) in [("x", Some(x))].into_iter().chain(states) {
            let Some(found) = found.map(Tensor::dtype).filter(|&found| found != own) else { continue };
            return Err(Error::Type { name, found: format!("{found:?}"), expected: format!("{own:?}") });
        }
        if self.recompute && !on_flex(x) {
            let (found, expected) = ("true".into(), "false where the kernels do not run (Flex, f32)");
            return Err(Error::Config { name: "recompute", found, expected });
        }
        if let Some(lengths) = lengths {
            check::lengths(lengths, batch, time)?;
        }
        if state.is_none() {
            return Ok(());
        }
        let want = [self.layers.len() * self.directions(), batch, self.hidden];
        for (name, found) in states {
            let Some(found) = found else { continue };
            if found.dims() != want {
                return shape(name, &found.dims(), format!("{want:?} (layers times directions, rows of x, hidden)"));
            }
        }
        match (self.cell.has_cell_state(), cell.is_some()) {
            (true, false) => Err(Error::Cell { found: "lacks", layer: self.cell.name(), expected: "needs one" }),
            (false, true) => Err(Error::Cell { found: "has", layer: self.cell.name(), expected: "has none" }),
            _ => Ok(()),
        }
    }
}

/// The drawn biases with the forget gate's part set.
fn with_forget_bias(drawn: &Param<Tensor<1>>, hidden: usize, forget: f64) -> Param<Tensor<1>> {
    let values = drawn.val();
    let part = Tensor::full([hidden], forget, &values.device());
    Param::from_tensor(values.slice_assign(hidden..2 * hidden, part).detach())
}

/// One after another along the first axis, without a copy for one.
fn cat(mut tensors: Vec<Tensor<3>>) -> Tensor<3> {
    if tensors.len() == 1 { tensors.remove(0) } else { Tensor::cat(tensors, 0) }
}
