//! `lookback explain MODEL INPUT`.

mod page;

use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lookback_infer::error::counted;
use lookback_infer::input::Example;
use lookback_infer::memory_limit::MemoryLimit;
use lookback_infer::model::{Answer, Ask, ForecastAsk, GenerateAsk, Model, View};

pub(super) use self::page::Pages;
use super::UsageError;
use super::load::load;
use super::max_memory::MaxMemory;
use super::series;
use crate::insight::terminal;
use crate::tasks::TASKS;
use crate::train::Init;

/// What messages call the input, which is no file.
const THE_INPUT: &str = "the input";

/// Show what a model looked at in one input.
#[derive(Args, Debug)]
pub(super) struct Explain {
    /// Model file
    model: PathBuf,
    /// The text itself; for a model of numeric series, a JSON array of steps, each an array of channels; for a
    /// forecaster of one series of numbered steps, a JSON array of numbers
    #[arg(required_unless_present = "data", conflicts_with = "data")]
    input: Option<String>,
    /// File with series of numbers over time, read as by predict; the forecast begins behind the last value
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Which series of --data is explained, by its id [default: the only one]
    #[arg(long, value_name = "ID")]
    series: Option<String>,
    /// Step ahead, from 1, of which the gradient is shown: how the forecast of this step changes with every value that was read,
    /// a season that --deseasonalize takes out held as it is [default: 1; of a model that tells every step, the last]
    #[arg(long, value_name = "STEP")]
    step: Option<usize>,
    /// The label by which the text is written, of a language model that was trained with --label
    #[arg(long, value_name = "LABEL")]
    condition: Option<String>,
    /// Shade the tokens in colours
    #[arg(long, value_enum, default_value_t)]
    color: Color,
    /// Write a page for a browser, one file that needs no other: what was looked at, what each token adds, and the answers
    /// without one
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write what such a page shows as JSON; - prints it, in place of the rest
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A second input, beside the first on the page
    #[arg(long, value_name = "INPUT", conflicts_with = "data")]
    beside: Option<String>,
    #[command(flatten)]
    memory: MaxMemory,
}

/// When colours are used.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never: a table of weights instead
    Never,
}

impl Color {
    pub(super) fn wanted(self) -> bool {
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }
}

impl Explain {
    pub(super) fn run(self) -> anyhow::Result<()> {
        // Clap drops what --series requires where INPUT rules that out.
        if self.series.is_some() && self.data.is_none() {
            return Err(UsageError("--series is of --data, which names a file of series".into()).into());
        }
        if self.beside.is_some() && self.html.is_none() && self.json.is_none() {
            return Err(UsageError("--beside is of a page; --html or --json says where that goes".into()).into());
        }
        let pages = Pages::new(self.html, self.json)?;
        let input = self.input.unwrap_or_default();
        let file = self.data.clone().unwrap_or_else(|| THE_INPUT.into());
        let model = load(&self.model, self.data.as_deref().unwrap_or(Path::new(&input)))?;
        let forecasts = model.input().history().is_some();
        for (option, said) in [("data", self.data.is_some()), ("step", self.step.is_some())] {
            if said && !forecasts {
                return Err(UsageError(format!("--{option} is of models that forecast numbers over time")).into());
            }
        }
        let example = match &self.data {
            Some(data) => series::one(&*model, data, self.series.as_deref())?,
            None => model.input().encode_line(&input, &file, 1)?,
        };
        let limit = self.memory.max_memory;
        if self.condition.is_some() {
            // Refused by all other models.
            let generate = GenerateAsk { condition: self.condition.clone(), ..GenerateAsk::default() };
            model.check_ask(&Ask { generate, ..Ask::default() })?;
        }
        let beside = self.beside.map(|beside| model.input().encode_line(&beside, &file, 1)).transpose()?;
        let task = TASKS.iter().find(|task| task.name == model.task());
        let init = task.map(|task| Init::read(&self.model, task.name, false)).transpose()?;
        let gradients = |example: &Example| match (task, &init) {
            (Some(task), Some(init)) => (task.gradients)(init, example, self.step, (&file, limit)),
            _ => Ok(Vec::new()),
        };
        let condition = self.condition.as_deref();
        let of_example = gradients(&example)?;
        let answers = answers(&*model, (&example, condition), pages.are_wanted(), (&file, limit))?;
        if pages.are_wanted() {
            let page_of = |example: &Example, answers: &[Answer], gradients: &[View]| {
                let attribution = match (task, &init) {
                    (Some(task), Some(init)) => (task.attribution)(init, example, (&file, limit))?,
                    _ => None,
                };
                page::input(&*model, (example, answers), (attribution.as_ref(), gradients), limit)
            };
            let mut inputs = vec![page_of(&example, &answers, &of_example)?];
            if let Some(beside) = &beside {
                let answers = self::answers(&*model, (beside, condition), true, (&file, limit))?;
                inputs.push(page_of(beside, &answers, &gradients(beside)?)?);
            }
            pages.write(&page::page(&*model, &self.model, inputs))?;
        }
        if pages.is_printed() {
            return Ok(());
        }
        let mut explained = explained(&*model, &example, answers, self.color.wanted());
        of_example.iter().for_each(|view| explained.push_str(&terminal::gradients(view)));
        // The text has colours of its own; all that comes from elsewhere is escaped in it.
        super::print_as_it_is(&explained)?;
        Ok(())
    }
}

