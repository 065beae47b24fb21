//! `lookback train TASK DATA`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Interrupted, Wrong, options_file, signals};
use crate::model_file::check_writable;
use crate::tasks::classify::{Classifier, ClassifyOptions, ClassifyPlan, FitError, Fitted, fit};
use crate::train::{End, TerminalProgress};

/// Train a model on your data.
#[derive(Args, Debug)]
pub(super) struct Train {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand, Debug)]
enum Task {
    /// One label for a whole text or numeric series
    Classify(Box<Classify>),
}

/// One label for a whole text or numeric series.
#[derive(Args, Debug)]
#[command(allow_negative_numbers = true)]
struct Classify {
    /// Training data: CSV, TSV or JSON Lines with texts and labels, or numeric series (.ts, csv-long)
    data: PathBuf,
    /// Where the model is written
    #[arg(short, long, value_name = "FILE", default_value = "model.safetensors")]
    output: PathBuf,
    /// TOML file with options, under the names of the flags; a flag wins over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    options: ClassifyOptions,
}

impl Train {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self.task {
            Task::Classify(classify) => classify.run(),
        }
    }
}

impl Classify {
    fn run(self) -> anyhow::Result<()> {
        let mut options = match &self.config {
            Some(file) => options_file::merge(&self.options, file)?,
            None => self.options.clone(),
        };
        // The command line cannot name both; one there wins over the other in the file.
        if self.options.data.validation.is_some() {
            options.data.validation_split = None;
        } else if self.options.data.validation_split.is_some() {
            options.data.validation = None;
        }
        let plan = ClassifyPlan::new(&self.data, &options).map_err(Wrong)?;
        self.refuse_to_overwrite(&options)?;
        check_writable(&self.output).map_err(|error| Wrong(error.to_string()))?;
        let stop = signals::listen()?;
        let device = super::device();
        let fitted = match fit(&self.data, &plan, &device, &stop, &mut TerminalProgress::new()) {
            Ok(fitted) => fitted,
            Err(FitError::Plan(problem)) => return Err(Wrong(problem).into()),
            Err(FitError::Data(error)) => return Err(error.into()),
        };
        finish(&fitted, &self.output)
    }

    /// The model must not take the place of a file that this run reads.
    fn refuse_to_overwrite(&self, options: &ClassifyOptions) -> anyhow::Result<()> {
        let Ok(output) = self.output.canonicalize() else { return Ok(()) };
        let read = [Some(&self.data), options.data.validation.as_ref(), self.config.as_ref()];
        for file in read.into_iter().flatten() {
            if file.canonicalize().is_ok_and(|file| file == output) {
                return Err(Wrong(format!("{} is read and cannot be the output as well", file.display())).into());
            }
        }
        Ok(())
    }
}

/// Saves the model, if there is one, and says how training ended.
pub(super) fn finish(fitted: &Fitted, output: &Path) -> anyhow::Result<()> {
    let kept = match &fitted.classifier {
        Some(classifier) => saved(classifier, fitted.networks, output)?,
        None => "no epoch was finished before, so there is no model to keep".into(),
    };
    match fitted.end {
        End::Completed | End::EarlyStopped => {
            super::print(&format!("{kept}\n"))?;
            Ok(())
        }
        End::Interrupted { epoch, step } => {
            Err(Interrupted(format!("interrupted in epoch {epoch}, step {step}; {kept}")).into())
        }
        End::Diverged { epoch, step, what, value } => Err(anyhow::anyhow!(
            "training diverged: in epoch {epoch}, step {step} the {what} is {value}; a lower learning rate may help; {kept}"
        )),
    }
}

/// Saves the model and says where, and what it is.
fn saved(classifier: &Classifier, networks: usize, output: &Path) -> anyhow::Result<String> {
    let record = classifier.record();
    let begun = record.members.iter().all(|member| member.epochs == 0);
    // What was stopped in its first epoch is hardly trained; what stands there may be the work of hours.
    let (file, left) = if begun && output.is_file() {
        (beside(output), format!("{} is left as it was; ", output.display()))
    } else {
        (output.to_owned(), String::new())
    };
    classifier.save(&file)?;
    let score = record.validation.map_or_else(String::new, |validation| {
        format!(
            ", validation accuracy {:.2} %, macro F1 {:.2} %",
            100.0 * validation.accuracy,
            100.0 * validation.macro_f1
        )
    });
    let epochs: Vec<String> = record.members.iter().map(|member| member.epoch.to_string()).collect();
    let what = match epochs.as_slice() {
        [epoch] if networks == 1 && begun => format!("the model of epoch {epoch}, which was not finished"),
        [epoch] if networks == 1 => format!("the model of epoch {epoch}"),
        [epoch] => format!("one network of {networks}, of epoch {epoch}"),
        several if several.len() < networks => {
            format!("{} networks of {networks}, of epochs {}", several.len(), several.join(", "))
        }
        several => format!("{} networks, of epochs {}", several.len(), several.join(", ")),
    };
    Ok(format!("{left}{}: {what}{score}", file.display()))
}

/// A name beside `output` that no file has: `model.interrupted.safetensors`.
fn beside(output: &Path) -> PathBuf {
    let name = |count: usize| {
        let mut name = output.file_stem().unwrap_or_default().to_owned();
        name.push(".interrupted");
        if count > 1 {
            name.push(format!("-{count}"));
        }
        if let Some(extension) = output.extension() {
            name.push(".");
            name.push(extension);
        }
        output.with_file_name(name)
    };
    (1..).map(name).find(|path| path.symlink_metadata().is_err()).unwrap_or_else(|| name(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_beside_the_model_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for expected in
            ["a.b.interrupted.safetensors", "a.b.interrupted-2.safetensors", "a.b.interrupted-3.safetensors"]
        {
            let free = beside(&path("a.b.safetensors"));
            assert_eq!(free, path(expected));
            std::fs::write(free, "").unwrap();
        }
        assert_eq!(beside(&path("model")), path("model.interrupted"));
    }
}
