//! The negative binomial distribution: counts that vary more than their mean tells.

use statrs::function::gamma::{digamma, ln_gamma};

use super::incomplete_beta::regularized;
use super::normal;

/// Means from which on the quantiles are those of a normal distribution of the same mean and variance, rounded down: single
/// precision does not tell one count from the next there.
const NEARLY_NORMAL: f64 = 1e9;

/// The negative binomial distribution of mean `μ` and variance `μ + α μ²` (Salinas 2020, DeepAR, section 3.1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NegativeBinomial {
    /// `μ`, above 0.
    pub mean: f64,
    /// `α`, above 0; towards 0 it is Poisson's distribution.
    pub dispersion: f64,
}

impl NegativeBinomial {
    /// Minus the logarithm of the probability of a count, and its gradient with respect to mean and dispersion.
    pub fn cost(&self, count: f64) -> (f64, [f64; 2]) {
        let NegativeBinomial { mean, dispersion } = *self;
        let shape = 1.0 / dispersion;
        let product = dispersion * mean;
        let log = product.ln_1p();
        let chosen = ln_gamma(count + shape) - ln_gamma(count + 1.0) - ln_gamma(shape);
        let cost = shape * log - count * (product.ln() - log) - chosen;
        let of_mean = (mean - count) / (mean * (1.0 + product));
        let of_dispersion =
            shape * shape * (digamma(count + shape) - digamma(shape) - log) + shape * (mean - count) / (1.0 + product);
        (cost, [of_mean, of_dispersion])
    }

    /// The probability of a count and all below it.
    pub(super) fn up_to(&self, count: f64) -> f64 {
        let product = self.dispersion * self.mean;
        let (success, failure) = (1.0 / (1.0 + product), product / (1.0 + product));
        regularized(1.0 / self.dispersion, count + 1.0, success, failure)
    }

    /// The quantile at a level between 0 and 1: the smallest count with at least as much probability up to it.
    pub fn quantile(&self, level: f64) -> f64 {
        let deviation = (self.mean * (1.0 + self.dispersion * self.mean)).sqrt();
        if self.mean > NEARLY_NORMAL {
            return (self.mean + deviation * normal::quantile(level)).floor().max(0.0);
        }
        let (mut below, mut up) = (-1.0, self.mean.floor());
        let mut step = deviation.floor().max(1.0);
        while self.up_to(up) < level && step < f64::MAX / 4.0 {
            (below, up) = (up, up + step);
            step *= 2.0;
        }
        // What is looked for is above `below` and at most `up`. Beyond 2^53 counts have no halves.
        while up - below > 1.0 {
            let middle = below + ((up - below) / 2.0).floor();
            if middle <= below || middle >= up {
                break;
            }
            if self.up_to(middle) < level { below = middle } else { up = middle }
        }
        up
    }
}
