//! Times that order the steps of a series.
//!
//! # How they are read
//! As numbers where all of a file are; else as dates of ISO 8601, with a time of day or without, and with a time zone or
//! without; else by the first of the usual forms that reads all of them, such as `%d/%m/%Y`. Where two forms read all of them
//! and no value decides between them, as day and month up to 12 do, they are refused with both readings. What is told, or was
//! found in the training data, is taken. Times are never compared as text.

use std::cmp::Ordering;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::{NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};

use super::numbers::{Decimal, number};
use crate::error::DataError;

/// How times are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TimeFormat {
    /// Numbers.
    Number,
    /// Dates of ISO 8601.
    Iso,
    /// By a pattern of strftime.
    Pattern(String),
}

impl FromStr for TimeFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let items = || StrftimeItems::new(text);
        match text {
            "number" => Ok(TimeFormat::Number),
            "iso" => Ok(TimeFormat::Iso),
            _ if items().any(|item| item == Item::Error) || !items().any(|item| is_field(&item)) => Err(format!(
                "{text:?} is no form of times; number, iso or a pattern such as %d/%m/%Y %H:%M:%S was expected"
            )),
            _ => Ok(TimeFormat::Pattern(text.to_owned())),
        }
    }
}

fn is_field(item: &Item<'_>) -> bool {
    matches!(item, Item::Numeric(..) | Item::Fixed(_))
}

impl TryFrom<String> for TimeFormat {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TimeFormat> for String {
    fn from(format: TimeFormat) -> String {
        match format {
            TimeFormat::Number => "number".to_owned(),
            TimeFormat::Iso => "iso".to_owned(),
            TimeFormat::Pattern(pattern) => pattern,
        }
    }
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimeFormat::Number => f.write_str("numbers"),
            TimeFormat::Iso => f.write_str("dates of ISO 8601"),
            TimeFormat::Pattern(pattern) => f.write_str(pattern),
        }
    }
}

/// Dates as people write them; `%Y` has four digits and `%y` two.
const DATES: &[&str] = &[
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%Y.%m.%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%y/%m/%d",
    "%d.%m.%y",
    "%d-%m-%y",
    "%m-%d-%y",
    "%y-%m-%d",
    "%d %B %Y",
    "%d-%B-%Y",
    "%d-%B-%y",
    "%B %d, %Y",
    "%B %d %Y",
    "%Y%m%d",
    "%Y年%m月%d日",
];
/// What may stand behind them.
const TIMES_OF_DAY: &[&str] = &["", " %H:%M", " %H:%M:%S%.f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S%.f", "T%H%M%S"];
/// Without a date.
const TIMES: &[&str] = &["%H:%M", "%H:%M:%S%.f", "%I:%M %p", "%I:%M:%S %p"];

/// The times of a file, by their places in it.
#[derive(Debug, PartialEq)]
pub(in crate::data) enum Times {
    Whole(Vec<i128>),
    Numbers(Vec<f64>),
    Moments(Vec<NaiveDateTime>),
}

impl Times {
    /// Whether the time at the place `a` comes before that at `b`.
    pub(in crate::data) fn compare(&self, a: usize, b: usize) -> Ordering {
        match self {
            Times::Whole(times) => times[a].cmp(&times[b]),
            Times::Numbers(times) => times[a].total_cmp(&times[b]),
            Times::Moments(times) => times[a].cmp(&times[b]),
        }
    }
}

