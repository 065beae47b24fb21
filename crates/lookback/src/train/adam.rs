//! Adam and AdamW in one pass over memory.
//!
//! The equations are those of Burn's `Adam` and `AdamW` (Kingma and Ba 2015, algorithm 1; Loshchilov and Hutter 2019,
//! algorithm 2), and the tests hold the two together. Burn runs them as some fifteen tensor operations, each with a
//! pass over memory and most with a fresh allocation, which for the tables of token vectors takes longer than the
//! network itself. Here every element is read and written once.

use burn::optim::{AdamState, AdaptiveMomentumState, LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};
use rayon::prelude::*;

/// Elements that one thread takes at a time.
const BLOCK: usize = 1 << 15;

/// Adam, with weight decay added to the gradient or decoupled from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adam {
    pub(crate) beta_1: f32,
    pub(crate) beta_2: f32,
    pub(crate) epsilon: f32,
    pub(crate) weight_decay: f32,
    /// Whether this is AdamW: weights shrink by themselves rather than through the gradient.
    pub(crate) decoupled: bool,
}

/// What one step does to every element.
#[derive(Clone, Copy)]
struct Step {
    adam: Adam,
    rate: f32,
    /// What is left of a weight after decoupled decay.
    keep: f32,
    /// Added to the gradient, times the weight.
    penalty: f32,
    /// `1 - β₁ᵗ` and `1 - β₂ᵗ`.
    correction_1: f32,
    correction_2: f32,
}

impl Optimizer for Adam {
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<AdamState<D>>,
    ) -> (Tensor<D>, Option<AdamState<D>>) {
        let device = tensor.device();
        let momentum = match state {
            Some(state) => state.momentum,
            None => AdaptiveMomentumState::new(0, grad.zeros_like(), grad.zeros_like()),
        };
        let time = momentum.time + 1;
        let power = i32::try_from(time).unwrap_or(i32::MAX);
        let step = Step {
            adam: *self,
            rate: lr as f32,
            keep: if self.decoupled { (1.0 - lr * f64::from(self.weight_decay)) as f32 } else { 1.0 },
            penalty: if self.decoupled { 0.0 } else { self.weight_decay },
            correction_1: 1.0 - self.beta_1.powi(power),
            correction_2: 1.0 - self.beta_2.powi(power),
        };
        // A tensor that nobody else holds hands over its memory; one that is shared is copied here.
        let [mut weights, mut first, mut second] =
            [tensor, momentum.moment_1, momentum.moment_2].map(Tensor::into_data);
        let gradients = grad.into_data();
        step.run(
            weights.as_mut_slice::<f32>().expect("Lookback trains in f32"),
            gradients.as_slice::<f32>().expect("Lookback trains in f32"),
            first.as_mut_slice::<f32>().expect("Lookback trains in f32"),
            second.as_mut_slice::<f32>().expect("Lookback trains in f32"),
        );
        let [weights, first, second] = [weights, first, second].map(|data| Tensor::from_data(data, &device));
        (weights, Some(AdamState::new(AdaptiveMomentumState::new(time, first, second))))
    }

    fn to_device<const D: usize>(mut state: AdamState<D>, device: &Device) -> AdamState<D> {
        state.momentum = state.momentum.to_device(device);
        state
    }
}

impl Step {
    /// Elements do not touch each other, so the split over threads changes no bit.
    fn run(&self, weights: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32]) {
        if weights.len() <= BLOCK {
            return self.block(weights, gradients, first, second);
        }
        weights
            .par_chunks_mut(BLOCK)
            .zip(gradients.par_chunks(BLOCK))
            .zip(first.par_chunks_mut(BLOCK).zip(second.par_chunks_mut(BLOCK)))
            .for_each(|((weights, gradients), (first, second))| self.block(weights, gradients, first, second));
    }

    fn block(&self, weights: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32]) {
        let Adam { beta_1, beta_2, epsilon, .. } = self.adam;
        for (((w, &g), m), v) in weights.iter_mut().zip(gradients).zip(first).zip(second) {
            let g = g + self.penalty * *w;
            *m = beta_1 * *m + (1.0 - beta_1) * g;
            *v = beta_2 * *v + (1.0 - beta_2) * g * g;
            let delta = (*m / self.correction_1) / ((*v / self.correction_2).sqrt() + epsilon);
            *w = self.keep * *w - self.rate * delta;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, decay::WeightDecayConfig};
    use burn::{module::Module, nn::Linear, nn::LinearConfig};

    /// 50 steps on one small model, against Burn's own.
    #[track_caller]
    fn follows(mut ours: ModuleOptimizer, mut theirs: ModuleOptimizer) {
        let device = Device::flex().autodiff();
        device.seed(3);
        let start = LinearConfig::new(7, 5).init(&device);
        let gradients = |model: &Linear, step: usize| {
            let x = Tensor::<2>::ones([3, 7], &device).mul_scalar(0.1 * step as f32);
            GradientsParams::from_grads(model.forward(x).sin().sum().backward(), model)
        };
        let (mut a, mut b) = (start.clone(), start.clone());
        for step in 0..50 {
            let grads = gradients(&a, step);
            a = ours.step(0.01, a, grads);
            let grads = gradients(&b, step);
            b = theirs.step(0.01, b, grads);
        }
        let values = |model: Linear| model.valid().weight.val().into_data().try_to_vec::<f32>().unwrap();
        for (ours, theirs) in values(a).into_iter().zip(values(b)) {
            assert!((ours - theirs).abs() < 2e-6, "{ours} instead of {theirs}");
        }
    }

    fn adam(weight_decay: f32, decoupled: bool) -> ModuleOptimizer {
        ModuleOptimizer::from(Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, weight_decay, decoupled })
    }

    #[test]
    fn adam_follows_burns() {
        follows(adam(0.0, false), AdamConfig::new().with_epsilon(1e-8).init());
    }

    #[test]
    fn adam_with_weight_decay_follows_burns() {
        let theirs = AdamConfig::new().with_epsilon(1e-8).with_weight_decay(Some(WeightDecayConfig::new(0.1)));
        follows(adam(0.1, false), theirs.init());
    }

    #[test]
    fn adamw_follows_burns() {
        follows(adam(0.1, true), AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(0.1).init());
    }

    #[test]
    fn the_split_over_threads_changes_no_bit() {
        let count = 3 * BLOCK + 17;
        let start: Vec<f32> = (0..count).map(|index| (index as f32).sin()).collect();
        let gradients: Vec<f32> = start.iter().map(|value| value.cos()).collect();
        let adam = Adam { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, weight_decay: 0.0, decoupled: false };
        let step = Step { adam, rate: 0.01, keep: 1.0, penalty: 0.0, correction_1: 0.1, correction_2: 0.001 };
        let run = |whole: bool| {
            let (mut weights, mut first, mut second) = (start.clone(), vec![0.0; count], vec![0.0; count]);
            if whole {
                step.block(&mut weights, &gradients, &mut first, &mut second);
            } else {
                step.run(&mut weights, &gradients, &mut first, &mut second);
            }
            weights
        };
        assert!(run(true) == run(false));
    }
}
