//! How good a forecaster is on windows of which the end is known, and how good the classic forecasts are there.

use std::borrow::Cow;

use rayon::prelude::*;

use super::conformal::{Conformal, Residuals};
use super::data::Dataset;
use super::fallback::Fallback;
use super::floors::Floor;
use super::network::{Network, answer_together};
use super::output::{cost, point, quantiles, scaled_quantiles};
use super::plan::NetworkPlan;
use super::scores::{ForecastScorer, ForecastScores, Judged, MAE, MASE, OverallScores, RMSE, SMAPE};
use super::window::{Cutter, Window, batch};
use crate::data::history::History;
use crate::error::PlanError;
use crate::model::{Score, Table};
use crate::network::budget::Budget;

/// What forecasts are worth.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Over all windows.
    pub overall: OverallScores,
    /// By step ahead. `[H]`
    pub by_step: Vec<ForecastScores>,
    /// By series and target: of the first series the first target, the second, and so on.
    pub by_series: Vec<ForecastScores>,
    /// What the network was trained by, the mean over all steps that are known; NaN of a classic forecast, which has none.
    pub loss: f64,
}

/// A forecast of one target of one window, as it stands in the data.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// `[H]`
    pub mean: Vec<f32>,
    /// `[H, N]` by the plan's levels; empty where there are none.
    pub quantiles: Vec<f32>,
}

impl Forecast {
    /// Whether all of it are numbers.
    pub(super) fn is_finite(&self) -> bool {
        self.mean.iter().chain(&self.quantiles).all(|value| value.is_finite())
    }
}

/// The forecasts of every target, from a window's numbers, `[H, G, N]`, and what they are added to, `[H, G]`, which is the window's own
/// or [`Cutter::blended`].
pub fn forecasts(
    plan: &NetworkPlan,
    conformal: Option<&Conformal>,
    (window, base): (&Window, &[f32]),
    numbers: &[f32],
) -> Vec<Forecast> {
    let (targets, count) = (window.frames.len(), plan.output.numbers());
    let of_target = |target: usize| {
        let frame = &window.frames[target];
        let mut forecast = Forecast { mean: Vec::new(), quantiles: Vec::new() };
        for (step, numbers) in numbers.chunks_exact(targets * count).enumerate() {
            let (own, base) = (&numbers[target * count..][..count], base[step * targets + target]);
            let place = window.origin + step;
            let calibrated = conformal.map(|conformal| (conformal, step * targets + target));
            forecast.mean.push(frame.outward(place, base + point(&plan.output, own)));
            forecast.quantiles.extend(quantiles(&plan.output, own, base, calibrated, (frame, place)));
        }
        forecast
    };
    (0..targets).map(of_target).collect()
}

/// What networks that answer together say of windows: `take` is given each one's row, the window, what came, `[H, G]`, scaled, and
/// the numbers, `[H, G, N]`.
fn of_windows(
    networks: &[Network],
    plan: &NetworkPlan,
    cutter: &Cutter<'_>,
    dataset: &Dataset,
    budget: &Budget,
    mut take: impl FnMut(usize, (&Window, &[f32]), &[f32], &[f32]),
) {
    for rows in budget.batches(&dataset.lengths) {
        let cut: Vec<(usize, (Window, Vec<f32>))> =
            rows.par_iter().filter_map(|&row| Some((row, dataset.window(row, cutter)?))).collect();
        if cut.is_empty() {
            continue;
        }
        let (rows, pairs): (Vec<usize>, Vec<(Window, Vec<f32>)>) = cut.into_iter().unzip();
        let (windows, truths): (Vec<Window>, Vec<Vec<f32>>) = pairs.into_iter().unzip();
        let (inputs, ahead) = batch(&windows.iter().collect::<Vec<_>>());
        let numbers = answer_together((networks, plan.combine), &inputs, &ahead, false).numbers;
        let per_row = numbers.len() / windows.len();
        // Classic forecasts take time.
        let each = rows.par_iter().zip(&windows).zip(numbers.par_chunks_exact(per_row));
        let bases: Vec<Cow<'_, [f32]>> = each
            .map(|((row, window), numbers)| {
                cutter.blended(&dataset.histories[dataset.windows[*row].0], window, numbers, &plan.output)
            })
            .collect();
        let each = rows.iter().zip(windows.iter().zip(&bases)).zip(numbers.chunks_exact(per_row).zip(&truths));
        for ((row, (window, base)), (numbers, truth)) in each {
            take(*row, (window, base), truth, numbers);
        }
    }
}

