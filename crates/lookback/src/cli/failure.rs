//! Errors, and the exit codes they become.

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::error::{DataError, Error, ModelFileError};

/// The program was used wrongly: a sentence that names the option or input.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(pub String);

/// Somebody stopped the program; what was done until then is kept.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Interrupted(pub String);

/// Writes an error to standard error and gives the exit code: 2 for wrong use or input, 130 after Ctrl-C, 1 for all
/// else. Nobody reading the output any more is no error, as with every program in a pipe.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(usage) = error.downcast_ref::<clap::Error>() {
        let _ = usage.print();
        return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
    }
    if is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    let _ = writeln!(io::stderr(), "error: {error:#}");
    ExitCode::from(code(error))
}

fn code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if cause.is::<Interrupted>() {
            return 130;
        }
        if cause.is::<Wrong>() || cause.is::<DataError>() {
            return 2;
        }
        if let Some(error) = cause.downcast_ref::<ModelFileError>() {
            return model_file_code(error);
        }
        if let Some(error) = cause.downcast_ref::<Error>() {
            return match error {
                Error::Data(_) => 2,
                Error::ModelFile(error) => model_file_code(error),
            };
        }
    }
    1
}

/// A model that cannot be read is a wrong input; one that cannot be written is not.
fn model_file_code(error: &ModelFileError) -> u8 {
    if matches!(error, ModelFileError::Write { .. }) { 1 } else { 2 }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}
