//! What a text costs, token by token.

use super::network::Network;
use super::writer::{Said, Writer, WriterStates};

/// Candidates that are told of a position.
const CANDIDATES: usize = 5;

/// What a text costs, token by token; all but what it begins with.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scored {
    /// The log-probability of each token, in nats.
    pub(super) log_probabilities: Vec<f32>,
    /// How unsure the networks were before each token, in bits, where that was asked for.
    pub(super) entropies: Vec<f32>,
    /// The likeliest tokens at each place with their log-probabilities, the likeliest first, where that was asked for.
    pub(super) candidates: Vec<Vec<(u32, f32)>>,
}

impl Scored {
    /// The sum of all, in nats.
    pub(super) fn total(&self) -> f64 {
        self.log_probabilities.iter().copied().map(f64::from).sum()
    }
}

/// What these texts cost, each in tokens with what it begins with as the first; `whole`: whether entropies and candidates are
/// asked for; `states`: what was read before each, which go on to the last token; `None` where numbers overflow.
pub(super) fn score(
    networks: &[Network],
    states: &mut WriterStates,
    texts: &[&[u32]],
    whole: bool,
) -> Option<Vec<Scored>> {
    let writer = Writer::new(networks);
    let mut scored = vec![Scored::default(); texts.len()];
    writer.score(states, texts, |row, place, Said { log_probabilities, .. }| {
        let scored = &mut scored[row];
        scored.log_probabilities.push(log_probabilities[texts[row][place] as usize]);
        if whole {
            scored.entropies.push(entropy(log_probabilities));
            scored.candidates.push(likeliest(log_probabilities));
        }
    });
    // Nothing that can be asked for has a probability of zero unless sums overflow.
    let is_fine = scored.iter().flat_map(|scored| &scored.log_probabilities).all(|value| value.is_finite());
    is_fine.then_some(scored)
}

/// In bits.
fn entropy(log_probabilities: &[f32]) -> f32 {
    let nats: f64 = log_probabilities
        .iter()
        .filter(|value| **value > f32::NEG_INFINITY)
        .map(|&value| -f64::from(value).exp() * f64::from(value))
        .sum();
    (nats / std::f64::consts::LN_2) as f32
}

/// The likeliest tokens; of two that are as likely the lower goes first.
fn likeliest(log_probabilities: &[f32]) -> Vec<(u32, f32)> {
    let mut order: Vec<u32> = (0..log_probabilities.len() as u32).collect();
    let compare =
        |a: &u32, b: &u32| log_probabilities[*b as usize].total_cmp(&log_probabilities[*a as usize]).then(a.cmp(b));
    if order.len() > CANDIDATES {
        order.select_nth_unstable_by(CANDIDATES, compare);
        order.truncate(CANDIDATES);
    }
    order.sort_unstable_by(compare);
    order.into_iter().map(|token| (token, log_probabilities[token as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_tokens_that_are_as_likely_are_two_bits() {
        let even = [0.25f32.ln(); 4];
        assert!((entropy(&even) - 2.0).abs() < 1e-6);
        assert_eq!(entropy(&[0.0, f32::NEG_INFINITY]), 0.0);
        let tokens: Vec<u32> = likeliest(&even).into_iter().map(|(token, _)| token).collect();
        assert_eq!(tokens, [0, 1, 2, 3]);
        let many: Vec<f32> = (0..20).map(|i| -(((i * 7) % 20) as f32)).collect();
        let tokens: Vec<u32> = likeliest(&many).into_iter().map(|(token, _)| token).collect();
        assert_eq!(tokens, [0, 3, 6, 9, 12]);
    }
}
