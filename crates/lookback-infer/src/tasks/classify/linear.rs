//! The linear part beside the networks: a weight per label for every bucket of n-grams.
//!
//! A recurrent network reads the order of the words, a linear model over n-grams remembers the phrases; they err on
//! different texts, and together they err less (Mesnil et al. 2014; Cheng et al. 2016 call the two deep and wide).

use std::path::Path;

use rayon::prelude::*;

use super::ngrams::{NgramBag, NgramBagConfig};
use crate::error::ModelFileError;
use crate::input::Example;
use crate::model_file::{ModelFile, Tensor};

/// The tensor that says how rare each bucket is.
const RARITY: &str = "linear.ngram_weight";
/// The weights.
const WEIGHT: &str = "linear.weight";
/// The biases.
const BIAS: &str = "linear.bias";

/// Logits that are linear in the values of n-grams.
///
/// # Tensors
/// With `N` the labels: `linear.ngram_weight` `[buckets]`, `linear.weight` `[buckets, N]`, `linear.bias` `[N]`.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearPart {
    /// Which n-grams there are, and how rare they are.
    pub bag: NgramBag,
    /// `[buckets, N]`
    pub weight: Vec<f32>,
    /// `[N]`
    pub bias: Vec<f32>,
}

impl LinearPart {
    /// Takes the tensors from a file that came from `path`.
    ///
    /// # Errors
    /// If one of them is missing or has another shape.
    pub fn take(
        config: &NgramBagConfig,
        labels: usize,
        file: &mut ModelFile,
        path: &Path,
    ) -> Result<LinearPart, ModelFileError> {
        let rarity = file.take_tensor(path, RARITY, &[config.rows()])?.data;
        let weight = file.take_tensor(path, WEIGHT, &[config.rows(), labels])?.data;
        let bias = file.take_tensor(path, BIAS, &[labels])?.data;
        Ok(LinearPart { bag: NgramBag::new(config.clone(), rarity), weight, bias })
    }

    /// Puts the tensors into a file.
    pub(super) fn put(&self, file: &mut ModelFile) {
        let buckets = self.bag.config().rows();
        let tensors = [
            (RARITY, vec![buckets], self.bag.weights()),
            (WEIGHT, vec![buckets, self.bias.len()], &self.weight),
            (BIAS, vec![self.bias.len()], &self.bias),
        ];
        for (name, shape, data) in tensors {
            file.tensors.insert(name.into(), Tensor { shape, data: data.to_vec() });
        }
    }

    /// The logits `[rows, N]` of examples, of each summed in the order of its bag.
    pub fn logits(&self, examples: &[&Example]) -> Vec<f32> {
        examples.par_iter().flat_map_iter(|example| self.of_bag(&self.bag.of(example))).collect()
    }

    /// What each token of a text adds to a label's logit over the mean of all labels' logits, or to the logit alone where `mean` is
    /// false, `[all tokens]`, and what the bias adds: they sum to it.
    pub fn shares(&self, example: &Example, label: usize, mean: bool) -> (Vec<f32>, f32) {
        let labels = self.bias.len();
        let own = |values: &[f32]| values[label] - if mean { values.iter().sum::<f32>() / labels as f32 } else { 0.0 };
        let weigh = |bucket: u32| own(&self.weight[bucket as usize * labels..][..labels]);
        (self.bag.shares(&example.all_tokens(), weigh), own(&self.bias))
    }

    /// The logits `[N]` of a bag, whose buckets are buckets that there are.
    fn of_bag(&self, bag: &[(u32, f32)]) -> Vec<f32> {
        let mut logits = self.bias.clone();
        for &(bucket, value) in bag {
            let weights = &self.weight[bucket as usize * logits.len()..][..logits.len()];
            logits.iter_mut().zip(weights).for_each(|(logit, weight)| *logit += weight * value);
        }
        logits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::classify::Sizes;

    fn part() -> LinearPart {
        let config = NgramBagConfig { characters: None, words: Some(Sizes { min: 1, max: 1 }), buckets: 3 };
        let bag = NgramBag::new(config, vec![1.0; 3]);
        LinearPart { bag, weight: vec![1.0, -1.0, 10.0, 20.0, 0.5, 0.0], bias: vec![0.25, 0.75] }
    }

    #[test]
    fn logits_are_the_bias_and_the_weighted_sum_of_the_ngrams() {
        let bags: [&[(u32, f32)]; 3] = [&[(0, 2.0), (2, 4.0)], &[], &[(1, 0.5)]];
        assert_eq!(bags.map(|bag| part().of_bag(bag)), [[4.25, -1.25], [0.25, 0.75], [5.25, 10.75]]);
    }

    #[test]
    fn what_is_put_into_a_file_is_taken_from_it() {
        let mut file = ModelFile::new("classify");
        part().put(&mut file);
        let taken = LinearPart::take(part().bag.config(), 2, &mut file, Path::new("m")).unwrap();
        assert!(taken == part() && file.tensors.is_empty());
        part().put(&mut file);
        let refused = LinearPart::take(part().bag.config(), 4, &mut file, Path::new("m")).unwrap_err().to_string();
        assert!(refused.contains("linear.weight") && refused.contains("[3, 4]"), "{refused}");
    }
}
