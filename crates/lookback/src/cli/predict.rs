//! `lookback predict MODEL [FILE|-]`.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::max_memory::MaxMemory;
use super::{Unanswered, Wrong, failure};
use crate::data::lines::{LineFormat, TextLine, TextLines, open_lines};
use crate::data::series::{SeriesExample, SeriesFormat, SeriesOptions, read_series};
use crate::data::table::{Column, Labels, TableFormat, TableOptions, read_table};
use crate::error::counted;
use crate::tasks::classify::{Classifier, Example, InputPlan, Prediction};

/// Answer inputs, one JSON object a line.
///
/// An input that cannot be answered gets an object with `error` and `line`, the others are answered, and the exit code is 3.
#[derive(Args, Debug)]
pub(super) struct Predict {
    /// Model file
    model: PathBuf,
    /// File with one input a line, or - for standard input; a series is a JSON array of steps, each an array of
    /// channels
    #[arg(default_value = "-")]
    input: PathBuf,
    /// Add the tokens and the weight that the attention gave each
    #[arg(long)]
    attention: bool,
    #[command(flatten)]
    memory: MaxMemory,
    /// Format of the input [default: by the file's extension, else one input a line]
    #[arg(long, value_enum)]
    format: Option<InputFormat>,
    /// Column or key of the text, in tables and JSON Lines
    #[arg(long, value_name = "COLUMN")]
    text: Option<Column>,
}

/// How inputs stand in the file.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[value(rename_all = "kebab-case")]
enum InputFormat {
    /// One input a line
    Lines,
    /// One JSON object a line, the text under a key
    Jsonl,
    /// Comma-separated table
    Csv,
    /// Tab-separated table
    Tsv,
    /// Numeric series, as the UEA archive has them
    Ts,
    /// Numeric series in CSV, one row a step, in the columns of the training
    CsvLong,
}

impl Predict {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let classifier = Classifier::load(&self.model, &super::device())?;
        if self.attention && !classifier.plan().has_weights() {
            let pooling = &classifier.plan().pooling();
            return Err(Wrong(format!("the model pools by {pooling}, which has no weights to show; --attention needs one trained with --pooling attention or query")).into());
        }
        let mut answers = Answers::default();
        match classifier.input() {
            InputPlan::Text(_) => self.texts(&classifier, &mut answers)?,
            InputPlan::Series(_) => self.series(&classifier, &mut answers)?,
        }
        answers.finish()
    }

    fn texts(&self, classifier: &Classifier, answers: &mut Answers) -> anyhow::Result<()> {
        let stdin = self.input == Path::new("-");
        let format = self.format.or_else(|| match TableFormat::of(&self.input) {
            Ok(TableFormat::JsonLines) => Some(InputFormat::Jsonl),
            Ok(TableFormat::Csv) => Some(InputFormat::Csv),
            Ok(TableFormat::Tsv) => Some(InputFormat::Tsv),
            Err(_) => None,
        });
        let lines = match format.unwrap_or(InputFormat::Lines) {
            InputFormat::Lines => {
                if self.text.is_some() {
                    return Err(Wrong("--text names a column, but the input has one text a line".into()).into());
                }
                LineFormat::Plain
            }
            InputFormat::Jsonl => match &self.text {
                Some(Column::Number(number)) => {
                    return Err(Wrong(format!("JSON Lines have keys, not columns; --text is {number}")).into());
                }
                Some(Column::Name(name)) => LineFormat::JsonLines { text: Some(name.clone()) },
                None => LineFormat::JsonLines { text: None },
            },
            format @ (InputFormat::Csv | InputFormat::Tsv) => {
                if stdin {
                    return Err(Wrong("standard input is read as lines or jsonl; a table must be a file".into()).into());
                }
                return self.table(classifier, format, answers);
            }
            InputFormat::Ts | InputFormat::CsvLong => {
                return Err(Wrong("the model reads texts, but --format is one of numeric series".into()).into());
            }
        };
        if stdin {
            let lines = TextLines::new(BufReader::new(io::stdin()), "<stdin>", lines);
            answers.stream(lines, |line| self.answer_text(classifier, &line.text, line.line))
        } else {
            answers.stream(open_lines(&self.input, lines)?, |line| self.answer_text(classifier, &line.text, line.line))
        }
    }

    fn table(&self, classifier: &Classifier, format: InputFormat, answers: &mut Answers) -> anyhow::Result<()> {
        let options = TableOptions {
            format: Some(if format == InputFormat::Csv { TableFormat::Csv } else { TableFormat::Tsv }),
            text: self.text.clone().or_else(|| classifier.text_column().cloned()),
            header: classifier.header(),
            ..TableOptions::prediction()
        };
        for example in read_table(&self.input, &options)? {
            answers.count(example.line, self.answer_text(classifier, &example.text, example.line))?;
        }
        Ok(())
    }

    fn answer_text(&self, classifier: &Classifier, text: &str, line: usize) -> anyhow::Result<()> {
        let Some(encoder) = classifier.text_encoder() else { return Ok(()) };
        let tokens = encoder.tokenizer.tokenize(text);
        let encoded = encoder.encode_tokens(&tokens);
        if encoded.tokens_cut > 0 {
            tracing::warn!(
                "line {line}: the text has {} tokens; it is cut to the model's {}",
                encoded.ids.len() + encoded.tokens_cut,
                encoded.ids.len()
            );
        }
        let known = tokens.iter().take(encoded.ids.len()).map(|token| Value::from(token.text.as_ref())).collect();
        self.answer(classifier, Example::Text(encoded), Some(known), line)
    }

    fn series(&self, classifier: &Classifier, answers: &mut Answers) -> anyhow::Result<()> {
        if self.text.is_some() {
            return Err(Wrong("--text names a column of texts, but the model reads numeric series".into()).into());
        }
        let format = match self.format {
            None => SeriesFormat::of(&self.input).ok(),
            Some(InputFormat::Lines) => None,
            Some(InputFormat::Ts) => Some(SeriesFormat::Ts),
            Some(InputFormat::CsvLong) => Some(SeriesFormat::Csv),
            Some(_) => {
                return Err(Wrong("the model reads numeric series, but --format is one of texts".into()).into());
            }
        };
        if let Some(format) = format {
            let trained = classifier.series_options(Labels::Ignored).unwrap_or_default();
            let options = SeriesOptions { format: Some(format), ..trained };
            for mut series in read_series(&self.input, &options)? {
                let line = series.line;
                let prepared = classifier.prepare_series(&self.input, &mut series).map(|cut| (series, cut));
                answers.count(line, self.answer_series(classifier, prepared.map_err(Into::into)))?;
            }
            return Ok(());
        }
        let reader: Box<dyn BufRead> = if self.input == Path::new("-") {
            Box::new(BufReader::new(io::stdin()))
        } else {
            Box::new(BufReader::new(
                std::fs::File::open(&self.input)
                    .map_err(|error| Wrong(format!("{}: cannot be read: {error}", self.input.display())))?,
            ))
        };
        answers.stream(TextLines::new(reader, self.input.clone(), LineFormat::Plain), |line| {
            let parsed = super::explain::parse_series(classifier, &line.text, &self.input, line.line);
            self.answer_series(classifier, parsed)
        })
    }

    /// Answers a series whose last steps may have been cut off.
    fn answer_series(
        &self,
        classifier: &Classifier,
        prepared: anyhow::Result<(SeriesExample, usize)>,
    ) -> anyhow::Result<()> {
        let (series, cut) = prepared?;
        let line = series.line;
        if cut > 0 {
            let (steps, kept) = (series.length + cut, series.length);
            tracing::warn!("line {line}: the series has {steps} steps; it is cut to the model's {kept}");
        }
        self.answer(classifier, Example::Series(series), None, line)
    }

    fn answer(
        &self,
        classifier: &Classifier,
        example: Example,
        tokens: Option<Vec<Value>>,
        line: usize,
    ) -> anyhow::Result<()> {
        classifier.check_memory(&example, self.attention, self.memory.max_memory, &self.input, line)?;
        let predictions = match self.attention {
            true => classifier.predict_with_views(&[&example])?,
            false => classifier.predict(&[&example])?,
        };
        for prediction in predictions {
            let object = object(classifier.labels(), &prediction, self.attention.then_some(&tokens));
            super::print_json(&format!("{object}\n"))?;
        }
        Ok(())
    }
}

