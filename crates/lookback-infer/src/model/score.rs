//! Figures that a model is judged by. Whoever prints, compares or stores them need not know what they are.

use serde::{Deserialize, Serialize};

/// A figure, and which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// The name in options and files.
    pub name: &'static str,
    /// The name that people read.
    pub title: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// Whether more is better.
    pub higher_is_better: bool,
}

/// What a figure is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// From 0 to 1, shown in percent.
    Share,
    /// A number without unit.
    Number,
}

impl Score {
    /// A share of which more is better.
    pub const fn share(name: &'static str, title: &'static str) -> Score {
        Score { name, title, unit: Unit::Share, higher_is_better: true }
    }

    /// The loss, which every task has.
    pub const LOSS: Score = Score { name: "loss", title: "loss", unit: Unit::Number, higher_is_better: false };

    /// Whether `a` is better than `b`. Any value is better than none.
    pub fn prefers(&self, a: Option<f64>, b: Option<f64>) -> bool {
        match (a, b) {
            (Some(a), Some(b)) if self.higher_is_better => a > b,
            (Some(a), Some(b)) => a < b,
            (a, b) => a.is_some() && b.is_none(),
        }
    }

    /// A value for people: `87.20 %`, `0.3521`.
    pub fn show(&self, value: f64) -> String {
        match self.unit {
            Unit::Share => format!("{:.2} %", 100.0 * value),
            Unit::Number if value.abs() < 1e5 => format!("{value:.4}"),
            Unit::Number => format!("{value:.3e}"),
        }
    }
}

/// A score and its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// What it is.
    pub score: Score,
    /// Its value.
    pub value: f64,
}

/// Loss and scores on the validation data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Validation {
    /// The mean loss.
    pub loss: f64,
    /// The task's scores, in the task's own order; none where there was nothing to measure it on.
    pub scores: Vec<Option<f64>>,
}

impl Validation {
    /// The value of one of the task's `scores`, or of the loss.
    pub fn value(&self, scores: &[Score], score: &Score) -> Option<f64> {
        match scores.iter().position(|known| known.name == score.name) {
            Some(place) => self.scores.get(place).copied().flatten(),
            None => Some(self.loss),
        }
    }

    /// All scores that were measured, in one line: `accuracy 87.20 %, macro F1 86.10 %`.
    pub fn show(&self, scores: &[Score]) -> String {
        let measured = scores.iter().zip(&self.scores).filter_map(|(score, value)| Some((score, (*value)?)));
        let shown = measured.map(|(score, value)| format!("{} {}", score.title, score.show(value)));
        shown.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCURACY: Score = Score::share("accuracy", "accuracy");

    #[test]
    fn values_are_shown_in_their_unit_and_compared_in_their_direction() {
        assert_eq!((ACCURACY.show(0.872), Score::LOSS.show(0.35)), ("87.20 %".into(), "0.3500".into()));
        assert_eq!(Score::LOSS.show(3.5e7), "3.500e7");
        let (low, high) = (Some(0.8), Some(0.9));
        assert!(ACCURACY.prefers(high, low) && Score::LOSS.prefers(low, high) && !ACCURACY.prefers(low, low));
        assert!(ACCURACY.prefers(low, None) && !ACCURACY.prefers(None, low) && !Score::LOSS.prefers(None, None));
        const OTHER: Score = Score::share("other", "other");
        let validation = Validation { loss: 0.5, scores: vec![high, None] };
        assert_eq!(validation.value(&[ACCURACY, OTHER], &ACCURACY), high);
        assert_eq!(validation.value(&[ACCURACY, OTHER], &OTHER), None);
        assert_eq!(validation.value(&[ACCURACY, OTHER], &Score::LOSS), Some(0.5));
        assert_eq!(validation.show(&[ACCURACY, OTHER]), "accuracy 90.00 %");
    }
}
