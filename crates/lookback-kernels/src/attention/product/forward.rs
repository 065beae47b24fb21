//! Products of a tile of queries and a block of keys, on the register tile.

use crate::attention::forward::Scoring;
use crate::attention::panels::{Rows, pack_rows, products};
use crate::attention::plan::Tile;
use crate::attention::{Dims, Score};
use pulp::Simd;

/// `q · k`.
pub(in crate::attention) struct Product {
    scale: f32,
    queries: Rows,
    /// The block's keys, `[panel of keys][width][panel width]`.
    panels: *mut f32,
}

impl Scoring for Product {
    fn scratch_len<S: Simd>(dims: &Dims, block: usize) -> usize {
        block * dims.width
    }

    #[inline(always)]
    unsafe fn new<S: Simd>(_: S, score: Score<'_>, dims: &Dims, _: usize, _: usize, scratch: *mut f32) -> Self {
        let scale = match score {
            Score::Product { scale } => scale,
            Score::Additive { .. } => 1.0,
        };
        let queries = Rows { from: std::ptr::null(), stride: 0, count: 0, width: dims.width };
        Product { scale, queries, panels: scratch }
    }

    #[inline(always)]
    fn scale(&self) -> f32 {
        self.scale
    }

    #[inline(always)]
    unsafe fn set_keys<S: Simd>(&mut self, simd: S, keys: Rows) {
        // SAFETY: the caller promises the keys, and the scratch has room for a block of them.
        unsafe { pack_rows(simd, keys, self.panels) }
    }

    #[inline(always)]
    unsafe fn set_queries<S: Simd>(&mut self, _: S, queries: Rows) {
        self.queries = queries;
    }

    #[inline(always)]
    unsafe fn score<S: Simd>(&mut self, simd: S, tile: &Tile<'_>, to: *mut f32) {
        // SAFETY: the caller promises queries and `to`, and the panels hold the block's keys.
        unsafe { products(simd, self.queries, self.panels, tile, to) }
    }
}
