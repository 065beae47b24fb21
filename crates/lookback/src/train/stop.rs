//! A request to stop that another thread, or Ctrl-C, may set.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks a running training to stop after the step it is in. Clones share the request.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    requested: Arc<AtomicBool>,
    /// Whether the program, where it listens to signals, ends at the next one: there is nothing to keep yet, or it was
    /// asked once before.
    at_once: Arc<AtomicBool>,
}

impl Stop {
    /// Asks for the stop.
    pub fn request(&self) {
        self.requested.store(true, Ordering::SeqCst);
    }

    /// Whether it was asked for.
    pub fn requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }

    /// From now on there is something to keep: the next signal lets the step in hand come to its end.
    pub(crate) fn training_begins(&self) {
        self.at_once.store(false, Ordering::SeqCst);
    }

    /// What a signal sets to ask for the stop.
    pub(crate) fn requested_flag(&self) -> &Arc<AtomicBool> {
        &self.requested
    }

    /// Whether a signal ends the program.
    pub(crate) fn at_once_flag(&self) -> &Arc<AtomicBool> {
        &self.at_once
    }
}
