//! What a classifier is judged by.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;

use super::Calibration;
use crate::model::{LabelScores, ratio};
use crate::network::{cross_entropy, likeliest, softmax};

/// Labels up to which there is a confusion matrix. It has the square of them in numbers, whatever the examples; above,
/// [`Metrics::confused`] tells the same in proportion to the examples.
const MOST_IN_MATRIX: usize = 256;

/// Bins of equal width by which the calibration error is measured, as Guo et al. 2017 have them.
const BINS: usize = 15;

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
    /// How far the answers' probabilities are from the share of right ones: the expected calibration error of Guo et al. 2017,
    /// eq. 3, in 15 bins.
    pub calibration_error: f64,
    /// What it would be without calibration.
    pub calibration_error_before: f64,
    /// Of two labels, both of which occur, how often the second one's probability is higher for an example of it than for
    /// one of the first: the area under the ROC curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roc_auc: Option<f64>,
    /// Of two labels, both of which occur, the mean of the precision over the examples of the second one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_precision: Option<f64>,
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
    /// From the labels' names, of which the first `trained` have logits, the right label of every example, the logits
    /// `[rows, trained]` of the networks and of the linear part, where there is one, and what the two count.
    pub fn of_logits(
        names: &[String],
        trained: usize,
        truth: &[usize],
        networks: &[f32],
        linear: Option<&[f32]>,
        calibration: Calibration,
    ) -> Metrics {
        let mut answers = Vec::with_capacity(truth.len());
        let (mut sure, mut sure_before, mut second) = (Bins::default(), Bins::default(), Vec::new());
        let (mut loss, mut with_loss) = (0.0, 0usize);
        let unknown = Calibration::unknown(linear.is_some());
        // A row at a time: of many labels and examples the logits alone take much.
        for (row, &target) in truth.iter().enumerate() {
            let here = row * trained..(row + 1) * trained;
            let (networks, linear) = (&networks[here.clone()], linear.map(|linear| &linear[here]));
            let [mut logits, mut before] = [calibration, unknown].map(|scales| scales.apply(networks, linear));
            let answer = likeliest(&logits);
            answers.push(answer);
            // Of a label that was never trained there is no probability, and no loss.
            if target < trained {
                loss += cross_entropy(&logits, target);
                with_loss += 1;
            }
            for (probabilities, bins) in [(&mut logits, &mut sure), (&mut before, &mut sure_before)] {
                let answer = likeliest(probabilities);
                softmax(probabilities, trained);
                bins.add(probabilities[answer], answer == target);
            }
            if names.len() == 2 && trained == 2 {
                second.push((logits[1], target == 1));
            }
        }
        let loss = if with_loss == 0 && !truth.is_empty() { f64::NAN } else { loss / with_loss.max(1) as f64 };
        let (roc_auc, average_precision) = ranking(second).unzip();
        Metrics {
            calibration_error: sure.error(),
            calibration_error_before: sure_before.error(),
            roc_auc,
            average_precision,
            ..Metrics::new(names, truth, &answers, loss)
        }
    }

    /// From the labels' names, the right and the given answer of every example, and the mean loss.
    fn new(labels: &[String], truth: &[usize], answers: &[usize], loss: f64) -> Metrics {
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
            calibration_error: 0.0,
            calibration_error_before: 0.0,
            roc_auc: None,
            average_precision: None,
            classes,
            confusion: (labels.len() <= MOST_IN_MATRIX).then(|| matrix(&pairs, labels.len())),
            confused: confused(&pairs, labels),
        }
    }
}

/// How far answers' probabilities are from the share of right ones, by bins of equal width.
#[derive(Default)]
pub(super) struct Bins {
    /// `Σ right - probability` of each.
    gaps: [f64; BINS],
    examples: usize,
}

impl Bins {
    /// An answer with this probability.
    pub(super) fn add(&mut self, probability: f32, right: bool) {
        let bin = ((probability * BINS as f32) as usize).min(BINS - 1);
        self.gaps[bin] += f64::from(u8::from(right)) - f64::from(probability);
        self.examples += 1;
    }

