//! The loop.

use std::time::Instant;

use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor};
use lookback_infer::error::PlanError;
use lookback_infer::model::Validation;
use lookback_infer::model_file;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::batches::Batches;
use super::checkpoint::Saver;
use super::clipping::{clip_global_norm, squared_norm};
use super::objective::{Loss, Objective};
use super::progress::{EpochReport, Progress, StepReport};
use super::schedule::Schedule;
use super::state::{Best, TrainState};
use super::token_batches::TokenBatches;
use super::{BATCH_SIZE, Stop, TrainPlan};

/// A loss, or a norm of the weights, above this has diverged: a model file takes no such weights.
const LARGEST: f64 = model_file::LARGEST as f64;

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
    /// A figure was no number any more, or too large for a model, in this epoch and step (from 1).
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The step in the epoch, from 1.
        step: usize,
        /// Which: "loss", "gradient norm", "validation loss" or "norm of the weights".
        what: &'static str,
        /// Its value.
        value: f64,
    },
}

impl End {
    /// In words, as a model file keeps it.
    pub(crate) fn in_words(self) -> String {
        match self {
            End::Completed => "all epochs were run".into(),
            End::EarlyStopped => "stopped early, the validation score got no better".into(),
            End::Interrupted { epoch, step } => format!("interrupted in epoch {epoch}, step {step}"),
            End::Diverged { epoch, step, what, .. } => {
                format!("diverged in epoch {epoch}, step {step}: the {what} was no number, or too large")
            }
        }
    }

    /// Whether training ended before its time.
    pub fn is_cut_short(self) -> bool {
        matches!(self, End::Interrupted { .. } | End::Diverged { .. })
    }
}

/// What a training leaves behind.
#[derive(Debug)]
pub(super) struct Outcome<N> {
    /// The best network, without autodiff; `None` when training diverged before any epoch was finished.
    pub(super) network: Option<N>,
    /// The epoch (from 1) the network is of.
    pub(super) epoch: usize,
    /// Its validation, where there were validation data.
    pub(super) validation: Option<Validation>,
    /// Why it ended.
    pub(super) end: End,
    /// Epochs that were finished.
    pub(super) epochs: usize,
    /// Whether the state stands in the checkpoint, where training was interrupted.
    pub(super) saved: bool,
}

/// What a run needs beside objective and state.
pub(super) struct Context<'a, N> {
    pub(super) plan: &'a TrainPlan,
    /// With autodiff.
    pub(super) device: &'a Device,
    pub(super) stop: &'a Stop,
    pub(super) progress: &'a mut dyn Progress,
    pub(super) saver: Option<Saver<'a, N>>,
}

/// Trains one network from where its state stands.
///
/// Everything random derives from the plan's seed, the epoch and the step, so that the same plan and data give the same
/// bits, on any number of threads and however often the training was stopped between.
pub(super) fn run<O: Objective>(
    objective: &O,
    mut state: TrainState<O::Network>,
    context: &mut Context<'_, O::Network>,
) -> Result<Outcome<O::Network>, PlanError> {
    let plan = context.plan;
    let score = plan.score(objective.scores());
    let batches = Dealt::new(plan, objective);
    let steps = batches.steps();
    let made = state.place.epoch.saturating_mul(steps) + state.place.step;
    let mut schedule = Schedule::new(plan, steps)?.after(made);
    let mut end = End::Completed;

    while state.place.epoch < plan.epochs {
        if plan.patience.is_some_and(|patience| state.place.stale >= patience) {
            end = End::EarlyStopped;
            break;
        }
        let (started, seen_before, seconds_before) = (Instant::now(), state.place.seen, state.place.seconds);
        if let Some(cut) = epoch(objective, &mut state, context, &batches, &mut schedule, started) {
            end = cut;
            break;
        }
        let number = state.place.epoch + 1;
        state.after_epoch(number);
        let trained = started.elapsed();
        let candidate = state.average.current(state.network());
        let validation = objective.validate(&[&candidate]);
        // The weights as well: those that the validation did not meet may be no numbers all the same.
        let figures = [
            ("validation loss", validation.as_ref().map_or(0.0, |validation| validation.loss)),
            ("norm of the weights", weight_norm(&candidate)),
        ];
        if let Some((what, value)) = figures.into_iter().find(|(_, value)| value.is_nan() || *value > LARGEST) {
            end = End::Diverged { epoch: number, step: steps, what, value };
            break;
        }
        let better = match (&state.best, &validation) {
            (Some(Best { validation: Some(old), .. }), Some(new)) => {
                let (mine, theirs) = (new.value(objective.scores(), &score), old.value(objective.scores(), &score));
                // Equal scores are told apart by the loss.
                score.prefers(mine, theirs) || (mine == theirs && new.loss < old.loss)
            }
            _ => true,
        };
        context.progress.epoch_ended(&EpochReport {
            epoch: number,
            epochs: plan.epochs,
            loss: state.place.loss.0 / state.place.loss.1.max(f64::MIN_POSITIVE),
            validation: validation.as_ref(),
            scores: objective.scores(),
            score,
            best: better,
            seen: state.place.seen - seen_before,
            trained,
            whole: (state.place.seen, seconds_before + trained.as_secs_f64()),
            elapsed: started.elapsed(),
        });
        state.place.stale = if better { 0 } else { state.place.stale + 1 };
        if better {
            state.best = Some(Best { network: candidate, epoch: number, validation });
        }
        state.place = super::state::Place { epoch: number, stale: state.place.stale, ..Default::default() };
        if context.stop.requested() && number < plan.epochs {
            end = End::Interrupted { epoch: number, step: steps };
            break;
        }
    }
    Ok(outcome(objective, state, context, end))
}

