//! `lookback evaluate MODEL DATA`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Wrong;
use super::max_memory::MaxMemory;
use crate::data::table::{Column, TableFormat};
use crate::insight::terminal;
use crate::tasks::classify::{Classifier, Confused, FormatChoice, HeaderChoice, InputPlan, Metrics};

/// Judge a model on labelled data.
#[derive(Args, Debug)]
pub(super) struct Evaluate {
    /// Model file
    model: PathBuf,
    /// Labelled data, as those the model was trained on
    data: PathBuf,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    memory: MaxMemory,
    #[command(flatten)]
    columns: Columns,
}

/// Where these data differ from those the model was trained on.
#[derive(Args, Debug, Default)]
pub(super) struct Columns {
    /// Format of the data [default: by the file's extension, else as in training]
    #[arg(long, value_enum)]
    format: Option<FormatChoice>,
    /// Whether the first row holds the columns' names [default: as in training]
    #[arg(long, value_enum)]
    header: Option<HeaderChoice>,
    /// Column of the text [default: as in training]
    #[arg(long, value_name = "COLUMN")]
    text: Option<Column>,
    /// Column of the label [default: as in training]
    #[arg(long, value_name = "COLUMN")]
    label: Option<Column>,
}

impl Evaluate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let classifier = Classifier::load(&self.model, &super::device())?;
        let input = self.columns.over(classifier.input(), &self.data)?;
        let dataset = classifier.read_labelled(&self.data, &input)?;
        let metrics = classifier.evaluate(&dataset, self.memory.max_memory)?;
        if self.json {
            super::print_json(&format!("{}\n", serde_json::to_string_pretty(&metrics)?))?;
        } else {
            super::print(&text(&metrics, classifier.labels()))?;
        }
        Ok(())
    }
}

impl Columns {
    /// The classifier's own input with these options laid over it.
    pub(super) fn over(&self, input: &InputPlan, file: &Path) -> anyhow::Result<InputPlan> {
        let mut input = input.clone();
        match &mut input {
            InputPlan::Text(plan) => {
                if let Some(format @ (FormatChoice::Ts | FormatChoice::CsvLong)) = self.format {
                    return Err(Wrong(format!("the model reads texts, but --format is {}", format.name())).into());
                }
                if self.format.is_some() {
                    plan.format = self.format;
                } else if TableFormat::of(file).is_ok() {
                    plan.format = None;
                }
                if let Some(header) = self.header {
                    plan.header = header.told();
                }
                plan.text = self.text.clone().or(plan.text.take());
                plan.label = self.label.clone().or(plan.label.take());
            }
            InputPlan::Series(plan) => {
                if self.text.is_some() {
                    return Err(
                        Wrong("--text names a column of texts, but the model reads numeric series".into()).into()
                    );
                }
                if let Some(header) = self.header {
                    plan.header = header.told();
                }
                match self.format {
                    None => {}
                    Some(format @ (FormatChoice::Ts | FormatChoice::CsvLong)) => plan.format = format,
                    Some(format) => {
                        return Err(Wrong(format!(
                            "the model reads numeric series, but --format is {}",
                            format.name()
                        ))
                        .into());
                    }
                }
                plan.label = self.label.clone().or(plan.label.take());
            }
        }
        Ok(input)
    }
}

/// The figures for people.
pub(super) fn text(metrics: &Metrics, labels: &[String]) -> String {
    let percent = |share: f64| format!("{:.2}", 100.0 * share);
    let mut rows: Vec<Vec<String>> = metrics
        .classes
        .iter()
        .map(|class| {
            let figures = [class.precision, class.recall, class.f1].map(percent);
            std::iter::once(class.label.clone()).chain(figures).chain([class.support.to_string()]).collect()
        })
        .collect();
    rows.sort_by(|a, b| a[0].cmp(&b[0]));
    let confusions = match &metrics.confusion {
        Some(matrix) => terminal::confusion(labels, matrix),
        None => confused(&metrics.confused),
    };
    format!(
        "examples  {}\naccuracy  {} %\nmacro F1  {} %\nmicro F1  {} %\nloss      {:.4}\n\n{}\n{}",
        metrics.examples,
        percent(metrics.accuracy),
        percent(metrics.macro_f1),
        percent(metrics.micro_f1),
        metrics.loss,
        terminal::table(&["label", "precision %", "recall %", "F1 %", "examples"], &rows),
        confusions,
    )
}

/// The commonest wrong answers, where there are too many labels for a matrix.
fn confused(confused: &[Confused]) -> String {
    const SHOWN: usize = 20;
    let row = |pair: &Confused| vec![pair.label.clone(), pair.answer.clone(), pair.count.to_string()];
    let rows: Vec<Vec<String>> = confused.iter().take(SHOWN).map(row).collect();
    let mut text = terminal::table(&["right", "answer", "examples"], &rows);
    if confused.len() > SHOWN {
        text.push_str(&format!("and {} more pairs; --json has them all\n", confused.len() - SHOWN));
    }
    text
}
