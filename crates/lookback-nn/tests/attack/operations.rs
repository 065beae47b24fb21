//! The operations themselves.

use std::sync::Arc;

use burn::tensor::{DType, Int, Tensor};
use lookback_nn::attention::Mask;
use lookback_nn::ops::{
    Bags, CoreOptions, CoreScore, Lookup, PoolQuery, attention, attention_pool, composite_attention, cross_entropy,
    dropout, dropout_layer, linear, lookup, with_values,
};

use super::{Table, devices, random, values};

#[test]
fn what_does_not_fit_is_refused() {
    let mut table = Table::default();
    let none = &Mask::none();
    for (device, dtype) in devices().into_iter().flat_map(|device| [(device.clone(), DType::F64), (device, DType::F16)])
    {
        let is = |name: &str| format!("{name} is {dtype:?} but");
        table.refuses("linear, x", &is("x"), || {
            linear("x", random([1, 2, 4], &device).cast(dtype), random([3, 4], &device), None)
        });
        table.refuses("linear, weight", "x is F32 but the weight is", || {
            linear("x", random([1, 2, 4], &device), random([3, 4], &device).cast(dtype), None)
        });
        table.refuses("linear, bias", &is("bias"), || {
            let bias = Some(random([3], &device).cast(dtype));
            linear("x", random([1, 2, 4], &device), random([3, 4], &device), bias)
        });
        table.refuses("pool", "sequence is F32 but query is", || {
            attention_pool(random([2, 5, 4], &device), PoolQuery::Row(random([2, 4], &device).cast(dtype)), &[5, 2])
        });
        let one = || Arc::new(Lookup { positions: vec![0], unique: 1, bags: vec![Bags::single(vec![0]); 2] });
        table.refuses("lookup", &is("another table"), || {
            lookup(vec![random([3, 4], &device), random([3, 4], &device).cast(dtype)], one())
        });
        let many = || Arc::new(Lookup { unique: usize::MAX, ..(*one()).clone() });
        table.refuses("lookup, counts", "unique tokens", || {
            lookup(vec![random([3, 4], &device), random([3, 4], &device)], many())
        });
        let options = |heads, dropout| CoreOptions { heads, dropout, weights: true };
        let product = || CoreScore::Product(1.0);
        let [q, k, v] = [[2, 3, 4], [2, 7, 4], [2, 7, 6]].map(|shape| random(shape, &device));
        let additive = |v: Tensor<1>| CoreScore::Additive(v);
        for (name, words, score, k, options) in [
            ("keys", "keys is [3, 7, 4] but [2, K, 4]".into(), product(), random([3, 7, 4], &device), options(2, 0.0)),
            ("width", "keys is [2, 7, 5] but [2, 7, 4]".into(), product(), random([2, 7, 5], &device), options(2, 0.0)),
            ("type", format!("but keys is {dtype:?}"), product(), k.clone().cast(dtype), options(2, 0.0)),
            ("heads", "does not divide into 4 heads".into(), product(), k.clone(), options(4, 0.0)),
            ("no heads", "does not divide into 0 heads".into(), product(), k.clone(), options(0, 0.0)),
            ("v", "v is [3] but [4]".into(), additive(random([3], &device)), k.clone(), options(2, 0.0)),
            ("type of v", is("v"), additive(random([4], &device).cast(dtype)), k.clone(), options(2, 0.0)),
            ("dropout", "dropout is 1 but".into(), product(), k.clone(), options(2, 1.0)),
        ] {
            let arguments = || (score.clone(), q.clone(), k.clone(), v.clone());
            table.refuses(name, &words, || {
                let (score, q, k, v) = arguments();
                attention(score, q, k, v, none, &options)
            });
            table.refuses(&format!("composed, {name}"), &words, || {
                let (score, q, k, v) = arguments();
                composite_attention(score, q, k, v, none, &options)
            });
        }
    }
}

#[test]
fn values_are_read_as_f32_whatever_their_type() {
    for (device, dtype) in devices().into_iter().flat_map(|device| [(device.clone(), DType::F64), (device, DType::F16)])
    {
        let x = Tensor::<2>::from_data([[1.0, 2.0], [-3.0, f32::NEG_INFINITY]], &device).cast(dtype);
        assert_eq!(with_values(&x, <[f32]>::to_vec), [1.0, 2.0, -3.0, f32::NEG_INFINITY]);
    }
}

/// A table, and the loss, of another type than f32 run as composed operations.
#[test]
fn operations_run_in_f64() {
    let mut table = Table::default();
    for device in devices() {
        let wide = |x: Tensor<2>| x.cast(DType::F64);
        let plan = Arc::new(Lookup { positions: vec![0, 1], unique: 2, bags: vec![Bags::single(vec![2, 0])] });
        let rows = random([3, 4], &device);
        let want = values(&lookup(vec![rows.clone()], plan.clone()).unwrap());
        table.runs(
            "lookup",
            || lookup(vec![wide(rows)], plan),
            |found| found.dtype() == DType::F64 && values(&found) == want,
        );
        let labels = || Tensor::<1, Int>::from_data([1, 0], &device);
        table.runs("loss", || cross_entropy(wide(random([2, 3], &device)), labels()), |l| l.dtype() == DType::F64);
        table.runs(
            "linear",
            || linear("x", random([1, 2, 4], &device).cast(DType::F64), wide(random([3, 4], &device)), None),
            |y| y.dtype() == DType::F64 && y.dims() == [1, 2, 3],
        );
        table.runs(
            "pool",
            || {
                let query = PoolQuery::Row(wide(random([2, 4], &device)));
                attention_pool(random([2, 5, 4], &device).cast(DType::F64), query, &[5, 0])
            },
            |(pooled, _)| values(&pooled)[4..].iter().all(|&value| value == 0.0),
        );
    }
}

/// Regression: the bias was dropped, and neither side had a gradient.
#[test]
fn a_linear_map_without_inputs_gives_its_bias() {
    let mut table = Table::default();
    for device in devices() {
        for dtype in [DType::F32, DType::F64] {
            let bias = || Tensor::<1>::from_data([0.5, -1.0, 2.0], &device);
            let tracked = if device.is_autodiff() { bias().require_grad() } else { bias() };
            let (x, weight) = (random([1, 2, 0], &device), random([3, 0], &device));
            table.runs(
                &format!("{dtype:?}"),
                || linear("x", x.cast(dtype), weight.cast(dtype), Some(tracked.clone().cast(dtype))),
                |y| {
                    let right = values(&y) == [0.5, -1.0, 2.0, 0.5, -1.0, 2.0];
                    let slope = device.is_autodiff().then(|| tracked.grad(&y.sum().backward()).unwrap());
                    right && slope.is_none_or(|slope| values(&slope) == [2.0; 3])
                },
            );
        }
    }
}

#[test]
fn dropout_of_everything_gives_zeros_and_no_gradient() {
    for device in devices() {
        for probability in [1.0, 0.999_999_999_999] {
            let x = random([3, 4], &device);
            let dropped = dropout(x.clone(), probability);
            assert_eq!(values(&dropped), [0.0; 12]);
            if device.is_autodiff() {
                assert_eq!(values(&x.grad(&dropped.sum().backward()).unwrap()), [0.0; 12]);
            }
        }
        // A layer of Burn's own whose probability rounds to 1.
        let layer = burn::nn::DropoutConfig::new(0.999_999_999_999).init();
        let kept = dropout_layer(&layer, random([3, 4], &device) + 1.0);
        assert_eq!(values(&kept).iter().all(|&value| value == 0.0), device.is_autodiff());
    }
}
