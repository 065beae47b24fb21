//! Tables with a row per step of a series; the rules stand in the documentation of the parent module.

use std::path::Path;

use super::clock::coded;
use super::columns::StaticKind;
use super::grid::{Grid, Rows};
use super::places::Places;
use super::sheet::Sheet;
use super::values::{Values, decimal};
use super::{Found, History, HistoryOptions, Read};
use crate::error::{DataError, counted};

/// What makes histories of rows.
struct Reader<'a> {
    places: &'a Places,
    values: Values<'a>,
    grid: Grid<'a>,
    kinds: Vec<StaticKind>,
    ends_at_target: bool,
    /// Cells of targets that are missing, and all of them.
    missing: (usize, usize),
    /// Values of past covariates behind the last target.
    behind: usize,
}

/// The values of steps before they are cut, `[T, C]`.
struct Steps {
    values: Vec<f32>,
    width: usize,
}

pub(super) fn read(file: &Path, sheet: &Sheet, places: &Places, options: &HistoryOptions) -> Result<Read, DataError> {
    let body = sheet.body(places.header);
    let decimal = decimal(file, sheet, places, options)?;
    let values = Values { file, sheet, decimal, body: body.start, header: places.header };
    let (of_row, ids) = match places.id {
        Some(place) => {
            let (of_row, firsts) = coded(body.clone().map(|row| sheet.cell(row, place)));
            let ids: Vec<&str> = firsts.iter().map(|row| sheet.cell(body.start + row, place)).collect();
            if let Some(empty) = ids.iter().position(|id| id.is_empty()) {
                return Err(values.wrong(firsts[empty], "the id of the series is empty".to_owned()));
            }
            (of_row, ids)
        }
        None => (vec![0; body.len()], vec![""; usize::from(!body.is_empty())]),
    };
    let mut rows = Rows::of(&of_row, ids.len());
    drop(of_row);
    let (grid, time_format) = super::grid(file, sheet, places, &mut rows, (options, decimal, false))?;
    let kinds = match options.trained.as_ref().filter(|trained| trained.static_kinds.len() == places.statics.len()) {
        Some(trained) => trained.static_kinds.clone(),
        None => places.statics.iter().map(|&place| values.kind(place, body.len())).collect(),
    };
    let ends_at_target = options.ends_at_target;
    let mut reader = Reader { places, values, grid, kinds, ends_at_target, missing: (0, 0), behind: 0 };
    let all: Vec<Result<History, DataError>> =
        rows.series().zip(&ids).map(|(rows, id)| reader.history(id, rows)).collect();
    reader.grid.tell_gaps();
    let Reader { kinds, missing: (missing, cells), behind, grid, .. } = reader;
    let missing = (missing > 0).then(|| format!("{missing} of {cells} values of targets are missing"));
    let behind = (behind > 0)
        .then(|| format!("{} of past covariates behind the last target left out", counted(behind, "value")));
    let roles = in_words(sheet, places, time_format.as_ref().map(|(format, _)| format.to_string()));
    Ok(Read {
        all,
        told: std::iter::once(roles).chain(behind).chain(missing).collect(),
        found: Found { decimal, time_format, frequency: grid.frequency, static_kinds: kinds },
    })
}

/// Which column was used for what.
fn in_words(sheet: &Sheet, places: &Places, times: Option<String>) -> String {
    let call = |place: usize| sheet.called(place, places.header);
    let calls = |places: &[usize]| places.iter().map(|&place| call(place)).collect::<Vec<_>>().join(", ");
    let id = places.id.map_or_else(|| "one series".to_owned(), |place| format!("id from column {}", call(place)));
    let time = match (places.time, times) {
        (Some(place), Some(format)) => format!("time from {} ({format})", call(place)),
        _ => "steps in the order of the rows".to_owned(),
    };
    let mut words = format!("{id}, {time}, target from {}", calls(&places.targets));
    let more = [
        ("past covariates", &places.past),
        ("future covariates", &places.future),
        ("values of a whole series", &places.statics),
    ];
    for (role, places) in more.into_iter().filter(|(_, places)| !places.is_empty()) {
        words.push_str(&format!(", {role} from {}", calls(places)));
    }
    words
}

