//! Training translators; how they answer is `lookback_infer::tasks::translate`.
//!
//! `options` become a checked `plan`; `auto` chooses by the data what nobody said; `network` is what is trained, `copying` its
//! loss where tokens are copied; `train` is the data, the loss and the way from a file to a model; `sampling` has a decoder read
//! its own tokens while it trains.

mod auto;
mod copying;
mod network;
mod options;
mod plan;
mod sampling;
#[cfg(test)]
mod tests;
mod train;

use std::path::Path;

use lookback_infer::error::{Error, PlanError};
use lookback_infer::input::{Input, InputPlan};
use lookback_infer::model::{Record, Score};
use lookback_infer::tasks::translate::DecoderForm;
pub use network::Network;
use options::Kept;
pub use options::TranslateOptions;
pub use plan::TranslatePlan;
use serde_json::{Map, Value, json};
pub use train::{fit, fit_pairs};

use super::{Fitted, Task};
use crate::search::Choice;
use crate::train::{Init, Session, TrainPlan, ValidationPlan};

/// A text in, a text out.
#[derive(Debug)]
pub struct Translate;

impl Task for Translate {
    const NAME: &'static str = lookback_infer::tasks::translate::NAME;
    const ABOUT: &'static str =
        "A text from a text: translation, spelling to sound, normal forms, summaries (a longer source)";
    const DATA: &'static str = "pairs of a source and its target: TSV, CSV or JSON Lines, or two files side by side";
    type Options = TranslateOptions;
    type Plan = TranslatePlan;

    fn options_of(model: &Init) -> Result<TranslateOptions, Error> {
        let plan = model.file.json(&model.path, "network")?;
        match Input::of_file(&model.file, &model.path)?.plan() {
            InputPlan::Text(texts) => Ok(TranslateOptions::of(texts, &plan, kept(model)?, &Map::new())),
            InputPlan::Series(_) | InputPlan::History(_) => {
                Err(PlanError::conflict("init", "is of a model that reads no texts").into())
            }
        }
    }

    fn whole_options_of(model: &Init) -> Result<TranslateOptions, Error> {
        let (input, network) = (Input::of_file(&model.file, &model.path)?, model.file.json(&model.path, "network")?);
        let record: Record = model.file.json(&model.path, "record")?;
        match input.plan() {
            InputPlan::Text(texts) => Ok(TranslateOptions::whole(texts, &network, kept(model)?, &record.training)
                .map_err(|problem| model.wrong_entry("record", problem))?),
            InputPlan::Series(_) | InputPlan::History(_) => {
                Err(model.wrong_entry("input", "it is of no texts".into()).into())
            }
        }
    }

    fn plan(data: &Path, options: &TranslateOptions) -> Result<TranslatePlan, PlanError> {
        TranslatePlan::new(data, options)
    }

    fn validation(plan: &TranslatePlan) -> &ValidationPlan {
        &plan.validation
    }

    fn files(plan: &TranslatePlan) -> Vec<(&'static str, &Path)> {
        let targets = [("targets", &plan.target_file), ("validation targets", &plan.validation_target_file)];
        let targets = targets.into_iter().filter_map(|(name, file)| Some((name, file.as_deref()?)));
        [plan.input.files(), plan.network.encoder.files(), targets.collect()].concat()
    }

    fn train(plan: &TranslatePlan) -> &TrainPlan {
        &plan.train
    }

    fn parts(plan: &TranslatePlan) -> Vec<Value> {
        let target = json!({ "target-tokenizer": plan.target.cut, "target-max-length": plan.target.max_length });
        vec![json!(plan.data), target, plan.own(), json!(plan.input), json!(plan.network)]
    }

    fn open(plan: &TranslatePlan) -> Vec<&'static str> {
        auto::open(&plan.options)
    }

    fn scores(_plan: &TranslatePlan) -> &'static [Score] {
        &lookback_infer::tasks::translate::SCORES
    }

    fn choices(plan: &TranslatePlan) -> Vec<Choice> {
        // Examples in a batch are no choice where tokens bound it.
        let batch_size = plan.train.batch_size().map(|_| Choice::new("batch-size", [16, 64]));
        let mut choices = vec![
            Choice::new("learning-rate", [0.001, 0.004]),
            Choice::new("hidden", [64, 192, 256]),
            Choice::new("embedding", [64, 192]),
            Choice::new("layers", [2]),
            Choice::new("cell", ["gru"]),
            Choice::new("dropout", [0.1, 0.4]),
            Choice::new("decoder", ["bahdanau"]),
        ];
        choices.extend(batch_size);
        let aligns = plan.network.decoder.form == DecoderForm::HardMonotonic;
        if !aligns {
            choices.push(Choice::new("decoder-attention", ["additive"]));
        }
        if !aligns && !plan.network.decoder.copy {
            choices.push(Choice::new("label-smoothing", [0.0, 0.2]));
        }
        choices
    }

    fn fit(data: &Path, plan: &TranslatePlan, session: &mut Session<'_>) -> Result<Fitted, Error> {
        fit(data, plan, session)
    }
}

/// How the data of a model were read.
fn kept(model: &Init) -> Result<Kept, Error> {
    let Init { file, path, .. } = model;
    Ok(Kept { data: file.json(path, "data")?, target: file.json(path, "target")? })
}
