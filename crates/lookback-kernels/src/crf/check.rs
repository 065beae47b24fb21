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

/// A size of what the kernels keep that no memory holds.
pub(super) fn kept(lengths: &[usize], width: usize) -> Result<(), KernelError> {
    // Of emissions that are in memory, at most a vector's width times as much.
    check::product("what is kept", &[lengths.iter().sum(), width], "[steps, N]").map(|_| ())
}

/// Which tags may begin, follow one another and end, as sets of tags in words of 64.
#[derive(Debug, Clone)]
pub(super) struct Allowed {
    start: Vec<u64>,
    /// By the tag before.
    next: Vec<Vec<u64>>,
    end: Vec<u64>,
}

impl Allowed {
    /// None where nothing is forbidden.
    pub(super) fn of(tags: usize, parameters: CrfParameters<'_>) -> Option<Allowed> {
        let CrfParameters { transitions, start, end } = parameters;
        if [transitions, start, end].concat().iter().all(|&value| value != f32::NEG_INFINITY) {
            return None;
        }
        let next = transitions.chunks_exact(tags).map(set).collect();
        Some(Allowed { start: set(start), next, end: set(end) })
    }

    /// Refuses a row whose length no allowed path has.
    pub(super) fn check(&self, lengths: &[usize]) -> Result<(), KernelError> {
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let (mut reached, mut ends) = (self.start.clone(), Vec::with_capacity(longest));
        for _ in 0..longest {
            ends.push(reached.iter().zip(&self.end).any(|(reached, end)| reached & end != 0));
            let mut next = vec![0; reached.len()];
            for (_, row) in self.next.iter().enumerate().filter(|&(tag, _)| reached[tag / 64] >> (tag % 64) & 1 == 1) {
                next.iter_mut().zip(row).for_each(|(next, row)| *next |= row);
            }
            reached = next;
        }
        let refused = |&(_, &length): &(usize, &usize)| length > 0 && !ends[length - 1];
        match lengths.iter().enumerate().find(refused) {
            Some((row, &length)) => Err(KernelError::NoPath { row, length }),
            None => Ok(()),
        }
    }
}

/// The tags that are not forbidden.
fn set(scores: &[f32]) -> Vec<u64> {
    let mut set = vec![0; scores.len().div_ceil(64)];
    for (tag, _) in scores.iter().enumerate().filter(|&(_, &score)| score != f32::NEG_INFINITY) {
        set[tag / 64] |= 1 << (tag % 64);
    }
    set
}
