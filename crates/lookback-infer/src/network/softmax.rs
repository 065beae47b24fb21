//! Logits as probabilities, and what they cost.

use lookback_kernels::simd::math;
use rayon::prelude::*;

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

/// Logits `[.., N]` as log-probabilities, safe from overflow; `normalizers`, `[..]`, get `log Σ exp(z)` of each row, which
/// is by how much its logits were above. A row of nothing but minus infinity becomes NaN.
///
/// # Panics
/// If there are fewer normalisers than rows, or no classes.
pub fn log_softmax(logits: &mut [f32], classes: usize, normalizers: &mut [f32]) {
    /// The fewest logits that a thread takes.
    const LEAST: usize = 1 << 14;
    let (rows, least) = (logits.len() / classes, LEAST.div_ceil(classes));
    let normalizers = &mut normalizers[..rows];
    if rows <= least {
        // Nothing to hand to another thread, in what may be a step of many.
        let rows = logits.chunks_exact_mut(classes).zip(normalizers);
        return rows.for_each(|(row, normalizer)| *normalizer = normalize(row));
    }
    let rows = logits.par_chunks_exact_mut(classes).zip(normalizers);
    rows.with_min_len(least).for_each(|(row, normalizer)| *normalizer = normalize(row));
}

/// One row of [`log_softmax`]: gives its normaliser.
fn normalize(row: &mut [f32]) -> f32 {
    /// Powers at once, on the stack: the logits themselves are still needed.
    const BLOCK: usize = 1024;
    let mut powers = [0.0f32; BLOCK];
    let largest = fold_lanes(row, f32::NEG_INFINITY, |most, logit| if logit > most { logit } else { most });
    let mut sum = 0.0f64;
    for block in row.chunks(BLOCK) {
        let powers = &mut powers[..block.len()];
        powers.iter_mut().zip(block).for_each(|(power, logit)| *power = logit - largest);
        math::exp(powers);
        sum += f64::from(fold_lanes(powers, 0.0, |sum, power| sum + power));
    }
    let log_sum = sum.ln() as f32;
    row.iter_mut().for_each(|logit| *logit = (*logit - largest) - log_sum);
    largest + log_sum
}

/// A fold in 16 lanes side by side, then of these: one chain alone would wait for itself at every value.
#[inline(always)]
fn fold_lanes(values: &[f32], first: f32, fold: impl Fn(f32, f32) -> f32) -> f32 {
    let (blocks, rest) = values.as_chunks::<16>();
    let mut lanes = [first; 16];
    for block in blocks {
        for (lane, &value) in lanes.iter_mut().zip(block) {
            *lane = fold(*lane, value);
        }
    }
    lanes.iter().chain(rest).fold(first, |folded, &value| fold(folded, value))
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

/// `sums = log (e^sums + e^values)`, as [`log_of_sum`].
pub(crate) fn add_logs(sums: &mut [f32], values: &[f32]) {
    /// Powers at once, on the stack.
    const BLOCK: usize = 1024;
    let mut powers = [0.0f32; BLOCK];
    for (sums, values) in sums.chunks_mut(BLOCK).zip(values.chunks(BLOCK)) {
        let powers = &mut powers[..sums.len()];
        for ((power, &mut a), &b) in powers.iter_mut().zip(&mut *sums).zip(values) {
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            // Of two that cannot be the difference would be none.
            *power = if high == f32::NEG_INFINITY && low == high { low } else { low - high };
        }
        math::exp(powers);
        for ((sum, &b), &power) in sums.iter_mut().zip(values).zip(&*powers) {
            let high = if *sum < b { b } else { *sum };
            *sum = high + power.ln_1p();
        }
    }
}

/// `log (e^a + e^b)`, which loses nothing where both are far below 0; minus infinity of two that cannot be.
pub(crate) fn log_of_sum(a: f32, b: f32) -> f32 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if high == f32::NEG_INFINITY && low == high {
        return high;
    }
    high + (low - high).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_probabilities_are_those_of_exact_arithmetic_and_nothing_overflows() {
        let logit = |i: usize| ((i * 7919) % 1009) as f32 / 50.0 - 3.0;
        let row: Vec<f32> = (0..700).map(logit).collect();
        let log_sum = row.iter().map(|&z| f64::from(z).exp()).sum::<f64>().ln();
        let mut rows = [row.clone(), row.iter().map(|z| z + 3e6).collect()].concat();
        rows[0] = f32::NEG_INFINITY;
        let mut normalizers = [0.0; 2];
        log_softmax(&mut rows, 700, &mut normalizers);
        assert!((f64::from(normalizers[0]) - log_sum).abs() < 1e-3 && normalizers[1] > 3e6, "{normalizers:?}");
        assert!(rows[0] == f32::NEG_INFINITY && rows.iter().all(|value| *value <= 0.0));
        for (found, &z) in rows[1..700].iter().zip(&row[1..]) {
            assert!((f64::from(*found) - (f64::from(z) - log_sum)).abs() < 1e-3, "{found} {z}");
        }
        let mut none = [f32::NEG_INFINITY; 3];
        log_softmax(&mut none, 3, &mut normalizers);
        assert!(none.iter().all(|value| value.is_nan()));
    }

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

    #[test]
    fn sums_of_tiny_probabilities_are_not_zero() {
        for (a, b) in [(-1.0f32, -2.0f32), (-2.0, -1.0), (-0.5, -0.5)] {
            assert!((log_of_sum(a, b) - (a.exp() + b.exp()).ln()).abs() < 1e-6, "{a} {b}");
        }
        // Far below what a probability itself could be.
        assert!((log_of_sum(-300.0, -300.0) - (-300.0 + 2.0f32.ln())).abs() < 1e-4);
        assert_eq!(log_of_sum(-1.0, -400.0), -1.0);
        let never = f32::NEG_INFINITY;
        assert_eq!((log_of_sum(never, -1.0), log_of_sum(never, never)), (-1.0, never));
        assert!(log_of_sum(never, f32::NAN).is_nan() && log_of_sum(f32::NAN, -1.0).is_nan());
        // Many at once are the same.
        let cases = [-1.0, -300.0, never, -0.5, f32::NAN, -90.0];
        let pairs: Vec<(f32, f32)> = cases.iter().flat_map(|&a| cases.map(|b| (a, b))).collect();
        let (mut sums, values): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
        add_logs(&mut sums, &values);
        for (sum, (a, b)) in sums.into_iter().zip(pairs) {
            let one = log_of_sum(a, b);
            assert!(
                sum == one || (sum - one).abs() < 1e-6 || sum.is_nan() && one.is_nan(),
                "{a} {b}: {sum}, not {one}"
            );
        }
    }
}
