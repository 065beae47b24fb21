//! What a classifier is judged by.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{LabelScores, ratio};

/// Labels up to which there is a confusion matrix. It has the square of them in numbers, whatever the examples; above,
/// [`Metrics::confused`] tells the same in proportion to the examples.
const MOST_IN_MATRIX: usize = 256;

/// Accuracy, F1 and the confusions of a classifier on labelled data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metrics {
    /// Examples judged.
    pub examples: usize,
    /// Mean cross-entropy of the right labels, in nats; no number where none of them was trained.
    pub loss: f64,
    /// Share of right answers.
    pub accuracy: f64,
    /// F1 averaged over the labels that occur, each counting the same.
    pub macro_f1: f64,
    /// F1 over all answers together; with one label an example it equals the accuracy.
    pub micro_f1: f64,
    /// One row per label.
    pub classes: Vec<LabelScores>,
    /// `confusion[t][p]`: examples of label `t` that were answered with `p`; `None` for more than 256 labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Vec<Vec<usize>>>,
    /// Which wrong answers were given, the commonest first.
    pub confused: Vec<Confused>,
}

/// One label answered in place of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Confused {
    /// The right label.
    pub label: String,
    /// The label answered.
    pub answer: String,
    /// How many examples.
    pub count: usize,
}

impl Metrics {
    /// From the labels' names, the right and the given answer of every example, and the mean loss.
    pub fn new(labels: &[String], truth: &[usize], answers: &[usize], loss: f64) -> Metrics {
        let classes = LabelScores::of(labels, truth, answers);
        // Counted sparsely: there are no more different pairs than examples.
        let mut pairs: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        for (&right, &answer) in truth.iter().zip(answers) {
            *pairs.entry((right, answer)).or_default() += 1;
        }
        let hits = pairs.iter().filter(|((right, answer), _)| right == answer).map(|(_, count)| count).sum();
        let occurring = classes.iter().filter(|class| class.support + class.answered > 0).count();
        let f1_sum: f64 = classes.iter().map(|class| class.f1).sum();
        let accuracy = ratio(hits, truth.len());
        Metrics {
            examples: truth.len(),
            loss,
            accuracy,
            macro_f1: if occurring == 0 { 0.0 } else { f1_sum / occurring as f64 },
            micro_f1: accuracy,
            classes,
            confusion: (labels.len() <= MOST_IN_MATRIX).then(|| matrix(&pairs, labels.len())),
            confused: confused(&pairs, labels),
        }
    }
}

fn matrix(pairs: &BTreeMap<(usize, usize), usize>, labels: usize) -> Vec<Vec<usize>> {
    let mut matrix = vec![vec![0; labels]; labels];
    for (&(right, answer), &count) in pairs {
        matrix[right][answer] = count;
    }
    matrix
}

/// The wrong answers; where two are equally common, in the order of the labels.
fn confused(pairs: &BTreeMap<(usize, usize), usize>, labels: &[String]) -> Vec<Confused> {
    let mut confused: Vec<Confused> = pairs
        .iter()
        .filter(|((right, answer), _)| right != answer)
        .map(|(&(right, answer), &count)| Confused {
            label: labels[right].clone(),
            answer: labels[answer].clone(),
            count,
        })
        .collect();
    confused.sort_by_key(|confused| Reverse(confused.count));
    confused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_small_confusion_matrix() {
        let labels = ["a", "b", "c"].map(String::from);
        // Checked against scikit-learn 1.5's classification_report.
        let metrics = Metrics::new(&labels, &[0, 0, 0, 1, 1, 2], &[0, 0, 1, 1, 2, 2], 0.5);
        assert_eq!(metrics.confusion.unwrap(), [[2, 1, 0], [0, 1, 1], [0, 0, 1]]);
        let confused = metrics.confused.iter().map(|pair| (pair.label.as_str(), pair.answer.as_str(), pair.count));
        assert_eq!(confused.collect::<Vec<_>>(), [("a", "b", 1), ("b", "c", 1)]);
        assert!((metrics.accuracy - 4.0 / 6.0).abs() < 1e-12);
        assert!((metrics.micro_f1 - metrics.accuracy).abs() < 1e-12);
        assert!((metrics.macro_f1 - (0.8 + 0.5 + 2.0 / 3.0) / 3.0).abs() < 1e-12);
        assert!((metrics.classes[0].precision - 1.0).abs() < 1e-12);
        assert!((metrics.classes[0].recall - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_label_that_never_occurs_does_not_lower_the_macro_f1() {
        let labels = ["a", "b", "never"].map(String::from);
        let metrics = Metrics::new(&labels, &[0, 1], &[0, 1], 0.0);
        assert_eq!(metrics.macro_f1, 1.0);
        assert_eq!(metrics.classes[2].f1, 0.0);
    }

    #[test]
    fn a_hundred_thousand_labels_take_memory_in_proportion_to_the_examples() {
        let labels: Vec<String> = (0..100_000).map(|label| label.to_string()).collect();
        // A matrix of them would take 80 GB.
        let metrics = Metrics::new(&labels, &[0, 1, 99_999, 99_999], &[0, 2, 5, 5], 0.5);
        assert_eq!((metrics.accuracy, metrics.confusion), (0.25, None));
        assert_eq!(metrics.confused[0], Confused { label: "99999".into(), answer: "5".into(), count: 2 });
        assert_eq!((metrics.classes[99_999].support, metrics.confused.len()), (2, 2));
        assert!((metrics.macro_f1 - 1.0 / 5.0).abs() < 1e-12);
    }
}
