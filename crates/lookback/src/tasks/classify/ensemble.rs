//! Several networks that answer together.

use burn::tensor::activation::softmax;

use super::data::Batch;
use super::model::{ClassifierModel, Logits};

/// Probabilities below this count as this, so that their logarithm is a number.
const LEAST_PROBABILITY: f64 = 1e-30;

/// What the networks, at least one, answer together: the logarithm of their mean probabilities (Hansen and Salamon 1990),
/// and the mean of their weights over the steps. One network answers as if it were alone.
pub(super) fn answer(models: &[ClassifierModel], batch: &Batch) -> Logits {
    let (first, others) = models.split_first().expect("a classifier has at least one network");
    let mut together = first.forward(batch);
    if others.is_empty() {
        return together;
    }
    let mut probabilities = softmax(together.logits, 1);
    for model in others {
        let Logits { logits, weights, .. } = model.forward(batch);
        probabilities = probabilities + softmax(logits, 1);
        // All have the same pooling, so all have weights or none.
        together.weights = together.weights.zip(weights).map(|(sum, weights)| sum + weights);
    }
    let share = 1.0 / models.len() as f64;
    let logits = (probabilities.mul_scalar(share)).clamp_min(LEAST_PROBABILITY).log();
    Logits { parts: vec![logits.clone()], logits, weights: together.weights.map(|weights| weights.mul_scalar(share)) }
}

/// What a network's tensors are called in a file: as they are when it is alone, else with its number before.
pub(super) fn prefix(member: usize, members: usize) -> String {
    if members == 1 { String::new() } else { format!("members.{member}.") }
}
