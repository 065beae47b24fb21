//! Matrix products over the register tile, for many rows: what the linear maps and the gradients of weights are.
//!
//! Every element is one chain of multiply-adds in the order of `k`: blocks of `k` go on from what the block before
//! left. So no result depends on how the rows, the columns or `k` are cut, nor on the number of threads.
//!
//! Why not the `gemm` crate, which stood here: on an AMD EPYC (Zen 3), one thread, 256 x 256 over 3,200 rows, best of 15
//! in turns, packed columns do 88 GFLOP/s and `gemm` 79, the transposed product 79 and `gemm` 77 to 79, of the 104 that
//! multiply-adds alone reach; and `gemm` fixes no order of sums.
//!
//! The transposed product lays out its left side a step at a time, some rows ahead asked for: without that, training
//! steps of LSTM (64, 100, 512, 512) and (32, 100, 128, 256) took 5 and 8 % longer (`lookback-bench`, two programs in
//! turns, 16 turns).

use std::cell::Cell;
use std::ops::Range;

use super::tile::{Panel, ROWS as TILE, Start, VECTORS, columns_tile, panel_product, panels_product, split};
use super::{Aligned, Shared, arch, prefetch};
use crate::written::{Slot, filled};
use pulp::{Simd, WithSimd};

/// How many values of `k` are taken at once: a panel of them stays in the first cache.
const DEPTH: usize = 256;
/// How many columns are taken at once: their panels stay in the second cache.
const COLUMNS: usize = 256;
/// How many rows are taken at once.
const ROWS: usize = 96;
/// How many rows are taken at once where the columns are packed: every panel is read again for as many, and of a large vocabulary
/// the panels are more than any cache holds, while the second one holds so many rows of [`DEPTH`] values.
const PACKED_ROWS: usize = 384;
/// How many rows ahead are fetched.
const AHEAD: usize = 8;
/// Values in a line of a cache.
const LINE: usize = 16;

thread_local! {
    static SCRATCH: Cell<Aligned> = Cell::new(Aligned::default());
}

/// A matrix in memory: element `(i, j)` stands at `i * strides[0] + j * strides[1]`.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) strides: [usize; 2],
}

impl View<'_> {
    /// Whether a matrix of these sizes fits.
    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows * columns == 0 || (rows - 1) * self.strides[0] + (columns - 1) * self.strides[1] < self.values.len()
    }
}

/// A matrix `[k, columns]` in panels, `[block of k][panel][k][width]`, columns padded with zeros.
pub(crate) struct Packed {
    data: Aligned,
    k: usize,
    columns: usize,
}

impl Packed {
    /// # Panics
    /// If `from` is too short.
    pub(crate) fn new(k: usize, columns: usize, from: View<'_>) -> Self {
        assert!(from.holds(k, columns));
        let width = VECTORS * super::lanes();
        let mut data = Aligned::zeroed(k * columns.next_multiple_of(width));
        let mut to = data.as_mut_slice();
        for first in (0..k).step_by(DEPTH) {
            let depth = DEPTH.min(k - first);
            for column in (0..columns).step_by(width) {
                let (panel, rest) = to.split_at_mut(depth * width);
                let real = width.min(columns - column);
                if from.strides[1] == 1 {
                    for (step, to) in panel.chunks_exact_mut(width).enumerate() {
                        let at = (first + step) * from.strides[0] + column;
                        to[..real].copy_from_slice(&from.values[at..at + real]);
                    }
                } else {
                    for j in 0..real {
                        for step in 0..depth {
                            let at = (first + step) * from.strides[0] + (column + j) * from.strides[1];
                            panel[step * width + j] = from.values[at];
                        }
                    }
                }
                to = rest;
            }
        }
        Packed { data, k, columns }
    }

    /// `c [rows, columns] = bias + a [rows, k] · self`, or without a bias from zeros.
    ///
    /// # Panics
    /// If a slice is too short.
    pub(crate) fn product(&self, a: &[f32], bias: Option<&[f32]>, c: &mut [Slot]) {
        let rows = c.len() / self.columns.max(1);
        assert!(c.len() == rows * self.columns && a.len() >= rows * self.k);
        assert!(bias.is_none_or(|bias| bias.len() == self.columns));
        if rows == 0 {
            return;
        }
        if self.k == 0 {
            return c.chunks_exact_mut(self.columns).for_each(|row| match bias {
                Some(bias) => _ = row.write_copy_of_slice(bias),
                None => _ = filled(row, 0.0),
            });
        }
        let to = Shared(c.as_mut_ptr().cast());
        // SAFETY: the assertions above are what is asked for, and `c` is this call's alone.
        unsafe { self.product_of_columns(0..self.columns, &a[..rows * self.k], bias, to) }
    }

