//! The parameters as the loops over time read them: rows padded to whole vectors, and what is the same in every step
//! computed once.

use super::CrfParameters;
use crate::simd::{Aligned, lanes, math};

/// The least that a sum of weights may be, for each tag that is summed over, before it is computed again in logarithms.
///
/// A weight and a ratio are flushed to 0 below e^-86.5 = 2.7e-38, so that a sum above `N` times this has lost less than
/// 6e-8 of its value.
const LEAST: f32 = 1e-30;

/// Parameters of a field of `tags` tags, all rows `width` long.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    pub(super) tags: usize,
    /// `tags`, rounded up to whole vectors.
    pub(super) width: usize,
    /// `[N, width]`, `A(i, j)` by `i`; -inf where there is no tag.
    pub(super) transitions: Aligned,
    /// `[N, width]`, `A(i, j)` by `j`; -inf where there is no tag.
    pub(super) transitions_to: Aligned,
    /// `[N, width]`, `e^(A(i, j) - largest(j))` by `i`; 0 where there is no tag.
    pub(super) ratios: Aligned,
    /// `[N, width]`, the same by `j`.
    pub(super) ratios_to: Aligned,
    /// `[width]`, `max_i A(i, j)`; -inf where there is no tag.
    pub(super) largest: Aligned,
    /// `[width]`: below it a sum of weights is computed again; -1 for tags into which nothing goes, and where there is none.
    pub(super) least: Aligned,
    /// `[width]`; -inf where there is no tag.
    pub(super) start: Aligned,
    /// `[width]`; -inf where there is no tag.
    pub(super) end: Aligned,
    /// `[width]`: 0, 1, 2, ..
    pub(super) numbers: Aligned,
}

impl Packed {
    /// Slices have the lengths of their shapes.
    pub(super) fn new(tags: usize, parameters: CrfParameters<'_>) -> Self {
        let width = tags.div_ceil(lanes()) * lanes();
        let CrfParameters { transitions, start, end } = parameters;
        let padded = |rows: usize| filled(rows * width, f32::NEG_INFINITY);
        let (mut from, mut to, mut largest) = (padded(tags), padded(tags), padded(1));
        for (i, row) in transitions.chunks_exact(tags).enumerate() {
            from.as_mut_slice()[i * width..][..tags].copy_from_slice(row);
            for (j, (&value, largest)) in row.iter().zip(largest.as_mut_slice()).enumerate() {
                to.as_mut_slice()[j * width + i] = value;
                // A NaN stays one.
                *largest = if value <= *largest { *largest } else { value };
            }
        }
        let mut least = filled(width, -1.0);
        for (least, &largest) in least.as_mut_slice().iter_mut().zip(&largest.as_slice()[..tags]) {
            *least = if largest == f32::NEG_INFINITY { -1.0 } else { LEAST * tags as f32 };
        }
        let (mut ratios, mut ratios_to) = (from.clone(), to.clone());
        // What nothing goes into has ratios of 0: -inf less 0.
        let finite = |largest: f32| if largest == f32::NEG_INFINITY { 0.0 } else { largest };
        for row in ratios.as_mut_slice().chunks_exact_mut(width) {
            row.iter_mut().zip(largest.as_slice()).for_each(|(ratio, &largest)| *ratio -= finite(largest));
        }
        for (row, &largest) in ratios_to.as_mut_slice().chunks_exact_mut(width).zip(largest.as_slice()) {
            row.iter_mut().for_each(|ratio| *ratio -= finite(largest));
        }
        math::exp(ratios.as_mut_slice());
        math::exp(ratios_to.as_mut_slice());
        let row = |values: &[f32]| {
            let mut row = padded(1);
            row.as_mut_slice()[..tags].copy_from_slice(values);
            row
        };
        let mut numbers = filled(width, 0.0);
        numbers.as_mut_slice().iter_mut().enumerate().for_each(|(at, number)| *number = at as f32);
        Packed {
            tags,
            width,
            transitions: from,
            transitions_to: to,
            ratios,
            ratios_to,
            largest,
            least,
            start: row(start),
            end: row(end),
            numbers,
        }
    }
}

fn filled(len: usize, value: f32) -> Aligned {
    let mut values = Aligned::zeroed(len);
    values.as_mut_slice().fill(value);
    values
}
