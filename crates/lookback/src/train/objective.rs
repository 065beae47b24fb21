//! What a task tells the loop.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::Tensor;
use lookback_infer::model::{Score, Validation};
use lookback_infer::model_file;
use rand_chacha::ChaCha8Rng;

/// What is trained, by what loss, and how good it is.
pub trait Objective {
    /// The network, on a device with autodiff.
    type Network: Module;

    /// What it is validated by; the first decides unless another is asked for.
    fn scores(&self) -> &'static [Score];

    /// The length of every training example; batches are made of examples of similar length.
    fn lengths(&self) -> &[usize];

    /// How many epochs the network of this number, from 0, is trained for, where that was found out before; else the plan says it.
    fn epochs(&self, _network: usize) -> Option<usize> {
        None
    }

    /// How many networks were trained before these, for who is told of them.
    fn trained_before(&self) -> usize {
        0
    }

    /// What an example is padded to: the steps of its input, and of what is written, where anything is.
    fn sides(&self, example: usize) -> [usize; 2] {
        [self.lengths()[example], 0]
    }

    /// The batches of an epoch, from 1, where their order is not free: those of texts that are read on from one batch to the next.
    /// Every epoch has as many, and every example stands in exactly one.
    fn batches(&self, _epoch: usize) -> Option<Vec<Vec<usize>>> {
        None
    }

    /// What goes from one batch to the next within an epoch, by name, for a checkpoint; nothing where batches stand by themselves.
    fn carried(&self) -> BTreeMap<String, model_file::Tensor> {
        BTreeMap::new()
    }

    /// Goes on from what [`Objective::carried`] gave.
    fn carry(&self, _carried: BTreeMap<String, model_file::Tensor>) {}

    /// The batch `examples` in parts that are computed one after the other, so that a batch that would take too much
    /// memory takes as much as its largest part. It stays one step.
    fn parts(&self, examples: &[usize]) -> Vec<Vec<usize>> {
        vec![examples.to_vec()]
    }

    /// What `part` of a `batch` adds to the batch's mean loss; the part may be the whole. Both are indices into
    /// [`Objective::lengths`]. `epoch`: from 1. `rng` is for what the task draws itself.
    fn loss(
        &self,
        network: &Self::Network,
        part: &[usize],
        batch: &[usize],
        epoch: usize,
        rng: &mut ChaCha8Rng,
    ) -> Loss;

    /// Loss and scores of networks that answer together on the validation data, or `None` where there are none. The
    /// networks are without autodiff.
    fn validate(&self, networks: &[&Self::Network]) -> Option<Validation>;
}

/// The loss of a part of a batch.
#[derive(Clone, Debug)]
pub struct Loss {
    /// `[1]`: what the part adds to the mean over the batch; all parts together give that mean.
    pub share: Tensor<1>,
    /// What the batch's mean divides by, as far as it is in this part: examples, tokens, values, or their weights.
    pub weight: f64,
}
