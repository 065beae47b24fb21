//! Averaged weights: an exponential moving average over steps, or an equal average over epochs (SWA, Izmailov 2018).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use lookback_nn::ops::with_values;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Weights that one thread takes at a time.
const BLOCK: usize = 1 << 15;

/// Which average of the weights is scored and saved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Average {
    /// None: the weights themselves.
    None,
    /// `average = decay * average + (1 - decay) * weights` after every step. Early on the decay is lower,
    /// `(1 + step) / (10 + step)`, so that the random start is soon forgotten.
    Ema {
        /// From 0 up to below 1.
        decay: f64,
    },
    /// Every epoch's last weights from epoch `start` on, each counting the same.
    Swa {
        /// The first epoch that counts, from 1.
        start: usize,
    },
}

/// The running average of the weights of a network whose parameters are numbered.
#[derive(Debug)]
pub(crate) struct AveragedWeights {
    kind: Average,
    /// One vector per parameter, by its number, changed in place: a step costs one pass over memory and no allocation.
    pub(super) mean: BTreeMap<u64, Vec<f32>>,
    /// How many weights were taken in.
    pub(super) count: usize,
}

impl AveragedWeights {
    pub(crate) fn new(kind: Average) -> Self {
        AveragedWeights { kind, mean: BTreeMap::new(), count: 0 }
    }

    pub(crate) fn after_step<M: Module>(&mut self, model: &M) {
        if let Average::Ema { decay } = self.kind {
            let step = self.count as f64;
            self.take_in(model, 1.0 - decay.min((1.0 + step) / (10.0 + step)));
        }
    }

    pub(crate) fn after_epoch<M: Module>(&mut self, model: &M, epoch: usize) {
        if let Average::Swa { start } = self.kind
            && epoch >= start
        {
            self.take_in(model, 1.0 / (self.count + 1) as f64);
        }
    }

    /// The weights to score and save now, without autodiff: the average where there is one, else the model's own.
    pub(crate) fn current<M: Module>(&self, model: &M) -> M {
        let model = model.valid();
        if self.mean.is_empty() { model } else { model.map(&mut Fill(&self.mean)) }
    }

    fn take_in<M: Module>(&mut self, model: &M, share: f64) {
        self.count += 1;
        model.visit(&mut Blend { mean: &mut self.mean, share: share as f32 });
    }
}

/// `mean += share * (weights - mean)`
struct Blend<'a> {
    mean: &'a mut BTreeMap<u64, Vec<f32>>,
    share: f32,
}

impl ModuleVisitor for Blend<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let share = self.share;
        with_values(&param.val().inner(), |weights| match self.mean.entry(param.id.val()) {
            Entry::Vacant(entry) => {
                entry.insert(weights.to_vec());
            }
            // Elements do not touch each other, so the split over threads changes no bit.
            Entry::Occupied(mut entry) => {
                entry.get_mut().par_chunks_mut(BLOCK).zip(weights.par_chunks(BLOCK)).for_each(|(mean, weights)| {
                    mean.iter_mut().zip(weights).for_each(|(mean, weight)| *mean += share * (weight - *mean));
                });
            }
        });
    }
}

struct Fill<'a>(&'a BTreeMap<u64, Vec<f32>>);

impl ModuleMapper for Fill<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.0.get(&param.id.val()) {
            Some(mean) => {
                param.map(|weights| Tensor::from_data(TensorData::new(mean.clone(), weights.dims()), &weights.device()))
            }
            None => param,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::Device;

    fn model(value: f32) -> Linear {
        let mut linear = LinearConfig::new(1, 1).with_bias(false).init(&Device::flex().autodiff());
        linear.weight = linear.weight.map(|weight| weight.zeros_like().add_scalar(value).detach().require_grad());
        linear
    }

    fn weight(model: &Linear) -> f32 {
        model.weight.val().into_scalar()
    }

    /// The same parameter with another value, as an optimiser leaves it.
    fn moved(from: &Linear, value: f32) -> Linear {
        let mut next = from.clone();
        next.weight = next.weight.map(|weight| weight.zeros_like().add_scalar(value).detach().require_grad());
        next
    }

    #[test]
    fn the_exponential_average_follows_its_formula() {
        let first = model(1.0);
        let mut averaged = AveragedWeights::new(Average::Ema { decay: 0.5 });
        averaged.after_step(&first);
        averaged.after_step(&moved(&first, 3.0));
        // The decay of the second step is (1 + 1) / (10 + 1), below 0.5.
        let expected = 1.0 * (2.0 / 11.0) + 3.0 * (9.0 / 11.0);
        assert!((weight(&averaged.current(&first)) - expected).abs() < 1e-6);
    }

    #[test]
    fn the_stochastic_average_begins_at_its_epoch_and_counts_each_the_same() {
        let first = model(100.0);
        let mut averaged = AveragedWeights::new(Average::Swa { start: 2 });
        averaged.after_epoch(&first, 1);
        assert_eq!(weight(&averaged.current(&first)), 100.0);
        for (epoch, value) in [(2, 1.0), (3, 2.0), (4, 6.0)] {
            averaged.after_epoch(&moved(&first, value), epoch);
        }
        assert!((weight(&averaged.current(&first)) - 3.0).abs() < 1e-6);
    }
}
