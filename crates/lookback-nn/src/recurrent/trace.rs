//! What a layer computed on the way: gates, cell states and hidden states of every step.

use burn::tensor::{Tensor, TensorCreationOptions};

use crate::ops::DirectionSteps;

/// Gates and states of every step of every layer, for looking at: outside of any graph, without gradients.
#[derive(Debug, Clone)]
pub struct Trace {
    /// `[L][D]`: layer by layer, in each the forward direction first.
    pub layers: Vec<Vec<DirectionTrace>>,
}

/// Every step of one direction of one layer. The time axis is that of the input also where the direction reads it from the
/// end: index `t` is what was computed at `x_t`. All is zero at and past `lengths[b]`.
#[derive(Debug, Clone)]
pub struct DirectionTrace {
    /// `[B, T, H]` each, by name and after its activation. LSTM: `input`, `forget`, `candidate` (the cell input `g`) and
    /// `output`; GRU: `reset`, `update` and `candidate` (`n`); RNN: none.
    pub gates: Vec<(&'static str, Tensor<3>)>,
    /// `[B, T, H]`, LSTM only: the cell state after each step.
    pub cell: Option<Tensor<3>>,
    /// `[B, T, H]`: the hidden state after each step.
    pub hidden: Tensor<3>,
}

impl DirectionTrace {
    /// The gate of that name, `[B, T, H]`.
    pub fn gate(&self, name: &str) -> Option<&Tensor<3>> {
        self.gates.iter().find(|(own, _)| *own == name).map(|(_, gate)| gate)
    }
}

/// One layer's trace. sequence: its outputs, `[B, T, D*H]`.
pub(super) fn layer(steps: Vec<DirectionSteps>, sequence: &Tensor<3>) -> Vec<DirectionTrace> {
    let [batch, time, width] = sequence.dims();
    let hidden = width / steps.len().max(1);
    let state = |direction: usize| match batch * time {
        // Burn takes no slice of nothing.
        0 => Tensor::zeros([batch, time, hidden], TensorCreationOptions::from((&sequence.device(), sequence.dtype()))),
        _ => {
            let own = direction * hidden..(direction + 1) * hidden;
            sequence.clone().detach().slice([0..batch, 0..time, own])
        }
    };
    let one = |(direction, DirectionSteps { gates, cell }): (usize, DirectionSteps)| DirectionTrace {
        gates,
        cell,
        hidden: state(direction),
    };
    steps.into_iter().enumerate().map(one).collect()
}
