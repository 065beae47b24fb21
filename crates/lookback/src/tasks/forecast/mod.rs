//! Training forecasters; how they answer is `lookback_infer::tasks::forecast`.
//!
//! `options` become a checked `plan`; `auto` chooses by the data what nobody said; `network` is what is trained; `train` is the
//! data, the loss and the way from a file to a model.

mod auto;
mod backtest;
mod blend;
mod decoder;
mod gradient;
mod network;
mod options;
mod plan;
mod refit;
#[cfg(test)]
mod tests;
mod train;

use std::path::Path;

pub use blend::Blend;
use lookback_infer::error::{Error, PlanError};
use lookback_infer::input::{Columns, Example, HistoryPlan, Input, InputPlan};
use lookback_infer::memory_limit::MemoryLimit;
use lookback_infer::model::{Ask, Record, Report, Score, View};
pub use network::{Network, Truth};
pub use options::{ForecastOptions, HistoryArgs, WindowOptions};
pub use plan::ForecastPlan;
use serde_json::{Value, json};
pub use train::{fit, fit_histories};

use super::{Fitted, Task};
use crate::network::Reading;
use crate::search::Choice;
use crate::train::{Init, Session, TrainPlan, ValidationPlan};

/// What comes next of numbers over time.
#[derive(Debug)]
pub struct Forecast;

impl Task for Forecast {
    const NAME: &'static str = lookback_infer::tasks::forecast::NAME;
    const ABOUT: &'static str = "What comes next of numbers over time, of one series or of thousands";
    const DATA: &'static str = "numbers over time: a row per step, or a column per series";
    type Options = ForecastOptions;
    type Plan = ForecastPlan;

    fn options_of(model: &Init) -> Result<ForecastOptions, Error> {
        let network = model.file.json(&model.path, "network")?;
        Ok(ForecastOptions::of(&read_of(model)?, &network))
    }

    fn whole_options_of(model: &Init) -> Result<ForecastOptions, Error> {
        let network = model.file.json(&model.path, "network")?;
        let record: Record = model.file.json(&model.path, "record")?;
        Ok(ForecastOptions::whole(&read_of(model)?, &network, &record.training)
            .map_err(|problem| model.wrong_entry("record", problem))?)
    }

    fn plan(_data: &Path, options: &ForecastOptions) -> Result<ForecastPlan, PlanError> {
        ForecastPlan::new(options)
    }

    fn validation(plan: &ForecastPlan) -> &ValidationPlan {
        &plan.validation
    }

    fn files(_plan: &ForecastPlan) -> Vec<(&'static str, &Path)> {
        Vec::new()
    }

    fn train(plan: &ForecastPlan) -> &TrainPlan {
        &plan.train
    }

    fn parts(plan: &ForecastPlan) -> Vec<Value> {
        let mut own = json!({ "stride": plan.stride, "refit": plan.refit });
        // A checkpoint from before there was such an option goes on.
        if plan.fallback {
            own["fallback"] = json!(true);
        }
        vec![json!(plan.input), own, json!(plan.network)]
    }

    fn open(plan: &ForecastPlan) -> Vec<&'static str> {
        auto::open(&plan.options)
    }

    fn scores(_plan: &ForecastPlan) -> &'static [Score] {
        &lookback_infer::tasks::forecast::SCORES
    }

    fn choices(plan: &ForecastPlan) -> Vec<Choice> {
        let context = i64::try_from(plan.network.window.context).unwrap_or(i64::MAX / 2);
        let network = &plan.network;
        // Nothing is pooled where the attention does it, or a decoder goes on.
        let pools = network.decoder.is_direct() && !network.encoder.attention.pools();
        let pooling = pools.then(|| Choice::new("pooling", ["query+last"]));
        let choices = [
            Choice::new("learning-rate", [0.001, 0.006]),
            Choice::new("hidden", [32, 128]),
            Choice::new("layers", [2]),
            Choice::new("cell", ["gru"]),
            Choice::new("context", [(context / 2).max(1), 2 * context]),
            Choice::new("scale", ["mean", "difference"]),
            Choice::new("dropout", [0.0, 0.3]),
        ];
        choices.into_iter().chain(pooling).collect()
    }

    fn gradients(
        model: &Init,
        example: &Example,
        step: Option<usize>,
        place: (&Path, MemoryLimit),
    ) -> Result<Vec<View>, Error> {
        gradient::gradients(model, example, step, place)
    }

    fn readings(model: &Init, example: &Example, _condition: Option<&str>) -> Result<Vec<Reading>, Error> {
        gradient::readings(model, example)
    }

    fn refitted(
        model: &Init,
        data: (&Path, &Columns),
        ask: &Ask,
        session: &mut Session<'_>,
    ) -> Result<Option<Report>, Error> {
        backtest::refitted(model, data, ask, session)
    }

    fn fit(data: &Path, plan: &ForecastPlan, session: &mut Session<'_>) -> Result<Fitted, Error> {
        fit(data, plan, session)
    }
}

/// How the histories of a model were read.
fn read_of(model: &Init) -> Result<HistoryPlan, Error> {
    match Input::of_file(&model.file, &model.path)?.plan() {
        InputPlan::History(plan) => Ok(plan.clone()),
        _ => Err(PlanError::conflict("init", "is of a model that reads no numbers over time").into()),
    }
}
