//! The threads that everything is computed on.

use std::error::Error as _;

use anyhow::anyhow;
use clap::Args;
use lookback_infer::memory_limit::system_gives;
use serde::{Deserialize, Serialize};

use super::UsageError;

/// The most threads that can be asked for: more than the cores of any machine, few enough for every system.
const MOST: usize = 1024;

/// As much stack as the main thread has.
const STACK: usize = 8 << 20;
/// What a thread takes beside its stack: where the system does not give that, a thread that has begun ends the process.
const BESIDE: usize = 1 << 20;

/// With how many threads everything is computed.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Threads {
    /// Threads to compute with [default: one per core]
    #[arg(long, global = true, value_name = "N")]
    pub(super) threads: Option<usize>,
}

/// Starts as many threads as were asked for, or one per core.
pub(super) fn start(asked: Option<usize>) -> anyhow::Result<()> {
    if let Some(threads) = asked
        && !(1..=MOST).contains(&threads)
    {
        return Err(UsageError(format!("--threads is {threads}; it must be from 1 to {MOST}")).into());
    }
    let mut pool = rayon::ThreadPoolBuilder::new().num_threads(asked.unwrap_or(0)).stack_size(STACK);
    if asked == Some(1) {
        // The one that is there: this works where the system gives no other.
        pool = pool.use_current_thread();
    }
    let refused = |reason: &dyn std::fmt::Display| {
        let threads = asked.map_or_else(|| "one thread per core".to_owned(), |threads| format!("{threads} threads"));
        anyhow!("the system does not give {threads}: {reason}; ask for fewer, down to --threads 1")
    };
    let begun = asked.unwrap_or(0).saturating_sub(1) as u64;
    if !system_gives(begun * (STACK + BESIDE) as u64) {
        return Err(refused(&"it has no memory for them"));
    }
    match pool.build_global() {
        Ok(()) => Ok(()),
        Err(error) => match error.source() {
            Some(refusal) => Err(refused(&refusal)),
            // A pool that stands already, from a test in the same process, stays.
            None => Ok(()),
        },
    }
}
