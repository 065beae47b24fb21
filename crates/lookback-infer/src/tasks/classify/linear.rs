//! The linear part beside the network: a weight per label for every bucket of n-grams.
//!
//! A recurrent network reads the order of the words, a linear model over n-grams remembers the phrases; they err on
//! different texts, and together they err less (Mesnil et al. 2014; Cheng et al. 2016 call the two deep and wide).

use rayon::prelude::*;

use crate::error::ModelFileError;
use crate::model_file::Tensors;

/// Rows that one thread sums at once: enough to be worth handing out.
const ROWS: usize = 8;

/// Logits that are linear in the values of n-grams.
#[derive(Debug)]
pub(super) struct NgramLinear {
    /// `[buckets, N]`
    weight: Vec<f32>,
    /// `[N]`
    bias: Vec<f32>,
}

impl NgramLinear {
    /// Takes `weight` `[buckets, N]` and `bias` `[N]`.
    ///
    /// # Errors
    /// If one of them is missing or has another shape.
    pub(super) fn read(buckets: usize, labels: usize, tensors: &mut Tensors<'_>) -> Result<Self, ModelFileError> {
        let weight = tensors.take("weight", &[buckets, labels])?;
        Ok(NgramLinear { weight, bias: tensors.take("bias", &[labels])? })
    }

    /// The logits `[B, N]` of texts, each summed in the order of its bag.
    ///
    /// # Panics
    /// If a bucket is none of the buckets that there are.
    pub(super) fn forward(&self, bags: &[&[(u32, f32)]], threads: usize) -> Vec<f32> {
        let labels = self.bias.len();
        let mut logits = self.bias.repeat(bags.len());
        let least = if threads <= 1 { usize::MAX } else { ROWS };
        logits.par_chunks_mut(labels).zip(bags).with_min_len(least).for_each(|(logits, bag)| {
            for &(bucket, value) in bag.iter() {
                let weights = &self.weight[bucket as usize * labels..][..labels];
                logits.iter_mut().zip(weights).for_each(|(logit, weight)| *logit += weight * value);
            }
        });
        logits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_are_the_bias_and_the_weighted_sum_of_each_rows_own_ngrams() {
        let linear = NgramLinear { weight: vec![1.0, -1.0, 10.0, 20.0, 0.5, 0.0], bias: vec![0.25, 0.75] };
        let bags: [&[(u32, f32)]; 3] = [&[(0, 2.0), (2, 4.0)], &[], &[(1, 0.5)]];
        for threads in [1, 2] {
            assert_eq!(linear.forward(&bags, threads), [4.25, -1.25, 0.25, 0.75, 5.25, 10.75]);
        }
        assert!(linear.forward(&[], 2).is_empty());
    }
}