    /// The same of some columns, a range of whole panels or of the last ones, for all rows that `a` has; `c` is the first value
    /// of all columns. So that threads share the columns, where there are few rows or the panels are more than a cache holds.
    ///
    /// # Safety
    /// `c` must be valid for writes of `[rows, columns]`, of which nobody else may read or write these columns, and `bias` must
    /// be as long as a row.
    pub(crate) unsafe fn product_of_columns(&self, some: Range<usize>, a: &[f32], bias: Option<&[f32]>, c: Shared) {
        if self.k == 0 {
            return;
        }
        arch().dispatch(RowsProduct { packed: self, some, a, bias, rows: a.len() / self.k, c });
    }

    /// Columns of a panel.
    pub(crate) fn width() -> usize {
        VECTORS * super::lanes()
    }
}

struct RowsProduct<'a> {
    packed: &'a Packed,
    some: Range<usize>,
    a: &'a [f32],
    bias: Option<&'a [f32]>,
    rows: usize,
    c: Shared,
}

impl WithSimd for RowsProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let RowsProduct { packed: &Packed { ref data, k, columns }, some, a, bias, rows, c } = self;
        let width = VECTORS * S::F32_LANES;
        assert!(some.start.is_multiple_of(width) && some.end <= columns);
        assert!(some.end == columns || some.end.is_multiple_of(width));
        // Columns that are no whole panel go by way of a row of one panel's width.
        let whole = some.end - some.end % width;
        let rest = some.end - whole;
        let mut edge = if rest > 0 { vec![0.0; rows.min(PACKED_ROWS) * width] } else { Vec::new() };
        let mut edge_bias = vec![0.0; if rest > 0 { width } else { 0 }];
        if let (Some(bias), true) = (bias, rest > 0) {
            edge_bias[..rest].copy_from_slice(&bias[whole..]);
        }
        let padded = columns.next_multiple_of(width);
        let mut panels = Vec::with_capacity((whole - some.start) / width);
        for row in (0..rows).step_by(PACKED_ROWS) {
            let count = PACKED_ROWS.min(rows - row);
            for first in (0..k).step_by(DEPTH) {
                let depth = DEPTH.min(k - first);
                let from = a[row * k + first..].as_ptr();
                let from = |r: usize| from.wrapping_add(r * k);
                let block = data.as_slice()[first * padded..].as_ptr();
                let start = |bias: Option<&[f32]>, column: usize| match bias {
                    _ if first > 0 => Start::Output,
                    Some(bias) => Start::Row(bias[column..].as_ptr()),
                    None => Start::ZEROS,
                };
                panels.clear();
                panels.extend((some.start..whole).step_by(width).map(|column| Panel {
                    data: block.wrapping_add(column * depth),
                    start: start(bias, column),
                    column,
                }));
                let to = |r: usize| c.at((row + r) * columns);
                // SAFETY: a panel has `depth` rows, `a` holds `count` rows here, a bias every column, and the caller promises
                // these columns of `c`.
                unsafe {
                    if count < TILE {
                        panels_product(simd, depth, &panels, count, from, to);
                    } else {
                        for Panel { data, start, column } in panels.iter().copied() {
                            let ahead = |r: usize| asked_for::<S>(to(r).wrapping_add(column));
                            panel_product(simd, depth, data, count, start, from, ahead);
                        }
                    }
                }
                if rest > 0 {
                    let (panel, to) = (block.wrapping_add(whole * depth), edge.as_mut_ptr());
                    let start = start(bias.map(|_| &edge_bias[..]), 0);
                    // SAFETY: as above, and the edge has `count` rows of a panel's width.
                    unsafe { panel_product(simd, depth, panel, count, start, from, |r| to.wrapping_add(r * width)) };
                }
            }
            for (r, edge) in edge.chunks_exact(width).take(count).enumerate() {
                // SAFETY: these columns of the row are the caller's promise.
                unsafe { c.at((row + r) * columns + whole).copy_from_nonoverlapping(edge.as_ptr(), rest) };
            }
        }
    }
}

/// Asks for a row of a tile of `c` that is to be written when the tile is done. Rows of many columns lie far apart, and lines that
/// are not there when they are written are waited for one after another.
#[inline(always)]
fn asked_for<S: Simd>(row: *mut f32) -> *mut f32 {
    for line in (0..VECTORS * S::F32_LANES).step_by(LINE) {
        prefetch(row.wrapping_add(line));
    }
    row
}

