//! `lookback inspect MODEL`, and with an input what its gates and states did.

mod states;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use lookback_infer::error::counted;
use lookback_infer::model::Record;
use lookback_infer::model_file::ModelFile;
use lookback_infer::tasks::load_file;

use crate::insight::terminal;
use crate::tasks::TASKS;
use crate::train::{Files, Init};

/// Show what a model file holds and how it was trained, or what its gates and states do with an input
#[derive(Args, Debug)]
pub(super) struct Inspect {
    /// Model file
    model: PathBuf,
    /// An input as for explain: for every recurrent layer and direction the gates and states over time, how much of them is shut or
    /// open, how long a unit keeps what it has, the singular values of the recurrent weights, and how far back a gradient reaches
    #[arg(conflicts_with = "config")]
    input: Option<String>,
    #[command(flatten)]
    states: states::States,
    /// Print the options it was trained with, as a configuration for train --config
    #[arg(long)]
    config: bool,
}

impl Inspect {
    pub(super) fn run(self) -> anyhow::Result<()> {
        if let Some(wanted) = self.states.of(self.input)? {
            return wanted.run(&self.model);
        }
        let file = ModelFile::read(&self.model)?;
        if self.config {
            return print_config(file, &self.model);
        }
        let tensors: Vec<(String, Vec<usize>, usize)> =
            file.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone(), tensor.data.len())).collect();
        let model = load_file(file, &self.model)?;
        let mut text = String::new();
        let lines = std::iter::once(("task".to_owned(), model.task().to_owned())).chain(model.describe());
        for (name, value) in lines {
            writeln!(text, "{name:<11} {}", terminal::printable(&value))?;
        }
        let total: usize = tensors.iter().map(|(_, _, count)| count).sum();
        let rows: Vec<Vec<String>> = tensors
            .into_iter()
            .map(|(name, shape, count)| {
                let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
                vec![name, shape.join(" x "), count.to_string()]
            })
            .chain([vec!["all".into(), String::new(), total.to_string()]])
            .collect();
        let header = ["tensor", "shape", "parameters"].map(str::to_owned);
        writeln!(text, "\n{}", terminal::table(&header, &rows))?;

        let record = model.record();
        writeln!(text, "trained on  {} examples, validated on {}", record.examples, record.validation_examples)?;
        for network in &record.networks {
            let finished = match network.epochs {
                1 => "1 epoch was finished".to_owned(),
                epochs => format!("{} were finished", counted(epochs, "epoch")),
            };
            writeln!(text, "weights of  epoch {}; {finished}; {}", network.epoch, network.end)?;
        }
        if let Some(validation) = &record.validation {
            writeln!(text, "validation  {}, loss {:.4}", validation.show(model.scores()), validation.loss)?;
        }
        for (part, options) in model.options() {
            writeln!(text, "\noptions of the {part}\n{}", toml::to_string(&without_null(options))?)?;
        }
        let training = without_null(serde_json::Value::Object(record.training.clone()));
        writeln!(text, "\noptions of the training\n{}", toml::to_string(&training)?)?;
        super::print(&text)?;
        Ok(())
    }
}

/// The options that a model was trained with, as TOML.
fn print_config(file: ModelFile, path: &Path) -> anyhow::Result<()> {
    let Some(task) = TASKS.iter().find(|task| task.name == file.kind) else {
        // Says that there is no such task, or that it is a checkpoint.
        load_file(file, path)?;
        return Ok(());
    };
    let name = task.name;
    let record: Record = file.json(path, "record")?;
    let mut options = (task.config)(&Init { file, path: path.to_owned(), extend: false })?;
    for (option, value) in Files::begun_with(&record.training) {
        options.insert(option.clone(), toml::Value::try_from(value)?);
    }
    let config = toml::to_string(&options)?;
    super::print(&format!("# lookback train {name} DATA --config THIS\n{config}"))?;
    Ok(())
}

/// TOML has no null: what is not set is left out.
fn without_null(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(object) => {
            let set = object.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(set.map(|(key, value)| (key, without_null(value))).collect())
        }
        other => other,
    }
}
