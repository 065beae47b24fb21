//! What is particular to inputs that are histories: numbers over time, up to where a forecast begins.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::columns::Columns;
use super::plan::NOT_TEXT;
use crate::data::history::{Frequency, History, HistoryColumns, HistoryOptions, Moment, StaticKind, StaticValue};
use crate::data::series::SeriesLayout;
use crate::data::{Column, Format, Layout};
use crate::error::{DataError, PlanError, quoted};

/// Categories of a column that a network reads at most, one channel each.
const MOST_CATEGORIES: usize = 1000;

/// How histories are read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HistoryPlan {
    /// The format of the training data, where it was said.
    pub format: Option<Format>,
    /// Whether the first row holds names, where it was said.
    pub header: Option<bool>,
    /// The column that tells the series apart, where it was said.
    pub id: Option<Column>,
    /// The column of the times, where it was said.
    pub time: Option<Column>,
    /// The columns that are forecast, where they were said.
    pub target: Vec<Column>,
    /// The columns that are known up to now.
    pub past: Vec<Column>,
    /// The columns that are known of the time ahead as well.
    pub future: Vec<Column>,
    /// The columns with one value per series.
    #[serde(rename = "static")]
    pub statics: Vec<Column>,
    /// How the file is laid out, where that was said.
    pub layout: Layout,
    /// How series stand in the file, where that was said.
    pub series: SeriesLayout,
    /// From one time to the next, where it was said.
    pub frequency: Option<Frequency>,
    /// Whether `past` is told of every step, from `target`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub every_step: bool,
    /// What was found out of the training data, by which other data are read.
    pub columns: Option<HistoryColumns>,
}

impl HistoryPlan {
    /// Whether histories can be read by it; a plan from a file may say anything.
    ///
    /// # Errors
    /// If an option has a value that reads nothing.
    pub(super) fn check(&self) -> Result<(), PlanError> {
        self.layout.check()
    }

    /// How a file is read. `training`: whether every series must have something to learn from.
    pub fn options(&self, training: bool) -> HistoryOptions {
        // What is told of every step is not known of what is to be told.
        let told = self.every_step && !training;
        let trained = self.columns.clone().map(|mut columns| {
            if told {
                columns.past.clear();
            }
            columns
        });
        HistoryOptions {
            format: self.format,
            id: self.id.clone(),
            time: self.time.clone(),
            targets: self.target.clone(),
            past: if told { Vec::new() } else { self.past.clone() },
            future: self.future.clone(),
            statics: self.statics.clone(),
            header: self.header,
            layout: self.layout.clone(),
            series: self.series.clone(),
            frequency: self.frequency,
            trained,
            ends_at_target: training,
        }
    }

    /// Reads `file`, which `columns` say differs from the training data.
    pub(super) fn over(&mut self, columns: &Columns, file: &Path) -> Result<(), PlanError> {
        let others = [
            ("text", columns.text.is_some()),
            ("label", columns.label.is_some()),
            ("label-separator", columns.label_separator.is_some()),
            ("target", columns.target.is_some()),
            ("target-file", columns.target_file.is_some()),
        ];
        columns.refuse(
            &others,
            "is not for numbers over time, whose columns are found by their names in the training data",
        )?;
        columns.refuse(&columns.tagged.said(), "is of sentences of tokens, but the model reads numbers over time")?;
        match columns.format {
            Some(format @ (Format::CsvLong | Format::Wide | Format::Jsonl | Format::Parquet)) => {
                self.format = Some(format);
            }
            Some(Format::Csv | Format::Tsv) => self.format = Some(Format::CsvLong),
            // A series a line, as it is answered.
            Some(Format::Lines) => {}
            Some(format) => {
                let problem = format!("is {}, but the model reads {}", format.name(), Format::OF_HISTORIES);
                return Err(PlanError::conflict("format", problem));
            }
            // The file's own extension wins over the format of the training, but does not tell a wide table from a long one.
            None => match Format::of_texts(file) {
                Some(format @ (Format::Jsonl | Format::Parquet)) => self.format = Some(format),
                Some(_) if self.format != Some(Format::Wide) => self.format = Some(Format::CsvLong),
                _ => {}
            },
        }
        if Format::of_texts(file) == Some(Format::Parquet) {
            columns.refuse(&columns.of_text_files(), NOT_TEXT)?;
        }
        if columns.series.label_per.is_some() {
            return Err(PlanError::conflict("label-per", "is of labels, and numbers over time have none"));
        }
        self.layout = columns.layout.or(&self.layout);
        self.series = columns.series.or(&self.series);
        self.header = columns.header.map_or(self.header, |header| header.explicit());
        if let Some(found) = &mut self.columns {
            // What is said now goes before what was found in the training data.
            found.id = found.id.take().filter(|_| columns.id.is_none());
            found.time = found.time.take().filter(|_| columns.time.is_none());
            found.time_format = found.time_format.take().filter(|_| columns.series.time_format.is_none());
        }
        self.id = columns.id.clone().or(self.id.take());
        self.time = columns.time.clone().or(self.time.take());
        Ok(())
    }
}