/// How many inputs there were, and how many of them could not be answered.
#[derive(Default)]
struct Answers {
    inputs: usize,
    refused: usize,
}

impl Answers {
    /// Answers a stream line by line; a line that cannot be read or answered does not stop the others.
    fn stream<R: BufRead>(
        &mut self,
        mut lines: TextLines<R>,
        answer: impl Fn(TextLine) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        while let Some(line) = lines.next() {
            match line {
                Err(error) if lines.has_ended() => return Err(error.into()),
                line => self.count(lines.line(), line.map_err(Into::into).and_then(&answer))?,
            }
        }
        Ok(())
    }

    /// Counts an input that was answered, or writes an error object where its answer would stand. An error that is not
    /// the input's own is handed on.
    fn count(&mut self, line: usize, answered: anyhow::Result<()>) -> anyhow::Result<()> {
        self.inputs += 1;
        match answered {
            Err(error) if failure::is_of_input(&error) => {
                self.refused += 1;
                let object = json!({ "error": failure::sentence(&error), "line": line });
                Ok(super::print_json(&format!("{object}\n"))?)
            }
            other => other,
        }
    }

    fn finish(&self) -> anyhow::Result<()> {
        let Answers { inputs, refused } = self;
        match refused {
            0 => Ok(()),
            _ => Err(Unanswered(format!(
                "{refused} of {} could not be answered; an object with the key \"error\" tells why",
                counted(*inputs, "input")
            ))
            .into()),
        }
    }
}

/// The answer as JSON: label, probabilities and, if asked for, tokens and weights.
fn object(labels: &[String], prediction: &Prediction, attention: Option<&Option<Vec<Value>>>) -> Value {
    let probabilities: Map<String, Value> =
        labels.iter().cloned().zip(prediction.probabilities.iter().map(|&p| json!(p))).collect();
    let mut object = Map::new();
    object.insert("label".into(), json!(labels[prediction.label]));
    object.insert("probabilities".into(), Value::Object(probabilities));
    if let (Some(tokens), Some(weights)) = (attention, &prediction.weights) {
        if let Some(tokens) = tokens {
            object.insert("tokens".into(), Value::Array(tokens.clone()));
        }
        object.insert("weights".into(), json!(weights));
        if !prediction.views.is_empty() {
            let views: Map<String, Value> =
                prediction.views.iter().map(|(name, weights)| (name.clone(), json!(weights))).collect();
            object.insert("views".into(), Value::Object(views));
        }
    }
    Value::Object(object)
}
