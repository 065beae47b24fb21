//! Vectors that a kernel fills, without a pass of zeros before.
//!
//! Zeros written first are one more pass through memory, on one thread, while the others wait: 3.0 to 3.4 % of the
//! processor's time in two runs of `perf record lookback-bench multi-head --batch 32 --queries 100 --keys 100 --input 256
//! --heads 8 --weights --repetitions 60`, and 0.5 % without.

use std::mem::MaybeUninit;

/// The place of a value that may not have been written.
pub(crate) type Slot = MaybeUninit<f32>;

/// The places of values that have been written, for a function that may be given others too.
///
/// # Safety
/// Nobody may write an uninitialised value into them.
pub(crate) unsafe fn slots(values: &mut [f32]) -> &mut [Slot] {
    // SAFETY: a slot has the layout of its value, and the caller promises that it stays one.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), values.len()) }
}

/// Writes a value in every slot.
pub(crate) fn filled(slots: &mut [Slot], value: f32) -> &mut [f32] {
    slots.fill(Slot::new(value));
    // SAFETY: all have been written.
    unsafe { slots.assume_init_mut() }
}

/// Memory for values that a kernel is to write, all of them.
///
/// In this crate's own tests, and where debug assertions are on, it begins as NaN, so that a value read before it is
/// written shows.
pub(crate) struct Unwritten {
    values: Vec<f32>,
    len: usize,
}

impl Unwritten {
    pub(crate) fn new(len: usize) -> Self {
        Self::over(Vec::new(), len)
    }

    /// In the memory of a vector that is no longer needed, where that is enough.
    pub(crate) fn over(mut values: Vec<f32>, len: usize) -> Self {
        values.clear();
        values.reserve_exact(len);
        if cfg!(any(debug_assertions, test)) {
            values.resize(len, f32::NAN);
            values.clear();
        }
        Unwritten { values, len }
    }

    /// Where to write.
    pub(crate) fn slots(&mut self) -> &mut [Slot] {
        &mut self.values.spare_capacity_mut()[..self.len]
    }

    /// # Safety
    /// Every value must have been written.
    pub(crate) unsafe fn written(mut self) -> Vec<f32> {
        // SAFETY: the capacity is there, and the caller promises the values.
        unsafe { self.values.set_len(self.len) };
        self.values
    }
}

/// A vector of `len` values, all of them written by `write`.
///
/// # Safety
/// `write` must write every slot.
pub(crate) unsafe fn vector(len: usize, write: impl FnOnce(&mut [Slot])) -> Vec<f32> {
    let mut values = Unwritten::new(len);
    write(values.slots());
    // SAFETY: as the caller promises.
    unsafe { values.written() }
}
