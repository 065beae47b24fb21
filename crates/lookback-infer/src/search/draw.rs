//! Draws a token from a row of log-probabilities.

use lookback_kernels::simd::math;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

use super::error::Fault;
use super::plan::Sampling;
use super::top::largest;

/// Buffers for a draw.
#[derive(Debug, Default)]
pub(super) struct Draw {
    /// `[V]`: the probabilities, before they are made to sum to one.
    weights: Vec<f32>,
    /// Tokens, of which the first are the likeliest, in their order.
    order: Vec<u32>,
}

/// Tokens that are sorted at first where nobody knows how many are needed.
const SORTED_AT_FIRST: usize = 64;

impl Draw {
    /// A token of the row `[V]`; nothing where none can come. seen: what the repetition penalty is for.
    pub(super) fn token(
        &mut self,
        how: &Sampling,
        row: &[f32],
        normalizer: f32,
        seen: &[u32],
        rng: &mut ChaCha8Rng,
    ) -> Result<Option<u32>, Fault> {
        largest(row, 0)?;
        // A decoder may have tokens that other rows alone can have; no bit may depend on how many those are.
        let possible = row.iter().rposition(|&token| token > f32::NEG_INFINITY).map_or(0, |last| last + 1);
        let row = &row[..possible];
        self.weights.clear();
        self.weights.extend_from_slice(row);
        if how.repetition_penalty != 1.0 {
            if !normalizer.is_finite() {
                return Err(Fault::Normalizer(normalizer));
            }
            self.penalize(how.repetition_penalty, normalizer, seen);
        }
        let Some(most) = self.weights.iter().copied().reduce(f32::max).filter(|&most| most > f32::NEG_INFINITY) else {
            return Ok(None);
        };
        if how.temperature == 0.0 {
            return Ok(self.weights.iter().position(|&weight| weight == most).map(|token| token as u32));
        }
        self.weights.iter_mut().for_each(|weight| *weight = (*weight - most) / how.temperature);
        math::exp(&mut self.weights);
        let place = uniform(rng);
        Ok(match how.top_k.is_some_and(|top_k| top_k < row.len()) || how.top_p < 1.0 {
            true => self.among_the_likeliest(how, place),
            false => {
                // Whoever is left out counts as nothing; the likeliest has weight 1.
                let floor = how.min_p.max(f32::MIN_POSITIVE);
                let weights = self.weights.iter().enumerate().filter(|(_, weight)| **weight >= floor);
                pick(weights.map(|(token, &weight)| (token as u32, weight)), place)
            }
        })
    }

    /// Keskar 2019, eq. 3, but negative logits are multiplied, for divided they would be likelier, as Hugging Face does.
    fn penalize(&mut self, penalty: f32, normalizer: f32, seen: &[u32]) {
        for &token in seen {
            let Some(weight) = self.weights.get_mut(token as usize) else { continue };
            let logit = *weight + normalizer;
            *weight = if logit > 0.0 { logit / penalty } else { logit * penalty } - normalizer;
        }
    }

    /// top-k, then top-p, then min-p: each leaves some of the likeliest, so the strictest one says how many.
    fn among_the_likeliest(&mut self, how: &Sampling, place: f64) -> Option<u32> {
        let Self { weights, order } = self;
        order.clear();
        order.extend((0..weights.len() as u32).filter(|&token| weights[token as usize] > 0.0));
        let top_k = how.top_k.unwrap_or(order.len()).min(order.len());
        let mass = match how.top_k {
            Some(_) => mass(sort_first(order, weights, top_k), weights),
            None => mass(order, weights),
        };
        let mut sorted = if how.top_k.is_some() { top_k } else { 0 };
        let needed = how.top_p * mass;
        let kept = loop {
            if let Some(kept) = reaching(&order[..sorted], weights, needed) {
                break kept;
            }
            if sorted == top_k {
                break sorted;
            }
            sorted = (sorted * 8).clamp(SORTED_AT_FIRST, order.len().max(SORTED_AT_FIRST)).min(top_k);
            sort_first(order, weights, sorted);
        };
        let kept = order[..kept].iter().map(|&token| (token, weights[token as usize]));
        let floor = how.min_p;
        pick(kept.filter(move |&(_, weight)| weight >= floor), place)
    }
}

/// How many tokens have so much weight together.
fn reaching(order: &[u32], weights: &[f32], needed: f64) -> Option<usize> {
    let mut sum = 0.0;
    let place = order.iter().position(|&token| {
        sum += f64::from(weights[token as usize]);
        sum >= needed
    });
    place.map(|place| place + 1)
}

