//! What a classifier is judged by.

use serde::Serialize;

/// Accuracy, F1 and the confusion matrix of a classifier on labelled data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metrics {
    /// Examples judged.
    pub examples: usize,
    /// Mean cross-entropy of the right labels, in nats.
    pub loss: f64,
    /// Share of right answers.
    pub accuracy: f64,
    /// F1 averaged over the labels that occur, each counting the same.
    pub macro_f1: f64,
    /// F1 over all answers together; with one label an example it equals the accuracy.
    pub micro_f1: f64,
    /// One row a label.
    pub classes: Vec<ClassMetrics>,
    /// `confusion[t][p]`: examples of label `t` that were answered with `p`.
    pub confusion: Vec<Vec<usize>>,
}

/// How well one label is told apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassMetrics {
    /// The label.
    pub label: String,
    /// Share of the answers with this label that are right; 0 where there are none.
    pub precision: f64,
    /// Share of this label's examples that are answered right; 0 where there are none.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Examples of this label.
    pub support: usize,
}

impl Metrics {
    /// From the labels' names, the right and the given answer of every example, and the mean loss.
    pub fn new(labels: &[String], truth: &[usize], answers: &[usize], loss: f64) -> Metrics {
        let mut confusion = vec![vec![0usize; labels.len()]; labels.len()];
        for (&right, &answer) in truth.iter().zip(answers) {
            confusion[right][answer] += 1;
        }
        let mut classes = Vec::with_capacity(labels.len());
        let (mut f1_sum, mut occurring, mut hits) = (0.0, 0usize, 0usize);
        for (class, label) in labels.iter().enumerate() {
            let hit = confusion[class][class];
            let support: usize = confusion[class].iter().sum();
            let answered: usize = confusion.iter().map(|row| row[class]).sum();
            let f1 = ratio(2 * hit, support + answered);
            hits += hit;
            if support + answered > 0 {
                f1_sum += f1;
                occurring += 1;
            }
            classes.push(ClassMetrics {
                label: label.clone(),
                precision: ratio(hit, answered),
                recall: ratio(hit, support),
                f1,
                support,
            });
        }
        let accuracy = ratio(hits, truth.len());
        Metrics {
            examples: truth.len(),
            loss,
            accuracy,
            macro_f1: if occurring == 0 { 0.0 } else { f1_sum / occurring as f64 },
            micro_f1: accuracy,
            classes,
            confusion,
        }
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_small_confusion_matrix() {
        let labels = ["a", "b", "c"].map(String::from);
        // Checked against scikit-learn 1.5's classification_report.
        let metrics = Metrics::new(&labels, &[0, 0, 0, 1, 1, 2], &[0, 0, 1, 1, 2, 2], 0.5);
        assert_eq!(metrics.confusion, [[2, 1, 0], [0, 1, 1], [0, 0, 1]]);
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
}