/// What was learnt of the training histories beside their targets, which every window scales by itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HistoryEncoder {
    /// Of every target; a window scales them by itself, but where every step is told.
    pub targets: Vec<Spread>,
    /// Of every column that is known up to now.
    pub past: Vec<Spread>,
    /// Of every column that is known ahead as well.
    pub future: Vec<Spread>,
    /// Of every column with one value per series.
    #[serde(rename = "static")]
    pub statics: Vec<StaticEncoder>,
    /// Whether values were missing: behind the values of targets and covariates of a step then stands, for each of them, 1 where
    /// it is missing and 0 elsewhere.
    pub indicators: bool,
}

/// Mean and standard deviation of a column.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spread {
    /// The mean.
    pub mean: f32,
    /// The standard deviation; 1 of a column that never changes.
    pub std: f32,
}

/// The most deviations from the mean that a network reads; what is farther is read as this.
const FARTHEST: f32 = 1e6;

impl Spread {
    /// Of values, those that are NaN left out.
    fn of(values: impl Iterator<Item = f32> + Clone) -> Spread {
        let present = values.filter(|value| !value.is_nan()).map(f64::from);
        let count = present.clone().count().max(1) as f64;
        let mean = present.clone().sum::<f64>() / count;
        let std = (present.map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        // What is below the rounding of the values themselves is no deviation.
        let constant = std <= mean.abs() * f64::from(f32::EPSILON) || !(std as f32).is_normal();
        Spread { mean: mean as f32, std: if constant { 1.0 } else { std as f32 } }
    }

    /// How many deviations from the mean; 0 where it is missing.
    pub fn standardise(self, value: f32) -> f32 {
        if value.is_nan() { 0.0 } else { ((value - self.mean) / self.std).clamp(-FARTHEST, FARTHEST) }
    }
}

/// What is read of a column with one value per series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum StaticEncoder {
    /// Numbers.
    Number(Spread),
    /// Categories, a channel each; a value that was not trained has none.
    Categories(Vec<String>),
}

impl StaticEncoder {
    /// How many channels it has.
    pub fn width(&self) -> usize {
        match self {
            StaticEncoder::Number(_) => 1,
            StaticEncoder::Categories(all) => all.len(),
        }
    }

    /// Adds a value's channels.
    pub fn put(&self, value: &StaticValue, channels: &mut Vec<f32>) {
        match (self, value) {
            (StaticEncoder::Number(spread), StaticValue::Number(value)) => channels.push(spread.standardise(*value)),
            (StaticEncoder::Number(_), _) => channels.push(0.0),
            (StaticEncoder::Categories(all), StaticValue::Category(own)) => {
                channels.extend(all.iter().map(|category| if category == own { 1.0 } else { 0.0 }));
            }
            (StaticEncoder::Categories(all), _) => channels.extend(std::iter::repeat_n(0.0, all.len())),
        }
    }
}

impl HistoryEncoder {
    /// Learns of the training histories, which stand in `file`.
    ///
    /// # Errors
    /// If a column has more categories than a network reads.
    pub(super) fn fit(
        histories: &[&History],
        columns: &HistoryColumns,
        file: &Path,
    ) -> Result<HistoryEncoder, DataError> {
        let spread = |of: fn(&History) -> &[f32], width: usize, place: usize| {
            Spread::of(histories.iter().flat_map(move |history| of(history).iter().skip(place).step_by(width).copied()))
        };
        let (targets, past, future) = (columns.target_count(), columns.past.len(), columns.future.len());
        let statics = columns.statics.iter().enumerate().map(|(place, name)| {
            let values = histories.iter().filter_map(move |history| history.statics.get(place));
            if columns.static_kinds.get(place) == Some(&StaticKind::Number) {
                return Ok(StaticEncoder::Number(Spread::of(values.map(|value| match value {
                    StaticValue::Number(value) => *value,
                    _ => f32::NAN,
                }))));
            }
            let mut categories: Vec<String> = values
                .filter_map(|value| if let StaticValue::Category(own) = value { Some(own.clone()) } else { None })
                .collect();
            categories.sort_unstable();
            categories.dedup();
            if categories.len() > MOST_CATEGORIES {
                let problem = format!(
                    "the column {name:?} has {} categories, and a network reads at most {MOST_CATEGORIES}; leave it out of \
                     --static",
                    categories.len()
                );
                return Err(DataError::Line { file: file.into(), line: 1, problem });
            }
            Ok(StaticEncoder::Categories(categories))
        });
        let is_missing = |values: &[f32]| values.iter().any(|value| value.is_nan());
        Ok(HistoryEncoder {
            targets: (0..targets).map(|place| spread(|history| &history.targets, targets, place)).collect(),
            past: (0..past).map(|place| spread(|history| &history.past, past, place)).collect(),
            future: (0..future).map(|place| spread(|history| &history.future, future, place)).collect(),
            statics: statics.collect::<Result<_, _>>()?,
            indicators: histories.iter().any(|history| {
                is_missing(&history.targets) || is_missing(&history.past) || is_missing(&history.future)
            }),
        })
    }

