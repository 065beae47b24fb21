//! A bound on memory that a person states.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most memory that one table, or one batch, may ask for at once, in MiB.
///
/// It bounds what an option, a header or a single row could blow up out of proportion. It is no bound on the whole
/// program, which also holds the data it has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct MemoryLimit {
    mib: u64,
}

/// An exbibyte: so that bytes, and sums of a few sizes, stay within 64 bits.
const MOST: u64 = 1 << 40;

impl MemoryLimit {
    /// The limit where none is told. As a constant, and not what the machine at hand has free, so that what is refused
    /// on one machine is refused on all.
    const DEFAULT_MIB: u64 = 4096;

    /// The limit in bytes.
    pub fn bytes(self) -> u64 {
        self.mib << 20
    }
}

impl Default for MemoryLimit {
    fn default() -> Self {
        Self { mib: Self::DEFAULT_MIB }
    }
}

impl TryFrom<u64> for MemoryLimit {
    type Error = String;

    fn try_from(mib: u64) -> Result<Self, String> {
        if mib == 0 || mib > MOST {
            return Err(format!("{mib} MiB is no limit; a whole number of MiB from 1 to {MOST} was expected"));
        }
        Ok(Self { mib })
    }
}

impl From<MemoryLimit> for u64 {
    fn from(limit: MemoryLimit) -> u64 {
        limit.mib
    }
}

/// In MiB, without the unit: as it is typed.
impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.mib)
    }
}

impl FromStr for MemoryLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse::<u64>().map_err(|_| format!("a whole number of MiB from 1 to {MOST} was expected"))?.try_into()
    }
}

/// Whether the system would give so much at once. Asked before, since an allocation that fails later ends the process.
pub fn system_gives(bytes: u64) -> bool {
    let mut trial = Vec::<u8>::new();
    let given = usize::try_from(bytes).is_ok_and(|bytes| trial.try_reserve_exact(bytes).is_ok());
    // An allocation that nobody sees may be optimised away, and would then always succeed.
    std::hint::black_box(trial.as_ptr());
    given
}

/// Bytes in the unit that people read: "820 MiB", "1.6 GiB".
pub fn readable(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let (mut size, mut unit) = (bytes as f64 / 1024.0, 0);
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(size < 100.0);
    format!("{size:.digits$} {}", UNITS[unit])
}

/// The limit, in whole MiB, that would let these bytes pass.
pub fn mib_for(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_unit_that_people_read() {
        let cases =
            [(0, "0.0 KiB"), (1536, "1.5 KiB"), (100 << 20, "100 MiB"), (5 << 29, "2.5 GiB"), (u64::MAX, "16.0 EiB")];
        for (bytes, text) in cases {
            assert_eq!(readable(bytes), text);
        }
        assert_eq!((mib_for(1), mib_for(1 << 20), mib_for((1 << 20) + 1)), (1, 1, 2));
    }

    #[test]
    fn a_limit_is_at_least_one_mebibyte_and_fits_in_64_bits() {
        assert!(MemoryLimit::try_from(0).is_err() && MemoryLimit::try_from(u64::MAX).is_err());
        assert_eq!(MemoryLimit::try_from(MOST).map(MemoryLimit::bytes), Ok(1 << 60));
        assert_eq!(MemoryLimit::default().to_string(), "4096");
        assert!("4096".parse() == Ok(MemoryLimit::default()) && "4 GiB".parse::<MemoryLimit>().is_err());
    }
}
