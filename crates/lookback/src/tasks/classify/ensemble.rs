//! Several networks that answer together.

use burn::tensor::{Tensor, activation::softmax};

use super::attention::View;
use super::data::Batch;
use super::model::{ClassifierModel, Logits};

/// Probabilities below this count as this, so that their logarithm is a number.
const LEAST_PROBABILITY: f64 = 1e-30;

/// What the networks, at least one, answer together: the logarithm of their mean probabilities (Hansen and Salamon 1990),
/// and the mean of their weights over the steps. One network answers as if it were alone.
pub(super) fn answer(models: &[ClassifierModel], batch: &Batch, views: bool) -> Logits {
    let run = |model: &ClassifierModel| if views { model.forward_with_views(batch) } else { model.forward(batch) };
    let (first, others) = models.split_first().expect("a classifier has at least one network");
    let mut together = run(first);
    if others.is_empty() {
        return together;
    }
    let mut probabilities = softmax(together.logits, 1);
    for model in others {
        let Logits { logits, weights, views, .. } = run(model);
        probabilities = probabilities + softmax(logits, 1);
        // All have the same pooling, so all have weights or none.
        together.weights = together.weights.zip(weights).map(|(sum, weights)| sum + weights);
        for (sum, view) in together.views.iter_mut().zip(views) {
            sum.weights = sum.weights.clone() + view.weights;
        }
    }
    let share = 1.0 / models.len() as f64;
    let logits = (probabilities.mul_scalar(share)).clamp_min(LEAST_PROBABILITY).log();
    let mean = |weights: Tensor<2>| weights.mul_scalar(share);
    let views = together.views.into_iter().map(|view| View { weights: mean(view.weights), ..view }).collect();
    Logits { parts: vec![logits.clone()], logits, weights: together.weights.map(mean), views, penalty: None }
}

/// What a network's tensors are called in a file: as they are when it is alone, else with its number before.
pub(super) fn prefix(member: usize, members: usize) -> String {
    if members == 1 { String::new() } else { format!("members.{member}.") }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use burn::tensor::Device;

    use super::*;
    use crate::data::encoder::EncodedText;
    use crate::tasks::classify::data::{Example, Parts};
    use crate::tasks::classify::model::InputShape;
    use crate::tasks::classify::{ClassifyOptions, ClassifyPlan, ModelOptions};

    fn models(count: u64) -> Vec<ClassifierModel> {
        let model = ModelOptions { embedding: Some(4), hidden: Some(3), ..ModelOptions::default() };
        let plan =
            ClassifyPlan::new(Path::new("x.csv"), &ClassifyOptions { model, ..ClassifyOptions::default() }).unwrap();
        let shape = InputShape::Tokens { vocabulary: 9, ngrams: None, bigrams: None, wide: None };
        let device = Device::flex();
        let draw = |seed| {
            device.seed(seed);
            ClassifierModel::new(&plan.model, shape, 3, &device).unwrap()
        };
        (0..count).map(draw).collect()
    }

    fn values(tensor: Tensor<2>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    #[test]
    fn the_mean_of_all_probabilities_and_weights_is_answered() {
        let text = Example::Text(EncodedText { ids: vec![3, 5, 7, 2], ..EncodedText::default() });
        let batch = Batch::new(&[&text], Parts::default(), None, &Device::flex());
        let models = models(3);
        let alone: Vec<Logits> = models.iter().map(|model| model.forward(&batch)).collect();
        let mean = |of: &dyn Fn(&Logits) -> Vec<f32>| -> Vec<f32> {
            let rows: Vec<Vec<f32>> = alone.iter().map(of).collect();
            (0..rows[0].len()).map(|column| rows.iter().map(|row| row[column]).sum::<f32>() / 3.0).collect()
        };
        let together = answer(&models, &batch, true);
        let close = |found: Vec<f32>, expected: Vec<f32>| {
            assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}, not {expected:?}");
        };
        close(values(softmax(together.logits, 1)), mean(&|logits| values(softmax(logits.logits.clone(), 1))));
        close(values(together.weights.unwrap()), mean(&|logits| values(logits.weights.clone().unwrap())));
        assert_eq!(values(answer(&models[..1], &batch, false).logits), values(alone[0].logits.clone()));
    }
}
