//! How far apart the steps of a grid are.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike as _, Days, Months, NaiveDate, NaiveDateTime, TimeDelta};
use serde::{Deserialize, Serialize};

use super::moment::Moment;
use crate::error::counted;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;

/// The step of a grid. As text it is a number, or what it is called: `hour`, `15 minutes`, `business day`, `month end`. The names
/// that pandas has are read as well, such as `h`, `15min`, `B`, `W-SUN`, `MS` and `ME`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Frequency {
    /// So much, where times are numbers; above 0.
    Number(f64),
    /// So many seconds; at least 1.
    Seconds(u64),
    /// So many months, at least 1, on the day of the month that the first step has, or the last where the month is shorter.
    Months(u32),
    /// So many months, at least 1, on the last day of each.
    MonthEnds(u32),
    /// One day; Saturdays and Sundays are left out.
    BusinessDays,
}

impl Frequency {
    /// The moment that comes so many steps after `start`, or before it; the first or last that there is where it would be past
    /// that. It is `start` itself where one of both is of numbers and the other is not. On a grid of business days a Saturday
    /// or Sunday counts as the Monday after it.
    pub fn after(&self, start: Moment, steps: i64) -> Moment {
        match (*self, start) {
            (Frequency::Number(step), Moment::Number(start)) => Moment::Number(start + step * steps as f64),
            (Frequency::Number(_), Moment::Time(_)) | (_, Moment::Number(_)) => start,
            (_, Moment::Time(start)) => {
                let end = if steps < 0 { NaiveDateTime::MIN } else { NaiveDateTime::MAX };
                Moment::Time(self.time_after(start, steps).unwrap_or(end))
            }
        }
    }

    /// Nothing where there is no such time.
    pub(super) fn time_after(&self, start: NaiveDateTime, steps: i64) -> Option<NaiveDateTime> {
        match *self {
            Frequency::Number(_) => Some(start),
            Frequency::Seconds(seconds) => {
                let seconds = i64::try_from(seconds).ok()?.checked_mul(steps)?;
                start.checked_add_signed(TimeDelta::try_seconds(seconds)?)
            }
            Frequency::Months(months) => months_after(start, months, steps),
            Frequency::MonthEnds(months) => {
                let first = start.date().with_day(1)?.and_time(start.time());
                last_of_month(months_after(first, months, steps)?)
            }
            Frequency::BusinessDays => {
                let number = business_day(start.date()).checked_add(steps)?;
                Some(of_business_day(number)?.and_time(start.time()))
            }
        }
    }

    /// How many steps make the usual season: a day of times of day, but 60 steps where a day has more than 1,440 of them; a week of
    /// days, a year of weeks and months; 1 of years, of numbers, and of steps of which no whole number makes a season.
    pub fn season(&self) -> usize {
        let whole = |season: u64, step: u64| if step > 0 && season.is_multiple_of(step) { season / step } else { 1 };
        let steps = match *self {
            Frequency::Number(_) => 1,
            Frequency::Seconds(seconds) if seconds < MINUTE => 60,
            Frequency::Seconds(seconds) if seconds < DAY => whole(DAY, seconds),
            Frequency::Seconds(seconds) if seconds < WEEK => whole(WEEK, seconds),
            Frequency::Seconds(seconds) => whole(52 * WEEK, seconds),
            Frequency::Months(months) | Frequency::MonthEnds(months) => whole(12, u64::from(months)),
            Frequency::BusinessDays => 5,
        };
        usize::try_from(steps).unwrap_or(1)
    }

    /// Whether both have the same length; months may end on different days.
    pub(super) fn is_as_long_as(&self, other: &Frequency) -> bool {
        match (self, other) {
            (
                Frequency::Months(months) | Frequency::MonthEnds(months),
                Frequency::Months(others) | Frequency::MonthEnds(others),
            ) => months == others,
            _ => self == other,
        }
    }

    /// The same months on other days.
    pub(super) fn sibling(&self) -> Option<Frequency> {
        match *self {
            Frequency::Months(months) => Some(Frequency::MonthEnds(months)),
            Frequency::MonthEnds(months) => Some(Frequency::Months(months)),
            _ => None,
        }
    }
}

fn months_after(start: NaiveDateTime, months: u32, steps: i64) -> Option<NaiveDateTime> {
    let months = Months::new(u32::try_from(steps.unsigned_abs().checked_mul(u64::from(months))?).ok()?);
    if steps < 0 { start.checked_sub_months(months) } else { start.checked_add_months(months) }
}

fn last_of_month(time: NaiveDateTime) -> Option<NaiveDateTime> {
    let next = time.date().with_day(1)?.checked_add_months(Months::new(1))?;
    Some(next.checked_sub_days(Days::new(1))?.and_time(time.time()))
}

/// How many business days lie between the first of the calendar, a Monday, and this day; of a Saturday or Sunday that is the
/// number of the Monday after it.
pub(super) fn business_day(date: NaiveDate) -> i64 {
    let days = i64::from(date.num_days_from_ce()) - 1;
    5 * days.div_euclid(7) + days.rem_euclid(7).min(5)
}

