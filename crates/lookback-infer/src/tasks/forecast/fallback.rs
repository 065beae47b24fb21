//! A classic forecast in place of the networks', where it was better on what was held out.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::conformal::{Conformal, Residuals};
use super::data::Dataset;
use super::floors::Floor;
use super::judged::{Forecast, Told};
use super::plan::{NetworkPlan, OutputPlan};
use super::scores::{ForecastScores, MAE, MASE, OverallScores};
use super::window::{Cutter, Window};
use crate::data::history::History;
use crate::error::PlanError;
use crate::model::Score;

/// What the networks and the best of the classic forecasts are worth on what was held out; the better one answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fallback {
    /// The best of the classic forecasts.
    pub floor: Floor,
    /// By which they are compared.
    pub score: ComparedBy,
    /// What the networks have of it.
    pub network: f64,
    /// What the classic forecast has.
    pub classic: f64,
}

/// The score by which forecasts are compared; the lower the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComparedBy {
    /// MASE.
    Mase,
    /// The mean absolute error, where there is no MASE.
    Mae,
}

/// What answers by the networks are called.
const NETWORK: &str = "network";

impl Fallback {
    /// Of the networks' scores and those of the classic forecasts on the same windows; nothing where there is nothing to compare.
    pub fn of(scores: &ForecastScores, floors: &[(Floor, OverallScores)]) -> Option<Fallback> {
        let (score, network) = match (scores.mase, scores.mae) {
            (Some(mase), _) => (ComparedBy::Mase, mase),
            (None, mae) => (ComparedBy::Mae, mae?),
        };
        let error = |scores: &ForecastScores| match score {
            ComparedBy::Mase => scores.mase,
            ComparedBy::Mae => scores.mae,
        };
        let each = floors.iter().filter_map(|(floor, overall)| Some((*floor, error(&overall.scores)?)));
        let (floor, classic) = each.min_by(|a, b| a.1.total_cmp(&b.1))?;
        Some(Fallback { floor, score, network, classic })
    }

    /// The classic forecast that answers, where it does.
    pub fn answers(&self) -> Option<Floor> {
        (self.network >= self.classic).then_some(self.floor)
    }

    /// What answers, as JSON names it.
    pub(super) fn method(&self) -> &'static str {
        self.answers().map_or(NETWORK, Floor::name)
    }

    /// Whether models of this plan can have such a one.
    ///
    /// # Errors
    /// If they cannot: a sentence that says why.
    pub fn check_plan(plan: &NetworkPlan) -> Result<(), PlanError> {
        let refuse = |problem: &str| Err(PlanError::conflict("fallback", problem));
        if plan.window.at_every_step() {
            return refuse("is of steps ahead, but --every-step tells those that are read");
        }
        if plan.output.loss.is_of_counts() {
            return refuse("gives a point, but --loss negative-binomial forecasts counts with quantiles");
        }
        if !plan.output.quantiles.is_empty() && !plan.output.conformal {
            let loss = plan.output.loss.name();
            return refuse(&format!(
                "needs --conformal with --loss {loss}: a classic forecast has no quantiles of its own; --loss mae needs none"
            ));
        }
        Ok(())
    }

    /// Whether it can be of a model of this plan; one from a file may be anything.
    ///
    /// # Errors
    /// A sentence that says what does not fit.
    pub(super) fn check(&self, plan: &NetworkPlan) -> Result<(), String> {
        Fallback::check_plan(plan).map_err(|error| error.to_string())?;
        let fine = [self.network, self.classic].iter().all(|figure| figure.is_finite() && *figure >= 0.0);
        if fine { Ok(()) } else { Err("a figure is none that an error can have".into()) }
    }

    /// What answers, and by which figures, for people.
    pub fn in_words(&self) -> String {
        let score: Score = match self.score {
            ComparedBy::Mase => MASE,
            ComparedBy::Mae => MAE,
        };
        let (title, floor) = (score.title, self.floor.title());
        let [network, classic] = [self.network, self.classic].map(|figure| score.show(figure));
        match self.answers() {
            Some(_) => format!("{floor}, with {title} {classic} on what was held out, where the network has {network}"),
            None => format!("the network, with {title} {network} on what was held out, where {floor} has {classic}"),
        }
    }
}

