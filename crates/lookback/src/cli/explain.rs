//! `lookback explain MODEL INPUT`.

use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lookback_infer::error::counted;
use lookback_infer::memory_limit::MemoryLimit;
use lookback_infer::model::{Ask, Model, View};

use super::load::load;
use super::max_memory::MaxMemory;
use crate::insight::terminal;

/// What messages call the input, which is no file.
const THE_INPUT: &str = "the input";

/// Show what a model looked at in one input.
#[derive(Args, Debug)]
pub(super) struct Explain {
    /// Model file
    model: PathBuf,
    /// The text itself; for a model of numeric series, a JSON array of steps, each an array of channels; for a
    /// forecaster of one series of numbered steps, a JSON array of numbers
    input: String,
    /// Shade the tokens in colours
    #[arg(long, value_enum, default_value_t)]
    color: Color,
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
        let model = load(&self.model, Path::new(&self.input))?;
        // The text has colours of its own; all that comes from elsewhere is escaped in it.
        super::print_as_it_is(&explain(&*model, &self.input, self.color.wanted(), self.memory.max_memory)?)?;
        Ok(())
    }
}

/// The answer to one input and what led to it.
pub(super) fn explain(model: &dyn Model, content: &str, color: bool, limit: MemoryLimit) -> anyhow::Result<String> {
    let file = Path::new(THE_INPUT);
    let example = model.input().encode_line(content, file, 1)?;
    if example.cut > 0 {
        let (what, unit) = example.unit();
        tracing::warn!("the {what} is cut to the model's {} {unit}s", example.len());
    }
    let ask = Ask { views: true, limit, ..Ask::default() };
    model.check_memory(&example, &ask, file)?;
    let mut explained = String::new();
    for answer in model.answer(&[&example], &ask)? {
        for line in std::iter::once(&answer.line).chain(&answer.notes) {
            explained.push_str(&terminal::printable(line));
            explained.push('\n');
        }
        if example.is_unknown() {
            let (what, unit) = example.unit();
            explained.push_str(&match example.len() {
                0 => format!("Unsure: the {what} has no {unit}.\n"),
                count => format!("Unsure: the model knows none of the {what}'s {}.\n", counted(count, unit)),
            });
        }
        if let Some(why) = model.without_views() {
            let mut letters = why.chars();
            let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
            explained.push_str(&format!("{first}{}.\n", letters.as_str()));
        }
        let (between_texts, views): (Vec<View>, Vec<View>) =
            answer.views.into_iter().partition(|view| view.rows.len() > 1 && view.rows != view.columns);
        between_texts.iter().for_each(|view| explained.push_str(&terminal::alignment(view)));
        explained.push_str(&match (color, example.tokens()) {
            (true, Some((text, tokens))) => terminal::shaded_views(text, &tokens, &views),
            _ => terminal::view_table(&views),
        });
    }
    Ok(explained)
}
