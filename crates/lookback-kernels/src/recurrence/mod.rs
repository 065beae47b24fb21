//! What the recurrent kernels share: the contract of a layer, and the engine that runs any cell over time.

mod backward;
pub(crate) mod cells;
mod check;
mod forward;
mod packed;
pub(crate) mod plan;
mod recompute;
pub mod reference;
mod steps;
mod team;
#[cfg(test)]
mod tests;
mod unrolled;
pub(crate) mod weight_gradients;

use crate::simd::Aligned;
use crate::written::{Slot, slots};

pub use crate::cell::Weights;
pub use crate::gru::Reset;
pub use crate::rnn::Activation;
pub use backward::{backward, backward_owned};
pub use cells::Cell;
pub use forward::{Saving, forward, forward_owned, saved_len};
pub use packed::Packed;
pub use recompute::{backward_recomputing, segment};
pub use steps::{Steps, steps};
pub use unrolled::{Unrolled, UnrolledSteps};

/// The sizes of one layer and one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dims {
    /// `B`.
    pub batch: usize,
    /// `T`, the padded time axis.
    pub time: usize,
    /// `I`.
    pub input: usize,
    /// `H`.
    pub hidden: usize,
    /// `D`: 1, or 2 for a bidirectional layer.
    pub directions: usize,
}

/// What a layer reads.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a, R = f32> {
    /// `[B, T, I]`. Steps at or past `lengths[b]` are never read.
    pub x: &'a [R],
    /// `[B]`, each from 0 to `T`, in any order. `None`: all `T`.
    pub lengths: Option<&'a [usize]>,
    /// `[D, B, H]`. `None`: zeros.
    pub h0: Option<&'a [R]>,
    /// `[D, B, H]`, LSTM only. `None`: zeros.
    pub c0: Option<&'a [R]>,
}

/// What a layer writes. All of it is overwritten.
#[derive(Debug)]
pub struct Outputs<'a, X = f32> {
    /// `[B, T, D*H]`; zero at and past `lengths[b]`.
    pub y: &'a mut [X],
    /// `[D, B, H]`: each row's own last state (the initial state of a row of length 0).
    pub h_n: &'a mut [X],
    /// `[D, B, H]`; required for an LSTM, refused for the others.
    pub c_n: Option<&'a mut [X]>,
}

impl<'a> Outputs<'a> {
    /// The same places, which may then also be ones that nobody has written.
    ///
    /// # Safety
    /// As [`slots`].
    unsafe fn slots(self) -> Outputs<'a, Slot> {
        // SAFETY: as the caller promises.
        unsafe { Outputs { y: slots(self.y), h_n: slots(self.h_n), c_n: self.c_n.map(|c_n| slots(c_n)) } }
    }
}

/// Gradients that flow in. `None` means zeros.
#[derive(Debug, Clone, Copy)]
pub struct Upstream<'a, R = f32> {
    /// `[B, T, D*H]`. Steps at or past `lengths[b]` are never read.
    pub y: Option<&'a [R]>,
    /// `[D, B, H]`.
    pub h_n: Option<&'a [R]>,
    /// `[D, B, H]`, LSTM only.
    pub c_n: Option<&'a [R]>,
}

impl<R> Default for Upstream<'_, R> {
    fn default() -> Self {
        Upstream { y: None, h_n: None, c_n: None }
    }
}

/// Gradients of what a layer reads, overwritten. `None` means not wanted.
#[derive(Debug)]
pub struct InputGradients<'a, X = f32> {
    /// `[B, T, I]`; zero at and past `lengths[b]`.
    pub x: Option<&'a mut [X]>,
    /// `[D, B, H]`.
    pub h0: Option<&'a mut [X]>,
    /// `[D, B, H]`, LSTM only.
    pub c0: Option<&'a mut [X]>,
}

impl<X> Default for InputGradients<'_, X> {
    fn default() -> Self {
        InputGradients { x: None, h0: None, c0: None }
    }
}

impl<'a> InputGradients<'a> {
    /// The same places, which may then also be ones that nobody has written.
    ///
    /// # Safety
    /// As [`slots`].
    unsafe fn slots(self) -> InputGradients<'a, Slot> {
        // SAFETY: as the caller promises.
        let [x, h0, c0] = [self.x, self.h0, self.c0].map(|part| part.map(|part| unsafe { slots(part) }));
        InputGradients { x, h0, c0 }
    }
}

/// Gradients of one direction's parameters, overwritten. `None` means not wanted.
#[derive(Debug)]
pub struct WeightGradients<'a, X = f32> {
    /// `[G*H, I]`.
    pub weight_ih: Option<&'a mut [X]>,
    /// `[G*H, H]`.
    pub weight_hh: Option<&'a mut [X]>,
    /// `[G*H]`.
    pub bias_ih: Option<&'a mut [X]>,
    /// `[G*H]`. It differs from `bias_ih`'s only in a GRU whose reset follows the product.
    pub bias_hh: Option<&'a mut [X]>,
    /// `[3*H]`, LSTM only.
    pub peephole: Option<&'a mut [X]>,
}

impl<X> Default for WeightGradients<'_, X> {
    fn default() -> Self {
        [const { None }; OF_WEIGHTS].into()
    }
}

impl<'a, X> From<[Option<&'a mut [X]>; OF_WEIGHTS]> for WeightGradients<'a, X> {
    /// In the order of the fields.
    fn from([weight_ih, weight_hh, bias_ih, bias_hh, peephole]: [Option<&'a mut [X]>; OF_WEIGHTS]) -> Self {
        WeightGradients { weight_ih, weight_hh, bias_ih, bias_hh, peephole }
    }
}

impl WeightGradients<'_> {
    /// The same places, which may then also be ones that nobody has written.
    ///
    /// # Safety
    /// As [`slots`].
    unsafe fn slots(&mut self) -> WeightGradients<'_, Slot> {
        let WeightGradients { weight_ih, weight_hh, bias_ih, bias_hh, peephole } = self;
        let parts = [weight_ih, weight_hh, bias_ih, bias_hh, peephole];
        // SAFETY: as the caller promises.
        parts.map(|part| part.as_deref_mut().map(|part| unsafe { slots(part) })).into()
    }
}

/// How many gradients a direction has: of `weight_ih`, `weight_hh`, `bias_ih`, `bias_hh` and `peephole`.
const OF_WEIGHTS: usize = 5;

/// How many values each of a direction's parameters has.
pub(crate) fn weight_lens(cell: Cell, dims: &Dims) -> [usize; OF_WEIGHTS] {
    let gates = cell.gates() * dims.hidden;
    [gates * dims.input, gates * dims.hidden, gates, gates, 3 * dims.hidden]
}

/// Scratch memory that the caller keeps between calls; it grows to the largest call and is never read
/// before it is written.
#[derive(Debug, Default)]
pub struct Workspace {
    tasks: Vec<Aligned>,
    gradients: Aligned,
    rows: Aligned,
}

impl Workspace {
    /// A buffer for each of `count` tasks.
    fn tasks(&mut self, count: usize) -> &mut [Aligned] {
        if self.tasks.len() < count {
            self.tasks.resize_with(count, Aligned::default);
        }
        &mut self.tasks[..count]
    }
}
