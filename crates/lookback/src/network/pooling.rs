//! The pooling layer.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Bool, Device, Tensor, TensorData};
use lookback_infer::network::{PoolKind, Pooling};
use lookback_nn::Error;
use lookback_nn::ops::{PoolQuery, attention_pool};

/// Turns the outputs of all steps into one vector.
#[derive(Module, Debug)]
pub(crate) struct Pool {
    /// `[D * H]`: the learnt vector of attention; absent where nothing is learnt.
    weight: Option<Param<Tensor<1>>>,
    #[module(skip)]
    pooling: Pooling,
}

impl Pool {
    pub(crate) fn new(pooling: &Pooling, outputs: usize, device: &Device) -> Pool {
        let bound = 1.0 / (outputs as f64).sqrt();
        let attention = pooling.parts().contains(&PoolKind::Attention);
        Pool {
            weight: attention.then(|| Initializer::Uniform { min: -bound, max: bound }.init([outputs], device)),
            pooling: pooling.clone(),
        }
    }

    /// sequence: `[B, T, W]`; steps past the row's length are not read. last: `[B, D*H]`, the final hidden states. Gives the pooled
    /// vectors side by side. A row of length 0 gives zeros.
    pub(crate) fn forward(&self, sequence: Tensor<3>, last: Tensor<2>, lengths: &[usize]) -> Result<Tensor<2>, Error> {
        let mut parts: Vec<Tensor<2>> = Vec::new();
        for kind in self.pooling.parts() {
            let pooled = match kind {
                PoolKind::Last => last.clone(),
                PoolKind::Mean => mean(sequence.clone(), lengths),
                PoolKind::Max => max(sequence.clone(), lengths),
                PoolKind::Attention | PoolKind::Query => {
                    let query = match (kind, &self.weight) {
                        (PoolKind::Attention, Some(weight)) => PoolQuery::Learnt(weight.val()),
                        _ => PoolQuery::Row(last.clone()),
                    };
                    // The tanh that Zhou 2016 adds in eq. 12 is left out: it measured no better.
                    attention_pool(sequence.clone(), query, lengths)?.0
                }
            };
            parts.push(pooled);
        }
        Ok(Tensor::cat(parts, 1))
    }
}

fn mean(sequence: Tensor<3>, lengths: &[usize]) -> Tensor<2> {
    let ([batch, time, outputs], device) = (sequence.dims(), sequence.device());
    // Attention gives a context to steps past the end as well.
    let sequence = match lengths.iter().all(|&length| length == time) {
        true => sequence,
        false => {
            let padding = padding(lengths, time, &device).unsqueeze_dim::<3>(2).expand([batch, time, outputs]);
            sequence.mask_fill(padding, 0.0)
        }
    };
    let shares: Vec<f32> = lengths.iter().map(|&length| 1.0 / length.max(1) as f32).collect();
    let shares = Tensor::<2>::from_data(TensorData::new(shares, [lengths.len(), 1]), &device);
    sequence.sum_dim(1).squeeze_dim::<2>(1) * shares
}

fn max(sequence: Tensor<3>, lengths: &[usize]) -> Tensor<2> {
    let [batch, time, outputs] = sequence.dims();
    let device = sequence.device();
    let padding = padding(lengths, time, &device).unsqueeze_dim::<3>(2).expand([batch, time, outputs]);
    let largest = sequence.mask_fill(padding, f32::MIN).max_dim(1).squeeze_dim::<2>(1);
    let empty: Vec<bool> = lengths.iter().map(|&length| length == 0).collect();
    let empty = Tensor::<2, Bool>::from_data(TensorData::new(empty, [batch, 1]), &device);
    largest.mask_fill(empty.expand([batch, outputs]), 0.0)
}

/// `[B, T]`: true past the row's length.
fn padding(lengths: &[usize], time: usize, device: &Device) -> Tensor<2, Bool> {
    let padded: Vec<bool> = lengths.iter().flat_map(|&length| (0..time).map(move |step| step >= length)).collect();
    Tensor::from_data(TensorData::new(padded, [lengths.len(), time]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows of three steps and two outputs; the second row has one step, the rest is padding.
    fn pooled(pooling: &str, lengths: &[usize]) -> Vec<f32> {
        let device = Device::flex();
        let sequence = Tensor::<3>::from_floats(
            [[[0.1, -0.5], [0.3, 0.2], [-0.4, 0.9]], [[-0.2, -0.7], [0.0, 0.0], [0.0, 0.0]]],
            &device,
        );
        let last = Tensor::<2>::from_floats([[-0.4, 0.9], [-0.2, -0.7]], &device);
        let mut pool = Pool::new(&pooling.parse().unwrap(), 2, &device);
        pool.weight = pool.weight.map(|weight| weight.map(|_| Tensor::from_floats([2.0, -1.0], &device)));
        pool.forward(sequence, last, lengths).unwrap().into_data().try_to_vec::<f32>().unwrap()
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
        let vectors = pooled("attention", &[3, 1]);
        let scores = [[0.1f32, -0.5], [0.3, 0.2], [-0.4, 0.9]].map(|h| (2.0 * h[0].tanh() - h[1].tanh()).exp());
        let sum: f32 = scores.iter().sum();
        let shares = scores.map(|score| score / sum);
        let context = |c: usize| shares[0] * [0.1, -0.5][c] + shares[1] * [0.3, 0.2][c] + shares[2] * [-0.4, 0.9][c];
        close(&vectors, &[context(0), context(1), -0.2, -0.7]);
    }

    #[test]
    fn mean_and_max_leave_padding_out() {
        close(&pooled("mean", &[3, 1]), &[0.0, 0.2, -0.2, -0.7]);
        close(&pooled("max", &[3, 1]), &[0.3, 0.9, -0.2, -0.7]);
    }

    #[test]
    fn an_empty_row_gives_zeros() {
        for pooling in ["attention", "query", "max"] {
            close(&pooled(pooling, &[3, 0])[2..], &[0.0, 0.0]);
        }
    }

    #[test]
    fn several_poolings_stand_side_by_side() {
        let vectors = pooled("max+query+last", &[3, 1]);
        assert_eq!(vectors.len(), 12);
        close(&vectors[..2], &[0.3, 0.9]);
        close(&vectors[4..6], &[-0.4, 0.9]);
    }
}
