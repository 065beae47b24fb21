//! Exponential smoothing whose form the data choose (Hyndman et al. 2008, *Forecasting with Exponential Smoothing*, "HKOS" here).
//!
//! `form` is what there is to choose from, `state` runs a form over a series and ahead of it, `start` is where the search for its
//! parameters begins, `fit` searches.

mod fit;
mod form;
mod start;
mod state;

use self::fit::{Fit, fit};
use self::form::Form;
use super::is_constant;

/// With fewer values nothing is chosen.
const FEWEST: usize = 7;
/// Of a longer series so many of the last values are fitted: what is before them hardly weighs, and takes time.
const MOST: usize = 5_000;
/// Forms with a season of more steps are not tried: each step has a parameter.
const LONGEST_SEASON: usize = 96;

/// Exponential smoothing in the form with the least AICc, as statsforecast's `AutoETS`, which follows `ets` of R's forecast package.
///
/// values: `[n]` without gaps, the oldest first. Gives `[steps]`, or nothing if there are fewer than seven that are not all the same.
///
/// Errors are additive or, if all values are positive, multiplicative; there is no trend, an additive one or a damped one; no
/// season, an additive one or, with multiplicative errors, a multiplicative one. What differs from statsforecast 2.1.1:
/// - A damped trend adds `φ + φ² + ... + φ^h` slopes in `h` steps (HKOS, table 2.1); there it adds `φ + φ + φ² + ... + φ^(h-1)`.
/// - The bound of beta is made anew for each form; there it stays as small as the forms before have left it, so that multiplicative
///   errors with a trend fit worse and are chosen less where a season is tried, too.
/// - [`MOST`] and [`LONGEST_SEASON`], which bound the time, and are not there.
///
/// Of 300 drawn series nine in ten are within 0.03 % of the peer, and what is further than 1 % away is by the bound of beta.
pub(super) fn ets(values: &[f64], season: usize, steps: usize) -> Option<Vec<f64>> {
    if is_constant(values) {
        return Some(vec![values[0]; steps]);
    }
    if values.len() < FEWEST {
        return None;
    }
    let values = &values[values.len().saturating_sub(MOST)..];
    // A power of two, so that not a bit of any value is lost; what is near 0 then means the same for all series.
    let mean = values.iter().map(|value| value.abs() / values.len() as f64).sum::<f64>();
    let scale = mean.log2().round().exp2();
    let scaled: Vec<f64> = values.iter().map(|value| value / scale).collect();

    let is_positive = values.iter().all(|&value| value > 0.0);
    let mut best: Option<Fit> = None;
    for form in Form::all(is_positive, (2..=LONGEST_SEASON).contains(&season)) {
        let found = fit(form, &scaled, season);
        let best_yet = best.as_ref().map_or(f64::INFINITY, |best| best.aicc);
        best = found.filter(|found| found.aicc < best_yet).or(best);
    }
    Some(best?.ahead(steps).into_iter().map(|value| value * scale).collect())
}
