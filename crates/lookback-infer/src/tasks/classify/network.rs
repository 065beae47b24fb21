//! The network: an encoder, pooling, a dense layer.

use super::plan::NetworkPlan;
use crate::error::ModelFileError;
use crate::input::{Batch, InputShape, Parts};
use crate::model_file::Tensors;
use crate::network::{Encoded, Encoder, Linear, Link, Output, Pool, Pooled, Ragged, together};

/// The network, its weights packed once. Several callers may use it at once.
///
/// # Tensors
/// With `N` the labels and `P` the width of the pooled vector ([`NetworkPlan::pooled`]):
///
/// | tensor | shape | where there is |
/// |---|---|---|
/// | `encoder.` and what stands with [`Encoder`] | | |
/// | `pool.weight` | `[W]`, a step's width | `attention` among the poolings, no `structured` attention |
/// | `output.weight`, `output.bias` | `[N, P]`, `[N]` | |
#[derive(Debug)]
pub struct Network {
    encoder: Encoder,
    /// Absent where the attention pools by itself.
    pool: Option<Pool>,
    output: Linear,
    labels: usize,
    /// How logits become probabilities, where several networks are to agree on them.
    link: Link,
}

impl Network {
    /// Takes the network's tensors.
    ///
    /// # Errors
    /// If one of them is missing or has another shape, or the plan is one by which no network can be made of such inputs.
    pub fn read(
        plan: &NetworkPlan,
        shape: InputShape,
        labels: usize,
        tensors: &mut Tensors<'_>,
    ) -> Result<Self, ModelFileError> {
        plan.check().map_err(|problem| tensors.refused("network", &problem))?;
        if plan.linear.is_some() && matches!(shape, InputShape::Channels(_)) {
            return Err(tensors.refused("network", &"it has a linear part over n-grams, but reads numeric series"));
        }
        let encoder = Encoder::read(&plan.encoder, shape, &mut tensors.within("encoder"))?;
        let pool = match plan.encoder.attention.pools() {
            true => None,
            false => Some(Pool::read(&plan.pooling, plan.encoder.width(), &mut tensors.within("pool"))?),
        };
        let output = Linear::read(plan.pooled(), labels, true, &mut tensors.within("output"))?;
        Ok(Network { encoder, pool, output, labels, link: plan.labels_per_text.link() })
    }

    /// What a token is made of, by which batches are made.
    pub fn parts(&self) -> Parts {
        self.encoder.parts()
    }

    /// `N`
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// The logits of a batch. `views`: whether somebody will look at the attention, which changes no bit of the rest.
    ///
    /// A row alone gives the same as among any others, bit for bit, on any number of threads.
    ///
    /// # Panics
    /// If the batch was made for another network.
    pub fn forward(&self, batch: &Batch, views: bool) -> Output {
        let threads = rayon::current_num_threads();
        let Encoded { steps, last, pooled, views, .. } = self.encoder.forward(batch, views);
        let rows = Ragged { lengths: &batch.lengths, time: batch.time, threads };
        let pooled = match (pooled, &self.pool) {
            (Some(pooled), _) => pooled,
            (None, Some(pool)) => pool.forward(&steps, &last, rows),
            (None, None) => unreachable!("the pooling is left out only where the attention pools"),
        };
        let Pooled { vectors, weights } = pooled;
        let logits = self.output.forward(&vectors, threads);
        Output { logits, weights, views }
    }
}

/// What the networks of one ensemble answer together; see [`Output`].
///
/// # Panics
/// If there is no network, or the batch was made for others.
pub fn answer_together(networks: &[Network], batch: &Batch, views: bool) -> Output {
    let (labels, link) = networks.first().map_or((0, Link::Softmax), |network| (network.labels, network.link));
    together(networks, labels, Some(link), |network| network.forward(batch, views))
}