/// How far the intervals of networks that answer together are to be moved, by windows that they were not trained on.
///
/// # Errors
/// If there are too few of them.
///
/// # Panics
/// If there is no network, or the windows were cut for another one.
pub fn calibrate(
    networks: &[Network],
    plan: &NetworkPlan,
    cutter: &Cutter<'_>,
    dataset: &Dataset,
    budget: &Budget,
) -> Result<Conformal, PlanError> {
    let mut residuals = Residuals::new(&plan.output, plan.window.horizon * cutter.targets);
    of_windows(networks, plan, cutter, dataset, budget, |_, (_, base), truth, numbers| {
        let each = numbers.chunks_exact(plan.output.numbers()).zip(base);
        let found: Vec<Vec<f32>> = each.map(|(own, &base)| scaled_quantiles(&plan.output, own, base)).collect();
        residuals.add(&found, truth);
    });
    residuals.margins()
}

/// Judges networks that answer together on windows.
///
/// # Panics
/// If there is no network, or the windows were cut for another one.
pub fn judge(
    (networks, conformal): (&[Network], Option<&Conformal>),
    plan: &NetworkPlan,
    cutter: &Cutter<'_>,
    dataset: &Dataset,
    budget: &Budget,
) -> Metrics {
    told((networks, conformal), plan, cutter, dataset, budget).metrics(plan, cutter.targets, dataset)
}

/// What was said of windows, and what it cost.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Of every window a forecast of every target; nothing of one that has none.
    pub(super) forecasts: Vec<Option<Vec<Forecast>>>,
    /// What the network was trained by, over all steps that are known; NaN of a classic forecast.
    pub(super) cost: f64,
    /// How many these are.
    pub(super) steps: usize,
}

impl Told {
    /// What it is worth.
    pub(super) fn metrics(&self, plan: &NetworkPlan, targets: usize, dataset: &Dataset) -> Metrics {
        scored(plan, targets, dataset, &self.forecasts, self.cost / self.steps.max(1) as f64)
    }
}

/// What networks that answer together say of windows.
pub(super) fn told(
    (networks, conformal): (&[Network], Option<&Conformal>),
    plan: &NetworkPlan,
    cutter: &Cutter<'_>,
    dataset: &Dataset,
    budget: &Budget,
) -> Told {
    let mut found: Vec<Option<Vec<Forecast>>> = vec![None; dataset.windows.len()];
    let (mut loss, mut steps) = (0.0, 0usize);
    of_windows(networks, plan, cutter, dataset, budget, |row, (window, base), truth, numbers| {
        let places = window.base.iter().zip(window.scales());
        let each = numbers.chunks_exact(plan.output.numbers()).zip(places).zip(truth);
        for ((numbers, (&base, scale)), &truth) in each.filter(|(_, truth)| !truth.is_nan()) {
            loss += cost(&plan.output, numbers, (base, scale), truth);
            steps += 1;
        }
        found[row] = Some(forecasts(plan, conformal, (window, base), numbers));
    });
    Told { forecasts: found, cost: loss, steps }
}

/// What forecasts of windows are worth, one of every target of each; nothing of a window that has none. `loss`: what they cost.
pub(super) fn scored(
    plan: &NetworkPlan,
    targets: usize,
    dataset: &Dataset,
    found: &[Option<Vec<Forecast>>],
    loss: f64,
) -> Metrics {
    let mut scorer = ForecastScorer::new(&plan.output.quantiles, plan.window.season);
    for (row, forecasts) in found.iter().enumerate() {
        for (target, forecast) in forecasts.iter().flatten().enumerate() {
            let place = (target, targets);
            scorer.add(&Judged {
                series: dataset.windows[row].0 * targets + target,
                actual: &dataset.actual(row, place, plan.window.horizon),
                mean: &forecast.mean,
                quantiles: &forecast.quantiles,
                insample: &dataset.before(row, place),
            });
        }
    }
    Metrics { overall: scorer.overall(), by_step: scorer.by_step(), by_series: scorer.by_series(), loss }
}

