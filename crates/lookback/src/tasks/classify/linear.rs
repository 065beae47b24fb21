//! The linear part beside the network: a weight per label for every bucket of n-grams.
//!
//! A recurrent network reads the order of the words, a linear model over n-grams remembers the phrases; they err on
//! different texts, and together they err less (Mesnil et al. 2014; Cheng et al. 2016 call the two deep and wide). As in
//! the former each learns by a loss of its own, so that neither leaves the other nothing to learn, and their logits are
//! averaged.

use std::sync::Arc;

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, IndexingUpdateOp, Tensor, TensorData};
use lookback_nn::Error;
use lookback_nn::ops::{Bags, Lookup, lookup};

/// Logits that are linear in the values of n-grams.
#[derive(Module, Debug)]
pub(super) struct Linear {
    /// `[buckets, N]`
    weight: Param<Tensor<2>>,
    /// `[N]`
    bias: Param<Tensor<1>>,
}

impl Linear {
    /// All zero: without randomness, and a bucket that training never meets says nothing.
    pub(super) fn new(buckets: usize, labels: usize, device: &Device) -> Linear {
        let zeros = Initializer::Zeros;
        Linear { weight: zeros.init([buckets, labels], device), bias: zeros.init([labels], device) }
    }

    /// The logits `[B, N]` of texts with these bags of n-grams: buckets, and their values.
    pub(super) fn forward(&self, bags: &[&[(u32, f32)]], device: &Device) -> Result<Tensor<2>, Error> {
        let bias = self.bias.val().unsqueeze::<2>();
        let labels = bias.dims()[1];
        let bias = bias.expand([bags.len(), labels]);
        let buckets: Vec<u32> = bags.iter().flat_map(|bag| bag.iter().map(|&(bucket, _)| bucket)).collect();
        let count = buckets.len();
        if count == 0 {
            return Ok(bias);
        }
        let values: Vec<f32> = bags.iter().flat_map(|bag| bag.iter().map(|&(_, value)| value)).collect();
        let rows = (0i64..).zip(bags).flat_map(|(row, bag)| std::iter::repeat_n(row, bag.len()));
        let rows = Tensor::from_data(TensorData::new(rows.collect::<Vec<i64>>(), [count]), device);
        let values = Tensor::from_data(TensorData::new(values, [count, 1]), device);
        let positions = (0..count as u32).collect();
        let lookup_of = Lookup { positions, unique: count, bags: vec![Bags::single(buckets)] };
        let weights = lookup(vec![self.weight.val()], Arc::new(lookup_of))?;
        Ok(bias.select_assign(0, rows, weights * values, IndexingUpdateOp::Add))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_are_the_bias_and_the_weighted_sum_of_each_rows_own_ngrams() {
        let device = Device::flex();
        let mut linear = Linear::new(3, 2, &device);
        linear.weight = linear.weight.map(|_| Tensor::from_floats([[1.0, -1.0], [10.0, 20.0], [0.5, 0.0]], &device));
        linear.bias = linear.bias.map(|_| Tensor::from_floats([0.25, 0.75], &device));
        let bags: [&[(u32, f32)]; 3] = [&[(0, 2.0), (2, 4.0)], &[], &[(1, 0.5)]];
        let logits = linear.forward(&bags, &device).unwrap().into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(logits, [4.25, -1.25, 0.25, 0.75, 5.25, 10.75]);
    }

    #[test]
    fn a_batch_without_ngrams_gets_the_bias_alone() {
        let device = Device::flex();
        let logits = Linear::new(3, 2, &device).forward(&[&[]], &device).unwrap();
        assert_eq!(logits.into_data().try_to_vec::<f32>().unwrap(), [0.0, 0.0]);
    }
}
