//! Sums of what is kept as its logarithm.

/// `log (e^a + e^b)`. What is no number is not hidden.
#[inline]
pub(crate) fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    // Of two that are nothing the sum is nothing.
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}
