//! What errors of a window are scaled by.

/// How far the seasonal naive forecast was off before the origin, where it was at all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SeasonalScale {
    /// The mean absolute error, for MASE (Hyndman and Koehler 2006, their scaled errors; M4 has a season in place of one step).
    pub(super) absolute: f64,
    /// The mean squared error, for RMSSE (Makridakis 2022, M5).
    pub(super) squared: f64,
}

impl SeasonalScale {
    /// insample: `[T]`. Of all pairs that are `season` steps apart and both known. There is none where all of them are equal, or no
    /// pair is. M5 leaves out the zeros before the first sale; utilsforecast, which is followed, does not.
    pub(super) fn of(insample: &[f32], season: usize) -> Option<SeasonalScale> {
        let (mut absolute, mut squared, mut count) = (0.0, 0.0, 0usize);
        for (&before, &now) in insample.iter().zip(insample.get(season..).unwrap_or_default()) {
            let difference = f64::from(now) - f64::from(before);
            if !difference.is_nan() {
                absolute += difference.abs();
                squared += difference * difference;
                count += 1;
            }
        }
        let count = count as f64;
        (absolute > 0.0).then(|| SeasonalScale { absolute: absolute / count, squared: squared / count })
    }
}
