//! Classic forecasts that need no network: what every forecaster is printed beside.
//!
//! Hyndman and Athanasopoulos, *Forecasting: Principles and Practice* (3rd edition, "FPP3" here), section 5.2, say why: a method
//! that does not beat the simple ones is not worth its trouble. `simple` has those of that section, `theta` the winner of the M3
//! competition, `ets` exponential smoothing with its form chosen by the data. What each gives is held to statsforecast 2.1.1, by
//! figures that `conformance/forecast_floors.py` writes; the functions' documentation says where this differs and how far.
//!
//! One series at a time, no state and no threads: whoever has many series runs them in parallel. ETS is what takes time, 6 ms a series
//! of a hundred months on a core of an AMD EPYC that others shared, Theta takes 0.02 ms and the others less than 1 µs;
//! `cargo test --release -p lookback-infer --lib floors -- --nocapture` measures it.

mod ets;
mod line;
mod nelder_mead;
pub(super) mod observed;
pub(super) mod seasons;
mod simple;
#[cfg(test)]
mod tests;
mod theta;

use serde::{Deserialize, Serialize};

use self::observed::Observed;

/// A classic forecast that needs no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Floor {
    /// The last value, for ever (FPP3, 5.2).
    Naive,
    /// The values of the last season again and again (FPP3, 5.2).
    #[serde(alias = "seasonal-naive")]
    SeasonalNaive,
    /// The straight line through the first and the last value (FPP3, 5.2).
    Drift,
    /// The mean of the last season's values, for ever: statsforecast's `WindowAverage` with the season as its window, so that with
    /// a season of 1 it is [`Floor::Naive`].
    #[serde(alias = "moving-average")]
    MovingAverage,
    /// The Theta method (Assimakopoulos and Nikolopoulos 2000; Hyndman and Billah 2003): simple exponential smoothing with half the
    /// slope of the trend as its drift, of a series whose season is taken out first if it has one.
    Theta,
    /// Exponential smoothing (Hyndman et al. 2008), with the errors, trend and season that have the lowest AICc.
    #[cfg_attr(feature = "clap", value(skip))]
    Ets,
}

impl Floor {
    /// All of them, the simplest first.
    pub const ALL: [Floor; 6] =
        [Floor::Naive, Floor::SeasonalNaive, Floor::Drift, Floor::MovingAverage, Floor::Theta, Floor::Ets];

    /// As JSON and options call it.
    pub fn name(self) -> &'static str {
        match self {
            Floor::Naive => "naive",
            Floor::SeasonalNaive => "seasonal_naive",
            Floor::Drift => "drift",
            Floor::MovingAverage => "moving_average",
            Floor::Theta => "theta",
            Floor::Ets => "ets",
        }
    }

    /// As people call it.
    pub fn title(self) -> &'static str {
        match self {
            Floor::Naive => "naive",
            Floor::SeasonalNaive => "seasonal naive",
            Floor::Drift => "drift",
            Floor::MovingAverage => "moving average",
            Floor::Theta => "Theta",
            Floor::Ets => "ETS",
        }
    }

    /// Forecasts the `horizon` steps behind a history, or nothing where the history is too short for it.
    ///
    /// history: `[T]`, the oldest value first, NaN where one is missing; an infinite one is missing, too. The result is
    /// `[horizon]`, never NaN and never infinite: what single precision cannot hold is its largest number. `season` is in steps; 0
    /// and 1 are none.
    ///
    /// Missing values: the seasonal naive forecast takes the last value that there is at each place of the season. For all others
    /// those before the first value are cut, those inside are on the straight line between their neighbours, and those behind the
    /// last value are forecast like the horizon.
    ///
    /// How much each needs, from the first value to the last: the naive forecast one value; the seasonal one a value at every place
    /// of the season; drift two; the moving average a season; Theta four and ETS seven, as in statsforecast, but one if all values
    /// are the same.
    pub fn forecast(self, history: &[f32], season: usize, horizon: usize) -> Option<Vec<f32>> {
        let season = season.max(1);
        let Observed { values, missing_behind } = Observed::of(history)?;
        let steps = missing_behind + horizon;
        let forecast = match self {
            Floor::Naive => simple::naive(&values, steps),
            Floor::SeasonalNaive => simple::seasonal_naive(history, season, horizon),
            Floor::Drift => simple::drift(&values, steps),
            Floor::MovingAverage => simple::moving_average(&values, season, steps),
            Floor::Theta => theta::theta(&values, season, steps),
            Floor::Ets => ets::ets(&values, season, steps),
        }?;
        let of_horizon = &forecast[forecast.len() - horizon..];
        let is_number = of_horizon.iter().all(|value| !value.is_nan());
        is_number.then(|| of_horizon.iter().map(|&value| single(value)).collect())
    }
}

/// In single precision, with the largest number of it for all that is larger.
fn single(value: f64) -> f32 {
    value.clamp(f32::MIN.into(), f32::MAX.into()) as f32
}

/// Whether all values are the same one. values: `[n]`.
fn is_constant(values: &[f64]) -> bool {
    values.iter().all(|value| *value == values[0])
}
