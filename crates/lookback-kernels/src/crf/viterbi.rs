//! Viterbi's algorithm: `δ_t(j) = e_t(j) + max_i (δ_(t-1)(i) + A(i, j))`.
//!
//! Where a maximum comes from is not written down: the way back asks one tag a step, and finds the place again among
//! `N` sums that are the same bits. So a step has one addition and one maximum for each transition and nothing else. As
//! in `forward.rs` the largest `δ` is taken from each step's; the score is summed along the path in f64.

use super::CrfPaths;
use super::forward::{emission, of, put, written};
use super::packed::Packed;
use super::product::{Largest, ROWS, product};
use super::rows::{Row, going_on, in_groups, parts};
use crate::simd::arch;
use crate::written::{Slot, Unwritten};
use pulp::{Simd, WithSimd};

/// emissions: `[B, T, N]`. Every row has a path.
pub(super) fn viterbi(time: usize, packed: &Packed, emissions: &[f32], lengths: &[usize], threads: usize) -> CrfPaths {
    let (tags, width) = (packed.tags, packed.width);
    let mut deltas = Unwritten::new(lengths.iter().sum::<usize>() * width);
    let mut paths = CrfPaths { tags: vec![0; lengths.len() * time], scores: vec![0.0; lengths.len()] };
    let of_rows = parts(deltas.slots(), lengths, width).into_iter().zip(paths.tags.chunks_mut(time.max(1)));
    let rows =
        of_rows.zip(lengths).zip(&mut paths.scores).enumerate().map(|(index, (((deltas, path), &length), score))| {
            let emissions = &emissions[index * time * tags..][..length * tags];
            Row { index, length, work: Search { emissions, deltas, path: &mut path[..length], score, odd: 0.0 } }
        });
    in_groups(rows.collect(), width, threads, |rows| arch().dispatch(Viterbi { packed, rows }));
    paths
}

/// What the search reads and writes of a row.
struct Search<'a> {
    /// `[L, N]`.
    emissions: &'a [f32],
    /// `[L, width]`.
    deltas: &'a mut [Slot],
    /// `[L]`.
    path: &'a mut [u32],
    score: &'a mut f32,
    /// NaN once an emission was no finite number.
    odd: f32,
}

struct Viterbi<'a, 'b> {
    packed: &'a Packed,
    /// By length, the longest first.
    rows: &'a mut [Row<Search<'b>>],
}

impl WithSimd for Viterbi<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Viterbi { packed, rows } = self;
        let (tags, width) = (packed.tags, packed.width);
        for row in rows.iter_mut() {
            for at in (0..width).step_by(S::F32_LANES) {
                put(simd, row.work.deltas, at, of(simd, packed.start.as_slice(), at));
            }
            emit(simd, packed, &mut row.work, 0);
        }
        for step in 1..rows.first().map_or(0, |row| row.length) {
            let active = going_on(rows, step);
            let (mut from, mut to) = ([std::ptr::null(); ROWS], [std::ptr::null_mut(); ROWS]);
            for (r, row) in rows[..active].iter_mut().enumerate() {
                let (before, now) = row.work.deltas[(step - 1) * width..][..2 * width].split_at_mut(width);
                (from[r], to[r]) = (before.as_ptr().cast(), now.as_mut_ptr().cast());
            }
            // SAFETY: the step before has been written, and there is room for a step.
            unsafe {
                product::<Largest, S>(simd, packed.transitions.as_slice().as_ptr(), [tags, width], active, from, to)
            };
            for row in &mut rows[..active] {
                emit(simd, packed, &mut row.work, step);
            }
        }
        for row in rows {
            back(simd, packed, &mut row.work);
        }
    }
}

/// Adds the step's emissions to its maxima, and takes the largest sum from all.
#[inline(always)]
fn emit<S: Simd>(simd: S, packed: &Packed, row: &mut Search<'_>, step: usize) {
    let (tags, width) = (packed.tags, packed.width);
    let emissions = &row.emissions[step * tags..][..tags];
    let (mut most, mut odd) = (simd.splat_f32s(f32::NEG_INFINITY), simd.splat_f32s(0.0));
    for at in (0..width).step_by(S::F32_LANES) {
        let emitted = emission(simd, emissions, at);
        // SAFETY: the step's maxima have been written.
        let delta = simd.add_f32s(unsafe { written(simd, row.deltas, step * width + at) }, emitted);
        put(simd, row.deltas, step * width + at, delta);
        most = simd.max_f32s(most, delta);
        odd = simd.mul_add_e_f32s(emitted, simd.splat_f32s(0.0), odd);
    }
    row.odd += simd.reduce_sum_f32s(odd);
    let most = simd.splat_f32s(simd.reduce_max_f32s(most));
    for at in (step * width..(step + 1) * width).step_by(S::F32_LANES) {
        // SAFETY: the sums have just been written.
        let delta = simd.sub_f32s(unsafe { written(simd, row.deltas, at) }, most);
        put(simd, row.deltas, at, delta);
    }
}

/// The way back, and its score.
#[inline(always)]
fn back<S: Simd>(simd: S, packed: &Packed, row: &mut Search<'_>) {
    let (tags, width) = (packed.tags, packed.width);
    let mut onward = packed.end.as_slice();
    let (mut score, mut tag) = (f64::from(row.odd), 0);
    for (step, place) in row.path.iter_mut().enumerate().rev() {
        // SAFETY: every step of the row has been written.
        let deltas = unsafe { row.deltas[step * width..][..width].assume_init_ref() };
        tag = first_largest(simd, packed, deltas, onward);
        *place = tag as u32;
        score += f64::from(row.emissions[step * tags + tag]) + f64::from(onward[tag]);
        onward = &packed.transitions_to.as_slice()[tag * width..][..width];
    }
    *row.score = (score + f64::from(packed.start.as_slice()[tag])) as f32;
}

/// The lowest tag for which `a + b` is largest.
#[inline(always)]
fn first_largest<S: Simd>(simd: S, packed: &Packed, a: &[f32], b: &[f32]) -> usize {
    let mut most = simd.splat_f32s(f32::NEG_INFINITY);
    for at in (0..packed.width).step_by(S::F32_LANES) {
        most = simd.max_f32s(most, simd.add_f32s(of(simd, a, at), of(simd, b, at)));
    }
    let most = simd.splat_f32s(simd.reduce_max_f32s(most));
    let none = simd.splat_f32s(f32::INFINITY);
    let mut lowest = none;
    for at in (0..packed.width).step_by(S::F32_LANES) {
        let here = simd.equal_f32s(simd.add_f32s(of(simd, a, at), of(simd, b, at)), most);
        lowest = simd.min_f32s(lowest, simd.select_f32s(here, of(simd, packed.numbers.as_slice(), at), none));
    }
    let lowest = simd.reduce_min_f32s(lowest);
    // Where a NaN is among the sums none may equal the largest; the score says so.
    if lowest < packed.tags as f32 { lowest as usize } else { 0 }
}
