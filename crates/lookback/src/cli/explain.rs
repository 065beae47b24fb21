//! `lookback explain MODEL INPUT`.

use std::fmt::Write as _;
use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Wrong;
use super::max_memory::MaxMemory;
use crate::data::series::SeriesExample;
use crate::error::{self, DataError, in_plain_words};
use crate::insight::terminal::{self, Weighted};
use crate::memory_limit::MemoryLimit;
use crate::tasks::classify::{Classifier, Example, Prediction};

/// What messages call the input, which is no file.
const THE_INPUT: &str = "the input";

/// Show what a model looked at in one input.
#[derive(Args, Debug)]
pub(super) struct Explain {
    /// Model file
    model: PathBuf,
    /// The text itself; for a model of numeric series, a JSON array of steps, each an array of channels
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
        let classifier = Classifier::load(&self.model, &super::device())?;
        let text = match classifier.text_encoder() {
            Some(_) => explain_text(&classifier, &self.input, self.color.wanted(), self.memory.max_memory)?,
            None => explain_series(&classifier, &self.input, self.memory.max_memory)?,
        };
        // The text has colours of its own; all that comes from elsewhere is escaped in it.
        super::print_as_it_is(&text)?;
        Ok(())
    }
}

/// The answer to a text and the tokens that led to it.
pub(super) fn explain_text(
    classifier: &Classifier,
    text: &str,
    color: bool,
    limit: MemoryLimit,
) -> error::Result<String> {
    let Some(encoder) = classifier.text_encoder() else { return Ok(String::new()) };
    let tokens = encoder.tokenizer.tokenize(text);
    let encoded = encoder.encode_tokens(&tokens);
    if encoded.tokens_cut > 0 {
        tracing::warn!("the text is cut to the model's {} tokens", encoded.ids.len());
    }
    let mut explained = String::new();
    let example = Example::Text(encoded);
    classifier.check_memory(&example, true, limit, Path::new(THE_INPUT), 1)?;
    for prediction in classifier.predict_with_views(&[&example])? {
        explained.push_str(&answer(classifier, &prediction));
        let weighted = |weights: &[f32]| -> Vec<Weighted> {
            let places = tokens.iter().zip(weights);
            places
                .map(|(token, &weight)| Weighted {
                    token: token.text.to_string(),
                    start: token.start,
                    end: token.end,
                    weight,
                })
                .collect()
        };
        if !color {
            let names: Vec<String> = tokens.iter().map(|token| token.text.to_string()).collect();
            explained.push_str(&weights_of(classifier, &prediction, &names));
            continue;
        }
        if prediction.weights.is_none() && prediction.views.is_empty() {
            explained.push_str(&no_weights(classifier));
        }
        if let Some(weights) = &prediction.weights {
            let _ = writeln!(explained, "{}", terminal::shade(text, &weighted(weights)));
        }
        for (name, weights) in &prediction.views {
            let _ = writeln!(explained, "{}  ({name})", terminal::shade(text, &weighted(weights)));
        }
    }
    Ok(explained)
}

/// A table of weights: the pooling's as bars where it is alone, else every view side by side.
fn weights_of(classifier: &Classifier, prediction: &Prediction, names: &[String]) -> String {
    match (&prediction.weights, &prediction.views[..]) {
        (None, []) => no_weights(classifier),
        (Some(weights), []) => {
            let bar = |(name, &weight): (&String, &f32)| Weighted { token: name.clone(), start: 0, end: 0, weight };
            let bars: Vec<Weighted> = names.iter().zip(weights).map(bar).collect();
            terminal::weight_table(&bars)
        }
        (weights, views) => {
            let pooling = if classifier.plan().attention().pools() { "mean" } else { "pooling" };
            let mut header = vec!["token"];
            let mut columns: Vec<&[f32]> = Vec::new();
            if let Some(weights) = weights {
                header.push(pooling);
                columns.push(weights);
            }
            for (name, weights) in views {
                header.push(name);
                columns.push(weights);
            }
            let row = |(at, name): (usize, &String)| {
                let shares = columns.iter().map(|column| format!("{:.4}", column.get(at).copied().unwrap_or(0.0)));
                std::iter::once(name.clone()).chain(shares).collect()
            };
            let rows: Vec<Vec<String>> =
                names.iter().enumerate().take(columns.first().map_or(0, |column| column.len())).map(row).collect();
            terminal::table(&header, &rows)
        }
    }
}

