//! A linear map `y = x Wᵀ + b` over rows, forward and backward.
//!
//! The bias is where the product starts, not a pass of its own. No bit depends on the number of threads. Few rows, which
//! would not pay for packing the weight, go to the `gemm` crate, so that [`forward`] promises the bits of a row in batches
//! of one size alone; [`PreparedLinear`] and [`PackedLinear`] promise them in every batch.

mod packed;
pub mod reference;
#[cfg(test)]
mod tests;

pub use packed::{PackedLinear, PreparedLinear};

use crate::simd::product::{Packed, Rows, Side, View, transposed};
use crate::simd::{Shared, arch};
use crate::written::{Slot, filled, vector};
use crate::{KernelError, check};
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

impl LinearDims {
    fn check_x(&self, x: &[f32]) -> Result<(), KernelError> {
        check::slice("x", x, &[self.rows, self.inputs], "[rows, inputs]")
    }

    fn check_weight(&self, weight: &[f32]) -> Result<(), KernelError> {
        check::slice("weight", weight, &[self.outputs, self.inputs], "[outputs, inputs]")
    }

    fn check_y(&self, name: &'static str, y: &[f32]) -> Result<(), KernelError> {
        check::slice(name, y, &[self.rows, self.outputs], "[rows, outputs]")
    }
}

/// x: `[rows, inputs]`, weight: `[outputs, inputs]`, bias: `[outputs]`. Gives y `[rows, outputs]`.
///
/// # Errors
/// If a slice has not the length of its shape.
pub fn forward(
    dims: LinearDims,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    threads: usize,
) -> Result<Vec<f32>, KernelError> {
    dims.check_x(x)?;
    dims.check_weight(weight)?;
    check::optional("bias", bias, &[dims.outputs], "[outputs]")?;
    let len = check::product("y", &[dims.rows, dims.outputs], "[rows, outputs]")?;
    // SAFETY: every product starts from the bias or from zeros, and the pieces are all of y.
    unsafe { Ok(vector(len, |y| write_forward(dims, x, weight, bias, y, threads))) }
}

fn write_forward(dims: LinearDims, x: &[f32], weight: &[f32], bias: Option<&[f32]>, y: &mut [Slot], threads: usize) {
    let LinearDims { rows, inputs, outputs } = dims;
    if rows * outputs == 0 {
        return;
    }
    if inputs == 0 {
        return y.chunks_exact_mut(outputs).for_each(|row| match bias {
            Some(bias) => _ = row.write_copy_of_slice(bias),
            None => _ = filled(row, 0.0),
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
            y.chunks_exact_mut(outputs).for_each(|row| _ = row.write_copy_of_slice(bias));
        }
        let from = if bias.is_some() { Some(1.0) } else { None };
        product([y.len() / outputs, outputs, inputs], y, from, (x, [inputs, 1]), (weight, [1, inputs]));
    });
}

/// The gradient of x, `[rows, inputs]`: `dy W`.
///
/// # Errors
/// If a slice has not the length of its shape.
pub fn input_gradient(dims: LinearDims, weight: &[f32], dy: &[f32], threads: usize) -> Result<Vec<f32>, KernelError> {
    dims.check_weight(weight)?;
    dims.check_y("dy", dy)?;
    let len = check::product("dx", &[dims.rows, dims.inputs], "[rows, inputs]")?;
    // SAFETY: every product starts from zeros, and the pieces are all of dx.
    unsafe { Ok(vector(len, |dx| write_input_gradient(dims, weight, dy, dx, threads))) }
}

