//! Empty batches, no time, no queries, no keys: shapes as asked, zeros, and in training a gradient of zeros for every
//! parameter and input.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Bool, DType, Device, Gradients, Int, Tensor};
use lookback_nn::attention::{
    AttentionPool, LocalAttention, LocationAttention, Mask, MultiHeadConfig, PoolScore, Position, Score, StructuredPool,
};
use lookback_nn::ops::{CoreOptions, CoreScore, Lookup, cross_entropy, dropout, lookup, recurrent};
use lookback_nn::ops::{DirectionTensors, LayerSpec, attention as core, composite, composite_attention};
use lookback_nn::{Error, GruConfig, LstmConfig, RnnConfig, State};

use super::{SCORES, Table, attention, bahdanau, devices, keys, luong, random, values};

/// Whether every parameter of a module has a gradient, of zeros.
fn learns_nothing(module: &impl Module, gradients: &Gradients) -> bool {
    struct All<'a>(&'a Gradients, bool);
    impl ModuleVisitor for All<'_> {
        fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
            self.1 &= param.val().grad(self.0).is_some_and(|gradient| values(&gradient).iter().all(|&g| g == 0.0));
        }
    }
    let mut all = All(gradients, true);
    module.visit(&mut all);
    all.1
}

fn zero_gradient<const R: usize>(x: &Tensor<R>, gradients: &Gradients) -> bool {
    x.grad(gradients).is_some_and(|gradient| gradient.dims() == x.dims() && values(&gradient).iter().all(|&g| g == 0.0))
}

const EMPTY: [[usize; 3]; 3] = [[0, 5, 3], [2, 0, 3], [0, 0, 3]];

#[test]
fn a_layer_over_no_rows_or_no_time_learns_nothing() {
    let mut table = Table::default();
    let device = Device::flex().autodiff();
    macro_rules! over_nothing {
        ($($config:ident),*) => { $(
            for (both, recompute) in [(false, false), (true, false), (true, true)] {
                let config = $config::new(3, 4).with_layers(2).with_bidirectional(both).with_recompute(recompute);
                let (layer, directions) = (config.init(&device).unwrap(), if both { 2 } else { 1 });
                for [batch, time, input] in EMPTY {
                    for lengths in [None, Some(vec![0; batch])] {
                        let x = random([batch, time, input], &device);
                        let name = format!("{} {batch} {time} {both} {recompute} {lengths:?}", stringify!($config));
                        table.runs(&name, || layer.forward(x.clone(), lengths.as_deref(), None), |output| {
                            let shapes = output.sequence.dims() == [batch, time, directions * 4]
                                && output.state.hidden.dims() == [2 * directions, batch, 4];
                            let loss = output.sequence.sum() + output.state.hidden.sum();
                            let gradients = loss.backward();
                            shapes && zero_gradient(&x, &gradients) && learns_nothing(&layer, &gradients)
                        });
                        // One output alone is part of the graph too.
                        table.runs(&name, || layer.forward(x.clone(), lengths.as_deref(), None), |output| {
                            let gradients = output.sequence.sum().backward();
                            zero_gradient(&x, &gradients) && learns_nothing(&layer, &gradients)
                        });
                    }
                }
            }
            let layer = $config::new(3, 4).init(&device).unwrap();
            let x = random([0, 3], &device);
            table.runs("unrolled", || layer.training_stepper()?.step(x.clone(), None), |(output, state)| {
                let gradients = (output.sum() + state.hidden.sum()).backward();
                zero_gradient(&x, &gradients) && learns_nothing(&layer, &gradients)
            });
        )* };
    }
    over_nothing!(LstmConfig, GruConfig, RnnConfig);
}

