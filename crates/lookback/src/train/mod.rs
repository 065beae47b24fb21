//! Training: one loop for every task.
//!
//! A task says what its model is, what a batch costs and how good the model is ([`Task`]); the loop in [`run`] does
//! the rest: batches bucketed by length, a Burn optimiser under a schedule, clipping by global norm, averaged
//! weights, early stopping, and an end that never loses the best model found so far.
//!
//! The way through: [`TrainOptions`] as a person types them, [`TrainPlan`] once checked, [`run`], [`Outcome`].

mod adam;
mod average;
mod clipping;
mod options;
mod plan;
mod progress;
mod run;
mod schedule;
mod stop;

pub use average::Average;
pub use options::{AverageChoice, OptimizerChoice, ScheduleChoice, ScoreChoice, TrainOptions};
pub use plan::TrainPlan;
pub(crate) use plan::{below_one, not_negative, writable};
pub use progress::{EpochReport, Progress, Silent, StepReport, TerminalProgress};
pub use run::{End, Outcome, Task, Validation, run};
pub use stop::Stop;
