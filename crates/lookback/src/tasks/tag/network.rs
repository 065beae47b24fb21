//! The network on Burn: encoder, a dense layer at every step, and what goes from tag to tag.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use lookback_infer::error::PlanError;
use lookback_infer::input::{Batch, InputShape, Parts};
use lookback_infer::tasks::tag::NetworkPlan;
use lookback_infer::tasks::tag::scheme::Transitions;
use lookback_nn::ops::{CrfAllowed, cross_entropy, dropout_layer};
use lookback_nn::{Crf, CrfConfig, Error, LinearConfig};

use crate::network::Encoder;

/// The network. Its parameters have the names of the file; its twin without Burn is `lookback_infer::tasks::tag::Network`.
#[derive(Module, Debug)]
pub struct Network {
    encoder: Encoder,
    output_dropout: Dropout,
    output: lookback_nn::Linear,
    /// Absent where every step is answered by itself.
    crf: Option<Crf>,
}

impl Network {
    /// A network whose parameters are drawn when they are first asked for. `allowed`: which tag may stand where, of as many tags as
    /// there are.
    ///
    /// # Errors
    /// If the plan is of no network.
    pub fn new(
        plan: &NetworkPlan,
        shape: InputShape,
        allowed: &Transitions,
        device: &Device,
    ) -> Result<Network, PlanError> {
        plan.check()?;
        let unfit = |error: Error| PlanError::Unfit(error.to_string());
        let tags = allowed.start.len();
        let output = LinearConfig::new(plan.encoder.width(), tags).init(device).map_err(unfit)?;
        let crf = || {
            let Transitions { start, end, between, .. } = allowed.clone();
            CrfConfig::new(tags).with_allowed(CrfAllowed { transitions: between, start, end }).init(device)
        };
        Ok(Network {
            encoder: Encoder::new(&plan.encoder, shape, device)?,
            output_dropout: DropoutConfig::new(plan.output_dropout).init(),
            output,
            crf: plan.crf.then(crf).transpose().map_err(unfit)?,
        })
    }

    /// The scores `[B, T, N]` of every tag at every step; past a row's length they mean nothing.
    ///
    /// # Errors
    /// If the batch was made for another network.
    pub fn forward(&self, batch: &Batch, device: &Device) -> Result<Tensor<3>, Error> {
        let steps = self.encoder.forward(batch, 0.0, device)?.steps;
        let [rows, time, width] = steps.dims();
        let steps = steps.reshape([rows * time, width]);
        let scores = self.output.forward(dropout_layer(&self.output_dropout, steps))?;
        let tags = scores.dims()[1];
        Ok(scores.reshape([rows, time, tags]))
    }

    /// What the right tags of a batch cost in nats, the mean over its tokens. `targets`: those of every row.
    ///
    /// # Errors
    /// If the batch was made for another network, there is no token, or tags stand where they may not.
    pub fn loss(&self, batch: &Batch, targets: &[&[usize]], device: &Device) -> Result<Tensor<1>, Error> {
        let scores = self.forward(batch, device)?;
        let [rows, time, tags] = scores.dims();
        let count: usize = batch.lengths.iter().sum();
        match &self.crf {
            Some(crf) => {
                let mut padded = vec![0; rows * time];
                for (row, targets) in padded.chunks_exact_mut(time).zip(targets) {
                    row.iter_mut().zip(*targets).for_each(|(tag, &target)| *tag = target as u32);
                }
                let losses = crf.neg_log_likelihood(scores, &padded, &batch.lengths)?;
                Ok(losses.sum().div_scalar(count as f64))
            }
            None => {
                // The real steps alone.
                let real = batch.lengths.iter().enumerate();
                let real: Vec<i64> =
                    real.flat_map(|(row, &length)| (row * time..).take(length).map(|at| at as i64)).collect();
                let real = Tensor::<1, Int>::from_data(TensorData::new(real, [count]), device);
                let targets: Vec<i64> = targets.iter().copied().flatten().map(|&target| target as i64).collect();
                let targets = Tensor::<1, Int>::from_data(TensorData::new(targets, [count]), device);
                cross_entropy(scores.reshape([rows * time, tags]).select(0, real), targets)
            }
        }
    }

    /// Which tables the network has beside the tokens' own.
    pub fn parts(&self) -> Parts {
        self.encoder.parts()
    }
}
