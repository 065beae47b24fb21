//! How much the networks and the linear part count, from how they answer what they were not trained on.

use lookback_infer::model::{LabelScores, Validation};
use lookback_infer::model_file::Tensor;
use lookback_infer::tasks::classify::{Calibration, Metrics, SeveralMetrics, Targets, Thresholds};

use crate::train::Part;

/// The names of the logits in a checkpoint.
const NETWORKS: &str = "networks";
const LINEAR: &str = "linear";

/// What answers of `N` labels are worth, row by row.
#[derive(Clone, Debug, Default)]
pub(super) struct Judged {
    /// `[rows, N]`: the logits of the networks together.
    pub(super) networks: Vec<f32>,
    /// `[rows, N]`: those of the linear part, where there is one.
    pub(super) linear: Option<Vec<f32>>,
    /// The right labels of each row.
    pub(super) targets: Targets,
}

impl Judged {
    /// These rows and those.
    pub(super) fn extend(&mut self, others: Judged) {
        self.networks.extend(others.networks);
        match (&mut self.linear, others.linear) {
            (Some(linear), Some(others)) => linear.extend(others),
            (linear, others) if self.targets.is_empty() => *linear = others,
            _ => {}
        }
        match self.targets.is_empty() {
            true => self.targets = others.targets,
            false => self.targets.extend(others.targets.iter().map(<[usize]>::to_vec)),
        }
    }

    /// What a checkpoint keeps of it: all but the right labels. `labels`: `N`.
    pub(super) fn part(&self, labels: usize) -> Part {
        let tensor = |data: &Vec<f32>| Tensor { shape: vec![data.len() / labels, labels], data: data.clone() };
        let linear = self.linear.iter().map(|linear| (LINEAR.to_owned(), tensor(linear)));
        linear.chain([(NETWORKS.to_owned(), tensor(&self.networks))]).collect()
    }

    /// Of what a checkpoint kept, and the right labels of the rows; none where there are not as many rows.
    pub(super) fn of_part(part: &Part, targets: Targets, labels: usize) -> Option<Judged> {
        let shape = [targets.len(), labels];
        let fits = part.contains_key(NETWORKS) && part.values().all(|tensor| tensor.shape == shape);
        let data = |name: &str| part.get(name).map(|tensor| tensor.data.clone());
        Some(Judged { networks: data(NETWORKS).filter(|_| fits)?, linear: data(LINEAR), targets })
    }

    /// Loss and scores of the rows when both answer together. Where thresholds are to be chosen, every other row is answered by
    /// those that the rows between say are best, and these by those: rows that had chosen their own would look better than
    /// texts to come.
    pub(super) fn validation(&self, calibration: Calibration, labels: &[String]) -> Validation {
        let (count, networks, linear) = (labels.len(), self.networks.as_slice(), self.linear.as_deref());
        match &self.targets {
            Targets::One(targets) => {
                let metrics = Metrics::of_logits(labels, count, targets, networks, linear, calibration);
                Validation { loss: metrics.loss, scores: vec![Some(metrics.accuracy), Some(metrics.macro_f1)] }
            }
            targets @ Targets::Several(_) => {
                let of_others = self.thresholds_of_others(calibration, count);
                let thresholds = |row: usize| &of_others[row % 2];
                let metrics =
                    SeveralMetrics::of_logits(labels, count, targets, networks, linear, calibration, thresholds);
                let scores = [metrics.micro_f1, metrics.macro_f1, metrics.subset_accuracy];
                Validation { loss: metrics.loss, scores: scores.map(Some).to_vec() }
            }
        }
    }

    /// How each label is told apart when both answer together; where thresholds are to be chosen, as in [`Judged::validation`].
    pub(super) fn classes(&self, calibration: Calibration, labels: &[String]) -> Vec<LabelScores> {
        let (count, networks, linear) = (labels.len(), self.networks.as_slice(), self.linear.as_deref());
        match &self.targets {
            Targets::One(targets) => Metrics::of_logits(labels, count, targets, networks, linear, calibration).classes,
            targets @ Targets::Several(_) => {
                let of_others = self.thresholds_of_others(calibration, count);
                let of_row = |row: usize| &of_others[row % 2];
                SeveralMetrics::of_logits(labels, count, targets, networks, linear, calibration, of_row).classes
            }
        }
    }

