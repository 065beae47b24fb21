//! Which rows of a batch are computed together, and where.

use super::product::ROWS;
use crate::written::Slot;
use rayon::prelude::*;

/// Multiply-adds below which a call is no work for a second thread.
const LEAST: usize = 1 << 16;

/// A row at work. What a kernel keeps of it is `[L, width]`, real steps only.
pub(super) struct Row<W> {
    /// Which row of the batch.
    pub(super) index: usize,
    pub(super) length: usize,
    pub(super) work: W,
}

/// Runs `work` on groups of at most [`ROWS`] rows, the longest first, each group with those that go on at a step in front;
/// gives the rows back in the order of the batch. A row without steps is in no group.
pub(super) fn in_groups<W: Send>(
    mut rows: Vec<Row<W>>,
    width: usize,
    threads: usize,
    work: impl Fn(&mut [Row<W>]) + Sync + Send,
) -> Vec<Row<W>> {
    rows.sort_by_key(|row| std::cmp::Reverse(row.length));
    let real = rows.partition_point(|row| row.length > 0);
    let steps: usize = rows.iter().map(|row| row.length).sum();
    let alone = threads <= 1 || steps.saturating_mul(width * width) < LEAST;
    let (size, least) = if alone { (ROWS, usize::MAX) } else { (real.div_ceil(threads).clamp(1, ROWS), 1) };
    rows[..real].par_chunks_mut(size).with_min_len(least).for_each(work);
    rows.sort_by_key(|row| row.index);
    rows
}

/// How many rows of a group have the step.
#[inline(always)]
pub(super) fn going_on<W>(rows: &[Row<W>], step: usize) -> usize {
    let mut count = 0;
    while count < rows.len() && rows[count].length > step {
        count += 1;
    }
    count
}

/// What each row has of `values`, `[all real steps, width]`.
pub(super) fn parts<'a>(mut values: &'a mut [Slot], lengths: &[usize], width: usize) -> Vec<&'a mut [Slot]> {
    let mut part = |&length: &usize| {
        let (part, rest) = std::mem::take(&mut values).split_at_mut(length * width);
        values = rest;
        part
    };
    lengths.iter().map(&mut part).collect()
}
