//! The configurations, one a layer.

use burn::tensor::Device;
use lookback_kernels::{Activation, Cell, Reset};

use super::layers::{Gru, Lstm, Rnn};
use super::stack::Stack;
use crate::{Error, check};

macro_rules! config {
    ($(#[$doc:meta])* $config:ident => $layer:ident, $cell:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $config(StackConfig);

        impl $config {
            /// One forward layer with biases, from `input` (`I`) to `hidden` (`H`).
            pub fn new(input: usize, hidden: usize) -> Self {
                $config(StackConfig {
                    cell: $cell,
                    input,
                    hidden,
                    layers: 1,
                    bidirectional: false,
                    bias: true,
                    dropout: 0.0,
                    forget_bias: None,
                    peepholes: false,
                    recompute: false,
                })
            }

            /// How many layers stand on one another (`L`). Default 1.
            pub fn with_layers(mut self, layers: usize) -> Self {
                self.0.layers = layers;
                self
            }

            /// Whether every layer also runs from the end to the start. Default false.
            pub fn with_bidirectional(mut self, bidirectional: bool) -> Self {
                self.0.bidirectional = bidirectional;
                self
            }

            /// Whether there are biases, two vectors as in PyTorch. Default true.
            pub fn with_bias(mut self, bias: bool) -> Self {
                self.0.bias = bias;
                self
            }

            /// The dropout on the outputs of every layer but the last, in training alone. Default 0.
            pub fn with_dropout(mut self, dropout: f64) -> Self {
                self.0.dropout = dropout;
                self
            }

            /// Whether the backward pass computes the gates again, segment of time by segment, instead of keeping them:
            /// less than half of the memory for long sequences, for one more forward pass. The gradients of the
            /// weights are then summed in another order, and differ in their last bits. Refused where the kernels do
            /// not run. Default false.
            pub fn with_recompute(mut self, recompute: bool) -> Self {
                self.0.recompute = recompute;
                self
            }

            /// A layer whose parameters are drawn from `U(-1/√H, 1/√H)`, as PyTorch draws them.
            ///
            /// # Errors
            /// [`Error::Config`] when a size is 0 or an option is out of its range, [`Error::TooLarge`] when no memory
            /// holds the parameters.
            pub fn init(&self, device: &Device) -> Result<$layer, Error> {
                Ok($layer(Stack::new(&self.0, device)?))
            }
        }
    };
}

config!(
    /// Configures an [`Rnn`] with tanh.
    RnnConfig => Rnn, Cell::Rnn(Activation::Tanh)
);
config!(
    /// Configures an [`Lstm`].
    LstmConfig => Lstm, Cell::Lstm
);
config!(
    /// Configures a [`Gru`] whose reset follows the product, as PyTorch's does.
    GruConfig => Gru, Cell::Gru(Reset::AfterProduct)
);

impl RnnConfig {
    /// The activation. Default tanh.
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.0.cell = Cell::Rnn(activation);
        self
    }
}

impl LstmConfig {
    /// What the forget gate's two biases sum to at the start, or as drawn. Default as drawn; 1 is the advice of
    /// Jozefowicz 2015.
    pub fn with_forget_bias(mut self, forget_bias: Option<f64>) -> Self {
        self.0.forget_bias = forget_bias;
        self
    }

    /// Whether the gates also see the cell (Gers and Schmidhuber 2000). Default false.
    pub fn with_peepholes(mut self, peepholes: bool) -> Self {
        self.0.peepholes = peepholes;
        self
    }
}

impl GruConfig {
    /// Where the reset gate is applied. Default after the product.
    pub fn with_reset(mut self, reset: Reset) -> Self {
        self.0.cell = Cell::Gru(reset);
        self
    }
}

/// The options of all three layers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StackConfig {
    pub(super) cell: Cell,
    pub(super) input: usize,
    pub(super) hidden: usize,
    pub(super) layers: usize,
    pub(super) bidirectional: bool,
    pub(super) bias: bool,
    pub(super) dropout: f64,
    pub(super) forget_bias: Option<f64>,
    pub(super) peepholes: bool,
    pub(super) recompute: bool,
}

impl StackConfig {
    pub(super) fn directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let StackConfig { input, hidden, layers, .. } = *self;
        check::sizes(&[("input", input), ("hidden", hidden), ("layers", layers)])?;
        check::dropout(self.dropout)?;
        let (directions, rows) = (self.directions(), check::times(self.cell.gates(), hidden));
        let between = check::times(directions, hidden);
        check::parameters(directions, &[("weight_ih", &[rows, input])])?;
        let each = check::times(directions, layers);
        check::parameters(each, &[("weight_hh", &[rows, hidden])])?;
        check::parameters(each - directions, &[("weight_ih", &[rows, between])])?;
        if self.forget_bias.is_some_and(|bias| !bias.is_finite()) {
            let found = format!("{:?}", self.forget_bias);
            return Err(Error::Config { name: "forget_bias", found, expected: "a finite number" });
        }
        if self.forget_bias.is_some() && !self.bias {
            let found = format!("{:?}", self.forget_bias);
            return Err(Error::Config { name: "forget_bias", found, expected: "none in a layer without biases" });
        }
        Ok(())
    }
}
