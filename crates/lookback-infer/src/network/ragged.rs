//! The rows of a batch and what they share.

use std::slice::ChunksExact;

use rayon::prelude::*;

/// How long the rows of a batch are, and on how many threads they are computed, on which no result depends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ragged<'a> {
    /// `[B]`, each at most `T`.
    pub(crate) lengths: &'a [usize],
    /// `T`.
    pub(crate) time: usize,
    /// At least 1.
    pub(crate) threads: usize,
}

impl<'a> Ragged<'a> {
    /// `B`
    pub(crate) fn batch(self) -> usize {
        self.lengths.len()
    }

    /// Every row's real steps, `[length, width]` of `[B, T, width]`.
    pub(crate) fn real(self, steps: &'a [f32], width: usize) -> impl Iterator<Item = &'a [f32]> {
        let rows = steps.chunks_exact((self.time * width).max(1));
        rows.zip(self.lengths).map(move |(row, &length)| &row[..length * width])
    }

    /// Makes every row of `[B, width]`, zeros before, from its real steps of `[B, T, width]`.
    pub(crate) fn pool(
        self,
        steps: &[f32],
        width: usize,
        make: impl Fn(&mut [f32], ChunksExact<'_, f32>) + Sync,
    ) -> Vec<f32> {
        let mut pooled = vec![0.0; self.batch() * width];
        let least = if self.threads <= 1 { usize::MAX } else { 1 };
        let rows = pooled.par_chunks_mut(width).zip(steps.par_chunks_exact((self.time * width).max(1)));
        rows.zip(self.lengths).with_min_len(least).for_each(|((pooled, row), &length)| {
            make(pooled, row[..length * width].chunks_exact(width));
        });
        pooled
    }
}