/// The composed layer, which runs in f64.
#[test]
fn a_composed_layer_over_nothing_equals_the_kernels_one() {
    let mut table = Table::default();
    let device = Device::flex().autodiff();
    for ([batch, time, input], dtype) in EMPTY.into_iter().flat_map(|x| [(x, DType::F32), (x, DType::F64)]) {
        for directions in [1, 2] {
            let spec = LayerSpec {
                cell: lookback_kernels::Cell::Lstm,
                dims: lookback_kernels::Dims { batch, time, input, hidden: 4, directions },
                lengths: None,
                bias: true,
                peephole: true,
                state: true,
                recompute: false,
            };
            let matrix = |shape: [usize; 2]| random(shape, &device).cast(dtype);
            let vector = |size: usize| random([size], &device).cast(dtype);
            let direction = || DirectionTensors {
                weight_ih: matrix([16, input]),
                weight_hh: matrix([16, 4]),
                bias: Some([vector(16), vector(16)]),
                peephole: Some(vector(12)),
            };
            let (x, state) = (random([batch, time, input], &device), random([directions, batch, 4], &device));
            for (name, composed) in [("kernels", false), ("composed", true)] {
                let run = || {
                    let (wide, start) = (x.clone().cast(dtype), Some(state.clone().cast(dtype)));
                    let parameters = (0..directions).map(|_| direction()).collect();
                    match composed {
                        true => composite(wide, start.clone(), start, parameters, &spec),
                        false => recurrent(wide, start.clone(), start, parameters, spec.clone()),
                    }
                };
                table.runs(&format!("{name} {batch} {time} {directions} {dtype:?}"), run, |output| {
                    let kept = values(&output.hidden) == values(&state) && output.hidden.dtype() == dtype;
                    let gradients = output.sequence.sum().backward();
                    kept && output.cell.unwrap().dims() == [directions, batch, 4] && zero_gradient(&x, &gradients)
                });
            }
        }
    }
}

#[test]
fn attention_over_nothing_gives_zeros_and_learns_nothing() {
    let mut table = Table::default();
    for (device, [batch, queries, count]) in devices()
        .into_iter()
        .flat_map(|device| [[0, 3, 7], [2, 0, 7], [2, 3, 0], [0, 0, 0]].map(|s| (device.clone(), s)))
    {
        let all_shut = Mask::none().with_key_lengths(&vec![0; batch]).with_causal();
        let bias = Mask::none().with_bias(Tensor::<2>::zeros([queries, count], &device));
        let allowed = Mask::none().with_allowed(Tensor::<2, Bool>::full([queries, count], true, &device));
        for (masked, mask) in [("no mask", Mask::none()), ("all shut", all_shut), ("bias", bias), ("allowed", allowed)]
        {
            for score in SCORES {
                let layer = attention(score, &device);
                let q = random([batch, queries, 4], &device);
                let k = random(keys(score, [batch, queries, count]), &device);
                let v = random([batch, count, 6], &device);
                let name = format!("{score:?} {batch} {queries} {count} {masked}");
                let call = || layer.forward_with_weights(q.clone(), k.clone(), v.clone(), &mask);
                if matches!(score, Score::Positions { .. }) && count == 0 {
                    table.refuses(&name, "7 positions but values have K = 0", call);
                    continue;
                }
                table.runs(&name, call, |output| {
                    let shapes = output.context.dims() == [batch, queries, 6]
                        && output.weights.unwrap().dims() == [batch, queries, count];
                    let zeros = values(&output.context).iter().all(|&value| value == 0.0);
                    shapes
                        && zeros
                        && (!device.is_autodiff() || {
                            let gradients = output.context.sum().backward();
                            let inputs = [&q, &k, &v].iter().all(|x| zero_gradient(x, &gradients));
                            inputs && learns_nothing(&layer, &gradients)
                        })
                });
                let local = LocalAttention::new(layer, Position::Predictive { hidden: 3 }, 4, 2, &device).unwrap();
                let shapes = [batch, queries, 6];
                table.runs(
                    &format!("local {name}"),
                    || local.forward(q, k, v, &mask),
                    |output| {
                        output.context.dims() == shapes
                            && (!device.is_autodiff() || learns_nothing(&local, &output.context.sum().backward()))
                    },
                );
            }
            let heads = MultiHeadConfig::new(4, 2).init(&device).unwrap();
            let [q, k, v] = [queries, count, count].map(|steps| random([batch, steps, 4], &device));
            table.runs(
                &format!("heads {batch} {queries} {count} {masked}"),
                || heads.forward(q, k, v, &mask),
                |c| c.dims() == [batch, queries, 4] && (!device.is_autodiff() || has_gradients(&heads, c)),
            );
        }
    }
}

