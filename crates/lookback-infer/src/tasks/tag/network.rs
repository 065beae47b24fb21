//! The network: an encoder, and a dense layer at every step.

use super::plan::NetworkPlan;
use crate::error::ModelFileError;
use crate::input::{Batch, InputShape, Parts};
use crate::model_file::Tensors;
use crate::network::{Encoder, Linear, Link, Output, Ragged, together};

/// The network, its weights packed once. Several callers may use it at once.
///
/// # Tensors
/// With `N` the tags and `W` the width of a step:
///
/// | tensor | shape |
/// |---|---|
/// | `encoder.` and what stands with [`Encoder`] | |
/// | `output.weight`, `output.bias` | `[N, W]`, `[N]` |
#[derive(Debug)]
pub struct Network {
    encoder: Encoder,
    output: Linear,
    tags: usize,
}

impl Network {
    /// Takes the network's tensors.
    ///
    /// # Errors
    /// If one of them is missing or has another shape, or the plan is one by which no network can be made.
    pub fn read(
        plan: &NetworkPlan,
        shape: InputShape,
        tags: usize,
        tensors: &mut Tensors<'_>,
    ) -> Result<Self, ModelFileError> {
        plan.check().map_err(|problem| tensors.refused("network", &problem))?;
        let encoder = Encoder::read(&plan.encoder, shape, &mut tensors.within("encoder"))?;
        let output = Linear::read(plan.encoder.width(), tags, true, &mut tensors.within("output"))?;
        Ok(Network { encoder, output, tags })
    }

    /// What a token is made of, by which batches are made.
    pub fn parts(&self) -> Parts {
        self.encoder.parts()
    }

    /// Logits `[B, T, N]`, zero past a row's length. `views`: whether somebody will look at the attention, which changes no
    /// bit of the rest.
    ///
    /// A row alone gives the same as among any others, bit for bit, on any number of threads.
    ///
    /// # Panics
    /// If the batch was made for another network.
    pub fn forward(&self, batch: &Batch, views: bool) -> Output {
        let encoded = self.encoder.forward(batch, views);
        let rows = Ragged { lengths: &batch.lengths, time: batch.time, threads: rayon::current_num_threads() };
        Output { logits: self.output.forward_steps(&encoded.steps, rows), weights: None, views: encoded.views }
    }
}

/// What the networks of one ensemble answer together; see [`Output`].
///
/// # Panics
/// If there is no network, or the batch was made for others.
pub fn answer_together(networks: &[Network], batch: &Batch, views: bool) -> Output {
    let tags = networks.first().map_or(0, |network| network.tags);
    together(networks, tags, Link::Softmax, |network| network.forward(batch, views))
}
