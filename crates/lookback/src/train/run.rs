//! The loop.

use std::time::Instant;

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::average::AveragedWeights;
use super::clipping::clip_global_norm;
use super::progress::{EpochReport, Progress, StepReport};
use super::schedule::Schedule;
use super::{ScoreChoice, Stop, TrainPlan};
use crate::data::batches::Batches;
use crate::model_file;

/// A loss, or a norm of the weights, above this has diverged: a model file takes no such weights.
const LARGEST: f64 = model_file::LARGEST as f64;

/// What a task tells the loop.
pub trait Task {
    /// The model, on a device with autodiff.
    type Model: Module;

    /// The length of every training example; batches are made of examples of similar length.
    fn lengths(&self) -> &[usize];

    /// The mean loss `[1]` of a batch. `examples` are indices into [`Task::lengths`]; `rng` is for what the task
    /// draws itself, and depends on the seed and the epoch only.
    fn loss(&self, model: &Self::Model, examples: &[usize], rng: &mut ChaCha8Rng) -> Tensor<1>;

    /// The batch `examples` in parts that are computed one after the other, so that a batch that would take too much
    /// memory takes as much as its largest part. It stays one step: [`Task::loss_of_part`] sums to its mean loss.
    fn parts(&self, examples: &[usize]) -> Vec<Vec<usize>> {
        vec![examples.to_vec()]
    }

    /// What `part` adds to the mean loss `[1]` of the whole `batch`.
    fn loss_of_part(&self, model: &Self::Model, part: &[usize], batch: &[usize], rng: &mut ChaCha8Rng) -> Tensor<1> {
        self.loss(model, part, rng).mul_scalar(part.len() as f64 / batch.len() as f64)
    }

    /// Loss and scores on the validation data, or `None` where the task has none. The model is without autodiff.
    fn validate(&self, model: &Self::Model) -> Option<Validation>;
}

/// Loss and scores on the validation data.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Validation {
    /// Mean cross-entropy, or whatever the task's loss is.
    pub loss: f64,
    /// Share of right answers.
    pub accuracy: f64,
    /// F1 averaged over the labels.
    pub macro_f1: f64,
}

impl Validation {
    /// The figure that decides, higher being better.
    pub fn score(&self, choice: ScoreChoice) -> f64 {
        match choice {
            ScoreChoice::Accuracy => self.accuracy,
            ScoreChoice::MacroF1 => self.macro_f1,
            ScoreChoice::Loss => -self.loss,
        }
    }

    /// Whether this beats `other`; equal scores are told apart by the loss.
    fn beats(&self, other: &Validation, choice: ScoreChoice) -> bool {
        let (mine, theirs) = (self.score(choice), other.score(choice));
        mine > theirs || (mine == theirs && self.loss < other.loss)
    }
}

/// How a training came to its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    /// All epochs were run.
    Completed,
    /// The validation score did not get better for as many epochs as the plan's patience.
    EarlyStopped,
    /// Somebody asked for the stop, in this epoch and step (from 1).
    Interrupted {
        /// The epoch, from 1.
        epoch: usize,
        /// The step in the epoch, from 1.
        step: usize,
    },
    /// The loss, or the gradient, was no longer a finite number in this epoch and step (from 1).
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The step in the epoch, from 1.
        step: usize,
        /// What was not finite: "loss", "gradient norm" or "validation loss".
        what: &'static str,
        /// Its value.
        value: f64,
    },
}

/// What a training leaves behind.
#[derive(Debug)]
pub struct Outcome<M> {
    /// The best model, without autodiff; `None` when training diverged before any epoch was finished.
    pub model: Option<M>,
    /// The epoch (from 1) the model is of.
    pub epoch: usize,
    /// The model's validation, where there were validation data.
    pub validation: Option<Validation>,
    /// Why it ended.
    pub end: End,
    /// Epochs that were finished.
    pub epochs: usize,
}

/// The best model so far.
struct Best<M> {
    model: M,
    epoch: usize,
    validation: Option<Validation>,
}

