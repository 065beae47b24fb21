//! Steps under hard monotonic attention: every hypothesis carries how likely it stands where.

use std::sync::Arc;

use lookback_kernels::monotonic::{AdvanceScratch, advance};
use lookback_kernels::simd::math;
use rayon::prelude::*;

use super::super::plan::DISTANCES;
use super::{Decoder, Memory, Source, States, Stepped};
use crate::error::ModelFileError;
use crate::model_file::Tensors;
use crate::network::{Linear, log_softmax};

/// What a decoder with hard monotonic attention has beside the others.
#[derive(Debug)]
pub(super) struct Monotonic {
    /// `[H, M]`: what the output reads of a position.
    pub(super) source: Linear,
    /// `[H, H]`: what it reads of a state.
    target: Linear,
    /// `[DISTANCES]`: what a jump is worth.
    distances: Vec<f64>,
}

/// Where the rows may stand, `S` being the positions of a row's source.
#[derive(Clone, Debug)]
pub(in super::super) struct Alignments {
    rows: Vec<Alignment>,
    /// `[positions of all rows of the last step, V]`: `log p(v | a_t = j)`. Of the token that comes next, the next step asks.
    emissions: Arc<Vec<f32>>,
}

/// Where a row may stand.
#[derive(Clone, Debug, Default)]
struct Alignment {
    /// `[S]`: `log p(a_t = j | y_1 .. y_(t-1))` of the last step; nothing before the first.
    prior: Option<Vec<f64>>,
    /// Which position of all rows is this one's first.
    first: usize,
}

impl Monotonic {
    /// Takes the tensors, all under `decoder`.
    pub(super) fn read(memory: usize, hidden: usize, tensors: &mut Tensors<'_>) -> Result<Monotonic, ModelFileError> {
        Ok(Monotonic {
            source: Linear::read(memory, hidden, false, &mut tensors.within("source"))?,
            target: Linear::read(hidden, hidden, true, &mut tensors.within("target"))?,
            distances: tensors.take("distances", &[DISTANCES])?.into_iter().map(f64::from).collect(),
        })
    }
}

impl Alignments {
    /// Before the first token.
    pub(super) fn start(rows: usize) -> Alignments {
        Alignments { rows: vec![Alignment::default(); rows], emissions: Arc::default() }
    }

    /// Those of these rows, which may repeat.
    pub(super) fn reorder(&mut self, rows: &[usize]) {
        self.rows = rows.iter().map(|&row| self.rows[row].clone()).collect();
    }

    /// `log p(a_t = j | y_1 .. y_t)` of a row, of which `token` is `y_t`; nothing before the first step.
    fn posterior(&self, row: usize, token: u32, vocabulary: usize) -> Option<Vec<f64>> {
        let Alignment { prior, first } = &self.rows[row];
        let emission = |j: usize| f64::from(self.emissions[(first + j) * vocabulary + token as usize]);
        let mut joint: Vec<f64> = prior.as_ref()?.iter().enumerate().map(|(j, prior)| prior + emission(j)).collect();
        let largest = joint.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum = largest + joint.iter().map(|log| (log - largest).exp()).sum::<f64>().ln();
        joint.iter_mut().for_each(|log| *log -= sum);
        Some(joint)
    }
}

impl Decoder {
    /// A step of every row: `log p(v | y_1 .. y_(t-1)) = log Σ_j p(a_t = j | y_1 .. y_(t-1)) p(v | a_t = j)`, exactly. What a row
    /// looked at is the first of these factors.
    pub(super) fn step_monotonic(
        &self,
        monotonic: &Monotonic,
        states: &mut States,
        memory: &Memory,
        tokens: &[u32],
        weights: bool,
        threads: usize,
    ) -> Stepped {
        let (hidden, vocabulary) = (self.plan.hidden, self.vocabulary);
        let x = self.beside_tokens(tokens, &[], 0);
        self.recurrent.step(&x, &mut states.layers, &mut self.workspaces.take().recurrent, threads);
        let made = states.layers.last().map_or(&[][..], |layer| &layer.hidden);
        let target = monotonic.target.forward(made, threads);
        let sources: Vec<&Source> = states.sources.iter().map(|&source| &memory.sources[source]).collect();
        let firsts: Vec<usize> = sources
            .iter()
            .scan(0, |next, source| {
                let first = *next;
                *next += source.length;
                Some(first)
            })
            .collect();
        let cells: usize = sources.iter().map(|source| source.length).sum();
        let mut at_positions = Vec::with_capacity(cells * hidden);
        for (source, target) in sources.iter().zip(target.chunks_exact(hidden)) {
            for mapped in source.mapped.as_deref().unwrap_or_default().chunks_exact(hidden) {
                at_positions.extend(mapped.iter().zip(target).map(|(mapped, target)| mapped + target));
            }
        }
        math::tanh(&mut at_positions);
        let mut emissions = self.output.forward(&at_positions, threads);
        log_softmax(&mut emissions, vocabulary, &mut vec![0.0; cells]);

        let before = states.alignments.take().unwrap_or_else(|| Alignments::start(tokens.len()));
        let mut logits = vec![0.0; tokens.len() * vocabulary];
        let least = if threads <= 1 { usize::MAX } else { 4 };
        let priors: Vec<Vec<f64>> = logits
            .par_chunks_exact_mut(vocabulary)
            .enumerate()
            .with_min_len(least)
            .map_init(AdvanceScratch::default, |scratch, (row, logits)| {
                let source = sources[row];
                let posterior = before.posterior(row, tokens[row], vocabulary);
                let scores = source.scores(&made[row * hidden..][..hidden]);
                let prior = advance(posterior.as_deref(), &scores, &monotonic.distances, scratch)
                    .unwrap_or_else(|error| panic!("{error}"));
                let own = &emissions[firsts[row] * vocabulary..][..source.length * vocabulary];
                mix(&prior, own, logits);
                prior
            })
            .collect();
        let seen = |prior: &Vec<f64>| prior.iter().map(|log| log.exp() as f32).collect();
        let weights = weights.then(|| priors.iter().map(seen).collect());
        let rows = priors.into_iter().zip(firsts).map(|(prior, first)| Alignment { prior: Some(prior), first });
        states.alignments = Some(Alignments { rows: rows.collect(), emissions: Arc::new(emissions) });
        Stepped { logits, weights, gates: None }
    }
}

