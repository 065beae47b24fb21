//! The `lookback` program: see `lookback --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match lookback::cli::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => lookback::cli::report(&error),
    }
}
