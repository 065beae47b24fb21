//! The field as it is written: the forward algorithm, forward-backward, Viterbi's algorithm, and the list of all paths.
//! Sizes and tags must fit; the naive code indexes without checking them first.

use super::{CrfDims, CrfGradients, CrfParameters};
use crate::Real;

/// The losses and `log Z` of all rows, `[B]` each. Arguments as those of [`super::forward`].
pub fn forward<R: Real>(
    dims: CrfDims,
    parameters: CrfParameters<'_, R>,
    emissions: &[R],
    lengths: &[usize],
    tags: &[u32],
) -> (Vec<R>, Vec<R>) {
    let of_row = |row: usize| {
        let emissions = of_row(dims, emissions, row, lengths[row]);
        if emissions.is_empty() {
            return (R::ZERO, R::ZERO);
        }
        let log_partition = log_partition(dims.tags, parameters, &alphas(dims.tags, parameters, emissions));
        let path = &tags[row * dims.time..][..lengths[row]];
        (log_partition - path_score(dims.tags, parameters, emissions, path), log_partition)
    };
    (0..dims.batch).map(of_row).unzip()
}

/// The gradients of `Σ_b upstream[b] · loss[b]`: what is expected less what the path has.
pub fn backward<R: Real>(
    dims: CrfDims,
    parameters: CrfParameters<'_, R>,
    emissions: &[R],
    lengths: &[usize],
    tags: &[u32],
    upstream: &[R],
) -> CrfGradients<R> {
    let count = dims.tags;
    let mut gradients = CrfGradients {
        emissions: vec![R::ZERO; dims.batch * dims.time * count],
        transitions: vec![R::ZERO; count * count],
        start: vec![R::ZERO; count],
        end: vec![R::ZERO; count],
    };
    for row in 0..dims.batch {
        let (length, up) = (lengths[row], upstream[row]);
        if length == 0 {
            continue;
        }
        let path: Vec<usize> = tags[row * dims.time..][..length].iter().map(|&tag| tag as usize).collect();
        let emissions = of_row(dims, emissions, row, length);
        let (alphas, betas) = (alphas(count, parameters, emissions), betas(count, parameters, emissions));
        let log_partition = log_partition(count, parameters, &alphas);
        for (step, &own) in path.iter().enumerate() {
            for tag in 0..count {
                let at = step * count + tag;
                let one = if own == tag { R::ONE } else { R::ZERO };
                let slope = up * ((alphas[at] + betas[at] - log_partition).exp() - one);
                gradients.emissions[row * dims.time * count + at] += slope;
                if step == 0 {
                    gradients.start[tag] += slope;
                }
                if step + 1 == length {
                    gradients.end[tag] += slope;
                }
            }
        }
        for step in 1..length {
            for from in 0..count {
                for to in 0..count {
                    let (before, now) = ((step - 1) * count + from, step * count + to);
                    let through = parameters.transitions[from * count + to] + emissions[now];
                    let expected = (alphas[before] + through + betas[now] - log_partition).exp();
                    let one = if (path[step - 1], path[step]) == (from, to) { R::ONE } else { R::ZERO };
                    gradients.transitions[from * count + to] += up * (expected - one);
                }
            }
        }
    }
    gradients
}

/// `[B, T, N]`: the probability of every tag at every step.
pub fn marginals<R: Real>(
    dims: CrfDims,
    parameters: CrfParameters<'_, R>,
    emissions: &[R],
    lengths: &[usize],
) -> Vec<R> {
    let mut marginals = vec![R::ZERO; emissions.len()];
    for (row, &length) in lengths.iter().enumerate().filter(|&(_, &length)| length > 0) {
        let emissions = of_row(dims, emissions, row, length);
        let alphas = alphas(dims.tags, parameters, emissions);
        let log_partition = log_partition(dims.tags, parameters, &alphas);
        let betas = betas(dims.tags, parameters, emissions);
        let to = &mut marginals[row * dims.time * dims.tags..];
        for ((to, &alpha), &beta) in to.iter_mut().zip(&alphas).zip(&betas) {
            *to = (alpha + beta - log_partition).exp();
        }
    }
    marginals
}

/// The best path of every row, `[B, T]` with 0 at and past its length, and its score, `[B]`. Of equal tags the lowest.
pub fn viterbi<R: Real>(
    dims: CrfDims,
    parameters: CrfParameters<'_, R>,
    emissions: &[R],
    lengths: &[usize],
) -> (Vec<u32>, Vec<R>) {
    let (count, mut tags, mut scores) = (dims.tags, vec![0; dims.batch * dims.time], vec![R::ZERO; dims.batch]);
    for (row, &length) in lengths.iter().enumerate().filter(|&(_, &length)| length > 0) {
        let emissions = of_row(dims, emissions, row, length);
        let mut best: Vec<R> = (0..count).map(|tag| parameters.start[tag] + emissions[tag]).collect();
        let mut origins = Vec::new();
        for emissions in emissions[count..].chunks_exact(count) {
            let candidates =
                |to: usize| (0..count).map(|from| best[from] + parameters.transitions[from * count + to]).collect();
            let from: Vec<usize> = (0..count).map(|to| first_largest(candidates(to))).collect();
            best = (0..count)
                .map(|to| best[from[to]] + parameters.transitions[from[to] * count + to] + emissions[to])
                .collect();
            origins.push(from);
        }
        let mut tag = first_largest((0..count).map(|tag| best[tag] + parameters.end[tag]).collect());
        scores[row] = best[tag] + parameters.end[tag];
        let path = &mut tags[row * dims.time..][..length];
        path[length - 1] = tag as u32;
        for (step, from) in origins.iter().enumerate().rev() {
            tag = from[tag];
            path[step] = tag as u32;
        }
    }
    (tags, scores)
}

