//! The recurrent layers, whichever cell they have.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use lookback_nn::{Gru, GruConfig, Lstm, LstmConfig, Rnn, RnnConfig};

use super::config::ModelPlan;
use super::model::Cell;

/// Recurrent layers of one kind.
#[derive(Module, Debug)]
pub(crate) enum Recurrent {
    /// Long short-term memory.
    Lstm(Lstm),
    /// Gated recurrent unit.
    Gru(Gru),
    /// Plain recurrence.
    Rnn(Rnn),
}

impl Recurrent {
    /// Layers that read vectors of `width` numbers.
    pub(crate) fn new(plan: &ModelPlan, width: usize, device: &Device) -> Result<Recurrent, String> {
        let dropout = if plan.layers > 1 { plan.layer_dropout } else { 0.0 };
        let recurrent = match plan.cell {
            Cell::Lstm => LstmConfig::new(width, plan.hidden)
                .with_layers(plan.layers)
                .with_bidirectional(plan.bidirectional)
                .with_recompute(plan.recompute)
                .with_dropout(dropout)
                .with_forget_bias(plan.forget_bias)
                .init(device)
                .map(Recurrent::Lstm),
            Cell::Gru => GruConfig::new(width, plan.hidden)
                .with_layers(plan.layers)
                .with_bidirectional(plan.bidirectional)
                .with_recompute(plan.recompute)
                .with_dropout(dropout)
                .init(device)
                .map(Recurrent::Gru),
            Cell::Rnn => RnnConfig::new(width, plan.hidden)
                .with_layers(plan.layers)
                .with_bidirectional(plan.bidirectional)
                .with_recompute(plan.recompute)
                .with_dropout(dropout)
                .init(device)
                .map(Recurrent::Rnn),
        };
        recurrent.map_err(|error| error.to_string())
    }

    /// x: `[B, T, I]`. Gives the outputs `[B, T, D*H]` of the last layer and its final hidden states `[B, D*H]`.
    ///
    /// # Panics
    /// If the shapes do not fit, which a batch made for this network's input cannot bring about.
    pub(crate) fn forward(&self, x: Tensor<3>, lengths: &[usize]) -> (Tensor<3>, Tensor<2>) {
        let [batch, _, _] = x.dims();
        let output = match self {
            Recurrent::Lstm(lstm) => {
                lstm.forward(x, Some(lengths), None).map(|output| (output.sequence, output.state.hidden))
            }
            Recurrent::Gru(gru) => {
                gru.forward(x, Some(lengths), None).map(|output| (output.sequence, output.state.hidden))
            }
            Recurrent::Rnn(rnn) => {
                rnn.forward(x, Some(lengths), None).map(|output| (output.sequence, output.state.hidden))
            }
        };
        let (sequence, hidden) =
            output.unwrap_or_else(|error| panic!("a batch fits the network it was made for: {error}"));
        let [states, _, units] = hidden.dims();
        let directions = sequence.dims()[2] / units;
        // [L*D, B, H]: the last layer's directions stand last.
        let last = hidden.slice([states - directions..states, 0..batch, 0..units]);
        (sequence, last.swap_dims(0, 1).reshape([batch, directions * units]))
    }
}
