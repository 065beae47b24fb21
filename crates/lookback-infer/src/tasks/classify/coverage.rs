//! How many answers are sure, and how many of those are right.

use serde_json::json;

use super::{ACCURACY_ANSWERED, COVERAGE, Calibration};
use crate::input::Example;
use crate::model::{Figure, Report, Unsure, ratio};
use crate::network::{likeliest, softmax};

/// What probabilities are made of: the logits `[rows, N]` of the networks and of the linear part, and what the two count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probabilities<'a> {
    pub(super) networks: &'a [f32],
    pub(super) linear: Option<&'a [f32]>,
    pub(super) calibration: Calibration,
}

/// How many answers are sure, and how many of those are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coverage {
    examples: usize,
    answered: usize,
    right: usize,
}

impl Probabilities<'_> {
    /// Those of one row over so many labels.
    fn of_row(&self, row: usize, labels: usize) -> Vec<f32> {
        let here = row * labels..(row + 1) * labels;
        let mut row = self.calibration.apply(&self.networks[here.clone()], self.linear.map(|linear| &linear[here]));
        softmax(&mut row, labels);
        row
    }
}

impl Coverage {
    /// Of the answers to examples of one label each, over so many labels that were trained.
    pub(super) fn new(
        (examples, targets): (&[Example], &[usize]),
        labels: usize,
        probabilities: &Probabilities<'_>,
        unsure: &Unsure,
    ) -> Coverage {
        let mut coverage = Coverage { examples: examples.len(), answered: 0, right: 0 };
        for (row, (example, &target)) in examples.iter().zip(targets).enumerate() {
            let probabilities = probabilities.of_row(row, labels);
            if !example.is_unknown() && !unsure.holds(&probabilities) {
                coverage.answered += 1;
                coverage.right += usize::from(likeliest(&probabilities) == target);
            }
        }
        coverage
    }

    /// With its figures behind the others. Where nothing is answered, there is no accuracy of it.
    pub(super) fn added_to(&self, mut report: Report) -> Report {
        let (coverage, accuracy) = (ratio(self.answered, self.examples), ratio(self.right, self.answered));
        let accuracy = (self.answered > 0).then_some(accuracy);
        report.figures.push(Figure { score: COVERAGE, value: coverage });
        report.figures.extend(accuracy.map(|value| Figure { score: ACCURACY_ANSWERED, value }));
        if let Some(object) = report.json.as_object_mut() {
            object.insert("coverage".into(), json!(coverage));
            object.insert("accuracy_answered".into(), json!(accuracy));
        }
        report
    }
}
