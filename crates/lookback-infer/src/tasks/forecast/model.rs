//! A trained forecaster: networks and input, from one file.

mod judging;

use std::ops::Range;
use std::path::Path;

use rayon::prelude::*;
use serde_json::{Value, json};

use super::anomalies;
use super::answer::{self, Beside};
use super::chart::charts;
use super::conformal::Conformal;
use super::data::WINDOW;
use super::fallback::{self, Fallback};
use super::floors::Floor;
use super::judged::{Forecast, forecasts};
use super::network::{Network, Sizes, answer_together};
use super::paths::{self, Paths};
use super::plan::{NetworkPlan, WindowPlan};
use super::window::{Cutter, Window, batch};
use super::{NAME, SCORES};
use crate::data::Format;
use crate::data::history::{History, HistoryColumns};
use crate::error::{DataError, ModelFileError, Overflow, PlanError, Result, counted, quoted};
use crate::input::{Columns, Example, HistoryEncoder, HistoryPlan, Input, InputPlan, InputShape};
use crate::memory_limit::MemoryLimit;
use crate::model::{Answer, Ask, Field, Model, Record, Report, Score, SearchAsk, Shape, View};
use crate::model_file::{ModelFile, Tensor, Tensors};
use crate::network::Weights;
use crate::network::budget::{Budget, NUMBER, Purpose, pooling_numbers};

/// What a forecaster's file holds, apart from its tensors.
#[derive(Clone, Debug)]
pub struct Description {
    /// How histories are read.
    pub input: Input,
    /// The networks' plan.
    pub plan: NetworkPlan,
    /// How it came to be.
    pub record: Record,
    /// How far intervals are moved, where the plan has them calibrated.
    pub conformal: Option<Conformal>,
    /// What else may answer, where that was asked for.
    pub fallback: Option<Fallback>,
}

/// The entries of a forecaster's file beside those of its input.
const KEYS: [&str; 2] = ["network", "record"];
/// The entry of a forecaster whose intervals are calibrated.
pub(super) const CONFORMAL: &str = "conformal";
/// The entry of a forecaster that may answer by a classic forecast.
pub const FALLBACK: &str = "fallback";

/// A trained forecaster.
#[derive(Debug)]
pub struct Forecaster {
    description: Description,
    columns: HistoryColumns,
    encoder: HistoryEncoder,
    /// At least one.
    networks: Vec<Network>,
    /// The tensor with the largest weight, and that weight: what an overflow is told by.
    largest: Overflow,
}

impl Description {
    /// The file with all of this and the tensors of the networks, which have the names that
    /// [`prefix`](crate::model_file::prefix) tells.
    ///
    /// # Errors
    /// If something cannot be written as JSON.
    pub fn file(&self, tensors: impl IntoIterator<Item = (String, Tensor)>) -> Result<ModelFile, ModelFileError> {
        let mut file = ModelFile::new(NAME);
        self.input.put(&mut file)?;
        file.put_json("network", &self.plan)?;
        file.put_json("record", &self.record)?;
        if let Some(conformal) = &self.conformal {
            file.put_json(CONFORMAL, conformal)?;
        }
        if let Some(fallback) = &self.fallback {
            file.put_json(FALLBACK, fallback)?;
        }
        file.tensors.extend(tensors);
        Ok(file)
    }
}

/// What the batches of such a network take of memory.
pub fn budget(plan: &NetworkPlan, sizes: Sizes, purpose: Purpose, limit: MemoryLimit) -> Budget {
    let shape = InputShape::Channels(sizes.channels);
    let steps = 2 * plan.encoder.width() as u64 + pooling_numbers(&plan.pooling, plan.encoder.width());
    let per_step = (2 * sizes.targets * plan.output.numbers() + 3 * plan.ahead + sizes.ahead) as u64;
    // A decoder keeps gates, states and what it read of every step ahead, and maps every step that it looks at.
    let (hidden, looks) = (plan.encoder.outputs() as u64, plan.decoder.form.looks_back());
    let decoded = if plan.decoder.is_direct() { 0 } else { 8 * hidden * plan.encoder.layers as u64 };
    let looked = if looks { plan.window.context as u64 + 2 * (hidden + plan.encoder.width() as u64) } else { 0 };
    let steps = steps + if looks { 2 * hidden } else { 0 };
    let per_step = per_step + decoded + looked;
    let row = NUMBER * 2 * (plan.pooled() as u64 + per_step.saturating_mul(plan.window.horizon as u64));
    Budget::new(&plan.encoder, shape, steps, row, purpose, limit)
}

