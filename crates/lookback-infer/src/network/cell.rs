//! The recurrent cells by name.

use serde::{Deserialize, Serialize};

/// The recurrent cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Cell {
    /// Long short-term memory (Hochreiter and Schmidhuber 1997)
    #[default]
    Lstm,
    /// Gated recurrent unit (Cho 2014)
    Gru,
    /// Plain recurrence with tanh (Elman 1990)
    Rnn,
}

impl Cell {
    /// The name that people read.
    pub fn name(self) -> &'static str {
        match self {
            Cell::Lstm => "LSTM",
            Cell::Gru => "GRU",
            Cell::Rnn => "RNN",
        }
    }

    /// The kernels' cell: of a GRU the one whose reset follows the product, as in PyTorch.
    pub fn kernel(self) -> lookback_kernels::Cell {
        match self {
            Cell::Lstm => lookback_kernels::Cell::Lstm,
            Cell::Gru => lookback_kernels::Cell::Gru(lookback_kernels::Reset::AfterProduct),
            Cell::Rnn => lookback_kernels::Cell::Rnn(lookback_kernels::Activation::Tanh),
        }
    }

    /// Numbers per unit and step that training keeps for the backward pass: the gates with what they read and make.
    pub(crate) fn kept(self) -> usize {
        match self {
            Cell::Lstm | Cell::Gru => 5,
            Cell::Rnn => 2,
        }
    }
}