fn write_input_gradient(dims: LinearDims, weight: &[f32], dy: &[f32], dx: &mut [Slot], threads: usize) {
    let LinearDims { rows, inputs, outputs } = dims;
    if rows * inputs == 0 {
        return;
    }
    if outputs == 0 {
        filled(dx, 0.0);
        return;
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
/// # Errors
/// If a slice has not the length of its shape.
pub fn weight_gradient(dims: LinearDims, x: &[f32], dy: &[f32], threads: usize) -> Result<Vec<f32>, KernelError> {
    dims.check_x(x)?;
    dims.check_y("dy", dy)?;
    check::product("the gradient of weight", &[dims.outputs, dims.inputs], "[outputs, inputs]")?;
    Ok(weight_of(dims, x, dy, threads))
}

/// [`weight_gradient`] of sizes that have been checked.
pub(crate) fn weight_of(dims: LinearDims, x: &[f32], dy: &[f32], threads: usize) -> Vec<f32> {
    let len = dims.outputs * dims.inputs;
    // SAFETY: a transposed product starts from zeros, and the pieces are all of the weight's gradient.
    unsafe { vector(len, |dweight| write_weight_gradient(dims, x, dy, dweight, threads)) }
}

fn write_weight_gradient(dims: LinearDims, x: &[f32], dy: &[f32], dweight: &mut [Slot], threads: usize) {
    let LinearDims { rows, inputs, outputs } = dims;
    if outputs * inputs == 0 {
        return;
    }
    if rows == 0 {
        filled(dweight, 0.0);
        return;
    }
    let share = outputs.div_ceil(threads.max(1));
    pieces(dweight.par_chunks_mut(share * inputs).enumerate(), threads, |(piece, dweight)| {
        let sizes = [dweight.len() / inputs, rows];
        let mut sides = [Side { b: Rows::Strided(x, inputs), columns: inputs, c: dweight }];
        transposed(sizes, (&dy[piece * share..], outputs), &mut sides);
    });
}

/// The gradient of the bias, `[outputs]`: the sum of the rows of `dy`, in their order.
///
/// # Errors
/// If `dy` has not the length of its shape.
pub fn bias_gradient(dims: LinearDims, dy: &[f32]) -> Result<Vec<f32>, KernelError> {
    dims.check_y("dy", dy)?;
    Ok(bias_of(dims, dy))
}

/// [`bias_gradient`] of sizes that have been checked.
pub(crate) fn bias_of(dims: LinearDims, dy: &[f32]) -> Vec<f32> {
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
    let least = if threads <= 1 { usize::MAX } else { 1 };
    pieces.with_min_len(least).for_each(work);
}

/// `to [m, n] = from · to + a [m, k] · b [k, n]`; `a` and `b` with their strides of row and column.
fn product(
    [m, n, k]: [usize; 3],
    to: &mut [Slot],
    from: Option<f32>,
    (a, a_strides): (&[f32], [usize; 2]),
    (b, b_strides): (&[f32], [usize; 2]),
) {
    let reach = |rows: usize, columns: usize, strides: [usize; 2]| match rows * columns {
        0 => 0,
        _ => (rows - 1) * strides[0] + (columns - 1) * strides[1] + 1,
    };
    assert!(to.len() >= m * n && a.len() >= reach(m, k, a_strides) && b.len() >= reach(k, n, b_strides));
    let to = Shared(to.as_mut_ptr().cast());
    let multiply = gemm_f32::gemm::f32::get_gemm_fn();
    // The microkernel takes columns of `to` that lie together: rows do, so `toᵀ = bᵀ · aᵀ` is asked for, as `gemm` itself
    // would. A single column lies as it should.
    let flip = n > 1;
    let ([rows, columns], to_strides) = if flip { ([n, m], [1, n]) } else { ([m, n], [n, 1]) };
    let ((left, left_strides), (right, right_strides)) = if flip {
        ((b, [b_strides[1], b_strides[0]]), (a, [a_strides[1], a_strides[0]]))
    } else {
        ((a, a_strides), (b, b_strides))
    };
    // SAFETY: the assertion above is the range that the product reads and writes.
    unsafe {
        multiply(
            rows,
            columns,
            k,
            to.at(0),
            to_strides[1] as isize,
            to_strides[0] as isize,
            from.is_some(),
            left.as_ptr(),
            left_strides[1] as isize,
            left_strides[0] as isize,
            right.as_ptr(),
            right_strides[1] as isize,
            right_strides[0] as isize,
            from.unwrap_or(0.0),
            1.0,
            false,
            false,
            false,
            gemm_common::Parallelism::None,
        );
    }
}
