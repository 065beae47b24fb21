//! Every refusal of the decoder, in one place, before anything is written.

use super::{DecoderDims, DecoderForm, DecoderInputs, DecoderKind, DecoderParameters, Map};
use crate::KernelError;
use crate::attention::Score;
use crate::check::{self, optional, positive, product, slice};

/// The widest panel of any machine.
const MOST_PANEL: usize = 64;
/// The most sections of `Hp` values that a step keeps.
const MOST_GATES: usize = 5;

/// Refuses sizes that no decoder or batch has, and lengths beyond their axis.
pub(super) fn dims(
    kind: DecoderKind,
    dims: &DecoderDims,
    lengths: Option<&[usize]>,
    key_lengths: Option<&[usize]>,
) -> Result<(), KernelError> {
    let DecoderDims { batch, time, input, hidden, layers, keys, width, memory } = *dims;
    positive(&[("I", input), ("H", hidden), ("L", layers), ("A", width), ("M", memory)])?;
    let padded = |size: usize| size.checked_next_multiple_of(MOST_PANEL).unwrap_or(usize::MAX);
    let beside = input.saturating_add(kind.fed(dims));
    let both = padded(memory.saturating_add(hidden));
    let widest = padded(beside).max(both).max(padded(width));
    // Everything that a pass computes with is a part of these: no size wraps behind them.
    product("the layers' weights", &[layers, MOST_GATES, padded(hidden), widest], "[L, 5, Hp, widest]")?;
    product("the maps", &[padded(width).max(padded(hidden)), widest], "[A, widest]")?;
    product(
        "the steps",
        &[batch, time.max(1), layers, MOST_GATES, widest.max(padded(hidden))],
        "[B, T, L, 5, widest]",
    )?;
    product("the weights", &[batch, time, padded(keys)], "[B, T, K]")?;
    product("the memory", &[batch, keys, padded(width).max(padded(memory)) + MOST_PANEL], "[B, K, widest]")?;
    lengths.map_or(Ok(()), |lengths| check::lengths(lengths, batch, time))?;
    let Some(key_lengths) = key_lengths else { return Ok(()) };
    slice("key lengths", key_lengths, &[batch], "[B]")?;
    match key_lengths.iter().enumerate().find(|&(_, &length)| length > keys) {
        Some((row, &length)) => Err(KernelError::KeyLength { row, length, keys }),
        None => Ok(()),
    }
}

/// Refuses parameters that do not fit, or that this decoder does not have.
pub(super) fn parameters(
    kind: DecoderKind,
    dims: &DecoderDims,
    parameters: &DecoderParameters<'_>,
) -> Result<(), KernelError> {
    let DecoderDims { input, hidden, layers, width, memory, .. } = *dims;
    slice("layers", parameters.layers, &[layers], "[L]")?;
    let gates = kind.cell.gates() * hidden;
    for (layer, weights) in parameters.layers.iter().enumerate() {
        let read = if layer == 0 { input + kind.fed(dims) } else { hidden };
        slice("weight_ih", weights.weight_ih, &[gates, read], "[G*H, I + F or H]")?;
        slice("weight_hh", weights.weight_hh, &[gates, hidden], "[G*H, H]")?;
        optional("bias_ih", weights.bias_ih, &[gates], "[G*H]")?;
        optional("bias_hh", weights.bias_hh, &[gates], "[G*H]")?;
        if weights.peephole.is_some() {
            return Err(KernelError::NotPart { name: "peephole", cell: "decoder in one operation" });
        }
    }
    match &parameters.query {
        Some(query) => map(("the query's weight", "the query's bias"), query, [width, hidden], "[A, H]")?,
        None if width != hidden => {
            let reason = "the state has H values, and keys have another number";
            return Err(KernelError::Missing { name: "the query's map", reason });
        }
        None => {}
    }
    if let Score::Additive { v } = parameters.score {
        slice("v", v, &[width], "[A]")?;
    }
    if parameters.coverage.is_some() && !matches!(parameters.score, Score::Additive { .. }) {
        return Err(KernelError::NotPart { name: "coverage", cell: "decoder whose score is a product" });
    }
    optional("coverage", parameters.coverage, &[width], "[A]")?;
    match (kind.form, &parameters.combine) {
        (DecoderForm::Luong { .. }, Some(combine)) => {
            let names = ("the combination's weight", "the combination's bias");
            map(names, combine, [hidden, memory + hidden], "[H, M + H]")
        }
        (DecoderForm::Luong { .. }, None) => {
            Err(KernelError::Missing { name: "the combination", reason: "Luong's form maps context and state" })
        }
        (DecoderForm::Bahdanau, Some(_)) => {
            Err(KernelError::NotPart { name: "the combination", cell: "decoder of Bahdanau's form" })
        }
        (DecoderForm::Bahdanau, None) => Ok(()),
    }
}

fn map(
    (weight, bias): (&'static str, &'static str),
    map: &Map<'_>,
    [outputs, inputs]: [usize; 2],
    legend: &str,
) -> Result<(), KernelError> {
    slice(weight, map.weight, &[outputs, inputs], legend)?;
    optional(bias, map.bias, &[outputs], "[outputs]")
}

/// Refuses inputs that do not fit.
pub(super) fn inputs(kind: DecoderKind, dims: &DecoderDims, inputs: &DecoderInputs<'_>) -> Result<(), KernelError> {
    let DecoderDims { batch, time, input, hidden, layers, keys, width, memory } = *dims;
    slice("x", inputs.x, &[batch, time, input], "[B, T, I]")?;
    slice("keys", inputs.keys, &[batch, keys, width], "[B, K, A]")?;
    slice("values", inputs.values, &[batch, keys, memory], "[B, K, M]")?;
    if inputs.previous.is_some() && kind.form != (DecoderForm::Luong { feeding: true }) {
        return Err(KernelError::NotPart { name: "previous", cell: "decoder without input feeding" });
    }
    optional("previous", inputs.previous, &[batch, hidden], "[B, H]")?;
    optional("h0", inputs.h0, &[layers, batch, hidden], "[L, B, H]")?;
    if inputs.c0.is_some() && !kind.cell.has_cell_state() {
        return Err(KernelError::NotPart { name: "c0", cell: kind.cell.name() });
    }
    optional("c0", inputs.c0, &[layers, batch, hidden], "[L, B, H]")?;
    optional("masks", inputs.masks, &[layers - 1, batch, time, hidden], "[L - 1, B, T, H]")
}

/// Refuses an output, or what flows into it, of another length.
pub(super) fn outputs(
    kind: DecoderKind,
    dims: &DecoderDims,
    output: &[f32],
    upstream: &[f32],
) -> Result<(), KernelError> {
    let expected = kind.parts(dims).c_n.end;
    slice("output", output, &[expected], "[all parts]")?;
    slice("upstream", upstream, &[expected], "[all parts]")
}
