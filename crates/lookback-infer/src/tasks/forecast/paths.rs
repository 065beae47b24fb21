//! Paths of what may come: each step drawn from what is said of it after the steps drawn before it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::network::Network;
use super::plan::{Loss, NetworkPlan};
use super::window::{Window, batch};
use crate::error::{PlanError, counted};
use crate::model::Ask;

/// Paths of every target, each of all steps.
pub(super) type Paths = Vec<Vec<Vec<f32>>>;

/// The most paths of an answer.
const MOST_PATHS: usize = 10_000;

/// The most steps of all of them together.
const MOST_STEPS: usize = 4_000_000;

/// How many paths are asked for, and from which seed they are drawn.
///
/// # Errors
/// If the model draws none, or not so many.
pub(super) fn asked(plan: &NetworkPlan, ask: &Ask) -> Result<Option<(usize, u64)>, PlanError> {
    let seed = ask.search.seed;
    let Some(count) = ask.forecast.samples else {
        return match seed {
            Some(_) => Err(PlanError::conflict("seed", "is of what is drawn; a forecaster draws --samples")),
            None => Ok(None),
        };
    };
    if !(1..=MOST_PATHS).contains(&count) {
        return Err(PlanError::value("samples", count, format!("from 1 to {MOST_PATHS}")));
    }
    let most = MOST_STEPS / plan.window.horizon.max(1);
    if count > most {
        let ahead = counted(plan.window.horizon, "step");
        return Err(PlanError::value("samples", count, format!("at most {most} of {ahead} ahead")));
    }
    if ask.forecast.anomalies {
        return Err(PlanError::conflict("samples", "is of what may come, but --anomalies tells values that are known"));
    }
    if !plan.decoder.feedback {
        let problem =
            "needs steps that read the one before them; train with --decoder recurrent or luong, and --feedback";
        return Err(PlanError::conflict("samples", problem));
    }
    let says_more = match plan.output.loss {
        Loss::Quantile => plan.output.quantiles.len() > 1,
        loss => loss.has_quantiles(),
    };
    if !says_more {
        let problem = format!("needs more than a point, but the model has --loss {}", plan.output.loss.name());
        return Err(PlanError::conflict("samples", problem));
    }
    Ok(Some((count, seed.unwrap_or(0))))
}

/// Paths of every target, `[G]` of `[count]` of `[H]`, as they stand in the data: of several networks each as many as any other, but
/// for what is over. base: `[H, G]`, what points are added to in an answer, which paths move along with.
pub(super) fn of(networks: &[Network], (window, base): (&Window, &[f32]), (count, seed): (usize, u64)) -> Paths {
    let (inputs, ahead) = batch(&[window]);
    let scales: Vec<f64> = window.frames.iter().map(super::Frame::scale).collect();
    let targets = window.frames.len();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // In the middle of as many equal parts as such a number has: never 0, never 1.
    let mut level = || ((rng.next_u64() >> 12) as f64 + 0.5) / (1u64 << 52) as f64;
    let mut all = vec![Vec::with_capacity(count); targets];
    for (place, network) in networks.iter().enumerate() {
        let own = count / networks.len() + usize::from(place < count % networks.len());
        if own == 0 {
            break;
        }
        let paths = network.paths((&inputs, &ahead), own, &scales, &mut level);
        let paths = paths.unwrap_or_else(|| panic!("{} were asked of a network that draws none", counted(own, "path")));
        for path in paths.chunks_exact(window.base.len()) {
            for (target, all) in all.iter_mut().enumerate() {
                let step = |(at, value): (usize, &f32)| {
                    let place = at * targets + target;
                    let moved = value + (base[place] - window.base[place]);
                    window.frames[target].outward(window.origin + at, moved)
                };
                all.push(path.iter().skip(target).step_by(targets).enumerate().map(step).collect());
            }
        }
    }
    all
}
