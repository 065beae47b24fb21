//! Matrix products over the register tile, for many rows: what the linear maps and the gradients of weights are.
//!
//! Every element is one chain of multiply-adds in the order of `k`: blocks of `k` go on from what the block before
//! left. So no result depends on how the rows, the columns or `k` are cut, nor on the number of threads.
//!
//! Why not the `gemm` crate, which stood here: on an AMD EPYC (Zen 3), one thread, 256 x 256 over 3,200 rows, best of 15
//! in turns, packed columns do 88 GFLOP/s and `gemm` 79, the transposed product 79 and `gemm` 77 to 79, of the 104 that
//! multiply-adds alone reach; and `gemm` fixes no order of sums.

use std::cell::Cell;

use super::tile::{Start, columns_tile, panel_product, split};
use super::{Aligned, arch, tile::VECTORS};
use pulp::{Simd, WithSimd};

/// How many values of `k` are taken at once: a panel of them stays in the first cache.
const DEPTH: usize = 256;
/// How many columns are taken at once: their panels stay in the second cache.
const COLUMNS: usize = 256;
/// How many rows are taken at once.
const ROWS: usize = 96;

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
    pub(crate) fn product(&self, a: &[f32], bias: Option<&[f32]>, c: &mut [f32]) {
        let rows = c.len() / self.columns.max(1);
        assert!(c.len() == rows * self.columns && a.len() >= rows * self.k);
        assert!(bias.is_none_or(|bias| bias.len() == self.columns));
        if rows == 0 {
            return;
        }
        if self.k == 0 {
            return c.chunks_exact_mut(self.columns).for_each(|row| match bias {
                Some(bias) => row.copy_from_slice(bias),
                None => row.fill(0.0),
            });
        }
        arch().dispatch(RowsProduct { packed: self, a, bias, rows, c });
    }
}

struct RowsProduct<'a> {
    packed: &'a Packed,
    a: &'a [f32],
    bias: Option<&'a [f32]>,
    rows: usize,
    c: &'a mut [f32],
}

impl WithSimd for RowsProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let RowsProduct { packed: &Packed { ref data, k, columns }, a, bias, rows, c } = self;
        let width = VECTORS * S::F32_LANES;
        // Columns that are no whole panel go by way of a row of one panel's width.
        let (whole, rest) = (columns - columns % width, columns % width);
        let mut edge = if rest > 0 { vec![0.0; rows.min(ROWS) * width] } else { Vec::new() };
        let mut edge_bias = vec![0.0; if rest > 0 { width } else { 0 }];
        if let (Some(bias), true) = (bias, rest > 0) {
            edge_bias[..rest].copy_from_slice(&bias[whole..]);
        }
        for row in (0..rows).step_by(ROWS) {
            let count = ROWS.min(rows - row);
            let mut panel = data.as_slice().as_ptr();
            for first in (0..k).step_by(DEPTH) {
                let depth = DEPTH.min(k - first);
                let from = a[row * k + first..].as_ptr();
                let start = |bias: Option<&[f32]>, column: usize| match bias {
                    _ if first > 0 => Start::Output,
                    Some(bias) => Start::Row(bias[column..].as_ptr()),
                    None => Start::Row(std::ptr::null()),
                };
                for column in (0..whole).step_by(width) {
                    let to = c[row * columns + column..].as_mut_ptr();
                    // SAFETY: a panel has `depth` rows, `a` and `c` hold `count` rows here, a bias every column.
                    unsafe {
                        let (from, to) = (|r: usize| from.wrapping_add(r * k), |r: usize| to.wrapping_add(r * columns));
                        panel_product(simd, depth, panel, count, start(bias, column), from, to);
                    }
                    panel = panel.wrapping_add(depth * width);
                }
                if rest > 0 {
                    let to = edge.as_mut_ptr();
                    // SAFETY: as above, and the edge has `count` rows of a panel's width.
                    unsafe {
                        let (from, to) = (|r: usize| from.wrapping_add(r * k), |r: usize| to.wrapping_add(r * width));
                        panel_product(simd, depth, panel, count, start(bias.map(|_| &edge_bias[..]), 0), from, to);
                    }
                    panel = panel.wrapping_add(depth * width);
                }
            }
            for (r, edge) in edge.chunks_exact(width).take(count).enumerate() {
                c[(row + r) * columns + whole..][..rest].copy_from_slice(&edge[..rest]);
            }
        }
    }
}

/// `c [m, n] = aᵀ b`, for `a [k, m]` and `b [k, n]` whose rows are `a_stride` and `b_stride` apart.
///
/// # Panics
/// If a slice is too short.
pub(crate) fn transposed(
    [m, n, k]: [usize; 3],
    (a, a_stride): (&[f32], usize),
    (b, b_stride): (&[f32], usize),
    c: &mut [f32],
) {
    assert!(c.len() == m * n);
    assert!(View { values: a, strides: [a_stride, 1] }.holds(k, m));
    assert!(View { values: b, strides: [b_stride, 1] }.holds(k, n));
    if k == 0 {
        return c.fill(0.0);
    }
    let mut scratch = SCRATCH.take();
    arch().dispatch(Transposed { m, n, k, a, a_stride, b, b_stride, c, scratch: &mut scratch });
    SCRATCH.set(scratch);
}

