//! Averaged weights: an exponential moving average over steps, or an equal average over epochs (SWA, Izmailov 2018).

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Which average of the weights is scored and saved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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

/// The running average of a model's weights.
pub(crate) struct AveragedWeights<M> {
    kind: Average,
    /// Without autodiff, so that an update is arithmetic and nothing else.
    mean: Option<M>,
    count: usize,
}

impl<M: Module> AveragedWeights<M> {
    pub(crate) fn new(kind: Average) -> Self {
        AveragedWeights { kind, mean: None, count: 0 }
    }

    pub(crate) fn after_step(&mut self, model: &M) {
        if let Average::Ema { decay } = self.kind {
            let step = self.count as f64;
            self.take_in(model, 1.0 - decay.min((1.0 + step) / (10.0 + step)));
        }
    }

    pub(crate) fn after_epoch(&mut self, model: &M, epoch: usize) {
        if let Average::Swa { start } = self.kind
            && epoch >= start
        {
            self.take_in(model, 1.0 / (self.count + 1) as f64);
        }
    }

    /// The weights to score and save now: the average where there is one, else the model's own.
    pub(crate) fn current(&self, model: &M) -> M {
        self.mean.clone().unwrap_or_else(|| model.valid())
    }

    /// `mean += share * (weights - mean)`
    fn take_in(&mut self, model: &M, share: f64) {
        self.count += 1;
        let model = model.valid();
        self.mean = Some(match self.mean.take() {
            None => model,
            Some(mean) => {
                let mut weights = Collect(GradientsParams::new());
                model.visit(&mut weights);
                mean.map(&mut Blend { weights: weights.0, share })
            }
        });
    }
}

/// Burn's container of one tensor a parameter, here holding weights rather than gradients.
struct Collect(GradientsParams);

impl ModuleVisitor for Collect {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.register(param.id, param.val());
    }
}

struct Blend {
    weights: GradientsParams,
    share: f64,
}

impl ModuleMapper for Blend {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let id = param.id;
        let share = self.share;
        match self.weights.remove::<D>(id) {
            Some(weights) => param.map(|mean| mean.mul_scalar(1.0 - share) + weights.mul_scalar(share)),
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
