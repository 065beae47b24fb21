//! Values that left the interval which was forecast of them, one step ahead, from all that came before.

use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::answer::{ID, MEAN, TARGET, TIME, shortest, time_of};
use super::conformal::Conformal;
use super::judged::{Forecast, forecasts};
use super::network::{Network, answer_together};
use super::plan::NetworkPlan;
use super::window::{Cutter, Window, batch};
use crate::data::history::{History, HistoryColumns};
use crate::error::{PlanError, counted};
use crate::model::{Answer, Ask, Field, ForecastAsk};
use crate::network::budget::Budget;

/// The interval, in percent.
const LEVEL: &str = "level";
/// How many values were looked at.
const CHECKED: &str = "checked";
/// Those that left it.
const ANOMALIES: &str = "anomalies";
/// What stands in a row of each, behind its series, target and time.
const NUMBERS: [&str; 6] = ["value", MEAN, "lower", "upper", "beyond", "half_widths"];

/// An interval between two of the quantiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Interval {
    /// In percent.
    pub(super) level: f64,
    /// The place of the lower quantile.
    pub(super) lower: usize,
    /// The place of the upper one.
    pub(super) upper: usize,
}

/// All intervals of quantiles that lie as far from the median, the narrowest first.
pub(super) fn intervals(levels: &[f64]) -> Vec<Interval> {
    let count = levels.len();
    let pair = |lower: usize| {
        let upper = (lower + 1..count).find(|&upper| (levels[lower] + levels[upper] - 1.0).abs() < 1e-9)?;
        // As people write it: 80, not 80.00000000000001.
        let level = (1e8 * (levels[upper] - levels[lower])).round() / 1e6;
        Some(Interval { level, lower, upper })
    };
    (0..count).rev().filter_map(pair).collect()
}

/// The interval that is asked for.
///
/// # Errors
/// If the model has none, or the options do not go together.
pub(super) fn interval(plan: &NetworkPlan, ask: &Ask) -> Result<Option<Interval>, PlanError> {
    let ForecastAsk { anomalies, level, .. } = ask.forecast;
    if !anomalies {
        return match level {
            Some(_) => Err(PlanError::conflict("level", "is the interval of --anomalies, which was not asked for")),
            None => Ok(None),
        };
    }
    if plan.window.at_every_step() {
        let problem = "is of values that were forecast, but the model tells every step from others";
        return Err(PlanError::conflict("anomalies", problem));
    }
    if ask.views {
        return Err(PlanError::conflict("anomalies", "is of many forecasts, but --attention shows one"));
    }
    let all = intervals(&plan.output.quantiles);
    let Some(widest) = all.last() else {
        let problem = "needs intervals, and the model has none; train with --loss quantile, or with --conformal";
        return Err(PlanError::conflict("anomalies", problem));
    };
    let Some(level) = level else { return Ok(Some(*widest)) };
    let found = all.iter().find(|interval| (interval.level - level).abs() < 1e-6);
    let there = || all.iter().map(|interval| interval.level.to_string()).collect::<Vec<_>>().join(" or ");
    let wrong = || PlanError::value("level", level, format!("{}, in percent, as the model's quantiles are", there()));
    found.map(|found| Some(*found)).ok_or_else(wrong)
}

/// What an answer's object, or a row of it, says.
pub(super) fn fields(ask: &Ask, several_targets: bool) -> Vec<Field> {
    let id = [Field::value(ID)].into_iter();
    if !ask.table {
        let lists = [Field::lists(ANOMALIES)];
        return id.chain([LEVEL, CHECKED].map(Field::value)).chain(lists).collect();
    }
    let target = several_targets.then(|| Field::value(TARGET));
    id.chain(target).chain([TIME].into_iter().chain(NUMBERS).map(Field::value)).collect()
}