impl Source {
    /// `[S]`: how well a state fits every position.
    fn scores(&self, state: &[f32]) -> Vec<f32> {
        let keys = self.keys.as_deref().unwrap_or(&self.values);
        keys.chunks_exact(state.len()).map(|key| dot(key, state)).collect()
    }
}

/// `Σ a b` in 16 lanes side by side: one chain alone would wait for itself at every value.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let mut lanes = [0.0f32; 16];
    for (a, b) in a.iter().zip(b) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// `log Σ_j e^(prior_j + emission_j)` of every token, to `to` `[V]`, from emissions `[S, V]`. Of a source without a position
/// nothing is known: all tokens are alike.
fn mix(prior: &[f64], emissions: &[f32], to: &mut [f32]) {
    let vocabulary = to.len();
    if prior.is_empty() {
        to.fill(-(vocabulary as f32).ln());
        return;
    }
    let rows = || emissions.chunks_exact(vocabulary).zip(prior.iter().map(|&log| log as f32));
    let mut largest = vec![f32::NEG_INFINITY; vocabulary];
    for (emissions, prior) in rows() {
        largest.iter_mut().zip(emissions).for_each(|(largest, log)| *largest = largest.max(log + prior));
    }
    let (mut powers, mut sums) = (vec![0.0; vocabulary], vec![0.0; vocabulary]);
    for (emissions, prior) in rows().filter(|(_, prior)| *prior != f32::NEG_INFINITY) {
        let each = powers.iter_mut().zip(emissions).zip(&largest);
        each.for_each(|((power, log), largest)| *power = log + prior - largest);
        math::exp(&mut powers);
        sums.iter_mut().zip(&powers).for_each(|(sum, power)| *sum += power);
    }
    for ((to, sum), largest) in to.iter_mut().zip(sums).zip(largest) {
        *to = largest + sum.ln();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_mixed_by_their_probability() {
        let half = 0.5f64.ln();
        let emissions = [0.25f32.ln(), 0.75f32.ln(), -200.0, 0.0, -300.0, 0.0];
        let mut to = [0.0; 2];
        mix(&[half, half, f64::NEG_INFINITY], &emissions, &mut to);
        assert!((to[0] - 0.125f32.ln()).abs() < 1e-6 && (to[1] - 0.875f32.ln()).abs() < 1e-6, "{to:?}");
        // Less likely than f32 can say.
        mix(&[half, half], &emissions[2..], &mut to);
        assert!((to[0] - (-200.0 + 0.5f32.ln())).abs() < 1e-4, "{to:?}");
        mix(&[], &[], &mut to);
        assert_eq!(to, [-(2.0f32.ln()); 2]);
        mix(&[half, half], &[0.0, f32::NAN, 0.0, 0.0], &mut to);
        assert!(to[0].abs() < 1e-6 && to[1].is_nan(), "{to:?}");
    }

    #[test]
    fn a_dot_product_of_any_width_is_whole() {
        for width in [1, 7, 16, 37] {
            let a: Vec<f32> = (0..width).map(|i| i as f32 * 0.5).collect();
            let b: Vec<f32> = (0..width).map(|i| 3.0 - i as f32).collect();
            let want: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            assert!((f64::from(dot(&a, &b)) - want).abs() < 1e-3, "{width}");
        }
    }
}
