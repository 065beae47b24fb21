//! What is asked of a model, and what it answers.

use serde_json::{Map, Value};

use super::{Chart, ForecastAsk, GenerateAsk, SearchAsk, View};
use crate::error::PlanError;
use crate::memory_limit::MemoryLimit;

/// What is asked of a model beside its answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ask {
    /// Whether somebody will look at the views. Views over `T` steps may have `T * T` weights, which exist for nothing else.
    pub views: bool,
    /// Whether answers go into a table, so that those of several rows are made row by row as well.
    pub table: bool,
    /// The most memory that a batch may take.
    pub limit: MemoryLimit,
    /// How many of the likeliest labels are told; all of them where nothing is said.
    pub top: Option<usize>,
    /// When an answer is unsure.
    pub unsure: Unsure,
    /// How texts are searched for, where the model writes some.
    pub search: SearchAsk,
    /// How texts are judged, where the model writes some.
    pub judging: JudgeAsk,
    /// From where forecasts are judged, where the model makes some.
    pub backtest: BacktestAsk,
    /// What is told beside forecasts, where the model makes some.
    pub forecast: ForecastAsk,
    /// What is asked of a language model.
    pub generate: GenerateAsk,
}

/// From where in every series forecasts are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BacktestAsk {
    /// How many forecasts are judged of every series, the last of which ends with it; one where nothing is said.
    pub windows: Option<usize>,
    /// Steps between their beginnings; as many as are forecast where nothing is said.
    pub stride: Option<usize>,
}

impl BacktestAsk {
    /// The first option of it that is said.
    pub fn said(&self) -> Option<&'static str> {
        let options = [("backtest", self.windows.is_some()), ("stride", self.stride.is_some())];
        options.into_iter().find_map(|(option, said)| said.then_some(option))
    }

    /// Whether there is anything to judge.
    ///
    /// # Errors
    /// If a number is 0.
    pub fn check(&self) -> Result<(), PlanError> {
        match [("backtest", self.windows), ("stride", self.stride)].into_iter().find(|(_, said)| *said == Some(0)) {
            Some((option, _)) => Err(PlanError::value(option, 0, "at least 1")),
            None => Ok(()),
        }
    }

    /// Refuses all of it, for a model that makes no forecasts.
    ///
    /// # Errors
    /// If any of it is said.
    pub(crate) fn refuse(&self) -> Result<(), PlanError> {
        match self.said() {
            Some(option) => Err(PlanError::conflict(option, "is of models that forecast numbers over time")),
            None => Ok(()),
        }
    }
}

/// How texts that a model writes are judged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JudgeAsk {
    /// Whether what is known is judged, and nothing is answered.
    pub known: bool,
    /// How many texts of its own a language model is judged by beside those that are there.
    pub samples: Option<usize>,
    /// How many steps of a text a language model keeps in a cache.
    pub cache: Option<usize>,
    /// The cache's share in every probability.
    pub cache_weight: Option<f64>,
    /// By what products of states are multiplied in it.
    pub cache_sharpness: Option<f64>,
    /// Whether the translation edit rate is counted as well.
    pub ter: bool,
    /// How texts are cut for BLEU; by their script where nothing is said.
    pub bleu_tokenizer: Option<String>,
}

impl JudgeAsk {
    /// The first option of it that is said.
    pub fn said(&self) -> Option<&'static str> {
        let options = [("ter", self.ter), ("bleu-tokenizer", self.bleu_tokenizer.is_some())];
        options.into_iter().find_map(|(option, said)| said.then_some(option)).or(self.of_language_models())
    }

    /// The same of those that are about language models.
    pub(crate) fn of_language_models(&self) -> Option<&'static str> {
        let options = [
            ("samples", self.samples.is_some()),
            ("cache", self.cache.is_some()),
            ("cache-weight", self.cache_weight.is_some()),
            ("cache-sharpness", self.cache_sharpness.is_some()),
        ];
        options.into_iter().find_map(|(option, said)| said.then_some(option))
    }
}

/// When an answer is unsure, beside where nothing of the input is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unsure {
    /// Where the likeliest label is less likely than this.
    pub threshold: Option<f64>,
    /// Where the likeliest label is not this much likelier than the next.
    pub margin: Option<f64>,
    /// What is answered instead; the likeliest label all the same where nothing is said.
    pub label: Option<String>,
}

