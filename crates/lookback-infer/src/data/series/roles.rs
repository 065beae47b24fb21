//! Which columns of a table with a row per step are what, where no name tells: by what stands in them.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::long_form::{ID_NAMES, LABEL_NAMES, TIME_NAMES};
use super::sheet::{Sheet, cell};
use crate::data::columns::FirstLine;

/// Rows of a series in the mean, fewer than which tell nothing.
const FEWEST_STEPS: usize = 3;

/// The places of the columns, counted from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Roles {
    pub(super) id: usize,
    pub(super) time: Option<usize>,
    pub(super) label: usize,
    /// Of the channels, where other columns are none.
    pub(super) channels: Option<Vec<usize>>,
}

/// The roles of the columns of a table with a header, if they are plain: rows of one id stand together, and all of them have
/// the same label; what orders them is numbered without a gap in each series; and all other columns hold numbers, or words that
/// stay the same throughout a series and are left aside. Of several columns whose values come in runs the finest is the id. `label`: its place, where that is told.
pub(super) fn find(first: &FirstLine<'_>, sheet: &Sheet, label: Option<usize>) -> Option<Roles> {
    let table = Table { sheet, rows: sheet.body(true).len() };
    let counters = sheet.counters(first.file);
    let all = || (0..sheet.width()).filter(|place| !counters.contains(place));
    let told = label.or_else(|| first.known(LABEL_NAMES));
    let id = match first.known(ID_NAMES).filter(|place| Some(*place) != told) {
        Some(id) => Some(id).filter(|&id| table.distinct(id) * FEWEST_STEPS <= table.rows),
        None => {
            let runs: Vec<usize> = all().filter(|&place| Some(place) != told && table.comes_in_runs(place)).collect();
            runs.iter().copied().find(|&id| runs.iter().all(|&other| table.follows(other, id)))
        }
    }?;
    let label = match told {
        Some(label) => Some(label),
        None => {
            let fits = |place: &usize| {
                *place != id && table.follows(*place, id) && (2..table.distinct(id)).contains(&table.distinct(*place))
            };
            let (numbers, words): (Vec<usize>, Vec<usize>) =
                all().filter(fits).partition(|&place| sheet.is_mostly_numeric(place, true));
            // A class in words is told apart from a channel that stays the same throughout a series.
            only(&words).or_else(|| if words.is_empty() { only(&numbers) } else { None })
        }
    }?;
    let is_free = |place: &usize| ![id, label].contains(place);
    let time = first
        .known(TIME_NAMES)
        .filter(is_free)
        .or_else(|| all().filter(is_free).find(|&place| table.counts(place, id)));
    let others = all().filter(|place| is_free(place) && Some(*place) != time);
    let (channels, words): (Vec<usize>, Vec<usize>) = others.partition(|&place| sheet.is_mostly_numeric(place, true));
    let plain = table.follows(label, id) && table.distinct(label) > 1 && !channels.is_empty();
    let aside = words.iter().all(|&place| table.follows(place, id));
    let channels = (!words.is_empty()).then_some(channels);
    (plain && aside).then_some(Roles { id, time, label, channels })
}

fn only(places: &[usize]) -> Option<usize> {
    if let [only] = places { Some(*only) } else { None }
}

/// What stands in the columns below the header.
struct Table<'a> {
    sheet: &'a Sheet,
    rows: usize,
}

impl<'a> Table<'a> {
    fn cells(&self, place: usize) -> impl Iterator<Item = &'a str> {
        self.sheet.body(true).iter().map(move |row| cell(row, place))
    }

    /// How many different values a column has.
    fn distinct(&self, place: usize) -> usize {
        self.cells(place).collect::<HashSet<_>>().len()
    }

    /// Whether equal values of a column stand together, several to a value, none of them blank.
    fn comes_in_runs(&self, place: usize) -> bool {
        let cells: Vec<&str> = self.cells(place).collect();
        let runs = cells.chunk_by(|a, b| a == b).count();
        runs > 1
            && FEWEST_STEPS * runs <= self.rows
            && runs == self.distinct(place)
            && cells.iter().all(|cell| !cell.is_empty())
    }

    /// Whether rows of one id have one value in this column.
    fn follows(&self, place: usize, id: usize) -> bool {
        let mut of_id: HashMap<&str, &str> = HashMap::new();
        self.cells(id).zip(self.cells(place)).all(|(id, value)| *of_id.entry(id).or_insert(value) == value)
    }

    /// Whether a column numbers the rows of every id, in whatever order, without a gap.
    fn counts(&self, place: usize, id: usize) -> bool {
        let mut of_id: BTreeMap<&str, HashSet<i64>> = BTreeMap::new();
        for (id, value) in self.cells(id).zip(self.cells(place)) {
            let Ok(number) = value.parse::<i64>() else { return false };
            if !of_id.entry(id).or_default().insert(number) {
                return false;
            }
        }
        let is_whole = |numbers: &HashSet<i64>| {
            let ends = numbers.iter().min().zip(numbers.iter().max());
            ends.is_some_and(|(first, last)| last.abs_diff(*first) == numbers.len() as u64 - 1)
        };
        of_id.values().all(is_whole)
    }
}
