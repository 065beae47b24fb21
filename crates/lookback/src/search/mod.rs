//! Options found by trying them: successive halving (Jamieson and Talwalkar 2016) over the few options of a task that matter.
//!
//! Candidates are drawn from a seed ([`Candidates`]), the first of them what training does by itself. A round trains nine of them
//! for a ninth of the epochs, the best third of those for a third, and the best for all; rounds follow on one another until the
//! time is spent ([`run`]). Every trial is kept in a file as it ends ([`Trials`]), so that a search that was stopped goes on with
//! what it has found. What is tried, and in what order, depends on data, options and seed alone; the time says only how far it
//! goes.

mod candidates;
mod rounds;
mod trials;

pub use candidates::{Candidates, Choice};
pub use rounds::{Best, Trainer, run};
pub use trials::{Trial, Trials, WrongTrials};
