//! Moments of a grid, and how they are written.

use std::fmt::Write as _;

use chrono::{NaiveDateTime, NaiveTime};

use crate::data::series::TimeFormat;

/// Digits that a number of time is written with at most, where it is no whole number: what is added up step by step has
/// others behind them.
const DIGITS: usize = 12;

/// A moment of a grid.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub enum Moment {
    /// Where times are numbers, or there are none and steps are counted from 0.
    Number(f64),
    /// Where they are dates; in UTC where they were written with a time zone.
    Time(NaiveDateTime),
}

impl Moment {
    /// As a file writes it whose times have this form; a date of ISO 8601 has no time of day where that is midnight.
    pub fn text(&self, format: Option<&TimeFormat>) -> String {
        match (self, format) {
            (Moment::Number(number), _) => of_number(*number),
            (Moment::Time(time), Some(TimeFormat::Pattern(pattern))) => {
                let mut text = String::new();
                // A pattern may ask for a time zone, which such a moment has not.
                match write!(text, "{}", time.format(pattern)) {
                    Ok(()) => text,
                    Err(_) => iso(time),
                }
            }
            (Moment::Time(time), _) => iso(time),
        }
    }
}

fn iso(time: &NaiveDateTime) -> String {
    let pattern = if time.time() == NaiveTime::MIN { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M:%S%.f" };
    time.format(pattern).to_string()
}

fn of_number(number: f64) -> String {
    match number.fract() == 0.0 {
        true => number.to_string(),
        false => rounded(number, DIGITS).to_string(),
    }
}

/// The nearest number with so many digits.
pub(super) fn rounded(number: f64, digits: usize) -> f64 {
    format!("{number:.*e}", digits - 1).parse().unwrap_or(number)
}