/// Trains `model` on `task` as `plan` says. The model must live on a device with autodiff.
///
/// Everything random derives from the plan's seed and the epoch, so that the same plan, data and number of threads
/// give the same bits.
pub fn run<T: Task>(
    task: &T,
    model: T::Model,
    device: &Device,
    plan: &TrainPlan,
    stop: &Stop,
    progress: &mut dyn Progress,
) -> Result<Outcome<T::Model>, String> {
    let batches = Batches::new(plan.batch_size, plan.seed);
    let steps = task.lengths().len().div_ceil(plan.batch_size);
    let mut schedule = Schedule::new(plan, steps)?;
    let mut optimizer = plan.optimizer();
    let mut averaged = AveragedWeights::new(plan.average);
    let mut best: Option<Best<T::Model>> = None;
    let mut model = model;
    let mut stale = 0;
    let mut finished = 0;
    let mut end = End::Completed;

    'training: for epoch in 1..=plan.epochs {
        let seed = epoch_seed(plan.seed, epoch);
        device.seed(seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let order = batches.epoch(task.lengths(), epoch as u64);
        let started = Instant::now();
        let (mut loss_sum, mut seen) = (0.0, 0usize);
        progress.epoch_started(epoch, plan.epochs, order.len());

        for (step, examples) in order.iter().enumerate() {
            let step = step + 1;
            let (value, gradients) = differentiate(task, &model, examples, &mut rng);
            let Some(mut gradients) = gradients else {
                end = End::Diverged { epoch, step, what: "loss", value };
                break 'training;
            };
            let norm = clip_global_norm(&model, &mut gradients, plan.clip);
            if !norm.is_finite() {
                end = End::Diverged { epoch, step, what: "gradient norm", value: norm };
                break 'training;
            }
            model = optimizer.step(schedule.step(), model, gradients);
            averaged.after_step(&model);

            loss_sum += value * examples.len() as f64;
            seen += examples.len();
            progress.step(&StepReport { epoch, step, loss: loss_sum / seen as f64, seen, elapsed: started.elapsed() });
            if stop.requested() {
                end = End::Interrupted { epoch, step };
                break 'training;
            }
        }

        averaged.after_epoch(&model, epoch);
        let trained = started.elapsed();
        let candidate = averaged.current(&model);
        let validation = task.validate(&candidate);
        // The weights as well: those that the validation did not meet may be no numbers all the same.
        let figures = [
            ("validation loss", validation.map_or(0.0, |validation| validation.loss)),
            ("norm of the weights", weight_norm(&candidate)),
        ];
        if let Some((what, value)) = figures.into_iter().find(|(_, value)| value.is_nan() || *value > LARGEST) {
            end = End::Diverged { epoch, step: order.len(), what, value };
            break 'training;
        }
        finished = epoch;
        let better = match (&best, &validation) {
            (Some(Best { validation: Some(old), .. }), Some(new)) => new.beats(old, plan.score),
            _ => true,
        };
        progress.epoch_ended(&EpochReport {
            epoch,
            epochs: plan.epochs,
            loss: loss_sum / seen.max(1) as f64,
            validation,
            score: plan.score,
            best: better,
            seen,
            trained,
            elapsed: started.elapsed(),
        });
        if better {
            best = Some(Best { model: candidate, epoch, validation });
            stale = 0;
        } else {
            stale += 1;
        }
        if stop.requested() {
            end = End::Interrupted { epoch, step: order.len() };
            break 'training;
        }
        if plan.patience.is_some_and(|patience| stale >= patience) && epoch < plan.epochs {
            end = End::EarlyStopped;
            break 'training;
        }
    }

    // Stopped by a person before anything was scored, or with nothing to score by: the weights as they are now.
    if let End::Interrupted { epoch, .. } = end
        && (best.is_none() || best.as_ref().is_some_and(|best| best.validation.is_none()))
    {
        let model = averaged.current(&model);
        // The step before the stop may have been the one that diverged.
        if weight_norm(&model) <= LARGEST {
            let validation = task.validate(&model);
            best = Some(Best { model, epoch, validation });
        }
    }
    progress.finished();
    let (model, epoch, validation) = match best {
        Some(best) => (Some(best.model), best.epoch, best.validation),
        None => (None, 0, None),
    };
    Ok(Outcome { model, epoch, validation, end, epochs: finished })
}

/// The mean loss of a batch and its gradients, which are those of its parts, summed. No gradients where the loss is no
/// finite number.
fn differentiate<T: Task>(
    task: &T,
    model: &T::Model,
    batch: &[usize],
    rng: &mut ChaCha8Rng,
) -> (f64, Option<GradientsParams>) {
    let of_loss = |loss: Tensor<1>| {
        let value = f64::from(loss.clone().into_scalar::<f32>());
        // The graph holds on to weights, which the optimiser can change in place only when it holds them alone: it goes
        // here, with the loss.
        let gradients = value.is_finite().then(|| GradientsParams::from_grads(loss.backward(), model));
        (value, gradients)
    };
    let parts = task.parts(batch);
    if parts.len() == 1 {
        return of_loss(task.loss(model, batch, rng));
    }
    let (mut sum, mut gradients) = (0.0, GradientsAccumulator::new());
    for part in parts {
        let (value, of_part) = of_loss(task.loss_of_part(model, &part, batch, rng));
        sum += value;
        match of_part {
            Some(of_part) => gradients.accumulate(model, of_part),
            None => return (value, None),
        }
    }
    (sum, Some(gradients.grads()))
}

/// One seed an epoch, far apart for neighbouring seeds and epochs (SplitMix64, Steele 2014).
pub(crate) fn epoch_seed(seed: u64, epoch: usize) -> u64 {
    let mut z = seed ^ (epoch as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn weight_norm<M: Module>(model: &M) -> f64 {
    struct Norm(f64);
    impl burn::module::ModuleVisitor for Norm {
        fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
            self.0 += super::clipping::squared_norm(param.val());
        }
    }
    let mut norm = Norm(0.0);
    model.visit(&mut norm);
    norm.0.sqrt()
}
