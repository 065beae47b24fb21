//! The straight line through a series.

/// The line of least squares through `[n]` values at the times 1 to `n`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    /// At time 0.
    pub(super) intercept: f64,
    /// By a step.
    pub(super) slope: f64,
}

impl Line {
    /// values: `[n]`, two at least.
    pub(super) fn through(values: &[f64]) -> Line {
        let n = values.len() as f64;
        let (mean, middle) = (values.iter().sum::<f64>() / n, 0.5 * (n + 1.0));
        let moment: f64 = values.iter().enumerate().map(|(place, value)| (place as f64 + 1.0 - middle) * value).sum();
        let slope = 12.0 * moment / (n * (n * n - 1.0));
        Line { intercept: mean - slope * middle, slope }
    }
}