    /// Whether it is of such columns.
    ///
    /// # Errors
    /// A sentence that says what does not fit.
    pub(super) fn check(&self, columns: Option<&HistoryColumns>) -> Result<(), String> {
        let columns = columns.ok_or("the columns of the training data are missing")?;
        let sizes = [
            ("targets", self.targets.len(), columns.target_count()),
            ("past", self.past.len(), columns.past.len()),
            ("future", self.future.len(), columns.future.len()),
            ("static", self.statics.len(), columns.statics.len()),
        ];
        if let Some((name, own, named)) = sizes.into_iter().find(|(_, own, named)| own != named) {
            return Err(format!("it has {own} columns of \"{name}\", but {named} are named"));
        }
        let spreads = self.targets.iter().chain(&self.past).chain(&self.future).copied();
        let of_statics = self.statics.iter().filter_map(|encoder| match encoder {
            StaticEncoder::Number(spread) => Some(*spread),
            StaticEncoder::Categories(_) => None,
        });
        let is_one = |spread: Spread| spread.mean.is_finite() && spread.std.is_finite() && spread.std > 0.0;
        match spreads.chain(of_statics).all(is_one) && columns.target_count() > 0 {
            true => Ok(()),
            false => Err("means must be finite, deviations above 0, and there must be a target".into()),
        }
    }
}

/// What a model reads, such as `numbers over time: "sales" every day`.
pub(super) fn in_words(columns: &HistoryColumns, every_step: bool) -> String {
    let group = |names: &[String], what: &str| match names {
        [] => String::new(),
        names => format!("; {what} {}", quoted(names)),
    };
    format!(
        "numbers over time, every {}{}{}{}{}",
        columns.frequency,
        group(&columns.targets, if every_step { "read:" } else { "forecast:" }),
        group(&columns.past, if every_step { "told of every step:" } else { "known up to now:" }),
        group(&columns.future, "known ahead:"),
        group(&columns.statics, "of each series:")
    )
}

/// Refuses to train on with other columns. `own`: of the model.
pub(super) fn check_taken_on(own: &HistoryPlan, new: &HistoryPlan) -> Result<(), PlanError> {
    let names = |plan: &HistoryPlan| {
        plan.columns.as_ref().map(|found| {
            (found.targets.clone(), found.past.clone(), found.future.clone(), found.statics.clone(), found.frequency)
        })
    };
    match (names(own), names(new)) {
        (Some(known), Some(found)) if known != found => {
            let problem = format!(
                "the data forecast {} every {}, but the model in --init {} every {}, or their covariates differ",
                quoted(&found.0),
                found.4,
                quoted(&known.0),
                known.4
            );
            Err(PlanError::Unfit(problem))
        }
        _ => Ok(()),
    }
}

/// A history from a JSON array of numbers, null where one is missing: of a model that reads nothing beside one target.
pub(super) fn parse(
    content: &str,
    (columns, every_step): (&HistoryColumns, bool),
    file: &Path,
    line: usize,
) -> Result<History, DataError> {
    let wrong = |problem: String| DataError::Line { file: file.into(), line, problem };
    let past = if every_step { 0 } else { columns.past.len() };
    let beside = past + columns.future.len() + columns.statics.len();
    if columns.target_count() > 1 || beside > 0 || !matches!(columns.frequency, Frequency::Number(_)) {
        let problem = "the model reads more than one number per step, or times; give a table as in training".to_owned();
        return Err(wrong(problem));
    }
    let values: Vec<Option<f32>> = serde_json::from_str(content).map_err(|error| {
        let problem = crate::error::in_plain_words(&error.to_string());
        wrong(format!("expected a JSON array of numbers, one per step: {problem}"))
    })?;
    let mut targets: Vec<f32> = values.into_iter().map(|value| value.unwrap_or(f32::NAN)).collect();
    if let Some(step) = targets.iter().position(|value| value.is_infinite()) {
        return Err(wrong(format!("step {} is more than 32 bits hold", step + 1)));
    }
    while targets.last().is_some_and(|value| value.is_nan()) {
        targets.pop();
    }
    Ok(History {
        id: String::new(),
        line,
        start: Moment::Number(0.0),
        length: targets.len(),
        targets,
        past: Vec::new(),
        future: Vec::new(),
        statics: Vec::new(),
    })
}
