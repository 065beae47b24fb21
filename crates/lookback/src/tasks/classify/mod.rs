//! Training classifiers; how they answer is `lookback_infer::tasks::classify`.
//!
//! `options` become a checked `plan`, and what they leave open is chosen by the data in `auto`; `network` is what is trained,
//! beside it the `linear` part is solved, and `calibrate` finds how much each counts; `loss` and `objective` are what the network
//! is trained by; `train` is the data and the way from a file to a model; `told` is what a person hears of them, `choices` what a search
//! tries.

mod attribution;
mod auto;
mod calibrate;
mod choices;
mod linear;
mod loss;
mod network;
mod objective;
mod options;
mod plan;
#[cfg(test)]
mod tests;
mod told;
mod train;

use std::path::Path;

use lookback_infer::error::{Error, PlanError};
use lookback_infer::input::{Example, Input};
use lookback_infer::memory_limit::MemoryLimit;
use lookback_infer::model::{Record, Score};
pub use network::{Logits, Network};
pub use options::{ClassWeights, ClassifyOptions, LabelOptions, LearningOptions, NetworkOptions, Quality};
pub use plan::ClassifyPlan;
use serde_json::{Value, json};
pub use train::{fit, fit_inputs};

use super::{Fitted, Task};
use crate::insight::attribution::Attribution;
use crate::search::Choice;
use crate::train::{Init, Session, TrainPlan, ValidationPlan};

/// One label for a whole text or numeric series.
#[derive(Debug)]
pub struct Classify;

impl Task for Classify {
    const NAME: &'static str = lookback_infer::tasks::classify::NAME;
    const ABOUT: &'static str = "One label for a whole text or numeric series, or several for a text";
    const DATA: &'static str =
        "a table, JSON or lines of fastText with texts and labels, or numeric series (.ts, csv-long, wide)";
    type Options = ClassifyOptions;
    type Plan = ClassifyPlan;

    fn options_of(model: &Init) -> Result<ClassifyOptions, Error> {
        let input = Input::of_file(&model.file, &model.path)?;
        Ok(ClassifyOptions::of(input.plan(), &model.file.json(&model.path, "network")?))
    }

    fn whole_options_of(model: &Init) -> Result<ClassifyOptions, Error> {
        let (input, network) = (Input::of_file(&model.file, &model.path)?, model.file.json(&model.path, "network")?);
        let record: Record = model.file.json(&model.path, "record")?;
        let options = ClassifyOptions::whole(input.plan(), &network, &record.training);
        Ok(options.map_err(|problem| model.wrong_entry("record", problem))?)
    }

    fn plan(data: &Path, options: &ClassifyOptions) -> Result<ClassifyPlan, PlanError> {
        ClassifyPlan::new(data, options)
    }

    fn validation(plan: &ClassifyPlan) -> &ValidationPlan {
        &plan.validation
    }

    fn files(plan: &ClassifyPlan) -> Vec<(&'static str, &Path)> {
        [plan.input.files(), plan.network.encoder.files()].concat()
    }

    fn train(plan: &ClassifyPlan) -> &TrainPlan {
        plan.train()
    }

    fn parts(plan: &ClassifyPlan) -> Vec<Value> {
        vec![json!(plan.training()), json!(plan.input), json!(plan.network)]
    }

    fn open(plan: &ClassifyPlan) -> Vec<&'static str> {
        auto::open(&plan.options, plan.input.is_text())
    }

    fn scores(plan: &ClassifyPlan) -> &'static [Score] {
        plan.network.labels_per_text.scores()
    }

    fn choices(plan: &ClassifyPlan) -> Vec<Choice> {
        choices::choices(plan)
    }

    fn attribution(model: &Init, example: &Example, place: (&Path, MemoryLimit)) -> Result<Option<Attribution>, Error> {
        attribution::attribution(model, example, place)
    }

    fn fit(data: &Path, plan: &ClassifyPlan, session: &mut Session<'_>) -> Result<Fitted, Error> {
        fit(data, plan, session)
    }
}
