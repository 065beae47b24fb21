//! Which column is what: told, or named as in the training data, or by the names that data sets use, or by what stands in it.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::clock::are_dates;
use super::sheet::{SAMPLE, Sheet};
use super::{HistoryColumns, HistoryOptions};
use crate::data::Format;
use crate::data::columns::{Column, FirstLine};
use crate::data::series::long_form::{ID_NAMES, TIME_NAMES};
use crate::data::series::numbers::may_be_number;
use crate::data::series::sheet::left_aside;
use crate::error::{DataError, counted, quoted};

/// What else data sets call the column that tells series apart.
const MORE_ID_NAMES: &[&str] = &["unique_id", "item_id"];
/// What else they call the times.
const MORE_TIME_NAMES: &[&str] = &["ds", "date", "datetime"];
/// What they call the target.
const TARGET_NAMES: &[&str] = &["y", "target", "value", "sales", "demand"];

/// Where the columns stand, counted from 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    pub(super) id: Option<usize>,
    pub(super) time: Option<usize>,
    /// Of a table with a column per series, the series.
    pub(super) targets: Vec<usize>,
    pub(super) past: Vec<usize>,
    pub(super) future: Vec<usize>,
    pub(super) statics: Vec<usize>,
    /// Whether the first row names the columns.
    pub(super) header: bool,
}

impl Places {
    /// Of a table with a row per step of a series, or with a column per series where it `is_wide`.
    pub(super) fn find(
        file: &Path,
        sheet: &Sheet,
        options: &HistoryOptions,
        is_wide: bool,
    ) -> Result<Places, DataError> {
        let first = &sheet.first(file);
        let header = has_header(first, sheet, options)?;
        // Names of the other kind of table say nothing here.
        let trained = options.trained.as_ref().filter(|trained| (trained.format == Format::Wide) == is_wide);
        let finder = Finder { first, sheet, options, trained, header };
        let places = if is_wide { finder.wide()? } else { finder.long()? };
        places.check_distinct(first)?;
        options.trained.as_ref().filter(|_| !is_wide).map_or(Ok(()), |trained| places.check_counts(file, trained))?;
        Ok(places)
    }

    /// Each column that has a role, with what messages call that.
    fn roles(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let one = |role, place: Option<usize>| place.map(|place| (role, place));
        let all = |role, places: &[usize]| places.iter().map(|&place| (role, place)).collect::<Vec<_>>();
        one("id", self.id)
            .into_iter()
            .chain(one("time", self.time))
            .chain(all("target", &self.targets))
            .chain(all("past covariate", &self.past))
            .chain(all("future covariate", &self.future))
            .chain(all("static value", &self.statics))
    }

    /// The columns that have a role, in order.
    #[cfg(feature = "parquet")]
    pub(super) fn needed(&self) -> Vec<usize> {
        self.roles().map(|(_, place)| place).collect::<BTreeSet<usize>>().into_iter().collect()
    }

    /// What a column is called in other data: its name, or its number where there is no header.
    pub(super) fn name(&self, first: &FirstLine<'_>, place: usize) -> String {
        match first.fields.get(place) {
            Some(name) if self.header && !name.is_empty() => (*name).to_owned(),
            _ => (place + 1).to_string(),
        }
    }

    /// Which columns are left aside, in words.
    pub(super) fn aside(&self, first: &FirstLine<'_>) -> Option<String> {
        let used: BTreeSet<usize> = self.roles().map(|(_, place)| place).collect();
        let aside: Vec<usize> = (0..first.fields.len()).filter(|place| !used.contains(place)).collect();
        left_aside(first, &aside, self.header)
    }

    /// Refuses other data that have more or fewer columns of a role than the training data.
    fn check_counts(&self, file: &Path, trained: &HistoryColumns) -> Result<(), DataError> {
        let counts = [
            ("target", self.targets.len(), trained.target_count()),
            ("past covariate", self.past.len(), trained.past.len()),
            ("future covariate", self.future.len(), trained.future.len()),
            ("static value", self.statics.len(), trained.statics.len()),
        ];
        match counts.into_iter().find(|(_, found, expected)| found != expected) {
            None => Ok(()),
            Some((role, found, expected)) => {
                let problem = format!("{} told or found, but the training data had {expected}", counted(found, role));
                Err(DataError::Columns { file: file.into(), problem })
            }
        }
    }

    /// No column can have two roles.
    fn check_distinct(&self, first: &FirstLine<'_>) -> Result<(), DataError> {
        let mut roles: HashMap<usize, &'static str> = HashMap::new();
        for (second, place) in self.roles() {
            if let Some(role) = roles.insert(place, second) {
                let column = format!("{} ({:?})", place + 1, first.fields.get(place).unwrap_or(&""));
                return Err(DataError::SameColumn { file: first.file.into(), first: role, second, column });
            }
        }
        Ok(())
    }
}

