//! Clipping by the norm of all gradients together (Pascanu 2013), which Burn offers only tensor by tensor.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use rayon::prelude::*;

/// Scales all gradients by `limit / norm` where their global norm exceeds `limit`; gives the norm before clipping.
///
/// The sum runs parameter by parameter in the module's order, in f64: the same gradients always give the same bits,
/// on any number of threads.
pub(crate) fn clip_global_norm<M: Module>(module: &M, gradients: &mut GradientsParams, limit: Option<f64>) -> f64 {
    let mut norm = SquaredNorm { gradients: &mut *gradients, sum: 0.0 };
    module.visit(&mut norm);
    let norm = norm.sum.sqrt();
    if let Some(limit) = limit
        && norm > limit
        && norm.is_finite()
    {
        // PyTorch's clip_grad_norm_ adds the same 1e-6.
        module.visit(&mut Scale { gradients, factor: limit / (norm + 1e-6) });
    }
    norm
}

struct SquaredNorm<'a> {
    gradients: &'a mut GradientsParams,
    sum: f64,
}

impl ModuleVisitor for SquaredNorm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // Taken out and put back: a gradient that is held once can be read without a copy.
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            let device = gradient.device();
            let data = gradient.into_data();
            self.sum += sum_of_squares(data.as_slice::<f32>().expect("Lookback trains in f32"));
            self.gradients.register(param.id, Tensor::<D>::from_data(data, &device));
        }
    }
}

struct Scale<'a> {
    gradients: &'a mut GradientsParams,
    factor: f64,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let id: ParamId = param.id;
        if let Some(gradient) = self.gradients.remove::<D>(id) {
            self.gradients.register(id, gradient.mul_scalar(self.factor));
        }
    }
}

/// Sum of the squares of a tensor's values.
pub(crate) fn squared_norm<const D: usize>(tensor: Tensor<D>) -> f64 {
    sum_of_squares(tensor.into_data().as_slice::<f32>().expect("Lookback trains in f32"))
}

/// Eight running sums a block of 4,096 in f32, blocks in f64 in their order, on whichever thread takes them.
fn sum_of_squares(values: &[f32]) -> f64 {
    let block = |block: &[f32]| {
        let mut sums = [0.0f32; 8];
        let mut eights = block.chunks_exact(8);
        for eight in &mut eights {
            for (sum, value) in sums.iter_mut().zip(eight) {
                *sum += value * value;
            }
        }
        let rest: f32 = eights.remainder().iter().map(|value| value * value).sum();
        f64::from(rest) + sums.iter().map(|&sum| f64::from(sum)).sum::<f64>()
    };
    if values.len() < 1 << 16 {
        return values.chunks(4096).map(block).sum();
    }
    values.par_chunks(4096).with_min_len(4).map(block).collect::<Vec<f64>>().into_iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::Device;

    fn gradients(model: &Linear) -> GradientsParams {
        let bias = model.bias.as_ref().unwrap();
        let device = Device::flex();
        let mut gradients = GradientsParams::new();
        gradients.register(model.weight.id, Tensor::<2>::from_floats([[3.0, 0.0], [0.0, 0.0]], &device));
        gradients.register(bias.id, Tensor::<1>::from_floats([0.0, 4.0], &device));
        gradients
    }

    fn values(model: &Linear, gradients: &GradientsParams) -> Vec<f32> {
        let weight = gradients.get::<2>(model.weight.id).unwrap().into_data().try_to_vec::<f32>().unwrap();
        let bias = gradients.get::<1>(model.bias.as_ref().unwrap().id).unwrap().into_data();
        [weight, bias.try_to_vec::<f32>().unwrap()].concat()
    }

    #[test]
    fn all_gradients_are_scaled_together_when_their_norm_is_too_large() {
        let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
        let mut clipped = gradients(&model);
        assert_eq!(clip_global_norm(&model, &mut clipped, Some(1.0)), 5.0);
        for (value, expected) in values(&model, &clipped).into_iter().zip([0.6, 0.0, 0.0, 0.0, 0.0, 0.8]) {
            assert!((value - expected).abs() < 1e-5, "{value} instead of {expected}");
        }
    }

    #[test]
    fn gradients_within_the_limit_stay_as_they_are() {
        let model = LinearConfig::new(2, 2).init(&Device::flex().autodiff());
        let mut kept = gradients(&model);
        assert_eq!(clip_global_norm(&model, &mut kept, Some(5.5)), 5.0);
        assert_eq!(values(&model, &kept), [3.0, 0.0, 0.0, 0.0, 0.0, 4.0]);
    }

    #[test]
    fn the_norm_of_many_values_is_exact_and_shows_infinities() {
        let device = Device::flex();
        assert!((squared_norm(Tensor::<1>::ones([100_003], &device)) - 100_003.0).abs() < 1e-6);
        assert!(squared_norm(Tensor::<1>::from_floats([1.0, f32::INFINITY], &device)).is_infinite());
        assert!(squared_norm(Tensor::<1>::from_floats([1.0, f32::NAN], &device)).is_nan());
    }
}
