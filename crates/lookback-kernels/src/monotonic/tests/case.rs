//! A random batch, what the reference makes of it, and what the fast kernels do.

use crate::monotonic::emission::{self, EmissionDims, EmissionGradients, EmissionInputs};
use crate::monotonic::{MonotonicDims, MonotonicGradients, MonotonicInputs, backward, forward, reference};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// One random batch in f64, whose values are f32 values: everything from the mapped sides to the likelihood.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) dims: EmissionDims,
    pub(super) lengths: Vec<usize>,
    pub(super) source_lengths: Vec<usize>,
    pub(super) tokens: Vec<u32>,
    pub(super) source: Vec<f64>,
    pub(super) target: Vec<f64>,
    pub(super) weight: Vec<f64>,
    pub(super) bias: Vec<f64>,
    /// Of any alignment, for the likelihood alone.
    pub(super) emissions: Vec<f64>,
    pub(super) scores: Vec<f64>,
    pub(super) distances: Vec<f64>,
    pub(super) upstream: Vec<f64>,
    /// Of every cell.
    pub(super) of_cells: Vec<f64>,
}

impl Case {
    /// Scores and emissions within `limit`, the first row as long as the batch on both sides.
    pub(super) fn new([batch, time, positions, distances]: [usize; 4], limit: f32, seed: u64) -> Case {
        let (width, vocabulary) = (1 + seed as usize % 19, 1 + seed as usize % 37);
        let mut rng = StdRng::seed_from_u64(seed);
        let lengths = (0..batch).map(|row| if row == 0 { time } else { rng.random_range(0..=time) }).collect();
        let source_lengths =
            (0..batch).map(|row| if row == 0 { positions } else { rng.random_range(1..=positions) }).collect();
        let tokens = (0..batch * time).map(|_| rng.random_range(0..vocabulary as u32)).collect();
        let mut draw = |count: usize, limit: f32| -> Vec<f64> {
            (0..count).map(|_| f64::from(rng.random_range(-limit..=limit))).collect()
        };
        let cells = batch * time * positions;
        Case {
            dims: EmissionDims { batch, time, positions, width, vocabulary },
            lengths,
            source_lengths,
            tokens,
            source: draw(batch * positions * width, 1.0),
            target: draw(batch * time * width, 1.0),
            weight: draw(vocabulary * width, 1.0),
            bias: draw(vocabulary, 1.0),
            emissions: draw(cells, limit),
            scores: draw(cells, limit),
            distances: draw(distances, limit),
            upstream: draw(batch, 1.0),
            of_cells: draw(cells, 1.0),
        }
    }

    /// Row `b` alone, as long as it is on both sides.
    pub(super) fn row(&self, b: usize) -> Case {
        let EmissionDims { time, positions, width, .. } = self.dims;
        let (length, source) = (self.lengths[b], self.source_lengths[b]);
        let cells = |values: &[f64]| {
            let of_row = &values[b * time * positions..][..length * positions];
            of_row.chunks(positions.max(1)).flat_map(|step| step[..source].to_vec()).collect::<Vec<f64>>()
        };
        Case {
            dims: EmissionDims { batch: 1, time: length, positions: source, ..self.dims },
            lengths: vec![length],
            source_lengths: vec![source],
            tokens: self.tokens[b * time..][..length].to_vec(),
            source: self.source[b * positions * width..][..source * width].to_vec(),
            target: self.target[b * time * width..][..length * width].to_vec(),
            emissions: cells(&self.emissions),
            scores: cells(&self.scores),
            of_cells: cells(&self.of_cells),
            upstream: vec![self.upstream[b]],
            ..self.clone()
        }
    }

    /// With no number past any length.
    pub(super) fn poisoned(&self) -> Case {
        let (mut case, EmissionDims { time, positions, width, .. }) = (self.clone(), self.dims);
        for (b, (&length, &source)) in self.lengths.iter().zip(&self.source_lengths).enumerate() {
            case.source[(b * positions + source) * width..(b + 1) * positions * width].fill(f64::NAN);
            case.target[(b * time + length) * width..(b + 1) * time * width].fill(f64::NAN);
            case.tokens[b * time + length..(b + 1) * time].fill(u32::MAX);
            for values in [&mut case.emissions, &mut case.scores, &mut case.of_cells] {
                for t in 0..time {
                    let real = if t < length { source } else { 0 };
                    values[(b * time + t) * positions..][..positions][real..].fill(f64::NAN);
                }
            }
        }
        case
    }

