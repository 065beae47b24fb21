//! A layer run step by step in training.

use burn::tensor::Tensor;

use super::{Recurrent, State};
use crate::Error;
use crate::ops::{DirectionTensors, UnrolledLayer, dropout_layer, on_flex};

/// Recurrent layers for the many steps of one sequence, with gradients, where something stands between the steps, as in a
/// decoder.
///
/// It gives what [`Recurrent::step`] gives, but packs the weights once, and the gradients of the weights are one product
/// over all steps instead of one per step. It holds the weights as they were when it was made: make one
/// per sequence, and call `backward` once on what comes of it.
#[derive(Debug, Clone)]
pub struct TrainingStepper {
    recurrent: Recurrent,
    /// None where the kernels do not run.
    layers: Option<Vec<UnrolledLayer>>,
}

impl TrainingStepper {
    pub(super) fn new(recurrent: &Recurrent) -> Result<Self, Error> {
        let parameters = recurrent.steps_alone()?;
        let (cell, hidden, mut input) = (recurrent.kernel_cell(), recurrent.hidden(), recurrent.input());
        let kernels = parameters.iter().all(|layer| on_flex(&layer.weight_ih));
        let layers = kernels.then(|| {
            let layer = |parameters| {
                let own = std::mem::replace(&mut input, hidden);
                UnrolledLayer::new(cell, own, hidden, parameters)
            };
            parameters.into_iter().map(layer).collect()
        });
        Ok(TrainingStepper { recurrent: recurrent.clone(), layers })
    }

    /// One step of every row: x_t `[B, I]` to `[B, H]` and the new state. state: `None` means zeros.
    ///
    /// # Errors
    /// When a shape or an element type does not fit.
    pub fn step(&self, x_t: Tensor<2>, state: Option<State>) -> Result<(Tensor<2>, State), Error> {
        let ([batch, _], hidden) = (x_t.dims(), self.recurrent.hidden());
        let Some(layers) = self.layers.as_ref().filter(|_| batch > 0) else { return self.recurrent.step(x_t, state) };
        self.recurrent.check(&self.recurrent.one_step(x_t.clone())?, None, state.as_ref())?;
        let own = |all: &Tensor<3>, layer: usize| -> Tensor<2> {
            let one = if layers.len() == 1 { all.clone() } else { all.clone().slice(layer..layer + 1) };
            one.reshape([batch, hidden])
        };
        let (mut x, mut finals, mut cells) = (x_t, Vec::new(), Vec::new());
        for (index, layer) in layers.iter().enumerate() {
            if index > 0 {
                x = dropout_layer(self.recurrent.dropout(), x.unsqueeze_dim::<3>(1)).squeeze_dim(1);
            }
            let h = state.as_ref().map(|state| own(&state.hidden, index));
            let c = state.as_ref().and_then(|state| state.cell.as_ref()).map(|cell| own(cell, index));
            let (h, c) = layer.step(x, h, c);
            x = h.clone();
            finals.push(h.unsqueeze());
            cells.extend(c.map(|c| c.unsqueeze()));
        }
        let state =
            State { hidden: together(finals), cell: self.recurrent.cell().has_cell_state().then(|| together(cells)) };
        Ok((x, state))
    }
}

impl Recurrent {
    /// `[L]`: every layer's forward direction; an error where single steps in training are not possible.
    pub(crate) fn steps_alone(&self) -> Result<Vec<DirectionTensors>, Error> {
        let parameters = self.forward_only()?;
        if self.recompute() {
            let (found, expected) = ("true".into(), "false for single steps, which keep their gates");
            return Err(Error::Config { name: "recompute", found, expected });
        }
        for layer in &parameters {
            layer.check_types("weight_ih_l0", parameters[0].weight_ih.dtype())?;
        }
        Ok(parameters)
    }
}

/// `[L, B, H]` of `L` times `[1, B, H]`, without a copy for one.
fn together(mut layers: Vec<Tensor<3>>) -> Tensor<3> {
    if layers.len() == 1 { layers.remove(0) } else { Tensor::cat(layers, 0) }
}
