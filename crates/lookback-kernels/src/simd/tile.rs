//! The register tile: up to 6 rows times 2 vectors of columns, over a packed panel.
//!
//! A panel is `[k][2 vectors]`, so one step of `k` reads two vectors of the panel and one value per row, and does
//! `2 · rows` multiply-adds. 6 × 2 fills 12 of AVX2's 16 registers; 4 × 2 is the least that hides the latency
//! of the multiply-add, so a remainder of rows is split to avoid tiles below 4.
//!
//! Every element is one chain of multiply-adds in the order of `k`, whatever the tile: that is what makes a
//! row computed alone equal the same row in any batch.
//!
//! Tried on 2 cores of an AMD EPYC (Zen 3, 512 KiB of second-level cache each) whose neighbours share the cores;
//! `lookback-bench`, two programs in turns, 16 to 30 turns, the median of the turns' ratios of medians:
//! - a loop of one step, in which the compiler computed each row's address anew (25 instructions for 10 multiply-adds):
//!   LSTM inference (32, 100, 128, 256) 22.6 ms, (32, 100, 128, 128) 7.8; four steps and a pointer per row
//!   (`opaque`), kept: 18.3 and 6.5 (medians of 5 and 3 runs). Least times hardly change, 29.1 and 28.9 ms on one thread:
//!   by estimate the instructions saved are those that a neighbour on the same core takes;
//! - the panel that comes next asked for while the last tile of this one is computed: 2 to 3 % slower at H 64 to 512;
//! - rows of a state a line more than a power of two apart: within 2 % at H 64 to 256, 3 % less time at
//!   (64, 100, 512, 512); left;
//! - blocks of the input product of 16, 32, 48 or 192 rows in place of 96: within 3 %, but for 8 % more with 192
//!   at (32, 500, 64, 64);
//! - both threads on all rows, each with half the units, in place of half the rows each: 2 to 5 % slower at H 128 and
//!   256, no change at 512.

use super::{load, store};
use pulp::{Simd, WithSimd};

/// Vectors in a panel's width.
pub(crate) const VECTORS: usize = 2;
/// The most rows a tile has.
pub(crate) const ROWS: usize = 6;
/// How many steps of `k` stand in the loop.
const UNROLL: usize = 4;

/// Where a product's accumulators start.
#[derive(Clone, Copy)]
pub(crate) enum Start {
    /// From what the output holds.
    Output,
    /// From these values of one panel's width, the same for every row; null for zeros.
    Row(*const f32),
}

impl Start {
    /// From zeros.
    pub(crate) const ZEROS: Start = Start::Row(std::ptr::null());

    /// What the sums of one row begin with, where the output stands at `c`.
    ///
    /// # Safety
    /// `c`, or the row of starts, must be valid for reads of two vectors.
    #[inline(always)]
    unsafe fn read<S: Simd>(self, simd: S, c: *const f32) -> [S::f32s; VECTORS] {
        let from = match self {
            Start::Output => c,
            Start::Row(from) if from.is_null() => return [simd.splat_f32s(0.0); VECTORS],
            Start::Row(from) => from,
        };
        // SAFETY: the caller's promise.
        unsafe { [load(simd, from), load(simd, from.add(S::F32_LANES))] }
    }
}

/// Writes one row's sums.
///
/// # Safety
/// `to` must be valid for writes of two vectors.
#[inline(always)]
unsafe fn write<S: Simd>(simd: S, to: *mut f32, sums: [S::f32s; VECTORS]) {
    // SAFETY: the caller's promise.
    unsafe {
        store(simd, to, sums[0]);
        store(simd, to.add(S::F32_LANES), sums[1]);
    }
}

/// One panel of a product, and where its columns stand in the output.
#[derive(Clone, Copy)]
pub(crate) struct Panel {
    /// `[k][2 vectors]`.
    pub(crate) data: *const f32,
    pub(crate) start: Start,
    pub(crate) column: usize,
}

