//! Linear maps whose weight is packed before, for one that is used again and again before it changes.
//!
//! Every product is the register tile's, however few the rows are: a row alone equals the same row in any batch, bit
//! for bit.

use super::{LinearDims, ROWS, pieces};
use crate::simd::Shared;
use crate::simd::product::{Packed, View};
use crate::simd::tile::ROWS as SHARE;
use crate::written::{Slot, Unwritten, filled, vector};
use crate::{KernelError, check};
use rayon::prelude::*;

/// Panels for each thread from which on threads share the columns, however many rows there are.
const PANELS: usize = 64;
/// The fewest multiply-adds of a piece of columns: what they take is a multiple of what waking a thread does.
const LEAST: usize = 1 << 18;

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
        self.forward_over(x, Vec::new(), threads)
    }

    /// The same in the memory of a vector that is no longer needed, where that is enough: large results of one call after another
    /// need not be fetched from the system each time.
    ///
    /// # Errors
    /// If `x` is no whole number of rows.
    pub fn forward_over(&self, x: &[f32], memory: Vec<f32>, threads: usize) -> Result<Vec<f32>, KernelError> {
        let LinearDims { inputs, outputs, .. } = self.dims;
        by_rows(&self.packed, ("x", x), [inputs, outputs], self.bias.as_deref(), memory, threads)
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
        by_rows(&self.backward, ("dy", dy), [outputs, inputs], None, Vec::new(), threads)
    }
}

/// `a [rows, from] · packed [from, to]`, the work shared between the threads.
fn by_rows(
    packed: &Packed,
    (name, a): (&'static str, &[f32]),
    [from, to]: [usize; 2],
    bias: Option<&[f32]>,
    memory: Vec<f32>,
    threads: usize,
) -> Result<Vec<f32>, KernelError> {
    let rows = a.len() / from;
    check::slice(name, a, &[rows, from], "[rows, width]")?;
    check::product("the result", &[rows, to], "[rows, width]")?;
    let some = columns_at_once([rows, from, to], threads);
    let write = |c: &mut [Slot]| {
        if some >= to {
            let share = share(rows, threads);
            return pieces(c.par_chunks_mut(share * to).zip(a.par_chunks(share * from)), threads, |(c, a)| {
                packed.product(a, bias, c);
            });
        }
        let c = Shared(c.as_mut_ptr().cast());
        pieces((0..to.div_ceil(some)).into_par_iter(), threads, |piece| {
            let first = piece * some;
            // SAFETY: `c` has as many rows as `a`, and no two pieces share a column.
            unsafe { packed.product_of_columns(first..to.min(first + some), a, bias, c) };
        });
    };
    let mut result = Unwritten::over(memory, rows * to);
    write(result.slots());
    // SAFETY: every product starts from the bias or from zeros, and the pieces are all of the result.
    unsafe { Ok(result.written()) }
}

/// How many rows a piece has at most.
fn share(rows: usize, threads: usize) -> usize {
    rows.div_ceil(threads.max(1)).next_multiple_of(SHARE).clamp(SHARE, ROWS)
}

/// How many columns a piece has, whole panels; all of them where the rows are shared.
///
/// Threads that share the rows all read the whole weight, which of a large vocabulary comes from memory, and of a single row
/// only one of them has any: tokens a second of `lookback predict`, see `bench/README.md`, `decoding.py`.
fn columns_at_once([rows, from, to]: [usize; 3], threads: usize) -> usize {
    let panels = to.div_ceil(Packed::width());
    let are_enough =
        panels >= threads.saturating_mul(PANELS) || rows <= threads.saturating_sub(1).saturating_mul(SHARE);
    let count = threads.min(panels).min(rows * from * to / LEAST);
    if threads <= 1 || !are_enough || count <= 1 { to } else { panels.div_ceil(count) * Packed::width() }
}
