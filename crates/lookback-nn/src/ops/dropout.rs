//! Dropout as one operation.

use std::sync::Arc;

use burn::tensor::{Device, Distribution, Int, Tensor};
use lookback_kernels::dropout::dropout as kernel;
use rayon::current_num_threads;

use super::flex::checked;
use super::slices::{SLICES, SliceOperation, run_slices};
use super::{Nothing, on_flex};

/// Zeroes each value with `probability` and scales the others by `1 / (1 - probability)` (Srivastava 2014).
///
/// The seed of the mask is drawn from the device's random numbers, so that [`burn::tensor::Device::seed`] repeats it.
/// On Flex neither mask nor random numbers are ever stored; elsewhere Burn's own operations run, with other masks.
///
/// With `probability` 1 nothing is kept, and nothing scaled.
///
/// # Panics
/// If `probability` is not from 0 to 1. That of a layer was looked at when the layer was made.
pub fn dropout<const R: usize>(x: Tensor<R>, probability: f64) -> Tensor<R> {
    assert!((0.0..=1.0).contains(&probability), "the probability of dropout is {probability}, not from 0 to 1");
    if probability == 0.0 {
        return x;
    }
    let device = x.device();
    // Rounded to the kernel's f32 it may be 1, and 1 / (1 - probability) infinite.
    if probability as f32 == 1.0 {
        return Nothing::of(&x).zeros(x.dims());
    }
    if !on_flex(&x) {
        let kept = x.random_like(Distribution::Bernoulli(1.0 - probability));
        return x * kept * (1.0 / (1.0 - probability));
    }
    let operation = Dropout { shape: x.dims().to_vec(), probability: probability as f32, seed: seed(&device) };
    run_slices([Some(x.into_dispatch()), None, None, None, None], &device, Arc::new(operation))
}

/// [`dropout()`] where `layer` would drop: on a training device, unless the layer is frozen.
///
/// # Panics
/// As [`dropout()`], should the layer's probability have been set to another after it was made.
pub fn dropout_layer<const R: usize>(layer: &burn::nn::Dropout, x: Tensor<R>) -> Tensor<R> {
    if layer.training.is_enabled() && x.device().is_autodiff() { dropout(x, layer.prob) } else { x }
}

/// A seed from the device's random numbers.
pub(super) fn seed(device: &Device) -> u64 {
    // Burn draws integers of 32 bits; two of them are enough.
    let halves = Tensor::<1, Int>::random([2], Distribution::Uniform(0.0, f64::from(1 << 30)), device);
    halves.into_data().iter::<i64>().fold(0u64, |seed, half| (seed << 30) ^ half as u64)
}

#[derive(Debug)]
struct Dropout {
    shape: Vec<usize>,
    probability: f32,
    seed: u64,
}

impl Dropout {
    fn apply(&self, values: &[f32]) -> Vec<f32> {
        checked(kernel(values, self.probability, self.seed, current_num_threads()))
    }
}

impl SliceOperation for Dropout {
    fn shape(&self) -> Vec<usize> {
        self.shape.clone()
    }

    fn forward(&self, inputs: [&[f32]; SLICES]) -> Vec<f32> {
        self.apply(inputs[0])
    }

    fn backward(
        &self,
        _: [&[f32]; SLICES],
        _: &[f32],
        gradient: &[f32],
        wanted: [bool; SLICES],
    ) -> [Option<Vec<f32>>; SLICES] {
        [wanted[0].then(|| self.apply(gradient)), None, None, None, None]
    }
}
