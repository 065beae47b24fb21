//! How good forecasts are, as the competitions and the libraries that others quote have it.
//!
//! A window is one series' forecast from one origin. [`ForecastScorer`] takes windows one after another and keeps sums alone, by
//! series and by step of the horizon; [`ForecastScores`] are what it makes of them, and say how each figure is counted. Of a window
//! they are those of utilsforecast 0.2.17 on pandas, which leaves out what is no number, except that a figure of which the library
//! makes infinity or NaN is none here and counts in no mean. `conformance/forecast_scores.py` writes the figures that the tests
//! compare with.
//!
//! Shapes are written with the letters of the crate and two more: `H` steps of a horizon, here, and `N` quantiles.

mod figures;
mod forecast_scores;
mod scorer;
mod seasonal_scale;
mod step_errors;
#[cfg(test)]
mod tests;

pub use self::forecast_scores::{ForecastScores, OverallScores};
pub use self::scorer::ForecastScorer;
use crate::model::{Score, Unit};

/// Mean absolute scaled error (Hyndman and Koehler 2006); below 1 is better than the seasonal naive forecast was before the origins.
pub const MASE: Score = number("mase", "MASE");
/// Symmetric mean absolute percentage error, in percent, from 0 to 200 (Makridakis 1993, as in M3 and M4).
pub const SMAPE: Score = number("smape", "sMAPE");
/// Mean absolute error, in what the series are counted in.
pub const MAE: Score = number("mae", "MAE");
/// Root mean squared error, in what the series are counted in.
pub const RMSE: Score = number("rmse", "RMSE");
/// Continuous ranked probability score from quantiles (Gneiting and Raftery 2007), in what the series are counted in.
pub const CRPS: Score = number("crps", "CRPS");

/// What was forecast from one origin of one series, and what came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged<'a> {
    /// Which series, from 0; sums are kept for all up to the largest.
    pub series: usize,
    /// `[H]`. What came; NaN where it is missing, and such a step counts nowhere.
    pub actual: &'a [f32],
    /// `[H]`. The point forecast. One that is NaN makes NaN of the figures it counts in, for it is a fault that must not hide.
    pub mean: &'a [f32],
    /// `[H, N]`. The forecast quantiles, row by row in the order of the levels; empty where there are none.
    pub quantiles: &'a [f32],
    /// `[T]`. What came before the origin, NaN where it is missing.
    pub insample: &'a [f32],
}

const fn number(name: &'static str, title: &'static str) -> Score {
    Score { name, title, unit: Unit::Number, higher_is_better: false }
}