/// Whether the first row names the columns: it does where the file has names of its own, a column is told by name or known by one,
/// or none of its fields is a number or a date.
fn has_header(first: &FirstLine<'_>, sheet: &Sheet, options: &HistoryOptions) -> Result<bool, DataError> {
    if sheet.has_names() {
        return Ok(true);
    }
    let named = options.told().find_map(|column| match column {
        Column::Name(name) => Some(name),
        Column::Number(_) => None,
    });
    match (named, options.header, &options.trained) {
        (Some(name), Some(false), _) => {
            Err(DataError::NameWithoutHeader { file: first.file.into(), name: name.clone() })
        }
        (_, Some(told), _) => Ok(told),
        (Some(_), None, _) => Ok(true),
        (None, None, Some(trained)) => Ok(trained.header),
        (None, None, None) => {
            let known = [ID_NAMES, MORE_ID_NAMES, TIME_NAMES, MORE_TIME_NAMES, TARGET_NAMES];
            let is_number = |field: &&str| !field.is_empty() && may_be_number(field);
            let numbers = first.fields.iter().filter(|field| is_number(field)).count();
            let looks_named = numbers == 0 && first.fields.iter().all(|field| !are_dates(&[(1, field)]));
            // A name stands in no other row.
            let is_alone =
                |place: usize| sheet.body(true).take(SAMPLE).all(|row| sheet.cell(row, place) != sheet.cell(0, place));
            Ok(looks_named || known.into_iter().any(|names| first.known(names).is_some_and(is_alone)))
        }
    }
}

/// Finds the columns of a table.
struct Finder<'a> {
    first: &'a FirstLine<'a>,
    sheet: &'a Sheet,
    options: &'a HistoryOptions,
    trained: Option<&'a HistoryColumns>,
    header: bool,
}

