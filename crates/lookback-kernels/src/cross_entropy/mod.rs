//! Cross-entropy of logits with labels, forward and backward, without a table of probabilities in between.
//!
//! Each row is read by one thread, so no bit depends on their number.

pub mod reference;
#[cfg(test)]
mod tests;

use crate::simd::{arch, load, math, store};
use crate::written::{Slot, vector};
use crate::{KernelError, check};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Rows that one piece of work takes.
const ROWS: usize = 16;

/// logits: `[rows, classes]`, labels: `[rows]`, each below `classes`. Writes `log Σ e^logit` of each row to `log_sums`
/// `[rows]` and gives the mean of `log_sum - logit of the label`.
///
/// # Errors
/// If a slice has not the length of its shape, or a label is no class.
pub fn forward(
    classes: usize,
    logits: &[f32],
    labels: &[u32],
    log_sums: &mut [f32],
    threads: usize,
) -> Result<f32, KernelError> {
    check_call(classes, logits, labels, log_sums)?;
    write_log_sums(classes, logits, log_sums, threads);
    let losses = log_sums.iter().zip(labels).enumerate();
    let total: f64 =
        losses.map(|(row, (sum, &label))| f64::from(sum - logits[row * classes..][..classes][label as usize])).sum();
    Ok((total / labels.len().max(1) as f64) as f32)
}

/// `log Σ e^logit` of each row of logits, `[rows, classes]`, to `log_sums`, `[rows]`. Sizes fit.
pub(crate) fn write_log_sums(classes: usize, logits: &[f32], log_sums: &mut [f32], threads: usize) {
    let least = if threads <= 1 { usize::MAX } else { 1 };
    // Without classes there is no row.
    let rows = log_sums.par_chunks_mut(ROWS).zip(logits.par_chunks((ROWS * classes).max(1)));
    rows.with_min_len(least).for_each(|(sums, logits)| {
        sums.iter_mut().zip(logits.chunks_exact(classes)).for_each(|(sum, row)| *sum = arch().dispatch(LogSum(row)));
    });
}

fn check_call(classes: usize, logits: &[f32], labels: &[u32], log_sums: &[f32]) -> Result<(), KernelError> {
    check::slice("logits", logits, &[labels.len(), classes], "[rows, classes]")?;
    check::slice("log_sums", log_sums, &[labels.len()], "[rows]")?;
    check::indices("labels", labels, (classes, "classes"), None)
}

/// `upstream / rows · (softmax - one at the label)`, `[rows, classes]`, given what [`forward`] wrote.
///
/// # Errors
/// As [`forward`].
pub fn backward(
    classes: usize,
    logits: &[f32],
    labels: &[u32],
    log_sums: &[f32],
    upstream: f32,
    threads: usize,
) -> Result<Vec<f32>, KernelError> {
    check_call(classes, logits, labels, log_sums)?;
    let scale = upstream / labels.len().max(1) as f32;
    let least = if threads <= 1 { usize::MAX } else { ROWS };
    // SAFETY: the rows are all of the gradient, and each is written before a value of it is changed.
    unsafe {
        Ok(vector(logits.len(), |gradient| {
            let rows = gradient.par_chunks_exact_mut(classes.max(1)).zip(logits.par_chunks_exact(classes.max(1)));
            rows.zip(log_sums).zip(labels).with_min_len(least).for_each(|(((to, row), &log_sum), &label)| {
                arch().dispatch(Scaled { row, log_sum, scale, to: &mut *to });
                *to[label as usize].assume_init_mut() -= scale;
            });
        }))
    }
}

/// `max + log Σ e^(x - max)`.
struct LogSum<'a>(&'a [f32]);

impl WithSimd for LogSum<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let whole = self.0.len() - self.0.len() % S::F32_LANES;
        // A comparison the other way round, so that a NaN is not passed over: it makes the sum NaN.
        let mut largest = f32::NEG_INFINITY;
        for &x in self.0 {
            largest = if x <= largest { largest } else { x };
        }
        if largest.is_infinite() {
            return largest;
        }
        let shift = simd.splat_f32s(largest);
        let mut sums = simd.splat_f32s(0.0);
        for at in (0..whole).step_by(S::F32_LANES) {
            // SAFETY: a whole vector stands at `at`.
            let x = unsafe { load(simd, self.0.as_ptr().add(at)) };
            sums = simd.add_f32s(sums, math::exp_vector(simd, simd.sub_f32s(x, shift)));
        }
        let rest: f32 = self.0[whole..].iter().map(|x| (x - largest).exp()).sum();
        largest + (simd.reduce_sum_f32s(sums) + rest).ln()
    }
}

/// `to = scale · e^(row - log_sum)`.
pub(crate) struct Scaled<'a> {
    pub(crate) row: &'a [f32],
    pub(crate) log_sum: f32,
    pub(crate) scale: f32,
    pub(crate) to: &'a mut [Slot],
}

impl WithSimd for Scaled<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Scaled { row, log_sum, scale, to } = self;
        let len = row.len().min(to.len());
        // SAFETY: both have so many values, and are not the same.
        unsafe { scaled(simd, row.as_ptr(), to.as_mut_ptr().cast(), len, (log_sum, scale)) }
    }
}

/// `row = scale · e^(row - log_sum)`, in place.
pub(crate) struct ScaledInPlace<'a> {
    pub(crate) row: &'a mut [f32],
    pub(crate) log_sum: f32,
    pub(crate) scale: f32,
}

impl WithSimd for ScaledInPlace<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let ScaledInPlace { row, log_sum, scale } = self;
        let at = row.as_mut_ptr();
        // SAFETY: both are this row.
        unsafe { scaled(simd, at, at, row.len(), (log_sum, scale)) }
    }
}

/// `to = scale · e^(from - log_sum)` of `len` values.
///
/// # Safety
/// `len` values can be read at `from` and written at `to`, which are either the same or apart.
#[inline(always)]
unsafe fn scaled<S: Simd>(simd: S, from: *const f32, to: *mut f32, len: usize, (log_sum, scale): (f32, f32)) {
    let whole = len / S::F32_LANES * S::F32_LANES;
    let (shift, scales) = (simd.splat_f32s(log_sum), simd.splat_f32s(scale));
    for at in (0..whole).step_by(S::F32_LANES) {
        // SAFETY: a whole vector stands at `at` in both, and is read before it is written.
        unsafe {
            let e = math::exp_vector(simd, simd.sub_f32s(load(simd, from.add(at)), shift));
            store(simd, to.add(at), simd.mul_f32s(scales, e));
        }
    }
    for at in whole..len {
        // SAFETY: as the caller promises.
        unsafe { *to.add(at) = scale * (*from.add(at) - log_sum).exp() }
    }
}
