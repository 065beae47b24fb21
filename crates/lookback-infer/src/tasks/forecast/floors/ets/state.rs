//! A form run over a series.

use super::super::seasons::Composition;
use super::form::Form;

/// Instead of a divisor nearer to 0; of values whose mean is about 1.
const NEAR_ZERO: f64 = 1e-10;
/// Of so many forecasts one logarithm is taken. More could overflow.
const PER_LOGARITHM: usize = 16;

/// How fast the states follow the values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Smoothing {
    /// Of the level.
    pub(super) alpha: f64,
    /// Of the slope; 0 without a trend.
    pub(super) beta: f64,
    /// Of the season; 0 without one.
    pub(super) gamma: f64,
    /// What is left of the slope in the next step; 1 if it is not damped.
    pub(super) phi: f64,
}

/// The states between two steps.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    /// What the level of the next step is expected to be.
    pub(super) level: f64,
    /// By how much that is more than the last step's level; 0 without a trend.
    pub(super) growth: f64,
    /// `[season]`, or a single 0 without one; `place` says which of them is the next step's.
    pub(super) seasons: Vec<f64>,
    /// From 0 to `season - 1`.
    pub(super) place: usize,
}

impl State {
    /// Takes the states over a series and gives what is minimised: twice the negative logarithm of the likelihood, without what is
    /// the same for all forms (HKOS, eq. 5.3). values: `[n]`. Infinite where it is not a number.
    pub(super) fn follow(&mut self, form: Form, smoothing: Smoothing, values: &[f64]) -> f64 {
        let Smoothing { alpha, beta, gamma, phi } = smoothing;
        let State { mut level, mut growth, ref mut seasons, mut place } = *self;
        let is_multiplicative = form.errors == Composition::Multiplicative;
        let (mut squares, mut logarithms) = (0.0, 0.0);
        for values in values.chunks(PER_LOGARITHM) {
            let mut product = 1.0;
            for &value in values {
                let season = seasons[place];
                // What the value says of the level without its season, and of the season without the level.
                let (forecast, of_level, of_season) = match form.seasons {
                    None => (level, value, 0.0),
                    Some(Composition::Additive) => (level + season, value - season, value - level),
                    Some(Composition::Multiplicative) => (level * season, ratio(value, season), ratio(value, level)),
                };
                let error = value - forecast;
                if is_multiplicative {
                    let share = ratio(error, forecast);
                    squares += share * share;
                    product *= forecast.abs().max(NEAR_ZERO);
                } else {
                    squares += error * error;
                }
                // HKOS, table 2.2, for whose errors `change` stands: l(t), then phi b(t), of which the next step's level is the sum.
                let change = of_level - level;
                let slope = growth + beta * change;
                growth = phi * slope;
                level += alpha * change + growth;
                seasons[place] = season + gamma * (of_season - season);
                place = if place + 1 == seasons.len() { 0 } else { place + 1 };
            }
            if is_multiplicative {
                logarithms += f64::ln(product);
            }
        }
        (self.level, self.growth, self.place) = (level, growth, place);
        let criterion = values.len() as f64 * squares.max(f64::MIN_POSITIVE).ln() + 2.0 * logarithms;
        if criterion.is_nan() { f64::INFINITY } else { criterion }
    }

    /// The forecasts from here (HKOS, table 2.1): `[steps]`.
    pub(super) fn ahead(&self, form: Form, phi: f64, steps: usize) -> Vec<f64> {
        let (mut level, mut growth) = (self.level, self.growth);
        let of_step = |season: &f64| {
            let forecast = match form.seasons {
                None => level,
                Some(Composition::Additive) => level + season,
                Some(Composition::Multiplicative) => level * season,
            };
            growth *= phi;
            level += growth;
            forecast
        };
        self.seasons.iter().cycle().skip(self.place).take(steps).map(of_step).collect()
    }
}

/// A ratio that is finite.
fn ratio(value: f64, by: f64) -> f64 {
    value / if by.abs() < NEAR_ZERO { NEAR_ZERO } else { by }
}