/// The answer to one input and what led to it.
pub(super) fn explain(model: &dyn Model, content: &str, color: bool, limit: MemoryLimit) -> anyhow::Result<String> {
    let file = Path::new(THE_INPUT);
    let example = model.input().encode_line(content, file, 1)?;
    let answers = answers(model, (&example, None), false, (file, limit))?;
    Ok(explained(model, &example, answers, color))
}

/// The answers to an input with what led to them, and of numbers over time with charts where these are wanted.
fn answers(
    model: &dyn Model,
    (example, condition): (&Example, Option<&str>),
    charts: bool,
    (file, limit): (&Path, MemoryLimit),
) -> anyhow::Result<Vec<Answer>> {
    if let Some(cut) = cut(example) {
        tracing::warn!("{cut}");
    }
    // What a text costs a language model says more of it than how one that it writes goes on.
    let generate = GenerateAsk { score: true, condition: condition.map(str::to_owned), ..GenerateAsk::default() };
    let forecast = ForecastAsk { chart: charts && example.history().is_some(), ..ForecastAsk::default() };
    let ask = Ask { views: true, limit, generate, forecast, ..Ask::default() };
    model.check_memory(example, &ask, file)?;
    Ok(model.answer(&[example], &ask)?)
}

/// What is to be said of an input that is too long, if it is.
pub(super) fn cut(example: &Example) -> Option<String> {
    let (what, unit) = example.unit();
    (example.cut > 0).then(|| format!("the {what} is cut to the model's {}", counted(example.len(), unit)))
}

/// What is to be said of an input that tells the model nothing, if it does not.
fn unknown(example: &Example) -> Option<String> {
    let (what, unit) = example.unit();
    example.is_unknown().then(|| match example.len() {
        0 => format!("the {what} has no {unit}"),
        count => format!("the model knows none of the {what}'s {}", counted(count, unit)),
    })
}

/// As a sentence.
fn sentence(said: &str) -> String {
    let mut letters = said.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

fn explained(model: &dyn Model, example: &Example, answers: Vec<Answer>, color: bool) -> String {
    let mut explained = String::new();
    for answer in answers {
        for line in std::iter::once(&answer.line).chain(&answer.notes) {
            explained.push_str(&terminal::printable(line));
            explained.push('\n');
        }
        if let Some(unknown) = unknown(example) {
            explained.push_str(&format!("Unsure: {unknown}.\n"));
        }
        if let Some(why) = model.without_views() {
            explained.push_str(&format!("{}\n", sentence(&why)));
        }
        let (between_texts, views): (Vec<View>, Vec<View>) =
            answer.views.into_iter().partition(|view| view.rows.len() > 1 && view.rows != view.columns);
        between_texts.iter().for_each(|view| explained.push_str(&terminal::alignment(view)));
        explained.push_str(&match (color, example.tokens()) {
            // The end of a text may stand behind its tokens.
            (true, Some((text, tokens)))
                if views.iter().all(|view| [0, 1].map(|end| tokens.len() + end).contains(&view.columns.len())) =>
            {
                terminal::shaded_views(text, &tokens, &views)
            }
            _ => terminal::view_table(&views),
        });
    }
    explained
}
