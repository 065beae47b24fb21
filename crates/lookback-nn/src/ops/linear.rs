//! A linear map as one operation.

use std::sync::Arc;

use burn::tensor::Tensor;
use lookback_kernels::linear::{self as kernel, LinearDims};
use rayon::current_num_threads;

use super::flex::checked;
use super::slices::{SLICES, SliceOperation, run_slices};
use super::{Nothing, on_flex};
use crate::{Error, check};

/// `x Wᵀ + b` along the last axis. x: `[B, S, inputs]`, weight: `[outputs, inputs]` as PyTorch keeps it, bias:
/// `[outputs]`. `name` is what the error calls `x`.
///
/// # Errors
/// When sizes or element types do not fit.
pub fn linear(
    name: &'static str,
    x: Tensor<3>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Result<Tensor<3>, Error> {
    let ([batch, steps, inputs], [outputs, expected]) = (x.dims(), weight.dims());
    if inputs != expected {
        let expected = format!("[.., .., {expected}] (the layer's weight is [{outputs}, {expected}])");
        return Err(Error::Shape { name, found: vec![batch, steps, inputs], expected });
    }
    if let Some(bias) = &bias
        && bias.dims() != [outputs]
    {
        let expected = format!("[{outputs}] (the layer's weight is [{outputs}, {inputs}])");
        return Err(Error::Shape { name: "bias", found: bias.dims().to_vec(), expected });
    }
    let bias_type = bias.as_ref().map(Tensor::dtype);
    check::types([("the weight", Some(weight.dtype())), (name, Some(x.dtype())), ("bias", bias_type)])?;
    let device = x.device();
    let nothing = batch * steps * outputs * inputs == 0;
    if nothing || !on_flex(&x) {
        // Without inputs the product is zero, and the bias is what remains.
        let y = match nothing {
            true => Nothing::of(&x).and(&weight).zeros([batch, steps, outputs]),
            false => x.reshape([batch * steps, inputs]).matmul(weight.swap_dims(0, 1)).reshape([batch, steps, outputs]),
        };
        return Ok(match bias {
            Some(bias) => y + bias.unsqueeze::<3>(),
            None => y,
        });
    }
    let operation = Linear {
        shape: [batch, steps],
        dims: LinearDims { rows: batch * steps, inputs, outputs },
        bias: bias.is_some(),
    };
    let inputs = [Some(x.into_dispatch()), Some(weight.into_dispatch()), bias.map(Tensor::into_dispatch), None, None];
    Ok(run_slices(inputs, &device, Arc::new(operation)))
}

#[derive(Debug)]
struct Linear {
    shape: [usize; 2],
    dims: LinearDims,
    bias: bool,
}

impl SliceOperation for Linear {
    fn shape(&self) -> Vec<usize> {
        vec![self.shape[0], self.shape[1], self.dims.outputs]
    }

    fn forward(&self, [x, weight, bias, ..]: [&[f32]; SLICES]) -> Vec<f32> {
        checked(kernel::forward(self.dims, x, weight, self.bias.then_some(bias), current_num_threads()))
    }

    fn reads(&self) -> [bool; SLICES] {
        [true, true, false, false, false]
    }

    fn backward(
        &self,
        [x, weight, ..]: [&[f32]; SLICES],
        _: &[f32],
        gradient: &[f32],
        wanted: [bool; SLICES],
    ) -> [Option<Vec<f32>>; SLICES] {
        let (dims, threads) = (self.dims, current_num_threads());
        let dx = wanted[0].then(|| checked(kernel::input_gradient(dims, weight, gradient, threads)));
        let dweight = wanted[1].then(|| checked(kernel::weight_gradient(dims, x, gradient, threads)));
        let dbias = (self.bias && wanted[2]).then(|| checked(kernel::bias_gradient(dims, gradient)));
        [dx, dweight, dbias, None, None]
    }
}
