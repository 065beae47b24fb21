//! What a forward pass leaves for the backward pass.

use std::sync::{Mutex, PoisonError};

/// Empty until something is put there, and again once it is taken.
#[derive(Debug)]
pub(super) struct Left<X>(Mutex<Option<X>>);

impl<X> Default for Left<X> {
    fn default() -> Left<X> {
        Left(Mutex::new(None))
    }
}

impl<X> Left<X> {
    pub(super) fn put(&self, x: X) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(x);
    }

    pub(super) fn take(&self) -> Option<X> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// In a backward pass.
    pub(super) fn of_forward(&self) -> X {
        self.take().expect("the forward pass has run before the backward pass")
    }
}
