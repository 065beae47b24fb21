//! Scheduled sampling: while it trains, a decoder reads now and then what it would have written itself, as it will when it
//! answers (Bengio 2015).
//!
//! The fused operation goes through a target whose tokens are all known, so both passes of the parallel form are known ones
//! (Mihaylova and Martins 2019, section 3; Duckworth 2019, "parallel scheduled sampling", one pass of theirs): the first reads
//! the right tokens, keeps no gradients and drops nothing; of what it gives at a step a token is drawn, which with the chance
//! of the epoch takes the place of the right one before the next step; the second pass trains on that. What is wanted of each
//! step stays the right token. A step that reads a drawn token was preceded by right ones when it was drawn: that is where the
//! parallel form differs from Bengio's.

use burn::module::Module;
use burn::tensor::Device;
use clap::{Args, ValueEnum};
use lookback_infer::error::PlanError;
use lookback_infer::input::Batch;
use lookback_infer::input::vocabulary::PAD;
use lookback_infer::input::written::WrittenText;
use lookback_infer::tasks::translate::Targets;
use lookback_nn::Error;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::network::Network;

/// The names of the options.
pub(super) const NAMES: [&str; 2] = ["scheduled-sampling", "sampling-schedule"];

/// Whether a decoder reads its own tokens while it trains, as a person types it.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Training")]
pub struct SamplingOptions {
    /// Chance, in the last epoch, that a step reads a token that the model draws itself in place of the right one (scheduled
    /// sampling, Bengio 2015, in two parallel passes, of which the first has no gradients) [default: 0]
    #[arg(long, value_name = "P")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_sampling: Option<f64>,
    /// How that chance rises from 0 in the first epoch [default: linear]
    #[arg(long, value_enum, value_name = "HOW")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling_schedule: Option<SamplingSchedule>,
}

/// How a chance rises from 0 in the first epoch to what it is in the last (Bengio 2015, section 2.4, whose schedules are of
/// the chance that the right token is read).
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[value(rename_all = "kebab-case")]
pub enum SamplingSchedule {
    /// By the same in every epoch
    #[default]
    Linear,
    /// Fast at first: the way that is left is a hundredth of itself in the end
    Exponential,
    /// Slowly at first and in the end
    InverseSigmoid,
}

/// Scheduled sampling, checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SamplingPlan {
    /// In the last epoch.
    chance: f64,
    schedule: SamplingSchedule,
}

/// How much of the way is left at the end of the exponential schedule, before it is stretched to end where it should.
const LEFT: f64 = 0.01;
/// How steep the sigmoid is over the training.
const STEEPNESS: f64 = 10.0;

impl SamplingPlan {
    /// Checks options; `None` where nothing is sampled.
    ///
    /// # Errors
    /// If the chance is none, or there is a schedule of nothing.
    pub(super) fn new(options: &SamplingOptions) -> Result<Option<SamplingPlan>, PlanError> {
        let chance = options.scheduled_sampling.unwrap_or(0.0);
        if !(0.0..=1.0).contains(&chance) {
            return Err(PlanError::value("scheduled-sampling", chance, "from 0 to 1"));
        }
        match (chance > 0.0, options.sampling_schedule) {
            (true, schedule) => Ok(Some(SamplingPlan { chance, schedule: schedule.unwrap_or_default() })),
            (false, None) => Ok(None),
            (false, Some(_)) => Err(PlanError::conflict(
                "sampling-schedule",
                "needs --scheduled-sampling above 0, whose chance it is of",
            )),
        }
    }

    /// The chance in epoch number `epoch`, from 1, of so many.
    pub(super) fn chance(self, epoch: usize, epochs: usize) -> f64 {
        // A single epoch is the last one.
        let way = if epochs > 1 { (epoch - 1) as f64 / (epochs - 1) as f64 } else { 1.0 };
        let sigmoid = |way: f64| 1.0 / (1.0 + (STEEPNESS * (0.5 - way)).exp());
        let share = match self.schedule {
            SamplingSchedule::Linear => way,
            SamplingSchedule::Exponential => (1.0 - LEFT.powf(way)) / (1.0 - LEFT),
            SamplingSchedule::InverseSigmoid => (sigmoid(way) - sigmoid(0.0)) / (sigmoid(1.0) - sigmoid(0.0)),
        };
        self.chance * share
    }

    /// As a model keeps it among the options of its training.
    pub(super) fn put(self, options: &mut Value) {
        (options[NAMES[0]], options[NAMES[1]]) = (json!(self.chance), json!(self.schedule));
    }
}

impl SamplingOptions {
    /// Those that a model keeps of its training.
    pub(super) fn of(training: &Map<String, Value>) -> SamplingOptions {
        let schedule = training.get(NAMES[1]).and_then(|schedule| serde_json::from_value(schedule.clone()).ok());
        SamplingOptions {
            scheduled_sampling: training.get(NAMES[0]).and_then(Value::as_f64),
            sampling_schedule: schedule,
        }
    }
}

