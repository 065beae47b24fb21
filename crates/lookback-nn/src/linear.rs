//! A linear map with its weight in PyTorch's layout.

use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor};

use crate::ops::{self, Nothing};
use crate::{Error, check};

/// `y = x Wᵀ + b` along the last axis, by the fused kernel where there is one.
#[derive(Module, Debug)]
pub struct Linear {
    /// `W`: `[outputs, inputs]`, as PyTorch keeps it. Burn's own `Linear` keeps it the other way round.
    pub weight: Param<Tensor<2>>,
    /// `b`: `[outputs]`.
    pub bias: Option<Param<Tensor<1>>>,
}

/// Options of a [`Linear`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinearConfig {
    inputs: usize,
    outputs: usize,
    bias: bool,
}

impl LinearConfig {
    /// A map with a bias from vectors of size `inputs` to vectors of size `outputs`.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        LinearConfig { inputs, outputs, bias: true }
    }

    /// Whether there is a bias. Default true.
    pub fn with_bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// A map whose weight and bias are drawn from `U(-1/√inputs, 1/√inputs)`, as PyTorch and Burn draw theirs.
    ///
    /// # Errors
    /// A size of 0, or sizes whose weight no memory holds.
    pub fn init(&self, device: &Device) -> Result<Linear, Error> {
        let LinearConfig { inputs, outputs, bias } = *self;
        check::sizes(&[("inputs", inputs), ("outputs", outputs)])?;
        check::parameters(1, &[("weight", &[outputs, inputs])])?;
        let initial = uniform(inputs);
        Ok(Linear {
            weight: initial.init([outputs, inputs], device),
            bias: bias.then(|| initial.init([outputs], device)),
        })
    }
}

impl Linear {
    /// x: `[.., inputs]` of any rank. Gives `[.., outputs]`.
    ///
    /// # Errors
    /// When the last axis or the element type of `x` does not fit.
    pub fn forward<const R: usize>(&self, x: Tensor<R>) -> Result<Tensor<R>, Error> {
        let (mut shape, [outputs, inputs]) = (x.dims(), self.weight.val().dims());
        if shape[R - 1] != inputs {
            let expected = format!("[.., {inputs}] (the layer's weight is [{outputs}, {inputs}])");
            return Err(Error::Shape { name: "x", found: shape.to_vec(), expected });
        }
        shape[R - 1] = outputs;
        let rows: usize = shape[..R - 1].iter().product();
        // To Burn's reshape a 0 means "as before".
        if rows * inputs * outputs == 0 {
            let bias = self.bias.as_ref().map(Param::val);
            let nothing = Nothing::of(&x).and(&self.weight.val()).and_all(&bias);
            return Ok(match bias {
                Some(bias) if rows * outputs > 0 => nothing.zeros(shape) + bias.unsqueeze::<R>(),
                _ => nothing.zeros(shape),
            });
        }
        Ok(self.apply("x", x.reshape([1, rows, inputs]))?.reshape(shape))
    }

    /// [`Linear::forward`] of what an error calls `name`, `[B, S, inputs]`.
    pub(crate) fn apply(&self, name: &'static str, x: Tensor<3>) -> Result<Tensor<3>, Error> {
        let (weight, bias) = self.tensors();
        ops::linear(name, x, weight, bias)
    }

    pub(crate) fn tensors(&self) -> (Tensor<2>, Option<Tensor<1>>) {
        (self.weight.val(), self.bias.as_ref().map(Param::val))
    }
}

