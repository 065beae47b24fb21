//! What is counted of a single step, and the sums of it.

use super::figures::{Figures, Mean};
use super::forecast_scores::Interval;
use super::seasonal_scale::SeasonalScale;

/// What was forecast for a step, and what came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<'a> {
    /// What came; it is known.
    pub(super) actual: f32,
    /// The point forecast.
    pub(super) mean: f32,
    /// `[N]`, the forecast quantiles, or empty.
    pub(super) quantiles: &'a [f32],
}

/// Sums over steps: as means, and as they are.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    /// The mean of every figure.
    pub(super) means: Figures<Mean>,
    /// What is no mean.
    pub(super) totals: Totals,
}

/// What is summed, for counts and for ratios of sums.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    /// Steps that were judged.
    pub(super) steps: usize,
    /// Those among them whose actual value is 0.
    pub(super) zeros: usize,
    /// The absolute errors.
    pub(super) errors: f64,
    /// The absolute actual values.
    pub(super) actuals: f64,
}

impl Step<'_> {
    /// The errors of the step into `to`, squares in the place of their roots, and what they add to the totals.
    /// levels: `[N]`. to: of as many quantiles and intervals.
    pub(super) fn judge(
        &self,
        scale: Option<SeasonalScale>,
        levels: &[f64],
        intervals: &[Interval],
        to: &mut Figures<Option<f64>>,
    ) -> Totals {
        let actual = f64::from(self.actual);
        let mean = f64::from(self.mean);
        let error = (actual - mean).abs();
        let both = actual.abs() + mean.abs();
        to.mae = Some(error);
        to.rmse = Some(error * error);
        to.mape = (actual != 0.0).then(|| error / actual.abs());
        to.smape = Some(if both == 0.0 { 0.0 } else { 200.0 * error / both });
        to.mase = scale.map(|scale| error / scale.absolute);
        to.rmsse = scale.map(|scale| error * error / scale.squared);
        let quantile = |place: usize| self.quantiles.get(place).map(|&value| f64::from(value));
        for (place, (to, &level)) in to.pinball.iter_mut().zip(levels).enumerate() {
            *to = quantile(place).map(|quantile| pinball(actual, quantile, level));
        }
        for (place, interval) in intervals.iter().enumerate() {
            let bounds = quantile(interval.low).zip(quantile(interval.high));
            to.coverage[place] = bounds.map(|(low, high)| f64::from(u8::from(low <= actual && actual <= high)));
            to.width[place] = bounds.map(|(low, high)| high - low);
        }
        Totals { steps: 1, zeros: usize::from(actual == 0.0), errors: error, actuals: actual.abs() }
    }
}

/// The loss that a quantile is the least of (Koenker and Bassett 1978): what is above it weighs `level`, what is below the rest.
fn pinball(actual: f64, quantile: f64, level: f64) -> f64 {
    let above = actual - quantile;
    if above >= 0.0 { level * above } else { (level - 1.0) * above }
}

impl Sums {
    /// Of nothing yet.
    pub(super) fn new(quantiles: usize, intervals: usize) -> Sums {
        Sums { means: Figures::new(quantiles, intervals), totals: Totals::default() }
    }

    /// Counts the figures, and what they add to the totals.
    pub(super) fn add(&mut self, figures: &Figures<Option<f64>>, totals: Totals) {
        self.means.add(figures);
        self.totals.steps += totals.steps;
        self.totals.zeros += totals.zeros;
        self.totals.errors += totals.errors;
        self.totals.actuals += totals.actuals;
    }

    /// Forgets what was counted.
    pub(super) fn clear(&mut self) {
        self.means.clear();
        self.totals = Totals::default();
    }
}