/// Rows of a matrix, one per step of `k`.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// So far apart in one slice.
    Strided(&'a [f32], usize),
    /// Anywhere.
    Listed(&'a [&'a [f32]]),
}

impl<'a> Rows<'a> {
    #[inline(always)]
    fn row(self, step: usize, columns: usize) -> &'a [f32] {
        match self {
            Rows::Strided(values, stride) => &values[step * stride..][..columns],
            Rows::Listed(rows) => &rows[step][..columns],
        }
    }
}

/// `c [m, columns] = aᵀ b`, one of the products that share `a`.
pub(crate) struct Side<'a> {
    /// `[k, columns]`.
    pub(crate) b: Rows<'a>,
    pub(crate) columns: usize,
    pub(crate) c: &'a mut [Slot],
}

/// `c [m, columns] = aᵀ b` for every side, `a [k, m]` with rows `a_stride` apart.
///
/// # Panics
/// If a slice is too short.
pub(crate) fn transposed([m, k]: [usize; 2], (a, a_stride): (&[f32], usize), sides: &mut [Side<'_>]) {
    assert!(View { values: a, strides: [a_stride, 1] }.holds(k, m));
    for side in &mut *sides {
        assert!(side.c.len() == m * side.columns);
        if k == 0 {
            filled(side.c, 0.0);
        }
    }
    if k * m > 0 {
        let mut scratch = SCRATCH.take();
        arch().dispatch(Transposed { m, k, a, a_stride, sides, scratch: &mut scratch });
        SCRATCH.set(scratch);
    }
}

/// A panel of a side: its first column, and how many are real.
struct SidePanel {
    side: usize,
    column: usize,
    real: usize,
}

struct Transposed<'a, 'b> {
    m: usize,
    k: usize,
    a: &'a [f32],
    a_stride: usize,
    sides: &'a mut [Side<'b>],
    scratch: &'a mut Aligned,
}

