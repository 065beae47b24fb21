//! Rows laid out for the register tile, and the products that the tile does not have.
//!
//! Every product is one chain of multiply-adds an element in a fixed order, and a masked pair multiplies by an
//! exact zero, which changes no bit of a chain. Where what is multiplied with that zero is not finite the
//! products run again over the pairs that are read only, in the same order: that is how NaN in a masked place
//! stays there.
//!
//! Variants tried, one thread of a Zen 3 at 3.2 GHz, CPU time of multi-head attention (32 × 100 × 256, 8 heads),
//! forward and backward, by `cargo run --release -p lookback-kernels --example time_attention`:
//! - rows packed as columns value by value: 10.2 and 20.8 ms;
//! - a vector of every row of a panel read before any is written, results written by vectors: 9.2 and 18.2 ms, kept.

use super::plan::Tile;
use crate::simd::tile::{Start, VECTORS, panel_product, tile_of_rows};
use crate::simd::{load, store};
use pulp::{Simd, WithSimd};

/// `count` rows of `width` values, `stride` apart.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub(super) from: *const f32,
    pub(super) stride: usize,
    pub(super) count: usize,
    pub(super) width: usize,
}

impl Rows {
    /// Where row `index` starts.
    #[inline(always)]
    pub(super) fn row(&self, index: usize) -> *const f32 {
        self.from.wrapping_add(index * self.stride)
    }

    /// The rows from `first` on, `count` of them.
    #[inline(always)]
    pub(super) fn part(self, first: usize, count: usize) -> Self {
        Rows { from: self.row(first), count, ..self }
    }
}

/// How many columns a panel has.
#[inline(always)]
pub(super) fn panel_width<S: Simd>() -> usize {
    VECTORS * S::F32_LANES
}

/// How far apart rows of `len` values stand in scratch. Rows a power of two apart would share few sets of the
/// first cache, so that such rows get one more line.
#[inline(always)]
pub(super) fn row_stride(len: usize) -> usize {
    if len.is_multiple_of(64) { len + 16 } else { len }
}

/// Packs columns: `[column panel][capacity rows][panel width]`, columns padded with zeros. Tells whether every
/// value is finite.
///
/// # Safety
/// `rows` must be valid for reads and `to` for writes of `panels · capacity · panel width` values.
#[inline(always)]
pub(super) unsafe fn pack_columns<S: Simd>(simd: S, rows: Rows, capacity: usize, to: *mut f32) -> bool {
    let (lanes, panel) = (S::F32_LANES, panel_width::<S>());
    let zero = simd.splat_f32s(0.0);
    let mut sum = zero;
    for row in 0..rows.count {
        let from = rows.row(row);
        let mut column = 0;
        while column < rows.width {
            // SAFETY: the vector or its part lies within the row, and its place within panel `column / panel`.
            unsafe {
                let left = rows.width - column;
                let value = load_part(simd, from, column, rows.width);
                // Zero times infinity or NaN is NaN, and stays it.
                sum = simd.mul_add_e_f32s(value, zero, sum);
                let to = to.add((column / panel * capacity + row) * panel + column % panel);
                store(simd, to, value);
                if left <= lanes && column % panel == 0 && lanes < panel {
                    store(simd, to.add(lanes), zero);
                }
            }
            column += lanes;
        }
    }
    simd.reduce_sum_f32s(sum) == 0.0
}

/// Packs rows as columns: `[panel of rows][width][panel width]`, rows padded with zeros.
///
/// # Safety
/// `rows` must be valid for reads and `to` for writes of `panels of rows · width · panel width` values.
#[inline(never)]
pub(super) unsafe fn pack_rows<S: Simd>(simd: S, rows: Rows, to: *mut f32) {
    simd.vectorize(PackRows { rows, to });
}

/// The arguments of [`pack_rows`], as a function of its own that is compiled once.
struct PackRows {
    rows: Rows,
    to: *mut f32,
}