impl Forecaster {
    /// Makes the forecaster in a file that came from `path`.
    ///
    /// # Errors
    /// If an entry or tensor is missing, left over, or not as the others need it.
    pub fn read(mut file: ModelFile, path: &Path) -> Result<Forecaster, ModelFileError> {
        let input = Input::of_file(&file, path)?;
        let entry =
            |problem: &str| ModelFileError::Entry { file: path.into(), key: "input".into(), problem: problem.into() };
        let Some((columns, encoder)) = input.history() else {
            return Err(entry("it is of no numbers over time, but a forecaster reads those"));
        };
        let (columns, encoder) = (columns.clone(), encoder.clone());
        let plan: NetworkPlan = file.checked_json(path, "network", NetworkPlan::check)?;
        if plan.window.at_every_step() != input.tells_every_step() {
            return Err(entry("it is of another kind of forecaster than the network: one of both tells every step"));
        }
        let record = file.checked_json(path, "record", |record: &Record| record.check(plan.ensemble, SCORES.len()))?;
        let largest = file.largest();
        let sizes = Cutter::of(&plan.window, &encoder, &columns).sizes();
        let networks =
            Tensors::of_networks(&mut file, path, plan.ensemble, |tensors| Network::read(&plan, sizes, tensors))?;
        let calibrated = if plan.output.conformal { &[CONFORMAL][..] } else { &[] };
        let conformal = match plan.output.conformal {
            true => Some(file.checked_json(path, CONFORMAL, |own: &Conformal| own.check(&plan, sizes.targets))?),
            false => None,
        };
        let may_fall_back = file.metadata.contains_key(FALLBACK);
        let fallback = match may_fall_back {
            true => Some(file.checked_json(path, FALLBACK, |own: &Fallback| own.check(&plan))?),
            false => None,
        };
        let falling_back = if may_fall_back { &[FALLBACK][..] } else { &[] };
        file.check_all_read(path, &[&Input::KEYS[..], &KEYS, calibrated, falling_back].concat())?;
        let description = Description { input, plan, record, conformal, fallback };
        Ok(Forecaster { description, columns, encoder, networks, largest })
    }

