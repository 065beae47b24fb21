//! Charts of what is known of a history and what is forecast of it.

use super::anomalies::{Interval, intervals};
use super::judged::Forecast;
use super::plan::{NetworkPlan, WindowPlan};
use crate::data::history::{History, HistoryColumns};
use crate::model::{Chart, ChartInterval};

/// Intervals of a chart at most: the narrowest, the widest and one between.
const MOST_INTERVALS: usize = 3;

/// A chart of every target: its last known steps, `most` of them at most, and its forecast, whose first step is `first`. Where every
/// step is told, one of everything that is read stands before them.
pub(super) fn charts(
    (plan, columns): (&NetworkPlan, &HistoryColumns),
    history: &History,
    (forecasts, first): (&[Forecast], usize),
    most: Option<usize>,
) -> Vec<Chart> {
    let window = &plan.window;
    let ahead = forecasts.first().map_or(0, |forecast| forecast.mean.len());
    let end = history.length.max(first + ahead);
    let begin = history.length.saturating_sub(most.unwrap_or_else(|| usual(window)));
    let steps = begin..end;
    let moment = |step: usize| columns.frequency.after(history.start, step as i64);
    let times: Vec<String> = steps.clone().map(|step| columns.time_text(moment(step))).collect();
    let chart = |name: Option<&String>, known: Vec<f32>, forecast: Option<&Forecast>| {
        let of_step = |values: &[f32], width: usize, place: usize| -> Vec<f32> {
            let value = |step: usize| values.get(step.checked_sub(first)? * width + place).copied();
            steps.clone().map(|step| value(step).unwrap_or(f32::NAN)).collect()
        };
        let levels = plan.output.quantiles.len();
        let interval = |own: &Interval, quantiles: &[f32]| ChartInterval {
            level: own.level,
            lower: of_step(quantiles, levels, own.lower),
            upper: of_step(quantiles, levels, own.upper),
        };
        let shown = shown(intervals(&plan.output.quantiles));
        let id = Some(&history.id).filter(|id| !id.is_empty());
        let names: Vec<&str> = id.into_iter().chain(name).map(String::as_str).collect();
        Chart {
            title: names.join(", "),
            start: moment(begin),
            frequency: columns.frequency,
            times: times.clone(),
            known,
            forecast: forecast.map_or_else(|| vec![f32::NAN; end - begin], |own| of_step(&own.mean, 1, 0)),
            intervals: forecast.map_or_else(Vec::new, |own| {
                shown.iter().map(|interval_of| interval(interval_of, &own.quantiles)).collect()
            }),
        }
    };
    // Of one of `count` targets, NaN behind the last known step.
    let known = |target: usize, count: usize| -> Vec<f32> {
        let value = |step: usize| history.targets.get(step * count + target).copied().unwrap_or(f32::NAN);
        steps.clone().map(value).collect()
    };
    let several = columns.target_count();
    if window.at_every_step() {
        let read = (0..several).map(|target| chart(columns.targets.get(target), known(target, several), None));
        let told = forecasts.iter().enumerate();
        let told = told.map(|(target, own)| chart(columns.past.get(target), vec![f32::NAN; end - begin], Some(own)));
        return read.chain(told).collect();
    }
    let name = |target: usize| columns.targets.get(target).filter(|_| several > 1 || history.id.is_empty());
    let of_target = |(target, own)| chart(name(target), known(target, several), Some(own));
    forecasts.iter().enumerate().map(of_target).collect()
}

/// Known steps that are shown where nothing is said: three times what is forecast, or as many as are read, whichever is more; where
/// every step is told, twice as many as are learnt from together.
fn usual(window: &WindowPlan) -> usize {
    match window.at_every_step() {
        true => window.context.saturating_mul(2),
        false => window.context.max(window.horizon.saturating_mul(3)),
    }
}

/// The intervals that are drawn, the widest first.
fn shown(mut all: Vec<Interval>) -> Vec<Interval> {
    if all.len() > MOST_INTERVALS {
        all = vec![all[0], all[all.len() / 2], all[all.len() - 1]];
    }
    all.reverse();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_intervals_the_narrowest_the_widest_and_one_between_are_drawn() {
        let levels = |quantiles: &[f64]| -> Vec<f64> {
            shown(intervals(quantiles)).iter().map(|interval| interval.level).collect()
        };
        assert_eq!(levels(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]), [80.0, 60.0, 20.0]);
        assert_eq!(levels(&[0.025, 0.1, 0.5, 0.9, 0.975]), [95.0, 80.0]);
        assert!(levels(&[]).is_empty());
    }
}
