//! The machine's product ceiling: one large matrix product, in this run.

use std::time::Instant;

const SIZE: usize = 1536;

/// GFLOP/s of a `1536³` product on `threads` threads, the best of several.
pub fn gflops(threads: usize) -> f64 {
    let (a, b) = (vec![0.5f32; SIZE * SIZE], vec![0.25f32; SIZE * SIZE]);
    let mut c = vec![0.0f32; SIZE * SIZE];
    let mut best = f64::INFINITY;
    for _ in 0..6 {
        let start = Instant::now();
        // SAFETY: the three slices have `SIZE * SIZE` values and rows of `SIZE`.
        unsafe {
            gemm::gemm(
                SIZE,
                SIZE,
                SIZE,
                c.as_mut_ptr(),
                1,
                SIZE as isize,
                false,
                a.as_ptr(),
                1,
                SIZE as isize,
                b.as_ptr(),
                1,
                SIZE as isize,
                0.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::Rayon(threads),
            );
        }
        best = best.min(start.elapsed().as_secs_f64());
        std::hint::black_box(&c);
    }
    2.0 * (SIZE as f64).powi(3) / best / 1e9
}