impl Finder<'_> {
    /// A row per step of a series.
    fn long(&self) -> Result<Places, DataError> {
        let options = self.options;
        let mut places = Places { header: self.header, ..Places::default() };
        let of_training = |told: &[Column], names: fn(&HistoryColumns) -> &[String]| match told.is_empty() {
            false => self.all(told),
            true => self.trained.map_or(Ok(Vec::new()), |trained| self.all_named(names(trained))),
        };
        places.past = of_training(&options.past, |trained| &trained.past)?;
        places.future = of_training(&options.future, |trained| &trained.future)?;
        places.statics = of_training(&options.statics, |trained| &trained.statics)?;
        places.targets = of_training(&options.targets, |trained| &trained.targets)?;
        places.id = self.one(options.id.as_ref(), |trained| trained.id.as_ref())?;
        places.time = self.one(options.time.as_ref(), |trained| trained.time.as_ref())?;
        let finds = self.trained.is_none();
        if places.id.is_none() && finds {
            places.id = self.known(&[ID_NAMES, MORE_ID_NAMES], &places);
        }
        if places.time.is_none() && finds {
            places.time = self.known(&[TIME_NAMES, MORE_TIME_NAMES], &places);
        }
        if places.time.is_none() && finds {
            places.time = self.only_dates(&places)?;
        }
        if places.targets.is_empty() {
            places.targets = vec![self.target(&places)?];
        }
        Ok(places)
    }

    /// A column per series, and one of times or none.
    fn wide(&self) -> Result<Places, DataError> {
        self.check_wide()?;
        let options = self.options;
        let mut places = Places { header: self.header, targets: self.all(&options.targets)?, ..Places::default() };
        places.time = self.one(options.time.as_ref(), |trained| trained.time.as_ref())?;
        if places.time.is_none() && self.trained.is_none() {
            let first = self.free(&places).next().filter(|&place| place == 0);
            // Whether all of them are dates is told when they are read.
            let is_of_words = |place: &usize| {
                let filled = self.sheet.body(self.header).any(|row| !self.sheet.cell(row, *place).is_empty());
                filled && !self.sheet.is_of_numbers(*place, self.header)
            };
            places.time = self.known(&[TIME_NAMES, MORE_TIME_NAMES], &places).or_else(|| first.filter(is_of_words));
        }
        if places.targets.is_empty() {
            places.targets = self.free(&places).collect();
        }
        match places.targets.is_empty() {
            true => Err(self.first.unclear("target")),
            false => Ok(places),
        }
    }

    /// Refuses what a table with a column per series has no place for.
    fn check_wide(&self) -> Result<(), DataError> {
        let HistoryOptions { id, past, future, statics, .. } = self.options;
        let said = [
            ("--id", id.is_some()),
            ("--past", !past.is_empty()),
            ("--future", !future.is_empty()),
            ("--static", !statics.is_empty()),
        ];
        let refuse = |problem| Err(DataError::Columns { file: self.first.file.into(), problem });
        if let Some((option, _)) = said.into_iter().find(|(_, said)| *said) {
            return refuse(format!(
                "a table with a column per series (wide) has nothing that {option} could name; --format csv-long reads one with \
                 a row per step of a series"
            ));
        }
        let Some(trained) = &self.options.trained else { return Ok(()) };
        let more = [&trained.past, &trained.future, &trained.statics].into_iter().flatten().cloned();
        let more: Vec<String> = more.collect();
        match trained.target_count() == 1 && more.is_empty() {
            true => Ok(()),
            false => {
                let expected: Vec<String> = trained.targets.iter().cloned().chain(more).collect();
                refuse(format!(
                    "a table with a column per series (wide) has one target and nothing else, but the training data had the \
                     columns {}; --format csv-long reads a table with those",
                    quoted(&expected)
                ))
            }
        }
    }

    /// The target where nothing names it: by the names that data sets use, else the only column of numbers.
    fn target(&self, places: &Places) -> Result<usize, DataError> {
        if let Some(known) = self.known(&[TARGET_NAMES], places) {
            return Ok(known);
        }
        let numbers: Vec<usize> =
            self.free(places).filter(|&place| self.sheet.is_of_numbers(place, self.header)).collect();
        match numbers.as_slice() {
            [only] => Ok(*only),
            [] => Err(self.first.unclear("target")),
            several => Err(DataError::UnclearColumn {
                file: self.first.file.into(),
                line: self.first.line,
                role: "target",
                present: several.iter().map(|&place| places.name(self.first, place)).collect(),
                hint: "; --format wide reads each of them as a series of its own".to_owned(),
            }),
        }
    }

    /// The only column that holds dates.
    fn only_dates(&self, places: &Places) -> Result<Option<usize>, DataError> {
        let is_of_dates = |place: &usize| {
            !self.sheet.is_of_numbers(*place, self.header) && self.sheet.is_of_dates(*place, self.header)
        };
        let dates: Vec<usize> = self.free(places).filter(is_of_dates).collect();
        match dates.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(*only)),
            several => Err(DataError::UnclearColumn {
                file: self.first.file.into(),
                line: self.first.line,
                role: "time",
                present: several.iter().map(|&place| places.name(self.first, place)).collect(),
                hint: String::new(),
            }),
        }
    }

    /// The columns that have no role yet and do not count rows.
    fn free(&self, places: &Places) -> impl Iterator<Item = usize> {
        let taken: BTreeSet<usize> = places.roles().map(|(_, place)| place).collect();
        let is_free = move |place: &usize| !taken.contains(place) && !self.sheet.is_counter(*place, self.header);
        (0..self.sheet.width()).filter(is_free)
    }

    /// The first of these names that a column without a role bears.
    fn known(&self, names: &[&[&str]], places: &Places) -> Option<usize> {
        let taken: BTreeSet<usize> = places.roles().map(|(_, place)| place).collect();
        let mut found = names.iter().filter_map(|names| self.first.known(names));
        found.find(|place| !taken.contains(place)).filter(|_| self.header)
    }

    /// A column that is told, else that of the training data.
    fn one(
        &self,
        told: Option<&Column>,
        name: fn(&HistoryColumns) -> Option<&String>,
    ) -> Result<Option<usize>, DataError> {
        match (told, self.trained.and_then(name)) {
            (Some(column), _) => self.first.find(column).map(Some),
            (None, Some(name)) => self.named(name).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn all(&self, told: &[Column]) -> Result<Vec<usize>, DataError> {
        told.iter().map(|column| self.first.find(column)).collect()
    }

    fn all_named(&self, names: &[String]) -> Result<Vec<usize>, DataError> {
        names.iter().map(|name| self.named(name)).collect()
    }

    /// The column that the training data call so.
    fn named(&self, name: &str) -> Result<usize, DataError> {
        match (self.trained.is_some_and(|trained| trained.header), self.header) {
            (true, true) => self.first.find(&Column::Name(name.to_owned())),
            (true, false) => Err(DataError::NameWithoutHeader { file: self.first.file.into(), name: name.to_owned() }),
            (false, _) => self.first.find(&Column::Number(name.parse().unwrap_or(0))),
        }
    }
}
