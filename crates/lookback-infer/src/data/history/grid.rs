//! The grid of a file: on which of its steps the rows of each series stand.

use std::path::Path;

use super::clock::Clock;
use super::frequency::Frequency;
use super::moment::Moment;
use super::sheet::Sheet;
use super::step::steps_between;
use crate::error::DataError;
use crate::error::place::unit;

/// Steps of all series together that need no rows.
const FREE_STEPS: usize = 1 << 24;
/// Steps that a row may bring.
const STEPS_PER_ROW: usize = 100;

/// The rows of all series, by their places below the header.
#[derive(Debug)]
pub(super) struct Rows {
    /// Series after series.
    order: Vec<usize>,
    /// Where each series begins in that, and where the last ends.
    starts: Vec<usize>,
}

impl Rows {
    /// Of rows of which each belongs to one of so many series.
    pub(super) fn of(series: &[usize], count: usize) -> Rows {
        let mut starts = vec![0; count + 1];
        series.iter().for_each(|&of| starts[of + 1] += 1);
        (0..count).for_each(|of| starts[of + 1] += starts[of]);
        let (mut next, mut order) = (starts.clone(), vec![0; series.len()]);
        for (row, &of) in series.iter().enumerate() {
            order[next[of]] = row;
            next[of] += 1;
        }
        Rows { order, starts }
    }

    /// Puts the rows of each series in the order of their times; those of one time stay as they stand in the file.
    pub(super) fn sort(&mut self, clock: &Clock<'_>) {
        for bounds in self.starts.windows(2) {
            let rows = &mut self.order[bounds[0]..bounds[1]];
            rows.sort_by(|&a, &b| clock.times.compare(clock.of_row[a], clock.of_row[b]));
        }
    }

    /// The rows of each series.
    pub(super) fn series(&self) -> impl Iterator<Item = &[usize]> {
        self.starts.windows(2).map(|bounds| &self.order[bounds[0]..bounds[1]])
    }

    /// The places of one time and the next in a series, of all series, where they differ.
    pub(super) fn pairs<'a>(&'a self, clock: &'a Clock<'_>) -> impl Iterator<Item = (usize, usize)> + 'a {
        let times = |pair: &[usize]| (clock.of_row[pair[0]], clock.of_row[pair[1]]);
        self.series().flat_map(|rows| rows.windows(2)).map(times).filter(|(a, b)| clock.times.compare(*a, *b).is_lt())
    }
}

/// On which steps the rows of a file stand.
#[derive(Debug)]
pub(super) struct Grid<'a> {
    pub(super) file: &'a Path,
    pub(super) sheet: &'a Sheet,
    /// The row of the sheet with which the rows of series begin.
    pub(super) body: usize,
    /// Nothing where steps are counted.
    pub(super) clock: Option<Clock<'a>>,
    pub(super) frequency: Frequency,
    /// What may be wrong where a time comes twice, in a sentence, or nothing.
    way_out: &'static str,
    /// Steps that all series together may still have.
    left: usize,
    gaps: Gaps,
}

/// Steps that no row brings.
#[derive(Debug, Default)]
struct Gaps {
    steps: usize,
    series: usize,
    /// The line before the first of them, and the moment.
    first: Option<(usize, String)>,
}

