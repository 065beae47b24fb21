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

    /// Whether `a` is better than `b`. What is no number is better than nothing.
    pub fn prefers(&self, a: f64, b: f64) -> bool {
        if self.higher_is_better { a > b } else { a < b }
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
    /// The task's scores, in the task's own order.
    pub scores: Vec<f64>,
}

impl Validation {
    /// The value of one of the task's `scores`, or of the loss.
    pub fn value(&self, scores: &[Score], score: &Score) -> f64 {
        let place = scores.iter().position(|known| known.name == score.name);
        place.and_then(|place| self.scores.get(place)).copied().unwrap_or(self.loss)
    }

    /// All scores and the loss, in one line: `accuracy 87.20 %, macro F1 86.10 %`.
    pub fn show(&self, scores: &[Score]) -> String {
        let shown =
            scores.iter().zip(&self.scores).map(|(score, &value)| format!("{} {}", score.title, score.show(value)));
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
        assert!(ACCURACY.prefers(0.9, 0.8) && Score::LOSS.prefers(0.8, 0.9) && !ACCURACY.prefers(0.8, 0.8));
        let validation = Validation { loss: 0.5, scores: vec![0.9] };
        assert_eq!(validation.value(&[ACCURACY], &ACCURACY), 0.9);
        assert_eq!(validation.value(&[ACCURACY], &Score::LOSS), 0.5);
        assert_eq!(validation.show(&[ACCURACY]), "accuracy 90.00 %");
    }
}
