//! A linear map `y = x Wᵀ + b` over rows, forward and backward.
//!
//! The bias is where the product starts, not a pass of its own. No bit depends on the number of threads. Few rows, which
//! would not pay for packing the weight, go to the `gemm` crate.

#[cfg(test)]
mod tests;

use crate::simd::product::{Packed, Rows, Side, View, transposed};
use crate::simd::tile::ROWS as SHARE;
use crate::simd::{Shared, arch};
use crate::written::vector;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Rows of the result that one piece computes. A multiple of every register tile.
const ROWS: usize = 96;
/// The fewest rows for which the weight is packed.
const PACKED_ROWS: usize = 48;

/// The sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinearDims {
    /// How many rows `x` has.
    pub rows: usize,
    /// The width of `x`.
    pub inputs: usize,
    /// The width of `y`.
    pub outputs: usize,
}

/// x: `[rows, inputs]`, weight: `[outputs, inputs]`, bias: `[outputs]`. Gives y `[rows, outputs]`.
///
/// # Panics
/// If a slice has not the length of its shape.
pub fn forward(dims: LinearDims, x: &[f32], weight: &[f32], bias: Option<&[f32]>, threads: usize) -> Vec<f32> {
    let LinearDims { rows, inputs, outputs } = dims;
    assert!(x.len() == rows * inputs && weight.len() == outputs * inputs);
    assert!(bias.is_none_or(|bias| bias.len() == outputs));
    // SAFETY: every product starts from the bias or from zeros, and the pieces are all of y.
    unsafe { vector(rows * outputs, |y| write_forward(dims, x, weight, bias, y, threads)) }
}

fn write_forward(dims: LinearDims, x: &[f32], weight: &[f32], bias: Option<&[f32]>, y: &mut [f32], threads: usize) {
    let LinearDims { rows, inputs, outputs } = dims;
    if rows * outputs == 0 {
        return;
    }
    if inputs == 0 {
        return y.chunks_exact_mut(outputs).for_each(|row| match bias {
            Some(bias) => row.copy_from_slice(bias),
            None => row.fill(0.0),
        });
    }
    if rows >= PACKED_ROWS {
        // Wᵀ [inputs, outputs], which is W read by columns.
        let packed = Packed::new(inputs, outputs, View { values: weight, strides: [1, inputs] });
        return pieces(y.par_chunks_mut(ROWS * outputs).zip(x.par_chunks(ROWS * inputs)), threads, |(y, x)| {
            packed.product(x, bias, y);
        });
    }
    pieces(y.par_chunks_mut(ROWS * outputs).zip(x.par_chunks(ROWS * inputs)), threads, |(y, x)| {
        if let Some(bias) = bias {
            y.chunks_exact_mut(outputs).for_each(|row| row.copy_from_slice(bias));
        }
        let from = if bias.is_some() { Some(1.0) } else { None };
        product([y.len() / outputs, outputs, inputs], y, from, (x, [inputs, 1]), (weight, [1, inputs]));
    });
}

/// The gradient of x, `[rows, inputs]`: `dy W`.
///
/// # Panics
/// If a slice has not the length of its shape.
pub fn input_gradient(dims: LinearDims, weight: &[f32], dy: &[f32], threads: usize) -> Vec<f32> {
    let LinearDims { rows, inputs, outputs } = dims;
    assert!(weight.len() == outputs * inputs && dy.len() == rows * outputs);
    // SAFETY: every product starts from zeros, and the pieces are all of dx.
    unsafe { vector(rows * inputs, |dx| write_input_gradient(dims, weight, dy, dx, threads)) }
}

fn write_input_gradient(dims: LinearDims, weight: &[f32], dy: &[f32], dx: &mut [f32], threads: usize) {
    let LinearDims { rows, inputs, outputs } = dims;
    if rows * inputs == 0 {
        return;
    }
    if outputs == 0 {
        return dx.fill(0.0);
    }
    if rows >= PACKED_ROWS {
        let packed = Packed::new(outputs, inputs, View { values: weight, strides: [inputs, 1] });
        return pieces(dx.par_chunks_mut(ROWS * inputs).zip(dy.par_chunks(ROWS * outputs)), threads, |(dx, dy)| {
            packed.product(dy, None, dx);
        });
    }
    pieces(dx.par_chunks_mut(ROWS * inputs).zip(dy.par_chunks(ROWS * outputs)), threads, |(dx, dy)| {
        product([dx.len() / inputs, inputs, outputs], dx, None, (dy, [outputs, 1]), (weight, [inputs, 1]));
    });
}

/// The gradient of the weight, `[outputs, inputs]`: `dyᵀ x`.
///
/// # Panics
/// If a slice has not the length of its shape.
pub fn weight_gradient(dims: LinearDims, x: &[f32], dy: &[f32], threads: usize) -> Vec<f32> {
    let LinearDims { rows, inputs, outputs } = dims;
    assert!(x.len() == rows * inputs && dy.len() == rows * outputs);
    // SAFETY: a transposed product starts from zeros, and the pieces are all of the weight's gradient.
    unsafe { vector(outputs * inputs, |dweight| write_weight_gradient(dims, x, dy, dweight, threads)) }
}

fn write_weight_gradient(dims: LinearDims, x: &[f32], dy: &[f32], dweight: &mut [f32], threads: usize) {
    let LinearDims { rows, inputs, outputs } = dims;
    if outputs * inputs == 0 {
        return;
    }
    if rows == 0 {
        return dweight.fill(0.0);
    }
    let share = outputs.div_ceil(threads.max(1));
    pieces(dweight.par_chunks_mut(share * inputs).enumerate(), threads, |(piece, dweight)| {
        let sizes = [dweight.len() / inputs, rows];
        let mut sides = [Side { b: Rows::Strided(x, inputs), columns: inputs, c: dweight }];
        transposed(sizes, (&dy[piece * share..], outputs), &mut sides);
    });
}

