//! Both passes over a batch: rows to groups, groups to threads, and the gradients that sum over all steps.

use super::backward::{self, Backward, Far};
use super::forward::{self, Forward};
use super::packed::Packed;
use super::rows::{Row, in_groups, parts};
use super::{CrfGradients, CrfWorkspace, Left};
use crate::simd::arch;
use crate::simd::product::{Rows, Side, transposed};
use crate::written::{Slot, Unwritten, filled, slots, vector};
use rayon::prelude::*;

/// `log Z` of each row; the workspace keeps what a backward pass needs.
pub(super) fn forward(
    time: usize,
    packed: &Packed,
    emissions: &[f32],
    lengths: &[usize],
    workspace: &mut CrfWorkspace,
    threads: usize,
) -> Vec<f64> {
    let (tags, width) = (packed.tags, packed.width);
    let len = lengths.iter().sum::<usize>() * width;
    let kept = [&mut workspace.logs, &mut workspace.weights, &mut workspace.sums];
    let [mut logs, mut weights, mut sums] = kept.map(|values| Unwritten::over(std::mem::take(values), len));
    let of_rows = parts(logs.slots(), lengths, width)
        .into_iter()
        .zip(parts(weights.slots(), lengths, width))
        .zip(parts(sums.slots(), lengths, width));
    let rows = of_rows.zip(lengths).enumerate().map(|(index, (((logs, weights), sums), &length))| {
        let emissions = &emissions[index * time * tags..][..length * tags];
        Row { index, length, work: forward::Pass { emissions, logs, weights, sums, log_partition: 0.0 } }
    });
    let rows = in_groups(rows.collect(), width, threads, |rows| arch().dispatch(Forward { packed, rows }));
    let log_partitions = rows.iter().map(|row| row.work.log_partition).collect();
    drop(rows);
    // SAFETY: the rows are all of the three, and the pass writes every value of each.
    unsafe {
        (workspace.logs, workspace.weights, workspace.sums) = (logs.written(), weights.written(), sums.written())
    };
    log_partitions
}

/// `upstream[b] · γ`, `[B, T, N]`, and for each row what its `q`, which take the place of the sums, leave out.
pub(super) fn gammas(
    time: usize,
    packed: &Packed,
    lengths: &[usize],
    upstream: &[f32],
    workspace: &mut CrfWorkspace,
    threads: usize,
) -> (Vec<f32>, Vec<Vec<Far>>) {
    let (tags, width) = (packed.tags, packed.width);
    let CrfWorkspace { logs, weights, sums, .. } = workspace;
    let mut far = Vec::new();
    let write = |gammas: &mut [Slot]| {
        let (mut rows, mut at) = (Vec::with_capacity(lengths.len()), 0);
        // SAFETY: the pass writes values alone.
        let sums = parts(unsafe { slots(sums) }, lengths, width);
        let all = gammas.chunks_exact_mut((time * tags).max(1)).zip(sums).zip(lengths.iter().zip(upstream));
        for (index, ((gammas, sums), (&length, &upstream))) in all.enumerate() {
            let (gammas, padding) = gammas.split_at_mut(length * tags);
            filled(padding, 0.0);
            let (logs, weights) = (&logs[at..][..length * width], &weights[at..][..length * width]);
            // SAFETY: the sums were values before they were slots.
            let sums = unsafe { sums.assume_init_mut() };
            let work = backward::Pass { upstream, logs, weights, sums, gammas, far: Vec::new() };
            rows.push(Row { index, length, work });
            at += length * width;
        }
        let rows = in_groups(rows, width, threads, |rows| arch().dispatch(Backward { packed, rows }));
        far = rows.into_iter().map(|row| row.work.far).collect();
    };
    // SAFETY: rows are all of the result, or there is none; each is written, its padding with zeros.
    let gammas = unsafe { vector(lengths.len() * time * tags, write) };
    (gammas, far)
}

/// What is expected less what the paths have.
pub(super) fn backward(left: &Left, upstream: &[f32], workspace: &mut CrfWorkspace, threads: usize) -> CrfGradients {
    let Left { time, packed, lengths, tags: paths } = left;
    let (time, tags) = (*time, packed.tags);
    let (mut emissions, far) = gammas(time, packed, lengths, upstream, workspace, threads);
    let mut transitions = expected(packed, workspace, threads);
    let (mut start, mut end, mut at) = (vec![0.0; tags], vec![0.0; tags], 0);
    for (row, (&length, &upstream)) in lengths.iter().zip(upstream).enumerate().filter(|(_, (length, _))| **length > 0)
    {
        let logs = &workspace.logs[at..][..length * packed.width];
        far.get(row).into_iter().flatten().for_each(|far| far.add(packed, logs, &mut transitions[far.tag..], tags));
        let path = &paths[row * time..][..length];
        for pair in path.windows(2) {
            transitions[pair[0] as usize * tags + pair[1] as usize] -= upstream;
        }
        let emissions = &mut emissions[row * time * tags..][..length * tags];
        for (step, &tag) in path.iter().enumerate() {
            emissions[step * tags + tag as usize] -= upstream;
        }
        start.iter_mut().zip(&emissions[..tags]).for_each(|(sum, slope)| *sum += slope);
        end.iter_mut().zip(&emissions[(length - 1) * tags..]).for_each(|(sum, slope)| *sum += slope);
        at += length * packed.width;
    }
    CrfGradients { emissions, transitions, start, end }
}

/// `[N, N]`: `R(i, j) Σ_t w_(t-1)(i) q_t(j)` over all steps of all rows, rows of the result to threads.
fn expected(packed: &Packed, workspace: &CrfWorkspace, threads: usize) -> Vec<f32> {
    let (tags, width) = (packed.tags, packed.width);
    let CrfWorkspace { weights, sums, .. } = workspace;
    let share = tags.div_ceil(threads.max(1));
    let write = |(piece, transitions): (usize, &mut [Slot])| {
        let sizes = [transitions.len() / tags, sums.len() / width];
        let first = piece * share;
        let mut sides = [Side { b: Rows::Strided(sums, width), columns: tags, c: &mut *transitions }];
        transposed(sizes, (&weights[first.min(weights.len())..], width), &mut sides);
        // SAFETY: the product has written all of it.
        let transitions = unsafe { transitions.assume_init_mut() };
        for (row, ratios) in
            transitions.chunks_exact_mut(tags).zip(packed.ratios.as_slice()[first * width..].chunks(width))
        {
            row.iter_mut().zip(ratios).for_each(|(value, ratio)| *value *= ratio);
        }
    };
    let least = if threads <= 1 { usize::MAX } else { 1 };
    // SAFETY: the pieces are all of the result, and a transposed product starts from zeros.
    unsafe {
        vector(tags * tags, |transitions| {
            transitions.par_chunks_mut(share * tags).enumerate().with_min_len(least).for_each(write);
        })
    }
}