impl WithSimd for PackRows {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let PackRows { rows, to } = self;
        let (lanes, panel) = (S::F32_LANES, panel_width::<S>());
        // A vector of each row of a panel: they are read before any is written, so that their loads overlap.
        let mut square = [0.0; 512];
        assert!(lanes * panel <= square.len());
        let mut first = 0;
        while first < rows.count {
            let to = to.wrapping_add(first * rows.width);
            let mut column = 0;
            while column < rows.width {
                for j in 0..panel {
                    let row = first + j;
                    // SAFETY: only rows and columns that exist are read, and the square has room for a panel.
                    unsafe {
                        let value = if row < rows.count {
                            load_part(simd, rows.row(row), column, rows.width)
                        } else {
                            simd.splat_f32s(0.0)
                        };
                        store(simd, square.as_mut_ptr().add(j * lanes), value);
                    }
                }
                for c in 0..lanes.min(rows.width - column) {
                    for j in 0..panel {
                        // SAFETY: the column exists in the panel, which is as wide as `panel`.
                        unsafe { *to.add((column + c) * panel + j) = square[j * lanes + c] };
                    }
                }
                column += lanes;
            }
            first += panel;
        }
    }
}

/// One vector of a row from value `at` on, zeros behind its width.
///
/// # Safety
/// `from` must be valid for reads of `width` values, and `at` be less.
#[inline(always)]
pub(crate) unsafe fn load_part<S: Simd>(simd: S, from: *const f32, at: usize, width: usize) -> S::f32s {
    // SAFETY: as the caller promises.
    unsafe {
        if at + S::F32_LANES <= width {
            load(simd, from.add(at))
        } else {
            simd.partial_load_f32s(std::slice::from_raw_parts(from.add(at), width - at))
        }
    }
}

/// `to = from ∘ factors`, with zeros of the usual sign: one that underflowed below zero, or was never computed
/// behind a mask, is the same.
///
/// # Safety
/// `to` must be valid for writes of `width` values, and `from` and `factors` for reads of them in whole vectors.
#[inline(always)]
pub(super) unsafe fn write_scaled<S: Simd>(simd: S, to: *mut f32, from: *const f32, factors: *const f32, width: usize) {
    let zero = simd.splat_f32s(0.0);
    let mut at = 0;
    while at < width {
        // SAFETY: as the caller promises.
        unsafe {
            let value = simd.mul_f32s(load(simd, from.add(at)), load(simd, factors.add(at)));
            let value = simd.add_f32s(value, zero);
            if at + S::F32_LANES <= width {
                store(simd, to.add(at), value);
            } else {
                simd.partial_store_f32s(std::slice::from_raw_parts_mut(to.add(at), width - at), value);
            }
        }
        at += S::F32_LANES;
    }
}

/// `to[row][key] = row · key` for a tile, over the panels that [`pack_rows`] made of a block.
///
/// # Safety
/// `rows` must have the tile's rows, `panels` the block's keys, and `to` must be valid for writes of
/// `[tile.rows, tile.stride]`.
#[inline(always)]
pub(super) unsafe fn products<S: Simd>(simd: S, rows: Rows, panels: *const f32, tile: &Tile<'_>, to: *mut f32) {
    let panel = panel_width::<S>();
    let (width, stride) = (rows.width, tile.stride);
    let mut key = tile.start;
    while key < tile.end {
        let from = panels.wrapping_add(key * width);
        let (a, c) = ((rows.from, rows.stride), (to.wrapping_add(key), stride));
        // SAFETY: the caller promises every range; a panel's columns stay within the padded stride.
        unsafe { strided_product(simd, width, from, tile.rows, Start::Row(std::ptr::null()), a, c) };
        key += panel;
    }
}

/// `c[key] += Σ_row a[row][key] · panel[row]` for the keys of `keys`, rows in their order: the transposed
/// product, over the `[rows][panel width]` panels that [`pack_columns`] made with `capacity` rows.
///
/// # Safety
/// `a` must be valid for reads of `[rows, stride]`, `panels` of as many panels as `width` has, and `c` for reads
/// and writes of rows `keys`, `c_stride` apart and padded to whole panels.
#[inline(never)]
pub(super) unsafe fn transposed_product<S: Simd>(
    simd: S,
    rows: usize,
    a: (*const f32, usize),
    panels: (*const f32, usize),
    width: usize,
    keys: (usize, usize),
    c: (*mut f32, usize),
) {
    simd.vectorize(TransposedProduct { rows, a, panels, width, keys, c });
}

/// The arguments of [`transposed_product`], as a function of its own that is compiled once.
struct TransposedProduct {
    rows: usize,
    a: (*const f32, usize),
    panels: (*const f32, usize),
    width: usize,
    keys: (usize, usize),
    c: (*mut f32, usize),
}