    /// Thresholds for the even rows, which the odd ones choose, and for the odd rows.
    fn thresholds_of_others(&self, calibration: Calibration, labels: usize) -> [Thresholds; 2] {
        let probabilities = self.probabilities(calibration, labels);
        [0, 1].map(|half| Thresholds::best(labels, &probabilities, &self.targets, |row| row % 2 != half))
    }

    /// From which probability on each label is best answered, of texts that may have several.
    pub(super) fn thresholds(&self, calibration: Calibration, labels: usize) -> Thresholds {
        Thresholds::best(labels, &self.probabilities(calibration, labels), &self.targets, |_| true)
    }

    /// The probabilities of the rows, `[rows, N]`.
    fn probabilities(&self, calibration: Calibration, labels: usize) -> Vec<f32> {
        let mut probabilities = calibration.apply(&self.networks, self.linear.as_deref());
        self.targets.per_text().link().probabilities(&mut probabilities, labels);
        probabilities
    }

    /// The scales with the least cross-entropy, which is convex in them: by Newton's method, each no less than nothing. A few
    /// rows say little, so that what is usual weighs as much as one of them.
    pub(super) fn calibration(&self, labels: usize) -> Calibration {
        let usual = Calibration::unknown(self.linear.is_some());
        if self.targets.is_empty() {
            return usual;
        }
        let fitted = self.fit(usual, [true, self.linear.is_some()], labels);
        if fitted.networks >= 0.0 && fitted.linear >= 0.0 {
            return fitted;
        }
        // One of the two does harm: the other answers alone.
        let alone = [fitted.networks >= 0.0, fitted.linear >= 0.0];
        let start = Calibration {
            networks: if alone[0] { usual.networks } else { 0.0 },
            linear: if alone[1] { usual.linear } else { 0.0 },
        };
        let fitted = self.fit(start, alone, labels);
        match fitted.networks >= 0.0 && fitted.linear >= 0.0 && fitted.networks + fitted.linear > 0.0 {
            true => fitted,
            false => usual,
        }
    }

    /// By Newton's method from `start`, those that are `free`.
    fn fit(&self, start: Calibration, free: [bool; 2], labels: usize) -> Calibration {
        const ROUNDS: usize = 50;
        let prior = [start.networks, start.linear];
        let mut scales = prior;
        let mut now = self.cost(scales, prior, labels);
        for _ in 0..ROUNDS {
            let (gradient, curvature) = (now.gradient, now.curvature);
            let mut step = match free {
                [true, true] => {
                    let [[aa, ab], [_, bb]] = curvature;
                    let determinant = (aa * bb - ab * ab).max(f64::MIN_POSITIVE);
                    [
                        (bb * gradient[0] - ab * gradient[1]) / determinant,
                        (aa * gradient[1] - ab * gradient[0]) / determinant,
                    ]
                }
                [true, false] => [gradient[0] / curvature[0][0], 0.0],
                [false, true] => [0.0, gradient[1] / curvature[1][1]],
                [false, false] => [0.0, 0.0],
            };
            // Half as far until the cost is no more.
            let mut next = None;
            for _ in 0..30 {
                let tried = [scales[0] - step[0], scales[1] - step[1]];
                let cost = self.cost(tried, prior, labels);
                if cost.value <= now.value {
                    next = Some((tried, cost));
                    break;
                }
                step = step.map(|step| step / 2.0);
            }
            let Some((tried, cost)) = next else { break };
            let moved = step.iter().map(|step| step.abs()).fold(0.0, f64::max);
            (scales, now) = (tried, cost);
            if moved < 1e-6 {
                break;
            }
        }
        Calibration { networks: scales[0], linear: scales[1] }
    }