/// A loss over the output reaches every parameter, be it with zeros.
fn has_gradients<const R: usize>(module: &impl Module, output: Tensor<R>) -> bool {
    lookback_nn::parameters::gradients(module, &output.sum().backward()).len()
        == lookback_nn::parameters::read(module, "").len()
}

#[test]
fn the_core_over_nothing_runs_in_either_form_and_type() {
    let mut table = Table::default();
    let device = Device::flex().autodiff();
    let options = CoreOptions { heads: 2, dropout: 0.5, weights: true };
    for [batch, queries, count] in [[0, 3, 7], [2, 0, 7], [2, 3, 0]] {
        for dtype in [DType::F32, DType::F64] {
            let [q, k, v] = [queries, count, count].map(|steps| random([batch, steps, 4], &device));
            let wide = || [&q, &k, &v].map(|x| x.clone().cast(dtype));
            let score = || CoreScore::Additive(random([4], &device).cast(dtype));
            for composed in [false, true] {
                let call = || {
                    let ([q, k, v], mask) = (wide(), Mask::none());
                    match composed {
                        true => composite_attention(score(), q, k, v, &mask, &options),
                        false => core(score(), q, k, v, &mask, &options),
                    }
                };
                table.runs(&format!("{batch} {queries} {count} {dtype:?} {composed}"), call, |(context, weights)| {
                    let typed = context.dtype() == dtype;
                    let gradients = (context.sum() + weights.unwrap().sum()).backward();
                    typed && [&q, &k, &v].iter().all(|x| zero_gradient(x, &gradients))
                });
            }
        }
    }
}

#[test]
fn pools_over_nothing_give_zeros_and_learn_nothing() {
    let mut table = Table::default();
    for (device, [batch, time]) in
        devices().into_iter().flat_map(|device| [[0, 5], [2, 0], [0, 0]].map(|sizes| (device.clone(), sizes)))
    {
        for score in [PoolScore::Tanh, PoolScore::Context { hidden: 3 }, PoolScore::Query] {
            let pool = AttentionPool::new(score, 4, &device).unwrap();
            let (x, query) = (random([batch, time, 4], &device), random([batch, 4], &device));
            let query = (score == PoolScore::Query).then_some(query);
            let name = format!("{score:?} {batch} {time}");
            table.runs(
                &name,
                || pool.forward(x.clone(), &vec![0; batch], query),
                |output| {
                    let zeros = output.pooled.dims() == [batch, 4] && values(&output.pooled).iter().all(|&v| v == 0.0);
                    let learns = || {
                        let gradients = output.pooled.sum().backward();
                        zero_gradient(&x, &gradients) && learns_nothing(&pool, &gradients)
                    };
                    zeros && (!device.is_autodiff() || learns())
                },
            );
        }
        let pool = StructuredPool::new(4, 3, 2, &device).unwrap();
        let x = random([batch, time, 4], &device);
        table.runs(
            &format!("structured {batch} {time}"),
            || pool.forward(x, &vec![0; batch]),
            |output| {
                let shapes = output.hops.dims() == [batch, 2, 4] && output.weights.dims() == [batch, 2, time];
                shapes && (!device.is_autodiff() || learns_nothing(&pool, &output.hops.sum().backward()))
            },
        );
    }
}