    fn cutter(&self) -> Cutter<'_> {
        Cutter::of(&self.description.plan.window, &self.encoder, &self.columns)
    }

    fn budget(&self, purpose: Purpose, limit: MemoryLimit) -> Budget {
        budget(&self.description.plan, self.cutter().sizes(), purpose, limit)
    }

    /// The classic forecast that answers, where it was better than the networks.
    fn floor(&self) -> Option<Floor> {
        self.description.fallback.as_ref().and_then(Fallback::answers)
    }

    /// What answers, where that is said.
    fn method(&self) -> Option<&'static str> {
        self.description.fallback.as_ref().map(Fallback::method)
    }

    /// The answer to an input whose window has been cut, by a classic forecast.
    fn by_floor(&self, floor: Floor, (example, window): &(&Example, Window), ask: &Ask) -> Result<Answer> {
        let (plan, conformal) = (&self.description.plan, self.description.conformal.as_ref());
        let history = example.history().expect("a forecaster's examples are histories");
        let found = fallback::forecasts(floor, plan, conformal, (history, window));
        let found = found.ok_or_else(|| PlanError::Unfit("a target of the series has no value".into()))?;
        if found.iter().any(|forecast| !forecast.is_finite()) {
            return Err(PlanError::Unfit(format!("the numbers of {} overflow", floor.title())).into());
        }
        Ok(self.said(history, (&found, window.origin), (Vec::new(), None), ask))
    }

    /// The answer with these forecasts, the first of which is of the step `first`.
    fn said(
        &self,
        history: &History,
        found: (&[Forecast], usize),
        (views, paths): (Vec<View>, Option<Paths>),
        ask: &Ask,
    ) -> Answer {
        let plan = &self.description.plan;
        let charts = match ask.forecast.chart {
            true => charts((plan, &self.columns), history, found, ask.forecast.chart_steps),
            false => Vec::new(),
        };
        let beside = Beside { method: self.method(), views, charts, paths, table: ask.table };
        answer::of(&self.columns, &plan.output, history, found, beside)
    }

    /// How a file is read that `columns` say differs from the training data.
    fn plan_of(&self, file: &Path, columns: &Columns) -> Result<HistoryPlan, PlanError> {
        if columns.format == Some(Format::Lines) {
            return Err(PlanError::conflict(
                "format",
                "is lines, which have nothing behind what is forecast to judge by",
            ));
        }
        match self.description.input.plan_over(columns, file)? {
            InputPlan::History(plan) => Ok(plan),
            _ => unreachable!("a forecaster reads histories"),
        }
    }

    /// How many paths are asked for, and their seed.
    ///
    /// # Errors
    /// If the model draws none.
    fn paths_asked(&self, ask: &Ask) -> Result<Option<(usize, u64)>, PlanError> {
        let drawn = paths::asked(&self.description.plan, ask)?;
        match self.floor().filter(|_| drawn.is_some()) {
            Some(floor) => {
                let problem = format!("is drawn by the network, but the model answers by {}", floor.title());
                Err(PlanError::conflict("samples", problem))
            }
            None => Ok(drawn),
        }
    }

    /// The answers to inputs whose windows have been cut; `None` where numbers overflow. drawn: as of [`Forecaster::paths_asked`].
    fn together(&self, rows: &[&(&Example, Window)], ask: &Ask, drawn: Option<(usize, u64)>) -> Option<Vec<Answer>> {
        let views = ask.views;
        let windows: Vec<&Window> = rows.iter().map(|(_, window)| window).collect();
        let (inputs, ahead) = batch(&windows);
        let plan = &self.description.plan;
        let output = answer_together((&self.networks, plan.combine), &inputs, &ahead, views);
        let per_row = output.numbers.len() / rows.len();
        let answers = rows.par_iter().zip(output.numbers.par_chunks_exact(per_row)).enumerate();
        answers
            .map(|(row, (&(example, window), numbers))| {
                // Where every step is told, what stands past a row's end means nothing.
                let own = match plan.window.at_every_step() {
                    true => &numbers[..window.base.len() * plan.output.numbers()],
                    false => numbers,
                };
                let history = example.history().expect("a forecaster's examples are histories");
                let base = self.cutter().blended(history, window, own, &plan.output);
                let found = forecasts(plan, self.description.conformal.as_ref(), (window, &base), own);
                if found.iter().any(|forecast| !forecast.is_finite()) {
                    return None;
                }
                let mut shown = Vec::new();
                if views {
                    let names = self.names(example, window.length);
                    let place = (row, rows.len());
                    let view = |view: &Weights| {
                        View::of_batch(&view.name, names.clone(), names.clone(), &view.values, view.queries, place)
                    };
                    shown.extend(output.weights.iter().map(|weights| {
                        View::of_batch("pooling", vec![String::new()], names.clone(), weights, 1, place)
                    }));
                    shown.extend(output.views.iter().map(view));
                    shown.extend(output.looked.iter().map(|looked| {
                        let ahead = self.times(history, window.origin..window.origin + looked.queries);
                        View::of_batch(&looked.name, ahead, names.clone(), &looked.values, looked.queries, place)
                    }));
                }
                let paths = drawn.map(|drawn| paths::of(&self.networks, (window, &base), drawn));
                if paths.iter().flatten().flatten().flatten().any(|value| !value.is_finite()) {
                    return None;
                }
                Some(self.said(history, (&found, window.origin), (shown, paths), ask))
            })
            .collect()
    }

    /// Refuses a history of so many steps of which a window alone would take more memory than allowed.
    fn check_steps(
        &self,
        steps: usize,
        purpose: Purpose,
        limit: MemoryLimit,
        place: (&Path, usize),
    ) -> Result<(), DataError> {
        let window = &self.description.plan.window;
        // Where every step is told, the whole history is read.
        let steps = if window.at_every_step() { steps } else { steps.min(window.context) };
        self.budget(purpose, limit).check_steps(steps, (WINDOW, "--context"), place)
    }

    /// That what is known ahead ends before what is forecast, where it does.
    fn ends_early(&self, history: &History) -> Option<String> {
        let names = &self.columns.future;
        let horizon = self.description.plan.window.horizon;
        let known = (history.future.len() / names.len().max(1)).saturating_sub(history.length);
        (!names.is_empty() && known < horizon).then(|| {
            format!(
                "{} must be known of the {} ahead, but the rows end after {}; add rows without a target behind the last one",
                quoted(names),
                counted(horizon, "step"),
                counted(known, "step")
            )
        })
    }

    /// The times of the steps that a window holds. `[L]`
    fn names(&self, example: &Example, length: usize) -> Vec<String> {
        let Some(history) = example.history() else { return Vec::new() };
        self.times(history, history.length - length..history.length)
    }

    /// The times of steps of a history.
    fn times(&self, history: &History, steps: Range<usize>) -> Vec<String> {
        let moment = |step: usize| self.columns.frequency.after(history.start, step as i64);
        steps.map(|step| self.columns.time_text(moment(step))).collect()
    }
}

