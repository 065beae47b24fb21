//! Dropout that is drawn from where a weight stands, so that nothing has to be stored.

use super::Dropout;

impl Dropout {
    /// What stays is multiplied with this; 0 when nothing stays.
    #[inline]
    fn scale(self) -> f32 {
        if self.probability < 1.0 { 1.0 / (1.0 - self.probability) } else { 0.0 }
    }

    /// Writes what the weights from key `first` on are multiplied with: 0 or `1 / (1 - probability)`.
    #[inline(always)]
    pub(super) fn fill(self, row: usize, head: usize, query: usize, first: usize, to: &mut [f32]) {
        let place = [row, head, query].iter().fold(self.seed, |hash, &index| mix(hash ^ index as u64));
        let (low, high) = (place as u32, (place >> 32) as u32);
        // A 24-bit draw below `probability * 2^24` is dropped.
        let dropped = (f64::from(self.probability) * f64::from(1u32 << 24)).ceil() as u32;
        let scale = self.scale();
        for (offset, to) in to.iter_mut().enumerate() {
            let mut hash = ((first + offset) as u32).wrapping_mul(0x9e37_79b9) ^ low;
            hash = (hash ^ (hash >> 16)).wrapping_mul(0x7feb_352d);
            hash = (hash ^ (hash >> 15) ^ high).wrapping_mul(0x846c_a68b);
            hash ^= hash >> 16;
            *to = if hash >> 8 < dropped { 0.0 } else { scale };
        }
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
#[inline]
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
