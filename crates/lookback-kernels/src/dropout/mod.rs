//! Dropout (Srivastava 2014) whose mask is a function of a seed and the place, so that no mask is ever stored.
//!
//! A value at place `i` is kept where `hash(seed, i)` is at or above the probability's share of 2³². The hash is
//! the 32-bit mixer `lowbias32` of Wellons (2018), entered with the place times an odd constant. The backward pass
//! draws the same mask again; the split over threads changes no bit.

pub mod reference;
#[cfg(test)]
mod tests;

use crate::simd::arch;
use crate::written::{Slot, vector};
use crate::{KernelError, check};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Values that one thread takes at a time.
const BLOCK: usize = 1 << 14;

/// `kept ? input / (1 - probability) : 0` for every value; `probability` is from 0 to 1, where nothing is kept.
///
/// The gradient of the input is the same function of the gradient of the output.
///
/// # Errors
/// [`KernelError::Probability`].
pub fn dropout(input: &[f32], probability: f32, seed: u64, threads: usize) -> Result<Vec<f32>, KernelError> {
    drawn(input.len(), probability, seed, threads, |first, scale| input[first..].iter().map(move |x| x * scale))
}

/// What [`dropout`] makes of `len` ones, without them: the mask alone, where it is to be multiplied with later.
///
/// # Errors
/// [`KernelError::Probability`], or if no memory holds so many values.
pub fn mask(len: usize, probability: f32, seed: u64, threads: usize) -> Result<Vec<f32>, KernelError> {
    check::product("the mask", &[len], "[values]")?;
    drawn(len, probability, seed, threads, |_, scale| std::iter::repeat(scale))
}

/// `len` values: what is kept as `values` gives it, from a place on and from the scale, and at least as many as are left.
fn drawn<V: Iterator<Item = f32>>(
    len: usize,
    probability: f32,
    seed: u64,
    threads: usize,
    values: impl Fn(usize, f32) -> V + Sync,
) -> Result<Vec<f32>, KernelError> {
    check::probability(probability)?;
    if probability == 1.0 {
        return Ok(vec![0.0; len]);
    }
    let seed = spread(seed);
    let threshold = (f64::from(probability) * f64::from(u32::MAX)) as u32;
    let scale = 1.0 / (1.0 - probability);
    let block = |(index, output): (usize, &mut [Slot])| {
        let first = index * BLOCK;
        arch().dispatch(Block { values: values(first, scale), output, first: first as u32, threshold, seed });
    };
    // SAFETY: a block writes each of its values, and the blocks are all of the output.
    unsafe {
        Ok(vector(len, |output| {
            if threads <= 1 || len <= BLOCK {
                output.chunks_mut(BLOCK).enumerate().for_each(block);
            } else {
                output.par_chunks_mut(BLOCK).enumerate().for_each(block);
            }
        }))
    }
}

/// Neighbouring seeds made far apart (SplitMix64, Steele 2014).
fn spread(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

struct Block<'a, V> {
    /// What is written where a value is kept, at least as many as there are places.
    values: V,
    output: &'a mut [Slot],
    first: u32,
    threshold: u32,
    seed: u64,
}

impl<V: Iterator<Item = f32>> WithSimd for Block<'_, V> {
    type Output = ();

    // Plain arithmetic, which the compiler turns into vectors once it may use the instruction set.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Block { values, output, first, threshold, seed } = self;
        let (low, high) = (seed as u32, (seed >> 32) as u32);
        for ((place, y), value) in output.iter_mut().enumerate().zip(values) {
            let mut hash = first.wrapping_add(place as u32).wrapping_mul(0x9E37_79B9) ^ low;
            hash = (hash ^ (hash >> 16)).wrapping_mul(0x7FEB_352D) ^ high;
            hash = (hash ^ (hash >> 15)).wrapping_mul(0x846C_A68B);
            hash ^= hash >> 16;
            y.write(if hash >= threshold { value } else { 0.0 });
        }
    }
}