/// How the examples are dealt to the batches of an epoch.
enum Dealt<'a> {
    /// As the task says; so many in an epoch.
    Own { steps: usize },
    /// So many in each.
    Examples { lengths: &'a [usize], batches: Batches },
    /// As many as are within a bound of padded tokens.
    Tokens { sides: Vec<[usize; 2]>, batches: TokenBatches },
}

impl Dealt<'_> {
    fn new<'a, O: Objective>(plan: &TrainPlan, objective: &'a O) -> Dealt<'a> {
        let (lengths, seed) = (objective.lengths(), plan.seed);
        if let Some(batches) = objective.batches(1) {
            return Dealt::Own { steps: batches.len() };
        }
        match plan.batch_tokens {
            Some(tokens) => {
                let sides = (0..lengths.len()).map(|example| objective.sides(example)).collect();
                Dealt::Tokens { sides, batches: TokenBatches { tokens, seed } }
            }
            None => {
                let size = plan.batch_size.unwrap_or(BATCH_SIZE);
                Dealt::Examples { lengths, batches: Batches::new(size, seed) }
            }
        }
    }

    /// How many batches every epoch has.
    fn steps(&self) -> usize {
        match self {
            Dealt::Own { steps } => *steps,
            Dealt::Examples { lengths, batches } => lengths.len().div_ceil(batches.size),
            Dealt::Tokens { sides, batches } => batches.steps(sides),
        }
    }

    fn epoch<O: Objective>(&self, objective: &O, epoch: usize) -> Vec<Vec<usize>> {
        match self {
            Dealt::Own { .. } => objective.batches(epoch).unwrap_or_default(),
            Dealt::Examples { lengths, batches } => batches.epoch(lengths, epoch as u64),
            Dealt::Tokens { sides, batches } => batches.epoch(sides, epoch as u64),
        }
    }
}