/// Reads all times of a file, each with its line. `told`: what a person says; `trained`: what the training data have.
pub(in crate::data) fn read(
    file: &Path,
    times: &[(usize, &str)],
    told: Option<&TimeFormat>,
    trained: Option<&TimeFormat>,
    decimal: Decimal,
) -> Result<(TimeFormat, Times), DataError> {
    let refuse = |line, problem| Err(DataError::Line { file: file.into(), line, problem });
    if let Some((line, _)) = times.iter().find(|(_, text)| text.is_empty()) {
        return refuse(*line, "the time is empty".to_owned());
    }
    if let Some(format) = told.or(trained) {
        return match as_format(times, format, decimal) {
            Ok(read) => Ok((format.clone(), read)),
            Err(at) => {
                let (line, text) = times[at];
                let of_training = if told.is_none() { ", as the times of the training data are" } else { "" };
                refuse(
                    line,
                    format!("the time {text:?} {}{of_training}; --time-format says another form", is_none(format)),
                )
            }
        };
    }
    let (mut farthest, mut fitting) = ((0, None), Vec::new());
    for format in [TimeFormat::Number, TimeFormat::Iso].into_iter().chain(patterns()) {
        match as_format(times, &format, decimal) {
            // Nothing else reads as these do.
            Ok(read) if !matches!(format, TimeFormat::Pattern(_)) => return Ok((format, read)),
            Ok(read) => fitting.push((format, read)),
            Err(at) if at > farthest.0 => farthest = (at, Some(format)),
            Err(_) => {}
        }
    }
    if fitting.len() > 1 {
        let at = (0..times.len()).find(|&at| differ(&fitting, at)).unwrap_or(0);
        let (line, text) = times.get(at).copied().unwrap_or_default();
        return refuse(line, ambiguous(text, at, &fitting));
    }
    if let Some(found) = fitting.pop() {
        return Ok(found);
    }
    let (line, text) = times.get(farthest.0).copied().unwrap_or_default();
    let expected = match farthest.1 {
        Some(format) => format!("{}, as those before it are", is_none(&format)),
        None => "is no number, no date of ISO 8601 and of none of the usual forms".to_owned(),
    };
    refuse(line, format!("the time {text:?} {expected}; --time-format tells the form of all times, such as %d/%m/%Y"))
}

/// Whether one form of dates reads all of these; numbers are none.
pub(in crate::data) fn are_dates(times: &[(usize, &str)]) -> bool {
    let reads = |format: TimeFormat| as_format(times, &format, Decimal::Point).is_ok();
    !times.is_empty() && (reads(TimeFormat::Iso) || patterns().any(reads))
}

/// The usual forms of dates and times of day.
fn patterns() -> impl Iterator<Item = TimeFormat> {
    let dates = DATES.iter().flat_map(|date| TIMES_OF_DAY.iter().map(move |time| format!("{date}{time}")));
    dates.chain(TIMES.iter().map(|time| (*time).to_owned())).map(TimeFormat::Pattern)
}

/// What is said of a time that is not read by `format`.
fn is_none(format: &TimeFormat) -> String {
    match format {
        TimeFormat::Number => "is no number".to_owned(),
        TimeFormat::Iso => "is no date of ISO 8601".to_owned(),
        TimeFormat::Pattern(pattern) => format!("is not of the form {pattern}"),
    }
}

/// Whether forms read the time at a place as different ones.
fn differ(fitting: &[(TimeFormat, Times)], at: usize) -> bool {
    let moment = |(_, read): &(TimeFormat, Times)| match read {
        Times::Moments(times) => times.get(at).copied(),
        _ => None,
    };
    fitting.windows(2).any(|pair| moment(&pair[0]) != moment(&pair[1]))
}

/// Which forms read the time at a place, and as what.
fn ambiguous(text: &str, at: usize, fitting: &[(TimeFormat, Times)]) -> String {
    let reading = |(format, read): &(TimeFormat, Times)| match read {
        Times::Moments(times) => format!("{format} ({})", times.get(at).copied().unwrap_or_default()),
        _ => format.to_string(),
    };
    let readings: Vec<String> = fitting.iter().map(reading).collect();
    let readings = readings.join(" or ");
    format!("the time {text:?} may be {readings}, and no other time tells which; --time-format says it")
}

/// All times by one form, or the place of the first that it does not read.
fn as_format(times: &[(usize, &str)], format: &TimeFormat, decimal: Decimal) -> Result<Times, usize> {
    match format {
        TimeFormat::Number => {
            let whole = |&(_, text): &(usize, &str)| text.parse::<i128>().ok();
            if let Some(whole) = times.iter().map(whole).collect() {
                return Ok(Times::Whole(whole));
            }
            // Zero has two signs, and is one time.
            let read =
                |text: &str| number(text, decimal).or_else(|| number(text, Decimal::Point)).map(|time| time + 0.0);
            all(times, read).map(Times::Numbers)
        }
        TimeFormat::Iso => {
            let read = all(times, iso)?;
            let zoned = read.first().is_some_and(|(_, zoned)| *zoned);
            match read.iter().position(|(_, other)| *other != zoned) {
                Some(at) => Err(at),
                None => Ok(Times::Moments(read.into_iter().map(|(moment, _)| moment).collect())),
            }
        }
        TimeFormat::Pattern(pattern) => {
            let items = StrftimeItems::new(pattern).parse().map_err(|_| 0usize)?;
            all(times, |text| if has_year(text, pattern) { moment(text, &items) } else { None }).map(Times::Moments)
        }
    }
}

