//! What plans name, as layers have it.

use burn::tensor::Tensor;
use lookback_infer::network::{Cell, DecoderScore};
use lookback_nn::State;
use lookback_nn::attention::Score;

use super::encoder::Encoded;

/// The cell of a layer.
pub(crate) fn cell_of(cell: Cell) -> lookback_nn::Cell {
    match cell {
        Cell::Lstm => lookback_nn::Cell::Lstm,
        Cell::Gru => lookback_nn::Cell::Gru,
        Cell::Rnn => lookback_nn::Cell::Rnn,
    }
}

/// The score of a decoder of so many hidden units.
pub(crate) fn score_of(score: DecoderScore, hidden: usize) -> Score {
    match score {
        DecoderScore::General => Score::General,
        DecoderScore::Additive => Score::Additive { hidden },
        DecoderScore::Dot => Score::Dot,
        DecoderScore::ScaledDot => Score::ScaledDot,
    }
}

impl Encoded {
    /// The final states of the encoder's layers as those with which as many layers of a decoder begin: `[L*D, B, H]` as `[L, B, D*H]`.
    /// `None` without layers.
    pub(crate) fn first_of_decoder(&self, layers: usize) -> Option<State> {
        let beside = |states: Tensor<3>| {
            let [all, rows, each] = states.dims();
            let directions = all / layers;
            let states = states.reshape([layers, directions, rows, each]).swap_dims(1, 2);
            states.reshape([layers, rows, directions * each])
        };
        let State { hidden, cell } = self.state.clone()?;
        Some(State { hidden: beside(hidden), cell: cell.map(beside) })
    }
}