impl Unsure {
    /// Whether answers can be told apart by it.
    ///
    /// # Errors
    /// If a bound is no probability.
    pub fn check(&self) -> Result<(), PlanError> {
        let bounds = [("threshold", self.threshold), ("margin", self.margin)];
        match bounds.into_iter().find(|(_, bound)| bound.is_some_and(|bound| !(0.0..=1.0).contains(&bound))) {
            Some((option, bound)) => Err(PlanError::value(option, bound.unwrap_or_default(), "from 0 to 1")),
            None => Ok(()),
        }
    }

    /// The first option of it that is said.
    pub fn said(&self) -> Option<&'static str> {
        let options = [
            ("threshold", self.threshold.is_some()),
            ("margin", self.margin.is_some()),
            ("unknown", self.label.is_some()),
        ];
        options.into_iter().find_map(|(option, said)| said.then_some(option))
    }

    /// Whether the bounds leave an answer with these probabilities unsure.
    pub fn holds(&self, probabilities: &[f32]) -> bool {
        let (mut first, mut second) = (0.0, 0.0);
        for probability in probabilities.iter().copied().map(f64::from) {
            if probability > first {
                (first, second) = (probability, first);
            } else if probability > second {
                second = probability;
            }
        }
        self.threshold.is_some_and(|threshold| first < threshold)
            || self.margin.is_some_and(|margin| first - second < margin)
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// All that it says, by the names of [`Model::fields`](super::Model::fields); `lookback predict` writes what is wanted of it.
    pub json: Map<String, Value>,
    /// What `lookback explain` says first; names and labels in it stand as they came.
    pub line: String,
    /// What else it says, a line each.
    pub notes: Vec<String>,
    /// What the model looked at, where that was asked for and there is anything.
    pub views: Vec<View>,
    /// The rows that it has in a table, each by the names of the fields, where a table was asked for and an answer is not one row by
    /// itself.
    pub rows: Option<Vec<Map<String, Value>>>,
    /// Numbers over time to be drawn, where that was asked for.
    pub charts: Vec<Chart>,
}

/// Something that an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in the answer's object.
    pub name: String,
    /// What stands there.
    pub shape: Shape,
    /// Whether an object has it of which nothing is said.
    pub in_objects: bool,
    /// Whether a table has it of which nothing is said.
    pub in_tables: bool,
}

/// What stands in a field of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One value, which is a cell of a table.
    Value,
    /// An object with these keys, each a column of a table.
    Values(Vec<String>),
    /// Lists, for which a table has no place.
    Lists,
}

impl Field {
    /// One that objects and tables have.
    pub(crate) fn value(name: impl Into<String>) -> Field {
        Field { name: name.into(), shape: Shape::Value, in_objects: true, in_tables: true }
    }

    /// One that objects have.
    pub(crate) fn lists(name: impl Into<String>) -> Field {
        Field { shape: Shape::Lists, in_tables: false, ..Field::value(name) }
    }

    /// Objects do not have it unless it is asked for.
    #[must_use]
    pub(crate) fn of_tables(self) -> Field {
        Field { in_objects: false, ..self }
    }

    /// Tables do not have it unless it is asked for.
    #[must_use]
    pub(crate) fn of_objects(self) -> Field {
        Field { in_tables: false, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_unsure_below_the_threshold_or_within_the_margin() {
        let unsure = |threshold, margin| Unsure { threshold, margin, label: None };
        let probabilities = [0.25, 0.5, 0.25];
        assert!(!Unsure::default().holds(&probabilities));
        assert!(!unsure(Some(0.5), None).holds(&probabilities) && unsure(Some(0.51), None).holds(&probabilities));
        assert!(!unsure(None, Some(0.25)).holds(&probabilities) && unsure(None, Some(0.26)).holds(&probabilities));
        assert!(unsure(None, Some(0.1)).holds(&[0.5, 0.5]), "two that are as likely are no margin apart");
        assert!(unsure(Some(0.1), Some(0.26)).holds(&probabilities));
    }

    #[test]
    fn a_bound_is_a_probability() {
        for (bound, fits) in [(0.0, true), (1.0, true), (-0.1, false), (1.5, false), (f64::NAN, false)] {
            assert_eq!(Unsure { threshold: Some(bound), ..Unsure::default() }.check().is_ok(), fits, "{bound}");
        }
        let said = Unsure { margin: Some(80.0), ..Unsure::default() }.check().unwrap_err().to_string();
        assert_eq!(said, "--margin is 80; it must be from 0 to 1");
    }
}
