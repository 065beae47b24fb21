//! Errors, and the exit codes they become.

use std::error::Error as _;
use std::io::{self, Write as _};
use std::num::{IntErrorKind, ParseFloatError, ParseIntError};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use lookback_infer::error::{DataError, Error, ModelFileError, Overflow, PlanError};

use crate::insight::terminal;
use crate::tasks::WrongOptions;

/// The program was used wrongly: a sentence that names the option or input.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Somebody stopped the program; what was done until then is kept.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Interrupted(pub String);

/// Some inputs of a stream could not be answered; each had an error object in its place.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unanswered(pub String);

/// Writes an error to standard error and gives the exit code: 2 for wrong use or input, 3 where some inputs of a stream
/// were not answered, 130 after Ctrl-C, 1 for all else. Nobody reading the output any more is no error, as with every
/// program in a pipe.
pub fn report(error: &anyhow::Error) -> ExitCode {
    let usage = match error.downcast_ref::<WrongOptions>() {
        Some(WrongOptions::Usage(usage)) => Some(usage),
        _ => error.downcast_ref::<clap::Error>(),
    };
    if let Some(usage) = usage {
        print_usage(usage);
        return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
    }
    if is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    // Several rows are told on lines of their own.
    let _ = io::stderr().write_all(terminal::printable_lines(&format!("error: {}\n", sentence(error))).as_bytes());
    ExitCode::from(code(error))
}

/// The error and its causes, each said once: the text of many an error ends with that of its cause.
pub(super) fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = error.to_string();
    for cause in error.chain().skip(1) {
        let said = cause.to_string();
        if !sentence.contains(&said) {
            sentence = format!("{sentence}: {said}");
        }
    }
    sentence
}

/// Help, or what clap says of wrong arguments.
fn print_usage(usage: &clap::Error) {
    let typed_controls =
        || std::env::args_os().any(|typed| typed.to_string_lossy().chars().any(terminal::drives_terminal));
    let plain = match wrong_number(usage) {
        Some(sentence) => format!("error: {sentence}\n\nFor more information, try '--help'.\n"),
        // Without colours, so that whatever could drive the terminal is the caller's own and is escaped.
        None if typed_controls() => usage.render().to_string(),
        None => {
            let _ = usage.print();
            return;
        }
    };
    let _ = io::stderr().write_all(terminal::printable_lines(&plain).as_bytes());
}

/// What is wrong with a number on the command line, in place of the words that the parser of numbers has for it.
fn wrong_number(usage: &clap::Error) -> Option<String> {
    let (Some(ContextValue::String(flag)), Some(ContextValue::String(value))) =
        (usage.get(ContextKind::InvalidArg), usage.get(ContextKind::InvalidValue))
    else {
        return None;
    };
    let reason = usage.source()?;
    let expected = if let Some(error) = reason.downcast_ref::<ParseIntError>() {
        match error.kind() {
            IntErrorKind::PosOverflow => "a smaller number was expected".to_owned(),
            _ => "a whole number, 0 or above, was expected".to_owned(),
        }
    } else if reason.is::<ParseFloatError>() {
        "a number was expected".to_owned()
    } else {
        let reason = reason.to_string();
        let (least, most) = reason.split_once(" is not in ")?.1.split_once("..=")?;
        format!("a whole number from {least} to {most} was expected")
    };
    Some(format!("invalid value '{value}' for '{flag}': {expected}"))
}

fn code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        if cause.is::<Interrupted>() {
            return 130;
        }
        if cause.is::<Unanswered>() {
            return 3;
        }
        if cause.is::<WrongOptions>()
            || cause.is::<UsageError>()
            || cause.is::<DataError>()
            || cause.is::<Overflow>()
            || cause.is::<PlanError>()
        {
            return 2;
        }
        if let Some(error) = cause.downcast_ref::<ModelFileError>() {
            return model_file_code(error);
        }
        if let Some(error) = cause.downcast_ref::<Error>() {
            return match error {
                Error::Data(_) | Error::Overflow(_) | Error::Plan(_) => 2,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_said_once() {
        let source = io::Error::new(io::ErrorKind::PermissionDenied, "permission denied");
        let error = anyhow::Error::from(DataError::Io { file: "x.csv".into(), source });
        assert_eq!(sentence(&error), "x.csv: cannot be read: permission denied");
        assert_eq!(sentence(&error.context("the data")), "the data: x.csv: cannot be read: permission denied");
    }
}
