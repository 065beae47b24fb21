//! Which rows a task runs, in which order, and where their steps stand.

use super::Dims;

/// The batch's real steps, one after another: row by row, each in time order.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// `[B]`.
    pub(crate) lengths: Vec<usize>,
    /// `[B]`: where each row's first step stands among the real steps.
    pub(crate) offsets: Vec<usize>,
    /// How many real steps there are.
    pub(crate) count: usize,
}

impl Tokens {
    pub(crate) fn new(dims: &Dims, lengths: Option<&[usize]>) -> Self {
        let lengths = lengths.map_or_else(|| vec![dims.time; dims.batch], <[usize]>::to_vec);
        let mut count = 0;
        let offsets = lengths
            .iter()
            .map(|&length| {
                count += length;
                count - length
            })
            .collect();
        Tokens { lengths, offsets, count }
    }

    /// The position in time that `direction` visits at its step `s`, in a row of `length`.
    #[inline(always)]
    pub(crate) fn position(direction: usize, length: usize, s: usize) -> usize {
        if direction == 0 { s } else { length - 1 - s }
    }
}

/// The rows of one task: one direction, longest row first, so that the active rows of a step are a prefix.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) direction: usize,
    pub(crate) rows: Vec<usize>,
    /// `[rows]`, descending.
    pub(crate) lengths: Vec<usize>,
}

impl Task {
    /// How many steps the longest row has.
    pub(crate) fn longest(&self) -> usize {
        self.lengths.first().copied().unwrap_or(0)
    }

    /// How many rows are longer than `s` steps, given that at most `before` are.
    #[inline(always)]
    pub(crate) fn active(&self, s: usize, before: usize) -> usize {
        let mut active = before;
        while active > 0 && self.lengths[active - 1] <= s {
            active -= 1;
        }
        active
    }
}

/// Deals the rows of every direction to tasks so that each has about as many real steps.
///
/// No result depends on how the rows are dealt: every row is computed by itself.
pub(crate) fn tasks(dims: &Dims, tokens: &Tokens, threads: usize) -> Vec<Task> {
    let mut order: Vec<usize> = (0..dims.batch).collect();
    order.sort_by_key(|&row| std::cmp::Reverse(tokens.lengths[row]));
    let shares = threads.div_ceil(dims.directions).clamp(1, dims.batch.max(1));
    let mut dealt = vec![Vec::new(); shares];
    let mut loads = vec![0; shares];
    for &row in &order {
        let least = (0..shares).min_by_key(|&share| (loads[share], dealt[share].len())).unwrap_or(0);
        loads[least] += tokens.lengths[row];
        dealt[least].push(row);
    }
    (0..dims.directions)
        .flat_map(|direction| dealt.iter().map(move |rows| (direction, rows.clone())))
        .map(|(direction, rows)| Task {
            direction,
            lengths: rows.iter().map(|&row| tokens.lengths[row]).collect(),
            rows,
        })
        .collect()
}