/// The values of a history that left the interval; nothing where numbers overflow.
///
/// # Errors
/// If no value has one before it.
pub(super) fn of(
    (networks, conformal): (&[Network], Option<&Conformal>),
    (plan, columns): (&NetworkPlan, &HistoryColumns),
    cutter: &Cutter<'_>,
    history: &History,
    (interval, table): (Interval, bool),
    budget: &Budget,
) -> Result<Option<Answer>, PlanError> {
    // As much is known of the first as is of the first window of a training.
    let least = plan.window.horizon.min(plan.window.context).min(history.length / 2).max(1);
    let origins: Vec<usize> = (least..history.length).collect();
    let lengths: Vec<usize> = origins.iter().map(|&origin| origin.min(plan.window.context)).collect();
    let (mut checked, mut found) = (0, Vec::new());
    for rows in budget.batches(&lengths) {
        let cut: Vec<(usize, Window)> =
            rows.par_iter().filter_map(|&row| Some((origins[row], cutter.window(history, origins[row])?))).collect();
        if cut.is_empty() {
            continue;
        }
        let (inputs, ahead) = batch(&cut.iter().map(|(_, window)| window).collect::<Vec<_>>());
        let numbers = answer_together((networks, plan.combine), &inputs, &ahead, false).numbers;
        let first = cutter.targets * plan.output.numbers();
        let each = cut.par_iter().zip(numbers.par_chunks_exact(numbers.len() / cut.len()));
        let forecasts: Vec<Vec<Forecast>> = each
            .map(|((_, window), numbers)| {
                let base = cutter.blended(history, window, &numbers[..first], &plan.output);
                forecasts(plan, conformal, (window, &base), &numbers[..first])
            })
            .collect();
        for ((origin, _), forecasts) in cut.iter().zip(&forecasts) {
            for (target, forecast) in forecasts.iter().enumerate() {
                let value = history.targets[origin * cutter.targets + target];
                if value.is_nan() {
                    continue;
                }
                if !forecast.is_finite() {
                    return Ok(None);
                }
                checked += 1;
                found.extend(outside(value, forecast, interval).map(|numbers| (*origin, target, numbers)));
            }
        }
    }
    if checked == 0 {
        let steps = counted(history.length, "step");
        return Err(PlanError::Unfit(format!(
            "the series has no value with others before it to be checked by, in {steps}"
        )));
    }
    found.sort_unstable_by_key(|(origin, target, _)| (*origin, *target));
    let id = (columns.id.is_some() || !history.id.is_empty()).then(|| json!(history.id));
    let object = |own: bool, (origin, target, numbers): &(usize, usize, [Option<f64>; 6])| -> Map<String, Value> {
        let mut object: Map<String, Value> = id.iter().filter(|_| own).map(|id| (ID.to_owned(), id.clone())).collect();
        if cutter.targets > 1 {
            object.insert(TARGET.into(), json!(columns.targets.get(*target)));
        }
        object.insert(TIME.into(), time_of(columns, history, *origin));
        object.extend(NUMBERS.into_iter().zip(numbers).map(|(name, number)| (name.to_owned(), json!(number))));
        object
    };
    let mut json: Map<String, Value> = id.iter().map(|id| (ID.to_owned(), id.clone())).collect();
    json.insert(LEVEL.into(), json!(interval.level));
    json.insert(CHECKED.into(), json!(checked));
    json.insert(ANOMALIES.into(), found.iter().map(|one| Value::Object(object(false, one))).collect());
    let rows = table.then(|| found.iter().map(|one| object(true, one)).collect());
    let line = format!("{} of {} outside of {} %", found.len(), counted(checked, "value"), interval.level);
    Ok(Some(Answer { json, line, notes: Vec::new(), views: Vec::new(), rows, charts: Vec::new() }))
}

/// The numbers of a value outside of the interval of its forecast, at the first step ahead; nothing where it is inside.
fn outside(value: f32, forecast: &Forecast, interval: Interval) -> Option<[Option<f64>; 6]> {
    let [mean, lower, upper] =
        [forecast.mean[0], forecast.quantiles[interval.lower], forecast.quantiles[interval.upper]];
    let bound = if value > upper { upper } else { lower };
    let is_inside = value >= lower && value <= upper;
    let beyond = f64::from(value) - f64::from(bound);
    let half_width = 0.5 * (f64::from(upper) - f64::from(lower));
    let half_widths = (half_width > 0.0).then(|| beyond / half_width);
    let own = [value, mean, lower, upper].map(|number| Some(shortest(number)));
    (!is_inside).then_some([own[0], own[1], own[2], own[3], Some(beyond), half_widths])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_of_quantiles_that_lie_as_far_from_the_median() {
        let all = intervals(&[0.025, 0.1, 0.3, 0.5, 0.9, 0.975]);
        assert_eq!(
            all.iter().map(|one| (one.level, one.lower, one.upper)).collect::<Vec<_>>(),
            [(80.0, 1, 4), (95.0, 0, 5)]
        );
        assert!(intervals(&[0.5]).is_empty() && intervals(&[]).is_empty());
    }

    #[test]
    fn how_far_a_value_is_outside_is_told_from_the_nearest_bound() {
        let forecast = Forecast { mean: vec![10.0], quantiles: vec![8.0, 10.0, 14.0] };
        let interval = Interval { level: 80.0, lower: 0, upper: 2 };
        let far = |value| outside(value, &forecast, interval).map(|numbers| (numbers[4], numbers[5]));
        assert_eq!([8.0, 10.0, 14.0].map(far), [None; 3]);
        assert_eq!((far(17.0), far(5.0)), (Some((Some(3.0), Some(1.0))), Some((Some(-3.0), Some(-1.0)))));
        let flat = Forecast { mean: vec![1.0], quantiles: vec![1.0; 3] };
        assert_eq!(outside(2.0, &flat, interval).map(|numbers| (numbers[4], numbers[5])), Some((Some(1.0), None)));
    }
}
