//! What the field refuses, before anything is written.

use super::{CrfDims, CrfParameters};
use crate::{KernelError, check};

/// Parameters that have not the lengths of their shapes.
pub(super) fn parameters(tags: usize, parameters: CrfParameters<'_>) -> Result<(), KernelError> {
    check::positive(&[("N", tags)])?;
    check::slice("transitions", parameters.transitions, &[tags, tags], "[N, N]")?;
    check::slice("start", parameters.start, &[tags], "[N]")?;
    check::slice("end", parameters.end, &[tags], "[N]")
}

/// Emissions and lengths that do not fit.
pub(super) fn emissions(dims: CrfDims, emissions: &[f32], lengths: &[usize]) -> Result<(), KernelError> {
    let CrfDims { batch, time, tags } = dims;
    check::slice("emissions", emissions, &[batch, time, tags], "[B, T, N]")?;
    check::lengths(lengths, batch, time)
}

/// Tags of real steps that are none, and paths that use what is forbidden.
pub(super) fn paths(
    dims: CrfDims,
    parameters: CrfParameters<'_>,
    lengths: &[usize],
    tags: &[u32],
) -> Result<(), KernelError> {
    let CrfDims { batch, time, tags: count } = dims;
    check::slice("tags", tags, &[batch, time], "[B, T]")?;
    for (row, &length) in lengths.iter().enumerate() {
        let path = &tags[row * time..][..length];
        if let Some((step, &index)) = path.iter().enumerate().find(|&(_, &tag)| tag as usize >= count) {
            return Err(KernelError::Index {
                name: "tags",
                at: row * time + step,
                index,
                count,
                of: "tags".to_owned(),
            });
        }
        if let Some((step, what)) = forbidden(count, parameters, path) {
            return Err(KernelError::Forbidden { row, step, what });
        }
    }
    Ok(())
}

/// The first step of a path that is forbidden, and what it does.
fn forbidden(count: usize, parameters: CrfParameters<'_>, path: &[u32]) -> Option<(usize, String)> {
    let CrfParameters { transitions, start, end } = parameters;
    let (&first, &last) = (path.first()?, path.last()?);
    if start[first as usize] == f32::NEG_INFINITY {
        return Some((0, format!("begins with tag {first}")));
    }
    let mut steps = path.windows(2).enumerate();
    let broken = steps.find(|(_, pair)| transitions[pair[0] as usize * count + pair[1] as usize] == f32::NEG_INFINITY);
    if let Some((step, pair)) = broken {
        return Some((step + 1, format!("goes from tag {} to tag {}", pair[0], pair[1])));
    }
    (end[last as usize] == f32::NEG_INFINITY).then(|| (path.len() - 1, format!("ends with tag {last}")))
}
