//! The cells: the only list of them.

use crate::cell::Form;
use crate::gru::Reset;
use crate::rnn::Activation;

/// The kind of cell that a layer repeats over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cell {
    /// `h = act(W x + b + U h + b')`.
    Rnn(Activation),
    /// Long short-term memory with forget gate, gates in the order `i, f, g, o`.
    Lstm,
    /// Gated recurrent unit, gates in the order `r, z, n`.
    Gru(Reset),
}

/// Every cell with every option, for tables of tests.
pub const CELLS: [Cell; 5] = [
    Cell::Rnn(Activation::Tanh),
    Cell::Rnn(Activation::Relu),
    Cell::Lstm,
    Cell::Gru(Reset::AfterProduct),
    Cell::Gru(Reset::BeforeProduct),
];

/// The value of an expression in which a name stands for the [`crate::cell::CellKernel`] of a cell.
macro_rules! with_kernel {
    ($cell:expr, $kernel:ident => $value:expr) => {
        match $cell {
            $crate::Cell::Rnn(activation) => {
                let $kernel = $crate::rnn::Rnn(activation);
                $value
            }
            $crate::Cell::Lstm => {
                let $kernel = $crate::lstm::Lstm;
                $value
            }
            $crate::Cell::Gru(reset) => {
                let $kernel = $crate::gru::Gru(reset);
                $value
            }
        }
    };
}
pub(crate) use with_kernel;

impl Cell {
    /// What the engine must know of the cell.
    pub(crate) fn form(self) -> &'static Form {
        use crate::cell::CellKernel;
        with_kernel!(self, kernel => kernel.form())
    }

    /// `G`: how many gates stand in the weights.
    pub fn gates(self) -> usize {
        self.form().gates()
    }

    /// The gates' names, in the order of the weights: none for a plain RNN, whose only gate is its output. `candidate` is
    /// an LSTM's `g` (the cell input) and a GRU's `n`.
    pub fn gate_names(self) -> &'static [&'static str] {
        self.form().gate_names
    }

    /// Whether the cell carries a cell state beside the hidden state.
    pub fn has_cell_state(self) -> bool {
        self.form().cell_state.is_some()
    }

    /// The cell's usual name.
    pub fn name(self) -> &'static str {
        self.form().name
    }
}