/// `c(r)[column..][..2 vectors] = start + Σ_k a(r)[k] · data[k]` for `r` in `0..rows` and every panel.
///
/// Few rows would leave the multiply-add waiting for itself, two chains per row; they take several panels at once. One
/// row of (1, 100, 64, 128) went from 35 to 47 GFLOP/s by that, of (1, 100, 128, 256) from 33 to 38
/// (`lookback-bench lstm --batch 1 --mode infer`).
///
/// # Safety
/// As [`panel_product`], for every panel.
#[inline(always)]
pub(crate) unsafe fn panels_product<S: Simd>(
    simd: S,
    k: usize,
    panels: &[Panel],
    rows: usize,
    a: impl Fn(usize) -> *const f32,
    c: impl Fn(usize) -> *mut f32,
) {
    if rows >= 4 {
        for &Panel { data, start, column } in panels {
            // SAFETY: the caller's promise.
            unsafe { panel_product(simd, k, data, rows, start, &a, |r| c(r).wrapping_add(column)) };
        }
        return;
    }
    simd.vectorize(FewRows { k, panels, rows, a, c });
}

/// The arguments of [`panels_product`] for up to three rows.
struct FewRows<'a, A, C> {
    k: usize,
    panels: &'a [Panel],
    rows: usize,
    a: A,
    c: C,
}

impl<A: Fn(usize) -> *const f32, C: Fn(usize) -> *mut f32> WithSimd for FewRows<'_, A, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let FewRows { k, panels, rows, a, c } = self;
        let mut left = panels;
        while !left.is_empty() {
            // SAFETY: the caller of `panels_product` promises every range.
            unsafe {
                match (rows, left.len()) {
                    (1, 4..) => left = few_rows::<S, 1, 4>(simd, k, left, &a, &c),
                    (1, 2..) => left = few_rows::<S, 1, 2>(simd, k, left, &a, &c),
                    (1, _) => left = few_rows::<S, 1, 1>(simd, k, left, &a, &c),
                    (2, 2..) => left = few_rows::<S, 2, 2>(simd, k, left, &a, &c),
                    (2, _) => left = few_rows::<S, 2, 1>(simd, k, left, &a, &c),
                    (3, 2..) => left = few_rows::<S, 3, 2>(simd, k, left, &a, &c),
                    (3, _) => left = few_rows::<S, 3, 1>(simd, k, left, &a, &c),
                    _ => return,
                }
            }
        }
    }
}

/// `R` rows times the first `P` panels; gives the panels that are left.
///
/// # Safety
/// As [`panels_product`].
#[inline(always)]
unsafe fn few_rows<'a, S: Simd, const R: usize, const P: usize>(
    simd: S,
    k: usize,
    panels: &'a [Panel],
    a: &impl Fn(usize) -> *const f32,
    c: &impl Fn(usize) -> *mut f32,
) -> &'a [Panel] {
    let lanes = S::F32_LANES;
    let (now, left) = panels.split_at(P);
    let a: [*const f32; R] = std::array::from_fn(|r| opaque(a(r)));
    let c: [*mut f32; R] = std::array::from_fn(c);
    let at: [*const f32; P] = std::array::from_fn(|p| opaque(now[p].data));
    let mut sums = [[[simd.splat_f32s(0.0); VECTORS]; R]; P];
    for (sums, panel) in sums.iter_mut().zip(now) {
        for (sums, c) in sums.iter_mut().zip(c) {
            // SAFETY: both ranges are the caller's promise.
            *sums = unsafe { panel.start.read(simd, c.wrapping_add(panel.column)) };
        }
    }
    let mut step = 0;
    // SAFETY: the panels have `k` steps, and `a(r)` has `k` values.
    unsafe {
        while step + UNROLL <= k {
            for step in step..step + UNROLL {
                for p in 0..P {
                    multiply_add(simd, &a, step, at[p].add(step * VECTORS * lanes), &mut sums[p]);
                }
            }
            step += UNROLL;
        }
        for step in step..k {
            for p in 0..P {
                multiply_add(simd, &a, step, at[p].add(step * VECTORS * lanes), &mut sums[p]);
            }
        }
    }
    for (sums, panel) in sums.into_iter().zip(now) {
        for (sums, c) in sums.into_iter().zip(c) {
            // SAFETY: the range is the caller's promise.
            unsafe { write(simd, c.add(panel.column), sums) };
        }
    }
    left
}