/// The forecasts of every target behind the window's origin, with intervals where they were calibrated; nothing where a target has no
/// value before it.
pub(super) fn forecasts(
    floor: Floor,
    plan: &NetworkPlan,
    conformal: Option<&Conformal>,
    (history, window): (&History, &Window),
) -> Option<Vec<Forecast>> {
    let targets = window.frames.len();
    let of_target = |target: usize| {
        let mean = points(floor, plan, (history, window), target)?;
        let mut quantiles = Vec::new();
        if let Some(conformal) = conformal {
            for (step, &point) in mean.iter().enumerate() {
                let (frame, place) = (&window.frames[target], window.origin + step);
                let scaled = vec![frame.inward(place, point)];
                let moved = conformal.moved(&plan.output.quantiles, step * targets + target, scaled);
                let outward = moved.into_iter().map(|value| frame.outward(place, value));
                quantiles.extend(around(&plan.output, outward, point));
            }
        }
        Some(Forecast { mean, quantiles })
    };
    (0..targets).map(of_target).collect()
}

/// Quantiles around a point, which is the median itself whatever the way through scaled units has rounded.
fn around(plan: &OutputPlan, quantiles: impl Iterator<Item = f32>, point: f32) -> impl Iterator<Item = f32> {
    let median = plan.median();
    quantiles.enumerate().map(move |(level, value)| match level.cmp(&median) {
        std::cmp::Ordering::Less => value.min(point),
        std::cmp::Ordering::Equal => point,
        std::cmp::Ordering::Greater => value.max(point),
    })
}

/// The points of one target; those of the last value where the history is too short for the floor.
fn points(floor: Floor, plan: &NetworkPlan, (history, window): (&History, &Window), target: usize) -> Option<Vec<f32>> {
    let (targets, season, horizon) = (window.frames.len(), plan.window.season, plan.window.horizon);
    let before = history.targets[..window.origin * targets].iter().skip(target).step_by(targets).copied();
    let before: Vec<f32> = before.collect();
    let forecast = |floor: Floor| floor.forecast(&before, season, horizon);
    let points = forecast(floor).or_else(|| forecast(Floor::Naive))?;
    // Of what has logarithms nothing is below 0.
    let least = if plan.window.log { f32::MIN_POSITIVE } else { f32::MIN };
    Some(points.into_iter().map(|point| point.max(least)).collect())
}

/// How wide the intervals of a classic forecast are to be, by windows that are held out, in the units of their frames.
///
/// # Errors
/// If there are too few of them.
pub fn calibrate_floor(
    floor: Floor,
    plan: &NetworkPlan,
    cutter: &Cutter<'_>,
    dataset: &Dataset,
) -> Result<Conformal, PlanError> {
    let of_row = |row: usize| -> Option<(Vec<Vec<f32>>, Vec<f32>)> {
        let (window, truth) = dataset.window(row, cutter)?;
        let history = &dataset.histories[dataset.windows[row].0];
        let found = forecasts(floor, plan, None, (history, &window))?;
        // Step by step, and in each target by target.
        let scaled = |place: usize| {
            let (step, target) = (place / cutter.targets, place % cutter.targets);
            vec![window.frames[target].inward(window.origin + step, found[target].mean[step])]
        };
        Some(((0..plan.window.horizon * cutter.targets).map(scaled).collect(), truth))
    };
    let rows: Vec<_> = (0..dataset.windows.len()).into_par_iter().map(of_row).collect();
    let mut residuals = Residuals::new(&plan.output, plan.window.horizon * cutter.targets);
    rows.iter().flatten().for_each(|(found, truth)| residuals.add(found, truth));
    residuals.margins()
}

/// What a classic forecast says of windows; it has no loss, for no network was trained by one.
pub(super) fn told_by_floor(
    floor: Floor,
    conformal: Option<&Conformal>,
    plan: &NetworkPlan,
    cutter: &Cutter<'_>,
    dataset: &Dataset,
) -> Told {
    let of_row = |row: usize| {
        let (window, _) = dataset.window(row, cutter)?;
        forecasts(floor, plan, conformal, (&dataset.histories[dataset.windows[row].0], &window))
    };
    let forecasts = (0..dataset.windows.len()).into_par_iter().map(of_row).collect();
    Told { forecasts, cost: f64::NAN, steps: 0 }
}
