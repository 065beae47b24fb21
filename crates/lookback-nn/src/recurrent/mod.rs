//! The recurrent layers.

mod config;
mod layers;
mod stack;
mod state;
mod stepper;
mod unrolled;

pub use config::{GruConfig, LstmConfig, RnnConfig};
pub use layers::{Gru, Lstm, Rnn};
pub use state::{Output, SavedState, State};
pub use stepper::{Stepper, StepperState};
pub use unrolled::Unrolled;
