//! The steps of a grid that an axis of time names.

use chrono::{Datelike as _, NaiveDateTime, Timelike as _};

use super::frequency::{DAY, Frequency};
use super::moment::Moment;

/// Units of times of day, in seconds.
const SECONDS: [u64; 13] = [1, 5, 10, 15, 30, 60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600];
/// Units of months.
const MONTHS: [i64; 4] = [1, 3, 6, 12];
/// Units of years, and what steps that are numbers are multiplied by, up to powers of ten.
const ROUND: [i64; 3] = [1, 2, 5];
/// The largest power of ten that a step is multiplied by.
const LARGEST: u32 = 9;

impl Frequency {
    /// Of so many steps from `start` on those that an axis names, in order: the ones at which a round unit of time begins, an hour, a
    /// day, a Monday, a month, a year, or a round number, of the smallest unit that begins at most `most` times. Where none
    /// begins twice, steps that are evenly apart.
    pub fn marks(&self, start: Moment, steps: usize, most: usize) -> Vec<usize> {
        let most = most.max(2);
        if steps <= most {
            return (0..steps).collect();
        }
        // One before the first, so that a unit can begin with it.
        let moments: Vec<Moment> = (-1..steps as i64).map(|step| self.after(start, step)).collect();
        let begins = |unit: &dyn Fn(Moment) -> i64| -> Vec<usize> {
            let pairs = moments.windows(2).enumerate();
            pairs.filter(|(_, pair)| unit(pair[0]) != unit(pair[1])).map(|(step, _)| step).collect()
        };
        let found = self.units().iter().map(|unit| begins(unit)).find(|marks| marks.len() <= most);
        match found {
            Some(marks) if marks.len() > 1 => marks,
            _ => (0..most).map(|place| place * (steps - 1) / (most - 1)).collect(),
        }
    }

    /// What tells to which unit of time a moment belongs, the smallest unit first.
    fn units(&self) -> Vec<Box<dyn Fn(Moment) -> i64>> {
        let mut units: Vec<Box<dyn Fn(Moment) -> i64>> = Vec::new();
        if let Frequency::Number(step) = *self {
            for power in 0..=LARGEST {
                for round in ROUND {
                    let unit = step * (round * 10i64.pow(power)) as f64;
                    // A number that was added up step by step is a hair off.
                    units.push(Box::new(move |moment| match moment {
                        Moment::Number(number) => (number / unit + 1e-6).floor() as i64,
                        Moment::Time(_) => 0,
                    }));
                }
            }
            return units;
        }
        let mut push = |unit: fn(&NaiveDateTime, i64) -> i64, size: i64| {
            units.push(Box::new(move |moment| match moment {
                Moment::Time(time) => unit(&time, size),
                Moment::Number(_) => 0,
            }));
        };
        for size in SECONDS {
            push(|time, size| seconds(time).div_euclid(size), size as i64);
        }
        push(|time, _| i64::from(time.num_days_from_ce()), 1);
        push(|time, _| (i64::from(time.num_days_from_ce()) - 1).div_euclid(7), 1);
        for size in MONTHS {
            push(|time, size| (12 * i64::from(time.year()) + i64::from(time.month0())).div_euclid(size), size);
        }
        for size in [2, 5, 10, 20, 50, 100, 200, 500, 1000] {
            push(|time, size| i64::from(time.year()).div_euclid(size), size);
        }
        units
    }
}

/// Since the first day of the calendar.
fn seconds(time: &NaiveDateTime) -> i64 {
    i64::from(time.num_days_from_ce()) * DAY as i64 + i64::from(time.num_seconds_from_midnight())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_units_of_time_are_named() {
        let time = |text: &str| Moment::Time(text.parse().unwrap());
        let number = Moment::Number;
        for (frequency, start, steps, most, expected) in [
            (Frequency::Number(1.0), number(97.0), 30, 8, vec![3, 8, 13, 18, 23, 28]),
            (Frequency::Number(0.1), number(0.0), 30, 4, vec![0, 10, 20]),
            (Frequency::Number(1.0), number(0.0), 3, 8, vec![0, 1, 2]),
            (Frequency::Months(1), time("2020-11-30T00:00:00"), 40, 5, vec![2, 14, 26, 38]),
            (Frequency::MonthEnds(3), time("1950-03-31T00:00:00"), 100, 6, vec![0, 20, 40, 60, 80]),
            (Frequency::Seconds(3600), time("2024-02-28T05:00:00"), 72, 8, vec![7, 19, 31, 43, 55, 67]),
            (Frequency::Seconds(86_400), time("2024-02-28T00:00:00"), 40, 7, vec![5, 12, 19, 26, 33]),
            (Frequency::BusinessDays, time("2024-02-28T00:00:00"), 20, 4, vec![3, 8, 13, 18]),
            // Nothing round begins twice.
            (Frequency::Seconds(1), time("2024-02-28T05:00:01"), 4, 2, vec![0, 3]),
        ] {
            assert_eq!(frequency.marks(start, steps, most), expected, "{frequency} from {start:?}");
        }
        assert!(Frequency::Seconds(86_400).marks(Moment::Time(NaiveDateTime::MAX), 100, 5).len() <= 5);
    }
}
