//! Dropout and its gradient. A program has one generator of random numbers, so this is a test of its own, with nobody beside it.

use burn::tensor::{Device, Distribution, Tensor};
use lookback_nn::ops::dropout;

fn values<const R: usize>(tensor: Tensor<R>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().unwrap()
}

#[test]
fn dropout_drops_the_same_values_backward_and_a_seed_repeats_it() {
    let device = Device::flex().autodiff();
    device.seed(11);
    let x = Tensor::<2>::random([30, 40], Distribution::Normal(0.0, 1.0), &device).require_grad();
    device.seed(5);
    let dropped = dropout(x.clone(), 0.4);
    let gradient = x.grad(&dropped.clone().sum().backward()).unwrap();
    for ((x, y), slope) in values(x.clone()).into_iter().zip(values(dropped.clone())).zip(values(gradient)) {
        assert!(slope == 0.0 && y == 0.0 || (slope - 1.0 / 0.6).abs() < 1e-6 && (y - x / 0.6).abs() < 1e-6);
    }
    device.seed(5);
    assert_eq!(values(dropout(x.clone(), 0.4)), values(dropped.clone()));
    assert!(values(dropout(x, 0.4)) != values(dropped));
}
