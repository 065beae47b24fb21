//! One step after another on the same batch, in `lookback`'s training loop.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use lookback::train::{self, EpochReport, Progress, StepReport, Task, TrainOptions, TrainPlan, Validation};
use rand_chacha::ChaCha8Rng;

use crate::turns::Turns;

/// Trains `model` by `loss`, Adam at 0.001 and clipping at 5 until nobody asks for more.
pub(crate) fn train<M: Module>(
    model: M,
    device: &Device,
    batch: usize,
    turns: Turns,
    loss: impl Fn(&M) -> Tensor<1>,
) -> anyhow::Result<()> {
    let options =
        TrainOptions { epochs: Some(1_000_000), batch_size: Some(batch), patience: Some(0), ..TrainOptions::default() };
    let plan = TrainPlan::new(&options).map_err(anyhow::Error::msg)?;
    let task = SameBatch { lengths: vec![1; batch], loss, model: std::marker::PhantomData };
    let mut progress = Steps(turns);
    let stop = progress.0.stop();
    train::run(&task, model, device, &plan, &stop, &mut progress).map_err(anyhow::Error::msg)?;
    progress.0.finish()
}

/// An epoch is one step.
struct SameBatch<M, F> {
    lengths: Vec<usize>,
    loss: F,
    model: std::marker::PhantomData<fn(&M)>,
}

impl<M: Module, F: Fn(&M) -> Tensor<1>> Task for SameBatch<M, F> {
    type Model = M;

    fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    fn loss(&self, model: &M, _examples: &[usize], _rng: &mut ChaCha8Rng) -> Tensor<1> {
        (self.loss)(model)
    }

    fn validate(&self, _model: &M) -> Option<Validation> {
        None
    }
}

struct Steps(Turns);

impl Progress for Steps {
    fn epoch_started(&mut self, _: usize, _: usize, _: usize) {}
    fn step(&mut self, report: &StepReport) {
        self.0.unit(report.loss, Some(report.elapsed.as_secs_f64() * 1e3));
    }
    fn epoch_ended(&mut self, _: &EpochReport) {}
    fn finished(&mut self) {}
}
