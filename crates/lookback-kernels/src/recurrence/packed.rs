//! Weights laid out for the register tile, once per sequence or once per model.

use super::{Cell, Dims, Weights, check};
use crate::KernelError;
use crate::gru::{CANDIDATE, RESET, UPDATE};
use crate::simd::{Aligned, lanes, tile::VECTORS};

/// A matrix `[K, columns]` as panels `[column panel][K][panel width]`, columns padded with zeros.
#[derive(Debug, Clone)]
pub(super) struct Panels {
    data: Aligned,
    /// `K`: how many values of a row one column's product reads.
    pub(super) k: usize,
    width: usize,
    count: usize,
}

impl Panels {
    /// Packs `count` panels; `column(j)` is where padded column `j`'s `k` values stand in `from`, as
    /// `(start, stride)`, or `None` for a column of zeros.
    fn new(k: usize, columns: usize, from: &[f32], column: impl Fn(usize) -> Option<(usize, usize)>) -> Self {
        let width = panel_width();
        let count = columns.div_ceil(width);
        let mut data = Aligned::zeroed(count * k * width);
        for (panel, out) in data.as_mut_slice().chunks_exact_mut((k * width).max(1)).enumerate() {
            for j in 0..width {
                let Some((start, stride)) = column(panel * width + j) else { continue };
                for step in 0..k {
                    out[step * width + j] = from[start + step * stride];
                }
            }
        }
        Panels { data, k, width, count }
    }

    /// Where panel `index` starts.
    #[inline(always)]
    pub(super) fn panel(&self, index: usize) -> *const f32 {
        debug_assert!(index < self.count);
        self.data.as_slice().as_ptr().wrapping_add(index * self.k * self.width)
    }

    /// How many panels there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }
}

/// How many columns a panel has on this machine.
pub(super) fn panel_width() -> usize {
    VECTORS * lanes()
}

/// `H` rounded up to whole panels: the size of one gate in every internal buffer.
pub(super) fn padded(hidden: usize) -> usize {
    hidden.next_multiple_of(panel_width())
}

/// One direction's weights for the forward pass.
#[derive(Debug, Clone)]
pub(super) struct PackedDirection {
    /// `[I, G*Hp]`.
    pub(super) input: Panels,
    /// `[H, G*Hp]`.
    pub(super) hidden: Panels,
    /// `[G*Hp]`: what the input product starts from.
    pub(super) bias: Aligned,
    /// `[Hp]`: the bias inside the reset's product (GRU, reset after the product).
    pub(super) bias_product: Aligned,
    /// `[3, Hp]`, or nothing.
    pub(super) peephole: Option<Aligned>,
}

/// The packed weights of one layer, all directions.
///
/// Pack once per sequence when training, once per model when inferring.
#[derive(Debug, Clone)]
pub struct Packed {
    pub(super) cell: Cell,
    pub(super) input: usize,
    pub(super) hidden: usize,
    pub(super) directions: Vec<PackedDirection>,
}

