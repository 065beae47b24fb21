//! A stack of recurrent layers by the kernels, over plain slices.

use lookback_kernels::{
    Activation, Cell, Dims, InputGradients, Inputs, Outputs, Packed, Reset, Saving, Upstream, WeightGradients, Weights,
    Workspace, backward, backward_recomputing, forward, forward_owned, saved_len, segment,
};

use crate::options::{Layer, Mode, RecurrentShape};
use crate::{Case, Work};

/// Kinds of parameters of a direction, in PyTorch's order.
const KINDS: [&str; 4] = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];

/// The stack and all its buffers.
pub(crate) struct Kernels {
    shape: RecurrentShape,
    mode: Mode,
    threads: usize,
    cell: Cell,
    x: Vec<f32>,
    layers: Vec<OneLayer>,
    /// The gradient of the summed output.
    ones: Vec<f32>,
    gradient_x: Vec<f32>,
    workspace: Workspace,
}

struct OneLayer {
    dims: Dims,
    /// `[D]` of `KINDS`.
    parameters: Vec<[Vec<f32>; 4]>,
    gradients: Vec<[Vec<f32>; 4]>,
    packed: Packed,
    y: Vec<f32>,
    h_n: Vec<f32>,
    c_n: Vec<f32>,
    saved: Vec<f32>,
    /// The gradient that flows in from the layer above.
    upstream: Vec<f32>,
}

impl OneLayer {
    fn weights(parameters: &[[Vec<f32>; 4]]) -> Vec<Weights<'_>> {
        parameters
            .iter()
            .map(|[weight_ih, weight_hh, bias_ih, bias_hh]| Weights {
                weight_ih,
                weight_hh,
                bias_ih: Some(bias_ih),
                bias_hh: Some(bias_hh),
                peephole: None,
            })
            .collect()
    }
}

impl Kernels {
    pub(crate) fn new(shape: &RecurrentShape, mode: Mode, threads: usize, case: &Case) -> anyhow::Result<Self> {
        let cell = match shape.layer {
            Layer::Rnn => Cell::Rnn(Activation::Tanh),
            Layer::Gru => Cell::Gru(Reset::AfterProduct),
            _ => Cell::Lstm,
        };
        let RecurrentShape { batch, time, hidden, directions, .. } = *shape;
        let train = mode == Mode::Train;
        let keep = train && !shape.recompute;
        let (outputs, states) = (batch * time * directions * hidden, directions * batch * hidden);
        let mut layers = Vec::new();
        for layer in 0..shape.layers {
            let dims = Dims { batch, time, input: shape.input_of(layer), hidden, directions };
            let parameters: Vec<[Vec<f32>; 4]> = (0..directions)
                .map(|direction| {
                    let end = RecurrentShape::suffix(layer, direction);
                    KINDS.map(|kind| case.values(&format!("param.{kind}{end}")).to_vec())
                })
                .collect();
            layers.push(OneLayer {
                dims,
                gradients: if train { parameters.clone() } else { Vec::new() },
                packed: Packed::new(cell, &dims, &OneLayer::weights(&parameters))?,
                parameters,
                y: vec![0.0; outputs],
                h_n: vec![0.0; states],
                c_n: vec![0.0; states],
                saved: vec![0.0; if keep { saved_len(cell, &dims, shape.lengths.as_deref())? } else { 0 }],
                upstream: vec![0.0; if train && layer + 1 < shape.layers { outputs } else { 0 }],
            });
        }
        let x = case.values("input.x").to_vec();
        Ok(Kernels {
            shape: shape.clone(),
            mode,
            threads,
            cell,
            ones: vec![1.0; if train { outputs } else { 0 }],
            gradient_x: vec![0.0; if train { x.len() } else { 0 }],
            x,
            layers,
            workspace: Workspace::default(),
        })
    }

