//! Token vectors put together from several tables: a word's own vector, the mean of its character n-grams' vectors
//! (Bojanowski 2017), its bigram's vector.
//!
//! A batch holds few unique tokens and many positions, so every unique token is put together once and then laid
//! out. The gradient of a table is dense, as the optimisers want it; it is made by one thread per range of rows, each
//! in the order of the tokens, so that no bit depends on the number of threads.

pub mod reference;
#[cfg(test)]
mod tests;

use crate::written::{Slot, filled, vector};
use crate::{KernelError, check};
use rayon::prelude::*;

/// Marks a position that holds no token: its vector is zero and it gives no gradient.
pub const NO_TOKEN: u32 = u32::MAX;

/// Rows of one table, some for each unique token, which gets their mean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bags {
    /// `[U + 1]`: where each unique token's rows begin in `ids`; none where two neighbours are equal.
    pub offsets: Vec<u32>,
    /// The rows.
    pub ids: Vec<u32>,
}

impl Bags {
    /// One row for each unique token.
    pub fn single(ids: Vec<u32>) -> Bags {
        Bags { offsets: (0..=ids.len() as u32).collect(), ids }
    }

    fn of(&self, token: usize) -> &[u32] {
        &self.ids[self.offsets[token] as usize..self.offsets[token + 1] as usize]
    }

    fn share(&self, token: usize) -> f32 {
        1.0 / self.of(token).len().max(1) as f32
    }
}

/// Which tokens a batch holds, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lookup {
    /// `[P]`: the unique token at each position, or [`NO_TOKEN`].
    pub positions: Vec<u32>,
    /// `U`: how many unique tokens there are.
    pub unique: usize,
    /// What each table gives, table by table.
    pub bags: Vec<Bags>,
}

impl Lookup {
    /// Whether every index is inside what it points into. `rows`: the rows of each table.
    ///
    /// # Errors
    /// [`KernelError`] names the index and the size.
    pub fn check(&self, rows: &[usize]) -> Result<(), KernelError> {
        check::indices("positions", &self.positions, (self.unique, "unique tokens"), Some(NO_TOKEN))?;
        check::slice("bags", &self.bags, &[rows.len()], "[tables]")?;
        for (table, (bags, &rows)) in self.bags.iter().zip(rows).enumerate() {
            let whole = bags.offsets.first() == Some(&0)
                && bags.offsets.last().map(|&end| end as usize) == Some(bags.ids.len())
                && bags.offsets.is_sorted()
                && bags.offsets.len().checked_sub(1) == Some(self.unique);
            if !whole {
                let (ids, unique) = (bags.ids.len(), self.unique);
                return Err(KernelError::Offsets { table, ids, unique });
            }
            check::indices("ids", &bags.ids, (rows, &format!("rows in table {table}")), None)?;
        }
        Ok(())
    }
}

/// The vectors of all positions, `[P, E]`. tables: `[rows, E]` each.
///
/// # Errors
/// If a table is no whole number of rows, or [`Lookup::check`] refuses.
pub fn forward(lookup: &Lookup, tables: &[&[f32]], width: usize, threads: usize) -> Result<Vec<f32>, KernelError> {
    check::positive(&[("E", width)])?;
    for table in tables {
        check::slice("table", table, &[table.len() / width, width], "[rows, E]")?;
    }
    let rows: Vec<usize> = tables.iter().map(|table| table.len() / width).collect();
    lookup.check(&rows)?;
    check::product("the unique tokens' vectors", &[lookup.unique, width], "[U, E]")?;
    let len = check::product("the vectors", &[lookup.positions.len(), width], "[P, E]")?;
    let mut vectors = vec![0.0f32; lookup.unique * width];
    let put_together = |(token, vector): (usize, &mut [f32])| {
        for (bags, table) in lookup.bags.iter().zip(tables) {
            let share = bags.share(token);
            for &id in bags.of(token) {
                let row = &table[id as usize * width..][..width];
                vector.iter_mut().zip(row).for_each(|(sum, value)| *sum += share * value);
            }
        }
    };
    let least = if threads <= 1 { usize::MAX } else { 64 };
    vectors.par_chunks_mut(width).enumerate().with_min_len(least).for_each(put_together);
    let lay_out = |(position, vector): (&u32, &mut [Slot])| match *position {
        NO_TOKEN => _ = filled(vector, 0.0),
        token => _ = vector.write_copy_of_slice(&vectors[token as usize * width..][..width]),
    };
    // SAFETY: every position is filled with zeros or with its token's vector.
    unsafe {
        Ok(vector(len, |output| {
            lookup.positions.par_iter().zip(output.par_chunks_mut(width)).with_min_len(least).for_each(lay_out);
        }))
    }
}

/// The dense gradient of each table, `[rows, E]`; `None` where it is not wanted. upstream: `[P, E]`.
///
/// # Errors
/// If a slice has not the length of its shape, or [`Lookup::check`] refuses.
pub fn backward(
    lookup: &Lookup,
    rows: &[usize],
    width: usize,
    upstream: &[f32],
    wanted: &[bool],
    threads: usize,
) -> Result<Vec<Option<Vec<f32>>>, KernelError> {
    check::positive(&[("E", width)])?;
    lookup.check(rows)?;
    check::product("the unique tokens' vectors", &[lookup.unique, width], "[U, E]")?;
    check::slice("upstream", upstream, &[lookup.positions.len(), width], "[P, E]")?;
    check::slice("wanted", wanted, &[rows.len()], "[tables]")?;
    for &rows in rows {
        check::product("the gradient of a table", &[rows, width], "[rows, E]")?;
    }
    let threads = threads.max(1);
    let vectors = token_gradients(lookup, width, upstream, threads);
    let gradients = lookup
        .bags
        .iter()
        .zip(rows)
        .zip(wanted)
        .map(|((bags, &rows), &wanted)| {
            wanted.then(|| {
                // Zeroed by the system or by the allocator, page by page, where the threads below do not write.
                let mut gradient = vec![0.0f32; rows * width];
                let range = rows.div_ceil(threads).max(1);
                let work = |(part, gradient): (usize, &mut [f32])| {
                    let (first, end) = ((part * range) as u32, ((part + 1) * range) as u32);
                    for (token, vector) in vectors.chunks(width).enumerate() {
                        let share = bags.share(token);
                        for &id in bags.of(token).iter().filter(|&&id| (first..end).contains(&id)) {
                            let row = &mut gradient[(id - first) as usize * width..][..width];
                            row.iter_mut().zip(vector).for_each(|(sum, value)| *sum += share * value);
                        }
                    }
                };
                gradient.par_chunks_mut((range * width).max(1)).enumerate().for_each(work);
                gradient
            })
        })
        .collect();
    Ok(gradients)
}

/// `[U, E]`: what flows into each unique token from all its positions, in their order.
fn token_gradients(lookup: &Lookup, width: usize, upstream: &[f32], threads: usize) -> Vec<f32> {
    let mut vectors = vec![0.0f32; lookup.unique * width];
    let range = lookup.unique.div_ceil(threads).max(1);
    vectors.par_chunks_mut((range * width).max(1)).enumerate().for_each(|(part, vectors)| {
        let (first, end) = ((part * range) as u32, ((part + 1) * range) as u32);
        for (&position, gradient) in lookup.positions.iter().zip(upstream.chunks(width)) {
            if (first..end).contains(&position) {
                let vector = &mut vectors[(position - first) as usize * width..][..width];
                vector.iter_mut().zip(gradient).for_each(|(sum, value)| *sum += value);
            }
        }
    });
    vectors
}
