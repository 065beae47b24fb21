//! `--max-memory`, of every command that runs a model.

use clap::Args;
use lookback_infer::memory_limit::MemoryLimit;

/// The bound on what one batch may take.
#[derive(Args, Debug)]
pub(super) struct MaxMemory {
    /// Most memory in MiB that one batch may take. A batch over it is computed in parts; a row over it alone is refused
    #[arg(long, value_name = "MIB", default_value_t)]
    pub(super) max_memory: MemoryLimit,
}
