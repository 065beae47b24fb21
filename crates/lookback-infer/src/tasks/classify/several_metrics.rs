//! What a classifier is judged by whose texts may have several labels.

use serde::Serialize;
use serde_json::json;

use super::metrics::{Bins, ranking};
use super::{
    CALIBRATION_ERROR, CALIBRATION_ERROR_BEFORE, Calibration, HAMMING_LOSS, MACRO_F1, MEAN_AVERAGE_PRECISION, MICRO_F1,
    SUBSET_ACCURACY, Targets, Thresholds,
};
use crate::model::{Figure, LabelScores, Report, Score, ratio};
use crate::network::Link;

/// F1 and the share of right answers on texts that may have several labels or none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeveralMetrics {
    /// Texts judged.
    pub examples: usize,
    /// Mean over the texts and the trained labels of the binary cross-entropy, in nats.
    pub loss: f64,
    /// F1 over all answered labels together.
    pub micro_f1: f64,
    /// Share of the answered labels that are right.
    pub micro_precision: f64,
    /// Share of the labels that texts have which are answered.
    pub micro_recall: f64,
    /// F1 averaged over the labels that occur, each counting the same.
    pub macro_f1: f64,
    /// Share of texts of which all labels are answered, and no other.
    pub subset_accuracy: f64,
    /// Share of wrong decisions among all those about a text and a label.
    pub hamming_loss: f64,
    /// Average precision, averaged over the labels that some texts have and others lack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_average_precision: Option<f64>,
    /// How far the probabilities of labels are from the share of texts that have them: the expected calibration error of Guo
    /// et al. 2017 over all texts and labels, in 15 bins.
    pub calibration_error: f64,
    /// What it would be without calibration.
    pub calibration_error_before: f64,
    /// Labels that texts have, in the mean.
    pub labels_per_text: f64,
    /// Labels that are answered, in the mean.
    pub answered_per_text: f64,
    /// One row per label.
    pub classes: Vec<LabelScores>,
}

impl SeveralMetrics {
    /// From the labels' names, of which the first `trained` have logits, the right labels of every text, the logits
    /// `[rows, trained]` of the networks and of the linear part, where there is one, what the two count, and from where on
    /// labels are answered in a text of this row.
    pub fn of_logits<'a>(
        names: &[String],
        trained: usize,
        truth: &Targets,
        networks: &[f32],
        linear: Option<&[f32]>,
        calibration: Calibration,
        thresholds: impl Fn(usize) -> &'a Thresholds,
    ) -> SeveralMetrics {
        let link = Link::Sigmoid;
        let (mut sure, mut sure_before) = (Bins::default(), Bins::default());
        let (mut loss, mut answers) = (0.0, Vec::with_capacity(truth.len()));
        let mut all = Vec::with_capacity(networks.len());
        let unknown = Calibration::unknown(linear.is_some());
        for (row, right) in truth.iter().enumerate() {
            let here = row * trained..(row + 1) * trained;
            let (networks, linear) = (&networks[here.clone()], linear.map(|linear| &linear[here]));
            let [mut logits, mut before] = [calibration, unknown].map(|scales| scales.apply(networks, linear));
            loss += link.cost(&logits, right);
            for (probabilities, bins) in [(&mut logits, &mut sure), (&mut before, &mut sure_before)] {
                link.probabilities(probabilities, trained);
                let of_label = |(label, &probability)| bins.add(probability, right.contains(&label));
                probabilities.iter().enumerate().for_each(of_label);
            }
            answers.push(thresholds(row).answer(&logits));
            all.extend(logits);
        }
        SeveralMetrics {
            loss: loss / truth.len().max(1) as f64,
            mean_average_precision: mean_average_precision(&all, trained, truth),
            calibration_error: sure.error(),
            calibration_error_before: sure_before.error(),
            ..SeveralMetrics::of_answers(names, truth, &answers)
        }
    }

    /// From the labels' names, the right and the answered labels of every text.
    fn of_answers(names: &[String], truth: &Targets, answers: &[Vec<usize>]) -> SeveralMetrics {
        let mut counts = vec![[0usize; 3]; names.len()];
        let mut whole = 0;
        for (right, answer) in truth.iter().zip(answers) {
            let hits = answer.iter().filter(|label| right.contains(label));
            let hits = hits.inspect(|&&label| counts[label][0] += 1).count();
            right.iter().for_each(|&label| counts[label][1] += 1);
            answer.iter().for_each(|&label| counts[label][2] += 1);
            whole += usize::from(hits == right.len() && hits == answer.len());
        }
        let [hits, support, answered] = [0, 1, 2].map(|of| counts.iter().map(|count| count[of]).sum::<usize>());
        let classes = LabelScores::of_counts(names, counts);
        let occurring = classes.iter().filter(|class| class.support + class.answered > 0).count();
        let f1_sum: f64 = classes.iter().map(|class| class.f1).sum();
        let examples = truth.len();
        SeveralMetrics {
            examples,
            loss: 0.0,
            micro_f1: ratio(2 * hits, support + answered),
            micro_precision: ratio(hits, answered),
            micro_recall: ratio(hits, support),
            macro_f1: if occurring == 0 { 0.0 } else { f1_sum / occurring as f64 },
            subset_accuracy: ratio(whole, examples),
            hamming_loss: ratio(support + answered - 2 * hits, examples * names.len()),
            mean_average_precision: None,
            calibration_error: 0.0,
            calibration_error_before: 0.0,
            labels_per_text: ratio(support, examples),
            answered_per_text: ratio(answered, examples),
            classes,
        }
    }

    /// The figures for people and as JSON.
    pub(super) fn report(&self) -> Report {
        let figure = |score: Score, value: f64| Figure { score, value };
        let mut figures = vec![
            figure(MICRO_F1, self.micro_f1),
            figure(MACRO_F1, self.macro_f1),
            figure(SUBSET_ACCURACY, self.subset_accuracy),
            figure(HAMMING_LOSS, self.hamming_loss),
        ];
        figures.extend(self.mean_average_precision.map(|value| figure(MEAN_AVERAGE_PRECISION, value)));
        figures.push(figure(Score::LOSS, self.loss));
        figures.push(figure(CALIBRATION_ERROR, self.calibration_error));
        figures.push(figure(CALIBRATION_ERROR_BEFORE, self.calibration_error_before));
        Report {
            examples: self.examples,
            figures,
            tables: vec![LabelScores::table(&self.classes, "examples")],
            json: json!(self),
        }
    }
}

