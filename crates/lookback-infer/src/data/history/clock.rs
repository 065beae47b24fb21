//! The times of a table's rows. The same few come again in series after series, so each is read once.

use std::collections::HashMap;
use std::path::Path;

use chrono::Timelike as _;

use super::moment::Moment;
use super::sheet::Sheet;
use crate::data::series::times::{self, Times};
use crate::data::series::{Decimal, TimeFormat};
use crate::error::DataError;

/// Months as people write them.
const MONTHS: &[&str] = &["%Y-%m", "%Y/%m", "%m/%Y", "%m-%Y", "%B %Y", "%B-%Y", "%Y %B", "%Y-%B"];
/// Dates without anything between their parts, with as many digits; else they would be numbers.
const COMPACT: &[(usize, &str)] = &[(8, "%Y%m%d"), (6, "%Y%m")];
/// Years that begin such a date.
const YEARS: std::ops::RangeInclusive<u32> = 1800..=2199;
/// Dates of ISO 8601 in one form each.
const ISO: &[&str] = &[
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%d %H:%M:%S+00:00",
    "%Y-%m-%dT%H:%M:%S+00:00",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
];

/// The times of all rows of a table below its header.
#[derive(Debug)]
pub(super) struct Clock<'a> {
    /// Of each row the place of its time among those that are different.
    pub(super) of_row: Vec<usize>,
    /// The times that are different.
    pub(super) times: Times,
    texts: Vec<&'a str>,
    pub(super) format: TimeFormat,
    /// How they are written again.
    pub(super) written: TimeFormat,
}

impl<'a> Clock<'a> {
    /// Of the column at `place`. `told`: what a person says; `trained`: what the training data have.
    pub(super) fn read(
        file: &Path,
        sheet: &'a Sheet,
        (place, header): (usize, bool),
        (told, trained): (Option<&TimeFormat>, Option<&TimeFormat>),
        decimal: Decimal,
    ) -> Result<Clock<'a>, DataError> {
        let body = sheet.body(header);
        let (of_row, firsts) = coded(body.clone().map(|row| sheet.cell(row, place)));
        let rows = firsts.into_iter().map(|row| body.start + row);
        let cells: Vec<(usize, &str)> = rows.map(|row| (sheet.line(row), sheet.cell(row, place))).collect();
        let compact = || COMPACT.iter().find(|form| are_compact(&cells, form)).and_then(|(_, form)| form.parse().ok());
        let said = if told.or(trained).is_some() { None } else { compact() };
        let (format, times) = match times::read(file, &cells, told.or(said.as_ref()), trained, decimal) {
            Ok(read) => read,
            Err(error) if told.or(trained).is_some() => return Err(error),
            Err(error) => in_months(file, &cells, decimal).ok_or(error)?,
        };
        check_seconds(file, &cells, &times)?;
        let texts: Vec<&str> = cells.into_iter().map(|(_, text)| text).collect();
        let written = written(&format, &texts, &times);
        Ok(Clock { of_row, times, texts, format, written })
    }

    /// The time at a place among those that are different, as the file has it.
    pub(super) fn text(&self, place: usize) -> &'a str {
        self.texts[place]
    }

    /// The same as a moment.
    pub(super) fn moment(&self, place: usize) -> Moment {
        match &self.times {
            Times::Whole(times) => Moment::Number(times[place] as f64),
            Times::Numbers(times) => Moment::Number(times[place]),
            Times::Moments(times) => Moment::Time(times[place]),
        }
    }
}

/// The place of each of these among those that are different, and where each such stands first.
pub(super) fn coded<'a>(cells: impl Iterator<Item = &'a str>) -> (Vec<usize>, Vec<usize>) {
    let mut known: HashMap<&str, usize> = HashMap::new();
    let (mut places, mut firsts) = (Vec::new(), Vec::new());
    let mut last = None;
    for (row, cell) in cells.enumerate() {
        let place = match last {
            // Rows of one series mostly stand together.
            Some((text, place)) if text == cell => place,
            _ => *known.entry(cell).or_insert_with(|| {
                firsts.push(row);
                firsts.len() - 1
            }),
        };
        last = Some((cell, place));
        places.push(place);
    }
    (places, firsts)
}

/// Whether one form of dates, or of months, reads all of these; numbers are none.
pub(super) fn are_dates(cells: &[(usize, &str)]) -> bool {
    times::are_dates(cells) || !cells.is_empty() && in_months(Path::new(""), cells, Decimal::Point).is_some()
}

/// All times by the first form of months that reads them.
fn in_months(file: &Path, cells: &[(usize, &str)], decimal: Decimal) -> Option<(TimeFormat, Times)> {
    let forms = MONTHS.iter().filter_map(|form| form.parse::<TimeFormat>().ok());
    forms.into_iter().find_map(|form| times::read(file, cells, Some(&form), None, decimal).ok())
}

/// Whether all of these are whole numbers that begin with a year and a month.
fn are_compact(cells: &[(usize, &str)], (digits, _): &(usize, &str)) -> bool {
    let is_date = |text: &str| {
        let number = |part: Option<&str>| part.and_then(|part| part.parse::<u32>().ok()).unwrap_or(0);
        text.len() == *digits
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && YEARS.contains(&number(text.get(..4)))
            && (1..=12).contains(&number(text.get(4..6)))
            && (*digits == 6 || (1..=31).contains(&number(text.get(6..))))
    };
    !cells.is_empty() && cells.iter().all(|(_, text)| is_date(text))
}

/// Refuses times with parts of a second: no step of dates is shorter than one.
fn check_seconds(file: &Path, cells: &[(usize, &str)], times: &Times) -> Result<(), DataError> {
    let Times::Moments(moments) = times else { return Ok(()) };
    let parted = cells.iter().zip(moments).find(|(_, moment)| moment.nanosecond() != 0);
    parted.map_or(Ok(()), |((line, text), _)| {
        let problem = format!(
            "the time {text:?} has parts of a second; a second is the shortest step of dates, and shorter ones are read where \
             times are numbers"
        );
        Err(DataError::Line { file: file.into(), line: *line, problem })
    })
}

/// A pattern by which dates of ISO 8601 are written again, if one gives all of them as they stand there.
fn written(format: &TimeFormat, texts: &[&str], times: &Times) -> TimeFormat {
    let (TimeFormat::Iso, Times::Moments(moments)) = (format, times) else { return format.clone() };
    let gives = |pattern: &&&str| {
        let form = Some(TimeFormat::Pattern((**pattern).to_owned()));
        moments.iter().zip(texts).all(|(moment, text)| Moment::Time(*moment).text(form.as_ref()) == *text)
    };
    ISO.iter().find(gives).map_or(TimeFormat::Iso, |pattern| TimeFormat::Pattern((*pattern).to_owned()))
}
