//! `lookback inspect MODEL INPUT`: gates and states over time, and how far back a gradient reaches.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use lookback_infer::error::counted;
use lookback_infer::model::{Ask, GenerateAsk, View};
use serde_json::{Map, Value, json};

use crate::cli::UsageError;
use crate::cli::explain::{Pages, cut};
use crate::cli::load::load;
use crate::cli::series;
use crate::insight::page::{Page, PageInput};
use crate::insight::states::{LayerReport, layers};
use crate::insight::terminal;
use crate::tasks::TASKS;
use crate::train::Init;

/// Values of gates and states that a page has room for.
const MOST_VALUES: usize = 110_000;
/// Steps that a layer is followed over at most: what is computed for each is slow and plain.
const MOST_STEPS: usize = 2000;

/// What is said of an input, and where what is found goes.
#[derive(Args, Debug)]
pub(super) struct States {
    /// File with series of numbers over time, in place of INPUT, read as by predict
    #[arg(long, value_name = "FILE", conflicts_with_all = ["input", "config"])]
    data: Option<PathBuf>,
    /// Which series of --data, by its id [default: the only one]
    #[arg(long, value_name = "ID", requires = "data")]
    series: Option<String>,
    /// The label by which the text is written, of a language model that was trained with --label
    #[arg(long, value_name = "LABEL")]
    condition: Option<String>,
    /// Write a page for a browser with heat maps of all gates and states
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write all numbers as JSON; - prints them, in place of the tables
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What is to be looked at.
pub(super) struct Wanted {
    input: String,
    states: States,
}

impl States {
    /// What is to be looked at, if anything is.
    ///
    /// # Errors
    /// If something is said that is of an input, and there is none.
    pub(super) fn of(self, input: Option<String>) -> Result<Option<Wanted>, UsageError> {
        if input.is_some() || self.data.is_some() {
            return Ok(Some(Wanted { input: input.unwrap_or_default(), states: self }));
        }
        let said =
            [("condition", self.condition.is_some()), ("html", self.html.is_some()), ("json", self.json.is_some())];
        match said.into_iter().find(|(_, said)| *said) {
            Some((option, _)) => Err(UsageError(format!("--{option} is of an input, which stands behind the model"))),
            None => Ok(None),
        }
    }
}

impl Wanted {
    pub(super) fn run(self, path: &Path) -> anyhow::Result<()> {
        let States { data, series, condition, html, json } = self.states;
        let pages = Pages::new(html, json)?;
        let model = load(path, data.as_deref().unwrap_or(Path::new(&self.input)))?;
        if data.is_some() && model.input().history().is_none() {
            return Err(UsageError("--data is of models that forecast numbers over time".into()).into());
        }
        if condition.is_some() {
            // Refused by all other models.
            let generate = GenerateAsk { condition: condition.clone(), ..GenerateAsk::default() };
            model.check_ask(&Ask { generate, ..Ask::default() })?;
        }
        let example = match &data {
            Some(data) => series::one(&*model, data, series.as_deref())?,
            None => model.input().encode_line(&self.input, Path::new("the input"), 1)?,
        };
        let (what, unit) = example.unit();
        if let Some(cut) = cut(&example) {
            tracing::warn!("{cut}");
        }
        let Some(task) = TASKS.iter().find(|task| task.name == model.task()) else { return Ok(()) };
        let init = Init::read(path, task.name, false)?;
        let mut readings = (task.readings)(&init, &example, condition.as_deref())?;
        if readings.iter().all(|reading| reading.layers.is_empty() || reading.steps.is_empty()) {
            let why = match readings.first() {
                Some(reading) if !reading.layers.is_empty() => format!("the {what} has no {unit}"),
                None if example.is_empty() => format!("the {what} has no {unit}"),
                _ => "the model has no recurrent layers".to_owned(),
            };
            return Err(UsageError(format!("there are no gates to look at: {why}")).into());
        }
        for reading in &mut readings {
            let time = reading.steps.len();
            if time > MOST_STEPS {
                tracing::warn!("the first {MOST_STEPS} of {} are looked at", counted(time, "step"));
                reading.x.truncate(reading.x.len() / time * MOST_STEPS);
                reading.steps.truncate(MOST_STEPS);
            }
        }
        let reports = layers(&init, &readings)?;
        if pages.are_wanted() {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            pages.write_both(&|| page(&name, &readings[0].steps, unit, &reports), &|| json_of(&reports))?;
        }
        if !pages.is_printed() {
            crate::cli::print(&table(&reports)?)?;
        }
        Ok(())
    }
}

/// Everything that was found; values as `[H][T]`.
fn json_of(reports: &[LayerReport]) -> String {
    let of_view = |view: &View| {
        let name = view.name.rsplit_once(": ").map_or(view.name.as_str(), |(_, what)| what).to_owned();
        (name, view.json())
    };
    let layer = |report: &LayerReport| {
        let mut layer = json!(report);
        layer["steps"] = json!(report.views.first().map(|view| &view.columns));
        layer["values"] = Value::Object(report.views.iter().map(of_view).collect::<Map<String, Value>>());
        layer
    };
    json!({ "layers": reports.iter().map(layer).collect::<Vec<Value>>() }).to_string()
}

fn page(model: &str, steps: &[String], unit: &str, reports: &[LayerReport]) -> Page {
    let values: usize = reports.iter().flat_map(|report| &report.views).map(|view| view.rows.len()).sum();
    let shown = (MOST_VALUES / values.max(1)).clamp(1, steps.len().max(1));
    let blank = |step: &String| [(step.clone(), true), (" ".to_owned(), false)];
    let mut place = 0;
    let pieces = steps[..shown].iter().flat_map(blank).map(|(piece, is_step)| {
        place += usize::from(is_step);
        (piece, is_step.then(|| place - 1))
    });
    let mut input = PageInput {
        unit: unit.to_owned(),
        tokens: steps[..shown].to_vec(),
        pieces: pieces.collect(),
        unknown: vec![false; shown],
        notes: reports.iter().map(|report| format!("{}: {}", report.name, report.verdict)).collect(),
        ..PageInput::default()
    };
    if shown < steps.len() {
        input.warnings.push(format!(
            "The page has room for the first {shown} of {}; --json has all of them.",
            counted(steps.len(), unit)
        ));
    }
    for report in reports {
        let cut = |view: &View| View {
            columns: view.columns[..shown].to_vec(),
            values: (0..view.rows.len()).flat_map(|row| view.row(row)[..shown].iter().copied()).collect(),
            ..view.clone()
        };
        input = input.with_states(&report.views.iter().map(cut).collect::<Vec<View>>());
    }
    Page { title: "What the gates did".into(), model: model.to_owned(), inputs: vec![input] }
}

/// What was found, as tables.
fn table(reports: &[LayerReport]) -> anyhow::Result<String> {
    let mut text = String::new();
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    for report in reports {
        writeln!(text, "{}: {}, {}", report.name, report.cell, counted(report.units, "unit"))?;
        if !report.gates.is_empty() {
            let header = ["gate", "mean", "below 0.1", "above 0.9"].map(str::to_owned);
            let rows: Vec<Vec<String>> = report
                .gates
                .iter()
                .map(|gate| {
                    vec![gate.name.clone(), format!("{:.3}", gate.mean), percent(gate.shut), percent(gate.open)]
                })
                .collect();
            writeln!(text, "{}", terminal::table(&header, &rows))?;
        }
        let header =
            ["recurrent weights of", "largest singular value", "smallest", "spectral radius"].map(str::to_owned);
        let rows: Vec<Vec<String>> = report
            .matrices
            .iter()
            .map(|matrix| {
                let numbers = [matrix.largest, matrix.smallest, matrix.radius].map(|value| format!("{value:.3}"));
                [vec![matrix.gate.clone()], numbers.to_vec()].concat()
            })
            .collect();
        writeln!(text, "{}", terminal::table(&header, &rows))?;
        let mut lives: Vec<f64> = report.half_lives.clone();
        lives.sort_by(f64::total_cmp);
        if let (Some(&least), Some(&most)) = (lives.first(), lives.last()) {
            let middle = lives[lives.len() / 2];
            writeln!(
                text,
                "half of what a unit keeps is gone after {middle:.1} steps in the median, {least:.1} at least, {most:.1} at most"
            )?;
        }
        if !report.dead.is_empty() {
            writeln!(text, "{} near zero throughout", counted(report.dead.len(), "unit"))?;
        }
        let growth = report.growth.iter().map(|&(span, value)| match value {
            value if (1e-3..1e4).contains(&value) => format!("{span}: {value:.3}"),
            value => format!("{span}: {value:.1e}"),
        });
        let growth = growth.collect::<Vec<String>>().join("  ");
        writeln!(text, "largest singular value of the product of Jacobians, by steps back: {growth}")?;
        writeln!(text, "{}\n", report.verdict)?;
    }
    Ok(text)
}
