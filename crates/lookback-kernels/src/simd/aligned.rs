//! A buffer that starts on a cache line, so that no vector of a panel is split over two.

const LINE: usize = 16;

#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// A zeroed `f32` buffer aligned to 64 bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

impl Aligned {
    pub(crate) fn zeroed(len: usize) -> Self {
        Aligned { lines: vec![Line([0.0; LINE]); len.div_ceil(LINE)], len }
    }

    pub(crate) fn as_slice(&self) -> &[f32] {
        // SAFETY: a `Line` is 16 plain values without padding, and `len` is at most what the lines hold.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as above, and `self` is borrowed mutably for as long.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }

    /// A slice of `len` values, grown where needed. What it holds is left over from earlier calls.
    pub(crate) fn scratch(&mut self, len: usize) -> &mut [f32] {
        if self.lines.len() * LINE < len {
            self.lines = vec![Line([0.0; LINE]); len.div_ceil(LINE)];
        }
        self.len = self.len.max(len);
        &mut self.as_mut_slice()[..len]
    }
}
