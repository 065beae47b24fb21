//! The linear part beside the network: a weight a label for every bucket of n-grams.
//!
//! A recurrent network reads the order of the words, a linear model over n-grams remembers the phrases; they err on
//! different texts, and together they err less (Mesnil et al. 2014; Cheng et al. 2016 call the two deep and wide). As in
//! the former each learns by a loss of its own, so that neither leaves the other nothing to learn, and their logits are
//! averaged.

use std::sync::Arc;

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData};

use lookback_nn::ops::{Bags, Lookup, lookup};

use super::data::{Example, int_tensor};

/// The bags of n-grams of a batch's texts, one after the other.
#[derive(Clone, Debug)]
pub struct WideBatch {
    /// The buckets, `N` of them.
    buckets: Arc<Lookup>,
    /// `[N, 1]`: their values.
    values: Tensor<2>,
    /// `[N]`: the row of the batch that each belongs to.
    rows: Tensor<1, Int>,
}

impl WideBatch {
    /// The bags of `examples`; `None` when there is no n-gram in any of them.
    pub(super) fn new(examples: &[&Example], device: &Device) -> Option<WideBatch> {
        let (mut buckets, mut values, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        for (row, example) in examples.iter().enumerate() {
            if let Example::Text(text) = example {
                buckets.extend(text.wide.iter().map(|(bucket, _)| *bucket));
                values.extend(text.wide.iter().map(|(_, value)| *value));
                rows.extend(std::iter::repeat_n(row as i64, text.wide.len()));
            }
        }
        let count = values.len();
        (count > 0).then(|| WideBatch {
            buckets: Arc::new(Lookup {
                positions: (0..count as u32).collect(),
                unique: count,
                bags: vec![Bags::single(buckets)],
            }),
            values: Tensor::from_data(TensorData::new(values, [count, 1]), device),
            rows: int_tensor(rows, [count], device),
        })
    }
}

/// Logits that are linear in the values of n-grams.
#[derive(Module, Debug)]
pub(super) struct Wide {
    /// `[buckets, N]`
    weight: Param<Tensor<2>>,
    /// `[N]`
    bias: Param<Tensor<1>>,
}

impl Wide {
    /// All zero: without randomness, and a bucket that training never meets says nothing.
    pub(super) fn new(buckets: usize, labels: usize, device: &Device) -> Wide {
        let zeros = Initializer::Zeros;
        Wide { weight: zeros.init([buckets, labels], device), bias: zeros.init([labels], device) }
    }

    /// The logits `[B, N]` of `batch_size` texts.
    pub(super) fn forward(&self, batch: Option<&WideBatch>, batch_size: usize) -> Tensor<2> {
        let bias = self.bias.val().unsqueeze::<2>();
        let labels = bias.dims()[1];
        let bias = bias.expand([batch_size, labels]);
        match batch {
            None => bias,
            Some(WideBatch { buckets, values, rows }) => {
                let weights = lookup(vec![self.weight.val()], buckets.clone())
                    .unwrap_or_else(|error| panic!("a bucket that was counted is not there: {error}"));
                bias.select_assign(0, rows.clone(), weights * values.clone(), IndexingUpdateOp::Add)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::encoder::EncodedText;

    fn text(wide: &[(u32, f32)]) -> Example {
        Example::Text(EncodedText { wide: wide.to_vec(), ..EncodedText::default() })
    }

    #[test]
    fn logits_are_the_bias_and_the_weighted_sum_of_each_rows_own_ngrams() {
        let device = Device::flex();
        let mut wide = Wide::new(3, 2, &device);
        wide.weight = wide.weight.map(|_| Tensor::from_floats([[1.0, -1.0], [10.0, 20.0], [0.5, 0.0]], &device));
        wide.bias = wide.bias.map(|_| Tensor::from_floats([0.25, 0.75], &device));
        let texts = [text(&[(0, 2.0), (2, 4.0)]), text(&[]), text(&[(1, 0.5)])];
        let batch = WideBatch::new(&texts.each_ref(), &device);
        let logits = wide.forward(batch.as_ref(), 3).into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(logits, [4.25, -1.25, 0.25, 0.75, 5.25, 10.75]);
    }

    #[test]
    fn a_batch_without_ngrams_gets_the_bias_alone() {
        let device = Device::flex();
        let wide = Wide::new(3, 2, &device);
        let batch = WideBatch::new(&[&text(&[])], &device);
        assert!(batch.is_none());
        assert_eq!(wide.forward(None, 1).into_data().try_to_vec::<f32>().unwrap(), [0.0, 0.0]);
    }
}