    pub(super) fn error(&self) -> f64 {
        self.gaps.iter().map(|gap| gap.abs()).sum::<f64>() / self.examples.max(1) as f64
    }
}

/// Area under the ROC curve (Fawcett 2006) and average precision of examples by their score and whether they are positive;
/// `None` where all are, or none is. What has the same score stands in one place.
pub(super) fn ranking(mut examples: Vec<(f32, bool)>) -> Option<(f64, f64)> {
    let positives = examples.iter().filter(|(_, positive)| *positive).count();
    let negatives = examples.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    examples.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let (mut hits, mut misses, mut area, mut precision) = (0usize, 0usize, 0.0, 0.0);
    for equal in examples.chunk_by(|(a, _), (b, _)| a == b) {
        let hit = equal.iter().filter(|(_, positive)| *positive).count();
        let missed = equal.len() - hit;
        area += missed as f64 * (hits as f64 + hit as f64 / 2.0);
        (hits, misses) = (hits + hit, misses + missed);
        precision += hit as f64 * hits as f64 / (hits + misses) as f64;
    }
    Some((area / (positives as f64 * negatives as f64), precision / positives as f64))
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

    #[test]
    fn two_labels_are_ranked_as_scikit_learn_ranks_them() {
        let ranked = |scores: &[f32], positive: &[u8]| {
            ranking(scores.iter().copied().zip(positive.iter().map(|&positive| positive == 1)).collect())
        };
        // roc_auc_score and average_precision_score of scikit-learn 1.5.
        let (area, precision) = ranked(&[0.1, 0.4, 0.35, 0.8], &[0, 0, 1, 1]).unwrap();
        assert!((area - 0.75).abs() < 1e-12 && (precision - 0.8333333333333333).abs() < 1e-12);
        let (area, precision) = ranked(&[0.5, 0.5, 0.5, 0.2, 0.9], &[1, 0, 1, 0, 0]).unwrap();
        assert!((area - 0.5).abs() < 1e-12 && (precision - 0.5).abs() < 1e-12);
        assert_eq!(ranked(&[0.5, 0.1], &[1, 1]), None);
    }

    #[test]
    fn answers_that_are_right_as_often_as_they_say_have_no_calibration_error() {
        let labels = ["a", "b"].map(String::from);
        let sure = |p: f32| [(p / (1.0 - p)).ln(), 0.0];
        let truth = [0, 0, 0, 1];
        let networks: Vec<f32> = (0..4).flat_map(|_| sure(0.95)).collect();
        let scale = f64::from(sure(0.75)[0] / sure(0.95)[0]);
        let calibration = Calibration { networks: scale, linear: 0.0 };
        let metrics = Metrics::of_logits(&labels, 2, &truth, &networks, None, calibration);
        assert!(metrics.calibration_error < 1e-6, "{}", metrics.calibration_error);
        assert!((metrics.calibration_error_before - 0.2).abs() < 1e-6, "{}", metrics.calibration_error_before);
        assert!((metrics.loss + (0.75f64.ln() * 3.0 + 0.25f64.ln()) / 4.0).abs() < 1e-6);
    }

    #[test]
    fn a_label_that_was_never_trained_is_wrong_and_has_no_loss() {
        let labels = ["a", "b", "new"].map(String::from);
        let judged = |truth: &[usize]| {
            let (logits, calibration) = ([3.0, 0.0, 0.0, 3.0], Calibration { networks: 0.5, linear: 0.5 });
            Metrics::of_logits(&labels, 2, truth, &logits, Some(&logits), calibration)
        };
        let metrics = judged(&[2, 1]);
        assert_eq!((metrics.accuracy, metrics.classes[2].support, metrics.roc_auc), (0.5, 1, None));
        assert!((metrics.loss - (1.0 + (-3.0f64).exp()).ln()).abs() < 1e-6);
        assert!(judged(&[2, 2]).loss.is_nan());
    }
}
