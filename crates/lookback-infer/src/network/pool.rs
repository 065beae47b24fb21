//! The pooling layer: from the steps of a sequence to one vector.

use std::slice::ChunksExact;

use lookback_kernels::pool::{self, PoolDims, PoolScore};

use super::Pooled;
use super::pooling_form::{PoolKind, Pooling};
use super::ragged::Ragged;
use crate::error::ModelFileError;
use crate::model_file::Tensors;

/// The layer of a [`Pooling`].
#[derive(Debug)]
pub(crate) struct Pool {
    /// `W`, the width of a step.
    width: usize,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    /// `[W]`: the learnt vector of attention.
    Attention(Vec<f32>),
    Query,
    Last,
    Mean,
    Max,
}

impl Pool {
    /// Pooling of steps of `width` numbers. Takes `weight` `[W]` where a part is attention.
    ///
    /// # Errors
    /// If it is missing or has another shape.
    pub(crate) fn read(pooling: &Pooling, width: usize, tensors: &mut Tensors<'_>) -> Result<Self, ModelFileError> {
        let part = |kind: &PoolKind| {
            Ok(match kind {
                PoolKind::Attention => Part::Attention(tensors.take("weight", &[width])?),
                PoolKind::Query => Part::Query,
                PoolKind::Last => Part::Last,
                PoolKind::Mean => Part::Mean,
                PoolKind::Max => Part::Max,
            })
        };
        Ok(Pool { width, parts: pooling.parts().iter().map(part).collect::<Result<_, _>>()? })
    }

    /// steps: `[B, T, W]`; nothing past a row's length is read. last: `[B, O]`, the final hidden states, as wide as a step
    /// where they ask. Gives the vectors of all parts side by side, and the weights of the first part that has any. A row of
    /// length 0 gives zeros, and its final hidden state, which is zero too.
    ///
    /// # Panics
    /// If a slice has not the length of its shape.
    pub(crate) fn forward(&self, steps: &[f32], last: &[f32], rows: Ragged<'_>) -> Pooled {
        let mut weights = None;
        let mut weighted = |score: PoolScore<'_>| {
            let dims = PoolDims { batch: rows.batch(), time: rows.time, outputs: self.width };
            let mut vectors = vec![0.0; dims.batch * dims.outputs];
            let mut shares = vec![0.0; dims.batch * dims.time];
            // The tanh that Zhou 2016 adds in eq. 12 is left out: it measured no better.
            pool::forward(dims, score, steps, rows.lengths, &mut vectors, &mut shares, rows.threads)
                .unwrap_or_else(|error| panic!("{error}"));
            weights.get_or_insert(shares);
            vectors
        };
        let vectors: Vec<Vec<f32>> = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Attention(weight) => weighted(PoolScore::Learnt(weight)),
                Part::Query => weighted(PoolScore::Query(last)),
                Part::Last => last.to_vec(),
                Part::Mean => rows.pool(steps, self.width, mean),
                Part::Max => rows.pool(steps, self.width, max),
            })
            .collect();
        Pooled { vectors: side_by_side(vectors, rows.batch()), weights }
    }
}

/// `[B, w]` of every part as `[B, Σ w]`.
fn side_by_side(mut parts: Vec<Vec<f32>>, batch: usize) -> Vec<f32> {
    if let [part] = &mut parts[..] {
        return std::mem::take(part);
    }
    let mut all = Vec::with_capacity(parts.iter().map(Vec::len).sum());
    for row in 0..batch {
        for part in &parts {
            let width = part.len() / batch;
            all.extend_from_slice(&part[row * width..][..width]);
        }
    }
    all
}

fn mean(mean: &mut [f32], steps: ChunksExact<'_, f32>) {
    let share = 1.0 / steps.len().max(1) as f32;
    steps.for_each(|step| mean.iter_mut().zip(step).for_each(|(sum, value)| *sum += value));
    mean.iter_mut().for_each(|sum| *sum *= share);
}

