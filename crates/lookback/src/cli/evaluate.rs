//! `lookback evaluate MODEL DATA`.

use std::path::{Path, PathBuf};

use clap::Args;
use lookback_infer::data::Column;
use lookback_infer::input::Columns;
use lookback_infer::model::{Ask, BacktestAsk, JudgeAsk, Report, SearchAsk};

use super::columns;
use super::load::load;
use super::max_memory::MaxMemory;
use super::sureness::Sureness;
use super::{Interrupted, UsageError, signals};
use crate::insight::terminal;
use crate::tasks::TASKS;
use crate::train::{Init, Session, Silent};

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
    sureness: Sureness,
    #[command(flatten)]
    memory: MaxMemory,
    #[command(flatten)]
    columns: columns::Columns,
    /// Column or key of the label [default: as in training]
    #[arg(long, value_name = "COLUMN")]
    label: Option<Column>,
    /// Column or key of the target, where sources have some [default: as in training]
    #[arg(long, value_name = "COLUMN")]
    target: Option<Column>,
    /// File with the targets, a line each, where DATA has the sources alone
    #[arg(long, value_name = "FILE")]
    target_file: Option<PathBuf>,
    /// Count the translation edit rate of texts as well, which takes longer than all else
    #[arg(long)]
    ter: bool,
    /// How texts are cut for BLEU: 13a, zh, char or none [default: by their script]
    #[arg(long, value_name = "NAME")]
    bleu_tokenizer: Option<String>,
    /// Have a language model write so many texts, and tell how varied they are, how often they repeat themselves, and how much of them
    /// stands in DATA, best the training data; the options of the search say how they are drawn
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// Steps of a text that a language model keeps in a cache, so that what was said in it before is likelier (Grave 2017)
    /// [default: none]
    #[arg(long, value_name = "STEPS")]
    cache: Option<usize>,
    /// Share of --cache in every probability [default: 0.1]
    #[arg(long, allow_negative_numbers = true, value_name = "SHARE")]
    cache_weight: Option<f64>,
    /// By what products of states are multiplied in --cache: the larger, the more alike they must be [default: 0.3]
    #[arg(long, allow_negative_numbers = true, value_name = "X")]
    cache_sharpness: Option<f64>,
    #[command(flatten)]
    search: SearchAsk,
    /// Forecasts that are judged of every series, the last of which ends with it [default: 1]
    #[arg(long, value_name = "WINDOWS")]
    backtest: Option<usize>,
    /// Steps between the beginnings of those [default: as many as are forecast]
    #[arg(long, value_name = "STEPS")]
    stride: Option<usize>,
    /// Train before every window of --backtest, by the model's own options on what DATA had up to then, and judge what comes of that;
    /// the model stays as it is
    #[arg(long)]
    refit: bool,
    /// What stands between the labels of a text in a table, where it may have several [default: as in training]
    #[arg(long, value_name = "CHARACTER")]
    label_separator: Option<char>,
}

impl Evaluate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let model = load(&self.model, &self.data)?;
        let judging = JudgeAsk {
            known: true,
            ter: self.ter,
            bleu_tokenizer: self.bleu_tokenizer,
            samples: self.samples,
            cache: self.cache,
            cache_weight: self.cache_weight,
            cache_sharpness: self.cache_sharpness,
        };
        let (limit, unsure) = (self.memory.max_memory, self.sureness.unsure());
        let backtest = BacktestAsk { windows: self.backtest, stride: self.stride };
        let ask = Ask { limit, unsure, search: self.search, judging, backtest, ..Ask::default() };
        model.check_ask(&ask)?;
        let columns = Columns {
            label_separator: self.label_separator,
            target: self.target,
            target_file: self.target_file,
            ..self.columns.with_label(self.label)
        };
        let report = match self.refit {
            true => refitted(&self.model, model.task(), (&self.data, &columns), &ask)?,
            false => model.evaluate(&self.data, &columns, &ask)?,
        };
        if self.json {
            super::print_json(&format!("{}\n", serde_json::to_string_pretty(&report.json)?))?;
        } else {
            super::print(&text(&report))?;
        }
        Ok(())
    }
}

/// What the options of a model give when they are trained anew before every window.
fn refitted(model: &Path, task: &str, data: (&Path, &Columns), ask: &Ask) -> anyhow::Result<Report> {
    let init = Init::read(model, task, false)?;
    let entry = TASKS.iter().find(|entry| entry.name == task);
    let entry = entry.ok_or_else(|| UsageError(format!("--refit: models for {task} are not trained here")))?;
    let (stop, device) = (signals::listen()?, super::device());
    let progress = &mut Silent;
    let mut session = Session { device: &device, stop: &stop, progress, checkpoint: None, resume: false, init: None };
    let report = (entry.refitted)(&init, data, ask, &mut session)?;
    report.ok_or_else(|| Interrupted("interrupted before every window was forecast".into()).into())
}

/// The figures and tables for people.
pub(super) fn text(report: &Report) -> String {
    let figures = report.figures.iter().map(|figure| (figure.score.title, figure.score.show(figure.value)));
    let lines: Vec<(&str, String)> =
        std::iter::once(("examples", report.examples.to_string())).chain(figures).collect();
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text: String = lines.iter().map(|(name, value)| format!("{name:<width$}  {value}\n")).collect();
    for table in &report.tables {
        text.push('\n');
        text.push_str(&terminal::table(&table.header, &table.rows));
        if !table.note.is_empty() {
            text.push_str(&format!("{}\n", table.note));
        }
    }
    text
}