impl Reader<'_> {
    /// One series from its rows, which are at least one, sorted by time.
    fn history(&mut self, id: &str, rows: &[usize]) -> Result<History, DataError> {
        let steps = self.grid.steps(rows, id)?;
        let all = steps.last().map_or(0, |last| last + 1);
        let targets = self.read(&self.places.targets, rows, &steps, all)?;
        let past = self.read(&self.places.past, rows, &steps, all)?;
        let future = self.read(&self.places.future, rows, &steps, all)?;
        let statics = self.places.statics.iter().zip(&self.kinds);
        let statics = statics
            .map(|(&place, &kind)| self.values.of_series(rows, place, kind, id))
            .collect::<Result<Vec<_>, _>>()?;
        let length = (0..all).rev().find(|&step| targets.has(step)).map_or(0, |last| last + 1);
        let end = (length..all).rev().find(|&step| future.has(step)).map_or(length, |last| last + 1);
        let has_any = |&step: &usize| targets.has(step) || future.has(step) || step < length && past.has(step);
        let begin = (0..end).find(has_any).unwrap_or(0);
        self.check_behind(rows, &steps, length, &past)?;
        for &step in steps.iter().filter(|step| (begin..length).contains(step)) {
            self.missing.0 += targets.step(step).iter().filter(|value| value.is_nan()).count();
            self.missing.1 += targets.width;
        }
        self.grid.count_gaps(rows, &steps, (begin, end));
        let start = self.grid.start(rows);
        let line = rows.iter().copied().min().map_or(1, |row| self.grid.line(row));
        Ok(History {
            id: id.to_owned(),
            line,
            start: self.grid.frequency.after(start, i64::try_from(begin).unwrap_or(i64::MAX)),
            length: length.saturating_sub(begin),
            targets: targets.cut(begin, length),
            past: past.cut(begin, length),
            future: future.cut(begin, end),
            statics,
        })
    }

    /// The values of these columns, NaN where no row brings one.
    fn read(&self, places: &[usize], rows: &[usize], steps: &[usize], all: usize) -> Result<Steps, DataError> {
        let width = places.len();
        let mut values = vec![f32::NAN; all * width];
        for (&row, &step) in rows.iter().zip(steps) {
            for (value, &place) in values[step * width..(step + 1) * width].iter_mut().zip(places) {
                *value = self.values.number(row, place)?;
            }
        }
        Ok(Steps { values, width })
    }

    /// Counts past covariates behind the last target, or refuses them where rows end with that.
    fn check_behind(&mut self, rows: &[usize], steps: &[usize], length: usize, past: &Steps) -> Result<(), DataError> {
        for (&row, &step) in rows.iter().zip(steps).filter(|(_, step)| **step >= length && length > 0) {
            let Some(place) = past.step(step).iter().position(|value| !value.is_nan()) else { continue };
            if self.ends_at_target {
                let column = self.values.called(self.places.past[place]);
                let problem = format!(
                    "the past covariate {column} has a value here, behind the last of the target in the same series; rows were \
                     expected to end with the target, and --future names covariates that are known further on"
                );
                return Err(self.values.wrong(row, problem));
            }
            self.behind += past.step(step).iter().filter(|value| !value.is_nan()).count();
        }
        Ok(())
    }
}

impl Steps {
    fn step(&self, step: usize) -> &[f32] {
        &self.values[step * self.width..(step + 1) * self.width]
    }

    /// Whether a step has any value.
    fn has(&self, step: usize) -> bool {
        self.step(step).iter().any(|value| !value.is_nan())
    }

    /// The values of the steps from `begin` to `end`.
    fn cut(mut self, begin: usize, end: usize) -> Vec<f32> {
        let (begin, end) = (begin.min(end) * self.width, end * self.width);
        self.values.truncate(end);
        self.values.drain(..begin);
        self.values.shrink_to_fit();
        self.values
    }
}
