//! One step of several rows: a row of values times a matrix of tags by tags, with sums or with maxima.
//!
//! Every element is one chain in the order of the tags, however many rows are computed at once, so that a row alone has
//! the bits that it has in any batch. Several rows share what is read of the matrix, and keep the multiply-add from waiting
//! for itself.
//!
//! Tried at (B, T, N) = (32, 50, 44) and (32, 50, 9) on one core of an AMD EPYC (AVX-512), the least of 300 repetitions in
//! microseconds; `lookback-bench crf --threads 1` times forward and backward again, with `--mode infer` Viterbi,
//! `--input` is `N`:
//!
//! | | forward, 44 | forward and backward, 44 | Viterbi, 44 | forward, 9 | both, 9 | Viterbi, 9 |
//! |---|---:|---:|---:|---:|---:|---:|
//! | as it is, 4 rows at once | 144 | 359 | 171 | 46 | 100 | 53 |
//! | one row | 186 | 426 | 188 | 91 | 162 | 71 |
//! | 2 rows | 153 | 370 | 172 | 52 | 108 | 59 |
//! | 8 rows, which AVX2 has no registers for | 146 | 367 | 174 | 45 | 98 | 53 |
//! | every sum in logarithms (`Packed::least` above all sums) | 2,240 | 2,467 | 171 | 369 | 1,008 | 53 |
//! | the reference | 18,200 | | 10,700 | 1,150 | | 500 |

use crate::simd::{load, store};
use pulp::{Simd, WithSimd};

/// The most rows that are computed at once.
pub(super) const ROWS: usize = 4;
/// How many vectors of columns are computed at once: with [`ROWS`] rows they fill AVX2's registers.
const VECTORS: usize = 3;

/// What a chain does with a value and an entry of the matrix.
pub(super) trait Chain {
    /// Where a chain starts.
    const START: f32;
    fn link<S: Simd>(simd: S, value: S::f32s, entry: S::f32s, chain: S::f32s) -> S::f32s;
}

/// `Σ value · entry`.
pub(super) struct Sum;

impl Chain for Sum {
    const START: f32 = 0.0;

    #[inline(always)]
    fn link<S: Simd>(simd: S, value: S::f32s, entry: S::f32s, chain: S::f32s) -> S::f32s {
        simd.mul_add_e_f32s(value, entry, chain)
    }
}

/// `max (value + entry)`.
pub(super) struct Largest;

impl Chain for Largest {
    const START: f32 = f32::NEG_INFINITY;

    #[inline(always)]
    fn link<S: Simd>(simd: S, value: S::f32s, entry: S::f32s, chain: S::f32s) -> S::f32s {
        simd.max_f32s(chain, simd.add_f32s(value, entry))
    }
}

/// `to(r)[..width] = chain over i of from(r)[i] and matrix[i][..width]` for the first `rows` rows, at most [`ROWS`].
///
/// # Safety
/// `matrix` must be valid for reads of `count · width` values, each of the first `rows` of `from` for reads of `count`
/// and of `to` for writes of `width`, a multiple of the vector's, which overlap nothing that is read.
#[inline(always)]
pub(super) unsafe fn product<C: Chain, S: Simd>(
    simd: S,
    matrix: *const f32,
    [count, width]: [usize; 2],
    rows: usize,
    from: [*const f32; ROWS],
    to: [*mut f32; ROWS],
) {
    simd.vectorize(Product { matrix, count, width, rows, from, to, chain: std::marker::PhantomData::<C> });
}

/// The arguments of [`product`], as a function of its own that is compiled for the instruction set.
struct Product<C> {
    matrix: *const f32,
    count: usize,
    width: usize,
    rows: usize,
    from: [*const f32; ROWS],
    to: [*mut f32; ROWS],
    chain: std::marker::PhantomData<C>,
}

impl<C: Chain> WithSimd for Product<C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // SAFETY: the caller of `product` promises every range.
        unsafe {
            match self.rows {
                0 => {}
                1 => columns::<C, S, 1>(simd, &self),
                2 => columns::<C, S, 2>(simd, &self),
                3 => columns::<C, S, 3>(simd, &self),
                _ => columns::<C, S, ROWS>(simd, &self),
            }
        }
    }
}

/// # Safety
/// As [`product`], with `R` rows.
#[inline(always)]
unsafe fn columns<C: Chain, S: Simd, const R: usize>(simd: S, product: &Product<C>) {
    let vectors = product.width / S::F32_LANES;
    let mut done = 0;
    while done < vectors {
        let column = done * S::F32_LANES;
        // SAFETY: the caller's promise, and there are as many vectors left.
        unsafe {
            done += match vectors - done {
                1 => tile::<C, S, R, 1>(simd, product, column),
                // Three and one would leave one chain a row in the end, which waits for itself.
                2 | 4 => tile::<C, S, R, 2>(simd, product, column),
                _ => tile::<C, S, R, VECTORS>(simd, product, column),
            };
        }
    }
}

/// # Safety
/// As [`product`], with `R` rows and `V` vectors from `column` on.
#[inline(always)]
unsafe fn tile<C: Chain, S: Simd, const R: usize, const V: usize>(
    simd: S,
    product: &Product<C>,
    column: usize,
) -> usize {
    let &Product { matrix, count, width, from, to, .. } = product;
    let mut chains = [[simd.splat_f32s(C::START); V]; R];
    let mut entries = matrix.wrapping_add(column);
    for at in 0..count {
        // SAFETY: the caller's promise.
        unsafe {
            let mut row = [simd.splat_f32s(0.0); V];
            for (v, entry) in row.iter_mut().enumerate() {
                *entry = load(simd, entries.add(v * S::F32_LANES));
            }
            for r in 0..R {
                let value = simd.splat_f32s(*from[r].add(at));
                for v in 0..V {
                    chains[r][v] = C::link(simd, value, row[v], chains[r][v]);
                }
            }
        }
        entries = entries.wrapping_add(width);
    }
    for (r, chains) in chains.iter().enumerate() {
        for (v, &chain) in chains.iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { store(simd, to[r].add(column + v * S::F32_LANES), chain) };
        }
    }
    V
}
