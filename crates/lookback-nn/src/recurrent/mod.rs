//! The recurrent layers.

mod config;
mod layers;
mod module;
mod state;
mod stepper;
#[cfg(test)]
mod tests;
mod trace;
mod training;

pub use config::{Cell, GruConfig, LstmConfig, RecurrentConfig, RnnConfig};
pub use layers::{Gru, Lstm, Recurrent, Rnn};
pub use state::{Output, SavedState, State};
pub use stepper::{Stepper, StepperState};
pub use trace::{DirectionTrace, Trace};
pub use training::TrainingStepper;
