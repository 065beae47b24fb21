//! The product score, as it is written.

use crate::Real;

/// `scale * q · k`, each `[width]`: Luong 2015, eq. 8 (dot), and Vaswani 2017, eq. 1, with `scale = 1 / √width`.
pub(in crate::attention) fn score<R: Real>(scale: R, query: &[R], key: &[R]) -> R {
    let mut product = R::ZERO;
    for (&query, &key) in query.iter().zip(key) {
        product += query * key;
    }
    scale * product
}

/// Adds `dscore` times the gradients of [`score`].
pub(in crate::attention) fn backward<R: Real>(
    scale: R,
    query: &[R],
    key: &[R],
    dscore: R,
    dquery: &mut [R],
    dkey: &mut [R],
) {
    for h in 0..query.len() {
        dquery[h] += dscore * scale * key[h];
        dkey[h] += dscore * scale * query[h];
    }
}