/// `c(r)[..2 vectors] = start + Σ_k a(r)[k] · panel[k]` for `r` in `0..rows`.
///
/// # Safety
/// `panel` must be valid for reads of `k · 2 · S::F32_LANES` values, `a(r)` for `k`, and `c(r)` for reads and
/// writes of `2 · S::F32_LANES` values that overlap no `a`.
#[inline(always)]
pub(crate) unsafe fn panel_product<S: Simd>(
    simd: S,
    k: usize,
    panel: *const f32,
    rows: usize,
    start: Start,
    a: impl Fn(usize) -> *const f32,
    c: impl Fn(usize) -> *mut f32,
) {
    simd.vectorize(PanelProduct { k, panel, rows, start, a, c });
}

/// The arguments of [`panel_product`], as a function of its own that is compiled for the instruction set: what
/// calls it may be a closure, and a closure is compiled without.
struct PanelProduct<A, C> {
    k: usize,
    panel: *const f32,
    rows: usize,
    start: Start,
    a: A,
    c: C,
}

impl<A: Fn(usize) -> *const f32, C: Fn(usize) -> *mut f32> WithSimd for PanelProduct<A, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let PanelProduct { k, panel, rows, start, a, c } = self;
        let mut row = 0;
        while row < rows {
            let tile = split(rows - row);
            // SAFETY: the caller of `panel_product` promises every range, and `row + tile <= rows`.
            unsafe {
                match tile {
                    1 => tile_product::<S, 1>(simd, k, panel, row, start, &a, &c),
                    2 => tile_product::<S, 2>(simd, k, panel, row, start, &a, &c),
                    3 => tile_product::<S, 3>(simd, k, panel, row, start, &a, &c),
                    4 => tile_product::<S, 4>(simd, k, panel, row, start, &a, &c),
                    5 => tile_product::<S, 5>(simd, k, panel, row, start, &a, &c),
                    _ => tile_product::<S, 6>(simd, k, panel, row, start, &a, &c),
                }
            }
            row += tile;
        }
    }
}

/// How many of the rows that are left the next tile takes: 7 to 11 are split in two that both stay at 4 or more (7: 4
/// and 3).
#[inline(always)]
pub(crate) fn split(left: usize) -> usize {
    match left {
        1..=6 => left,
        7 | 8 => 4,
        9 | 10 => 5,
        _ => ROWS,
    }
}

/// `c(r)[..2 vectors] = start + Σ_k a[k][r] · panel[k]` for `r` in `0..rows`, at most 6: a tile whose rows stand side by
/// side.
///
/// # Safety
/// `a` must be valid for reads of `k · rows` values, `panel` of `k · 2 · S::F32_LANES`, and `c` for reads and writes of
/// `rows` times as many, `c_stride` apart, that overlap neither.
#[allow(clippy::too_many_arguments, reason = "the sizes and places of three matrices")]
#[inline(always)]
pub(crate) unsafe fn columns_tile<S: Simd>(
    simd: S,
    rows: usize,
    k: usize,
    a: *const f32,
    panel: *const f32,
    start: Start,
    c: *mut f32,
    c_stride: usize,
) {
    simd.vectorize(ColumnsTile { rows, k, a, panel, start, c, c_stride });
}

struct ColumnsTile {
    rows: usize,
    k: usize,
    a: *const f32,
    panel: *const f32,
    start: Start,
    c: *mut f32,
    c_stride: usize,
}

impl WithSimd for ColumnsTile {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // SAFETY: the caller of `columns_tile` promises every range.
        unsafe {
            match self.rows {
                1 => columns_rows::<S, 1>(simd, &self),
                2 => columns_rows::<S, 2>(simd, &self),
                3 => columns_rows::<S, 3>(simd, &self),
                4 => columns_rows::<S, 4>(simd, &self),
                5 => columns_rows::<S, 5>(simd, &self),
                _ => columns_rows::<S, 6>(simd, &self),
            }
        }
    }
}

