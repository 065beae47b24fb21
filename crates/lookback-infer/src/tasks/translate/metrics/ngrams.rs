//! Counts of n-grams.

use std::collections::HashMap;
use std::hash::Hash;

/// How often each run of items stands in a list, by the run.
pub(super) type Counts<'a, T> = HashMap<&'a [T], usize>;

/// Runs of `order` items.
pub(super) fn counts<T: Eq + Hash>(items: &[T], order: usize) -> Counts<'_, T> {
    let mut counts = Counts::new();
    items.windows(order).for_each(|run| *counts.entry(run).or_default() += 1);
    counts
}

/// How many of one are in the other, each as often as it stands in both.
pub(super) fn common<T: Eq + Hash>(one: &Counts<'_, T>, other: &Counts<'_, T>) -> usize {
    one.iter().map(|(run, count)| other.get(run).map_or(0, |other| *count.min(other))).sum()
}
