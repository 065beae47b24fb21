//! Training: one loop for every task.
//!
//! A task says what its network is, what a batch costs and how good the network is ([`Objective`]); the loop does the
//! rest: batches bucketed by length, an optimiser under a schedule, clipping by global norm, averaged weights, early
//! stopping, ensembles, checkpoints, and an end that never loses the best network found so far.
//!
//! The way through: [`TrainOptions`] as a person types them, [`TrainPlan`] once checked, [`train`], [`Ensemble`].

mod adam;
mod average;
pub mod batches;
mod checkpoint;
mod clipping;
mod ensemble;
mod files;
mod init;
mod log;
mod numbered;
mod objective;
mod optimizer_state;
mod options;
mod plan;
mod pretrained;
mod progress;
mod run;
mod schedule;
pub mod split;
mod state;
mod stop;
mod tables;
mod token_batches;

pub use average::Average;
pub use checkpoint::{Checkpoint, Every, Identity};
pub(crate) use checkpoint::{Part, by_name, hash};
pub use ensemble::{Ensemble, Session, train};
pub(crate) use files::Files;
pub use init::Init;
pub(crate) use init::begin;
pub use log::Log;
pub use objective::{Loss, Objective};
pub use options::{AverageChoice, OptimizerChoice, ScheduleChoice, TrainOptions};
use plan::BATCH_SIZE;
pub use plan::{TrainPlan, ValidationPlan};
pub(crate) use pretrained::{NOT_WITH_INIT, Pretrained};
pub use progress::{EpochReport, Progress, Silent, StepReport, TerminalProgress};
pub use run::End;
pub use stop::Stop;
pub(crate) use tables::check_tables;
