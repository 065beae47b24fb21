//! Tables with a column per series; the rules stand in the documentation of the parent module.

use std::path::Path;

use super::grid::{Grid, Rows};
use super::places::Places;
use super::sheet::Sheet;
use super::values::{Values, decimal};
use super::{Found, History, HistoryOptions, Read};
use crate::error::DataError;

pub(super) fn read(file: &Path, sheet: &Sheet, places: &Places, options: &HistoryOptions) -> Result<Read, DataError> {
    let first = sheet.first(file);
    let body = sheet.body(places.header);
    let decimal = decimal(file, sheet, places, options)?;
    let values = Values { file, sheet, decimal, body: body.start, header: places.header };
    let mut all_rows = Rows::of(&vec![0; body.len()], 1);
    let (mut grid, time_format) = super::grid(file, sheet, places, &mut all_rows, (options, decimal, true))?;
    let rows: &[usize] = all_rows.series().next().unwrap_or_default();
    let steps = grid.steps(rows, "")?;
    let mut missing = (0, 0);
    let mut all = Vec::with_capacity(places.targets.len());
    for &place in &places.targets {
        all.push(history(&values, (rows, &steps), (place, places.name(&first, place)), &mut grid, &mut missing));
    }
    grid.tell_gaps();
    let time = match (places.time, &time_format) {
        (Some(place), Some((format, _))) => {
            format!("time from column {} ({format})", sheet.called(place, places.header))
        }
        _ => "steps in the order of the rows".to_owned(),
    };
    let missing = (missing.0 > 0).then(|| format!("{} of {} values are missing", missing.0, missing.1));
    Ok(Read {
        all,
        told: std::iter::once(format!("a column per series (wide), {time}")).chain(missing).collect(),
        found: Found { decimal, time_format, frequency: grid.frequency, static_kinds: Vec::new() },
    })
}

/// One series, from its first value to its last. `rows` and `steps`: those of the table. `missing`: values that are missing within
/// series, and all of them.
fn history(
    values: &Values<'_>,
    (rows, steps): (&[usize], &[usize]),
    (place, id): (usize, String),
    grid: &mut Grid<'_>,
    missing: &mut (usize, usize),
) -> Result<History, DataError> {
    let mut filled: Vec<(usize, usize, f32)> = Vec::with_capacity(rows.len());
    for (&row, &step) in rows.iter().zip(steps) {
        filled.push((row, step, values.number(row, place)?));
    }
    let has_value = |(_, _, value): &(usize, usize, f32)| !value.is_nan();
    let begin = filled.iter().position(has_value).unwrap_or(filled.len());
    let end = filled.iter().rposition(has_value).map_or(begin, |last| last + 1);
    let within = filled.get(begin..end).unwrap_or_default();
    let at = |place: usize| within.get(place).map(|(_, step, _)| *step);
    let (first, length) = match (at(0), at(within.len().saturating_sub(1))) {
        (Some(first), Some(last)) => (first, last - first + 1),
        _ => (0, 0),
    };
    let mut targets = vec![f32::NAN; length];
    within.iter().for_each(|(_, step, value)| targets[step - first] = *value);
    missing.0 += within.iter().filter(|(_, _, value)| value.is_nan()).count();
    missing.1 += within.len();
    grid.count_gaps(rows, steps, (first, first + length));
    let start = grid.start(rows);
    Ok(History {
        id,
        line: within.first().or(filled.first()).map_or(1, |(row, ..)| grid.line(*row)),
        start: grid.frequency.after(start, i64::try_from(first).unwrap_or(i64::MAX)),
        length,
        targets,
        past: Vec::new(),
        future: Vec::new(),
        statics: Vec::new(),
    })
}
