//! What a classifier's networks are trained by: data, loss, and how what is held out is answered.

use burn::tensor::Device;
use lookback_infer::input::{Batch, Example, InputShape};
use lookback_infer::model::{Score, Validation};
use lookback_infer::network::budget::Budget;
use lookback_infer::tasks::classify::{self, Dataset, NetworkPlan};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::calibrate::Judged;
use super::loss::LabelLoss;
use super::network::{Logits, Network};
use crate::network::twin;
use crate::train::{Loss, Objective};

/// Data, loss and budget of a classifier in training.
pub(super) struct Classification<'a> {
    pub(super) plan: &'a NetworkPlan,
    pub(super) shape: InputShape,
    pub(super) loss: LabelLoss,
    pub(super) word_dropout: f64,
    pub(super) input_noise: f64,
    pub(super) train: Dataset,
    pub(super) validation: Option<Dataset>,
    /// Whether epochs are judged by it.
    pub(super) chooses: bool,
    /// The logits of the linear part for the validation data, where there are both.
    pub(super) linear: Option<Vec<f32>>,
    /// What a batch of training may take.
    pub(super) budget: Budget,
    /// What a batch of validation may take.
    pub(super) judging: Budget,
    /// The weight of every label in the loss, where they differ.
    pub(super) class_weights: Option<Vec<f32>>,
    pub(super) labels: &'a [String],
    pub(super) device: Device,
}

impl Objective for Classification<'_> {
    type Network = Network;

    fn scores(&self) -> &'static [Score] {
        self.plan.labels_per_text.scores()
    }

    fn lengths(&self) -> &[usize] {
        &self.train.lengths
    }

    fn parts(&self, examples: &[usize]) -> Vec<Vec<usize>> {
        self.budget.parts(&self.train.lengths, examples)
    }

    fn loss(&self, network: &Network, part: &[usize], batch: &[usize], _epoch: usize, rng: &mut ChaCha8Rng) -> Loss {
        let inputs: Vec<&Example> = part.iter().map(|&row| &self.train.examples[row]).collect();
        let mut drop = || self.word_dropout > 0.0 && rng.random_bool(self.word_dropout);
        let padded = Batch::new(&inputs, network.parts(), &mut drop);
        let Logits { logits, penalty } = network
            .forward(&padded, self.input_noise, &self.device)
            .expect("batches are made for the network that is trained");
        let (weight, whole) = (self.weight_of(part), self.weight_of(batch));
        let share = weight / whole;
        let loss = self.loss.mean(logits, &self.train.targets, part, &self.device);
        let loss = if share < 1.0 { loss.mul_scalar(share) } else { loss };
        // Lin 2017 adds the penalty with a factor of its own; 1 did best there.
        let share = match penalty {
            Some(penalty) if part.len() < batch.len() => {
                loss + penalty.mul_scalar(part.len() as f64 / batch.len() as f64)
            }
            Some(penalty) => loss + penalty,
            None => loss,
        };
        Loss { share, weight }
    }

    fn validate(&self, networks: &[&Network]) -> Option<Validation> {
        let judged = if self.chooses { self.judged(networks)? } else { return None };
        Some(judged.validation(judged.calibration(self.labels.len()), self.labels))
    }
}

impl Classification<'_> {
    /// How networks, and the linear part, answer the validation data: as they will answer, without Burn.
    pub(super) fn judged(&self, networks: &[&Network]) -> Option<Judged> {
        let validation = self.validation.as_ref()?;
        let networks: Vec<classify::Network> = networks.iter().map(|network| self.answering(network)).collect();
        let examples: Vec<&Example> = validation.examples.iter().collect();
        let networks = classify::logits(&networks, &examples, &self.judging);
        Some(Judged { networks, linear: self.linear.clone(), targets: validation.targets.clone() })
    }

    /// What the mean of the loss over these examples divides by.
    fn weight_of(&self, examples: &[usize]) -> f64 {
        match &self.class_weights {
            None => examples.len() as f64,
            Some(weights) => examples.iter().map(|&row| f64::from(weights[self.train.targets.of(row)[0]])).sum(),
        }
    }

    /// The network's twin that answers.
    fn answering(&self, network: &Network) -> classify::Network {
        answering(network, self.plan, self.shape, self.labels.len())
    }
}

/// The twin, without Burn, of a network that was made by this plan.
pub(super) fn answering(network: &Network, plan: &NetworkPlan, shape: InputShape, labels: usize) -> classify::Network {
    twin(classify::NAME, network, |tensors| classify::Network::read(plan, shape, labels, tensors))
}
