//! The network on Burn: encoder, and a dense layer at every step.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use lookback_infer::error::PlanError;
use lookback_infer::input::{Batch, InputShape, Parts};
use lookback_infer::tasks::tag::NetworkPlan;
use lookback_nn::ops::dropout_layer;
use lookback_nn::{Error, LinearConfig};

use crate::network::Encoder;

/// The network. Its parameters have the names of the file; its twin without Burn is `lookback_infer::tasks::tag::Network`.
#[derive(Module, Debug)]
pub struct Network {
    encoder: Encoder,
    output_dropout: Dropout,
    output: lookback_nn::Linear,
}

impl Network {
    /// A network whose parameters are drawn when they are first asked for.
    ///
    /// # Errors
    /// If the plan is of no network.
    pub fn new(plan: &NetworkPlan, shape: InputShape, tags: usize, device: &Device) -> Result<Network, PlanError> {
        plan.check()?;
        let output = LinearConfig::new(plan.encoder.width(), tags).init(device);
        Ok(Network {
            encoder: Encoder::new(&plan.encoder, shape, device)?,
            output_dropout: DropoutConfig::new(plan.output_dropout).init(),
            output: output.map_err(|error| PlanError::Unfit(error.to_string()))?,
        })
    }

    /// Logits `[R, N]` of the `R` real steps of a batch, row by row; padding is left out.
    ///
    /// # Errors
    /// If the batch was made for another network.
    pub fn forward(&self, batch: &Batch, device: &Device) -> Result<Tensor<2>, Error> {
        let steps = self.encoder.forward(batch, 0.0, device)?.steps;
        let width = steps.dims()[2];
        let (rows, time) = (batch.lengths.len(), batch.time);
        let real = batch.lengths.iter().enumerate();
        let real: Vec<i64> = real.flat_map(|(row, &length)| (row * time..).take(length).map(|at| at as i64)).collect();
        let count = real.len();
        let real = Tensor::<1, Int>::from_data(TensorData::new(real, [count]), device);
        let steps = steps.reshape([rows * time, width]).select(0, real);
        self.output.forward(dropout_layer(&self.output_dropout, steps))
    }

    /// Which tables the network has beside the tokens' own.
    pub fn parts(&self) -> Parts {
        self.encoder.parts()
    }
}
