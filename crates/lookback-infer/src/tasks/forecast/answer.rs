//! What a forecaster says of a history.

use serde_json::{Map, Value, json};

use super::judged::Forecast;
use super::paths::Paths;
use super::plan::OutputPlan;
use crate::data::history::{History, HistoryColumns, Moment};
use crate::model::{Answer, Chart, View};

/// Which series it is of.
pub(super) const ID: &str = "id";
/// What has made the forecast, where it may be a classic one.
pub(super) const METHOD: &str = "method";
/// The times that are forecast.
pub(super) const TIME: &str = "time";
/// The point forecast of each.
pub(super) const MEAN: &str = "mean";
/// The quantiles of each, by their levels.
pub(super) const QUANTILES: &str = "quantiles";
/// Which of several targets a row of a table is of.
pub(super) const TARGET: &str = "target";
/// What was looked at.
pub(super) const VIEWS: &str = "views";
/// Paths of what may come.
pub(super) const SAMPLES: &str = "samples";

/// What is said beside forecasts.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// What has made them, where that is said.
    pub(super) method: Option<&'static str>,
    pub(super) views: Vec<View>,
    pub(super) charts: Vec<Chart>,
    /// Where they are asked for.
    pub(super) paths: Option<Paths>,
    /// Whether there are rows of a table.
    pub(super) table: bool,
}

/// The answer of forecasts, one per target, the first of the step `first`.
pub(super) fn of(
    columns: &HistoryColumns,
    output: &OutputPlan,
    history: &History,
    (forecasts, first): (&[Forecast], usize),
    Beside { method, views, charts, paths, table }: Beside,
) -> Answer {
    let every = first < history.length;
    // Where every step is told, what is told stands where else covariates do.
    let targets = if every { &columns.past } else { &columns.targets };
    let horizon = forecasts.first().map_or(0, |forecast| forecast.mean.len());
    let times: Vec<Value> = (0..horizon).map(|ahead| time_of(columns, history, first + ahead)).collect();
    let levels = |forecast: &Forecast| -> Value {
        let count = output.quantiles.len();
        let of_level = |(place, level): (usize, &f64)| {
            let values = forecast.quantiles.iter().skip(place).step_by(count);
            (level.to_string(), numbers(values))
        };
        Value::Object(output.quantiles.iter().enumerate().map(of_level).collect())
    };
    // One target stands by itself, several by their names.
    let by_target = |of: &dyn Fn(&Forecast) -> Value| match forecasts {
        [alone] => of(alone),
        several => Value::Object(targets.iter().cloned().zip(several.iter().map(of)).collect()),
    };
    let mut json = Map::new();
    let id = (columns.id.is_some() || !history.id.is_empty()).then(|| json!(history.id));
    json.extend(id.clone().map(|id| (ID.to_owned(), id)));
    json.extend(method.map(|method| (METHOD.to_owned(), json!(method))));
    json.insert(TIME.into(), Value::Array(times.clone()));
    json.insert(MEAN.into(), by_target(&|forecast| numbers(&forecast.mean)));
    if !output.quantiles.is_empty() {
        json.insert(QUANTILES.into(), by_target(&levels));
    }
    if let Some(paths) = paths {
        let of_target = |paths: &Vec<Vec<f32>>| -> Value { paths.iter().map(numbers).collect() };
        let each = match paths.as_slice() {
            [alone] => of_target(alone),
            several => Value::Object(targets.iter().cloned().zip(several.iter().map(of_target)).collect()),
        };
        json.insert(SAMPLES.into(), each);
    }
    if !views.is_empty() {
        json.insert(VIEWS.into(), Value::Object(View::by_name(&views)));
    }
    let line = forecasts
        .iter()
        .enumerate()
        .map(|(target, forecast)| {
            let values: Vec<String> = forecast.mean.iter().map(|value| format!("{value:.4}")).collect();
            let name = targets.get(target).map_or_else(String::new, |name| format!("{name}: "));
            format!("{name}{}", values.join(" "))
        })
        .collect::<Vec<_>>()
        .join("\n");
    let notes = match (times.first(), times.last()) {
        (Some(first), Some(last)) => vec![format!("From {} to {}", shown(first), shown(last))],
        _ => Vec::new(),
    };
    let own = [(ID, id), (METHOD, method.map(|method| json!(method)))];
    let own = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let rows = table.then(|| rows((targets, output), &own, &times, forecasts));
    Answer { json, line, notes, views, rows, charts }
}

/// The time of a step, as an answer has it.
pub(super) fn time_of(columns: &HistoryColumns, history: &History, step: usize) -> Value {
    let moment = columns.frequency.after(history.start, step as i64);
    match moment {
        Moment::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => json!(number as i64),
        Moment::Number(number) => json!(number),
        Moment::Time(_) => json!(columns.time_text(moment)),
    }
}

/// Numbers with the digits that they have in single precision.
fn numbers<'a>(values: impl IntoIterator<Item = &'a f32>) -> Value {
    values.into_iter().map(|value| json!(shortest(*value))).collect()
}

/// In double precision, with the digits that it has in single precision.
pub(super) fn shortest(number: f32) -> f64 {
    number.to_string().parse().unwrap_or_else(|_| f64::from(number))
}

/// A row per target and step, each with what is of all of them, `own`.
fn rows(
    (targets, output): (&[String], &OutputPlan),
    own: &Map<String, Value>,
    times: &[Value],
    forecasts: &[Forecast],
) -> Vec<Map<String, Value>> {
    let count = output.quantiles.len();
    let mut rows = Vec::with_capacity(times.len() * forecasts.len());
    for (target, forecast) in forecasts.iter().enumerate() {
        for (step, (time, mean)) in times.iter().zip(&forecast.mean).enumerate() {
            let mut row = own.clone();
            if forecasts.len() > 1 {
                row.insert(TARGET.into(), json!(targets.get(target)));
            }
            row.insert(TIME.into(), time.clone());
            row.insert(MEAN.into(), json!(shortest(*mean)));
            let levels = output.quantiles.iter().zip(&forecast.quantiles[step * count..]);
            let levels = levels.map(|(level, value)| (column(*level), json!(shortest(*value))));
            row.insert(QUANTILES.into(), Value::Object(levels.collect()));
            rows.push(row);
        }
    }
    rows
}

/// The column of a table with the quantile of this level.
pub(super) fn column(level: f64) -> String {
    format!("quantile_{level}")
}

fn shown(time: &Value) -> String {
    time.as_str().map_or_else(|| time.to_string(), str::to_owned)
}
