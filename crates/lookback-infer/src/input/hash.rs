//! The hash that puts n-grams into buckets.

/// Where a hash begins.
pub(crate) const FNV_START: u32 = 0x811C_9DC5;

/// FNV-1a of 32 bits, as fastText hashes, continued from `hash`.
pub(crate) fn fnv1a(hash: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(hash, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a_with_its_published_values() {
        for (text, hash) in [("", 0x811C_9DC5), ("a", 0xE40C_292C), ("foobar", 0xBF9C_F968)] {
            assert_eq!(fnv1a(FNV_START, text.as_bytes()), hash, "{text}");
        }
    }
}
