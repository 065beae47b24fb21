//! What the network is trained by.

use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Device, Int, Tensor, TensorData};
use lookback_infer::tasks::classify::Targets;

/// The loss of logits, by how many labels a text has.
#[derive(Debug)]
pub(super) enum LabelLoss {
    /// Cross-entropy of the one label.
    One(Box<CrossEntropyLoss>),
    /// Binary cross-entropy of each label by itself, in the mean over all labels.
    Several,
}

impl LabelLoss {
    /// For such labels. What is about one label a text, weights of the labels and smoothing, counts for no others.
    pub(super) fn new(targets: &Targets, weights: Option<Vec<f32>>, smoothing: f64, device: &Device) -> LabelLoss {
        match targets {
            Targets::One(_) => {
                let config = CrossEntropyLossConfig::new()
                    .with_weights(weights)
                    .with_smoothing((smoothing > 0.0).then_some(smoothing as f32));
                LabelLoss::One(Box::new(config.init(device)))
            }
            Targets::Several(_) => LabelLoss::Several,
        }
    }

    /// Biases of the output to begin with, where labels are answered by themselves: the log odds of each among the texts, from
    /// which the network would else be far for many steps (Lin et al. 2017, section 3.3). A text more counts half for each
    /// label, so that none is certain.
    pub(super) fn first_bias(&self, targets: &Targets, labels: usize) -> Option<Vec<f32>> {
        match self {
            LabelLoss::One(_) => None,
            LabelLoss::Several => {
                let log_odds = |count: usize| ((count as f32 + 0.5) / ((targets.len() - count) as f32 + 0.5)).ln();
                Some(targets.counts(labels).into_iter().map(log_odds).collect())
            }
        }
    }

    /// The mean over these rows, `[1]`. logits: `[rows, N]`
    pub(super) fn mean(&self, logits: Tensor<2>, targets: &Targets, rows: &[usize], device: &Device) -> Tensor<1> {
        match self {
            LabelLoss::One(loss) => {
                let targets = rows.iter().flat_map(|&row| targets.of(row)).map(|&label| label as i64);
                let targets = TensorData::new(targets.collect::<Vec<i64>>(), [rows.len()]);
                loss.forward(logits, Tensor::<1, Int>::from_data(targets, device))
            }
            LabelLoss::Several => {
                let labels = logits.dims()[1];
                let mut lacks = vec![1.0f32; rows.len() * labels];
                for (place, &row) in rows.iter().enumerate() {
                    targets.of(row).iter().for_each(|&label| lacks[place * labels + label] = 0.0);
                }
                let lacks = Tensor::from_data(TensorData::new(lacks, [rows.len(), labels]), device);
                // -ln σ(z) with the label, and -ln σ(-z) = z - ln σ(z) without.
                (lacks * logits.clone() - log_sigmoid(logits)).mean()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_begins_with_the_log_odds_of_the_labels() {
        let device = Device::flex();
        let targets = Targets::Several(vec![vec![0], vec![0], vec![0], vec![1], vec![]]);
        let bias = LabelLoss::new(&targets, None, 0.0, &device).first_bias(&targets, 3).unwrap();
        let expected = [3.5f32 / 2.5, 1.5 / 4.5, 0.5 / 5.5].map(f32::ln);
        assert!(bias.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6), "{bias:?}");
        let one = Targets::One(vec![0, 1]);
        assert_eq!(LabelLoss::new(&one, None, 0.0, &device).first_bias(&one, 2), None);
    }

    #[test]
    fn labels_by_themselves_cost_binary_cross_entropy_and_pull_by_what_is_missing() {
        let device = Device::flex().autodiff();
        let values = [2.0f32, -1.0, 0.5, -60.0, 60.0, 0.0];
        let logits = Tensor::<2>::from_data(TensorData::new(values.to_vec(), [2, 3]), &device).require_grad();
        let targets = Targets::Several(vec![vec![], vec![0, 2], vec![1, 2]]);
        let loss = LabelLoss::new(&targets, None, 0.0, &device).mean(logits.clone(), &targets, &[1, 2], &device);
        let has = [true, false, true, false, true, true];
        let cost = |(&z, has): (&f32, bool)| {
            let z = f64::from(if has { -z } else { z });
            if z > 30.0 { z } else { z.exp().ln_1p() }
        };
        let expected: f64 = values.iter().zip(has).map(cost).sum::<f64>() / 6.0;
        let found = f64::from(loss.clone().into_scalar::<f32>());
        assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
        let gradients = logits.grad(&loss.backward()).unwrap().into_data().try_to_vec::<f32>().unwrap();
        for ((found, z), has) in gradients.iter().zip(values).zip(has) {
            let expected = (1.0 / (1.0 + (-z).exp()) - f32::from(u8::from(has))) / 6.0;
            assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}: {gradients:?}");
        }
    }
}
