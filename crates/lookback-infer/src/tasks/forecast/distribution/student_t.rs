//! Student's t distribution, moved and scaled: heavier tails than the normal one has.

use statrs::distribution::{ContinuousCDF, StudentsT};
use statrs::function::gamma::{digamma, ln_gamma};

use super::incomplete_beta::regularized;
use super::normal;

/// Degrees of freedom from which on the distribution is taken for the normal one, from which it then differs by less than 1e-6 of
/// its scale within five of them.
const NEARLY_NORMAL: f64 = 1e8;
/// Those up to which statrs finds quantiles; above, the search begins at that of the normal distribution.
const MOST_FOUND: f64 = 1e4;

/// Student's t distribution with a location and a scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StudentT {
    /// Where it is symmetric, and its mean where it has one.
    pub location: f64,
    /// Above 0.
    pub scale: f64,
    /// Degrees of freedom, above 0; above 2 there is a variance.
    pub freedom: f64,
}

impl StudentT {
    /// Minus the logarithm of the density at a value, and its gradient with respect to location, scale and degrees of freedom.
    pub fn cost(&self, value: f64) -> (f64, [f64; 3]) {
        let StudentT { location, scale, freedom } = *self;
        let z = (value - location) / scale;
        let (half, half_more, square) = (0.5 * freedom, 0.5 * (freedom + 1.0), z * z);
        let tail = (square / freedom).ln_1p();
        let norm = ln_gamma(half) - ln_gamma(half_more) + 0.5 * (freedom * std::f64::consts::PI).ln();
        // What a unit of z² pulls.
        let pull = (freedom + 1.0) / (freedom + square);
        let of_freedom = 0.5 * (digamma(half) - digamma(half_more) + 1.0 / freedom + tail - pull * square / freedom);
        let gradient = [-pull * z / scale, (1.0 - pull * square) / scale, of_freedom];
        (scale.ln() + norm + half_more * tail, gradient)
    }

    /// The quantile at a level between 0 and 1.
    pub fn quantile(&self, level: f64) -> f64 {
        let below = level.min(1.0 - level);
        let distance = match level {
            0.5 => 0.0,
            _ if self.freedom >= NEARLY_NORMAL => -normal::quantile(below),
            _ => self.standard_distance(below),
        };
        self.location + self.scale * distance.copysign(level - 0.5)
    }

    /// How far below the location the quantile at a level below a half lies, in scales.
    fn standard_distance(&self, level: f64) -> f64 {
        let freedom = self.freedom;
        let standard = StudentsT::new(0.0, 1.0, freedom).ok().filter(|_| freedom < MOST_FOUND);
        let start = standard.map_or_else(|| normal::quantile(level), |standard| standard.inverse_cdf(level));
        let own = StudentT { location: 0.0, scale: 1.0, freedom };
        // Statrs gives six digits; each of Newton's steps doubles them.
        (0..2).fold(-start, |distance, _| {
            let whole = freedom + distance * distance;
            let tail = 0.5 * regularized(0.5 * freedom, 0.5, freedom / whole, distance * distance / whole);
            distance + (tail - level) / (-own.cost(distance).0).exp()
        })
    }
}