/// Brings the `first` likeliest tokens to the front, in their order; of two that are as likely the lower goes first.
fn sort_first<'a>(order: &'a mut [u32], weights: &[f32], first: usize) -> &'a [u32] {
    let compare = |a: &u32, b: &u32| weights[*b as usize].total_cmp(&weights[*a as usize]).then(a.cmp(b));
    if first < order.len() {
        order.select_nth_unstable_by(first, compare);
    }
    let first = &mut order[..first];
    first.sort_unstable_by(compare);
    first
}

fn mass(order: &[u32], weights: &[f32]) -> f64 {
    order.iter().map(|&token| f64::from(weights[token as usize])).sum()
}

/// The token at this share of all weight.
fn pick(tokens: impl Iterator<Item = (u32, f32)> + Clone, share: f64) -> Option<u32> {
    let needed = share * tokens.clone().map(|(_, weight)| f64::from(weight)).sum::<f64>();
    let (mut sum, mut last) = (0.0, None);
    for (token, weight) in tokens {
        sum += f64::from(weight);
        last = Some(token);
        if sum > needed {
            break;
        }
    }
    last
}

/// From 0 to below 1, with all the bits that such a number has.
fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    const PLAIN: Sampling =
        Sampling { count: 1, temperature: 1.0, top_k: None, top_p: 1.0, min_p: 0.0, repetition_penalty: 1.0, seed: 0 };

    /// All tokens that come out in so many draws.
    fn drawn(how: &Sampling, row: &[f32], draws: usize) -> BTreeSet<u32> {
        let (mut draw, mut rng) = (Draw::default(), ChaCha8Rng::seed_from_u64(3));
        (0..draws).filter_map(|_| draw.token(how, row, 0.0, &[], &mut rng).unwrap()).collect()
    }

    #[test]
    fn only_what_is_likely_enough_is_drawn_and_all_of_it() {
        let row = [0.0625f32, 0.5, 0.0625, 0.125, 0.25, 0.0].map(f32::ln);
        let cases: [(Sampling, &[u32]); 12] = [
            (PLAIN, &[0, 1, 2, 3, 4]),
            (Sampling { top_k: Some(1), ..PLAIN }, &[1]),
            (Sampling { top_k: Some(4), ..PLAIN }, &[0, 1, 3, 4]),
            (Sampling { top_k: Some(100), ..PLAIN }, &[0, 1, 2, 3, 4]),
            (Sampling { top_p: 0.01, ..PLAIN }, &[1]),
            (Sampling { top_p: 0.7, ..PLAIN }, &[1, 4]),
            (Sampling { top_p: 0.76, ..PLAIN }, &[1, 3, 4]),
            (Sampling { min_p: 0.2, ..PLAIN }, &[1, 3, 4]),
            (Sampling { min_p: 1.0, ..PLAIN }, &[1]),
            // Of the two likeliest, whose mass is 0.75, the first has less than 0.7 and more than 0.6.
            (Sampling { top_k: Some(2), top_p: 0.6, ..PLAIN }, &[1]),
            (Sampling { top_k: Some(3), top_p: 0.99, min_p: 0.4, ..PLAIN }, &[1, 4]),
            // At half the temperature probabilities are squared: 0.75 of all is the first.
            (Sampling { top_p: 0.7, temperature: 0.5, ..PLAIN }, &[1]),
        ];
        for (how, expected) in cases {
            assert_eq!(drawn(&how, &row, 3000), expected.iter().copied().collect(), "{how:?}");
        }
    }

    #[test]
    fn of_many_that_are_as_likely_the_lower_ones_are_kept() {
        let row = [-(1000f32.ln()); 1000];
        assert_eq!(drawn(&Sampling { top_p: 0.5, ..PLAIN }, &row, 20_000), (0..500).collect());
        assert_eq!(drawn(&Sampling { top_k: Some(70), ..PLAIN }, &row, 2000), (0..70).collect());
    }

    #[test]
    fn a_token_that_came_before_loses_by_its_logit() {
        // Logits 2, 1 and -1 with a normaliser of 3: of those seen, 2 becomes 1 and -1 becomes -2.
        let (mut draw, mut rng) = (Draw::default(), ChaCha8Rng::seed_from_u64(3));
        let how = Sampling { repetition_penalty: 2.0, ..PLAIN };
        draw.token(&how, &[-1.0, -2.0, -4.0], 3.0, &[0, 2, 900], &mut rng).unwrap();
        for (weight, expected) in draw.weights.iter().zip([1.0, 1.0, (-3.0f32).exp()]) {
            assert!((weight - expected).abs() < 1e-6, "{:?}", draw.weights);
        }
    }
}
