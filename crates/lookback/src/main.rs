//! The `lookback` program: see `lookback --help`.

use std::process::ExitCode;

/// Training frees and asks for the same large blocks every step; the system's allocator gives them back to the
/// kernel in between, and a tenth of the time went into page faults.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match lookback::cli::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => lookback::cli::report(&error),
    }
}