    /// Cross-entropy summed over the rows and the distance from the prior, with their first and second derivatives.
    fn cost(&self, scales: [f64; 2], prior: [f64; 2], labels: usize) -> Cost {
        let mut cost = Cost::default();
        for at in 0..2 {
            let far = scales[at] - prior[at];
            cost.value += far * far / 2.0;
            cost.gradient[at] += far;
            cost.curvature[at][at] += 1.0;
        }
        for (row, right) in self.targets.iter().enumerate() {
            let of = |all: &[f32]| all[row * labels..][..labels].iter().map(|&z| f64::from(z)).collect::<Vec<f64>>();
            let networks = of(&self.networks);
            let linear = self.linear.as_deref().map_or_else(|| vec![0.0; labels], of);
            let logits: Vec<f64> = networks.iter().zip(&linear).map(|(a, b)| scales[0] * a + scales[1] * b).collect();
            match &self.targets {
                Targets::One(_) => cost.add_one(&logits, [&networks, &linear], right[0]),
                Targets::Several(_) => cost.add_several(&logits, [&networks, &linear], right),
            }
        }
        cost
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    value: f64,
    gradient: [f64; 2],
    curvature: [[f64; 2]; 2],
}

impl Cost {
    /// The cross-entropy of a text's label. parts: the logits of the networks and of the linear part, before they are scaled.
    fn add_one(&mut self, logits: &[f64], [networks, linear]: [&[f64]; 2], target: usize) {
        let labels = logits.len();
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
        let sum: f64 = powers.iter().sum();
        self.value += sum.ln() - (logits[target] - largest);
        let mean = |of: &dyn Fn(usize) -> f64| (0..labels).map(|k| powers[k] / sum * of(k)).sum::<f64>();
        let means = [mean(&|k| networks[k]), mean(&|k| linear[k])];
        self.gradient[0] += means[0] - networks[target];
        self.gradient[1] += means[1] - linear[target];
        self.curvature[0][0] += mean(&|k| networks[k] * networks[k]) - means[0] * means[0];
        self.curvature[1][1] += mean(&|k| linear[k] * linear[k]) - means[1] * means[1];
        let both = mean(&|k| networks[k] * linear[k]) - means[0] * means[1];
        self.curvature[0][1] += both;
        self.curvature[1][0] += both;
    }

