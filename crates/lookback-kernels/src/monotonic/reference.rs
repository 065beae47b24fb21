//! The model as it is written: transitions as a table, the recursions over it, the list of all alignments, and the emissions
//! cell by cell. Sizes must fit; the naive code indexes without checking them first.

use super::emission::{EmissionDims, EmissionGradients, EmissionInputs};
use super::{MonotonicDims, MonotonicGradients, MonotonicInputs};
use crate::Real;

/// `log p(y | x)` of each row, `[B]`. Arguments as those of [`super::forward`].
pub fn forward<R: Real>(dims: MonotonicDims, inputs: MonotonicInputs<'_, R>) -> Vec<R> {
    (0..dims.batch)
        .map(|row| match inputs.lengths[row] {
            0 => R::ZERO,
            length => log_sum(&alphas(dims, inputs, row)[length - 1]),
        })
        .collect()
}

/// The gradients of `Σ_b upstream[b] · log p(y | x)`.
pub fn backward<R: Real>(dims: MonotonicDims, inputs: MonotonicInputs<'_, R>, upstream: &[R]) -> MonotonicGradients<R> {
    let len = dims.batch * dims.time * dims.positions;
    let mut gradients = MonotonicGradients {
        emissions: vec![R::ZERO; len],
        scores: vec![R::ZERO; len],
        distances: vec![R::ZERO; dims.distances],
    };
    for row in (0..dims.batch).filter(|&row| inputs.lengths[row] > 0) {
        let (steps, positions, up) = (inputs.lengths[row], inputs.source_lengths[row], upstream[row]);
        let (alphas, betas) = (alphas(dims, inputs, row), betas(dims, inputs, row));
        let whole = log_sum(&alphas[steps - 1]);
        for (t, beta) in betas.iter().enumerate() {
            let table = transitions(dims, inputs, row, t);
            let before = if t == 0 { start(positions) } else { alphas[t - 1].clone() };
            for (i, from) in table.iter().enumerate() {
                // The probability of going from `i` to each position at this step, given the target.
                let through = |j: usize| {
                    let emission = inputs.emissions[at(dims, row, t, j)];
                    (before[i] + from[j] + emission + beta[j] - whole).exp()
                };
                let all = (i..positions).fold(R::ZERO, |sum, j| sum + through(j));
                for (j, transition) in from.iter().enumerate().skip(i) {
                    let slope = up * (through(j) - all * transition.exp());
                    gradients.emissions[at(dims, row, t, j)] += up * through(j);
                    gradients.scores[at(dims, row, t, j)] += slope;
                    gradients.distances[(j - i).min(dims.distances - 1)] += slope;
                }
            }
        }
    }
    gradients
}

/// Every alignment of one row that never goes back, and `log p(a, y | x)`.
pub fn every_alignment<R: Real>(
    dims: MonotonicDims,
    inputs: MonotonicInputs<'_, R>,
    row: usize,
) -> Vec<(Vec<usize>, R)> {
    let mut all = vec![(Vec::new(), R::ZERO)];
    for t in 0..inputs.lengths[row] {
        let table = transitions(dims, inputs, row, t);
        let mut longer = Vec::new();
        for (alignment, log) in all {
            let before = alignment.last().copied().unwrap_or(0);
            for (j, &transition) in table[before].iter().enumerate().skip(before) {
                let next: Vec<usize> = alignment.iter().copied().chain([j]).collect();
                longer.push((next, log + transition + inputs.emissions[at(dims, row, t, j)]));
            }
        }
        all = longer;
    }
    all
}

/// `log p(y_t | a_t)`, `[B, T, S]`. Arguments as those of [`super::emission::forward`].
pub fn emissions<R: Real>(dims: EmissionDims, inputs: EmissionInputs<'_, R>) -> Vec<R> {
    let mut emissions = vec![R::ZERO; dims.batch * dims.time * dims.positions];
    for (cell, row, t, j) in cells(dims, inputs) {
        let logits = logits(dims, inputs, &hidden(dims, inputs, row, t, j));
        emissions[cell] = logits[inputs.tokens[row * dims.time + t] as usize] - log_sum(&logits);
    }
    emissions
}

/// The gradients of `Σ upstream ∘ emissions`. upstream: `[B, T, S]`.
pub fn emissions_backward<R: Real>(
    dims: EmissionDims,
    inputs: EmissionInputs<'_, R>,
    upstream: &[R],
) -> EmissionGradients<R> {
    let EmissionDims { width, vocabulary, .. } = dims;
    let mut gradients = EmissionGradients {
        source: vec![R::ZERO; inputs.source.len()],
        target: vec![R::ZERO; inputs.target.len()],
        weight: vec![R::ZERO; inputs.weight.len()],
        bias: vec![R::ZERO; vocabulary],
    };
    for (cell, row, t, j) in cells(dims, inputs) {
        let hidden = hidden(dims, inputs, row, t, j);
        let logits = logits(dims, inputs, &hidden);
        let log_sum = log_sum(&logits);
        let mut d_hidden = vec![R::ZERO; width];
        for (token, &logit) in logits.iter().enumerate() {
            let one = if token == inputs.tokens[row * dims.time + t] as usize { R::ONE } else { R::ZERO };
            let slope = upstream[cell] * (one - (logit - log_sum).exp());
            gradients.bias[token] += slope;
            for (unit, (d_hidden, &hidden)) in d_hidden.iter_mut().zip(&hidden).enumerate() {
                gradients.weight[token * width + unit] += slope * hidden;
                *d_hidden += slope * inputs.weight[token * width + unit];
            }
        }
        for (unit, (&d_hidden, &hidden)) in d_hidden.iter().zip(&hidden).enumerate() {
            let slope = d_hidden * (R::ONE - hidden * hidden);
            gradients.source[(row * dims.positions + j) * width + unit] += slope;
            gradients.target[(row * dims.time + t) * width + unit] += slope;
        }
    }
    gradients
}

