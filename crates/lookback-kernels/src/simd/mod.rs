//! What every fast kernel is built from: an aligned buffer, vector functions and the register tile.
//!
//! The instruction set is chosen once per call by [`pulp::Arch`]: AVX-512, AVX2 with FMA, NEON, or portable code.

mod aligned;
pub mod math;
pub(crate) mod product;
pub(crate) mod tile;

pub(crate) use aligned::Aligned;

use pulp::Simd;

/// Reads one vector.
///
/// # Safety
/// `from` must be valid for reads of `S::F32_LANES` values.
#[inline(always)]
pub(crate) unsafe fn load<S: Simd>(_: S, from: *const f32) -> S::f32s {
    // SAFETY: the caller promises the range, and `S::f32s` is plain data of that size.
    unsafe { from.cast::<S::f32s>().read_unaligned() }
}

/// Writes one vector.
///
/// # Safety
/// `to` must be valid for writes of `S::F32_LANES` values.
#[inline(always)]
pub(crate) unsafe fn store<S: Simd>(_: S, to: *mut f32, value: S::f32s) {
    // SAFETY: the caller promises the range, and `S::f32s` is plain data of that size.
    unsafe { to.cast::<S::f32s>().write_unaligned(value) }
}

/// Asks for the line at `at`, which need not exist, before it is read.
#[inline(always)]
pub(crate) fn prefetch(at: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has the instruction, and it reads nothing that the program sees.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// A pointer that tasks on several threads may use at once, each for its own rows.
#[derive(Clone, Copy)]
pub(crate) struct Shared(pub(crate) *mut f32);

// SAFETY: every use goes through an unsafe block that says why no two tasks meet in one place.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// The pointer `offset` values on. A method, so that closures capture the wrapper and not its field.
    #[inline(always)]
    pub(crate) fn at(self, offset: usize) -> *mut f32 {
        self.0.wrapping_add(offset)
    }
}

/// How many `f32` a vector has on this machine.
pub(crate) fn lanes() -> usize {
    struct Lanes;
    impl pulp::WithSimd for Lanes {
        type Output = usize;
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    arch().dispatch(Lanes)
}

#[cfg(test)]
thread_local! {
    /// Whether this thread is to run the portable code.
    pub(crate) static PORTABLE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// The instruction set of this machine, detected once.
pub(crate) fn arch() -> pulp::Arch {
    #[cfg(test)]
    if PORTABLE.get() {
        return pulp::Arch::Scalar;
    }
    static ARCH: std::sync::OnceLock<pulp::Arch> = std::sync::OnceLock::new();
    *ARCH.get_or_init(pulp::Arch::new)
}
