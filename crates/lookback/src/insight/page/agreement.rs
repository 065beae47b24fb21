//! Whether what a model looked at is what its answer rests on.

use serde::Serialize;

/// Tokens that are told at most.
const TOLD: usize = 3;
/// Of fewer tokens a correlation says nothing.
const FEWEST: usize = 3;

/// How far the weights of a view and the sizes of an attribution go together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// Which view.
    pub view: String,
    /// Spearman's rank correlation.
    pub correlation: f64,
    /// The tokens whose ranks are furthest apart, the furthest first.
    pub apart: Vec<usize>,
}

impl Agreement {
    /// Of a view's weights and the sizes of what the same tokens add; nothing where they cannot be compared.
    pub(super) fn of(view: &str, weights: &[f32], sizes: &[f32]) -> Option<Agreement> {
        let correlation = rank_correlation(weights, sizes)?;
        let (of_weights, of_sizes) = (ranks(weights), ranks(sizes));
        let distance = |&at: &usize| (of_weights[at] - of_sizes[at]).abs();
        let mut apart: Vec<usize> =
            (0..weights.len()).filter(|at| 2.0 * distance(at) >= weights.len() as f64 - 1.0).collect();
        apart.sort_by(|a, b| distance(b).total_cmp(&distance(a)).then(a.cmp(b)));
        apart.truncate(TOLD);
        Some(Agreement { view: view.to_owned(), correlation, apart })
    }
}

/// Spearman's rank correlation, equal values having the mean of their ranks; nothing of fewer than three values, or where one side
/// has one value alone.
pub fn rank_correlation(a: &[f32], b: &[f32]) -> Option<f64> {
    if a.len() != b.len() || a.len() < FEWEST || a.iter().chain(b).any(|value| value.is_nan()) {
        return None;
    }
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() - 1) as f64 / 2.0;
    let sum = |of: &dyn Fn(usize) -> f64| (0..a.len()).map(of).sum::<f64>();
    let (both, of_a, of_b) = (
        sum(&|at| (a[at] - mean) * (b[at] - mean)),
        sum(&|at| (a[at] - mean).powi(2)),
        sum(&|at| (b[at] - mean).powi(2)),
    );
    (of_a > 0.0 && of_b > 0.0).then(|| both / (of_a * of_b).sqrt())
}

/// From 0, equal values having the mean of theirs.
fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let mean = first as f64 + (equal.len() - 1) as f64 / 2.0;
        equal.iter().for_each(|&at| ranks[at] = mean);
        first += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_compared_as_spearman_does() {
        // By hand: ranks 0 1 2 3 against 0 2 1 3, 1 - 6 * 2 / (4 * 15).
        let found = rank_correlation(&[0.1, 0.2, 0.3, 0.4], &[1.0, 5.0, 2.0, 9.0]).unwrap();
        assert!((found - 0.8).abs() < 1e-12, "{found}");
        // Equal values: ranks 0.5 0.5 2 against 0 1 2.
        let found = rank_correlation(&[1.0, 1.0, 2.0], &[1.0, 2.0, 3.0]).unwrap();
        assert!((found - 0.75f64.sqrt()).abs() < 1e-12, "{found}");
        assert_eq!(rank_correlation(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]), None);
        assert_eq!(rank_correlation(&[1.0, 2.0], &[1.0, 2.0]), None);
        assert_eq!(rank_correlation(&[1.0, f32::NAN, 2.0], &[1.0, 2.0, 3.0]), None);
    }

    #[test]
    fn tokens_that_are_far_apart_are_named_the_furthest_first() {
        let agreement = Agreement::of("pooling", &[0.9, 0.05, 0.03, 0.02, 0.0], &[0.0, 0.1, 0.2, 0.3, 2.0]).unwrap();
        assert_eq!((agreement.correlation, agreement.apart), (-1.0, vec![0, 4, 1]));
        assert!(Agreement::of("pooling", &[0.1, 0.2, 0.7], &[1.0, 2.0, 3.0]).unwrap().apart.is_empty());
    }
}
