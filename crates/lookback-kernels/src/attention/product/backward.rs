//! The gradients of the product score: `dq = scale · Σ_k ds k` and `dk = scale · Σ_q ds q`.

use super::Product;
use crate::attention::backward::ScoreGradient;
use crate::attention::forward::Scoring;
use crate::attention::panels::{
    Rows, pack_columns, pair_product, panel_width, product, row_stride, transposed_product,
};
use crate::attention::plan::{QUERIES, Tile};
use crate::attention::{Dims, Score};
use pulp::Simd;

/// `q · k`, with queries and keys also laid out for their gradients.
pub(in crate::attention) struct ProductGradient {
    score: Product,
    block: usize,
    width: usize,
    /// `[column panel][block][panel width]`, and whether every key is finite.
    keys: (*mut f32, bool),
    /// `[column panel][QUERIES][panel width]`, and whether every query is finite.
    queries: (*mut f32, bool),
}

impl Scoring for ProductGradient {
    fn scratch_len<S: Simd>(dims: &Dims, block: usize) -> usize {
        let padded = dims.width.next_multiple_of(panel_width::<S>());
        Product::scratch_len::<S>(dims, block) + (block + QUERIES) * padded
    }

    #[inline(always)]
    unsafe fn new<S: Simd>(
        simd: S,
        score: Score<'_>,
        dims: &Dims,
        head: usize,
        block: usize,
        scratch: *mut f32,
    ) -> Self {
        let padded = dims.width.next_multiple_of(panel_width::<S>());
        let keys = scratch.wrapping_add(Product::scratch_len::<S>(dims, block));
        let queries = keys.wrapping_add(block * padded);
        // SAFETY: as the caller promises.
        let score = unsafe { Product::new(simd, score, dims, head, block, scratch) };
        ProductGradient { score, block, width: dims.width, keys: (keys, true), queries: (queries, true) }
    }

    #[inline(always)]
    fn scale(&self) -> f32 {
        self.score.scale()
    }

    #[inline(always)]
    unsafe fn set_keys<S: Simd>(&mut self, simd: S, keys: Rows) {
        // SAFETY: the caller promises the keys, and the scratch has room for a block of them.
        unsafe {
            self.score.set_keys(simd, keys);
            self.keys.1 = pack_columns(simd, keys, self.block, self.keys.0);
        }
    }

    #[inline(always)]
    unsafe fn set_queries<S: Simd>(&mut self, simd: S, queries: Rows) {
        // SAFETY: the caller promises the queries, and the scratch has room for a tile of them.
        unsafe {
            self.score.set_queries(simd, queries);
            self.queries.1 = pack_columns(simd, queries, QUERIES, self.queries.0);
        }
    }

    #[inline(always)]
    unsafe fn score<S: Simd>(&mut self, simd: S, tile: &Tile<'_>, to: *mut f32) {
        // SAFETY: as the caller promises.
        unsafe { self.score.score(simd, tile, to) }
    }
}

impl ScoreGradient for ProductGradient {
    #[inline(always)]
    fn factors(&self, to: &mut [f32]) {
        to.fill(self.score.scale());
    }

    #[inline(always)]
    unsafe fn accumulate<S: Simd>(
        &mut self,
        simd: S,
        tile: &Tile<'_>,
        dscores: *const f32,
        dquery: *mut f32,
        dkeys: *mut f32,
        _: *mut f32,
    ) {
        let stride = row_stride(self.width.next_multiple_of(panel_width::<S>()));
        let range = (tile.start, tile.end);
        let (keys, queries) = ((self.keys.0.cast_const(), self.block), (self.queries.0.cast_const(), QUERIES));
        // SAFETY: the caller promises the gradients' ranges; the panels hold the block's keys and the tile's queries.
        unsafe {
            let a = (dscores, tile.stride);
            if self.keys.1 {
                product(simd, tile.rows, a, keys, self.width, range, (dquery, stride));
            }
            if self.queries.1 {
                transposed_product(simd, tile.rows, a, queries, self.width, range, (dkeys, stride));
            }
            if self.keys.1 && self.queries.1 {
                return;
            }
            for r in 0..tile.rows {
                for k in tile.start..tile.end {
                    if !tile.reads(r, k) {
                        continue;
                    }
                    let dscore = *dscores.add(r * tile.stride + k);
                    if !self.keys.1 {
                        pair_product(simd, dscore, keys, k, self.width, dquery.add(r * stride));
                    }
                    if !self.queries.1 {
                        pair_product(simd, dscore, queries, r, self.width, dkeys.add(k * stride));
                    }
                }
            }
        }
    }
}