/// The steps of one epoch that are still to be made; gives why they came to an end before the last.
fn epoch<O: Objective>(
    objective: &O,
    state: &mut TrainState<O::Network>,
    context: &mut Context<'_, O::Network>,
    batches: &Dealt<'_>,
    schedule: &mut Schedule,
    started: Instant,
) -> Option<End> {
    let (plan, epoch) = (context.plan, state.place.epoch + 1);
    let order = batches.epoch(objective, epoch);
    let (seen_before, seconds_before) = (state.place.seen, state.place.seconds);
    context.progress.epoch_started(epoch, plan.epochs, order.len());
    while state.place.step < order.len() {
        let step = state.place.step + 1;
        let seed = step_seed(plan.seed, epoch, step);
        context.device.seed(seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let examples = &order[step - 1];
        let (loss, gradients) = differentiate(objective, state.network(), (examples, epoch), &mut rng);
        let Some(mut gradients) = gradients else {
            return Some(End::Diverged { epoch, step, what: "loss", value: loss.0 });
        };
        let norm = clip_global_norm(state.network(), &mut gradients, plan.clip);
        if !norm.is_finite() {
            return Some(End::Diverged { epoch, step, what: "gradient norm", value: norm });
        }
        let rate = schedule.step();
        state.step(rate, gradients);
        state.place.step = step;
        state.place.loss.0 += loss.0 * loss.1;
        state.place.loss.1 += loss.1;
        state.place.seen += examples.len();
        state.place.seconds = seconds_before + started.elapsed().as_secs_f64();
        context.progress.step(&StepReport {
            epoch,
            step,
            loss: state.place.loss.0 / state.place.loss.1,
            rate,
            seen: state.place.seen - seen_before,
            elapsed: started.elapsed(),
        });
        if context.stop.requested() {
            return Some(End::Interrupted { epoch, step });
        }
        if let Some(saver) = &mut context.saver {
            saver.after_step(state, || objective.carried());
        }
    }
    None
}

impl<N: Module> TrainState<N> {
    fn after_epoch(&mut self, epoch: usize) {
        if let Some(network) = &self.network {
            self.average.after_epoch(network, epoch);
        }
    }

    /// One step of the optimiser and of the average.
    fn step(&mut self, rate: f64, gradients: GradientsParams) {
        // The optimiser changes weights in place where it holds them alone, so it is given the only ones there are.
        if let Some(network) = self.network.take() {
            let network = self.optimizer.step(rate, network, gradients);
            self.average.after_step(&network);
            self.network = Some(network);
        }
    }
}

/// What is kept at the end.
fn outcome<O: Objective>(
    objective: &O,
    mut state: TrainState<O::Network>,
    context: &mut Context<'_, O::Network>,
    end: End,
) -> Outcome<O::Network> {
    let mut saved = false;
    // Stopped by a person before anything was scored, or with nothing to score by: the weights as they are now.
    if let End::Interrupted { epoch, .. } = end {
        if let Some(saver) = &mut context.saver {
            saved = saver.save(&state, objective.carried());
        }
        if state.best.as_ref().is_none_or(|best| best.validation.is_none()) {
            let network = state.average.current(state.network());
            // The step before the stop may have been the one that diverged.
            if weight_norm(&network) <= LARGEST {
                let validation = objective.validate(&[&network]);
                state.best = Some(Best { network, epoch, validation });
            }
        }
    }
    context.progress.finished();
    let epochs = state.place.epoch;
    match state.best {
        Some(Best { network, epoch, validation }) => {
            Outcome { network: Some(network), epoch, validation, end, epochs, saved }
        }
        None => Outcome { network: None, epoch: 0, validation: None, end, epochs, saved },
    }
}

/// The mean loss of a batch, what it divides by, and its gradients, which are those of its parts, summed. No gradients
/// where the loss is no finite number.
fn differentiate<O: Objective>(
    objective: &O,
    network: &O::Network,
    (batch, epoch): (&[usize], usize),
    rng: &mut ChaCha8Rng,
) -> ((f64, f64), Option<GradientsParams>) {
    let of_loss = |share: Tensor<1>| {
        let value = f64::from(share.clone().into_scalar::<f32>());
        // The graph holds on to weights, which the optimiser can change in place only when it holds them alone: it goes
        // here, with the loss.
        let gradients = value.is_finite().then(|| GradientsParams::from_grads(share.backward(), network));
        (value, gradients)
    };
    let parts = objective.parts(batch);
    if parts.len() == 1 {
        let Loss { share, weight } = objective.loss(network, batch, batch, epoch, rng);
        let (value, gradients) = of_loss(share);
        return ((value, weight), gradients);
    }
    let (mut sum, mut gradients) = ((0.0, 0.0), GradientsAccumulator::new());
    for part in parts {
        let Loss { share, weight } = objective.loss(network, &part, batch, epoch, rng);
        let (value, of_part) = of_loss(share);
        sum = (sum.0 + value, sum.1 + weight);
        match of_part {
            Some(of_part) => gradients.accumulate(network, of_part),
            None => return ((value, weight), None),
        }
    }
    (sum, Some(gradients.grads()))
}

/// One seed per step, far apart for neighbouring seeds, epochs and steps (SplitMix64, Steele 2014). So nothing random has
/// to be kept from one step to the next.
pub(crate) fn step_seed(seed: u64, epoch: usize, step: usize) -> u64 {
    mixed(mixed(seed, epoch as u64), step as u64)
}

fn mixed(seed: u64, number: u64) -> u64 {
    let mut z = seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn weight_norm<M: Module>(model: &M) -> f64 {
    struct Norm(f64);
    impl burn::module::ModuleVisitor for Norm {
        fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
            self.0 += squared_norm(param.val());
        }
    }
    let mut norm = Norm(0.0);
    model.visit(&mut norm);
    norm.0.sqrt()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_step_has_a_seed_of_its_own() {
        let seeds = (0..3).flat_map(|seed| (1..40).flat_map(move |epoch| (1..40).map(move |step| (seed, epoch, step))));
        let seeds: Vec<u64> = seeds.map(|(seed, epoch, step)| step_seed(seed, epoch, step)).collect();
        assert_eq!(seeds.iter().collect::<HashSet<_>>().len(), seeds.len());
    }
}
