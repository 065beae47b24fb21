//! One step after another on the same batch, in `lookback`'s training loop.

use std::cell::RefCell;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use lookback::lookback_infer::model::{Score, Validation};
use lookback::train::{
    EpochReport, Loss, Objective, Progress, Session, StepReport, TrainOptions, TrainPlan, train as run,
};
use rand_chacha::ChaCha8Rng;

use crate::turns::Turns;

/// Trains `model` by `loss`, Adam at 0.001 and clipping at 5 until nobody asks for more.
pub(crate) fn train<M: Module>(
    model: M,
    batch: usize,
    turns: Turns,
    loss: impl Fn(&M) -> Tensor<1>,
) -> anyhow::Result<()> {
    let options =
        TrainOptions { epochs: Some(1_000_000), batch_size: Some(batch), patience: Some(0), ..TrainOptions::default() };
    let plan = TrainPlan::new(&options, &[])?;
    let objective = SameBatch { lengths: vec![1; batch], loss, model: std::marker::PhantomData };
    let mut progress = Steps(turns);
    let (device, stop) = (Device::flex(), progress.0.stop());
    let mut session =
        Session { device: &device, stop: &stop, progress: &mut progress, checkpoint: None, resume: false, init: None };
    // One network is asked for once.
    let model = RefCell::new(Some(model));
    run(&objective, |_, _| Ok(model.borrow_mut().take().expect("one network is made")), &plan, &mut session)?;
    progress.0.finish()
}

/// An epoch is one step.
struct SameBatch<M, F> {
    lengths: Vec<usize>,
    loss: F,
    model: std::marker::PhantomData<fn(&M)>,
}

impl<M: Module, F: Fn(&M) -> Tensor<1>> Objective for SameBatch<M, F> {
    type Network = M;

    fn scores(&self) -> &'static [Score] {
        &[]
    }

    fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    fn loss(&self, model: &M, part: &[usize], _batch: &[usize], _epoch: usize, _rng: &mut ChaCha8Rng) -> Loss {
        Loss { share: (self.loss)(model), weight: part.len() as f64 }
    }

    fn validate(&self, _models: &[&M]) -> Option<Validation> {
        None
    }
}

struct Steps(Turns);

impl Progress for Steps {
    fn epoch_started(&mut self, _: usize, _: usize, _: usize) {}
    fn step(&mut self, report: &StepReport) {
        self.0.unit(report.loss, Some(report.elapsed.as_secs_f64() * 1e3));
    }
    fn epoch_ended(&mut self, _: &EpochReport<'_>) {}
    fn finished(&mut self) {}
}
