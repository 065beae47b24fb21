//! The configurations: one for any cell, and one per layer with the options of its own.

use burn::tensor::Device;
use lookback_kernels::{Activation, Cell as KernelCell, Reset};

use super::layers::{Gru, Lstm, Recurrent, Rnn};
use crate::{Error, check};

/// The cell that a layer repeats over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cell {
    /// Long short-term memory (Hochreiter and Schmidhuber 1997, Gers 2000).
    Lstm,
    /// The gated recurrent unit (Cho 2014).
    Gru,
    /// Plain recurrence (Elman 1990).
    Rnn,
}

impl Cell {
    /// The cell's usual name.
    pub fn name(self) -> &'static str {
        match self {
            Cell::Lstm => "LSTM",
            Cell::Gru => "GRU",
            Cell::Rnn => "RNN",
        }
    }

    /// Whether the cell carries a cell state beside the hidden state.
    pub fn has_cell_state(self) -> bool {
        self == Cell::Lstm
    }

    pub(super) fn of(cell: KernelCell) -> Cell {
        match cell {
            KernelCell::Lstm => Cell::Lstm,
            KernelCell::Gru(_) => Cell::Gru,
            KernelCell::Rnn(_) => Cell::Rnn,
        }
    }
}

/// Configures a [`Recurrent`] of any cell. Options that the cell does not have are refused by
/// [`RecurrentConfig::init`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use lookback_nn::{Cell, RecurrentConfig};
///
/// let device = Device::default();
/// let layer = RecurrentConfig::new(Cell::Gru, 3, 8).with_layers(2).with_bidirectional(true).init(&device)?;
/// let output = layer.forward(Tensor::zeros([4, 5, 3], &device), Some(&[5, 0, 2, 3]), None)?;
/// assert_eq!(output.last_layer().dims(), [4, 16]);
/// # Ok::<(), lookback_nn::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RecurrentConfig {
    pub(super) cell: Cell,
    pub(super) input: usize,
    pub(super) hidden: usize,
    pub(super) layers: usize,
    pub(super) bidirectional: bool,
    pub(super) bias: bool,
    pub(super) dropout: f64,
    pub(super) recompute: bool,
    pub(super) forget_bias: Option<f64>,
    pub(super) peepholes: bool,
    pub(super) reset: Option<Reset>,
    pub(super) activation: Option<Activation>,
}