fn max(max: &mut [f32], mut steps: ChunksExact<'_, f32>) {
    let Some(first) = steps.next() else { return };
    max.copy_from_slice(first);
    // A value that is no number stays, so that the answer shows it.
    let larger = |max: &mut f32, value: &f32| *max = if *value <= *max || max.is_nan() { *max } else { *value };
    steps.for_each(|step| max.iter_mut().zip(step).for_each(|(max, value)| larger(max, value)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model_file::{ModelFile, Tensor};
    use std::path::Path;

    /// Two rows of three steps and two outputs; the second row has one step, what stands behind it is not read.
    fn pooled(pooling: &str, lengths: &[usize]) -> Pooled {
        let steps = [0.1, -0.5, 0.3, 0.2, -0.4, 0.9, -0.2, -0.7, f32::NAN, f32::NAN, f32::NAN, f32::NAN];
        let last = [-0.4, 0.9, -0.2, -0.7];
        let mut file = ModelFile::new("test");
        file.tensors.insert("pool.weight".into(), Tensor { shape: vec![2], data: vec![2.0, -1.0] });
        let mut tensors = Tensors::new(&mut file, Path::new("m"), "pool.");
        let pool = Pool::read(&pooling.parse().unwrap(), 2, &mut tensors).unwrap();
        pool.forward(&steps, &last, Ragged { lengths, time: 3, threads: 1 })
    }

    #[track_caller]
    fn close(values: &[f32], expected: &[f32]) {
        assert_eq!(values.len(), expected.len());
        for (value, expected) in values.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-5, "{values:?} instead of {expected:?}");
        }
    }

    #[test]
    fn attention_is_a_softmax_over_the_row_and_nothing_past_it() {
        let Pooled { vectors, weights } = pooled("attention", &[3, 1]);
        let scores = [[0.1f32, -0.5], [0.3, 0.2], [-0.4, 0.9]].map(|h| (2.0 * h[0].tanh() - h[1].tanh()).exp());
        let sum: f32 = scores.iter().sum();
        let shares = scores.map(|score| score / sum);
        close(&weights.unwrap(), &[shares[0], shares[1], shares[2], 1.0, 0.0, 0.0]);
        let context = |c: usize| shares[0] * [0.1, -0.5][c] + shares[1] * [0.3, 0.2][c] + shares[2] * [-0.4, 0.9][c];
        close(&vectors, &[context(0), context(1), -0.2, -0.7]);
    }

    #[test]
    fn mean_and_max_leave_out_what_stands_past_a_rows_length() {
        close(&pooled("mean", &[3, 1]).vectors, &[0.0, 0.2, -0.2, -0.7]);
        close(&pooled("max", &[3, 1]).vectors, &[0.3, 0.9, -0.2, -0.7]);
    }

    #[test]
    fn a_value_that_is_no_number_is_not_lost() {
        for pooling in ["attention", "query", "mean", "max"] {
            assert!(pooled(pooling, &[3, 3]).vectors[2..].iter().all(|value| value.is_nan()), "{pooling}");
        }
    }

    #[test]
    fn an_empty_row_gives_zeros_and_no_weights() {
        for pooling in ["attention", "query", "mean", "max"] {
            let Pooled { vectors, weights } = pooled(pooling, &[3, 0]);
            assert_eq!(vectors[2..], [0.0, 0.0], "{pooling}");
            assert!(weights.is_none_or(|weights| weights[3..] == [0.0; 3]), "{pooling}");
        }
    }

    #[test]
    fn several_poolings_stand_side_by_side_and_the_first_with_weights_explains() {
        let Pooled { vectors, weights } = pooled("max+query+attention+last", &[3, 1]);
        assert_eq!(vectors.len(), 16);
        close(&vectors[..2], &[0.3, 0.9]);
        close(&vectors[6..8], &[-0.4, 0.9]);
        close(&vectors[8..], &[-0.2, -0.7, -0.2, -0.7, -0.2, -0.7, -0.2, -0.7]);
        close(&weights.unwrap(), &pooled("query", &[3, 1]).weights.unwrap());
    }
}
