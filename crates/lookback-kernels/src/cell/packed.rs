//! Weights laid out for the register tile, once per sequence or once per model.

use super::{Form, Weights};
use crate::simd::{Aligned, lanes, tile::VECTORS};

/// A matrix `[K, columns]` as panels `[column panel][K][panel width]`, columns padded with zeros.
#[derive(Debug, Clone)]
pub(crate) struct Panels {
    data: Aligned,
    /// `K`: how many values of a row one column's product reads.
    pub(crate) k: usize,
    width: usize,
    count: usize,
}

impl Panels {
    /// Packs `count` panels; `column(j)` is where padded column `j`'s `k` values stand in `from`, as
    /// `(start, stride)`, or `None` for a column of zeros.
    pub(crate) fn new(
        k: usize,
        columns: usize,
        from: &[f32],
        column: impl Fn(usize) -> Option<(usize, usize)>,
    ) -> Self {
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
    pub(crate) fn panel(&self, index: usize) -> *const f32 {
        debug_assert!(index < self.count);
        self.data.as_slice().as_ptr().wrapping_add(index * self.k * self.width)
    }

    /// How many panels there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }
}

/// How many columns a panel has on this machine.
pub(crate) fn panel_width() -> usize {
    VECTORS * lanes()
}

/// `H` rounded up to whole panels: the size of one gate in every internal buffer.
pub(crate) fn padded(hidden: usize) -> usize {
    hidden.next_multiple_of(panel_width())
}

/// One direction's weights for the forward pass.
#[derive(Debug, Clone)]
pub(crate) struct PackedDirection {
    /// `[I, G*Hp]`.
    pub(crate) input: Panels,
    /// `[H, G*Hp]`.
    pub(crate) hidden: Panels,
    /// `[G*Hp]`: what the input product starts from.
    pub(crate) bias: Aligned,
    /// `[Hp]`: the bias inside the reset's product (GRU, reset after the product).
    pub(crate) bias_product: Aligned,
    /// `[3, Hp]`, or nothing.
    pub(crate) peephole: Option<Aligned>,
}

impl PackedDirection {
    pub(crate) fn new(form: &Form, [input, hidden]: [usize; 2], weights: &Weights<'_>) -> Self {
        let (gates, hp) = (form.gates(), padded(hidden));
        // Row of the weight for a padded column: columns are gate by gate, each padded to `hp`.
        let row = |column: usize| {
            let (gate, unit) = (column / hp, column % hp);
            (unit < hidden).then_some(gate * hidden + unit)
        };
        let mut bias = Aligned::zeroed(gates * hp);
        let mut bias_product = Aligned::zeroed(hp);
        for gate in 0..gates {
            // A gate between the two products leaves each its own bias.
            let apart = form.of_input[gate] != form.of_state[gate];
            for unit in 0..hidden {
                let [ih, hh] = [weights.bias_ih, weights.bias_hh].map(|b| b.map_or(0.0, |b| b[gate * hidden + unit]));
                bias.as_mut_slice()[gate * hp + unit] = if apart { ih } else { ih + hh };
                if apart {
                    bias_product.as_mut_slice()[unit] = hh;
                }
            }
        }
        let peephole = weights.peephole.map(|from| {
            let mut to = Aligned::zeroed(form.peepholes.len() * hp);
            for (to, from) in to.as_mut_slice().chunks_exact_mut(hp).zip(from.chunks_exact(hidden)) {
                to[..hidden].copy_from_slice(from);
            }
            to
        });
        let product =
            |weight: &[f32], k: usize| Panels::new(k, gates * hp, weight, |column| row(column).map(|row| (row * k, 1)));
        PackedDirection {
            input: product(weights.weight_ih, input),
            hidden: product(weights.weight_hh, hidden),
            bias,
            bias_product,
            peephole,
        }
    }
}

/// One direction's weights for the backward pass: the same matrices, summed over the gates.
#[derive(Debug)]
pub(crate) struct PackedBackward {
    /// `[G*Hp, I]`, gates in the order of the gradient rows.
    pub(crate) input: Panels,
    /// `[.., H]`: the gates whose product sees the previous state itself.
    pub(crate) hidden: Panels,
    /// `[Hp, H]`: the gate whose product does not.
    pub(crate) hidden_gated: Option<Panels>,
}

impl PackedBackward {
    pub(crate) fn new(form: &Form, [input, hidden]: [usize; 2], weights: &Weights<'_>) -> Self {
        let hp = padded(hidden);
        let gated = form.gated.as_ref().map(|gated| gated.gate);
        let pack = |weight: &[f32], columns: usize, gates: &[usize]| transposed(weight, hidden, hp, columns, gates);
        let mut of_state: Vec<usize> = (0..form.gates()).filter(|&gate| Some(gate) != gated).collect();
        of_state.sort_by_key(|&gate| form.of_state[gate]);
        PackedBackward {
            input: Self::input(form, input, hidden, weights.weight_ih),
            hidden: pack(weights.weight_hh, hidden, &of_state),
            hidden_gated: gated.map(|gate| pack(weights.weight_hh, hidden, &[gate])),
        }
    }

    /// The weights of some columns of the input, `weight_ih [G*H, columns]`.
    pub(crate) fn input(form: &Form, columns: usize, hidden: usize, weight_ih: &[f32]) -> Panels {
        let mut of_input: Vec<usize> = (0..form.gates()).collect();
        of_input.sort_by_key(|&gate| form.of_input[gate]);
        transposed(weight_ih, hidden, padded(hidden), columns, &of_input)
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