#[test]
fn location_attention_and_windows_over_nothing_run() {
    let mut table = Table::default();
    let none = &Mask::none();
    for device in devices() {
        let layer = LocationAttention::new(4, 4, 3, 2, 3, &device).unwrap();
        for [batch, count] in [[0, 7], [2, 0], [0, 0]] {
            let [k, v] = [4, 6].map(|width| random([batch, count, width], &device));
            let call = || -> Result<_, Error> {
                let mut state = layer.start(k, v, none)?;
                layer.step(random([batch, 4], &device), &mut state, none)
            };
            table.runs(&format!("location {batch} {count}"), call, |output| {
                output.context.dims() == [batch, 1, 6]
                    && (!device.is_autodiff() || learns_nothing(&layer, &output.context.sum().backward()))
            });
        }
        for score in SCORES {
            for window in [0, 1, usize::MAX / 2, usize::MAX] {
                let local = LocalAttention::new(attention(score, &device), Position::Monotonic, 4, window, &device);
                let local = local.unwrap();
                let [q, k, v] = [[2, 7, 4], [2, 7, 4], [2, 7, 6]].map(|shape| random(shape, &device));
                table.runs(
                    &format!("{score:?} {window}"),
                    || local.forward(q, k, v, none),
                    |output| values(&output.context).iter().all(|value| value.is_finite()),
                );
            }
            let words = "window is 0 but must be at least 1";
            table.refuses("predicted", words, || {
                LocalAttention::new(attention(score, &device), Position::Predictive { hidden: 3 }, 4, 0, &device)
            });
        }
    }
}

#[test]
fn decoders_over_no_rows_and_no_time_learn_nothing() {
    let mut table = Table::default();
    let none = &Mask::none();
    for device in devices() {
        for score in SCORES.into_iter().filter(|score| !matches!(score, Score::Positions { .. })) {
            let by_luong = luong([3, 4, 4, 2], attention(score, &device), &device).unwrap();
            for [batch, time, count] in [[0, 2, 7], [2, 0, 7], [0, 0, 7], [2, 2, 0]] {
                let call = || {
                    let memory = by_luong.memory(random([batch, count, 4], &device), none)?;
                    by_luong.forward(
                        random([batch, time, 3], &device),
                        random([batch, 4], &device),
                        None,
                        &memory,
                        none,
                    )
                };
                table.runs(&format!("Luong {score:?} {batch} {time} {count}"), call, |(all, _)| {
                    let shape = all.dims() == [batch, time, 4];
                    // Without keys the recurrent layer still learns.
                    let learns = |all| match count {
                        0 => has_gradients(&by_luong, all),
                        _ => learns_nothing(&by_luong, &all.sum().backward()),
                    };
                    shape && (!device.is_autodiff() || learns(all))
                });
            }
            let by_bahdanau = bahdanau([3, 4, 4], attention(score, &device), &device).unwrap();
            for [batch, count] in [[0, 7], [2, 0]] {
                let call = || {
                    let memory = by_bahdanau.memory(random([batch, count, 4], &device), none)?;
                    let state = State { hidden: random([1, batch, 4], &device), cell: None };
                    by_bahdanau.step(random([batch, 3], &device), state, &memory, none, true)
                };
                table.runs(&format!("Bahdanau {score:?} {batch} {count}"), call, |step| {
                    step.output.dims() == [batch, 4]
                        && step.weights.unwrap().dims() == [batch, count]
                        && (!device.is_autodiff() || has_gradients(&by_bahdanau, step.output))
                });
            }
        }
    }
}

#[test]
fn operations_over_nothing_run() {
    let mut table = Table::default();
    for device in devices() {
        let x = random([0, 4], &device);
        assert_eq!(dropout(x.clone(), 0.5).dims(), [0, 4]);
        let rows = random([3, 4], &device);
        table.runs(
            "no places",
            || lookup(vec![rows.clone()], no_places()),
            |vectors| {
                let shape = vectors.dims() == [0, 4];
                shape && (!device.is_autodiff() || zero_gradient(&rows, &vectors.sum().backward()))
            },
        );
        table.refuses("a loss over no rows", "labels is [0] but [0], at least one", || {
            cross_entropy(x, Tensor::<1, Int>::zeros([0], &device))
        });
    }
}

fn no_places() -> std::sync::Arc<Lookup> {
    let bags = lookback_nn::ops::Bags { offsets: vec![0], ids: vec![] };
    std::sync::Arc::new(Lookup { positions: vec![], unique: 0, bags: vec![bags] })
}
