//! What is particular to inputs that are numeric series.

use std::path::Path;

use super::{SeriesPlan, Standardizer};
use crate::data::series::{Missing, SeriesColumns, SeriesExample};
use crate::error::{DataError, PlanError, counted, in_plain_words, quoted};

/// What a model reads, such as `numeric series of 2 channels: "speed", "temp"`.
pub(super) fn in_words(standardizer: &Standardizer, columns: &SeriesColumns) -> String {
    let channels = counted(standardizer.channels(), "channel");
    let names = match columns.channels.as_slice() {
        [] => String::new(),
        names => format!(": {}", quoted(names)),
    };
    let missing = if standardizer.indicators { ", each with one that tells missing values" } else { "" };
    format!("numeric series of {channels}{names}{missing}")
}

/// Refuses a plan and an encoder of a model file that do not go together.
pub(super) fn check_stored(plan: &SeriesPlan, standardizer: &Standardizer) -> Result<(), String> {
    let named = plan.columns.as_ref().map_or(0, |columns| columns.channels.len());
    if named != 0 && named != standardizer.channels() {
        return Err(format!("{named} names of channels, but the encoder has {}", standardizer.channels()));
    }
    match (plan.missing, standardizer.indicators) {
        (Missing::Mask, true) | (Missing::Refuse, false) => Ok(()),
        (Missing::Mask, false) => Err("\"missing\" is \"mask\", but the encoder has no indicators".into()),
        (Missing::Refuse, true) => Err("the encoder has indicators, but \"missing\" is not \"mask\"".into()),
    }
}

/// Refuses to train on with channels of other names, in another order, or otherwise read. `own`: of the model.
pub(super) fn check_taken_on(own: &SeriesPlan, new: &SeriesPlan) -> Result<(), PlanError> {
    if own.missing != new.missing {
        return Err(PlanError::conflict("missing", "is not that of the model in --init"));
    }
    let names = |plan: &SeriesPlan| plan.columns.as_ref().map(|columns| columns.channels.clone()).unwrap_or_default();
    let (known, found) = (names(own), names(new));
    if known.is_empty() || found.is_empty() || known == found {
        return Ok(());
    }
    let problem = format!(
        "the channels of the data are {}, but those of the model in --init {}; --values {} reads them so",
        quoted(&found),
        quoted(&known),
        known.join(",")
    );
    Err(PlanError::Unfit(problem))
}

/// A series from a JSON array of steps. `columns`: what channels are called.
pub(super) fn parse(
    content: &str,
    standardizer: &Standardizer,
    columns: &SeriesColumns,
    file: &Path,
    line: usize,
) -> Result<SeriesExample, DataError> {
    let wrong = |problem: String| DataError::Line { file: file.into(), line, problem };
    let steps: Vec<Vec<Option<f32>>> = if content.trim().is_empty() {
        Vec::new()
    } else {
        serde_json::from_str(content).map_err(|error| {
            too_large(content, columns, file, line).unwrap_or_else(|| {
                let problem = in_plain_words(&error.to_string());
                wrong(format!("expected a JSON array of steps, each an array of numbers: {problem}"))
            })
        })?
    };
    let channels = standardizer.channels();
    let mut values = Vec::with_capacity(steps.len() * channels);
    for (row, step) in steps.iter().zip(1..) {
        if row.len() != channels {
            let found = row.len();
            return Err(wrong(format!("step {step} has {found} channels, but the model has {channels}")));
        }
        for (channel, number) in row.iter().enumerate() {
            if number.is_none() && !standardizer.indicators {
                let (channel, value) = (columns.call(channel), "null".to_owned());
                return Err(DataError::MissingValue { file: file.into(), line, channel, step, value });
            }
            values.push(number.unwrap_or(f32::NAN));
        }
    }
    Ok(SeriesExample { values, length: steps.len(), channels, label: None, line })
}

/// What is wrong with steps that are numbers, but one too large for 32 bits.
fn too_large(content: &str, columns: &SeriesColumns, file: &Path, line: usize) -> Option<DataError> {
    let steps: Vec<Vec<Option<f64>>> = serde_json::from_str(content).ok()?;
    let is_large = |value: &Option<f64>| value.is_some_and(|value| !(value as f32).is_finite());
    steps.iter().zip(1..).find_map(|(row, step)| {
        let channel = row.iter().position(is_large)?;
        let value = format!("{:?}", row[channel].unwrap_or_default());
        Some(DataError::SeriesValue { file: file.into(), line, channel: columns.call(channel), step, value })
    })
}
