//! The decoder's weights, laid out for the register tile: once a call for each pass.

use super::{DecoderDims, DecoderKind, DecoderParameters, Map};
use crate::cell::backward::BackRows;
use crate::cell::forward::StepRows;
use crate::cell::packed::{PackedBackward, PackedDirection, Panels, padded, panel_width};
use crate::cell::{CellKernel, Weights};
use crate::recurrence::Cell;
use crate::recurrence::cells::with_kernel;
use crate::simd::Aligned;
use crate::simd::tile::{Panel, Start, panels_product};
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// How many panels few rows take at once.
const AT_ONCE: usize = 4;

/// What the forward pass multiplies with.
pub(super) struct Forward {
    /// `[L]`. The first layer's input panels have `I` values of `k` for `x`, then `F`.
    pub(super) layers: Vec<PackedDirection>,
    /// `[H, A]`.
    pub(super) query: Option<PackedMap>,
    /// `[M + H, H]`.
    pub(super) combine: Option<PackedMap>,
}

/// A linear map, and what its sums start from.
pub(super) struct PackedMap {
    panels: Panels,
    bias: Option<Aligned>,
}

impl Forward {
    pub(super) fn new(kind: DecoderKind, dims: &DecoderDims, parameters: &DecoderParameters<'_>) -> Self {
        let DecoderDims { hidden, width, memory, .. } = *dims;
        let layer = |(layer, weights): (usize, &Weights<'_>)| {
            PackedDirection::new(kind.cell.form(), [kind.read(dims, layer), hidden], weights)
        };
        Forward {
            layers: parameters.layers.iter().enumerate().map(layer).collect(),
            query: parameters.query.map(|map| PackedMap::new(&map, [width, hidden])),
            combine: parameters.combine.map(|map| PackedMap::new(&map, [hidden, memory + hidden])),
        }
    }
}

impl PackedMap {
    fn new(map: &Map<'_>, [outputs, inputs]: [usize; 2]) -> Self {
        let panels =
            Panels::new(inputs, outputs, map.weight, |output| (output < outputs).then_some((output * inputs, 1)));
        let bias = map.bias.map(|from| {
            let mut to = Aligned::zeroed(padded(outputs));
            to.as_mut_slice()[..outputs].copy_from_slice(from);
            to
        });
        PackedMap { panels, bias }
    }

    /// `c = b + W a`, row by row, in whole panels.
    ///
    /// # Safety
    /// As [`product`].
    #[inline(always)]
    pub(super) unsafe fn apply<S: Simd>(&self, simd: S, rows: usize, a: At<'_>, c: At<'_>) {
        let bias = self.bias.as_ref().map(|bias| bias.as_slice().as_ptr());
        // SAFETY: as the caller promises; a bias has every panel's columns.
        unsafe { product(simd, &self.panels, 0..self.panels.k, rows, bias.map_or(Begin::Zeros, Begin::Row), a, c) };
    }
}

/// What the backward pass multiplies with.
pub(super) struct Backward {
    /// `[L]`. The first layer's input panels are those of `x` alone.
    pub(super) layers: Vec<PackedBackward>,
    /// `[G*Hp, F]`: those of what the first layer reads beside `x`.
    pub(super) fed: Panels,
    /// `[A, H]`.
    pub(super) query: Option<Panels>,
    /// `[H, M + H]`.
    pub(super) combine: Option<Panels>,
}

impl Backward {
    pub(super) fn new(kind: DecoderKind, dims: &DecoderDims, parameters: &DecoderParameters<'_>) -> Self {
        let DecoderDims { input, hidden, width, memory, .. } = *dims;
        let (form, fed) = (kind.cell.form(), kind.fed(dims));
        let split = |columns: Range<usize>| -> Vec<f32> {
            let rows = parameters.layers[0].weight_ih.chunks_exact(input + fed);
            rows.flat_map(|row| row[columns.clone()].iter().copied()).collect()
        };
        let of_x = split(0..input);
        let layer = |(layer, weights): (usize, &Weights<'_>)| match layer {
            0 => PackedBackward::new(form, [input, hidden], &Weights { weight_ih: &of_x, ..*weights }),
            _ => PackedBackward::new(form, [hidden, hidden], weights),
        };
        let rows = |map: Map<'_>, [outputs, inputs]: [usize; 2]| {
            Panels::new(outputs, inputs, map.weight, |input| (input < inputs).then_some((input, inputs)))
        };
        Backward {
            layers: parameters.layers.iter().enumerate().map(layer).collect(),
            fed: PackedBackward::input(form, fed, hidden, &split(input..input + fed)),
            query: parameters.query.map(|map| rows(map, [width, hidden])),
            combine: parameters.combine.map(|map| rows(map, [hidden, memory + hidden])),
        }
    }
}

