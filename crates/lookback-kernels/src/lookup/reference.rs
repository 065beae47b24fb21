//! Token vectors put together position by position. Indices must fit; the naive code does not check them first.

use super::{Bags, Lookup, NO_TOKEN};
use crate::Real;

/// The vectors of all positions, `[P, E]`. tables: `[rows, E]` each.
pub fn forward<R: Real>(lookup: &Lookup, tables: &[&[R]], width: usize) -> Vec<R> {
    let mut vectors = vec![R::ZERO; lookup.positions.len() * width];
    for (position, table, id, share) in every::<R>(lookup) {
        for c in 0..width {
            vectors[position * width + c] += share * tables[table][id * width + c];
        }
    }
    vectors
}

/// The gradient of each table, `[rows, E]`. upstream: `[P, E]`.
pub fn backward<R: Real>(lookup: &Lookup, rows: &[usize], width: usize, upstream: &[R]) -> Vec<Vec<R>> {
    let mut gradients: Vec<_> = rows.iter().map(|rows| vec![R::ZERO; rows * width]).collect();
    for (position, table, id, share) in every::<R>(lookup) {
        for c in 0..width {
            gradients[table][id * width + c] += share * upstream[position * width + c];
        }
    }
    gradients
}

/// Every row of a table that a position reads, as position, table, row and its share of the position's vector.
fn every<R: Real>(lookup: &Lookup) -> Vec<(usize, usize, usize, R)> {
    let mut all = Vec::new();
    for (position, &token) in lookup.positions.iter().enumerate().filter(|&(_, &token)| token != NO_TOKEN) {
        for (table, Bags { offsets, ids }) in lookup.bags.iter().enumerate() {
            let bag = &ids[offsets[token as usize] as usize..offsets[token as usize + 1] as usize];
            let count = bag.iter().fold(R::ZERO, |count, _| count + R::ONE);
            all.extend(bag.iter().map(|&id| (position, table, id as usize, R::ONE / count)));
        }
    }
    all
}