impl WithSimd for Transposed<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Transposed { m, k, a, a_stride, sides, scratch } = self;
        let width = VECTORS * S::F32_LANES;
        let panels: Vec<SidePanel> = sides
            .iter()
            .enumerate()
            .flat_map(|(side, &Side { columns, .. })| {
                (0..columns).step_by(width).map(move |column| SidePanel {
                    side,
                    column,
                    real: width.min(columns - column),
                })
            })
            .collect();
        let at_once = panels.len().min(COLUMNS.div_ceil(width));
        // Panels and tiles are written a step of each at a time: a line more keeps them out of one another's place in
        // the first cache. A tile's step is written as a whole vector, whose end the next step covers.
        let depth = DEPTH.min(k);
        let (panel_len, tile_len) = (depth * width + LINE, depth * TILE + LINE);
        let tiles = ROWS.min(m).div_ceil(4);
        let scratch = scratch.scratch(at_once * panel_len + TILE * width + tiles * tile_len);
        let (packed, rest) = scratch.split_at_mut(at_once * panel_len);
        let (edge, tiles) = rest.split_at_mut(TILE * width);
        for now in panels.chunks(at_once.max(1)) {
            for first in (0..k).step_by(DEPTH) {
                let depth = DEPTH.min(k - first);
                let start = if first == 0 { Start::Row(std::ptr::null()) } else { Start::Output };
                for step in 0..depth {
                    for (SidePanel { side, column, real }, to) in now.iter().zip(packed.chunks_exact_mut(panel_len)) {
                        let Side { b, columns, .. } = &sides[*side];
                        let from = &b.row(first + step, *columns)[*column..];
                        let to = &mut to[step * width..][..width];
                        if *real == width {
                            to.copy_from_slice(&from[..width]);
                        } else {
                            to[..*real].copy_from_slice(from);
                            to[*real..].fill(0.0);
                        }
                    }
                }
                for row in (0..m).step_by(ROWS) {
                    let count = ROWS.min(m - row);
                    for step in 0..depth {
                        let from = &a[(first + step) * a_stride + row..];
                        for line in (0..count).step_by(LINE) {
                            prefetch(from.as_ptr().wrapping_add(AHEAD * a_stride + line));
                        }
                        let mut to = &mut tiles[..];
                        let mut done = 0;
                        while done < count {
                            let (tile, rest) = to.split_at_mut(tile_len);
                            let rows = split(count - done);
                            match (from[done..].first_chunk::<8>(), tile[step * rows..].first_chunk_mut::<8>()) {
                                (Some(from), Some(to)) => *to = *from,
                                _ => tile[step * rows..][..rows].copy_from_slice(&from[done..][..rows]),
                            }
                            (to, done) = (rest, done + rows);
                        }
                    }
                    for (&SidePanel { side, column, real }, panel) in now.iter().zip(packed.chunks_exact(panel_len)) {
                        let Side { columns, c, .. } = &mut sides[side];
                        let n = *columns;
                        let mut done = 0;
                        for a in tiles.chunks_exact(tile_len) {
                            if done == count {
                                break;
                            }
                            let rows = split(count - done);
                            let to = c[(row + done) * n + column..].as_mut_ptr().cast::<f32>();
                            // SAFETY: the tile has `depth` steps of its rows, the panel of its columns, and `c` the rows
                            // and columns; an edge has six rows of a panel's width.
                            unsafe {
                                if real == width {
                                    columns_tile(simd, rows, depth, a.as_ptr(), panel.as_ptr(), start, to, n);
                                } else {
                                    // What the blocks before left; before the first, nothing has been written.
                                    for r in (0..rows).filter(|_| first > 0) {
                                        let row = std::slice::from_raw_parts(to.add(r * n), real);
                                        edge[r * width..][..real].copy_from_slice(row);
                                    }
                                    let through = edge.as_mut_ptr();
                                    columns_tile(simd, rows, depth, a.as_ptr(), panel.as_ptr(), start, through, width);
                                    for r in 0..rows {
                                        let edge = edge[r * width..][..real].as_ptr();
                                        edge.copy_to_nonoverlapping(to.add(r * n), real);
                                    }
                                }
                            }
                            done += rows;
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(values: &mut [f32]) -> &mut [Slot] {
        // SAFETY: a product writes values alone.
        unsafe { crate::written::slots(values) }
    }

    fn values(len: usize, seed: u64) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        };
        (0..len).map(|_| next()).collect()
    }

    fn close(found: &[f32], want: &[f64], k: usize) {
        let bound = 1e-6 * (k as f64).sqrt().max(1.0) * 4.0;
        for (i, (&found, &want)) in found.iter().zip(want).enumerate() {
            assert!((f64::from(found) - want).abs() <= bound, "[{i}]: {found}, want {want}");
        }
    }

    const SIZES: [[usize; 3]; 7] =
        [[1, 1, 1], [7, 16, 5], [13, 17, 300], [128, 40, 257], [97, 300, 33], [200, 15, 520], [5, 3, 0]];

    #[test]
    fn rows_times_packed_columns_agree_with_f64() {
        for [m, n, k] in SIZES {
            let (a, b, bias) = (values(m * k, 1), values(k * n, 2), values(n, 3));
            for (strides, with_bias) in [([n, 1], true), ([1, k], true), ([n, 1], false)] {
                let at = |s: usize, j: usize| f64::from(b[s * strides[0] + j * strides[1]]);
                let packed = Packed::new(k, n, View { values: &b, strides });
                let mut c = vec![f32::NAN; m * n];
                packed.product(&a, with_bias.then_some(&bias[..]), slots(&mut c));
                let want: Vec<f64> = (0..m * n)
                    .map(|i| {
                        let sum: f64 = (0..k).map(|s| f64::from(a[i / n * k + s]) * at(s, i % n)).sum();
                        sum + if with_bias { f64::from(bias[i % n]) } else { 0.0 }
                    })
                    .collect();
                close(&c, &want, k);
            }
        }
    }

    #[test]
    fn a_transposed_product_agrees_with_f64_and_cuts_change_no_bit() {
        for [m, n, k] in SIZES {
            let (a_stride, b_stride) = (m + 3, n + 1);
            let (a, b) = (values(k * a_stride, 4), values(k * b_stride, 5));
            let mut c = vec![f32::NAN; m * n];
            let rows = Rows::Strided(&b, b_stride);
            transposed([m, k], (&a, a_stride), &mut [Side { b: rows, columns: n, c: slots(&mut c) }]);
            let want: Vec<f64> = (0..m * n)
                .map(|i| (0..k).map(|s| f64::from(a[s * a_stride + i / n]) * f64::from(b[s * b_stride + i % n])).sum())
                .collect();
            close(&c, &want, k);
            // The last rows alone, and beside another product.
            let half = m / 2;
            let (mut part, mut twin) = (vec![f32::NAN; (m - half) * n], vec![f32::NAN; (m - half) * n]);
            let listed: Vec<&[f32]> = (0..k).map(|step| &b[step * b_stride..][..n]).collect();
            let mut sides = [
                Side { b: rows, columns: n, c: slots(&mut part) },
                Side { b: Rows::Listed(&listed), columns: n, c: slots(&mut twin) },
            ];
            transposed([m - half, k], (&a[half.min(a.len())..], a_stride), &mut sides);
            assert_eq!(part, c[half * n..]);
            assert_eq!(twin, part);
        }
    }
}
