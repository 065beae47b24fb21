//! The additive score, as it is written.

use crate::Real;

/// Bahdanau 2015, appendix A.1.2: `v · tanh(q + k)`, each `[width]`.
pub(in crate::attention) fn score<R: Real>(v: &[R], query: &[R], key: &[R]) -> R {
    let mut score = R::ZERO;
    for h in 0..v.len() {
        score += v[h] * (query[h] + key[h]).tanh();
    }
    score
}

/// Adds `dscore` times the gradients of [`score`], with `tanh' = 1 - tanh²` written so that it keeps its digits.
pub(in crate::attention) fn backward<R: Real>(
    v: &[R],
    query: &[R],
    key: &[R],
    dscore: R,
    dquery: &mut [R],
    dkey: &mut [R],
    dv: &mut [R],
) {
    for h in 0..v.len() {
        let sum = query[h] + key[h];
        // 1 - tanh²(x) = 4 σ(2x) σ(-2x).
        let twice = sum + sum;
        let four = R::ONE + R::ONE + R::ONE + R::ONE;
        let slope = four * twice.sigmoid() * (-twice).sigmoid();
        dquery[h] += dscore * v[h] * slope;
        dkey[h] += dscore * v[h] * slope;
        dv[h] += dscore * sum.tanh();
    }
}