fn explain_series(classifier: &Classifier, text: &str, limit: MemoryLimit) -> anyhow::Result<String> {
    let (series, cut) = parse_series(classifier, text, Path::new(THE_INPUT), 1)?;
    if cut > 0 {
        tracing::warn!("the series is cut to the model's {} steps", series.length);
    }
    let (mut explained, length) = (String::new(), series.length);
    let example = Example::Series(series);
    classifier.check_memory(&example, true, limit, Path::new(THE_INPUT), 1)?;
    for prediction in classifier.predict_with_views(&[&example])? {
        explained.push_str(&answer(classifier, &prediction));
        let names: Vec<String> = (1..=length).map(|step| format!("step {step}")).collect();
        explained.push_str(&weights_of(classifier, &prediction, &names));
    }
    Ok(explained)
}

/// `question  97.3 %   (statement 1.9 %, command 0.8 %)`
fn answer(classifier: &Classifier, prediction: &Prediction) -> String {
    let labels = classifier.labels();
    let percent = |class: usize| format!("{:.1} %", 100.0 * prediction.probabilities[class]);
    let mut others: Vec<usize> = (0..labels.len()).filter(|&class| class != prediction.label).collect();
    others.sort_by(|&a, &b| prediction.probabilities[b].total_cmp(&prediction.probabilities[a]));
    let shown: Vec<String> = others
        .iter()
        .take(3)
        .map(|&class| format!("{} {}", terminal::printable(&labels[class]), percent(class)))
        .collect();
    let label = terminal::printable(&labels[prediction.label]);
    format!("{label}  {}  (then {})\n", percent(prediction.label), shown.join(", "))
}

fn no_weights(classifier: &Classifier) -> String {
    format!(
        "The model pools by {}, which gives no weights to tokens; train with --pooling attention to see them.\n",
        classifier.plan().pooling()
    )
}

/// What is wrong with steps that are numbers, but one too large for 32 bits.
fn too_large(text: &str, file: &Path, line: usize) -> Option<anyhow::Error> {
    let steps: Vec<Vec<f64>> = serde_json::from_str(text).ok()?;
    steps.iter().enumerate().find_map(|(step, values)| {
        let channel = values.iter().position(|&value| !(value as f32).is_finite())?;
        let (step, value) = (step + 1, format!("{:?}", values[channel]));
        Some(DataError::SeriesValue { file: file.into(), line, channel: (channel + 1).to_string(), step, value }.into())
    })
}

/// A series from a JSON array of steps, standardised and cut for the model; and the steps that were cut.
pub(super) fn parse_series(
    classifier: &Classifier,
    text: &str,
    file: &Path,
    line: usize,
) -> anyhow::Result<(SeriesExample, usize)> {
    let place = format!("{}, line {line}", file.display());
    let steps: Vec<Vec<f32>> = if text.trim().is_empty() {
        Vec::new()
    } else {
        serde_json::from_str(text).map_err(|error| {
            too_large(text, file, line).unwrap_or_else(|| {
                let problem = in_plain_words(&error.to_string());
                Wrong(format!("{place}: expected a JSON array of steps, each an array of numbers: {problem}")).into()
            })
        })?
    };
    let channels = classifier.channels().unwrap_or(0);
    for (step, values) in steps.iter().enumerate() {
        if values.len() != channels {
            let found = values.len();
            return Err(Wrong(format!(
                "{place}: step {} has {found} channels, but the model has {channels}",
                step + 1
            ))
            .into());
        }
    }
    let length = steps.len();
    let mut series = SeriesExample { values: steps.concat(), length, channels, label: None, line };
    let cut = classifier.prepare_series(file, &mut series)?;
    Ok((series, cut))
}
