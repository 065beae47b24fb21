//! The machine's product ceiling: one large matrix product, in this run.

use std::time::Instant;

use rayon::prelude::*;

const SIZE: usize = 1536;

/// GFLOP/s of a `1536³` product on `threads` threads, each with its share of the rows, the best of several.
pub fn gflops(threads: usize) -> f64 {
    let (a, b) = (vec![0.5f32; SIZE * SIZE], vec![0.25f32; SIZE * SIZE]);
    let mut c = vec![0.0f32; SIZE * SIZE];
    let share = SIZE.div_ceil(threads.max(1)) * SIZE;
    let mut best = f64::INFINITY;
    for _ in 0..6 {
        let start = Instant::now();
        c.par_chunks_mut(share).zip(a.par_chunks(share)).for_each(|(c, a)| product(c, a, &b));
        best = best.min(start.elapsed().as_secs_f64());
        std::hint::black_box(&c);
    }
    2.0 * (SIZE as f64).powi(3) / best / 1e9
}

/// `c = a · b`, asked for as `cᵀ = bᵀ · aᵀ`, whose columns lie together.
fn product(c: &mut [f32], a: &[f32], b: &[f32]) {
    let rows = c.len() / SIZE;
    assert!(c.len() == rows * SIZE && a.len() == c.len() && b.len() == SIZE * SIZE);
    // SAFETY: the three slices have rows of `SIZE`, and as many as the assertion above says.
    unsafe {
        gemm_f32::gemm::f32::get_gemm_fn()(
            SIZE,
            rows,
            SIZE,
            c.as_mut_ptr(),
            SIZE as isize,
            1,
            false,
            b.as_ptr(),
            SIZE as isize,
            1,
            a.as_ptr(),
            SIZE as isize,
            1,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm_common::Parallelism::None,
        );
    }
}
