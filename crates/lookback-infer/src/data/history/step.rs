//! How far apart the steps of a file are: found out by its times, or as told.
//!
//! # How the frequency is found out
//! By all differences between one time of a series and its next, of all series together. It is the commonest difference, where
//! all are whole multiples of that; else the largest of which they are, where no more than three steps of four would then be
//! gaps; else the commonest again, and the times that do not fit are refused. Dates more than half of whose differences are whole
//! months step in months, and on the last day of each where all stand there; days of which none is a Saturday or Sunday, but some
//! lie on both sides of one, are business days.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::Path;

use chrono::{Datelike as _, Days, NaiveDateTime, Weekday};

use super::clock::Clock;
use super::frequency::{DAY, Frequency, business_day};
use super::grid::Rows;
use super::moment::{Moment, rounded};
use crate::data::series::times::Times;
use crate::error::DataError;

/// Steps of a grid for each difference that is found, when another than the commonest is its step.
const SPARSEST: f64 = 4.0;
/// Parts of the smallest difference by which numbers that are not whole are compared.
const PARTS: f64 = 1000.0;
/// Digits of a step of such numbers.
const DIGITS: usize = 10;
/// A month is no shorter, in seconds.
const SHORTEST_MONTH: i64 = 28 * DAY as i64;

/// The frequency: what is told, else that of the training data if these data have it as well, else what is found.
pub(super) fn settle(
    file: &Path,
    clock: &Clock<'_>,
    rows: &Rows,
    told: Option<Frequency>,
    trained: Option<Frequency>,
) -> Result<Frequency, DataError> {
    let refuse = |problem| Err(DataError::Columns { file: file.into(), problem });
    let are_numbers = !matches!(clock.times, Times::Moments(_));
    if let Some(said) = told.or(trained).filter(|said| matches!(said, Frequency::Number(_)) != are_numbers) {
        let whose = if told.is_some() { "--frequency says" } else { "the training data have" };
        let found = if are_numbers { "numbers".to_owned() } else { format!("dates ({})", clock.format) };
        return refuse(format!("{whose} a step every {said}, but here times are {found}"));
    }
    if let (Some(told), Some(trained)) = (told, trained)
        && !told.is_as_long_as(&trained)
    {
        return refuse(format!("--frequency says a step every {told}, but the training data have one every {trained}"));
    }
    let of_months = |frequency: Frequency| {
        let fits = |frequency: &Frequency| density(*frequency, clock, rows).is_some();
        [Some(frequency), frequency.sibling()].into_iter().flatten().find(fits).unwrap_or(frequency)
    };
    if let Some(told) = told {
        return Ok(of_months(told));
    }
    match (find(clock, rows), trained) {
        (None, Some(trained)) => Ok(of_months(trained)),
        (Some(found), Some(trained)) if found.is_as_long_as(&trained) => Ok(of_months(trained)),
        (Some(found), Some(trained)) => {
            // A few rows with a gap between them have the step of the training data still.
            let is_dense = density(trained, clock, rows).is_some_and(|steps| steps <= SPARSEST / 2.0);
            let is_weekly = trained == Frequency::Seconds(DAY) && found == Frequency::BusinessDays;
            match is_dense && !is_weekly {
                true => Ok(trained),
                false => refuse(format!(
                    "there is a step every {found}, but the training data have one every {trained}"
                )),
            }
        }
        (Some(found), None) => Ok(found),
        (None, None) => refuse(
            "no series has two times, so how far apart steps are cannot be told; --frequency says it, and --id names the column \
             that tells series apart"
                .to_owned(),
        ),
    }
}

/// How far apart the steps of a file are; nothing where no series has two times.
fn find(clock: &Clock<'_>, rows: &Rows) -> Option<Frequency> {
    let pairs = || rows.pairs(clock);
    match &clock.times {
        Times::Whole(times) => {
            let step = step(pairs().map(|(a, b)| times[b].saturating_sub(times[a])))?;
            Some(Frequency::Number(step as f64))
        }
        Times::Numbers(times) => {
            let smallest = pairs().map(|(a, b)| times[b] - times[a]).min_by(f64::total_cmp)?;
            let part = smallest / PARTS;
            let step = step(pairs().map(|(a, b)| ((times[b] - times[a]) / part).round() as i128))?;
            Some(Frequency::Number(rounded(step as f64 * part, DIGITS)))
        }
        Times::Moments(times) => of_dates(times, pairs),
    }
}

fn of_dates<P: Iterator<Item = (usize, usize)>>(times: &[NaiveDateTime], pairs: impl Fn() -> P) -> Option<Frequency> {
    let seconds = |(a, b): (usize, usize)| (times[b] - times[a]).num_seconds();
    let months = |(a, b): (usize, usize)| whole_months(times[a], times[b]);
    let (mut all, mut whole) = (0usize, 0usize);
    for pair in pairs() {
        all += 1;
        whole += usize::from(seconds(pair) >= SHORTEST_MONTH && months(pair).is_some());
    }
    if 2 * whole > all {
        let step = step(pairs().filter_map(|pair| Some(i128::from(months(pair)?))))?;
        let step = u32::try_from(step).ok()?;
        let at_end = times.iter().all(|time| is_last_of_month(*time));
        return Some(if at_end { Frequency::MonthEnds(step) } else { Frequency::Months(step) });
    }
    let step = u64::try_from(step(pairs().map(|pair| i128::from(seconds(pair))))?).ok()?;
    let is_over_weekend = |(a, b): (usize, usize)| {
        let week = |time: NaiveDateTime| (time.num_days_from_ce() - 1).div_euclid(7);
        week(times[a]) != week(times[b])
    };
    match step == DAY && !times.iter().any(|time| is_weekend(*time)) && pairs().any(is_over_weekend) {
        true => Some(Frequency::BusinessDays),
        false => Some(Frequency::Seconds(step)),
    }
}

