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
    check::probability(probability)?;
    if probability == 1.0 {
        return Ok(vec![0.0; input.len()]);
    }
    let seed = spread(seed);
    let threshold = (f64::from(probability) * f64::from(u32::MAX)) as u32;
    let scale = 1.0 / (1.0 - probability);
    let block = |(index, (input, output)): (usize, (&[f32], &mut [Slot]))| {
        arch().dispatch(Block { input, output, first: (index * BLOCK) as u32, threshold, scale, seed });
    };
    // SAFETY: a block writes each of its values, and the blocks are all of the output.
    unsafe {
        Ok(vector(input.len(), |output| {
            if threads <= 1 || input.len() <= BLOCK {
                input.chunks(BLOCK).zip(output.chunks_mut(BLOCK)).enumerate().for_each(block);
            } else {
                input.par_chunks(BLOCK).zip(output.par_chunks_mut(BLOCK)).enumerate().for_each(block);
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

struct Block<'a> {
    input: &'a [f32],
    output: &'a mut [Slot],
    first: u32,
    threshold: u32,
    scale: f32,
    seed: u64,
}

impl WithSimd for Block<'_> {
    type Output = ();

    // Plain arithmetic, which the compiler turns into vectors once it may use the instruction set.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Block { input, output, first, threshold, scale, seed } = self;
        let (low, high) = (seed as u32, (seed >> 32) as u32);
        for ((place, &x), y) in input.iter().enumerate().zip(output) {
            let mut hash = first.wrapping_add(place as u32).wrapping_mul(0x9E37_79B9) ^ low;
            hash = (hash ^ (hash >> 16)).wrapping_mul(0x7FEB_352D) ^ high;
            hash = (hash ^ (hash >> 15)).wrapping_mul(0x846C_A68B);
            hash ^= hash >> 16;
            y.write(if hash >= threshold { x * scale } else { 0.0 });
        }
    }
}
