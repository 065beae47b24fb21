//! Memory that is kept between calls.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};

/// Scratch memory of the kernels.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) recurrent: lookback_kernels::Workspace,
    pub(crate) attention: lookback_kernels::attention::Workspace,
}

/// One workspace for every caller that there has been at once. Each grows to its largest call and is kept.
#[derive(Default)]
pub(crate) struct Workspaces(Mutex<Vec<Workspace>>);

impl Workspaces {
    /// A workspace that nobody else has, until it is dropped. The lock is not held meanwhile.
    pub(crate) fn take(&self) -> Taken<'_> {
        // Whatever a caller that panicked left in one: it is never read before it is written.
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Taken { workspace: free.unwrap_or_default(), from: self }
    }
}

impl fmt::Debug for Workspaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workspaces").finish_non_exhaustive()
    }
}

/// A workspace, given back when it is dropped.
pub(crate) struct Taken<'a> {
    workspace: Workspace,
    from: &'a Workspaces,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let workspace = std::mem::take(&mut self.workspace);
        self.from.0.lock().unwrap_or_else(PoisonError::into_inner).push(workspace);
    }
}

impl Deref for Taken<'_> {
    type Target = Workspace;

    fn deref(&self) -> &Workspace {
        &self.workspace
    }
}

impl DerefMut for Taken<'_> {
    fn deref_mut(&mut self) -> &mut Workspace {
        &mut self.workspace
    }
}
