//! Attention of every score and kind: what does not fit together, masks at their ends, element types.

use burn::module::Module;
use burn::tensor::{Bool, DType, Device, Tensor, TensorData};
use lookback_nn::attention::{
    AttentionConfig, AttentionPool, HierarchicalAttention, LocalAttention, LocationAttention, Mask, MultiHeadConfig,
    PoolScore, Position, Score, StructuredPool,
};
use lookback_nn::decoder::AttentionalLayer;

use super::recurrent::Wide;
use super::{SCORES, Table, attention, devices, keys, random, values};

fn masks(device: &Device) -> [(&'static str, Mask); 6] {
    let matrix = || Tensor::<2>::zeros([3, 7], device);
    [
        ("no mask", Mask::none()),
        ("key lengths", Mask::none().with_key_lengths(&[7, 3])),
        ("causal", Mask::none().with_causal()),
        ("window", Mask::none().with_window(1, 1)),
        ("allowed", Mask::none().with_allowed(Tensor::<3, Bool>::full([2, 3, 7], true, device))),
        ("bias", Mask::none().with_bias(matrix())),
    ]
}

/// The masks were read for the query's rows in the keys' rows, before anything was compared.
#[test]
fn keys_and_values_of_another_batch_are_refused_under_every_mask() {
    let mut table = Table::default();
    for device in devices() {
        for (masked, mask) in masks(&device) {
            for score in SCORES {
                let layer = attention(score, &device);
                let local =
                    LocalAttention::new(layer.clone(), Position::Predictive { hidden: 3 }, 4, 2, &device).unwrap();
                let positions = matches!(score, Score::Positions { .. });
                for (what, key_batch, value_batch, count, words) in [
                    ("keys", 3, 3, 7, if positions { "keys is [3, 3, 4] but" } else { "keys is [3, 7, 4] but" }),
                    ("one row of keys", 1, 1, 7, "but [2, "),
                    ("values", 2, 3, 7, "values is [3, 7, 6] but [2, 7, 6]"),
                    (
                        "count",
                        2,
                        2,
                        8,
                        if positions { "values have K = 8" } else { "values is [2, 8, 6] but [2, 7, 6]" },
                    ),
                ] {
                    let name = format!("{score:?}, {what} under {masked}");
                    let (k, v) = (keys(score, [key_batch, 3, 7]), [value_batch, count, 6]);
                    let arguments = || (random([2, 3, 4], &device), random(k, &device), random(v, &device));
                    table.refuses(&name, words, || {
                        let (q, k, v) = arguments();
                        layer.forward(q, k, v, &mask)
                    });
                    table.refuses(&format!("local, {name}"), words, || {
                        let (q, k, v) = arguments();
                        local.forward(q, k, v, &mask)
                    });
                }
            }
            let layer = MultiHeadConfig::new(4, 2).init(&device).unwrap();
            for (what, k, v) in [("keys", 3, 3), ("one row", 1, 1), ("values", 2, 3)] {
                table.refuses(&format!("heads, {what} under {masked}"), "] but [2, ", || {
                    layer.forward(
                        random([2, 3, 4], &device),
                        random([k, 7, 4], &device),
                        random([v, 7, 4], &device),
                        &mask,
                    )
                });
            }
        }
    }
}

#[test]
fn a_memory_and_a_location_state_are_compared_when_they_are_made_and_when_they_are_read() {
    let mut table = Table::default();
    for device in devices() {
        let none = Mask::none();
        for score in SCORES.into_iter().filter(|score| !matches!(score, Score::Positions { .. })) {
            let layer = attention(score, &device);
            table.refuses(&format!("{score:?}, memory"), "values is [3, 7, 6] but [2, 7, 6]", || {
                layer.memory(random([2, 7, 4], &device), random([3, 7, 6], &device), &none)
            });
            let memory = layer.memory(random([2, 7, 4], &device), random([2, 7, 6], &device), &none).unwrap();
            for (what, words, query) in [
                ("rows", "(B of query [3, 1", random([3, 1, 4], &device)),
                ("width", "query is [2, 1, 5] but [.., .., 4]", random([2, 1, 5], &device)),
                ("type", "F64", random([2, 1, 4], &device).cast(DType::F64)),
            ] {
                table.refuses(&format!("{score:?}, {what}"), words, || layer.attend(query, &memory, &none, false));
            }
        }
        let layer = LocationAttention::new(4, 4, 3, 2, 3, &device).unwrap();
        let start = || layer.start(random([2, 7, 4], &device), random([2, 7, 6], &device), &none).unwrap();
        table.refuses("location, values", "values is [3, 7, 6]", || {
            layer.start(random([2, 7, 4], &device), random([3, 7, 6], &device), &none)
        });
        for (what, words, query) in [
            ("rows", "(B of query [3, 1, 3])", random([3, 4], &device)),
            ("one row", "(B of query [1, 1, 3])", random([1, 4], &device)),
            ("no width", "query is [2, 0] but [2, 4]", random([2, 0], &device)),
            ("type", "query is F64 but the weight is F32", random([2, 4], &device).cast(DType::F64)),
        ] {
            table.refuses(&format!("location, {what}"), words, || layer.step(query, &mut start(), &none));
        }
        table.refuses("location, weights", "state.weights is [3, 9] but [2, 7]", || {
            let mut state = start();
            state.weights = Tensor::zeros([3, 9], &device);
            layer.step(random([2, 4], &device), &mut state, &none)
        });
    }
}

#[test]
fn other_element_types_are_refused_by_name() {
    let mut table = Table::default();
    for (device, dtype) in devices().into_iter().flat_map(|device| [(device.clone(), DType::F64), (device, DType::F16)])
    {
        let none = Mask::none();
        let words = format!("{dtype:?}");
        let cast = |x: Tensor<3>, wide: bool| if wide { x.cast(dtype) } else { x };
        for which in [[true, false, false], [false, true, false], [false, false, true], [true; 3]] {
            for score in SCORES {
                let layer = attention(score, &device);
                let name = format!("{score:?} on {dtype:?} {which:?}");
                let plain = matches!(score, Score::Dot | Score::ScaledDot);
                let call = || {
                    let [q, k, v] = [[2, 3, 4], keys(score, [2, 3, 7]), [2, 7, 6]].map(|shape| random(shape, &device));
                    layer.forward(cast(q, which[0]), cast(k, which[1]), cast(v, which[2]), &none)
                };
                match (which, plain) {
                    // Without parameters, all in one type is one attention.
                    ([true, true, true], true) => table.runs(&name, call, |context| context.dtype() == dtype),
                    _ => table.refuses(&name, &words, call),
                }
            }
            let layer = MultiHeadConfig::new(4, 2).init(&device).unwrap();
            table.refuses(&format!("heads on {dtype:?} {which:?}"), &words, || {
                let [q, k, v] = [[2, 3, 4], [2, 7, 4], [2, 7, 4]].map(|shape| random(shape, &device));
                layer.forward(cast(q, which[0]), cast(k, which[1]), cast(v, which[2]), &none)
            });
        }
        for score in SCORES {
            table.refuses(
                &format!("{score:?}, bias"),
                &format!("attention bias is {dtype:?} but query is F32"),
                || {
                    let mask = Mask::none().with_bias(Tensor::<2>::zeros([3, 7], &device).cast(dtype));
                    let [q, k, v] = [[2, 3, 4], keys(score, [2, 3, 7]), [2, 7, 6]].map(|shape| random(shape, &device));
                    attention(score, &device).forward(q, k, v, &mask)
                },
            );
        }
        for score in [PoolScore::Tanh, PoolScore::Context { hidden: 3 }, PoolScore::Query] {
            let pool = AttentionPool::new(score, 4, &device).unwrap();
            let query = || (score == PoolScore::Query).then(|| random([2, 4], &device));
            table.refuses(&format!("pool {score:?}"), &words, || {
                pool.forward(random([2, 5, 4], &device).cast(dtype), &[5, 2], query())
            });
        }
        let pool = StructuredPool::new(4, 3, 2, &device).unwrap();
        table.refuses("structured", &words, || pool.forward(random([2, 5, 4], &device).cast(dtype), &[5, 2]));
        let documents = HierarchicalAttention::new(4, 3, 2, &device).unwrap();
        table.refuses("documents", &words, || {
            documents.forward(random([1, 2, 3, 4], &device).cast(dtype), &[2], &[3, 1])
        });
    }
}

#[test]
fn parameters_of_several_types_are_refused() {
    let mut table = Table::default();
    let none = Mask::none();
    for device in devices() {
        let [q, k, v] = [[2, 3, 4], [2, 7, 4], [2, 7, 6]].map(|shape| random(shape, &device));
        let sequence = || random([2, 5, 4], &device);
        for score in SCORES {
            let layer = attention(score, &device).map(&mut Wide);
            let words = match score {
                Score::Dot | Score::ScaledDot | Score::General => continue,
                _ => "F64",
            };
            let own = random(keys(score, [2, 3, 7]), &device);
            table.refuses(&format!("{score:?}"), words, || layer.forward(q.clone(), own, v.clone(), &none));
            if !matches!(score, Score::Positions { .. }) {
                table.refuses(&format!("{score:?}, memory"), words, || {
                    layer.attend(q.clone(), &layer.memory(k.clone(), v.clone(), &none)?, &none, false)
                });
            }
        }
        let heads = MultiHeadConfig::new(4, 2).init(&device).unwrap().map(&mut Wide);
        table.refuses("heads", "bias is F64 but", || heads.self_attention(sequence(), &none, false));
        for score in [PoolScore::Tanh, PoolScore::Context { hidden: 3 }] {
            let pool = AttentionPool::new(score, 4, &device).unwrap().map(&mut Wide);
            table.refuses(&format!("{score:?}"), "F64", || pool.forward(sequence(), &[5, 2], None));
        }
        let location = LocationAttention::new(4, 4, 3, 2, 3, &device).unwrap().map(&mut Wide);
        table.refuses("location", "bias is F64 but", || {
            let mut state = location.start(k.clone(), v.clone(), &none)?;
            location.step(random([2, 4], &device), &mut state, &none)
        });
        let map = AttentionalLayer::new(4, 4, 4, false, &device).unwrap().map(&mut Wide);
        table.refuses("map", "bias is F64 but", || map.forward(q.clone(), q.clone()));
    }
}

/// Attention in f64 is composed, and as masked as in f32.
#[test]
fn an_attention_without_parameters_runs_in_f64_under_every_mask() {
    let mut table = Table::default();
    for device in devices() {
        for (masked, mask) in masks(&device) {
            let wide = match masked {
                "bias" => Mask::none().with_bias(Tensor::<2>::zeros([3, 7], &device).cast(DType::F64)),
                _ => mask.clone(),
            };
            let layer = attention(Score::ScaledDot, &device);
            let [q, k, v] = [[2, 3, 4], [2, 7, 4], [2, 7, 6]].map(|shape| random(shape, &device));
            let narrow = values(&layer.forward(q.clone(), k.clone(), v.clone(), &mask).unwrap());
            table.runs(
                masked,
                || layer.forward(q.cast(DType::F64), k.cast(DType::F64), v.cast(DType::F64), &wide),
                |found| values(&found).iter().zip(&narrow).all(|(found, narrow)| (found - narrow).abs() < 1e-5),
            );
        }
    }
}

/// Regression: `k + before` wrapped, and the window stood elsewhere.
#[test]
fn a_window_as_wide_as_can_be_is_no_window() {
    let mut table = Table::default();
    let most = usize::MAX;
    for device in devices() {
        for (before, after) in [(most, 0), (0, most), (most, most), (2, most - 1), (most - 2, 1), (0, 0)] {
            for score in SCORES {
                let [q, k, v] = [[1, 7, 4], [1, 7, 4], [1, 7, 6]].map(|shape| random(shape, &device));
                let layer = attention(score, &device);
                let forward = |before: usize, after: usize| {
                    layer.forward(q.clone(), k.clone(), v.clone(), &Mask::none().with_window(before, after))
                };
                let narrow = values(&forward(before.min(100), after.min(100)).unwrap());
                table.runs(&format!("{score:?} {before} {after}"), || forward(before, after), |c| values(&c) == narrow);
            }
        }
    }
}

/// Regression: a score over positions added negative infinity, and a row of nothing else was NaN.
#[test]
fn a_query_with_every_key_shut_by_a_bias_gets_zeros() {
    let mut table = Table::default();
    for device in devices() {
        for score in SCORES {
            let mut bias = vec![0.0f32; 3 * 7];
            bias[7..14].fill(f32::NEG_INFINITY);
            let mask = Mask::none().with_bias(Tensor::<2>::from_data(TensorData::new(bias, [3, 7]), &device));
            let [q, k, v] = [[2, 3, 4], keys(score, [2, 3, 7]), [2, 7, 6]].map(|shape| random(shape, &device));
            table.runs(
                &format!("{score:?}"),
                || attention(score, &device).forward_with_weights(q.clone(), k, v, &mask),
                |output| {
                    let (context, weights) = (values(&output.context), values(&output.weights.unwrap()));
                    let zero = |values: &[f32], width: usize| {
                        values.chunks(3 * width).all(|row| row[width..2 * width].iter().all(|&value| value == 0.0))
                    };
                    let finite = context.iter().chain(&weights).all(|value| value.is_finite());
                    let slope = device.is_autodiff().then(|| q.grad(&output.context.sum().backward()).unwrap());
                    finite
                        && zero(&context, 6)
                        && zero(&weights, 7)
                        && slope.is_none_or(|slope| values(&slope).iter().all(|value| value.is_finite()))
                },
            );
        }
    }
}

#[test]
fn sizes_that_no_memory_holds_are_refused() {
    let mut table = Table::default();
    let (most, device) = (usize::MAX, &Device::flex());
    let words = "which no memory holds";
    let score = |hidden| AttentionConfig::new(Score::Additive { hidden }, 4, 4).init(device);
    table.refuses("additive", words, || score(most));
    table.refuses("additive, countable", words, || score(1 << 50));
    table.refuses("general", words, || AttentionConfig::new(Score::General, 1 << 40, 1 << 40).init(device));
    table.refuses("concat", words, || AttentionConfig::new(Score::Concat { hidden: 2 }, most, 1).init(device));
    let positions = Score::Positions { positions: 1 << 62 };
    table.refuses("positions", words, || AttentionConfig::new(positions, 4, 4).init(device));
    table.refuses("heads", words, || MultiHeadConfig::new(1 << 40, 1).init(device));
    table.refuses("heads, keys", words, || MultiHeadConfig::new(4, 2).with_key_and_value(most, 4).init(device));
    table.refuses("pool", words, || AttentionPool::new(PoolScore::Tanh, most, device));
    table.refuses("pool, context", words, || AttentionPool::new(PoolScore::Context { hidden: 1 << 50 }, 4, device));
    table.refuses("structured", words, || StructuredPool::new(4, 1 << 50, 2, device));
    table.refuses("location", words, || LocationAttention::new(4, 4, most, 2, 3, device));
    table.refuses("location, filter", words, || LocationAttention::new(4, 4, 3, 2, most, device));
    table.refuses("documents", words, || HierarchicalAttention::new(4, most, 3, device));
    table.refuses("local", words, || {
        let dot = AttentionConfig::new(Score::Dot, 4, 4).init(device)?;
        LocalAttention::new(dot, Position::Predictive { hidden: most }, 4, 2, device)
    });
    for dropout in [1.0, f64::NAN, 0.999_999_999_999] {
        let words = "but must be from 0 to less than 1";
        let name = format!("dropout {dropout}");
        table.refuses(&name, words, || AttentionConfig::new(Score::Dot, 4, 4).with_dropout(dropout).init(device));
        table.refuses(&name, words, || MultiHeadConfig::new(4, 2).with_dropout(dropout).init(device));
    }
}