/// Every path of one row that is not forbidden and its score, the best first: `N^T` of them. emissions: `[T, N]`.
pub fn every_path<R: Real>(tags: usize, parameters: CrfParameters<'_, R>, emissions: &[R]) -> Vec<(Vec<u32>, R)> {
    let length = emissions.len() / tags;
    let mut paths: Vec<Vec<u32>> = vec![Vec::new()];
    for _ in 0..length {
        paths = paths
            .into_iter()
            .flat_map(|path| (0..tags as u32).map(move |tag| path.iter().copied().chain([tag]).collect()))
            .collect();
    }
    paths.retain(|path| !path.is_empty());
    let scored = paths.into_iter().map(|path| {
        let score = path_score(tags, parameters, emissions, &path);
        (path, score)
    });
    let mut scored: Vec<(Vec<u32>, R)> = scored.filter(|&(_, score)| score > R::from_f32(f32::NEG_INFINITY)).collect();
    scored.sort_by(|a, b| b.1.partial_cmp(&a.1).unwrap_or(std::cmp::Ordering::Equal));
    scored
}

/// `start(y_0) + Σ_t e_t(y_t) + Σ_t A(y_(t-1), y_t) + end(y_last)` of a path that has a step. emissions: `[T, N]`.
pub fn path_score<R: Real>(tags: usize, parameters: CrfParameters<'_, R>, emissions: &[R], path: &[u32]) -> R {
    let mut score = parameters.start[path[0] as usize] + parameters.end[path[path.len() - 1] as usize];
    for (step, &tag) in path.iter().enumerate() {
        score += emissions[step * tags + tag as usize];
    }
    for pair in path.windows(2) {
        score += parameters.transitions[pair[0] as usize * tags + pair[1] as usize];
    }
    score
}

fn of_row<R>(dims: CrfDims, emissions: &[R], row: usize, length: usize) -> &[R] {
    &emissions[row * dims.time * dims.tags..][..length * dims.tags]
}

/// `α_t(j) = e_t(j) + log Σ_i e^(α_(t-1)(i) + A(i, j))`, `[T, N]` (Rabiner 1989, eq. 19 and 20, in logarithms).
fn alphas<R: Real>(tags: usize, parameters: CrfParameters<'_, R>, emissions: &[R]) -> Vec<R> {
    let mut alphas: Vec<R> = (0..tags).map(|tag| parameters.start[tag] + emissions[tag]).collect();
    for (step, emissions) in emissions.chunks_exact(tags).enumerate().skip(1) {
        for (to, &emission) in emissions.iter().enumerate() {
            let before = &alphas[(step - 1) * tags..][..tags];
            let terms =
                before.iter().enumerate().map(|(from, &alpha)| alpha + parameters.transitions[from * tags + to]);
            let sum = log_sum(terms.collect());
            alphas.push(emission + sum);
        }
    }
    alphas
}

/// `β_t(i) = log Σ_j e^(A(i, j) + e_(t+1)(j) + β_(t+1)(j))`, `[T, N]` (Rabiner 1989, eq. 24 and 25).
fn betas<R: Real>(tags: usize, parameters: CrfParameters<'_, R>, emissions: &[R]) -> Vec<R> {
    let length = emissions.len() / tags;
    let mut betas = vec![R::ZERO; emissions.len()];
    betas[(length - 1) * tags..].copy_from_slice(parameters.end);
    for step in (0..length - 1).rev() {
        for from in 0..tags {
            let term = |to: usize| {
                let after = (step + 1) * tags + to;
                parameters.transitions[from * tags + to] + emissions[after] + betas[after]
            };
            betas[step * tags + from] = log_sum((0..tags).map(term).collect());
        }
    }
    betas
}

/// `log Z = log Σ_j e^(α_last(j) + end(j))`.
fn log_partition<R: Real>(tags: usize, parameters: CrfParameters<'_, R>, alphas: &[R]) -> R {
    let last = &alphas[alphas.len() - tags..];
    log_sum(last.iter().zip(parameters.end).map(|(&alpha, &end)| alpha + end).collect())
}

fn log_sum<R: Real>(terms: Vec<R>) -> R {
    let largest = terms[first_largest(terms.clone())];
    if largest == R::from_f32(f32::NEG_INFINITY) {
        return largest;
    }
    largest + terms.iter().fold(R::ZERO, |sum, &term| sum + (term - largest).exp()).ln()
}

fn first_largest<R: Real>(values: Vec<R>) -> usize {
    (1..values.len()).fold(0, |best, at| if values[at] > values[best] { at } else { best })
}