impl DecoderKind {
    /// How many values a layer reads.
    pub(super) fn read(self, dims: &DecoderDims, layer: usize) -> usize {
        if layer == 0 { dims.input + self.fed(dims) } else { dims.hidden }
    }
}

/// What the sums of a product begin with.
#[derive(Clone, Copy)]
pub(super) enum Begin {
    Zeros,
    /// What the output holds.
    Output,
    /// Values for every padded column.
    Row(*const f32),
}

/// Rows of a matrix, or some of them.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) from: *mut f32,
    pub(super) stride: usize,
    /// Which rows; `None` for the first ones.
    pub(super) rows: Option<&'a [usize]>,
}

impl<'a> At<'a> {
    pub(super) fn all(from: *const f32, stride: usize) -> At<'static> {
        At { from: from.cast_mut(), stride, rows: None }
    }

    pub(super) fn listed(from: *const f32, stride: usize, rows: &'a [usize]) -> At<'a> {
        At { from: from.cast_mut(), stride, rows: Some(rows) }
    }

    #[inline(always)]
    fn row(&self, r: usize) -> *mut f32 {
        self.from.wrapping_add(self.rows.map_or(r, |rows| rows[r]) * self.stride)
    }
}

/// `c(r) = begin + Σ_k a(r)[k] panels[depth][k]` for `rows` rows, in whole panels.
///
/// # Safety
/// Rows of `a` must be valid for reads of as many values as `depth` has, those of `c` for reads and writes of every panel's
/// columns, and overlap none of `a`; a row to begin with has them too.
#[inline(never)]
pub(super) unsafe fn product<S: Simd>(
    simd: S,
    panels: &Panels,
    depth: Range<usize>,
    rows: usize,
    begin: Begin,
    a: At<'_>,
    c: At<'_>,
) {
    simd.vectorize(Product { panels, depth, rows, begin, a, c });
}

/// The arguments of [`product`], as a function of its own that is compiled once.
struct Product<'a> {
    panels: &'a Panels,
    depth: Range<usize>,
    rows: usize,
    begin: Begin,
    a: At<'a>,
    c: At<'a>,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Product { panels, depth, rows, begin, a, c } = self;
        let width = panel_width();
        for first in (0..panels.count()).step_by(AT_ONCE) {
            let last = (first + AT_ONCE).min(panels.count());
            let now: [Panel; AT_ONCE] = std::array::from_fn(|i| {
                let index = (first + i).min(last - 1);
                let start = match begin {
                    Begin::Zeros => Start::ZEROS,
                    Begin::Output => Start::Output,
                    Begin::Row(from) => Start::Row(from.wrapping_add(index * width)),
                };
                Panel { data: panels.panel(index).wrapping_add(depth.start * width), start, column: index * width }
            });
            // SAFETY: the caller of `product` promises every range.
            unsafe {
                panels_product(simd, depth.len(), &now[..last - first], rows, |r| a.row(r).cast_const(), |r| c.row(r));
            }
        }
    }
}

/// One step of a layer of any cell.
///
/// # Safety
/// As said in [`StepRows`].
#[inline(always)]
pub(super) unsafe fn cell_step<S: Simd>(simd: S, cell: Cell, step: &StepRows<'_>) {
    with_kernel!(cell, kernel => apart(simd, CellStep { kernel, step }));
}

/// Work in a function of its own: what is inlined into the loop over time for every cell takes minutes to compile.
#[inline(never)]
pub(super) fn apart<S: Simd, W: WithSimd<Output = ()>>(simd: S, work: W) {
    simd.vectorize(work);
}

struct CellStep<'a, C> {
    kernel: C,
    step: &'a StepRows<'a>,
}

impl<C: CellKernel> WithSimd for CellStep<'_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // SAFETY: the caller of `cell_step` promises it.
        unsafe { self.kernel.step(simd, self.step) }
    }
}

/// One step back.
///
/// # Safety
/// As said in [`BackRows`].
#[inline(always)]
pub(super) unsafe fn cell_step_back<S: Simd>(simd: S, cell: Cell, step: &BackRows<'_>) {
    with_kernel!(cell, kernel => apart(simd, CellStepBack { kernel, step }));
}

struct CellStepBack<'a, C> {
    kernel: C,
    step: &'a BackRows<'a>,
}

impl<C: CellKernel> WithSimd for CellStepBack<'_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // SAFETY: the caller of `cell_step_back` promises it.
        unsafe {
            self.kernel.step_back(simd, self.step);
            self.kernel.state_back(simd, self.step);
        }
    }
}
