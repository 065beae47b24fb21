//! Errors of options and plans.

use std::fmt::Display;

use thiserror::Error;

/// An option, or several together, by which nothing can be made or trained.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A value that the option does not take.
    #[error("--{option} is {found}; it must be {expected}")]
    Value {
        /// The option, as the flag has it, without dashes.
        option: &'static str,
        /// The value found.
        found: String,
        /// The values that work.
        expected: String,
    },
    /// An option that does not go with another one, or with the data.
    #[error("--{option} {problem}")]
    Conflict {
        /// The option, as the flag has it, without dashes.
        option: &'static str,
        /// What it does not go with, and why.
        problem: String,
    },
    /// What the options ask for does not fit the data or the memory.
    #[error("{0}")]
    Unfit(String),
}

impl PlanError {
    /// A value that the option does not take.
    pub fn value(option: &'static str, found: impl Display, expected: impl Into<String>) -> Self {
        PlanError::Value { option, found: found.to_string(), expected: expected.into() }
    }

    /// An option that does not go with another one, or with the data.
    pub fn conflict(option: &'static str, problem: impl Into<String>) -> Self {
        PlanError::Conflict { option, problem: problem.into() }
    }
}

/// Refuses the first option that is said, since it `problem`.
///
/// # Errors
/// If there is one.
pub fn refuse(said: impl IntoIterator<Item = (&'static str, bool)>, problem: &str) -> Result<(), PlanError> {
    match said.into_iter().find(|(_, said)| *said) {
        Some((option, _)) => Err(PlanError::conflict(option, problem)),
        None => Ok(()),
    }
}

/// A size from 1 to `most`.
///
/// # Errors
/// If it is none.
pub fn size(option: &'static str, value: usize, most: usize) -> Result<(), PlanError> {
    match value {
        0 => Err(PlanError::value(option, value, format!("from 1 to {most}"))),
        _ if value > most => Err(PlanError::value(option, value, format!("from 1 to {most}"))),
        _ => Ok(()),
    }
}

/// At least `least`, and no more than TOML can hold, in which options are shown.
///
/// # Errors
/// If it is less or more.
pub fn at_least(least: usize, option: &'static str, value: usize) -> Result<(), PlanError> {
    writable(option, value as u64)?;
    if value < least { Err(PlanError::value(option, value, format!("at least {least}"))) } else { Ok(()) }
}

/// Options are kept and shown as TOML, which has no integer above this.
///
/// # Errors
/// If the value is above it.
pub fn writable(option: &'static str, value: u64) -> Result<(), PlanError> {
    const MOST: u64 = i64::MAX as u64;
    if value > MOST { Err(PlanError::value(option, value, format!("at most {MOST}"))) } else { Ok(()) }
}

/// Above 0, and finite.
///
/// # Errors
/// If it is not.
pub fn positive(option: &'static str, value: f64) -> Result<(), PlanError> {
    let fits = value.is_finite() && value > 0.0;
    if fits { Ok(()) } else { Err(PlanError::value(option, value, "above 0")) }
}

/// 0 or above, and finite.
///
/// # Errors
/// If it is not.
pub fn not_negative(option: &'static str, value: f64) -> Result<(), PlanError> {
    let fits = value.is_finite() && value >= 0.0;
    if fits { Ok(()) } else { Err(PlanError::value(option, value, "0 or above")) }
}

/// A share: from 0 up to, but not including, 1.
///
/// # Errors
/// If it is none.
pub fn below_one(option: &'static str, value: f64) -> Result<(), PlanError> {
    if (0.0..1.0).contains(&value) { Ok(()) } else { Err(PlanError::value(option, value, "from 0 to below 1")) }
}

/// Above 0 and at most a million: what scales are.
///
/// # Errors
/// If it is not.
pub fn scale(option: &'static str, value: f64) -> Result<(), PlanError> {
    let fits = value > 0.0 && value <= 1e6;
    if fits { Ok(()) } else { Err(PlanError::value(option, value, "above 0 and at most 1000000")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_told_with_its_option_and_what_would() {
        let cases = [
            (size("hidden", 0, 64), "--hidden is 0; it must be from 1 to 64"),
            (size("hidden", 65, 64), "--hidden is 65; it must be from 1 to 64"),
            (at_least(3, "max-vocabulary", 2), "--max-vocabulary is 2; it must be at least 3"),
            (positive("clip", f64::INFINITY), "--clip is inf; it must be above 0"),
            (not_negative("warmup", -1.0), "--warmup is -1; it must be 0 or above"),
            (below_one("dropout", 1.0), "--dropout is 1; it must be from 0 to below 1"),
            (scale("embedding-scale", f64::NAN), "--embedding-scale is NaN; it must be above 0 and at most 1000000"),
            (writable("seed", u64::MAX), "--seed is 18446744073709551615; it must be at most 9223372036854775807"),
        ];
        for (found, expected) in cases {
            assert_eq!(found.unwrap_err().to_string(), expected);
        }
        assert!(size("hidden", 1, 1).is_ok() && below_one("dropout", 0.0).is_ok() && writable("seed", 3).is_ok());
    }
}
