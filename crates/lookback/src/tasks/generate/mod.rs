//! Training language models; how they write and score is `lookback_infer::tasks::generate`.
//!
//! `options` become a checked `plan`; `auto` chooses by the data what nobody said; `pieces` is how documents are gone through,
//! `network` what is trained; `train` is the data, the loss and the way from a file to a model.

mod auto;
mod network;
mod options;
mod pieces;
mod plan;
mod reading;
#[cfg(test)]
mod tests;
mod train;

use std::path::Path;

use lookback_infer::data::documents::DocumentOptions;
use lookback_infer::error::{Error, PlanError};
use lookback_infer::input::Example;
use lookback_infer::model::{Record, Score};
pub use network::{Network, Penalties, RowState, Rows};
pub use options::{GenerateOptions, GeneratedTokenOptions, LanguageOptions};
pub use plan::GeneratePlan;
use serde_json::{Value, json};
pub use train::{fit, fit_documents};

use super::{Fitted, Task};
use crate::network::Reading;
use crate::search::Choice;
use crate::train::{Init, Session, TrainPlan, ValidationPlan};

/// A text by itself.
#[derive(Debug)]
pub struct Generate;

impl Task for Generate {
    const NAME: &'static str = lookback_infer::tasks::generate::NAME;
    const ABOUT: &'static str =
        "Texts by themselves, or from a label: a language model that writes, completes and scores";
    const DATA: &'static str =
        "texts: plain text, or a text a row of CSV, TSV or JSON Lines, with --label a label beside it";
    type Options = GenerateOptions;
    type Plan = GeneratePlan;

    fn options_of(model: &Init) -> Result<GenerateOptions, Error> {
        let Init { file, path, .. } = model;
        let data: DocumentOptions = file.json(path, "data")?;
        // How a file is divided is found out of it; whether that goes with the model is looked at in training.
        let data = DocumentOptions { documents: None, ..data };
        Ok(GenerateOptions::of(data, &file.json(path, "text")?, &file.json(path, "network")?))
    }

    fn whole_options_of(model: &Init) -> Result<GenerateOptions, Error> {
        let Init { file, path, .. } = model;
        let record: Record = file.json(path, "record")?;
        let (data, text, network) = (file.json(path, "data")?, file.json(path, "text")?, file.json(path, "network")?);
        Ok(GenerateOptions::whole(data, &text, &network, &record.training)
            .map_err(|problem| model.wrong_entry("record", problem))?)
    }

    fn readings(model: &Init, example: &Example, condition: Option<&str>) -> Result<Vec<Reading>, Error> {
        reading::readings(model, example, condition)
    }

    fn plan(_data: &Path, options: &GenerateOptions) -> Result<GeneratePlan, PlanError> {
        GeneratePlan::new(options)
    }

    fn validation(plan: &GeneratePlan) -> &ValidationPlan {
        &plan.validation
    }

    fn files(_plan: &GeneratePlan) -> Vec<(&'static str, &Path)> {
        Vec::new()
    }

    fn train(plan: &GeneratePlan) -> &TrainPlan {
        &plan.train
    }

    fn parts(plan: &GeneratePlan) -> Vec<Value> {
        vec![json!(plan.data), json!({ "tokenizer": plan.text.cut }), plan.own(), json!(plan.network)]
    }

    fn open(plan: &GeneratePlan) -> Vec<&'static str> {
        auto::open(&plan.options)
    }

    fn scores(_plan: &GeneratePlan) -> &'static [Score] {
        &lookback_infer::tasks::generate::SCORES
    }

    fn choices(plan: &GeneratePlan) -> Vec<Choice> {
        let mut choices = vec![
            Choice::new("learning-rate", [0.001, 0.002, 0.008]),
            Choice::new("hidden", [128, 256, 512]),
            Choice::new("dropout", [0.1, 0.3, 0.5]),
            Choice::new("batch-size", [16, 64]),
            Choice::new("cell", ["gru"]),
        ];
        // Where they are tied, one layer must be as wide as the token vectors.
        if !plan.network.tied {
            choices.extend([Choice::new("layers", [2]), Choice::new("embedding", [32, 128])]);
        }
        choices
    }

    fn fit(data: &Path, plan: &GeneratePlan, session: &mut Session<'_>) -> Result<Fitted, Error> {
        fit(data, plan, session)
    }
}
