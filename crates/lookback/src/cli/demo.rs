//! `lookback demo`.

use std::path::{Path, PathBuf};

use clap::Args;
use lookback_infer::memory_limit::MemoryLimit;
use lookback_infer::model::{Ask, Chart, ForecastAsk, Model, SearchAsk};
use lookback_infer::model_file::check_writable;
use serde_json::Value;

use super::explain::{Color, explain};
use super::{Interrupted, UsageError, evaluate, signals, train};
use crate::demo::{DEMOS, Demo as Shown};
use crate::insight::{chart, terminal};
use crate::train::{End, Progress, Session, Silent, TerminalProgress};

/// Train, evaluate and explain on what is built in, in a minute or two.
#[derive(Args, Debug)]
pub(super) struct Demo {
    /// What is shown: questions that are classified, dates that are translated, lines that are written, or a sine whose cosine is told at every
    /// step
    #[arg(value_parser = DEMOS.map(|demo| demo.name), default_value = DEMOS[0].name)]
    task: String,
    /// Keep the model in this file [default: nothing is written]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Shade tokens, and draw charts, in colours
    #[arg(long, value_enum, default_value_t)]
    color: Color,
}

/// What a model may be called that nobody has named.
const KEPT: &str = "model.safetensors";

impl Demo {
    pub(super) fn run(self, quiet: bool) -> anyhow::Result<()> {
        if let Some(output) = &self.output {
            check_writable(output).map_err(|error| UsageError(error.to_string()))?;
        }
        let shown: Shown = DEMOS.into_iter().find(|demo| demo.name == self.task).unwrap_or(DEMOS[0]);
        let stop = signals::listen()?;
        let device = super::device();
        let mut progress: Box<dyn Progress> = if quiet { Box::new(Silent) } else { Box::new(TerminalProgress::new()) };
        let mut session = Session {
            device: &device,
            stop: &stop,
            progress: &mut *progress,
            checkpoint: None,
            resume: false,
            init: None,
        };
        let fitted = (shown.fit)(self.seed, &mut session)?;
        match (&self.output, fitted.end) {
            (Some(output), _) => train::finish(&fitted, output, None)?,
            (None, End::Interrupted { epoch, step }) => {
                return Err(Interrupted(format!("interrupted in epoch {epoch}, step {step}")).into());
            }
            (None, _) => {}
        }
        let Some((file, _)) = fitted.model else { return Ok(()) };
        let (model, report) = (shown.judge)(file)?;
        super::print(&format!("\nOn {} {} it has not seen:\n\n", report.examples, shown.unseen))?;
        super::print(&evaluate::text(&report))?;
        if shown.writes > 0 {
            super::print("\nWhat it writes:\n\n")?;
            super::print(&written(&*model, shown.writes, self.seed)?)?;
        }
        if !shown.inputs.is_empty() {
            let heading = if shown.writes > 0 { "What it expected" } else { "What it looked at" };
            super::print(&format!("\n{heading}:\n"))?;
        }
        for input in shown.inputs {
            let explained = explain(&*model, input, self.color.wanted(), MemoryLimit::default())?;
            super::print_as_it_is(&format!("\n{input}\n{explained}"))?;
        }
        if let Some(input) = shown.drawn {
            let drawn = draw(&*model, &input())?;
            super::print_as_it_is(&format!(
                "\n{}",
                chart::characters(&drawn, terminal::columns(), self.color.wanted())
            ))?;
        }
        match &self.output {
            Some(output) => {
                let then = shown.then.replace("MODEL", &output.display().to_string());
                super::print(&format!("\nTry it: {then}\n"))?;
            }
            None if shown.drawn.is_some() => {
                let then = shown.then.replace("MODEL", KEPT);
                super::print(&format!("\nAs SVG: lookback demo {} -o {KEPT}\n        {then}\n", shown.name))?;
            }
            None => {}
        }
        Ok(())
    }
}

/// So many texts, a line each.
fn written(model: &dyn Model, count: usize, seed: u64) -> anyhow::Result<String> {
    let nothing = model.input().encode_line("", Path::new("nothing"), 1)?;
    let search = SearchAsk { sample: true, count: Some(count), seed: Some(seed), ..SearchAsk::default() };
    let mut lines = String::new();
    for answer in model.answer(&[&nothing], &Ask { search, ..Ask::default() })? {
        let Some(field) = model.text_field() else { continue };
        let others = answer.json.get("alternatives").and_then(Value::as_array).into_iter().flatten();
        let texts = answer.json.get(field).into_iter().chain(others.filter_map(|other| other.get(field)));
        texts.filter_map(Value::as_str).for_each(|text| lines.push_str(&format!("{text}\n")));
    }
    Ok(lines)
}

/// The charts of the answer to an input, a line.
fn draw(model: &dyn Model, input: &str) -> anyhow::Result<Vec<Chart>> {
    let example = model.input().encode_line(input, Path::new("the input"), 1)?;
    let forecast = ForecastAsk { chart: true, ..ForecastAsk::default() };
    let answers = model.answer(&[&example], &Ask { forecast, ..Ask::default() })?;
    Ok(answers.into_iter().flat_map(|answer| answer.charts).collect())
}