/// [`columns_tile`] of `R` rows.
///
/// # Safety
/// As [`columns_tile`].
#[inline(always)]
unsafe fn columns_rows<S: Simd, const R: usize>(simd: S, tile: &ColumnsTile) {
    let &ColumnsTile { k, a, panel, start, c, c_stride, .. } = tile;
    let a: [*const f32; R] = std::array::from_fn(|r| a.wrapping_add(r));
    // SAFETY: the caller's promise.
    unsafe { tile_of_rows(simd, k, a, R, panel, start, std::array::from_fn(|r| c.wrapping_add(r * c_stride))) };
}

/// One tile of [`panel_product`].
///
/// # Safety
/// As [`panel_product`], for the rows from `row` to `row + R`.
#[inline(always)]
unsafe fn tile_product<S: Simd, const R: usize>(
    simd: S,
    k: usize,
    panel: *const f32,
    row: usize,
    start: Start,
    a: &impl Fn(usize) -> *const f32,
    c: &impl Fn(usize) -> *mut f32,
) {
    let a: [*const f32; R] = std::array::from_fn(|r| opaque(a(row + r)));
    // SAFETY: the caller's promise.
    unsafe { tile_of_rows(simd, k, a, 1, panel, start, std::array::from_fn(|r| c(row + r))) };
}

/// `c(r)[..2 vectors] = start + Σ_k a(r)[k · stride] · panel[k]`.
///
/// # Safety
/// As [`panel_product`].
#[inline(always)]
pub(crate) unsafe fn tile_of_rows<S: Simd, const R: usize>(
    simd: S,
    k: usize,
    a: [*const f32; R],
    stride: usize,
    panel: *const f32,
    start: Start,
    c: [*mut f32; R],
) {
    let width = VECTORS * S::F32_LANES;
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; R];
    for (sums, c) in sums.iter_mut().zip(c) {
        // SAFETY: both ranges are the caller's promise.
        *sums = unsafe { start.read(simd, c) };
    }
    let (mut step, mut columns) = (0, panel);
    // SAFETY: `columns` stands at `step` of the panel's `k`, and `a(r)` has `k` values.
    unsafe {
        while step + UNROLL <= k {
            for u in 0..UNROLL {
                multiply_add(simd, &a, (step + u) * stride, columns.add(u * width), &mut sums);
            }
            columns = columns.add(UNROLL * width);
            step += UNROLL;
        }
        for step in step..k {
            multiply_add(simd, &a, step * stride, columns, &mut sums);
            columns = columns.add(width);
        }
    }
    for (sums, c) in sums.into_iter().zip(c) {
        // SAFETY: the range is the caller's promise.
        unsafe { write(simd, c, sums) };
    }
}

/// One step of `k`: `sums(r) += a(r)[at] · columns`.
///
/// # Safety
/// `a(r)` has a value at `at`, `columns` two vectors.
#[inline(always)]
unsafe fn multiply_add<S: Simd, const R: usize>(
    simd: S,
    a: &[*const f32; R],
    at: usize,
    columns: *const f32,
    sums: &mut [[S::f32s; VECTORS]; R],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let columns = [load(simd, columns), load(simd, columns.add(S::F32_LANES))];
        for r in 0..R {
            let value = simd.splat_f32s(*a[r].add(at));
            sums[r][0] = simd.mul_add_e_f32s(value, columns[0], sums[r][0]);
            sums[r][1] = simd.mul_add_e_f32s(value, columns[1], sums[r][1]);
        }
    }
}

/// The same pointer, of which the compiler does not know that it stands a fixed distance from others: it would compute
/// each row's address in every step of `k` and spend a quarter of the loop's instructions on that.
#[inline(always)]
fn opaque(pointer: *const f32) -> *const f32 {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    {
        let mut pointer = pointer;
        // SAFETY: no instruction at all.
        #[allow(clippy::pointers_in_nomem_asm_block, reason = "nothing is read or written")]
        unsafe {
            std::arch::asm!("/* {} */", inout(reg) pointer, options(pure, nomem, nostack, preserves_flags))
        };
        pointer
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    pointer
}