/// Every real cell: its place, row, step and position.
fn cells<R: Real>(
    dims: EmissionDims,
    inputs: EmissionInputs<'_, R>,
) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    (0..dims.batch).flat_map(move |row| {
        (0..inputs.lengths[row]).flat_map(move |t| {
            let place = (row * dims.time + t) * dims.positions;
            (0..inputs.source_lengths[row]).map(move |j| (place + j, row, t, j))
        })
    })
}

/// `tanh(U c_j + Q h_t + b)`, `[W]`.
fn hidden<R: Real>(dims: EmissionDims, inputs: EmissionInputs<'_, R>, row: usize, t: usize, j: usize) -> Vec<R> {
    let source = &inputs.source[(row * dims.positions + j) * dims.width..][..dims.width];
    let target = &inputs.target[(row * dims.time + t) * dims.width..][..dims.width];
    source.iter().zip(target).map(|(&source, &target)| (source + target).tanh()).collect()
}

fn logits<R: Real>(dims: EmissionDims, inputs: EmissionInputs<'_, R>, hidden: &[R]) -> Vec<R> {
    let weights = inputs.weight.chunks_exact(dims.width).zip(inputs.bias);
    weights.map(|(weight, &bias)| weight.iter().zip(hidden).fold(bias, |sum, (&w, &x)| sum + w * x)).collect()
}

fn at(dims: MonotonicDims, row: usize, t: usize, j: usize) -> usize {
    (row * dims.time + t) * dims.positions + j
}

/// `log p(a_t = j | a_(t-1) = i)`, `[L, L]`; of `j < i` -inf.
fn transitions<R: Real>(dims: MonotonicDims, inputs: MonotonicInputs<'_, R>, row: usize, t: usize) -> Vec<Vec<R>> {
    let positions = inputs.source_lengths[row];
    let of = |i: usize| {
        let score = |j: usize| inputs.scores[at(dims, row, t, j)] + inputs.distances[(j - i).min(dims.distances - 1)];
        let norm = log_sum(&(i..positions).map(score).collect::<Vec<R>>());
        (0..positions).map(|j| if j < i { R::from_f32(f32::NEG_INFINITY) } else { score(j) - norm }).collect()
    };
    (0..positions).map(of).collect()
}

fn start<R: Real>(positions: usize) -> Vec<R> {
    (0..positions).map(|i| if i == 0 { R::ZERO } else { R::from_f32(f32::NEG_INFINITY) }).collect()
}

/// `α_t(j) = log p(y_t | j) + log Σ_i e^(α_(t-1)(i)) p(j | i)`, `[steps][L]` (Wu and Cotterell 2019, in logarithms).
fn alphas<R: Real>(dims: MonotonicDims, inputs: MonotonicInputs<'_, R>, row: usize) -> Vec<Vec<R>> {
    let positions = inputs.source_lengths[row];
    let (mut all, mut before) = (Vec::new(), start(positions));
    for t in 0..inputs.lengths[row] {
        let table = transitions(dims, inputs, row, t);
        let of = |j: usize| {
            let terms: Vec<R> = (0..positions).map(|i| before[i] + table[i][j]).collect();
            log_sum(&terms) + inputs.emissions[at(dims, row, t, j)]
        };
        before = (0..positions).map(of).collect();
        all.push(before.clone());
    }
    all
}

/// `β_t(i) = log Σ_j p(j | i) p(y_(t+1) | j) e^(β_(t+1)(j))`, `[steps][L]`, 0 behind the last step.
fn betas<R: Real>(dims: MonotonicDims, inputs: MonotonicInputs<'_, R>, row: usize) -> Vec<Vec<R>> {
    let (steps, positions) = (inputs.lengths[row], inputs.source_lengths[row]);
    let mut all = vec![vec![R::ZERO; positions]; steps];
    for t in (1..steps).rev() {
        let table = transitions(dims, inputs, row, t);
        let after = all[t].clone();
        let of = |i: usize| {
            let term = |j: usize| table[i][j] + inputs.emissions[at(dims, row, t, j)] + after[j];
            log_sum(&(0..positions).map(term).collect::<Vec<R>>())
        };
        all[t - 1] = (0..positions).map(of).collect();
    }
    all
}

fn log_sum<R: Real>(terms: &[R]) -> R {
    let none = R::from_f32(f32::NEG_INFINITY);
    let largest = terms.iter().fold(none, |most, &term| if term > most { term } else { most });
    if largest == none {
        return none;
    }
    largest + terms.iter().fold(R::ZERO, |sum, &term| sum + (term - largest).exp()).ln()
}
