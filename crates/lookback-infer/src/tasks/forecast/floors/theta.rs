//! The Theta method.

use super::is_constant;
use super::line::Line;
use super::nelder_mead::NelderMead;
use super::seasons::{self, Composition};

/// With fewer values there is nothing to fit: the errors of the first three do not count.
const FEWEST: usize = 4;
/// Bounds of the smoothing, as statsforecast has them.
const ALPHA: [f64; 2] = [0.1, 0.99];
/// A multiplicative season with an index below this is none.
const SMALLEST_INDEX: f64 = 0.01;

/// The Theta method with theta lines 0 and 2, as statsforecast's `Theta` computes it.
///
/// values: `[n]` without gaps, the oldest first. Gives `[steps]`, or nothing if there are fewer than four that are not all the same.
///
/// A season, if the test finds one, is taken out before and put back after: by factors if all values are positive, else by terms.
pub(super) fn theta(values: &[f64], season: usize, steps: usize) -> Option<Vec<f64>> {
    if is_constant(values) {
        return Some(vec![values[0]; steps]);
    }
    if values.len() < FEWEST {
        return None;
    }
    if !seasons::is_seasonal(values, season) {
        return Some(without_season(values, steps));
    }
    let mut factors = match values.iter().all(|&value| value > 0.0) {
        true => seasons::indices(values, season, Composition::Multiplicative),
        false => Vec::new(),
    };
    factors.retain(|&factor| factor >= SMALLEST_INDEX);
    Some(match factors.len() == season {
        true => with_season(values, &factors, steps, |value, factor| value / factor, |value, factor| value * factor),
        false => {
            let terms = seasons::indices(values, season, Composition::Additive);
            with_season(values, &terms, steps, |value, term| value - term, |value, term| value + term)
        }
    })
}

/// As [`theta`], of a series whose season has `indices`, `[season]`.
fn with_season(
    values: &[f64],
    indices: &[f64],
    steps: usize,
    take_out: impl Fn(f64, f64) -> f64,
    put_back: impl Fn(f64, f64) -> f64,
) -> Vec<f64> {
    let of_steps = indices.iter().copied().cycle();
    let adjusted: Vec<f64> =
        values.iter().zip(of_steps.clone()).map(|(&value, index)| take_out(value, index)).collect();
    let ahead = without_season(&adjusted, steps).into_iter().zip(of_steps.skip(values.len()));
    ahead.map(|(value, index)| put_back(value, index)).collect()
}

/// The standard theta model (STM) of Fiorucci et al. 2016: half of theta line 0, which is the line of least squares, and half of
/// theta line 2 smoothed exponentially.
///
/// Its smoothing and first level are those with the least squares of one-step errors. statsforecast ends the search by a number
/// that is right for values above 1; here it follows the values where they are smaller.
fn without_season(values: &[f64], steps: usize) -> Vec<f64> {
    let (line, n) = (Line::through(values), values.len());
    let scale = (values.iter().map(|value| value.abs()).sum::<f64>() / n as f64).max(f64::MIN_POSITIVE);
    let objective = |point: &[f64]| squares(values, line, point[0], point[1]) / scale;
    let start = [0.5 * values[0], 0.5];
    let search = NelderMead {
        lower: &[f64::NEG_INFINITY, ALPHA[0]],
        upper: &[f64::INFINITY, ALPHA[1]],
        tolerance: 1e-4 * objective(&start).min(1.0),
    };
    let found = search.minimise(&start, objective);
    let (first, alpha) = (found[0], found[1]);
    let level = values.iter().fold(first, |level, value| alpha * value + (1.0 - alpha) * level);
    let next = level + half(line, (1.0 - alpha).powf(n as f64), alpha);
    (0..steps).map(|step| next + 0.5 * line.slope * step as f64).collect()
}

/// What half of theta line 0 adds to the level for the next step, where `left` is what is left of the first level's weight.
fn half(line: Line, left: f64, alpha: f64) -> f64 {
    0.5 * (line.intercept * left + line.slope * (1.0 - left * (1.0 - alpha)) / alpha)
}

/// The sum of the squares of the errors one step ahead, from the fourth value on.
fn squares(values: &[f64], line: Line, first: f64, alpha: f64) -> f64 {
    let (mut level, mut left, mut sum) = (first, 1.0, 0.0);
    for (place, value) in values.iter().enumerate() {
        if place + 1 >= FEWEST {
            sum += (value - level - half(line, left, alpha)).powi(2);
        }
        level = alpha * value + (1.0 - alpha) * level;
        left *= 1.0 - alpha;
    }
    sum
}
