//! Linear maps whose weight is packed before, for one that is used again and again before it changes.
//!
//! Every product is the register tile's, however few the rows are: a row alone equals the same row in any batch, bit
//! for bit.

use super::{LinearDims, ROWS, pieces};
use crate::simd::product::{Packed, View};
use crate::simd::tile::ROWS as SHARE;
use crate::written::{Slot, filled, vector};
use crate::{KernelError, check};
use rayon::prelude::*;

/// A linear map for inference.
pub struct PreparedLinear {
    dims: LinearDims,
    packed: Packed,
    bias: Option<Vec<f32>>,
}

impl std::fmt::Debug for PreparedLinear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let LinearDims { inputs, outputs, .. } = self.dims;
        f.debug_struct("PreparedLinear").field("inputs", &inputs).field("outputs", &outputs).finish_non_exhaustive()
    }
}

impl PreparedLinear {
    /// weight: `[outputs, inputs]`, bias: `[outputs]`.
    ///
    /// # Errors
    /// If a slice has not the length of its shape, or a size is 0.
    pub fn new(inputs: usize, outputs: usize, weight: &[f32], bias: Option<&[f32]>) -> Result<Self, KernelError> {
        let dims = LinearDims { rows: 0, inputs, outputs };
        check::positive(&[("inputs", inputs), ("outputs", outputs)])?;
        dims.check_weight(weight)?;
        check::optional("bias", bias, &[outputs], "[outputs]")?;
        // Wᵀ [inputs, outputs], which is W read by columns.
        let packed = Packed::new(inputs, outputs, View { values: weight, strides: [1, inputs] });
        Ok(PreparedLinear { dims, packed, bias: bias.map(<[f32]>::to_vec) })
    }

    /// x: `[rows, inputs]`. Gives y `[rows, outputs]`.
    ///
    /// # Errors
    /// If `x` is no whole number of rows.
    pub fn forward(&self, x: &[f32], threads: usize) -> Result<Vec<f32>, KernelError> {
        let LinearDims { inputs, outputs, .. } = self.dims;
        by_rows(&self.packed, ("x", x), [inputs, outputs], self.bias.as_deref(), threads)
    }

    /// x: `[B, T, inputs]`. Gives y `[B, T, outputs]`. Steps at or past `lengths[b]` are never read and come out as exact
    /// zeros, without the bias.
    ///
    /// # Errors
    /// If `x` has not the length of its shape, or a length is beyond `time`.
    pub fn forward_ragged(
        &self,
        x: &[f32],
        lengths: &[usize],
        time: usize,
        threads: usize,
    ) -> Result<Vec<f32>, KernelError> {
        let LinearDims { inputs, outputs, .. } = self.dims;
        check::slice("x", x, &[lengths.len(), time, inputs], "[B, T, inputs]")?;
        check::lengths(lengths, lengths.len(), time)?;
        let len = check::product("y", &[lengths.len(), time, outputs], "[B, T, outputs]")?;
        let share = share(lengths.iter().sum(), threads);
        let write = |y: &mut [Slot]| {
            let rows = y.chunks_exact_mut((time * outputs).max(1)).zip(x.chunks_exact((time * inputs).max(1)));
            let mut parts = Vec::with_capacity(lengths.len());
            for ((y, x), &length) in rows.zip(lengths) {
                let (y, padding) = y.split_at_mut(length * outputs);
                filled(padding, 0.0);
                parts.extend(y.chunks_mut(share * outputs).zip(x.chunks(share * inputs)));
            }
            pieces(parts.into_par_iter(), threads, |(y, x)| self.packed.product(x, self.bias.as_deref(), y));
        };
        // SAFETY: a row's steps are all parts, which start from the bias or from zeros, and what is filled with zeros.
        unsafe { Ok(vector(len, write)) }
    }
}

/// A linear map for both passes.
pub struct PackedLinear {
    forward: PreparedLinear,
    backward: Packed,
}

impl std::fmt::Debug for PackedLinear {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PackedLinear").field("forward", &self.forward).finish_non_exhaustive()
    }
}

impl PackedLinear {
    /// weight: `[outputs, inputs]`, bias: `[outputs]`.
    ///
    /// # Errors
    /// If a slice has not the length of its shape, or a size is 0.
    pub fn new(inputs: usize, outputs: usize, weight: &[f32], bias: Option<&[f32]>) -> Result<Self, KernelError> {
        let forward = PreparedLinear::new(inputs, outputs, weight, bias)?;
        let backward = Packed::new(outputs, inputs, View { values: weight, strides: [inputs, 1] });
        Ok(PackedLinear { forward, backward })
    }

    /// x: `[rows, inputs]`. Gives y `[rows, outputs]`.
    ///
    /// # Errors
    /// If `x` is no whole number of rows.
    pub fn forward(&self, x: &[f32], threads: usize) -> Result<Vec<f32>, KernelError> {
        self.forward.forward(x, threads)
    }

    /// The gradient of x, `[rows, inputs]`. dy: `[rows, outputs]`.
    ///
    /// # Errors
    /// If `dy` is no whole number of rows.
    pub fn input_gradient(&self, dy: &[f32], threads: usize) -> Result<Vec<f32>, KernelError> {
        let LinearDims { inputs, outputs, .. } = self.forward.dims;
        by_rows(&self.backward, ("dy", dy), [outputs, inputs], None, threads)
    }
}

/// `a [rows, from] · packed [from, to]`, the rows shared between the threads.
fn by_rows(
    packed: &Packed,
    (name, a): (&'static str, &[f32]),
    [from, to]: [usize; 2],
    bias: Option<&[f32]>,
    threads: usize,
) -> Result<Vec<f32>, KernelError> {
    let rows = a.len() / from;
    check::slice(name, a, &[rows, from], "[rows, width]")?;
    check::product("the result", &[rows, to], "[rows, width]")?;
    let share = share(rows, threads);
    // SAFETY: every product starts from the bias or from zeros, and the pieces are all of the result.
    unsafe {
        Ok(vector(rows * to, |c| {
            pieces(c.par_chunks_mut(share * to).zip(a.par_chunks(share * from)), threads, |(c, a)| {
                packed.product(a, bias, c);
            });
        }))
    }
}

/// How many rows a piece has at most.
fn share(rows: usize, threads: usize) -> usize {
    rows.div_ceil(threads.max(1)).next_multiple_of(SHARE).clamp(SHARE, ROWS)
}
