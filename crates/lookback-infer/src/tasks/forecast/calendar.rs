//! What the time of a step says: the place in the day, the week and the year, each as a point on a circle.

use std::f64::consts::TAU;

use chrono::{Datelike, NaiveDateTime, Timelike};
use serde::{Deserialize, Serialize};

use crate::data::history::{Frequency, Moment};

/// A place in time that comes again; two channels, sine and cosine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum CalendarField {
    /// The time of day
    Hour,
    /// The day of the week
    Weekday,
    /// The day of the month
    Day,
    /// The month of the year
    Month,
    /// The day of the year
    YearDay,
}

impl CalendarField {
    /// Those that a frequency tells of.
    pub fn of(frequency: Frequency) -> Vec<CalendarField> {
        const DAY: u64 = 86_400;
        match frequency {
            Frequency::Seconds(seconds) if seconds < DAY => vec![CalendarField::Hour, CalendarField::Weekday],
            Frequency::Seconds(DAY) => vec![CalendarField::Weekday, CalendarField::YearDay],
            Frequency::BusinessDays => vec![CalendarField::Weekday, CalendarField::YearDay],
            Frequency::Seconds(seconds) if seconds < 60 * DAY => vec![CalendarField::YearDay],
            Frequency::Months(months) | Frequency::MonthEnds(months) if months < 12 => vec![CalendarField::Month],
            _ => Vec::new(),
        }
    }

    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            CalendarField::Hour => "hour",
            CalendarField::Weekday => "weekday",
            CalendarField::Day => "day",
            CalendarField::Month => "month",
            CalendarField::YearDay => "year-day",
        }
    }

    /// How much of its round has gone, from 0 to below 1.
    fn place(self, time: NaiveDateTime) -> f64 {
        let day = f64::from(time.num_seconds_from_midnight()) / 86_400.0;
        let first = |number: u32| f64::from(number) - 1.0;
        match self {
            CalendarField::Hour => day,
            CalendarField::Weekday => (f64::from(time.weekday().num_days_from_monday()) + day) / 7.0,
            CalendarField::Day => (first(time.day()) + day) / 31.0,
            CalendarField::Month => first(time.month()) / 12.0,
            CalendarField::YearDay => (first(time.ordinal()) + day) / 366.0,
        }
    }

    /// Adds its two channels; zeros of a step that has no date.
    pub(super) fn put(self, moment: Moment, channels: &mut Vec<f32>) {
        match moment {
            Moment::Time(time) => {
                let angle = TAU * self.place(time);
                channels.extend([angle.sin() as f32, angle.cos() as f32]);
            }
            Moment::Number(_) => channels.extend([0.0, 0.0]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_go_round() {
        let time = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
        for (field, text, expected) in [
            (CalendarField::Hour, "2024-02-29 06:00", 0.25),
            (CalendarField::Weekday, "2024-01-01 00:00", 0.0),
            (CalendarField::Weekday, "2024-01-04 12:00", 0.5),
            (CalendarField::Day, "2024-01-01 00:00", 0.0),
            (CalendarField::Month, "2024-07-31 23:00", 0.5),
            (CalendarField::YearDay, "2024-07-02 00:00", 0.5),
        ] {
            assert!((field.place(time(text)) - expected).abs() < 1e-9, "{field:?} of {text}");
        }
        let mut channels = Vec::new();
        CalendarField::Hour.put(Moment::Time(time("2024-02-29 06:00")), &mut channels);
        CalendarField::Hour.put(Moment::Number(3.0), &mut channels);
        assert!((channels[0] - 1.0).abs() < 1e-6 && channels[1].abs() < 1e-6 && channels[2..] == [0.0, 0.0]);
    }
}
