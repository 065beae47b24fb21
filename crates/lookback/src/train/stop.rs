//! A request to stop that another thread, or Ctrl-C, may set.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks a running training to stop after the step it is in. Clones share the request.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks for the stop.
    pub fn request(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it was asked for.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