impl<'a> Grid<'a> {
    /// Of so many rows.
    pub(super) fn new(
        (file, sheet, body): (&'a Path, &'a Sheet, usize),
        clock: Option<Clock<'a>>,
        frequency: Frequency,
        way_out: &'static str,
        rows: usize,
    ) -> Grid<'a> {
        let left = FREE_STEPS.saturating_add(rows.saturating_mul(STEPS_PER_ROW));
        Grid { file, sheet, body, clock, frequency, way_out, left, gaps: Gaps::default() }
    }

    /// The line of a row, counted from 1.
    pub(super) fn line(&self, row: usize) -> usize {
        self.sheet.line(self.body + row)
    }

    /// The moment of the first of these rows, which are sorted.
    pub(super) fn start(&self, rows: &[usize]) -> Moment {
        match (&self.clock, rows.first()) {
            (Some(clock), Some(&row)) => clock.moment(clock.of_row[row]),
            _ => Moment::Number(0.0),
        }
    }

    /// The step of each of these rows, which are sorted, counted from 0, which is that of the first.
    ///
    /// # Errors
    /// If two rows have one time, or one is not on the grid of the first; if there would be far more steps than rows.
    pub(super) fn steps(&mut self, rows: &[usize], id: &str) -> Result<Vec<usize>, DataError> {
        let Some(clock) = &self.clock else { return Ok((0..rows.len()).collect()) };
        let Some(&first) = rows.first() else { return Ok(Vec::new()) };
        let of_series = if id.is_empty() { String::new() } else { format!(" of series {id:?}") };
        let refuse = |row: usize, problem| {
            Err(DataError::Line { file: self.file.into(), line: self.sheet.line(self.body + row), problem })
        };
        let text = |row: usize| clock.text(clock.of_row[row]);
        let mut steps: Vec<usize> = Vec::with_capacity(rows.len());
        for (place, &row) in rows.iter().enumerate() {
            let step = steps_between(self.frequency, &clock.times, clock.of_row[first], clock.of_row[row]);
            let Some(step) = step.and_then(|step| usize::try_from(step).ok()) else {
                let problem = format!(
                    "the time {:?}{of_series} is no whole number of steps behind {:?} on {} {}; a step every {} was \
                     expected, and --frequency says another",
                    text(row),
                    text(first),
                    unit(self.file),
                    self.line(first),
                    self.frequency
                );
                return refuse(row, problem);
            };
            if steps.last() == Some(&step) {
                let problem = format!(
                    "the time {:?}{of_series} stands here and on {} {}; one row per time was expected{}",
                    text(row),
                    unit(self.file),
                    self.line(rows[place - 1]),
                    self.way_out
                );
                return refuse(row, problem);
            }
            steps.push(step);
        }
        let all = steps.last().map_or(0, |last| last.saturating_add(1));
        match self.left.checked_sub(all) {
            Some(left) => self.left = left,
            None => {
                let problem = format!(
                    "with a step every {} the {} rows from {:?} to {:?}{of_series} would be {all} steps, nearly all of them gaps; \
                     --frequency says another",
                    self.frequency,
                    rows.len(),
                    text(first),
                    rows.last().map_or("", |&last| text(last))
                );
                return refuse(first, problem);
            }
        }
        Ok(steps)
    }

    /// Keeps in mind which steps of a series no row brings, of those from `begin` to `end`. `rows` are on `steps`.
    pub(super) fn count_gaps(&mut self, rows: &[usize], steps: &[usize], (begin, end): (usize, usize)) {
        let within = steps.iter().filter(|step| (begin..end).contains(step)).count();
        let gaps = end.saturating_sub(begin).saturating_sub(within);
        if gaps == 0 {
            return;
        }
        self.gaps.steps += gaps;
        self.gaps.series += 1;
        if self.gaps.first.is_none()
            && let Some(place) = steps.windows(2).position(|pair| pair[0] >= begin && pair[0] + 1 < pair[1])
        {
            let text = self.clock.as_ref().map_or("", |clock| clock.text(clock.of_row[rows[place]]));
            self.gaps.first = Some((self.line(rows[place]), text.to_owned()));
        }
    }

    /// Tells of gaps, if there are any.
    pub(super) fn tell_gaps(&self) {
        let Gaps { steps, series, first: Some((line, text)) } = &self.gaps else { return };
        let (name, unit) = (self.file.display(), unit(self.file));
        let (steps, are) = if *steps == 1 { ("1 step".to_owned(), "is") } else { (format!("{steps} steps"), "are") };
        tracing::warn!(
            "{name}: {steps} {are} missing in {series} series, the first behind the time {text:?} on {unit} {line}; without a row \
             a step has no values"
        );
    }
}
