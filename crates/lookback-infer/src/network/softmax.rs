//! Logits as probabilities, and what they cost.

use lookback_kernels::simd::math;

/// Logits `[.., N]` as probabilities, safe from overflow.
pub(crate) fn softmax(logits: &mut [f32], classes: usize) {
    for row in logits.chunks_exact_mut(classes) {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        row.iter_mut().for_each(|logit| *logit -= largest);
        math::exp(row);
        let sum: f32 = row.iter().sum();
        row.iter_mut().for_each(|power| *power /= sum);
    }
}

/// Logits `[.., N]` as logarithms of probabilities, safe from overflow.
pub(crate) fn log_softmax(logits: &mut [f32], classes: usize) {
    let mut powers = vec![0.0; classes];
    for row in logits.chunks_exact_mut(classes) {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        powers.iter_mut().zip(&*row).for_each(|(power, logit)| *power = logit - largest);
        math::exp(&mut powers);
        let sum: f32 = powers.iter().sum();
        let log_sum = largest + sum.ln();
        row.iter_mut().for_each(|logit| *logit -= log_sum);
    }
}

/// `log Σ exp(z) - z[target]`, in f64 and safe from overflow.
pub(crate) fn cross_entropy(logits: &[f32], target: usize) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - largest).exp()).sum();
    sum.ln() - f64::from(logits[target] - largest)
}

/// The first of the largest.
pub(crate) fn likeliest(values: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_becomes_its_probabilities_and_what_is_no_number_stays_none() {
        let mut rows = [0.0, 3.0f32.ln(), 500.0, 500.0, f32::INFINITY, 0.0];
        softmax(&mut rows, 2);
        for (found, expected) in rows.iter().zip([0.25, 0.75, 0.5, 0.5]) {
            assert!((found - expected).abs() < 1e-6, "{rows:?}");
        }
        assert!(rows[4].is_nan() && likeliest(&[1.0, 2.0, 2.0]) == 1);
        assert!((cross_entropy(&[1000.0, 1000.0], 1) - 2.0f64.ln()).abs() < 1e-12);
    }
}