/// Replaces tokens that steps read by those that the network draws where they stand, each with this chance. `device`: of the
/// network, with autodiff.
///
/// # Errors
/// If the batch or the targets were made for another network.
pub(super) fn replace_by_drawn(
    targets: &mut Targets<'_>,
    (network, device): (&Network, &Device),
    batch: &Batch,
    text: &WrittenText,
    chance: f64,
    rng: &mut ChaCha8Rng,
) -> Result<(), Error> {
    let mut chosen = Vec::new();
    let mut first = 0;
    for row in 0..targets.rows() {
        let steps = targets.length(row);
        // Step t reads what step t - 1 has given; the first reads what every target begins with.
        for t in 1..steps {
            if rng.random_bool(chance) {
                chosen.push((row, t, first + t - 1));
            }
        }
        first += steps;
    }
    if chosen.is_empty() {
        return Ok(());
    }
    let logits = network.valid().forward(batch, targets, &device.clone().inner())?;
    let [_, vocabulary] = logits.dims();
    let logits: Vec<f32> = logits.into_data().try_into_vec().expect("logits are of 32 bits");
    // What stands before a step goes on.
    let never = [PAD, text.bos(), text.eos()];
    let places: Vec<f64> = chosen.iter().map(|_| rng.random()).collect();
    let of_step = |(&(_, _, step), place): (&(usize, usize, usize), f64)| {
        draw(&logits[step * vocabulary..][..vocabulary], &never, place)
    };
    let drawn: Vec<Option<u32>> = chosen.par_iter().zip(places).map(of_step).collect();
    for ((row, t, _), token) in chosen.into_iter().zip(drawn) {
        token.into_iter().for_each(|token| targets.replace(row, t, token));
    }
    Ok(())
}

/// A token by the softmax of these logits, none of `never`; `place`, from 0 to 1, decides. `None` where numbers overflow.
fn draw(logits: &[f32], never: &[u32], place: f64) -> Option<u32> {
    let mut weights: Vec<f64> = logits.iter().copied().map(f64::from).collect();
    for &token in never {
        weights[token as usize] = f64::NEG_INFINITY;
    }
    let most = weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    weights.iter_mut().for_each(|weight| *weight = (*weight - most).exp());
    let sum: f64 = weights.iter().sum();
    if !sum.is_finite() {
        return None;
    }
    let mut left = place * sum;
    let mut last = None;
    for (token, weight) in weights.into_iter().enumerate().filter(|(_, weight)| *weight > 0.0) {
        last = Some(token as u32);
        left -= weight;
        if left < 0.0 {
            break;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chance_rises_from_nothing_to_what_was_asked_for() {
        for schedule in [SamplingSchedule::Linear, SamplingSchedule::Exponential, SamplingSchedule::InverseSigmoid] {
            let plan = SamplingPlan { chance: 0.4, schedule };
            let chances: Vec<f64> = (1..=9).map(|epoch| plan.chance(epoch, 9)).collect();
            assert!(chances[0].abs() < 1e-12 && (chances[8] - 0.4).abs() < 1e-12, "{schedule:?}: {chances:?}");
            assert!(chances.windows(2).all(|pair| pair[0] < pair[1]), "{schedule:?}: {chances:?}");
            let middle = match schedule {
                SamplingSchedule::Exponential => 0.4 * 0.9 / 0.99,
                _ => 0.2,
            };
            assert!((chances[4] - middle).abs() < 1e-12, "{schedule:?}: {chances:?}");
            assert_eq!(plan.chance(1, 1), 0.4);
        }
    }

    #[test]
    fn what_is_no_chance_and_a_schedule_of_nothing_are_refused() {
        let plan = |scheduled_sampling, sampling_schedule| {
            SamplingPlan::new(&SamplingOptions { scheduled_sampling, sampling_schedule })
        };
        for chance in [-0.1, 1.5, f64::NAN] {
            let error = plan(Some(chance), None).unwrap_err().to_string();
            assert!(error.contains("--scheduled-sampling") && error.contains("from 0 to 1"), "{error}");
        }
        for chance in [None, Some(0.0)] {
            let error = plan(chance, Some(SamplingSchedule::Linear)).unwrap_err().to_string();
            assert!(error.contains("--sampling-schedule") && error.contains("--scheduled-sampling"), "{error}");
        }
        assert_eq!(plan(Some(0.0), None).unwrap(), None);
        assert!(plan(Some(1.0), None).unwrap().is_some());
    }

    #[test]
    fn tokens_are_drawn_by_their_probabilities_and_none_that_ends() {
        let logits = [9.0, 0.0, 9.0, f32::ln(3.0), 9.0, f32::NEG_INFINITY];
        let drawn: Vec<u32> = (0..400).map(|at| draw(&logits, &[0, 2, 4], f64::from(at) / 400.0).unwrap()).collect();
        assert_eq!(drawn.iter().filter(|&&token| token == 1).count(), 100);
        assert_eq!(drawn.iter().filter(|&&token| token == 3).count(), 300);
        assert_eq!(draw(&[f32::NAN, 1.0], &[], 0.5), None);
        assert_eq!(draw(&[f32::NEG_INFINITY; 2], &[], 0.5), None);
    }
}
