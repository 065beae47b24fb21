//! How well each label is told apart from the others.

use serde::Serialize;

use super::Table;

/// How well one label is told apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelScores {
    /// The label.
    pub label: String,
    /// Share of the answers with this label that are right; 0 where there are none.
    pub precision: f64,
    /// Share of what has this label that is answered right; 0 where there are none.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// How many have this label.
    pub support: usize,
    /// How many were answered with it.
    #[serde(skip)]
    pub answered: usize,
}

impl LabelScores {
    /// Those of every label, from the right and the given answers, which are numbers of labels.
    ///
    /// # Panics
    /// If one is not the number of a label.
    pub fn of(labels: &[String], truth: &[usize], answers: &[usize]) -> Vec<LabelScores> {
        let mut counts = vec![[0usize; 3]; labels.len()];
        for (&right, &answer) in truth.iter().zip(answers) {
            counts[right][0] += usize::from(right == answer);
            counts[right][1] += 1;
            counts[answer][2] += 1;
        }
        LabelScores::of_counts(labels, counts)
    }

    /// Those of every label, from how many are answered right, have it, and were answered with it.
    pub(crate) fn of_counts(labels: &[String], counts: Vec<[usize; 3]>) -> Vec<LabelScores> {
        let scores = |(label, [hits, support, answered]): (&String, [usize; 3])| LabelScores {
            label: label.clone(),
            precision: ratio(hits, answered),
            recall: ratio(hits, support),
            f1: ratio(2 * hits, support + answered),
            support,
            answered,
        };
        labels.iter().zip(counts).map(scores).collect()
    }

    /// A row per label, in the order of their names. `counted`: what has labels, such as "examples".
    pub fn table(scores: &[LabelScores], counted: &str) -> Table {
        let percent = |share: f64| format!("{:.2}", 100.0 * share);
        let row = |scores: &LabelScores| {
            let figures = [scores.precision, scores.recall, scores.f1].map(percent);
            std::iter::once(scores.label.clone()).chain(figures).chain([scores.support.to_string()]).collect()
        };
        let mut rows: Vec<Vec<String>> = scores.iter().map(row).collect();
        rows.sort_by(|a, b| a[0].cmp(&b[0]));
        let header = ["label", "precision %", "recall %", "F1 %", counted].map(str::to_owned).to_vec();
        Table { header, rows, note: String::new() }
    }
}

/// A share; 0 of nothing.
pub(crate) fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
