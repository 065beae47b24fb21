//! Judging a forecaster on histories of which the end is known.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::answer;
use super::super::data::{Dataset, backtest};
use super::super::fallback::told_by_floor;
use super::super::judged::{Told, judge_floors, judge_steps, told};
use super::super::report::{calibrated, report};
use super::Forecaster;
use crate::data::history::{Histories, History, read_histories};
use crate::error::{PlanError, Result, counted};
use crate::input::Columns;
use crate::memory_limit::MemoryLimit;
use crate::model::{Ask, Report};
use crate::network::budget::Purpose;

impl Forecaster {
    /// Judges the forecaster on histories that were read already, and came from `data`.
    ///
    /// # Errors
    /// If they are too short, have values that the model cannot read, or numbers overflow.
    pub fn judge(&self, histories: Vec<History>, data: &Path, ask: &Ask) -> Result<Report> {
        let plan = &self.description.plan;
        self.check(&histories, data, ask.limit)?;
        if plan.window.at_every_step() {
            if let Some(option) = ask.backtest.said() {
                return Err(
                    PlanError::conflict(option, "is of steps ahead, but the model tells those that it reads").into()
                );
            }
            // The first steps, of which too little is known yet, are left out of longer series.
            let context = plan.window.context;
            let from = |history: &History| if history.length > context { context } else { 0 };
            let from: Vec<usize> = histories.iter().map(from).collect();
            let budget = self.budget(Purpose::Answers, ask.limit);
            let metrics = judge_steps(&self.networks, plan, &self.cutter(), (&histories, &from), &budget);
            return if metrics.loss.is_finite() { Ok(report(&metrics, &[])) } else { Err(self.largest.clone().into()) };
        }
        let dataset = self.backtest_of(histories, data, ask)?;
        let told = self.told_of(&dataset, ask.limit);
        let targets = self.cutter().targets;
        let metrics = told.metrics(plan, targets, &dataset);
        let mut report = report(&metrics, &judge_floors(plan, targets, &dataset));
        if let (Some(_), Some(both)) = (self.floor(), &self.description.fallback) {
            if let Some(table) = report.tables.first_mut() {
                table.note = format!("answered by {}", both.in_words());
            }
        } else if !metrics.loss.is_finite() {
            return Err(self.largest.clone().into());
        }
        Ok(self.told(report))
    }

    /// The histories in a file that `columns` say differs from the training data.
    ///
    /// # Errors
    /// If it is not as the model reads it.
    pub fn histories_of(&self, data: &Path, columns: &Columns) -> Result<Histories> {
        Ok(read_histories(data, &self.plan_of(data, columns)?.options(true))?)
    }

    /// Refuses histories that the model cannot read, or of which a window takes more memory than allowed.
    fn check(&self, histories: &[History], data: &Path, limit: MemoryLimit) -> Result<()> {
        self.description.plan.check_values(histories, data)?;
        for history in histories {
            self.check_steps(history.length, Purpose::Answers, limit, (data, history.line))?;
        }
        Ok(())
    }

    /// The windows of a backtest.
    fn backtest_of(&self, histories: Vec<History>, data: &Path, ask: &Ask) -> Result<Dataset> {
        let horizon = self.description.plan.window.horizon;
        let (windows, stride) = (ask.backtest.windows.unwrap_or(1), ask.backtest.stride.unwrap_or(horizon));
        let origins = backtest(&histories, horizon, (windows, stride), data)?;
        let ends = histories.iter().map(|history| history.length).collect();
        Ok(Dataset::of(Arc::new(histories), ends, origins, &self.cutter(), data))
    }

    /// What it says of windows.
    fn told_of(&self, dataset: &Dataset, limit: MemoryLimit) -> Told {
        let (plan, conformal) = (&self.description.plan, self.description.conformal.as_ref());
        match self.floor() {
            Some(floor) => told_by_floor(floor, conformal, plan, &self.cutter(), dataset),
            None => {
                let budget = self.budget(Purpose::Answers, limit);
                told((&self.networks, conformal), plan, &self.cutter(), dataset, &budget)
            }
        }
    }

    /// Judges what such a forecaster would have said if it had been trained anew before every window of the backtest: `train` makes
    /// one of the histories as they were known then. It is given which of how many that is, from 1.
    ///
    /// # Errors
    /// As [`Forecaster::judge`], and if a training fails, or gives a forecaster of other steps.
    pub fn judge_refitted(
        &self,
        histories: Histories,
        data: &Path,
        ask: &Ask,
        train: &mut dyn FnMut(Histories, [usize; 2]) -> Result<Forecaster>,
    ) -> Result<Report> {
        let plan = &self.description.plan;
        if plan.window.at_every_step() {
            return Err(
                PlanError::conflict("refit", "is of steps ahead, but the model tells those that it reads").into()
            );
        }
        let Histories { all, columns } = histories;
        self.check(&all, data, ask.limit)?;
        let dataset = self.backtest_of(all, data, ask)?;
        let widths = [columns.target_count(), columns.past.len()];
        // How many windows of the same series are behind each.
        let rows = &dataset.windows;
        let behind = |row: usize| rows[row + 1..].iter().take_while(|(place, _)| *place == rows[row].0).count();
        let behind: Vec<usize> = (0..rows.len()).map(behind).collect();
        let trainings = behind.iter().max().map_or(0, |most| most + 1);
        let mut all = Told { forecasts: vec![None; rows.len()], ..Told::default() };
        for back in (0..trainings).rev() {
            let own: Vec<usize> = (0..rows.len()).filter(|&row| behind[row] == back).collect();
            let until = |&row: &usize| dataset.histories[rows[row].0].until(rows[row].1, widths);
            let known = Histories { all: own.iter().map(until).collect(), columns: columns.clone() };
            let other = train(known, [trainings - back, trainings])?;
            let theirs = &other.description.plan;
            if (theirs.window.horizon, &theirs.output.quantiles) != (plan.window.horizon, &plan.output.quantiles) {
                return Err(PlanError::conflict("refit", "has trained a forecaster of other steps or quantiles").into());
            }
            let windows = own.iter().map(|&row| rows[row]).collect();
            let (histories, ends) = (Arc::clone(&dataset.histories), dataset.ends.to_vec());
            let part = Dataset::of(histories, ends, windows, &other.cutter(), data);
            let told = other.told_of(&part, ask.limit);
            if other.floor().is_none() && !told.cost.is_finite() {
                return Err(other.largest.clone().into());
            }
            all.cost += told.cost;
            all.steps += told.steps;
            for (row, forecasts) in own.into_iter().zip(told.forecasts) {
                all.forecasts[row] = forecasts;
            }
        }
        let targets = self.cutter().targets;
        let metrics = all.metrics(plan, targets, &dataset);
        let mut report = report(&metrics, &judge_floors(plan, targets, &dataset));
        if let Some(table) = report.tables.last_mut() {
            table.note = format!(
                "every window was forecast by a model trained on what was known then, in {}",
                counted(trainings, "training")
            );
        }
        if let Value::Object(json) = &mut report.json {
            json.insert("trainings".into(), json!(trainings));
        }
        Ok(report)
    }

    /// A report that says what has answered and how its intervals came to be.
    fn told(&self, mut report: Report) -> Report {
        if let (Value::Object(json), Some(method)) = (&mut report.json, self.method()) {
            json.insert(answer::METHOD.into(), json!(method));
        }
        match &self.description.conformal {
            Some(conformal) => calibrated(report, conformal),
            None => report,
        }
    }
}