macro_rules! config {
    ($(#[$doc:meta])* $config:ident => $layer:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $config(RecurrentConfig);

        impl $config {
            /// One forward layer with biases, from `input` (`I`) to `hidden` (`H`).
            pub fn new(input: usize, hidden: usize) -> Self {
                $config(RecurrentConfig::new(Cell::$layer, input, hidden))
            }
        }

        options!($config, $layer, config => config.0);
    };
}

/// The options of every layer.
macro_rules! options {
    ($config:ident, $layer:ident, $self:ident => $inner:expr) => {
        impl $config {
            /// How many layers stand on one another (`L`). Default 1.
            pub fn with_layers(self, layers: usize) -> Self {
                let mut $self = self;
                $inner.layers = layers;
                $self
            }

            /// Whether every layer also runs from the end to the start. Default false.
            pub fn with_bidirectional(self, bidirectional: bool) -> Self {
                let mut $self = self;
                $inner.bidirectional = bidirectional;
                $self
            }

            /// Whether there are biases, two vectors as in PyTorch. Default true.
            pub fn with_bias(self, bias: bool) -> Self {
                let mut $self = self;
                $inner.bias = bias;
                $self
            }

            /// The dropout on the outputs of every layer but the last, in training alone. Default 0.
            pub fn with_dropout(self, dropout: f64) -> Self {
                let mut $self = self;
                $inner.dropout = dropout;
                $self
            }

            /// Activation (gradient) checkpointing: whether the backward pass computes the gates again, segment of time
            /// by segment, instead of keeping them. It takes less than half of the memory for long sequences, for one
            /// more forward pass. The gradients of the weights are then summed in another order, and differ in their
            /// last bits. Refused where the kernels do not run. Default false.
            pub fn with_recompute(self, recompute: bool) -> Self {
                let mut $self = self;
                $inner.recompute = recompute;
                $self
            }

            /// A layer whose parameters are drawn from `U(-1/√H, 1/√H)`, as PyTorch draws them.
            ///
            /// # Errors
            /// [`Error::Config`] when a size is 0, an option is out of its range, or the cell does not have it,
            /// [`Error::TooLarge`] when no memory holds the parameters.
            pub fn init(&self, device: &Device) -> Result<$layer, Error> {
                let $self = self;
                Recurrent::new(&$inner, device)
            }
        }
    };
}

options!(RecurrentConfig, Recurrent, config => config);
config!(
    /// Configures an [`Rnn`] with tanh.
    RnnConfig => Rnn
);
config!(
    /// Configures an [`Lstm`].
    LstmConfig => Lstm
);
config!(
    /// Configures a [`Gru`] whose reset follows the product, as PyTorch's does.
    GruConfig => Gru
);

impl RecurrentConfig {
    /// One forward layer of `cell` with biases, from `input` (`I`) to `hidden` (`H`).
    pub fn new(cell: Cell, input: usize, hidden: usize) -> Self {
        RecurrentConfig {
            cell,
            input,
            hidden,
            layers: 1,
            bidirectional: false,
            bias: true,
            dropout: 0.0,
            recompute: false,
            forget_bias: None,
            peepholes: false,
            reset: None,
            activation: None,
        }
    }

    /// LSTM: what the forget gate's two biases sum to at the start, or as drawn. Default as drawn; 1 is the advice of
    /// Jozefowicz 2015.
    pub fn with_forget_bias(mut self, forget_bias: Option<f64>) -> Self {
        self.forget_bias = forget_bias;
        self
    }

    /// LSTM: whether the gates also see the cell state (Gers and Schmidhuber 2000). Default false.
    pub fn with_peepholes(mut self, peepholes: bool) -> Self {
        self.peepholes = peepholes;
        self
    }

    /// GRU: where the reset gate is applied. Default after the product, as in PyTorch.
    pub fn with_reset(mut self, reset: Reset) -> Self {
        self.reset = Some(reset);
        self
    }

    /// RNN: the activation. Default tanh.
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = Some(activation);
        self
    }

    pub(super) fn directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }

    /// The kernels' cell, with the option that it alone has.
    pub(super) fn kernel_cell(&self) -> KernelCell {
        match self.cell {
            Cell::Lstm => KernelCell::Lstm,
            Cell::Gru => KernelCell::Gru(self.reset.unwrap_or_default()),
            Cell::Rnn => KernelCell::Rnn(self.activation.unwrap_or_default()),
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let RecurrentConfig { cell, input, hidden, layers, .. } = *self;
        check::sizes(&[("input", input), ("hidden", hidden), ("layers", layers)])?;
        check::dropout(self.dropout)?;
        let (directions, rows) = (self.directions(), check::times(self.kernel_cell().gates(), hidden));
        let between = check::times(directions, hidden);
        check::parameters(directions, &[("weight_ih", &[rows, input])])?;
        let each = check::times(directions, layers);
        check::parameters(each, &[("weight_hh", &[rows, hidden])])?;
        check::parameters(each - directions, &[("weight_ih", &[rows, between])])?;
        let refuse = |name, found, expected| Err(Error::Config { name, found, expected });
        let own = [
            ("forget_bias", self.forget_bias.map(|bias| format!("Some({bias:?})")), Cell::Lstm, "none outside an LSTM"),
            ("peepholes", self.peepholes.then(|| "true".into()), Cell::Lstm, "false outside an LSTM"),
            ("reset", self.reset.map(|reset| format!("{reset:?}")), Cell::Gru, "given to a GRU alone"),
            ("activation", self.activation.map(|act| format!("{act:?}")), Cell::Rnn, "given to a plain RNN alone"),
        ];
        for (name, given, has, expected) in own {
            if let Some(found) = given.filter(|_| cell != has) {
                return refuse(name, found, expected);
            }
        }
        let found = format!("{:?}", self.forget_bias);
        match self.forget_bias {
            Some(bias) if !bias.is_finite() => refuse("forget_bias", found, "a finite number"),
            Some(_) if !self.bias => refuse("forget_bias", found, "none in a layer without biases"),
            _ => Ok(()),
        }
    }
}

impl RnnConfig {
    /// The activation. Default tanh.
    pub fn with_activation(self, activation: Activation) -> Self {
        RnnConfig(self.0.with_activation(activation))
    }
}

impl LstmConfig {
    /// What the forget gate's two biases sum to at the start, or as drawn. Default as drawn; 1 is the advice of
    /// Jozefowicz 2015.
    pub fn with_forget_bias(self, forget_bias: Option<f64>) -> Self {
        LstmConfig(self.0.with_forget_bias(forget_bias))
    }

    /// Whether the gates also see the cell state (Gers and Schmidhuber 2000). Default false.
    pub fn with_peepholes(self, peepholes: bool) -> Self {
        LstmConfig(self.0.with_peepholes(peepholes))
    }
}

impl GruConfig {
    /// Where the reset gate is applied. Default after the product.
    pub fn with_reset(self, reset: Reset) -> Self {
        GruConfig(self.0.with_reset(reset))
    }
}