impl WithSimd for TransposedProduct {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let TransposedProduct { rows, a: (a, stride), panels: (panels, capacity), width, keys, c: (c, c_stride) } =
            self;
        let panel = panel_width::<S>();
        let mut column = 0;
        while column < width {
            let from = panels.wrapping_add(column / panel * capacity * panel);
            let mut key = keys.0;
            while key < keys.1 {
                let (a, c) = (a.wrapping_add(key), c.wrapping_add(key * c_stride + column));
                // SAFETY: the caller promises every range, and `key` plus the tile's rows stay within `keys`.
                unsafe {
                    key += match keys.1 - key {
                        1 => transposed_tile::<S, 1>(simd, rows, (a, stride), from, (c, c_stride)),
                        2 => transposed_tile::<S, 2>(simd, rows, (a, stride), from, (c, c_stride)),
                        3 => transposed_tile::<S, 3>(simd, rows, (a, stride), from, (c, c_stride)),
                        4 | 7 | 8 => transposed_tile::<S, 4>(simd, rows, (a, stride), from, (c, c_stride)),
                        5 | 9 | 10 => transposed_tile::<S, 5>(simd, rows, (a, stride), from, (c, c_stride)),
                        _ => transposed_tile::<S, 6>(simd, rows, (a, stride), from, (c, c_stride)),
                    };
                }
            }
            column += panel;
        }
    }
}

/// One register tile of [`transposed_product`]: `R` keys, one panel. Returns `R`.
///
/// # Safety
/// As [`transposed_product`].
#[inline(always)]
unsafe fn transposed_tile<S: Simd, const R: usize>(
    simd: S,
    rows: usize,
    (a, stride): (*const f32, usize),
    panel: *const f32,
    (c, c_stride): (*mut f32, usize),
) -> usize {
    let a: [*const f32; R] = std::array::from_fn(|r| a.wrapping_add(r));
    let c: [*mut f32; R] = std::array::from_fn(|r| c.wrapping_add(r * c_stride));
    // SAFETY: the caller promises every range.
    unsafe { tile_of_rows(simd, rows, a, stride, panel, Start::Output, c) };
    R
}

/// `c[row] += Σ_step a[row][step] · panel[step]` over the column panels that [`pack_columns`] made, for the steps
/// from `start` to `end`.
///
/// # Safety
/// `a` must be valid for reads of `[rows, stride]`, `panels` of as many panels as `width` has, and `c` for reads
/// and writes of `rows` rows, `c_stride` apart and padded to whole panels.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "a product has its two factors, its result and their strides")]
pub(super) unsafe fn product<S: Simd>(
    simd: S,
    rows: usize,
    (a, stride): (*const f32, usize),
    (panels, capacity): (*const f32, usize),
    width: usize,
    (start, end): (usize, usize),
    (c, c_stride): (*mut f32, usize),
) {
    let panel = panel_width::<S>();
    let mut column = 0;
    while column < width {
        let from = panels.wrapping_add((column / panel * capacity + start) * panel);
        let (a, c) = ((a.wrapping_add(start), stride), (c.wrapping_add(column), c_stride));
        // SAFETY: the caller promises every range.
        unsafe { strided_product(simd, end - start, from, rows, Start::Output, a, c) };
        column += panel;
    }
}

/// [`panel_product`] over rows that are a stride apart: one function for all of attention, compiled once.
///
/// # Safety
/// As [`panel_product`].
#[inline(never)]
unsafe fn strided_product<S: Simd>(
    simd: S,
    k: usize,
    panel: *const f32,
    rows: usize,
    start: Start,
    (a, a_stride): (*const f32, usize),
    (c, c_stride): (*mut f32, usize),
) {
    // SAFETY: as the caller promises.
    unsafe {
        panel_product(simd, k, panel, rows, start, |r| a.wrapping_add(r * a_stride), |r| c.wrapping_add(r * c_stride));
    }
}

/// `c[to] += a · panel[from]`: one pair of [`product`] or [`transposed_product`], with the same multiply-adds.
///
/// # Safety
/// As the product it is a part of.
#[inline(always)]
pub(super) unsafe fn pair_product<S: Simd>(
    simd: S,
    a: f32,
    (panels, capacity): (*const f32, usize),
    from: usize,
    width: usize,
    to: *mut f32,
) {
    let (lanes, panel) = (S::F32_LANES, panel_width::<S>());
    let a = simd.splat_f32s(a);
    let mut column = 0;
    while column < width {
        // SAFETY: the caller promises both ranges.
        unsafe {
            let value = load(simd, panels.add((column / panel * capacity + from) * panel + column % panel));
            let to = to.add(column);
            store(simd, to, simd.mul_add_e_f32s(a, value, load(simd, to)));
        }
        column += lanes;
    }
}
