//! Recurrent layers as Burn modules, on fused kernels.
//!
//! [`Recurrent`] layers with the names [`Rnn`], [`Lstm`] and [`Gru`], stacked and bidirectional, over ragged batches. On Burn's `Flex` backend the
//! kernels of `lookback-kernels` run, in training and in inference; on every other backend the same layer is
//! composed of Burn's own operations and gives the same numbers.
//!
//! # Legend of shapes
//! `B` batch, `T` time, `I` input, `H` hidden, `L` layers, `D` directions (1 or 2), `G` gates.
//!
//! # Example
//! ```
//! use burn::tensor::{Device, Distribution, Tensor};
//! use lookback_nn::LstmConfig;
//!
//! let device = Device::default();
//! let lstm = LstmConfig::new(3, 8).with_layers(2).with_bidirectional(true).init(&device)?;
//! let x = Tensor::<3>::random([4, 5, 3], Distribution::Default, &device);
//! let output = lstm.forward(x, Some(&[5, 0, 2, 3]), None)?;
//! assert_eq!(output.sequence.dims(), [4, 5, 16]);
//! assert_eq!(output.state.hidden.dims(), [4, 4, 8]);
//! # Ok::<(), lookback_nn::Error>(())
//! ```

pub mod attention;
mod check;
mod crf;
pub mod decoder;
mod error;
mod linear;
pub mod ops;
pub mod parameters;
mod recurrent;

pub use crf::{Crf, CrfConfig};
pub use error::Error;
pub use linear::{Linear, LinearConfig};
pub use lookback_kernels::{Activation, Reset};
pub use recurrent::{
    Cell, DirectionTrace, Gru, GruConfig, Lstm, LstmConfig, Output, Recurrent, RecurrentConfig, Rnn, RnnConfig,
    SavedState, State, Stepper, StepperState, Trace, TrainingStepper,
};
