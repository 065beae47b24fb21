//! A trained model of any task: all that a program, a server, a page or a binding knows of it.

mod answer;
mod chart;
mod forecast_ask;
mod generate_ask;
mod label_scores;
mod record;
mod score;
mod search_ask;
mod view;

use std::fmt::Debug;
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::Value;

pub use self::answer::{Answer, Ask, BacktestAsk, Field, JudgeAsk, Shape, Unsure};
pub use self::chart::{Chart, ChartInterval};
pub use self::forecast_ask::ForecastAsk;
pub use self::generate_ask::GenerateAsk;
pub use self::label_scores::LabelScores;
pub(crate) use self::label_scores::ratio;
pub use self::record::{NetworkRecord, Record};
pub use self::score::{Figure, Score, Unit, Validation};
pub use self::search_ask::SearchAsk;
pub use self::view::View;
use crate::data::tagged::Document;
use crate::error::{DataError, PlanError, Result};
use crate::input::{Columns, Example, Input};

/// A trained model.
pub trait Model: Send + Sync + Debug {
    /// The task, as `lookback train` names it.
    fn task(&self) -> &'static str;

    /// How inputs are read, and what one is.
    fn input(&self) -> &Input;

    /// How it came to be.
    fn record(&self) -> &Record;

    /// What it was validated by, in the order of [`Validation::scores`].
    fn scores(&self) -> &'static [Score];

    /// What it is, in lines of name and value.
    fn describe(&self) -> Vec<(String, String)>;

    /// Its checked options, part by part, as its file keeps them.
    fn options(&self) -> Vec<(&'static str, Value)>;

    /// One answer per input, in their order; what is asked for beside changes no bit of it. Inputs that together would
    /// take more memory than allowed are computed in parts.
    ///
    /// # Errors
    /// If the network's numbers overflow, so that an answer would be no number, or another model's input has made one of
    /// the inputs.
    fn answer(&self, inputs: &[&Example], ask: &Ask) -> Result<Vec<Answer>>;

    /// The answer to one input whose text comes token by token: `tell` gets every piece as soon as it is certain, and may break off.
    ///
    /// # Errors
    /// If the model writes no text token by token, or as [`Model::answer`].
    fn answer_as_it_comes(
        &self,
        _input: &Example,
        _ask: &Ask,
        _tell: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Answer> {
        Err(PlanError::conflict("stream", "is of language models (lookback train generate)").into())
    }

    /// One answer per line, each line being an input: a text, or a series as a JSON array of steps.
    ///
    /// # Errors
    /// If a line is no such input, or as [`Model::answer`].
    fn answer_lines(&self, lines: &[&str]) -> Result<Vec<Answer>> {
        let file = Path::new("the lines");
        let examples = lines.iter().zip(1..).map(|(content, line)| self.input().encode_line(content, file, line));
        let examples: Vec<Example> = examples.collect::<Result<_, DataError>>()?;
        self.answer(&examples.iter().collect::<Vec<_>>(), &Ask::default())
    }

    /// Refuses an input of `file` that alone would take more memory than allowed.
    ///
    /// # Errors
    /// [`DataError::Memory`] says how much it would take.
    fn check_memory(&self, input: &Example, ask: &Ask, file: &Path) -> Result<(), DataError>;

    /// Refuses what is asked for and does not go with the model.
    ///
    /// # Errors
    /// A sentence that names the option.
    fn check_ask(&self, ask: &Ask) -> Result<(), PlanError>;

    /// What an answer's object says, in its order.
    fn fields(&self, ask: &Ask) -> Vec<Field>;

    /// The sentences of `file`, where these are cut into tokens already and the model answers token by token: as `columns` say, or
    /// as a file is found to be.
    ///
    /// # Errors
    /// If the sentences cannot be read.
    fn document(&self, _file: &Path, _columns: &Columns) -> Result<Option<Document>> {
        Ok(None)
    }

    /// Why answers are no tags that can stand beside tokens, where they are not.
    fn without_tags(&self) -> Option<String> {
        Some("the model does not answer token by token".into())
    }

    /// Why there are no views, where the model has none to show.
    fn without_views(&self) -> Option<String>;

    /// Whether the views are weights by which was looked at something, and no other numbers.
    fn attends(&self) -> bool {
        true
    }

    /// Why answers cannot stand in the rows of a table, where they cannot.
    fn without_table(&self) -> Option<String> {
        None
    }

    /// The field that stands in a file of plain text, a line each, where answers are texts.
    fn text_field(&self) -> Option<&'static str> {
        None
    }

    /// Judges the model on labelled data. `columns`: where they differ from the training data; `ask`: when an answer is
    /// unsure, and how much memory there is.
    ///
    /// # Errors
    /// If the data cannot be read, hold what was never trained, or take too much memory; if numbers overflow.
    fn evaluate(&self, data: &Path, columns: &Columns, ask: &Ask) -> Result<Report>;
}

/// What a model is judged by on labelled data.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Examples judged.
    pub examples: usize,
    /// The figures, the most telling first.
    pub figures: Vec<Figure>,
    /// Tables for people.
    pub tables: Vec<Table>,
    /// All of it; shares are from 0 to 1.
    pub json: Value,
}

/// A table for people: the first column to the left, the others to the right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Names of the columns.
    pub header: Vec<String>,
    /// As many cells each as there are names.
    pub rows: Vec<Vec<String>>,
    /// What stands below, or nothing.
    pub note: String,
}