    pub(super) fn sizes(&self) -> MonotonicDims {
        let EmissionDims { batch, time, positions, .. } = self.dims;
        MonotonicDims { batch, time, positions, distances: self.distances.len() }
    }

    pub(super) fn exact(&self) -> MonotonicInputs<'_, f64> {
        let Case { emissions, scores, distances, lengths, source_lengths, .. } = self;
        MonotonicInputs { emissions, scores, distances, lengths, source_lengths }
    }

    pub(super) fn exact_emissions(&self) -> EmissionInputs<'_, f64> {
        let Case { source, target, weight, bias, tokens, lengths, source_lengths, .. } = self;
        EmissionInputs { source, target, weight, bias, tokens, lengths, source_lengths }
    }

    pub(super) fn fast(&self, threads: usize) -> Fast {
        let Case { dims, tokens, lengths, source_lengths, .. } = self;
        let [emissions, scores, distances, upstream, of_cells] =
            [&self.emissions, &self.scores, &self.distances, &self.upstream, &self.of_cells].map(|v| narrow(v));
        let inputs =
            MonotonicInputs { emissions: &emissions, scores: &scores, distances: &distances, lengths, source_lengths };
        let (likelihoods, trace) = forward(self.sizes(), inputs, threads).unwrap();
        let gradients = backward(self.sizes(), inputs, &trace, &upstream, threads).unwrap();
        let [source, target, weight, bias] =
            [&self.source, &self.target, &self.weight, &self.bias].map(|values| narrow(values));
        let (source, target, weight, bias) = (&source, &target, &weight, &bias);
        let inputs = EmissionInputs { source, target, weight, bias, tokens, lengths, source_lengths };
        let (emissions, trace) = emission::forward(*dims, inputs, threads).unwrap();
        let of_emissions = emission::backward(*dims, inputs, &trace, &of_cells, threads).unwrap();
        Fast { likelihoods, gradients, emissions, of_emissions }
    }

    /// `Σ upstream · log p(y | x)`, and `Σ upstream ∘ emissions`.
    pub(super) fn objectives(&self) -> [f64; 2] {
        let likelihoods = reference::forward(self.sizes(), self.exact());
        let emissions = reference::emissions(self.dims, self.exact_emissions());
        let sum = |values: &[f64], upstream: &[f64]| values.iter().zip(upstream).map(|(a, b)| a * b).sum();
        [sum(&likelihoods, &self.upstream), sum(&emissions, &self.of_cells)]
    }

    pub(super) fn gradients(&self) -> (MonotonicGradients<f64>, EmissionGradients<f64>) {
        (
            reference::backward(self.sizes(), self.exact(), &self.upstream),
            reference::emissions_backward(self.dims, self.exact_emissions(), &self.of_cells),
        )
    }

    /// Everything that the fast kernels give beside the reference, relative to the largest value but at least to 1.
    #[track_caller]
    pub(super) fn agrees(&self, bound: f64) {
        let fast = self.fast(1);
        let (gradients, of_emissions) = self.gradients();
        close("likelihoods", &fast.likelihoods, &reference::forward(self.sizes(), self.exact()), bound);
        close("to emissions", &fast.gradients.emissions, &gradients.emissions, bound);
        close("to scores", &fast.gradients.scores, &gradients.scores, bound);
        close("to distances", &fast.gradients.distances, &gradients.distances, bound);
        close("emissions", &fast.emissions, &reference::emissions(self.dims, self.exact_emissions()), bound);
        close("to source", &fast.of_emissions.source, &of_emissions.source, bound);
        close("to target", &fast.of_emissions.target, &of_emissions.target, bound);
        close("to weight", &fast.of_emissions.weight, &of_emissions.weight, bound);
        close("to bias", &fast.of_emissions.bias, &of_emissions.bias, bound);
    }
}

#[derive(Debug, PartialEq)]
pub(super) struct Fast {
    pub(super) likelihoods: Vec<f32>,
    pub(super) gradients: MonotonicGradients,
    pub(super) emissions: Vec<f32>,
    pub(super) of_emissions: EmissionGradients,
}

pub(super) fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

#[track_caller]
fn close(name: &str, found: &[f32], want: &[f64], bound: f64) {
    assert_eq!(found.len(), want.len(), "{name}");
    let largest = want.iter().fold(1.0, |largest: f64, value| largest.max(value.abs()));
    for (at, (&found, &want)) in found.iter().zip(want).enumerate() {
        assert!((f64::from(found) - want).abs() <= bound * largest, "{name}[{at}]: {found}, want {want}");
    }
}
