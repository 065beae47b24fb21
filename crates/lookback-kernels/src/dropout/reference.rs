//! Dropout, a value at a time.

use crate::Real;

/// `kept ? input / (1 - probability) : 0` for every value.
pub fn dropout<R: Real>(input: &[R], probability: f32, seed: u64) -> Vec<R> {
    let left = R::ONE - R::from_f32(probability);
    let value = |(place, &x): (usize, &R)| if kept(place, probability, seed) { x / left } else { R::ZERO };
    input.iter().enumerate().map(value).collect()
}

/// Whether the value at `place` is kept: where its hash is at or above the probability's share of 2³².
fn kept(place: usize, probability: f32, seed: u64) -> bool {
    // Neighbouring seeds made far apart: one step of SplitMix64 (Steele 2014).
    let state = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    let state = state ^ (state >> 31);
    // lowbias32 (Wellons 2018), with the halves of the seed between its rounds.
    let mut hash = (place as u32).wrapping_mul(0x9E37_79B9) ^ state as u32;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x7FEB_352D) ^ (state >> 32) as u32;
    hash = (hash ^ (hash >> 15)).wrapping_mul(0x846C_A68B);
    hash ^= hash >> 16;
    probability < 1.0 && f64::from(hash) >= (f64::from(probability) * f64::from(u32::MAX)).floor()
}
