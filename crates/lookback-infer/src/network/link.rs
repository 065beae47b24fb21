//! How logits become probabilities.

use lookback_kernels::simd::math;

use super::softmax::{cross_entropy, softmax};

/// How the logits of `N` classes become probabilities, and what these cost: the inverse link of generalised linear models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// One of the classes is right, and the probabilities sum to one.
    Softmax,
    /// Each class is right or not by itself.
    Sigmoid,
}

/// Probabilities below this count as this, so that their logarithm is a number.
const LEAST_PROBABILITY: f32 = 1e-30;
/// The largest number below one: probabilities above count as this, so that their odds are a number.
const LARGEST_PROBABILITY: f32 = 1.0 - f32::EPSILON / 2.0;

impl Link {
    /// Logits `[.., N]` as probabilities, safe from overflow. `classes`: `N`.
    pub fn probabilities(self, logits: &mut [f32], classes: usize) {
        match self {
            Link::Softmax => softmax(logits, classes),
            Link::Sigmoid => math::sigmoid(logits),
        }
    }

    /// A logit that has this probability; what is no number stays so.
    pub fn logit(self, probability: f32) -> f32 {
        let probability = if probability < LEAST_PROBABILITY { LEAST_PROBABILITY } else { probability };
        match self {
            Link::Softmax => probability.ln(),
            Link::Sigmoid => {
                let probability = if probability > LARGEST_PROBABILITY { LARGEST_PROBABILITY } else { probability };
                probability.ln() - (-probability).ln_1p()
            }
        }
    }

    /// What the logits `[N]` of an example cost that has these classes, in nats: the cross-entropy of the one class, or the
    /// mean over all classes of the binary cross-entropy. Classes past `N` have no logit and cost nothing.
    ///
    /// # Panics
    /// With [`Link::Softmax`] if the first class has no logit.
    pub(crate) fn cost(self, logits: &[f32], of: &[usize]) -> f64 {
        match self {
            Link::Softmax => cross_entropy(logits, of[0]),
            Link::Sigmoid => {
                let cost = |(class, &logit): (usize, &f32)| binary_cross_entropy(f64::from(logit), of.contains(&class));
                logits.iter().enumerate().map(cost).sum::<f64>() / logits.len().max(1) as f64
            }
        }
    }
}

/// `-ln σ(z)` where it is so, else `-ln σ(-z)`; safe from overflow.
fn binary_cross_entropy(logit: f64, is_so: bool) -> f64 {
    let wrong = if is_so { -logit } else { logit };
    wrong.max(0.0) + (-logit.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_by_themselves_have_probabilities_by_themselves() {
        let mut logits = [0.0, 3.0f32.ln(), -200.0, 200.0, f32::NAN];
        Link::Sigmoid.probabilities(&mut logits, 5);
        for (found, expected) in logits.iter().zip([0.5, 0.75, 0.0, 1.0]) {
            assert!((found - expected).abs() < 1e-6, "{logits:?}");
        }
        assert!(logits[4].is_nan());
    }

    #[test]
    fn a_logit_has_its_probability() {
        for probability in [0.001f32, 0.25, 0.5, 0.99] {
            for link in [Link::Softmax, Link::Sigmoid] {
                let other = [link.logit(probability), link.logit(1.0 - probability)];
                let mut logits = other;
                link.probabilities(&mut logits, 2);
                assert!((logits[0] - probability).abs() < 1e-6, "{link:?} {probability}: {other:?}");
            }
        }
        assert!([0.0, 1.0].iter().all(|&sure| Link::Sigmoid.logit(sure).is_finite()));
        assert!(Link::Sigmoid.logit(f32::NAN).is_nan() && Link::Softmax.logit(f32::NAN).is_nan());
    }

    #[test]
    fn several_classes_cost_the_mean_of_their_binary_cross_entropies() {
        // log_loss of scikit-learn for each class, and their mean.
        let cost = Link::Sigmoid.cost(&[2.0, -1.0, 0.5], &[0, 2, 7]);
        assert!((cost - 0.304_755_560_913_767_4).abs() < 1e-9, "{cost}");
        assert!((Link::Sigmoid.cost(&[1000.0, -1000.0], &[1]) - 1000.0).abs() < 1e-9);
        assert!((Link::Softmax.cost(&[1000.0, 1000.0], &[1]) - 2.0f64.ln()).abs() < 1e-12);
    }
}
