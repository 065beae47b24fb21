//! Training taggers; how they answer is `lookback_infer::tasks::tag`.
//!
//! `options` become a checked `plan`; `network` is what is trained; `train` is the data, the loss and the way from a file
//! to a model.

mod auto;
mod network;
mod options;
mod plan;
#[cfg(test)]
mod tests;
mod train;

use std::path::Path;

use lookback_infer::error::{Error, PlanError};
use lookback_infer::input::{Input, InputPlan};
use lookback_infer::model::{Record, Score};
pub use network::Network;
use options::Read;
pub use options::TagOptions;
pub use plan::TagPlan;
use serde_json::{Value, json};
pub use train::fit;

use super::{Fitted, Task};
use crate::search::Choice;
use crate::train::{Init, Session, TrainPlan, ValidationPlan};

/// One label per token of a text.
#[derive(Debug)]
pub struct Tag;

impl Task for Tag {
    const NAME: &'static str = lookback_infer::tasks::tag::NAME;
    const ABOUT: &'static str = "One label per token of a text";
    const DATA: &'static str = "sentences with a tag per token: columns (CoNLL), CoNLL-U, word/tag lines or JSON Lines";
    type Options = TagOptions;
    type Plan = TagPlan;

    fn options_of(model: &Init) -> Result<TagOptions, Error> {
        let plan = model.file.json(&model.path, "network")?;
        match Input::of_file(&model.file, &model.path)?.plan() {
            InputPlan::Text(texts) => Ok(TagOptions::of(texts, &plan, read_of(model)?)),
            InputPlan::Series(_) | InputPlan::History(_) => {
                Err(PlanError::conflict("init", "is of a model that reads no texts").into())
            }
        }
    }

    fn whole_options_of(model: &Init) -> Result<TagOptions, Error> {
        let (input, network) = (Input::of_file(&model.file, &model.path)?, model.file.json(&model.path, "network")?);
        let record: Record = model.file.json(&model.path, "record")?;
        match input.plan() {
            InputPlan::Text(texts) => Ok(TagOptions::whole(texts, &network, read_of(model)?, &record.training)
                .map_err(|problem| model.wrong_entry("record", problem))?),
            InputPlan::Series(_) | InputPlan::History(_) => {
                Err(model.wrong_entry("input", "it is of no texts".into()).into())
            }
        }
    }

    fn plan(_data: &Path, options: &TagOptions) -> Result<TagPlan, PlanError> {
        TagPlan::new(options)
    }

    fn validation(plan: &TagPlan) -> &ValidationPlan {
        &plan.validation
    }

    fn files(plan: &TagPlan) -> Vec<(&'static str, &Path)> {
        [plan.input.files(), plan.network.encoder.files()].concat()
    }

    fn train(plan: &TagPlan) -> &TrainPlan {
        &plan.train
    }

    fn parts(plan: &TagPlan) -> Vec<Value> {
        let read = json!({ "scheme": plan.scheme, "train-scheme": plan.train_scheme, "segment": plan.segment });
        vec![json!(plan.data), read, json!(plan.input), json!(plan.network)]
    }

    fn open(plan: &TagPlan) -> Vec<&'static str> {
        auto::open(&plan.options)
    }

    fn scores(_plan: &TagPlan) -> &'static [Score] {
        &lookback_infer::tasks::tag::SCORES
    }

    fn choices(plan: &TagPlan) -> Vec<Choice> {
        // Examples in a batch are no choice where tokens bound it.
        let batch_size = plan.train.batch_size().map(|_| Choice::new("batch-size", [8, 64]));
        let choices = vec![
            Choice::new("learning-rate", [0.002, 0.006]),
            Choice::new("hidden", [64, 192]),
            Choice::new("embedding", [64, 192]),
            Choice::new("layers", [2]),
            Choice::new("cell", ["gru"]),
            Choice::new("dropout", [0.3, 0.6]),
            Choice::new("char-ngrams", ["2-4", "3-5"]),
            Choice::new("word-dropout", [0.1, 0.3]),
            Choice::new("attention", ["scaled-dot"]),
        ];
        choices.into_iter().chain(batch_size).collect()
    }

    fn fit(data: &Path, plan: &TagPlan, session: &mut Session<'_>) -> Result<Fitted, Error> {
        fit(data, plan, session)
    }
}

/// How the data of a model were read.
fn read_of(model: &Init) -> Result<Read, Error> {
    let Init { file, path, .. } = model;
    Ok(Read {
        data: file.json(path, "data")?,
        schemes: file.json(path, "schemes")?,
        segment: file.json(path, "segment")?,
    })
}
