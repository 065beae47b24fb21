//! Every refusal of the recurrent kernels, in one place, before anything is written.

use super::{Cell, Dims, InputGradients, Inputs, Outputs, Upstream, WeightGradients, Weights};
use crate::KernelError;
use crate::check::{self, optional, positive, product, slice};
use crate::written::Slot;

/// The widest panel of any machine.
const MOST_PANEL: usize = 64;
/// The most sections of `Hp` values that a step keeps.
const MOST_GATES: usize = 5;

/// Refuses sizes that no layer has.
pub(super) fn layer(dims: &Dims) -> Result<(), KernelError> {
    if !(1..=2).contains(&dims.directions) {
        return Err(KernelError::Directions(dims.directions));
    }
    positive(&[("I", dims.input), ("H", dims.hidden)])?;
    // Everything that a pass computes with is a part of this, or of what `dims` multiplies: no size wraps behind them.
    let width = padded(dims);
    product("the layer's weights", &[dims.directions, MOST_GATES, width, width.max(dims.input)], "[D, 5, Hp, I]")?;
    Ok(())
}

/// Refuses sizes that no layer or batch has, and lengths beyond the time axis.
pub(super) fn dims(dims: &Dims, lengths: Option<&[usize]>) -> Result<(), KernelError> {
    layer(dims)?;
    let Dims { batch, time, directions, .. } = *dims;
    let width = padded(dims);
    product("the batch", &[batch, time, directions, MOST_GATES, width.max(dims.input)], "[B, T, D, 5, Hp]")?;
    product("the states", &[batch, directions, MOST_GATES, width], "[B, D, 5, Hp]")?;
    lengths.map_or(Ok(()), |lengths| check::lengths(lengths, batch, time))
}

/// `Hp` on any machine.
fn padded(dims: &Dims) -> usize {
    dims.hidden.checked_next_multiple_of(MOST_PANEL).unwrap_or(usize::MAX)
}

/// Refuses weights whose sizes do not fit, or that the cell does not have.
pub(super) fn weights(cell: Cell, dims: &Dims, weights: &[Weights<'_>]) -> Result<(), KernelError> {
    per_direction("weights", dims, weights.len())?;
    let (gh, h) = (cell.gates() * dims.hidden, dims.hidden);
    for weights in weights {
        slice("weight_ih", weights.weight_ih, &[gh, dims.input], "[G*H, I]")?;
        slice("weight_hh", weights.weight_hh, &[gh, h], "[G*H, H]")?;
        optional("bias_ih", weights.bias_ih, &[gh], "[G*H]")?;
        optional("bias_hh", weights.bias_hh, &[gh], "[G*H]")?;
        only_lstm(cell, "peephole", weights.peephole.is_some())?;
        optional("peephole", weights.peephole, &[3 * h], "[3*H]")?;
    }
    Ok(())
}

/// Refuses inputs that do not fit.
pub(super) fn inputs(cell: Cell, dims: &Dims, inputs: &Inputs<'_>) -> Result<(), KernelError> {
    let state = [dims.directions, dims.batch, dims.hidden];
    slice("x", inputs.x, &[dims.batch, dims.time, dims.input], "[B, T, I]")?;
    optional("h0", inputs.h0, &state, "[D, B, H]")?;
    only_lstm(cell, "c0", inputs.c0.is_some())?;
    optional("c0", inputs.c0, &state, "[D, B, H]")
}

/// Refuses outputs that do not fit.
pub(super) fn outputs(cell: Cell, dims: &Dims, outputs: &Outputs<'_, Slot>) -> Result<(), KernelError> {
    let state = [dims.directions, dims.batch, dims.hidden];
    sequence("y", outputs.y, dims)?;
    slice("h_n", outputs.h_n, &state, "[D, B, H]")?;
    only_lstm(cell, "c_n", outputs.c_n.is_some())?;
    if cell.has_cell_state() && outputs.c_n.is_none() {
        return Err(KernelError::Missing { name: "c_n", reason: "an LSTM writes its final cell state" });
    }
    optional("c_n", outputs.c_n.as_deref(), &state, "[D, B, H]")
}

/// Refuses gradients, on either side, that do not fit.
pub(super) fn gradients(
    cell: Cell,
    dims: &Dims,
    upstream: &Upstream<'_>,
    inputs: &InputGradients<'_, Slot>,
    weights: &[WeightGradients<'_, Slot>],
) -> Result<(), KernelError> {
    let (gh, h) = (cell.gates() * dims.hidden, dims.hidden);
    let state = [dims.directions, dims.batch, h];
    if let Some(y) = upstream.y {
        sequence("upstream y", y, dims)?;
    }
    optional("upstream h_n", upstream.h_n, &state, "[D, B, H]")?;
    only_lstm(cell, "upstream c_n", upstream.c_n.is_some())?;
    optional("upstream c_n", upstream.c_n, &state, "[D, B, H]")?;
    optional("gradient x", inputs.x.as_deref(), &[dims.batch, dims.time, dims.input], "[B, T, I]")?;
    optional("gradient h0", inputs.h0.as_deref(), &state, "[D, B, H]")?;
    only_lstm(cell, "gradient c0", inputs.c0.is_some())?;
    optional("gradient c0", inputs.c0.as_deref(), &state, "[D, B, H]")?;
    per_direction("weight gradients", dims, weights.len())?;
    for weights in weights {
        optional("gradient weight_ih", weights.weight_ih.as_deref(), &[gh, dims.input], "[G*H, I]")?;
        optional("gradient weight_hh", weights.weight_hh.as_deref(), &[gh, h], "[G*H, H]")?;
        optional("gradient bias_ih", weights.bias_ih.as_deref(), &[gh], "[G*H]")?;
        optional("gradient bias_hh", weights.bias_hh.as_deref(), &[gh], "[G*H]")?;
        only_lstm(cell, "gradient peephole", weights.peephole.is_some())?;
        optional("gradient peephole", weights.peephole.as_deref(), &[3 * h], "[3*H]")?;
    }
    Ok(())
}

/// Refuses a `[B, T, D*H]` slice of another length.
pub(super) fn sequence<X>(name: &'static str, found: &[X], dims: &Dims) -> Result<(), KernelError> {
    slice(name, found, &[dims.batch, dims.time, dims.directions * dims.hidden], "[B, T, D*H]")
}

fn only_lstm(cell: Cell, name: &'static str, given: bool) -> Result<(), KernelError> {
    if given && !cell.has_cell_state() {
        return Err(KernelError::NotPart { name, cell: cell.name() });
    }
    Ok(())
}

fn per_direction(name: &'static str, dims: &Dims, found: usize) -> Result<(), KernelError> {
    if found == dims.directions {
        return Ok(());
    }
    Err(KernelError::PerDirection { name, expected: dims.directions, found })
}