/// The mean over the labels of their average precision. probabilities: `[rows, N]`
fn mean_average_precision(probabilities: &[f32], labels: usize, truth: &Targets) -> Option<f64> {
    let of_label = |label: usize| {
        let rows = probabilities.chunks_exact(labels).zip(truth.iter());
        ranking(rows.map(|(row, right)| (row[label], right.contains(&label))).collect())
    };
    let of_labels: Vec<f64> = (0..labels).filter_map(of_label).map(|(_, precision)| precision).collect();
    (!of_labels.is_empty()).then(|| of_labels.iter().sum::<f64>() / of_labels.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 24] = [
        2.0, -1.0, 0.5, -0.5, 0.25, -2.0, -1.0, 0.75, -0.25, 1.5, -0.75, -1.0, //
        0.1, -2.0, 1.0, -0.25, 3.0, 0.5, -3.0, 1.25, 0.3, 0.6, -1.5, -0.4,
    ];

    fn truth() -> Vec<Vec<usize>> {
        vec![vec![0, 2], vec![1], vec![], vec![0, 1], vec![2], vec![0, 1, 2], vec![1], vec![2]]
    }

    fn judged(names: &[&str], truth: Vec<Vec<usize>>) -> SeveralMetrics {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let thresholds: Thresholds = serde_json::from_str("[0.5,0.6,0.4]").unwrap();
        let calibration = Calibration { networks: 1.0, linear: 0.0 };
        SeveralMetrics::of_logits(&names, 3, &Targets::Several(truth), &LOGITS, None, calibration, |_| &thresholds)
    }

    #[test]
    fn figures_are_those_of_scikit_learn() {
        let metrics = judged(&["a", "b", "c"], truth());
        // f1_score, precision_score, recall_score, accuracy_score, hamming_loss, average_precision_score and log_loss of 1.9.
        let figures = [
            (metrics.micro_f1, 0.6666666666666666),
            (metrics.macro_f1, 0.6476190476190476),
            (metrics.micro_precision, 0.6153846153846154),
            (metrics.micro_recall, 0.7272727272727273),
            (metrics.subset_accuracy, 0.125),
            (metrics.hamming_loss, 0.3333333333333333),
            (metrics.mean_average_precision.unwrap(), 0.8902777777777778),
            (metrics.loss, 0.48370031064561486),
            (metrics.classes[1].precision, 0.6666666666666666),
            (metrics.classes[1].recall, 0.5),
            (metrics.classes[2].f1, 0.8),
        ];
        for (place, (found, expected)) in figures.into_iter().enumerate() {
            assert!((found - expected).abs() < 1e-7, "{place}: {found} instead of {expected}");
        }
        assert_eq!(metrics.classes.iter().map(|class| class.support).collect::<Vec<_>>(), [3, 4, 4]);
        assert_eq!((metrics.labels_per_text, metrics.answered_per_text), (11.0 / 8.0, 13.0 / 8.0));
    }

    #[test]
    fn a_label_that_was_never_trained_is_missed() {
        let (before, mut truth) = (judged(&["a", "b", "c"], truth()), truth());
        truth[2].push(3);
        let metrics = judged(&["a", "b", "c", "new"], truth);
        assert_eq!((metrics.classes[3].support, metrics.classes[3].recall), (1, 0.0));
        assert!(metrics.micro_f1 < before.micro_f1 && metrics.macro_f1 < before.macro_f1);
        assert_eq!((metrics.hamming_loss, metrics.loss), (9.0 / 32.0, before.loss));
    }

    #[test]
    fn probabilities_of_labels_have_a_calibration_error() {
        let labels = ["a", "b"].map(String::from);
        // Each label is said to have 75 %, and three of four texts have it.
        let truth = Targets::Several(vec![vec![0, 1], vec![0, 1], vec![0], vec![1]]);
        let logits = [2.0 * 3.0f32.ln(); 8];
        let judged = |networks| {
            let (calibration, thresholds) = (Calibration { networks, linear: 0.0 }, Thresholds::usual(2));
            SeveralMetrics::of_logits(&labels, 2, &truth, &logits, None, calibration, |_| &thresholds)
        };
        let metrics = judged(0.5);
        assert!(metrics.calibration_error < 1e-6, "{metrics:?}");
        assert!((metrics.calibration_error_before - 0.15).abs() < 1e-6, "{metrics:?}");
    }
}
