//! The simple methods (FPP3, 5.2), and the moving average.
//!
//! values: `[n]` without gaps, the oldest first, at least one. Each gives `[steps]`, or nothing where the values are too few.

/// The last value: `ŷ(n+h) = y(n)`.
pub(super) fn naive(values: &[f64], steps: usize) -> Option<Vec<f64>> {
    Some(vec![*values.last()?; steps])
}

/// The last value at the same place of the season: `ŷ(T+h) = y(T+h-season*k)` with the smallest `k` for which there is one.
///
/// history: `[T]`, not finite where a value is missing. Nothing if no value is at one of the season's places.
pub(super) fn seasonal_naive(history: &[f32], season: usize, steps: usize) -> Option<Vec<f64>> {
    let last_at = |place: usize| {
        let newest_first = history.iter().rev().skip(season - 1 - place).step_by(season);
        newest_first.copied().find(|value| value.is_finite()).map(f64::from)
    };
    let season: Vec<f64> = (0..season).map(last_at).collect::<Option<_>>()?;
    Some(season.iter().copied().cycle().take(steps).collect())
}

/// The line through the first and the last value: `ŷ(n+h) = y(n) + h (y(n) - y(1)) / (n - 1)`.
pub(super) fn drift(values: &[f64], steps: usize) -> Option<Vec<f64>> {
    let [first, .., last] = values else { return None };
    let slope = (last - first) / (values.len() - 1) as f64;
    Some((1..=steps).map(|step| last + slope * step as f64).collect())
}

/// The mean of the last `window` values, of all steps.
pub(super) fn moving_average(values: &[f64], window: usize, steps: usize) -> Option<Vec<f64>> {
    let start = values.len().checked_sub(window)?;
    Some(vec![values[start..].iter().sum::<f64>() / window as f64; steps])
}
