//! The threads that everything is computed on.

use std::error::Error as _;

use anyhow::anyhow;

use super::Wrong;

/// The most threads that can be asked for: more than the cores of any machine, few enough for every system.
const MOST: usize = 1024;

/// Starts as many threads as were asked for, or one a core.
pub(super) fn start(asked: Option<usize>) -> anyhow::Result<()> {
    if let Some(threads) = asked
        && !(1..=MOST).contains(&threads)
    {
        return Err(Wrong(format!("--threads is {threads}; it must be from 1 to {MOST}")).into());
    }
    // As much stack as the main thread has.
    let mut pool = rayon::ThreadPoolBuilder::new().num_threads(asked.unwrap_or(0)).stack_size(8 << 20);
    if asked == Some(1) {
        // The one that is there: this works where the system gives no other.
        pool = pool.use_current_thread();
    }
    match pool.build_global() {
        Ok(()) => Ok(()),
        Err(error) => match error.source() {
            Some(refusal) => {
                let threads =
                    asked.map_or_else(|| "one thread a core".to_owned(), |threads| format!("{threads} threads"));
                Err(anyhow!("the system does not give {threads}: {refusal}; ask for fewer, down to --threads 1"))
            }
            // A pool that stands already, from a test in the same process, stays.
            None => Ok(()),
        },
    }
}
