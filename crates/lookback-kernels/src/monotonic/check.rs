//! What is refused before anything is computed.

use super::{MonotonicDims, MonotonicInputs, MonotonicTrace};
use crate::{KernelError, check};

/// Slices and lengths that do not fit.
pub(super) fn call(dims: MonotonicDims, inputs: MonotonicInputs<'_>) -> Result<(), KernelError> {
    let MonotonicDims { batch, time, positions, distances } = dims;
    check::positive(&[("D", distances)])?;
    check::slice("emissions", inputs.emissions, &[batch, time, positions], "[B, T, S]")?;
    check::slice("scores", inputs.scores, &[batch, time, positions], "[B, T, S]")?;
    check::slice("distances", inputs.distances, &[distances], "[D]")?;
    lengths([batch, time, positions], inputs.lengths, inputs.source_lengths)
}

/// Lengths of both sides: within their axes, and a position wherever there is a step.
pub(super) fn lengths(
    [batch, time, positions]: [usize; 3],
    lengths: &[usize],
    source_lengths: &[usize],
) -> Result<(), KernelError> {
    check::lengths(lengths, batch, time)?;
    check::slice("source lengths", source_lengths, &[batch], "[B]")?;
    for (row, (&length, &source)) in lengths.iter().zip(source_lengths).enumerate() {
        if source > positions {
            return Err(KernelError::SourceLength { row, length: source, positions });
        }
        if length > 0 && source == 0 {
            return Err(KernelError::NoPosition { row, length });
        }
    }
    Ok(())
}

/// A trace of another call.
pub(super) fn trace(
    dims: MonotonicDims,
    inputs: MonotonicInputs<'_>,
    trace: &MonotonicTrace,
) -> Result<(), KernelError> {
    let rows = inputs.lengths.iter().copied().zip(inputs.source_lengths.iter().copied());
    same(trace.dims == dims && trace.rows.iter().map(|row| row.sizes).eq(rows))
}

/// A trace of another call, where it is not the same.
pub(super) fn same(fits: bool) -> Result<(), KernelError> {
    match fits {
        true => Ok(()),
        false => Err(KernelError::Missing { name: "the trace", reason: "the one given is of a call of other sizes" }),
    }
}