/// Uniform within `1 / √inputs`, as PyTorch draws a linear map.
pub(crate) fn uniform(inputs: usize) -> Initializer {
    let bound = 1.0 / (inputs.max(1) as f64).sqrt();
    Initializer::Uniform { min: -bound, max: bound }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{DType, Distribution};

    fn values<const R: usize>(tensor: Tensor<R>) -> Vec<f32> {
        tensor.into_data().try_into_vec::<f32>().unwrap()
    }

    #[test]
    fn every_rank_gives_the_same_rows_and_the_gradients_of_burns_own_map() {
        let device = Device::flex().autodiff();
        device.seed(2);
        for (inputs, outputs, bias) in [(3, 5, true), (5, 2, false), (1, 1, true)] {
            let layer = LinearConfig::new(inputs, outputs).with_bias(bias).init(&device).unwrap();
            let mut own = burn::nn::LinearConfig::new(inputs, outputs).with_bias(bias).init(&device);
            own.weight = Param::from_tensor(layer.weight.val().swap_dims(0, 1).detach());
            own.bias = layer.bias.as_ref().map(|bias| Param::from_tensor(bias.val().detach()));
            let x = Tensor::<4>::random([2, 3, 4, inputs], Distribution::Default, &device);
            let up = Tensor::<4>::random([2, 3, 4, outputs], Distribution::Default, &device);
            let close = |found: Vec<f32>, want: Vec<f32>| {
                assert_eq!(found.len(), want.len());
                assert!(found.iter().zip(&want).all(|(found, want)| (found - want).abs() < 1e-5), "{found:?} {want:?}");
            };
            let (y, want) = (layer.forward(x.clone()).unwrap(), own.forward(x.clone()));
            assert_eq!(y.dims(), [2, 3, 4, outputs]);
            close(values(y.clone()), values(want.clone()));
            let (found, want) = ((y.clone() * up.clone()).sum().backward(), (want * up).sum().backward());
            let weight = own.weight.val().grad(&want).unwrap().swap_dims(0, 1);
            close(values(layer.weight.val().grad(&found).unwrap()), values(weight));
            if let (Some(bias), Some(own)) = (&layer.bias, &own.bias) {
                close(values(bias.val().grad(&found).unwrap()), values(own.val().grad(&want).unwrap()));
            }
            let flat = layer.forward(x.clone().reshape([24, inputs])).unwrap();
            assert_eq!(values(flat), values(y.clone()));
            let one = layer.forward(x.reshape([24, inputs]).slice([0..1, 0..inputs]).reshape([inputs])).unwrap();
            close(values(one), values(y)[..outputs].to_vec());
        }
    }

    #[test]
    fn the_start_is_within_one_over_the_root_of_the_inputs() {
        let layer = LinearConfig::new(100, 50).init(&Device::flex()).unwrap();
        let drawn = values(layer.weight.val());
        let most = drawn.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        assert!((0.099..=0.1).contains(&most), "{most}");
        let variance = drawn.iter().map(|value| value * value).sum::<f32>() / 5000.0;
        assert!((variance - 0.01 / 3.0).abs() < 2e-4, "{variance}");
        assert!(values(layer.bias.unwrap().val()).iter().all(|value| value.abs() <= 0.1));
    }

    #[test]
    fn nothing_gives_nothing_and_gradients_of_zeros() {
        let device = Device::flex().autodiff();
        let layer = LinearConfig::new(3, 2).init(&device).unwrap();
        let y = layer.forward(Tensor::<3>::zeros([0, 4, 3], &device)).unwrap();
        assert_eq!(y.dims(), [0, 4, 2]);
        let gradient = layer.weight.val().grad(&y.sum().backward()).unwrap();
        assert_eq!(values(gradient), [0.0; 6]);
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let device = Device::flex();
        let layer = LinearConfig::new(3, 2).init(&device).unwrap();
        let error = layer.forward(Tensor::<2>::zeros([4, 5], &device)).unwrap_err().to_string();
        assert_eq!(error, "x is [4, 5] but [.., 3] (the layer's weight is [2, 3]) was expected");
        let error = layer.forward(Tensor::<2>::zeros([4, 3], &device).cast(DType::F64)).unwrap_err().to_string();
        assert_eq!(error, "x is F64 but the weight is F32");
        let error = LinearConfig::new(0, 2).init(&device).unwrap_err().to_string();
        assert_eq!(error, "inputs is 0 but must be at least 1");
        let error = LinearConfig::new(usize::MAX, 2).init(&device).unwrap_err().to_string();
        assert!(error.contains("which no memory holds"), "{error}");
    }
}