fn all<T>(times: &[(usize, &str)], read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, usize> {
    times.iter().enumerate().map(|(at, (_, text))| read(text).ok_or(at)).collect()
}

/// Whether the year has as many digits as the pattern says: chrono's `%Y` takes the year 24 for what it is.
fn has_year(text: &str, pattern: &str) -> bool {
    let date = text.rsplit_once(':').map_or(text, |(before, _)| before);
    let four = date.split(|letter: char| !letter.is_ascii_digit()).any(|digits| digits.len() >= 4);
    (!pattern.contains("%Y") || four) && (!pattern.contains("%y") || !four)
}

/// A date of ISO 8601, and whether it has a time zone. A month or day of one digit will do: it reads in no other way.
fn iso(text: &str) -> Option<(NaiveDateTime, bool)> {
    let year = text.split('-').next().unwrap_or_default();
    if year.len() != 4 || !year.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (date, time) = match text.find(['T', ' ', 't']) {
        Some(at) => (&text[..at], text[at + 1..].trim_start()),
        None => (text, ""),
    };
    if time.is_empty() {
        return moment(date, &StrftimeItems::new("%Y-%m-%d").parse().ok()?).map(|moment| (moment, false));
    }
    let zone = time.find(['Z', 'z', '+', '-']);
    let clock = time[..zone.unwrap_or(time.len())].trim_end();
    let pattern = match clock.matches(':').count() {
        0 => "%Y-%m-%d %H",
        1 => "%Y-%m-%d %H:%M",
        _ => "%Y-%m-%d %H:%M:%S%.f",
    };
    // A decimal comma is the standard's own.
    let (clock, zone) = (clock.replace(',', "."), zone.map(|at| time[at..].trim()));
    let (text, pattern) = match zone {
        None => (format!("{date} {clock}"), pattern.to_owned()),
        Some("Z" | "z") => (format!("{date} {clock} +00:00"), format!("{pattern} %#z")),
        Some(zone) => (format!("{date} {clock} {zone}"), format!("{pattern} %#z")),
    };
    moment(&text, &StrftimeItems::new(&pattern).parse().ok()?).map(|moment| (moment, zone.is_some()))
}

/// The moment that `text` is by a pattern, in UTC where it has a time zone. What a pattern leaves out is the first: a day of
/// the month, a minute; times without a date are of one day.
fn moment(text: &str, items: &[Item<'_>]) -> Option<NaiveDateTime> {
    let mut parsed = Parsed::new();
    parse(&mut parsed, text, items.iter()).ok()?;
    let offset = parsed.offset().unwrap_or(0);
    if parsed.timestamp().is_some() {
        return parsed.to_naive_datetime_with_offset(0).ok();
    }
    let years = [parsed.year(), parsed.year_mod_100(), parsed.isoyear()];
    let has_date = years.iter().any(Option::is_some) || parsed.month().is_some() || parsed.day().is_some();
    let has_time = parsed.hour_mod_12().is_some() || parsed.minute().is_some();
    if !has_time && !has_date {
        return None;
    }
    if parsed.ordinal().is_none() && parsed.isoweek().is_none() && parsed.week_from_mon().is_none() {
        if parsed.month().is_none() && parsed.day().is_none() && has_date {
            parsed.set_month(1).ok()?;
        }
        if parsed.month().is_some() && parsed.day().is_none() {
            parsed.set_day(1).ok()?;
        }
    }
    if has_time && parsed.minute().is_none() {
        parsed.set_minute(0).ok()?;
    }
    let date = if has_date { parsed.to_naive_date().ok()? } else { NaiveDate::default() };
    let local = if has_time { date.and_time(parsed.to_naive_time().ok()?) } else { date.and_hms_opt(0, 0, 0)? };
    local.checked_sub_signed(chrono::TimeDelta::try_seconds(i64::from(offset))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form, and the places in the order of the times; or the error.
    fn found(times: &[&str], told: Option<&str>, trained: Option<&str>) -> String {
        let format = |text: Option<&str>| text.map(|text| text.parse::<TimeFormat>().expect("a form"));
        let lines: Vec<(usize, &str)> = (1..).zip(times.iter().copied()).collect();
        match read(Path::new("f"), &lines, format(told).as_ref(), format(trained).as_ref(), Decimal::Point) {
            Ok((format, read)) => {
                let mut order: Vec<usize> = (0..times.len()).collect();
                order.sort_by(|&a, &b| read.compare(a, b));
                format!("{format} {order:?}")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn forms_are_found_out_and_order_as_they_mean() {
        let cases: &[(&[&str], &str)] = &[
            (&["10", "9", "-1"], "numbers [2, 1, 0]"),
            (&["1700000000000000002", "1700000000000000001"], "numbers [1, 0]"),
            (&["0.5", "1e-3"], "numbers [1, 0]"),
            (&["2024-1-10", "2024-1-9", "2023-12-31"], "dates of ISO 8601 [2, 1, 0]"),
            (&["2024-01-03T10:00:00Z", "2024-01-03T10:30:00+01:00"], "dates of ISO 8601 [1, 0]"),
            (&["2024-01-03 10:00", "2024-01-03 09:59:59.5", "2024-01-03"], "dates of ISO 8601 [2, 1, 0]"),
            (&["2/1/2024", "13/1/2023"], "%d/%m/%Y [1, 0]"),
            (&["2/1/2024", "1/13/2024"], "%m/%d/%Y [1, 0]"),
            (&["31.12.99", "01.01.01"], "%d.%m.%y [0, 1]"),
            (&["2024/10/1", "2024/9/1"], "%Y/%m/%d [1, 0]"),
            (&["3 Feb 2024", "20 January 2024"], "%d %B %Y [1, 0]"),
            (&["20/1/2024 1:05 PM", "20/1/2024 11:00 AM"], "%d/%m/%Y %I:%M %p [1, 0]"),
            (&["10:00:00.5", "9:59:00"], "%H:%M:%S%.f [1, 0]"),
            (&["2024年10月1日", "2024年9月1日"], "%Y年%m月%d日 [1, 0]"),
        ];
        for (times, expected) in cases {
            assert_eq!(&found(times, None, None), expected, "{times:?}");
        }
    }

    #[test]
    fn what_cannot_be_ordered_is_refused_and_never_sorted_as_text() {
        let unclear = found(&["01/01/2024", "01/02/2024", "03/04/2024"], None, None);
        let both = "f, line 2: the time \"01/02/2024\" may be %d/%m/%Y (2024-02-01 00:00:00) or %m/%d/%Y (2024-01-02 00:00:00)";
        assert!(unclear.starts_with(both) && unclear.contains("--time-format"), "{unclear}");
        let one_is_none = found(&["1", "2", "three"], None, None);
        assert!(one_is_none.starts_with("f, line 3: the time \"three\" is no number, as those"), "{one_is_none}");
        assert!(found(&["2024-01-01", "x"], None, None).starts_with("f, line 2: the time \"x\""));
        assert!(found(&["monday", "friday"], None, None).starts_with("f, line 1: the time \"monday\" is no number"));
        assert!(found(&["2024-01-01T10:00", "2024-01-01T10:00Z"], None, None).starts_with("f, line 2"));
        assert_eq!(found(&["1", ""], None, None), "f, line 2: the time is empty");
        assert!(found(&["31/02/2024", "1/1/2024"], None, None).starts_with("f, line 1"), "no such day");
    }

    #[test]
    fn what_is_told_or_trained_is_taken() {
        assert_eq!(found(&["01/02/2024", "02/01/2024"], Some("%d/%m/%Y"), None), "%d/%m/%Y [1, 0]");
        assert_eq!(found(&["01/02/2024", "02/01/2024"], None, Some("%m/%d/%Y")), "%m/%d/%Y [0, 1]");
        assert_eq!(found(&["2024 10", "2024 9"], Some("%Y %m"), None), "%Y %m [1, 0]");
        assert_eq!(
            found(&["5 10h", "4 23h"], Some("%d %Hh"), None),
            "f, line 1: the time \"5 10h\" is not of the form %d %Hh; --time-format says another form"
        );
        let other = found(&["5", "2024-01-01"], None, Some("number"));
        assert!(other.contains("line 2") && other.contains("of the training data"), "{other}");
        for wrong in ["", "plain", "%Q", "%"] {
            assert!(wrong.parse::<TimeFormat>().is_err(), "{wrong:?}");
        }
    }
}