impl Model for Forecaster {
    fn task(&self) -> &'static str {
        NAME
    }

    fn input(&self) -> &Input {
        &self.description.input
    }

    fn record(&self) -> &Record {
        &self.description.record
    }

    fn scores(&self) -> &'static [Score] {
        &SCORES
    }

    fn describe(&self) -> Vec<(String, String)> {
        let mut lines = self.input().describe();
        lines.push(("network".into(), self.description.plan.summary()));
        let blend = &self.description.plan.window.blend;
        if !blend.is_empty() {
            let classic: Vec<&str> = blend.iter().map(|floor| floor.title()).collect();
            lines.push(("answers".into(), format!("the mean of the network's forecast and of {}", classic.join(", "))));
        }
        lines.extend(self.description.fallback.as_ref().map(|both| ("answers by".into(), both.in_words())));
        lines.extend(self.description.conformal.as_ref().map(|own| ("intervals".into(), own.in_words())));
        lines
    }

    fn options(&self) -> Vec<(&'static str, Value)> {
        vec![("input", json!(self.input().plan())), ("network", json!(self.description.plan))]
    }

    fn answer(&self, inputs: &[&Example], ask: &Ask) -> Result<Vec<Answer>> {
        self.description.input.check_made(inputs)?;
        let cutter = self.cutter();
        if let Some(interval) = anomalies::interval(&self.description.plan, ask)? {
            let budget = self.budget(Purpose::Answers, ask.limit);
            let of_one = |example: &&Example| -> Result<Answer> {
                let history = example.history().expect("a forecaster's examples are histories");
                if let Some(problem) = self.description.plan.refuses(history) {
                    return Err(PlanError::Unfit(problem).into());
                }
                let networks = (self.networks.as_slice(), self.description.conformal.as_ref());
                let model = (&self.description.plan, &self.columns);
                let found = anomalies::of(networks, model, &cutter, history, (interval, ask.table), &budget)?;
                Ok(found.ok_or_else(|| self.largest.clone())?)
            };
            return inputs.iter().map(of_one).collect();
        }
        let mut rows = Vec::with_capacity(inputs.len());
        for example in inputs {
            let history = example.history().expect("a forecaster's examples are histories");
            let ends_early = || if self.floor().is_some() { None } else { self.ends_early(history) };
            if let Some(problem) = self.description.plan.refuses(history).or_else(ends_early) {
                return Err(PlanError::Unfit(problem).into());
            }
            let WindowPlan { context, .. } = self.description.plan.window;
            let window = match cutter.plan.at_every_step() {
                true => cutter.steps(history, history.length, history.length),
                false => cutter.window(history, history.length),
            };
            let window = window
                .ok_or_else(|| PlanError::Unfit(format!("the series has no value among its last {context} steps")))?;
            rows.push((*example, window));
        }
        let drawn = self.paths_asked(ask)?;
        if let Some(floor) = self.floor() {
            return rows.par_iter().map(|row| self.by_floor(floor, row, ask)).collect();
        }
        let lengths: Vec<usize> = rows.iter().map(|(_, window)| window.length).collect();
        let purpose = if ask.views { Purpose::Views } else { Purpose::Answers };
        let answers = self.budget(purpose, ask.limit).answers(&lengths, |places| {
            let some: Vec<&(&Example, Window)> = places.iter().map(|&place| &rows[place]).collect();
            self.together(&some, ask, drawn).ok_or_else(|| self.largest.clone())
        })?;
        Ok(answers)
    }

    fn check_memory(&self, input: &Example, ask: &Ask, file: &Path) -> Result<(), DataError> {
        let purpose = if ask.views { Purpose::Views } else { Purpose::Answers };
        self.check_steps(input.len(), purpose, ask.limit, (file, input.line))
    }

    fn check_ask(&self, ask: &Ask) -> Result<(), PlanError> {
        ask.backtest.check()?;
        ask.forecast.check_chart()?;
        anomalies::interval(&self.description.plan, ask)?;
        ask.generate.refuse()?;
        if let Some(floor) = self.floor().filter(|_| ask.forecast.anomalies) {
            let problem = format!("is of the network's forecasts, but the model answers by {}", floor.title());
            return Err(PlanError::conflict("anomalies", problem));
        }
        self.paths_asked(ask)?;
        let search = SearchAsk { seed: None, ..ask.search.clone() };
        if let Some(option) = search.said().or(ask.judging.said()) {
            return Err(PlanError::conflict(option, "is of models that write texts, but this one forecasts numbers"));
        }
        match ask.top.map(|_| "top").or(ask.unsure.said()) {
            Some(option) => {
                Err(PlanError::conflict(option, "is of models with labels, but this one forecasts numbers"))
            }
            None => Ok(()),
        }
    }

    fn fields(&self, ask: &Ask) -> Vec<Field> {
        if ask.forecast.anomalies {
            return anomalies::fields(ask, self.cutter().targets > 1);
        }
        let views = (ask.views && self.without_views().is_none()).then_some(answer::VIEWS);
        let levels = &self.description.plan.output.quantiles;
        let columns = Shape::Values(levels.iter().map(|level| answer::column(*level)).collect());
        let quantiles = (!levels.is_empty()).then(|| Field { shape: columns, ..Field::value(answer::QUANTILES) });
        // In an object several targets stand by their names, in a table they have rows of their own.
        let target = (ask.table && self.cutter().targets > 1).then(|| Field::value(answer::TARGET));
        let method = self.method().map(|_| Field::value(answer::METHOD).of_objects());
        let fields = [Field::value(answer::ID)].into_iter().chain(method).chain(target);
        let fields = fields.chain([answer::TIME, answer::MEAN].map(Field::value)).chain(quantiles);
        let paths = ask.forecast.samples.map(|_| answer::SAMPLES);
        fields.chain(views.into_iter().chain(paths).map(Field::lists)).collect()
    }

    fn without_views(&self) -> Option<String> {
        let plan = &self.description.plan;
        if let Some(floor) = self.floor() {
            let title = floor.title();
            return Some(format!(
                "the model answers by {title}, which looks at all values of a series and shows no weights"
            ));
        }
        let pools = !plan.encoder.attention.pools() && plan.pooling.weighted().is_some();
        let pools = pools && plan.decoder.is_direct();
        let attends = plan.encoder.attention.pools() || plan.encoder.attention.pair_heads() > 0;
        let looks = pools || attends || plan.decoder.form.looks_back();
        let why = "the model has no attention; train with --pooling query, --attention or --decoder luong to see what it looks at";
        (!looks).then(|| why.into())
    }

    fn evaluate(&self, data: &Path, columns: &Columns, ask: &Ask) -> Result<Report> {
        let histories = self.histories_of(data, columns)?.all;
        self.judge(histories, data, ask)
    }
}