    fn backward(&mut self) -> anyhow::Result<()> {
        for index in (0..self.layers.len()).rev() {
            let (below, own_and_above) = self.layers.split_at_mut(index);
            let (layer, above) = own_and_above.split_first_mut().expect("the index is of a layer");
            let (x, gradient_x) = match below.last_mut() {
                Some(below) => (below.y.as_slice(), &mut below.upstream),
                None => (self.x.as_slice(), &mut self.gradient_x),
            };
            let upstream = if above.is_empty() { &self.ones } else { &layer.upstream };
            let inputs = Inputs { x, lengths: self.shape.lengths.as_deref(), h0: None, c0: None };
            let upstream = Upstream { y: Some(upstream), h_n: None, c_n: None };
            if self.shape.recompute {
                let wanted =
                    [[true, false, false].to_vec(), [true, true, true, true, false].repeat(layer.dims.directions)];
                let mut gradients = backward_recomputing(
                    self.cell,
                    &layer.dims,
                    &OneLayer::weights(&layer.parameters),
                    &inputs,
                    &layer.y,
                    (segment(layer.dims.time), &layer.saved),
                    &upstream,
                    &wanted.concat(),
                    &mut self.workspace,
                    self.threads,
                )?
                .into_iter();
                *gradient_x = gradients.next().flatten().unwrap_or_default();
                let of_weights = layer.gradients.iter_mut().flatten();
                of_weights.zip(gradients.flatten()).for_each(|(to, gradient)| *to = gradient);
                continue;
            }
            let mut gradients: Vec<_> = layer
                .gradients
                .iter_mut()
                .map(|[weight_ih, weight_hh, bias_ih, bias_hh]| WeightGradients {
                    weight_ih: Some(weight_ih),
                    weight_hh: Some(weight_hh),
                    bias_ih: Some(bias_ih),
                    bias_hh: Some(bias_hh),
                    peephole: None,
                })
                .collect();
            backward(
                self.cell,
                &layer.dims,
                &OneLayer::weights(&layer.parameters),
                &inputs,
                &layer.y,
                &layer.saved,
                &upstream,
                InputGradients { x: Some(gradient_x), h0: None, c0: None },
                &mut gradients,
                &mut self.workspace,
                self.threads,
            )?;
        }
        Ok(())
    }
}

impl Work for Kernels {
    fn run(&mut self) -> anyhow::Result<()> {
        let train = self.mode == Mode::Train;
        for index in 0..self.layers.len() {
            let (below, own) = self.layers.split_at_mut(index);
            let layer = &mut own[0];
            if train {
                // Training changes the weights, so a step packs them anew; a finished model packs them once.
                layer.packed = Packed::new(self.cell, &layer.dims, &OneLayer::weights(&layer.parameters))?;
            }
            let x = below.last().map_or(self.x.as_slice(), |below| below.y.as_slice());
            let inputs = Inputs { x, lengths: self.shape.lengths.as_deref(), h0: None, c0: None };
            if self.shape.recompute {
                let saving = Saving::Checkpoints { segment: segment(layer.dims.time) };
                let (made, between) = forward_owned(
                    self.cell,
                    &layer.dims,
                    &layer.packed,
                    &inputs,
                    saving,
                    &mut self.workspace,
                    self.threads,
                )?;
                let len = layer.y.len();
                (layer.y, layer.saved) = (made, between);
                layer.y.truncate(len);
                continue;
            }
            forward(
                self.cell,
                &layer.dims,
                &layer.packed,
                &inputs,
                Outputs {
                    y: &mut layer.y,
                    h_n: &mut layer.h_n,
                    c_n: self.cell.has_cell_state().then_some(&mut layer.c_n),
                },
                train.then_some(&mut layer.saved),
                &mut self.workspace,
                self.threads,
            )?;
        }
        if train { self.backward() } else { Ok(()) }
    }

    fn results(&mut self) -> anyhow::Result<Case> {
        let RecurrentShape { batch, time, input, hidden, directions, .. } = self.shape;
        let mut results = Case::default();
        let last = self.layers.last().expect("there is a layer");
        results.put("y", &[batch, time, directions * hidden], last.y.clone());
        if self.mode == Mode::Train {
            results.put("grad.x", &[batch, time, input], self.gradient_x.clone());
            for (index, layer) in self.layers.iter().enumerate() {
                for (direction, gradients) in layer.gradients.iter().enumerate() {
                    let end = RecurrentShape::suffix(index, direction);
                    let rows = self.shape.gates() * hidden;
                    let shapes = [vec![rows, layer.dims.input], vec![rows, hidden], vec![rows], vec![rows]];
                    for ((kind, shape), gradient) in KINDS.iter().zip(shapes).zip(gradients) {
                        results.put(format!("grad.param.{kind}{end}"), &shape, gradient.clone());
                    }
                }
            }
        }
        Ok(results)
    }
}