fn of_business_day(number: i64) -> Option<NaiveDate> {
    let days = number.div_euclid(5).checked_mul(7)? + number.rem_euclid(5) + 1;
    NaiveDate::from_num_days_from_ce_opt(i32::try_from(days).ok()?)
}

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let several = |f: &mut fmt::Formatter<'_>, count: u64, unit: &str| match count {
            1 => f.write_str(unit),
            _ => f.write_str(&counted(usize::try_from(count).unwrap_or(usize::MAX), unit)),
        };
        match *self {
            Frequency::Number(step) => write!(f, "{step}"),
            Frequency::BusinessDays => f.write_str("business day"),
            Frequency::Seconds(seconds) => {
                let units = [(WEEK, "week"), (DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")];
                let (length, unit) =
                    units.into_iter().find(|(length, _)| seconds.is_multiple_of(*length)).unwrap_or((1, "second"));
                several(f, seconds / length, unit)
            }
            Frequency::Months(months) => match months {
                3 => f.write_str("quarter"),
                _ if months.is_multiple_of(12) => several(f, u64::from(months / 12), "year"),
                _ => several(f, u64::from(months), "month"),
            },
            Frequency::MonthEnds(months) => match months {
                3 => f.write_str("quarter end"),
                _ if months.is_multiple_of(12) => several(f, u64::from(months / 12), "year end"),
                _ => several(f, u64::from(months), "month end"),
            },
        }
    }
}

impl FromStr for Frequency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "{text:?} is no step between times; hour, 15 minutes, day, business day, week, month, month end, quarter, year, \
                 or a number above 0 where times are numbers, was expected"
            )
        };
        let said = text.trim();
        if let Ok(number) = said.parse::<f64>() {
            return if number.is_finite() && number > 0.0 { Ok(Frequency::Number(number)) } else { Err(refused()) };
        }
        let unit = said.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let digits = &said[..said.len() - unit.len()];
        let count = if digits.is_empty() { Some(1) } else { digits.parse().ok().filter(|&count| count > 0) };
        count.and_then(|count| unit_called(unit.trim_start())?.times(count)).ok_or_else(refused)
    }
}

impl Frequency {
    /// So many of these in one step.
    fn times(self, count: u64) -> Option<Frequency> {
        let months = |months: u32| months.checked_mul(u32::try_from(count).ok()?);
        match self {
            Frequency::Seconds(seconds) => seconds.checked_mul(count).map(Frequency::Seconds),
            Frequency::Months(one) => months(one).map(Frequency::Months),
            Frequency::MonthEnds(one) => months(one).map(Frequency::MonthEnds),
            Frequency::Number(_) | Frequency::BusinessDays => (count == 1).then_some(self),
        }
    }
}

/// One step of a unit, by its name in pandas, which has capitals, or by the word in whatever case.
fn unit_called(name: &str) -> Option<Frequency> {
    // A week of pandas may end on another day than Sunday, and a year in another month than December, as in "W-MON".
    let anchored = name.split_once('-').map_or(name, |(unit, _)| unit);
    match anchored {
        "W" => return Some(Frequency::Seconds(WEEK)),
        "QS" => return Some(Frequency::Months(3)),
        "Q" | "QE" => return Some(Frequency::MonthEnds(3)),
        "YS" | "AS" => return Some(Frequency::Months(12)),
        "Y" | "YE" | "A" => return Some(Frequency::MonthEnds(12)),
        _ => {}
    }
    match name {
        "S" | "s" => return Some(Frequency::Seconds(1)),
        "T" => return Some(Frequency::Seconds(MINUTE)),
        "H" | "h" => return Some(Frequency::Seconds(HOUR)),
        "D" | "d" => return Some(Frequency::Seconds(DAY)),
        "B" => return Some(Frequency::BusinessDays),
        "MS" => return Some(Frequency::Months(1)),
        "M" | "ME" => return Some(Frequency::MonthEnds(1)),
        _ => {}
    }
    let word = name.to_lowercase();
    match word.strip_suffix('s').unwrap_or(&word) {
        "second" | "sec" => Some(Frequency::Seconds(1)),
        "minute" | "min" => Some(Frequency::Seconds(MINUTE)),
        "hour" => Some(Frequency::Seconds(HOUR)),
        "day" => Some(Frequency::Seconds(DAY)),
        "business day" => Some(Frequency::BusinessDays),
        "week" => Some(Frequency::Seconds(WEEK)),
        "month" => Some(Frequency::Months(1)),
        "quarter" => Some(Frequency::Months(3)),
        "year" => Some(Frequency::Months(12)),
        "month end" => Some(Frequency::MonthEnds(1)),
        "quarter end" => Some(Frequency::MonthEnds(3)),
        "year end" => Some(Frequency::MonthEnds(12)),
        _ => None,
    }
}

impl TryFrom<String> for Frequency {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Frequency> for String {
    fn from(frequency: Frequency) -> String {
        frequency.to_string()
    }
}
