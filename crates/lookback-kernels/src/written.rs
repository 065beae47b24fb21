//! Vectors that a kernel fills, without a pass of zeros before.
//!
//! Zeros written first are one more pass through memory, on one thread, while the others wait: 3.0 to 3.4 % of the
//! processor's time in two runs of `perf record lookback-bench multi-head --batch 32 --queries 100 --keys 100 --input 256
//! --heads 8 --weights --repetitions 60`, and 0.5 % without.

/// Memory for values that a kernel is to write, all of them.
///
/// Where debug assertions are on, as in tests, it begins as NaN, so that a value read before it is written shows.
pub(crate) struct Unwritten {
    values: Vec<f32>,
    len: usize,
}

impl Unwritten {
    pub(crate) fn new(len: usize) -> Self {
        let mut values = Vec::with_capacity(len);
        if cfg!(debug_assertions) {
            values.resize(len, f32::NAN);
        }
        Unwritten { values, len }
    }

    /// Where to write.
    ///
    /// # Safety
    /// No value of the slice may be read before it has been written.
    pub(crate) unsafe fn slice(&mut self) -> &mut [f32] {
        // SAFETY: the capacity is there, every bit pattern is an `f32`, and the caller promises not to read any yet.
        unsafe { std::slice::from_raw_parts_mut(self.values.as_mut_ptr(), self.len) }
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
/// `write` must write every value of the slice, and read none that it has not written.
pub(crate) unsafe fn vector(len: usize, write: impl FnOnce(&mut [f32])) -> Vec<f32> {
    let mut values = Unwritten::new(len);
    // SAFETY: as the caller promises.
    unsafe {
        write(values.slice());
        values.written()
    }
}