impl Packed {
    /// Packs `weights`, one entry per direction. `dims.batch` and `dims.time` do not matter here.
    ///
    /// # Errors
    /// [`KernelError`] when a size does not fit.
    pub fn new(cell: Cell, dims: &Dims, weights: &[Weights<'_>]) -> Result<Packed, KernelError> {
        check::layer(dims)?;
        check::weights(cell, dims, weights)?;
        let directions = weights.iter().map(|weights| pack(cell, dims, weights)).collect();
        Ok(Packed { cell, input: dims.input, hidden: dims.hidden, directions })
    }

    /// Refuses a call that these weights are not for.
    pub(super) fn check(&self, cell: Cell, dims: &Dims) -> Result<(), KernelError> {
        let describe = |cell: Cell, input, hidden, directions| {
            format!("{cell:?} with I = {input}, H = {hidden} and {directions} direction(s)")
        };
        let packed = describe(self.cell, self.input, self.hidden, self.directions.len());
        let called = describe(cell, dims.input, dims.hidden, dims.directions);
        if packed == called { Ok(()) } else { Err(KernelError::Packed { packed, called }) }
    }
}

fn pack(cell: Cell, dims: &Dims, weights: &Weights<'_>) -> PackedDirection {
    let (hidden, hp) = (dims.hidden, padded(dims.hidden));
    let gates = cell.gates();
    // Row of the weight for a padded column: columns are gate by gate, each padded to `hp`.
    let row = |column: usize| {
        let (gate, unit) = (column / hp, column % hp);
        (unit < hidden).then_some(gate * hidden + unit)
    };
    let after_product = cell == Cell::Gru(super::Reset::AfterProduct);
    let mut bias = Aligned::zeroed(gates * hp);
    let mut bias_product = Aligned::zeroed(hp);
    for gate in 0..gates {
        for unit in 0..hidden {
            let [ih, hh] = [weights.bias_ih, weights.bias_hh].map(|b| b.map_or(0.0, |b| b[gate * hidden + unit]));
            let inside = after_product && gate == CANDIDATE;
            bias.as_mut_slice()[gate * hp + unit] = if inside { ih } else { ih + hh };
            if inside {
                bias_product.as_mut_slice()[unit] = hh;
            }
        }
    }
    let peephole = weights.peephole.map(|from| {
        let mut to = Aligned::zeroed(3 * hp);
        for (to, from) in to.as_mut_slice().chunks_exact_mut(hp).zip(from.chunks_exact(hidden)) {
            to[..hidden].copy_from_slice(from);
        }
        to
    });
    let product =
        |weight: &[f32], k: usize| Panels::new(k, gates * hp, weight, |column| row(column).map(|row| (row * k, 1)));
    PackedDirection {
        input: product(weights.weight_ih, dims.input),
        hidden: product(weights.weight_hh, hidden),
        bias,
        bias_product,
        peephole,
    }
}

/// One direction's weights for the backward pass: the same matrices, summed over the gates.
#[derive(Debug)]
pub(super) struct PackedBackward {
    /// `[G*Hp, I]`, gates in the order of the gradient rows.
    pub(super) input: Panels,
    /// `[.., H]`: the gates whose product sees the previous state itself.
    pub(super) hidden: Panels,
    /// `[Hp, H]`: the gate whose product sees `r ∘ h` (GRU, reset before the product).
    pub(super) hidden_reset: Option<Panels>,
}

impl PackedBackward {
    pub(super) fn new(cell: Cell, dims: &Dims, weights: &Weights<'_>) -> Self {
        let (hidden, hp) = (dims.hidden, padded(dims.hidden));
        let pack = |weight: &[f32], columns: usize, gates: &[usize]| transposed(weight, hidden, hp, columns, gates);
        match cell {
            Cell::Rnn(_) | Cell::Lstm => {
                let gates: Vec<usize> = (0..cell.gates()).collect();
                PackedBackward {
                    input: pack(weights.weight_ih, dims.input, &gates),
                    hidden: pack(weights.weight_hh, hidden, &gates),
                    hidden_reset: None,
                }
            }
            Cell::Gru(reset) => {
                let before = reset == super::Reset::BeforeProduct;
                let seen: &[usize] = if before { &[RESET, UPDATE] } else { &[RESET, UPDATE, CANDIDATE] };
                PackedBackward {
                    input: pack(weights.weight_ih, dims.input, &[CANDIDATE, RESET, UPDATE]),
                    hidden: pack(weights.weight_hh, hidden, seen),
                    hidden_reset: before.then(|| pack(weights.weight_hh, hidden, &[CANDIDATE])),
                }
            }
        }
    }
}

/// `weight [G*H, columns]` as panels over its columns with `K = gates · hp`, zero where a gate is padded.
fn transposed(weight: &[f32], hidden: usize, hp: usize, columns: usize, gates: &[usize]) -> Panels {
    let width = panel_width();
    let k = gates.len() * hp;
    let mut panels = Panels::new(k, columns, &[], |_| None);
    for (panel, out) in panels.data.as_mut_slice().chunks_exact_mut(k * width).enumerate() {
        let first = panel * width;
        let real = width.min(columns - first);
        for (at, &gate) in gates.iter().enumerate() {
            for unit in 0..hidden {
                let from = (gate * hidden + unit) * columns + first;
                out[(at * hp + unit) * width..][..real].copy_from_slice(&weight[from..from + real]);
            }
        }
    }
    panels
}
