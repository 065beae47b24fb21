//! Dropout (Srivastava 2014) whose mask is a function of a seed and the place, so that no mask is ever stored.
//!
//! A value at place `i` is kept where `hash(seed, i)` is at or above the probability's share of 2³². The hash is
//! the 32-bit mixer `lowbias32` of Wellons (2018), entered with the place times an odd constant. The backward pass
//! draws the same mask again; the split over threads changes no bit.

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

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(count: usize, probability: f32, seed: u64, threads: usize) -> Vec<f32> {
        dropout(&vec![1.0; count], probability, seed, threads).unwrap()
    }

    #[test]
    fn the_share_is_right_and_the_mean_is_kept() {
        for (probability, seed) in [(0.1, 1), (0.5, u64::MAX), (0.9, 1 << 40)] {
            let output = dropped(200_000, probability, seed, 2);
            let zeros = output.iter().filter(|&&value| value == 0.0).count() as f32 / 200_000.0;
            assert!((zeros - probability).abs() < 0.004, "{zeros} of {probability}");
            let mean = output.iter().sum::<f32>() / 200_000.0;
            assert!((mean - 1.0).abs() < 0.03, "mean {mean}");
        }
    }

    #[test]
    fn neighbours_and_seeds_are_independent() {
        let (one, other) = (dropped(100_000, 0.5, 7, 1), dropped(100_000, 0.5, 7 + (1 << 32), 1));
        let agree = |a: &[f32], b: &[f32]| a.iter().zip(b).filter(|(a, b)| a == b).count() as f32 / a.len() as f32;
        assert!((agree(&one, &other) - 0.5).abs() < 0.01);
        for distance in [1, 2, 3, 64, 128, 256, 300, 1024] {
            assert!((agree(&one[distance..], &one[..one.len() - distance]) - 0.5).abs() < 0.01, "distance {distance}");
        }
    }

    #[test]
    fn threads_and_calls_give_the_same_bits() {
        assert_eq!(dropped(100_001, 0.3, 11, 1), dropped(100_001, 0.3, 11, 2));
        assert!(dropped(100_001, 0.3, 11, 1) != dropped(100_001, 0.3, 12, 1));
        assert!(dropped(1000, 0.0, 11, 1).iter().all(|&value| value == 1.0));
        assert!(dropped(1000, 1.0, 11, 1).iter().all(|&value| value == 0.0));
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        for probability in [-0.1, 1.1, f32::NAN, f32::INFINITY] {
            assert!(dropout(&[1.0], probability, 1, 1).is_err(), "{probability}");
        }
    }
}
