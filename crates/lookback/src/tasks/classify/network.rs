//! The network on Burn: encoder, pooling, a dense layer.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Tensor, TensorData};
use lookback_infer::error::PlanError;
use lookback_infer::input::{Batch, InputShape, Parts};
use lookback_infer::tasks::classify::NetworkPlan;
use lookback_nn::ops::dropout_layer;
use lookback_nn::{Error, LinearConfig, parameters};

use crate::network::{Encoder, Pool};

/// The network. Its parameters have the names of the file; its twin without Burn is
/// `lookback_infer::tasks::classify::Network`.
#[derive(Module, Debug)]
pub struct Network {
    encoder: Encoder,
    /// Absent where the attention pools by itself.
    pool: Option<Pool>,
    output_dropout: Dropout,
    output: lookback_nn::Linear,
}

/// What the network gives for a batch.
#[derive(Clone, Debug)]
pub struct Logits {
    /// `[B, N]`, before the softmax.
    pub logits: Tensor<2>,
    /// `[1]`: what structured attention adds to the loss.
    pub penalty: Option<Tensor<1>>,
}

impl Network {
    /// A network whose parameters are drawn when they are first asked for.
    ///
    /// # Errors
    /// If the plan is of no network.
    pub fn new(plan: &NetworkPlan, shape: InputShape, labels: usize, device: &Device) -> Result<Network, PlanError> {
        plan.check()?;
        let pools = plan.encoder.attention.pools();
        let output = LinearConfig::new(plan.pooled(), labels).init(device);
        Ok(Network {
            encoder: Encoder::new(&plan.encoder, shape, device)?,
            pool: (!pools).then(|| Pool::new(&plan.pooling, plan.encoder.width(), device)),
            output_dropout: DropoutConfig::new(plan.output_dropout).init(),
            output: output.map_err(|error| PlanError::Unfit(error.to_string()))?,
        })
    }

    /// Logits of a batch; noise of this standard deviation is added to channels.
    ///
    /// # Errors
    /// If the batch was made for another network.
    pub fn forward(&self, batch: &Batch, noise: f64, device: &Device) -> Result<Logits, Error> {
        self.forward_vectors(self.vectors(batch, noise, device)?, &batch.lengths)
    }

    /// As [`Encoder::vectors`].
    ///
    /// # Errors
    /// If the batch was made for another network.
    pub(super) fn vectors(&self, batch: &Batch, noise: f64, device: &Device) -> Result<Tensor<3>, Error> {
        self.encoder.vectors(batch, noise, device)
    }

    /// Logits of vectors `[B, T, E]` that were made already.
    ///
    /// # Errors
    /// If they were made for another network.
    pub(super) fn forward_vectors(&self, x: Tensor<3>, lengths: &[usize]) -> Result<Logits, Error> {
        let encoded = self.encoder.forward_vectors(x, lengths)?;
        let (pooled, penalty) = match (encoded.pooled, &self.pool) {
            (Some((pooled, penalty)), _) => (pooled, Some(penalty)),
            (None, Some(pool)) => (pool.forward(encoded.steps, encoded.last, lengths)?, None),
            (None, None) => (encoded.last, None),
        };
        let logits = self.output.forward(dropout_layer(&self.output_dropout, pooled))?;
        Ok(Logits { logits, penalty })
    }

    /// With these biases of the output, `[N]`, in place of those that were drawn.
    ///
    /// # Errors
    /// If there are not as many as labels.
    pub fn with_output_bias(self, bias: &[f32]) -> Result<Network, PlanError> {
        let mut drawn = parameters::values(&self, "");
        let network = parameters::write(self, "", |name, shape| {
            let own = drawn.remove(name).map(|own| own.values).unwrap_or_default();
            let values = if name == "output.bias" { bias.to_vec() } else { own };
            Ok(TensorData::new(values, shape.to_vec()))
        });
        network.map_err(|error: Error| PlanError::Unfit(error.to_string()))
    }

    /// Which tables the network has beside the tokens' own.
    pub fn parts(&self) -> Parts {
        self.encoder.parts()
    }
}
