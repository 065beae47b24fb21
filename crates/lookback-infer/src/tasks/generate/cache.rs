//! A cache of what a text has said (Grave 2017, "Improving Neural Language Models with a Continuous Cache"): where a state is like an
//! earlier one of the same text, what came after that one is likelier.

use std::collections::{HashMap, VecDeque};

use crate::error::{PlanError, plan};

/// The most steps that are kept.
const MOST: usize = 1 << 20;

/// How a cache is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CachePlan {
    /// How many of the last steps of a text are kept.
    pub steps: usize,
    /// The share of the cache in every probability, `λ`.
    pub weight: f64,
    /// By what the products of two states are multiplied, `θ`: the larger, the more alike states must be.
    pub sharpness: f64,
}

impl CachePlan {
    /// So many steps; the paper's weight and sharpness for words where nothing is said of them.
    ///
    /// # Errors
    /// If a value is none that a cache can have, or something is said of a cache that there is not.
    pub fn new(
        steps: Option<usize>,
        weight: Option<f64>,
        sharpness: Option<f64>,
    ) -> Result<Option<CachePlan>, PlanError> {
        let Some(steps) = steps else {
            let said = [("cache-weight", weight.is_some()), ("cache-sharpness", sharpness.is_some())];
            return match said.into_iter().find(|(_, said)| *said) {
                Some((option, _)) => Err(PlanError::conflict(option, "needs --cache")),
                None => Ok(None),
            };
        };
        let cache = CachePlan { steps, weight: weight.unwrap_or(0.1), sharpness: sharpness.unwrap_or(0.3) };
        plan::size("cache", steps, MOST)?;
        plan::below_one("cache-weight", cache.weight)?;
        plan::not_negative("cache-sharpness", cache.sharpness)?;
        Ok(Some(cache))
    }
}

/// The last steps of one text.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    plan: CachePlan,
    /// States, each with the token that came after it.
    kept: VecDeque<(Vec<f32>, u32)>,
}

impl Cache {
    pub(super) fn new(plan: CachePlan) -> Cache {
        Cache { plan, kept: VecDeque::new() }
    }

    /// The log-probability of the token that came after `state`, and whether it was the likeliest, where the networks have these
    /// log-probabilities; the token is kept.
    pub(super) fn score(&mut self, state: &[f32], log_probabilities: &[f32], token: u32) -> (f64, bool) {
        let shares = self.shares(state);
        let weight = if shares.is_empty() { 0.0 } else { self.plan.weight };
        let mixed = |token: u32, own: f32| {
            (1.0 - weight) * f64::from(own).exp() + weight * shares.get(&token).copied().unwrap_or(0.0)
        };
        let wanted = mixed(token, log_probabilities[token as usize]);
        let tokens = (0..).zip(log_probabilities);
        let is_likeliest = tokens.into_iter().all(|(other, &own)| mixed(other, own) <= wanted);
        if self.kept.len() == self.plan.steps {
            self.kept.pop_front();
        }
        self.kept.push_back((state.to_vec(), token));
        (wanted.ln(), is_likeliest)
    }

    /// The probability that the cache gives to every token in it.
    fn shares(&self, state: &[f32]) -> HashMap<u32, f64> {
        let product = |kept: &[f32]| -> f64 {
            let sum: f32 = kept.iter().zip(state).map(|(a, b)| a * b).sum();
            self.plan.sharpness * f64::from(sum)
        };
        let products: Vec<f64> = self.kept.iter().map(|(kept, _)| product(kept)).collect();
        let largest = products.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = products.iter().map(|product| (product - largest).exp()).collect();
        let sum: f64 = powers.iter().sum();
        let mut shares = HashMap::new();
        for ((_, token), power) in self.kept.iter().zip(powers) {
            *shares.entry(*token).or_insert(0.0) += power / sum;
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_after_a_state_alike_is_likelier() {
        let plan = CachePlan { steps: 2, weight: 0.5, sharpness: 3.0f64.ln() };
        let mut cache = Cache::new(plan);
        let even = [0.25f32.ln(); 4];
        // Nothing is kept yet: what the networks say.
        let (first, _) = cache.score(&[1.0, 0.0], &even, 2);
        assert!((first - 0.25f64.ln()).abs() < 1e-6);
        let (second, is_likeliest) = cache.score(&[0.0, 1.0], &even, 3);
        assert!((second - 0.125f64.ln()).abs() < 1e-6 && !is_likeliest, "the one that is kept is another");
        // Of the states that are kept the first is like this one: three to one.
        let (third, is_likeliest) = cache.score(&[1.0, 0.0], &even, 2);
        assert!((third - (0.125f64 + 0.5 * 0.75).ln()).abs() < 1e-6 && is_likeliest, "{third}");
        // The first has gone.
        let (fourth, _) = cache.score(&[0.0, 1.0], &even, 3);
        assert!((fourth - (0.125f64 + 0.5 * 0.75).ln()).abs() < 1e-6, "{fourth}");
    }

    #[test]
    fn a_cache_that_is_none_is_refused() {
        assert_eq!(CachePlan::new(None, None, None), Ok(None));
        let told = |steps, weight, sharpness| CachePlan::new(steps, weight, sharpness).unwrap_err().to_string();
        assert_eq!(told(None, Some(0.1), None), "--cache-weight needs --cache");
        assert!(told(Some(0), None, None).starts_with("--cache is 0"));
        assert!(told(Some(9), Some(1.0), None).starts_with("--cache-weight is 1"));
        assert!(told(Some(9), None, Some(-1.0)).starts_with("--cache-sharpness is -1"));
    }
}
