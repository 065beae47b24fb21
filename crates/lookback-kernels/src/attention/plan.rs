//! What a thread works on: units of one batch row and head, blocks of keys, tiles of queries.

use super::{Dims, Mask};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Keys in a block: what is prepared of them (exponentials or panels) stays in the second cache while every
/// query passes. A row of scores is one block long, and up to here no softmax is ever rescaled.
pub(super) const KEYS: usize = 256;
/// Queries in a tile: two register tiles, and the scores of a whole block stay in the first cache.
pub(super) const QUERIES: usize = 12;

/// Queries of one batch row and head.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) row: usize,
    pub(super) head: usize,
    pub(super) queries: Range<usize>,
}

/// How many times a thread comes for units: a thread that is held up leaves its later ones to the others.
const TURNS: usize = 8;

/// All units of a call, which threads take a few at a time.
///
/// No result depends on who takes which: every unit is computed by itself, and every query within it.
pub(super) struct Units {
    units: Vec<Unit>,
    few: usize,
    next: AtomicUsize,
}

impl Units {
    /// Units for `threads`. Where there are fewer rows and heads than threads, and `split` allows it, the queries of a row
    /// are split as well. Units with many pairs come first, so that the last ones are small.
    pub(super) fn new(dims: &Dims, mask: &Mask<'_>, threads: usize, split: bool) -> Self {
        let threads = threads.max(1);
        let pairs = dims.batch * dims.heads;
        let pieces = if split && pairs > 0 { threads.div_ceil(pairs) } else { 1 };
        let step = dims.queries.div_ceil(pieces).next_multiple_of(QUERIES);
        let mut units = Vec::with_capacity(pairs * pieces);
        for row in 0..dims.batch {
            for head in 0..dims.heads {
                let mut first = 0;
                while first < dims.queries || first == 0 {
                    let end = (first + step).min(dims.queries);
                    units.push(Unit { row, head, queries: first..end });
                    first += step.max(1);
                }
            }
        }
        if mask.key_lengths.is_some() {
            units.sort_by_key(|unit| std::cmp::Reverse(unit.queries.len() * mask.length(dims, unit.row)));
        }
        let few = match threads {
            1 => units.len().max(1),
            _ => units.len().div_ceil(threads * TURNS).max(1),
        };
        Units { units, few, next: AtomicUsize::new(0) }
    }

    /// How many threads have something to do.
    pub(super) fn shares(&self, threads: usize) -> usize {
        threads.max(1).min(self.units.len().div_ceil(self.few))
    }

    /// The next few units that nobody has taken.
    pub(super) fn take(&self) -> Option<&[Unit]> {
        let first = self.next.fetch_add(self.few, Ordering::Relaxed);
        (first < self.units.len()).then(|| &self.units[first..(first + self.few).min(self.units.len())])
    }
}

/// A tile of queries against a block of keys. Keys count from the block's first.
pub(super) struct Tile<'a> {
    /// How many queries it has.
    pub(super) rows: usize,
    /// The keys that lengths, causality and window leave to each query.
    pub(super) keys: [(usize, usize); QUERIES],
    /// The keys that some query reads lie in `start..end`; `start` stands on a panel's first key.
    pub(super) start: usize,
    pub(super) end: usize,
    /// The stride of every `[rows, keys]` buffer of the tile.
    pub(super) stride: usize,
    /// `[rows, stride]` from `start` to `end`: added to each score, negative infinity where masked.
    pub(super) addend: Option<&'a [f32]>,
}

impl<'a> Tile<'a> {
    /// The tile of `queries` and the keys `block`, or `None` where every pair is masked. `panel` is the width of a
    /// panel of keys, `addend` scratch for `[rows, stride]`.
    #[inline(always)]
    #[allow(clippy::too_many_arguments, reason = "a tile stands at a place in queries and keys")]
    pub(super) fn new(
        dims: &Dims,
        mask: &Mask<'_>,
        unit: &Unit,
        queries: Range<usize>,
        block: Range<usize>,
        panel: usize,
        stride: usize,
        addend: &'a mut [f32],
    ) -> Option<Self> {
        let mut keys = [(0, 0); QUERIES];
        let (mut start, mut end) = (usize::MAX, 0);
        let has_rows = mask.has_rows();
        for (r, query) in queries.clone().enumerate() {
            let range = mask.range(dims, unit.row, query);
            let (from, to) = (range.start.max(block.start), range.end.min(block.end));
            if from >= to {
                continue;
            }
            if has_rows {
                let to_row = &mut addend[r * stride + from - block.start..][..to - from];
                if !mask.fill(dims, (unit.row, unit.head, query), from..to, to_row) {
                    continue;
                }
            }
            keys[r] = (from - block.start, to - block.start);
            start = start.min(from - block.start);
            end = end.max(to - block.start);
        }
        if start >= end {
            return None;
        }
        let addend = has_rows.then_some(&*addend);
        Some(Tile { rows: queries.len(), keys, start: start / panel * panel, end, stride, addend })
    }

    /// Whether query `r` reads any key of the block.
    #[inline(always)]
    pub(super) fn any(&self, r: usize) -> bool {
        self.keys[r].0 < self.keys[r].1
    }

    /// Whether query `r` reads key `k`.
    #[inline(always)]
    pub(super) fn reads(&self, r: usize, k: usize) -> bool {
        let (start, end) = self.keys[r];
        start <= k && k < end && self.addend.is_none_or(|addend| addend[r * self.stride + k] != f32::NEG_INFINITY)
    }
}