/// A linear map whose weight is packed for both passes: for one that is used again and again before it changes.
pub struct PackedLinear {
    dims: LinearDims,
    forward: Packed,
    backward: Packed,
    bias: Option<Vec<f32>>,
}

impl std::fmt::Debug for PackedLinear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackedLinear").field("dims", &self.dims).finish_non_exhaustive()
    }
}

impl PackedLinear {
    /// weight: `[outputs, inputs]`, bias: `[outputs]`.
    ///
    /// # Panics
    /// If a slice has not the length of its shape.
    pub fn new(inputs: usize, outputs: usize, weight: &[f32], bias: Option<&[f32]>) -> Self {
        assert!(weight.len() == outputs * inputs && bias.is_none_or(|bias| bias.len() == outputs));
        PackedLinear {
            dims: LinearDims { rows: 0, inputs, outputs },
            forward: Packed::new(inputs, outputs, View { values: weight, strides: [1, inputs] }),
            backward: Packed::new(outputs, inputs, View { values: weight, strides: [inputs, 1] }),
            bias: bias.map(<[f32]>::to_vec),
        }
    }

    /// x: `[rows, inputs]`. Gives y `[rows, outputs]`.
    ///
    /// # Panics
    /// If `x` is no whole number of rows.
    pub fn forward(&self, x: &[f32], threads: usize) -> Vec<f32> {
        let LinearDims { inputs, outputs, .. } = self.dims;
        by_rows(&self.forward, x, [inputs, outputs], self.bias.as_deref(), threads)
    }

    /// The gradient of x, `[rows, inputs]`. dy: `[rows, outputs]`.
    ///
    /// # Panics
    /// If `dy` is no whole number of rows.
    pub fn input_gradient(&self, dy: &[f32], threads: usize) -> Vec<f32> {
        let LinearDims { inputs, outputs, .. } = self.dims;
        by_rows(&self.backward, dy, [outputs, inputs], None, threads)
    }
}

/// `a [rows, from] · packed [from, to]`, the rows shared between the threads.
fn by_rows(packed: &Packed, a: &[f32], [from, to]: [usize; 2], bias: Option<&[f32]>, threads: usize) -> Vec<f32> {
    assert!(from > 0 && to > 0 && a.len().is_multiple_of(from));
    let rows = a.len() / from;
    let share = rows.div_ceil(threads.max(1)).next_multiple_of(SHARE).clamp(SHARE, ROWS);
    // SAFETY: every product starts from the bias or from zeros, and the pieces are all of the result.
    unsafe {
        vector(rows * to, |c| {
            pieces(c.par_chunks_mut(share * to).zip(a.par_chunks(share * from)), threads, |(c, a)| {
                packed.product(a, bias, c);
            });
        })
    }
}

/// The gradient of the bias, `[outputs]`: the sum of the rows of `dy`, in their order.
pub fn bias_gradient(dims: LinearDims, dy: &[f32]) -> Vec<f32> {
    let mut dbias = vec![0.0; dims.outputs];
    if dims.outputs > 0 {
        arch().dispatch(Sum { dy, dbias: &mut dbias });
    }
    dbias
}

/// Rows whose sum is taken before it joins the total, so that rounding grows slowly.
const SUM_ROWS: usize = 64;

struct Sum<'a> {
    dy: &'a [f32],
    dbias: &'a mut [f32],
}

impl WithSimd for Sum<'_> {
    type Output = ();

    // Plain loops, which the compiler turns into vectors once it may use the instruction set.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Sum { dy, dbias } = self;
        let mut block = vec![0.0f32; dbias.len()];
        for rows in dy.chunks(SUM_ROWS * dbias.len()) {
            block.fill(0.0);
            for row in rows.chunks_exact(block.len()) {
                for (sum, value) in block.iter_mut().zip(row) {
                    *sum += value;
                }
            }
            for (total, sum) in dbias.iter_mut().zip(&block) {
                *total += sum;
            }
        }
    }
}

fn pieces<X: Send>(pieces: impl IndexedParallelIterator<Item = X>, threads: usize, work: impl Fn(X) + Sync + Send) {
    let least = if threads == 1 { usize::MAX } else { 1 };
    pieces.with_min_len(least).for_each(work);
}

/// `to [m, n] = from · to + a [m, k] · b [k, n]`; `a` and `b` with their strides of row and column.
fn product(
    [m, n, k]: [usize; 3],
    to: &mut [f32],
    from: Option<f32>,
    (a, a_strides): (&[f32], [usize; 2]),
    (b, b_strides): (&[f32], [usize; 2]),
) {
    let reach = |rows: usize, columns: usize, strides: [usize; 2]| match rows * columns {
        0 => 0,
        _ => (rows - 1) * strides[0] + (columns - 1) * strides[1] + 1,
    };
    assert!(to.len() >= m * n && a.len() >= reach(m, k, a_strides) && b.len() >= reach(k, n, b_strides));
    let to = Shared(to.as_mut_ptr());
    // SAFETY: the assertion above is the range that the product reads and writes.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            to.at(0),
            1,
            n as isize,
            from.is_some(),
            a.as_ptr(),
            a_strides[1] as isize,
            a_strides[0] as isize,
            b.as_ptr(),
            b_strides[1] as isize,
            b_strides[0] as isize,
            from.unwrap_or(0.0),
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
