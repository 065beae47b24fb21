//! What comes of an empty batch, of no time, of no keys: zeros that a backward pass finds its way through.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Bool, DType, Device, Tensor, TensorCreationOptions};

/// Zeros that depend on tensors and are zero whatever those hold, so that in training each of them gets a gradient, of
/// zeros. Zeros made from nothing would be part of no graph, and `backward` of a loss over them would panic.
#[derive(Debug)]
pub(crate) struct Nothing {
    device: Device,
    dtype: DType,
    /// `[1]`: 0, by way of every tensor; on a training device alone.
    sum: Option<Tensor<1>>,
}

impl Nothing {
    /// Of the type and on the device of this tensor, which is the first of those that it depends on.
    pub(crate) fn of<const R: usize>(x: &Tensor<R>) -> Nothing {
        Nothing { device: x.device(), dtype: x.dtype(), sum: None }.and(x)
    }

    /// And of this one.
    pub(crate) fn and<const R: usize>(mut self, x: &Tensor<R>) -> Nothing {
        if x.device().is_autodiff() {
            // Zero times NaN would be NaN.
            let all = Tensor::<R, Bool>::full(x.dims(), true, &x.device());
            let zero = x.clone().mask_fill(all, 0.0).sum();
            self.sum = Some(self.sum.map_or(zero.clone(), |sum| sum + zero));
        }
        self
    }

    pub(crate) fn and_all<'a, const R: usize>(self, all: impl IntoIterator<Item = &'a Tensor<R>>) -> Nothing {
        all.into_iter().fold(self, Nothing::and)
    }

    /// And of every parameter of this one.
    pub(crate) fn and_module(self, module: &impl Module) -> Nothing {
        struct Each(Option<Nothing>);
        impl ModuleVisitor for Each {
            fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
                self.0 = self.0.take().map(|nothing| nothing.and(&param.val()));
            }
        }
        let mut each = Each(Some(self));
        module.visit(&mut each);
        each.0.expect("it is put back at every parameter")
    }

    pub(crate) fn zeros<const R: usize>(&self, shape: [usize; R]) -> Tensor<R> {
        let zeros = Tensor::zeros(shape, TensorCreationOptions::from((&self.device, self.dtype)));
        match &self.sum {
            Some(sum) => zeros + sum.clone().reshape([1; R]),
            None => zeros,
        }
    }
}

/// One after another along an axis. Burn joins no tensors without values.
pub(crate) fn joined<const R: usize>(parts: Vec<Tensor<R>>, axis: usize) -> Tensor<R> {
    let [first, others @ ..] = &parts[..] else { unreachable!("there is something to join") };
    let mut shape = first.dims();
    shape[axis] += others.iter().map(|part| part.dims()[axis]).sum::<usize>();
    match shape.contains(&0) {
        true => Nothing::of(first).and_all(others).zeros(shape),
        false => Tensor::cat(parts, axis),
    }
}

/// `x` `[1, S, D]` in every row, `[B, S, D]`. Burn expands no axis to 0.
pub(crate) fn in_every_row(x: Tensor<3>, batch: usize) -> Tensor<3> {
    let [_, steps, width] = x.dims();
    match batch {
        0 => Nothing::of(&x).zeros([0, steps, width]),
        _ => x.expand([batch, steps, width]),
    }
}
