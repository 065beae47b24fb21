//! What of a series is its season: the test whether there is one, and the classical decomposition.
//!
//! values: `[n]` without gaps, the oldest first.

/// How a season goes together with all else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tasks::forecast) enum Composition {
    /// It is added.
    Additive,
    /// All else is multiplied by it; of positive values alone.
    Multiplicative,
}

/// The quantile of the standard normal distribution at 0.95.
const QUANTILE_95: f64 = 1.644_853_626_951_472_2;

/// Whether the autocorrelation at the season's lag is far enough from 0 (Fiorucci et al. 2016): beyond what it is in nine
/// of ten series without a season, by Bartlett's formula. Not of seasons below four steps, nor of less than two seasons.
pub(in crate::tasks::forecast) fn is_seasonal(values: &[f64], season: usize) -> bool {
    let n = values.len();
    if season < 4 || n / 2 < season {
        return false;
    }
    let mean = values.iter().sum::<f64>() / n as f64;
    let centred: Vec<f64> = values.iter().map(|value| value - mean).collect();
    let covariance = |lag: usize| -> f64 { centred[lag..].iter().zip(&centred).map(|(one, other)| one * other).sum() };
    let variance = covariance(0);
    let shorter: f64 = (1..season).map(|lag| (covariance(lag) / variance).powi(2)).sum();
    let spread = ((1.0 + 2.0 * shorter) / n as f64).sqrt();
    // Of a constant series everything here is NaN, and it has no season.
    (covariance(season) / variance).abs() / spread > QUANTILE_95
}

/// The classical decomposition (FPP3, 3.4): how far the values at each place of the season are from a moving average over one.
///
/// Gives `[season]`, the place of the first value first, with mean 0 if additive and mean 1 if multiplicative. The values are two
/// seasons at least, and positive if it is multiplicative.
pub(in crate::tasks::forecast) fn indices(values: &[f64], season: usize, composition: Composition) -> Vec<f64> {
    let (mut sums, mut counts) = (vec![0.0; season], vec![0usize; season]);
    let half = season / 2;
    for place in half..values.len() - half {
        let window = &values[place - half..=place + half];
        // Of an even season the window has a step more, whose first and last value count half.
        let twice = if season.is_multiple_of(2) { window[0] + window[window.len() - 1] } else { 0.0 };
        let average = (window.iter().sum::<f64>() - 0.5 * twice) / season as f64;
        sums[place % season] += match composition {
            Composition::Additive => values[place] - average,
            Composition::Multiplicative => values[place] / average,
        };
        counts[place % season] += 1;
    }
    let mut indices: Vec<f64> = sums.iter().zip(&counts).map(|(sum, &count)| sum / count as f64).collect();
    let mean = indices.iter().sum::<f64>() / season as f64;
    indices.iter_mut().for_each(|index| match composition {
        Composition::Additive => *index -= mean,
        Composition::Multiplicative => *index /= mean,
    });
    indices
}