struct Transposed<'a> {
    m: usize,
    n: usize,
    k: usize,
    a: &'a [f32],
    a_stride: usize,
    b: &'a [f32],
    b_stride: usize,
    c: &'a mut [f32],
    scratch: &'a mut Aligned,
}

impl WithSimd for Transposed<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Transposed { m, n, k, a, a_stride, b, b_stride, c, scratch } = self;
        let width = VECTORS * S::F32_LANES;
        let columns = COLUMNS.min(n.next_multiple_of(width));
        let scratch = scratch.scratch(DEPTH * columns + DEPTH * ROWS.min(m) + 6 * width);
        let (panels, rest) = scratch.split_at_mut(DEPTH * columns);
        let (edge, tiles) = rest.split_at_mut(6 * width);
        for column in (0..n).step_by(columns) {
            let real = columns.min(n - column);
            for first in (0..k).step_by(DEPTH) {
                let depth = DEPTH.min(k - first);
                let start = if first == 0 { Start::Row(std::ptr::null()) } else { Start::Output };
                for (index, panel) in panels.chunks_exact_mut(DEPTH * width).take(real.div_ceil(width)).enumerate() {
                    let (at, own) = (column + index * width, width.min(real - index * width));
                    for (step, to) in panel.chunks_exact_mut(width).take(depth).enumerate() {
                        let from = &b[(first + step) * b_stride + at..][..own];
                        if own == width {
                            to.copy_from_slice(&from[..width]);
                        } else {
                            to[..own].copy_from_slice(from);
                            to[own..].fill(0.0);
                        }
                    }
                }
                for row in (0..m).step_by(ROWS) {
                    let count = ROWS.min(m - row);
                    // Each tile's rows side by side, `[k][rows of the tile]`.
                    let mut done = 0;
                    while done < count {
                        let tile = split(count - done);
                        let to = &mut tiles[done * depth..][..tile * depth];
                        let from = &a[first * a_stride + row + done..];
                        match tile {
                            6 => side_by_side::<6>(from, a_stride, to),
                            5 => side_by_side::<5>(from, a_stride, to),
                            4 => side_by_side::<4>(from, a_stride, to),
                            3 => side_by_side::<3>(from, a_stride, to),
                            2 => side_by_side::<2>(from, a_stride, to),
                            _ => side_by_side::<1>(from, a_stride, to),
                        }
                        done += tile;
                    }
                    for (index, panel) in panels.chunks_exact(DEPTH * width).take(real.div_ceil(width)).enumerate() {
                        let (at, own) = (column + index * width, width.min(real - index * width));
                        let mut done = 0;
                        while done < count {
                            let tile = split(count - done);
                            let to = c[(row + done) * n + at..].as_mut_ptr();
                            let a = tiles[done * depth..].as_ptr();
                            // SAFETY: the tile has `depth` steps of its rows, the panel of its columns, and `c` the
                            // rows and columns; an edge has six rows of a panel's width.
                            unsafe {
                                if own == width {
                                    columns_tile(simd, tile, depth, a, panel.as_ptr(), start, to, n);
                                } else {
                                    // What the blocks before left; before the first, nothing has been written.
                                    for r in (0..tile).filter(|_| first > 0) {
                                        let row = std::slice::from_raw_parts(to.add(r * n), own);
                                        edge[r * width..][..own].copy_from_slice(row);
                                    }
                                    let through = edge.as_mut_ptr();
                                    columns_tile(simd, tile, depth, a, panel.as_ptr(), start, through, width);
                                    for r in 0..tile {
                                        let row = std::slice::from_raw_parts_mut(to.add(r * n), own);
                                        row.copy_from_slice(&edge[r * width..][..own]);
                                    }
                                }
                            }
                            done += tile;
                        }
                    }
                }
            }
        }
    }
}

/// The first `R` values of every row of `from`, one after another.
#[inline(always)]
fn side_by_side<const R: usize>(from: &[f32], stride: usize, to: &mut [f32]) {
    for (step, to) in to.as_chunks_mut::<R>().0.iter_mut().enumerate() {
        if let Some(from) = from[step * stride..].first_chunk::<R>() {
            *to = *from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                packed.product(&a, with_bias.then_some(&bias[..]), &mut c);
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
            transposed([m, n, k], (&a, a_stride), (&b, b_stride), &mut c);
            let want: Vec<f64> = (0..m * n)
                .map(|i| (0..k).map(|s| f64::from(a[s * a_stride + i / n]) * f64::from(b[s * b_stride + i % n])).sum())
                .collect();
            close(&c, &want, k);
            // The last rows alone.
            let half = m / 2;
            let mut part = vec![f32::NAN; (m - half) * n];
            transposed([m - half, n, k], (&a[half.min(a.len())..], a_stride), (&b, b_stride), &mut part);
            assert_eq!(part, c[half * n..]);
        }
    }
}