    /// The binary cross-entropies of a text and each label, summed.
    fn add_several(&mut self, logits: &[f64], [networks, linear]: [&[f64]; 2], right: &[usize]) {
        for (label, &logit) in logits.iter().enumerate() {
            let has = right.contains(&label);
            self.value += (if has { -logit } else { logit }).max(0.0) + (-logit.abs()).exp().ln_1p();
            let probability = 1.0 / (1.0 + (-logit).exp());
            let (over, bend) = (probability - f64::from(u8::from(has)), probability * (1.0 - probability));
            let parts = [networks[label], linear[label]];
            for (at, part) in parts.into_iter().enumerate() {
                self.gradient[at] += over * part;
                self.curvature[at][0] += bend * part * parts[0];
                self.curvature[at][1] += bend * part * parts[1];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use lookback_infer::network::Link;

    use super::*;

    /// Rows of which every fourth has another label than `sure` says.
    fn judged(sure: f32, linear: Option<f32>) -> Judged {
        let targets: Vec<usize> = (0..400).map(|row| if row % 4 == 3 { 1 } else { 0 }).collect();
        let of = |sure: f32| (0..400).flat_map(|_| [sure, 0.0]).collect::<Vec<f32>>();
        Judged { networks: of(sure), linear: linear.map(of), targets: Targets::One(targets) }
    }

    #[test]
    fn what_is_too_sure_is_cooled_down_to_how_often_it_is_right() {
        let calibration = judged(8.0, None).calibration(2);
        assert!((calibration.networks - 3.0f64.ln() / 8.0).abs() < 1e-3, "{calibration:?}");
        assert_eq!(calibration.linear, 0.0);
        let warmed = judged(0.8, None).calibration(2);
        assert!((warmed.networks * 0.8 - 3.0f64.ln()).abs() < 0.02, "{warmed:?}");
    }

    #[test]
    fn what_is_wrong_more_often_than_not_answers_no_more() {
        let right = judged(2.0, None).networks;
        let targets = judged(2.0, None).targets;
        let wrong: Vec<f32> =
            targets.iter().flat_map(|right| if right[0] == 0 { [-4.0, 0.0] } else { [0.0, -4.0] }).collect();
        let of = |networks: &[f32], linear: &[f32]| {
            let judged =
                Judged { networks: networks.to_vec(), linear: Some(linear.to_vec()), targets: targets.clone() };
            judged.calibration(2)
        };
        let calibration = of(&wrong, &right);
        assert!(
            calibration.networks == 0.0 && (calibration.linear * 2.0 - 3.0f64.ln()).abs() < 0.05,
            "{calibration:?}"
        );
        let calibration = of(&right, &wrong);
        assert!(
            calibration.linear == 0.0 && (calibration.networks * 2.0 - 3.0f64.ln()).abs() < 0.05,
            "{calibration:?}"
        );
    }

    #[test]
    fn derivatives_are_those_of_the_cost() {
        let mut one = judged(1.5, Some(0.5));
        one.networks.iter_mut().enumerate().for_each(|(at, z)| *z += (at * at % 7) as f32 * 0.3);
        let of_row = |row: usize| (0..2).filter(|label| row * row % (3 + label) == 1).collect();
        let several = Judged { targets: Targets::Several((0..400).map(of_row).collect()), ..one.clone() };
        [one, several].iter().for_each(derivatives_are_right);
    }

    fn derivatives_are_right(judged: &Judged) {
        let (at, prior, by) = ([0.7, 0.4], [0.5, 0.5], 1e-5);
        let cost = |a: f64, b: f64| judged.cost([at[0] + a, at[1] + b], prior, 2);
        let here = cost(0.0, 0.0);
        for (place, (more, less)) in
            [(cost(by, 0.0), cost(-by, 0.0)), (cost(0.0, by), cost(0.0, -by))].iter().enumerate()
        {
            let slope = (more.value - less.value) / (2.0 * by);
            assert!((slope - here.gradient[place]).abs() < 1e-4, "{slope} {here:?}");
            for other in 0..2 {
                let bend = (more.gradient[other] - less.gradient[other]) / (2.0 * by);
                assert!((bend - here.curvature[place][other]).abs() < 1e-3, "{bend} {here:?}");
            }
        }
    }

    #[test]
    fn no_row_chooses_the_threshold_by_which_it_is_judged() {
        // By its own rows, every other one would be best answered from 0.8 on and the others from 0.3.
        let (rows, calibration) = (80, Calibration { networks: 1.0, linear: 0.0 });
        let has = |row: usize| row % 4 < 2;
        let probability = |row: usize| match (row % 2, has(row)) {
            (0, has) => {
                if has {
                    0.85f32
                } else {
                    0.75
                }
            }
            (_, has) => {
                if has {
                    0.35
                } else {
                    0.25
                }
            }
        };
        let logits = (0..rows).flat_map(|row| [Link::Sigmoid.logit(probability(row)), -9.0]).collect();
        let targets = Targets::Several((0..rows).map(|row| if has(row) { vec![0] } else { vec![] }).collect());
        let judged = Judged { networks: logits, linear: None, targets };
        let validation = judged.validation(calibration, &["a", "b"].map(str::to_owned));
        // From 0.35 on all of the even rows are answered, and from 0.85 on none of the odd ones.
        assert!((validation.scores[0].unwrap() - 2.0 * 20.0 / (40.0 + 40.0)).abs() < 1e-9, "{validation:?}");
        let thresholds = judged.thresholds(calibration, 2);
        assert!((0.26..=0.35).contains(&thresholds.values()[0]), "{thresholds:?}");
    }

    #[test]
    fn rows_of_several_folds_are_judged_as_one() {
        let mut all = Judged::default();
        all.extend(judged(8.0, Some(8.0)));
        all.extend(judged(1.0, Some(1.0)));
        assert_eq!((all.targets.len(), all.networks.len(), all.linear.as_ref().unwrap().len()), (800, 1600, 1600));
        assert_eq!(Judged::default().calibration(2), Calibration { networks: 1.0, linear: 0.0 });
    }

    #[test]
    fn what_a_checkpoint_keeps_of_a_part_is_the_same_again() {
        for linear in [None, Some(8.0)] {
            let part = judged(0.5, linear);
            let kept = part.part(2);
            let again = Judged::of_part(&kept, part.targets.clone(), 2).expect("as many rows");
            assert!(again.networks == part.networks && again.linear == part.linear && again.targets == part.targets);
            assert!(Judged::of_part(&kept, Targets::One(vec![0; 3]), 2).is_none(), "other rows");
        }
    }
}
