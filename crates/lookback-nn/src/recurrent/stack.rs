//! Any number of recurrent layers on one another: what the public layers share.

use std::sync::Arc;

use burn::module::{Content, Initializer, Module, ModuleMapper, ModuleVisitor, Param};
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Tensor};
use lookback_kernels::{Cell, Dims};

use super::config::StackConfig;
use super::{Output, State};
use crate::ops::{DirectionTensors, LayerSpec, dropout_layer, on_flex, recurrent};
use crate::{Error, check};

/// One direction of one layer. `suffix` ends its parameters' names: `_l0`, `_l0_reverse`.
#[derive(Debug, Clone)]
struct Direction {
    suffix: String,
    weight_ih: Param<Tensor<2>>,
    weight_hh: Param<Tensor<2>>,
    bias: Option<[Param<Tensor<1>>; 2]>,
    peephole: Option<Param<Tensor<1>>>,
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

    fn name(&self, kind: &str) -> String {
        format!("{kind}{}", self.suffix)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Stack {
    cell: Cell,
    input: usize,
    hidden: usize,
    /// `[L][D]`.
    layers: Vec<Vec<Direction>>,
    dropout: Dropout,
    recompute: bool,
}

impl Stack {
    pub(super) fn new(config: &StackConfig, device: &Device) -> Result<Self, Error> {
        config.check()?;
        let (hidden, gates) = (config.hidden, config.cell.gates());
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
        Ok(Stack { cell: config.cell, input: config.input, hidden, layers, dropout, recompute: config.recompute })
    }

    pub(super) fn cell(&self) -> Cell {
        self.cell
    }

    pub(super) fn input(&self) -> usize {
        self.input
    }

    pub(super) fn hidden(&self) -> usize {
        self.hidden
    }

    fn directions(&self) -> usize {
        self.layers[0].len()
    }

    /// `[L]`: every layer's forward direction; an error where there is another.
    pub(super) fn forward_only(&self) -> Result<Vec<DirectionTensors>, Error> {
        if self.directions() > 1 {
            return Err(Error::StepBidirectional);
        }
        Ok(self.layers.iter().map(|layer| layer[0].tensors()).collect())
    }

    pub(super) fn forward(
        &self,
        x: Tensor<3>,
        lengths: Option<&[usize]>,
        state: Option<State>,
    ) -> Result<Output, Error> {
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
            let output = recurrent(sequence, h0, c0, layer.iter().map(Direction::tensors).collect(), spec)?;
            sequence = output.sequence;
            finals.push(output.hidden);
            cells.extend(output.cell);
        }
        let cell = self.cell.has_cell_state().then(|| cat(cells));
        Ok(Output { sequence, state: State { hidden: cat(finals), cell } })
    }

    pub(super) fn step(&self, x_t: Tensor<2>, state: Option<State>) -> Result<(Tensor<2>, State), Error> {
        if self.directions() > 1 {
            return Err(Error::StepBidirectional);
        }
        let output = self.forward(self.one_step(x_t)?, None, state)?;
        Ok((output.sequence.squeeze_dim(1), output.state))
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

    pub(super) fn check(&self, x: &Tensor<3>, lengths: Option<&[usize]>, state: Option<&State>) -> Result<(), Error> {
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

    pub(super) fn describe(&self, content: Content) -> Option<Content> {
        content
            .add("input", &self.input)
            .add("hidden", &self.hidden)
            .add("layers", &self.layers.len())
            .add("directions", &self.directions())
            .optional()
    }

    /// The same stack with every parameter replaced.
    fn each(
        mut self,
        mut matrix: impl FnMut(Param<Tensor<2>>, &str) -> Param<Tensor<2>>,
        mut vector: impl FnMut(Param<Tensor<1>>, &str) -> Param<Tensor<1>>,
    ) -> Self {
        self.layers = self
            .layers
            .into_iter()
            .map(|layer| {
                layer
                    .into_iter()
                    .map(|direction| {
                        let name = |kind: &str| format!("{kind}{}", direction.suffix);
                        Direction {
                            weight_ih: matrix(direction.weight_ih, &name("weight_ih")),
                            weight_hh: matrix(direction.weight_hh, &name("weight_hh")),
                            bias: direction
                                .bias
                                .map(|[ih, hh]| [vector(ih, &name("bias_ih")), vector(hh, &name("bias_hh"))]),
                            peephole: direction.peephole.map(|p| vector(p, &name("weight_peephole"))),
                            suffix: direction.suffix,
                        }
                    })
                    .collect()
            })
            .collect();
        self
    }
}

impl Module for Stack {
    fn collect_devices(&self, devices: Vec<Device>) -> Vec<Device> {
        self.layers.iter().flatten().fold(devices, |devices, direction| {
            let devices = direction.weight_hh.collect_devices(direction.weight_ih.collect_devices(devices));
            let vectors = direction.bias.iter().flatten().chain(&direction.peephole);
            vectors.fold(devices, |devices, vector| vector.collect_devices(devices))
        })
    }

    fn fork(self, device: &Device) -> Self {
        self.each(|p, _| p.fork(device), |p, _| p.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.each(|p, _| p.to_device(device), |p, _| p.to_device(device))
    }

    fn train(mut self) -> Self {
        self.dropout = self.dropout.train();
        self.each(|p, _| p.train(), |p, _| p.train())
    }

    fn valid(&self) -> Self {
        let mut stack = self.clone().each(|p, _| p.valid(), |p, _| p.valid());
        stack.dropout = self.dropout.valid();
        stack
    }

    fn materialize(self) -> Self {
        self.each(|p, _| p.materialize(), |p, _| p.materialize())
    }

    fn visit<Visitor: ModuleVisitor>(&self, visitor: &mut Visitor) {
        fn one<Visitor: ModuleVisitor, const R: usize>(visitor: &mut Visitor, name: &str, param: &Param<Tensor<R>>) {
            visitor.enter_module(name, "Recurrent");
            param.visit(visitor);
            visitor.exit_module(name, "Recurrent");
        }
        for direction in self.layers.iter().flatten() {
            one(visitor, &direction.name("weight_ih"), &direction.weight_ih);
            one(visitor, &direction.name("weight_hh"), &direction.weight_hh);
            for (param, name) in direction.bias.iter().flatten().zip(["bias_ih", "bias_hh"]) {
                one(visitor, &direction.name(name), param);
            }
            if let Some(peephole) = &direction.peephole {
                one(visitor, &direction.name("weight_peephole"), peephole);
            }
        }
        self.dropout.visit(visitor);
    }

    fn map<Mapper: ModuleMapper>(mut self, mapper: &mut Mapper) -> Self {
        fn one<Mapper: ModuleMapper, const R: usize>(
            mapper: &mut Mapper,
            name: &str,
            param: Param<Tensor<R>>,
        ) -> Param<Tensor<R>> {
            mapper.enter_module(name, "Recurrent");
            let param = Module::map(param, mapper);
            mapper.exit_module(name, "Recurrent");
            param
        }
        let mapper = std::cell::RefCell::new(mapper);
        let dropout = self.dropout.clone().map(&mut **mapper.borrow_mut());
        self.dropout = dropout;
        self.each(
            |param, name| one(&mut **mapper.borrow_mut(), name, param),
            |param, name| one(&mut **mapper.borrow_mut(), name, param),
        )
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