/// Judges networks that tell every step: of every history all of its steps from `from` on, which are read from its first step.
///
/// # Panics
/// If there is no network, or it was made for other histories.
pub fn judge_steps(
    networks: &[Network],
    plan: &NetworkPlan,
    cutter: &Cutter<'_>,
    (histories, from): (&[History], &[usize]),
    budget: &Budget,
) -> Metrics {
    let mut scorer = ForecastScorer::new(&plan.output.quantiles, plan.window.season);
    let (mut loss, mut steps) = (0.0, 0usize);
    let lengths: Vec<usize> = histories.iter().map(|history| history.length).collect();
    for rows in budget.batches(&lengths) {
        let cut =
            rows.iter().filter_map(|&row| Some((row, cutter.steps(&histories[row], lengths[row], lengths[row])?)));
        let (rows, windows): (Vec<usize>, Vec<Window>) = cut.unzip();
        if rows.is_empty() {
            continue;
        }
        let (inputs, ahead) = batch(&windows.iter().collect::<Vec<_>>());
        let numbers = answer_together((networks, plan.combine), &inputs, &ahead, false).numbers;
        for ((&row, window), numbers) in rows.iter().zip(&windows).zip(numbers.chunks_exact(numbers.len() / rows.len()))
        {
            let (history, first) = (&histories[row], from[row]);
            let truth = cutter.told(history, window, first);
            let count = plan.output.numbers();
            let each = numbers.chunks_exact(count).zip(window.scales()).zip(&truth);
            for ((numbers, scale), &truth) in each.filter(|(_, truth)| !truth.is_nan()) {
                loss += cost(&plan.output, numbers, (0.0, scale), truth);
                steps += 1;
            }
            let own = &numbers[..window.length * cutter.targets * count];
            for (target, forecast) in forecasts(plan, None, (window, &window.base), own).into_iter().enumerate() {
                let value = |step: &usize| history.past[step * cutter.targets + target];
                let levels = plan.output.quantiles.len();
                scorer.add(&Judged {
                    series: row * cutter.targets + target,
                    actual: &(first..history.length).map(|step| value(&step)).collect::<Vec<_>>(),
                    mean: &forecast.mean[first..],
                    quantiles: &forecast.quantiles[first * levels..],
                    insample: &(0..first).map(|step| value(&step)).collect::<Vec<_>>(),
                });
            }
        }
    }
    let overall = scorer.overall();
    Metrics { overall, by_step: Vec::new(), by_series: scorer.by_series(), loss: loss / steps.max(1) as f64 }
}

/// How good the classic forecasts are on the same windows. A window for which one has no forecast counts with the last value there is.
pub fn judge_floors(plan: &NetworkPlan, targets: usize, dataset: &Dataset) -> Vec<(Floor, OverallScores)> {
    let (horizon, season) = (plan.window.horizon, plan.window.season);
    // Of every window and target the forecasts of all.
    let rows: Vec<Vec<Option<Vec<f32>>>> = (0..dataset.windows.len() * targets)
        .into_par_iter()
        .map(|place| {
            let before = dataset.before(place / targets, (place % targets, targets));
            let forecast = |floor: Floor| floor.forecast(&before, season, horizon);
            Floor::ALL.into_iter().map(|floor| forecast(floor).or_else(|| forecast(Floor::Naive))).collect()
        })
        .collect();
    let mut scorers = Floor::ALL.map(|_| ForecastScorer::new(&[], season));
    for (place, forecasts) in rows.iter().enumerate() {
        let (row, target) = (place / targets, (place % targets, targets));
        let (actual, insample) = (dataset.actual(row, target, horizon), dataset.before(row, target));
        let series = dataset.windows[row].0 * targets + target.0;
        for (scorer, mean) in scorers.iter_mut().zip(forecasts) {
            let Some(mean) = mean else { continue };
            scorer.add(&Judged { series, actual: &actual, mean, quantiles: &[], insample: &insample });
        }
    }
    Floor::ALL.into_iter().zip(scorers).map(|(floor, scorer)| (floor, scorer.overall())).collect()
}

/// A forecaster beside the classic forecasts, and whether it is better than the best of them, in plain words: by MASE, or by the mean
/// absolute error where there is none.
pub fn verdict(scores: &ForecastScores, floors: &[(Floor, OverallScores)]) -> Table {
    let shown = [MASE, SMAPE, MAE, RMSE];
    let row = |name: &str, scores: &ForecastScores| {
        let values = [scores.mase, scores.smape, scores.mae, scores.rmse].into_iter().zip(shown);
        let cell = |(value, score): (Option<f64>, Score)| value.map_or_else(String::new, |value| score.show(value));
        [name.to_owned()].into_iter().chain(values.map(cell)).collect::<Vec<_>>()
    };
    let mut rows = vec![row("this model", scores)];
    rows.extend(floors.iter().map(|(floor, overall)| row(floor.title(), &overall.scores)));
    let header = ["forecast"].into_iter().chain(shown.map(|score| score.title)).map(str::to_owned).collect();
    let note = Fallback::of(scores, floors).map_or_else(String::new, |both| in_words(&both));
    Table { header, rows, note }
}

fn in_words(both: &Fallback) -> String {
    let (own, best, title) = (both.network, both.classic, both.floor.title());
    match both.answers() {
        None => {
            format!("better than the best of the classic forecasts, {title}, by {:.1} %", 100.0 * (1.0 - own / best))
        }
        Some(_) => format!("worse than a classic forecast: {title} is {:.1} % better", 100.0 * (1.0 - best / own)),
    }
}