/// The step of differences that are above 0, as the documentation of the module says.
fn step(differences: impl Iterator<Item = i128>) -> Option<i128> {
    let mut counts: HashMap<i128, usize> = HashMap::new();
    differences.filter(|difference| *difference > 0).for_each(|difference| *counts.entry(difference).or_default() += 1);
    let commonest = *counts.iter().max_by_key(|(difference, count)| (**count, Reverse(**difference)))?.0;
    let divisor = counts.keys().copied().reduce(common_divisor)?;
    let all: usize = counts.values().sum();
    let steps: f64 = counts.iter().map(|(difference, count)| (difference / divisor) as f64 * *count as f64).sum();
    let is_dense = steps <= SPARSEST * all as f64;
    Some(if divisor == commonest || !is_dense { commonest } else { divisor })
}

fn common_divisor(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// How many months lie between two times, where these are whole: on the same day of the month, or the last where that is
/// shorter, or both on the last.
fn whole_months(a: NaiveDateTime, b: NaiveDateTime) -> Option<i64> {
    let months = months_between(a, b);
    let (start, end) = (Moment::Time(a), Moment::Time(b));
    let month = Frequency::Months(1);
    let fits = month.after(start, months) == end
        || month.after(end, -months) == start
        || Frequency::MonthEnds(1).after(start, months) == end && is_last_of_month(a);
    (months > 0 && fits).then_some(months)
}

fn months_between(a: NaiveDateTime, b: NaiveDateTime) -> i64 {
    12 * i64::from(b.year() - a.year()) + i64::from(b.month()) - i64::from(a.month())
}

fn is_last_of_month(time: NaiveDateTime) -> bool {
    time.date().checked_add_days(Days::new(1)).is_none_or(|next| next.day() == 1)
}

fn is_weekend(time: NaiveDateTime) -> bool {
    matches!(time.weekday(), Weekday::Sat | Weekday::Sun)
}

/// How many steps lie between two times, where these are on one grid.
pub(super) fn steps_between(frequency: Frequency, times: &Times, a: usize, b: usize) -> Option<i64> {
    match (times, frequency) {
        (Times::Whole(times), Frequency::Number(step)) => {
            let difference = times[b].saturating_sub(times[a]);
            // Exactly: numbers of 64 bits are not as fine as nanoseconds since 1970.
            match step as i128 {
                whole if whole > 0 && whole as f64 == step => {
                    (difference % whole == 0).then(|| i64::try_from(difference / whole).ok()).flatten()
                }
                _ => near(difference as f64 / step),
            }
        }
        (Times::Numbers(times), Frequency::Number(step)) => near((times[b] - times[a]) / step),
        (Times::Moments(times), Frequency::Seconds(step)) => {
            let (seconds, step) = ((times[b] - times[a]).num_seconds(), i64::try_from(step).ok()?);
            (seconds.checked_rem(step)? == 0).then_some(seconds / step)
        }
        (Times::Moments(times), Frequency::Months(step) | Frequency::MonthEnds(step)) => {
            let steps = months_between(times[a], times[b]).checked_div(i64::from(step))?;
            let is_start = frequency.time_after(times[a], 0) == Some(times[a]);
            (is_start && frequency.time_after(times[a], steps) == Some(times[b])).then_some(steps)
        }
        (Times::Moments(times), Frequency::BusinessDays) => {
            let (a, b) = (times[a], times[b]);
            let fits = !is_weekend(a) && !is_weekend(b) && a.time() == b.time();
            fits.then(|| business_day(b.date()) - business_day(a.date()))
        }
        _ => None,
    }
}

fn near(steps: f64) -> Option<i64> {
    let whole = steps.round();
    ((steps - whole).abs() <= 1.0 / PARTS && whole.abs() < 1e15).then_some(whole as i64)
}

/// Whether all rows stand on grids of this step, and how many steps these have for each difference between two rows.
fn density(frequency: Frequency, clock: &Clock<'_>, rows: &Rows) -> Option<f64> {
    let (mut steps, mut pairs) = (0.0, 0.0);
    for rows in rows.series() {
        let (Some(&first), Some(&last)) = (rows.first(), rows.last()) else { continue };
        let from_first = |row: usize| steps_between(frequency, &clock.times, clock.of_row[first], clock.of_row[row]);
        if rows.iter().any(|&row| from_first(row).is_none()) {
            return None;
        }
        steps += from_first(last)? as f64;
        pairs += (rows.len() - 1) as f64;
    }
    Some(if pairs == 0.0 { 1.0 } else { steps / pairs })
}
