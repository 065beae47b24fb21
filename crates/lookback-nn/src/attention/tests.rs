//! Every form of attention: fused against composed, masks, refusals, and that it can learn.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Bool, Device, Distribution, Tensor, TensorData};

use super::*;
use crate::Error;
use crate::ops::{CoreOptions, CoreScore, attention, composite_attention};

pub(crate) fn device() -> Device {
    let device = Device::flex().autodiff();
    device.seed(7);
    device
}

pub(crate) fn random<const R: usize>(shape: [usize; R], device: &Device) -> Tensor<R> {
    Tensor::<R>::random(shape, Distribution::Normal(0.0, 1.0), device).require_grad()
}

pub(crate) fn values<const R: usize>(tensor: Tensor<R>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().unwrap()
}

/// The same parameters in f64, where everything is composed of Burn's own operations.
pub(crate) fn wide<M: burn::module::Module>(module: M) -> M {
    struct Wide;
    impl burn::module::ModuleMapper for Wide {
        fn map_float<const R: usize>(
            &mut self,
            param: burn::module::Param<Tensor<R>>,
        ) -> burn::module::Param<Tensor<R>> {
            burn::module::Param::from_tensor(param.val().cast(burn::tensor::DType::F64).detach())
        }
    }
    module.map(&mut Wide)
}

#[track_caller]
pub(crate) fn close<const R: usize>(what: &str, found: Tensor<R>, expected: Tensor<R>) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let (found, expected) = (values(found), values(expected));
    let largest = expected.iter().fold(1e-3f32, |largest, value| largest.max(value.abs()));
    for (found, expected) in found.into_iter().zip(expected) {
        assert!((found - expected).abs() < 2e-5 * largest, "{what}: {found} instead of {expected}");
    }
}

pub(crate) const B: usize = 3;
const Q: usize = 4;
pub(crate) const K: usize = 5;

fn booleans<const R: usize>(shape: [usize; R], device: &Device) -> Tensor<R, Bool> {
    Tensor::<R>::random(shape, Distribution::Uniform(0.0, 1.0), device).greater_elem(0.4)
}

fn masks(device: &Device) -> Vec<(&'static str, Mask)> {
    let lengths = Mask::none().with_key_lengths(&[5, 0, 3]);
    let shut = Tensor::<2>::from_floats([[0.0, f32::NEG_INFINITY, 0.5, -1.0, 2.0]; 4], device);
    vec![
        ("none", Mask::none()),
        ("lengths", lengths.clone()),
        ("causal", Mask::none().with_causal()),
        ("window", Mask::none().with_window(1, 0)),
        ("boolean", Mask::none().with_allowed(booleans([Q, K], device))),
        (
            "boolean a row",
            Mask::none().with_allowed(booleans([B, Q, K], device)).with_allowed(booleans([Q, K], device)),
        ),
        ("bias", Mask::none().with_bias(random([B, 2, Q, K], device))),
        ("bias that masks", Mask::none().with_bias(shut)),
        ("all", lengths.with_causal().with_window(2, 1).with_allowed(booleans([B, Q, K], device))),
    ]
}

#[test]
fn the_fused_core_equals_the_composed_one_forward_and_backward() {
    let device = device();
    for (name, mask) in masks(&device) {
        for additive in [true, false] {
            let (query, keys) = (random([B, Q, 6], &device), random([B, K, 6], &device));
            let (content, v) = (random([B, K, 8], &device), random([6], &device));
            let score = || if additive { CoreScore::Additive(v.clone()) } else { CoreScore::Product(0.7) };
            let (up, up_weights) = (random([B, Q, 8], &device), random([B, 2, Q, K], &device));
            for weights in [true, false] {
                let options = CoreOptions { heads: 2, dropout: 0.0, weights };
                let run = |(context, weights): (Tensor<3>, Option<Tensor<4>>)| {
                    let mut loss = (context.clone() * up.clone()).sum();
                    if let Some(weights) = weights.clone() {
                        loss = loss + (weights * up_weights.clone()).sum();
                    }
                    let gradients = loss.backward();
                    let of = |x: &Tensor<3>| x.grad(&gradients).unwrap();
                    let v = additive.then(|| v.grad(&gradients).unwrap());
                    (context, weights, [of(&query), of(&keys), of(&content)], v)
                };
                let arguments = || (query.clone(), keys.clone(), content.clone());
                let (q, k, c) = arguments();
                let fused = run(attention(score(), q, k, c, &mask, &options).unwrap());
                let (q, k, c) = arguments();
                let composed = run(composite_attention(score(), q, k, c, &mask, &options).unwrap());
                let what = format!("{name}, additive {additive}");
                close(&what, fused.0, composed.0);
                assert_eq!(fused.1.is_some(), weights);
                for (fused, composed) in fused.1.into_iter().zip(composed.1) {
                    close(&what, fused, composed);
                }
                for (fused, composed) in fused.2.into_iter().zip(composed.2) {
                    close(&what, fused, composed);
                }
                for (fused, composed) in fused.3.into_iter().zip(composed.3) {
                    close(&what, fused, composed);
                }
            }
        }
    }
}

#[test]
fn a_bias_gets_its_gradient_whatever_its_shape() {
    let device = device();
    let (query, keys, content) = (random([B, Q, 6], &device), random([B, K, 6], &device), random([B, K, 6], &device));
    let up = random([B, Q, 6], &device);
    let options = CoreOptions { heads: 2, dropout: 0.0, weights: false };
    let both = |mask: Mask, gradient: &dyn Fn(&burn::tensor::Gradients) -> Vec<f32>| {
        let run = |context: Tensor<3>| gradient(&(context * up.clone()).sum().backward());
        let (q, k, c) = (query.clone(), keys.clone(), content.clone());
        let fused = run(attention(CoreScore::Product(1.0), q, k, c, &mask, &options).unwrap().0);
        let (q, k, c) = (query.clone(), keys.clone(), content.clone());
        let composed = run(composite_attention(CoreScore::Product(1.0), q, k, c, &mask, &options).unwrap().0);
        assert_eq!(fused.len(), composed.len());
        for (fused, composed) in fused.into_iter().zip(composed) {
            assert!((fused - composed).abs() < 1e-5, "{fused} instead of {composed}");
        }
    };
    let two = random([Q, K], &device);
    both(Mask::none().with_bias(two.clone()), &|gradients| values(two.grad(gradients).unwrap()));
    let three = random([B, Q, K], &device);
    both(Mask::none().with_bias(three.clone()), &|gradients| values(three.grad(gradients).unwrap()));
    let four = random([B, 2, Q, K], &device);
    both(Mask::none().with_bias(four.clone()), &|gradients| values(four.grad(gradients).unwrap()));
}

/// Every score over keys of size 6 and queries of size 6.
const SCORES: [Score; 7] = [
    Score::Additive { hidden: 7 },
    Score::Dot,
    Score::ScaledDot,
    Score::General,
    Score::Concat { hidden: 5 },
    Score::Cosine,
    Score::ConcatSum { hidden: 4 },
];

/// The gradients of all parameters, one after another.
fn parameter_gradients<M: Module>(module: &M, gradients: &burn::tensor::Gradients) -> Vec<f32> {
    struct Collect<'a>(&'a burn::tensor::Gradients, Vec<f32>);
    impl ModuleVisitor for Collect<'_> {
        fn visit_float<const R: usize>(&mut self, param: &Param<Tensor<R>>) {
            self.1.extend(values(param.val().grad(self.0).expect("every parameter takes part")));
        }
    }
    let mut collect = Collect(gradients, Vec::new());
    module.visit(&mut collect);
    collect.1
}

#[test]
fn what_stands_at_masked_keys_changes_no_bit_forward_or_backward() {
    let device = device();
    let mask = Mask::none().with_key_lengths(&[5, 0, 3]).with_causal();
    let poison = |x: Tensor<3>| {
        let [_, _, width] = x.dims();
        let shut: Vec<bool> = (0..B * K).map(|at| at % K >= [5, 0, 3][at / K] || at % K >= Q).collect();
        let shut = Tensor::<3, Bool>::from_data(TensorData::new(shut, [B, K, 1]), &x.device());
        x.mask_fill(shut.expand([B, K, width]), f32::NAN).detach().require_grad()
    };
    for score in SCORES {
        let layer = AttentionConfig::new(score, 6, 6).init(&device).unwrap();
        let (query, keys, content) =
            (random([B, Q, 6], &device), random([B, K, 6], &device), random([B, K, 3], &device));
        let run = |keys: Tensor<3>, content: Tensor<3>| {
            let output = layer.forward_with_weights(query.clone(), keys.clone(), content.clone(), &mask).unwrap();
            let weights = output.weights.unwrap();
            let loss = output.context.clone().powi_scalar(2).sum() + weights.clone().powi_scalar(2).sum();
            let gradients = loss.backward();
            let mut all = values(output.context);
            all.extend(values(weights));
            for x in [&query, &keys, &content] {
                all.extend(values(x.grad(&gradients).unwrap()));
            }
            all.extend(parameter_gradients(&layer, &gradients));
            all
        };
        let clean = run(keys.clone().detach().require_grad(), content.clone().detach().require_grad());
        let poisoned = run(poison(keys), poison(content));
        assert!(clean.iter().all(|value| value.is_finite()), "{score:?}");
        assert_eq!(clean, poisoned, "{score:?}");
        // The second row has no key at all.
        assert!(clean[Q * 3..2 * Q * 3].iter().all(|&value| value == 0.0), "{score:?}");
    }
}

#[test]
fn asking_for_weights_changes_no_bit_and_a_memory_serves_many_queries() {
    let device = device();
    let mask = Mask::none().with_key_lengths(&[5, 2, 3]);
    for score in SCORES {
        let layer = AttentionConfig::new(score, 6, 6).init(&device).unwrap();
        let (query, keys, content) =
            (random([B, Q, 6], &device), random([B, K, 6], &device), random([B, K, 3], &device));
        let with = layer.forward_with_weights(query.clone(), keys.clone(), content.clone(), &mask).unwrap();
        let without = layer.forward(query.clone(), keys.clone(), content.clone(), &mask).unwrap();
        assert_eq!(values(with.context.clone()), values(without), "{score:?}");
        let memory = layer.memory(keys, content, &mask).unwrap();
        for q in 0..Q {
            let one = layer.attend(query.clone().slice([0..B, q..q + 1]), &memory, &mask, true).unwrap();
            close("context", one.context, with.context.clone().slice([0..B, q..q + 1]));
            close("weights", one.weights.unwrap(), with.weights.clone().unwrap().slice([0..B, q..q + 1]));
        }
    }
}

#[test]
fn the_tutorials_first_rule_has_a_fixed_number_of_positions() {
    let device = device();
    let layer = AttentionConfig::new(Score::Positions { positions: K }, 6, 2).init(&device).unwrap();
    let (query, keys) = (random([B, Q, 6], &device), random([B, Q, 2], &device));
    let output =
        layer.forward_with_weights(query.clone(), keys.clone(), random([B, K, 3], &device), &Mask::none()).unwrap();
    assert_eq!(output.context.dims(), [B, Q, 3]);
    for sum in values(output.weights.unwrap().sum_dim(2)) {
        assert!((sum - 1.0).abs() < 1e-5);
    }
    let error = layer.forward(query, keys, random([B, K + 1, 3], &device), &Mask::none()).unwrap_err();
    assert_eq!(error.to_string(), "this score was made for 5 positions but values have K = 6");
}

#[test]
fn sizes_masks_and_options_that_do_not_fit_are_refused_by_name() {
    let device = device();
    let message = |error: Error| error.to_string();
    let layer = AttentionConfig::new(Score::Additive { hidden: 4 }, 6, 5).init(&device).unwrap();
    let run = |query: [usize; 3], keys: [usize; 3], content: [usize; 3], mask: Mask| {
        let result = layer.forward(random(query, &device), random(keys, &device), random(content, &device), &mask);
        message(result.unwrap_err())
    };
    let fits = ([B, Q, 6], [B, K, 5], [B, K, 3]);
    let sizes = "[.., .., 6] (the size this layer was made for)";
    assert_eq!(run([B, Q, 7], fits.1, fits.2, Mask::none()), format!("query is [3, 4, 7] but {sizes} was expected"));
    assert_eq!(
        run(fits.0, [2, K, 5], fits.2, Mask::none()),
        "keys is [2, 5, 5] but [3, K, 5] (B of query [3, 4, 6]) was expected"
    );
    assert_eq!(
        run(fits.0, fits.1, [B, 9, 3], Mask::none()),
        "values is [3, 9, 3] but [3, 5, 3] (B and K of keys [3, 5, 5]) was expected"
    );
    assert_eq!(
        run(fits.0, fits.1, fits.2, Mask::none().with_key_lengths(&[5, 6, 1])),
        "key lengths[1] is 6 but keys have K = 5"
    );
    assert_eq!(
        run(fits.0, fits.1, fits.2, Mask::none().with_key_lengths(&[5])),
        "key lengths is [1] but [3] (one per row of keys) was expected"
    );
    assert_eq!(
        run(fits.0, fits.1, fits.2, Mask::none().with_allowed(booleans([4, 9], &device))),
        "attention mask is [4, 9] but [4, 5] or [3, 4, 5] ([Q, K] or [B, Q, K]) was expected"
    );
    assert_eq!(
        run(fits.0, fits.1, fits.2, Mask::none().with_bias(random([5, 4], &device))),
        "attention bias is [5, 4] but [4, 5], [3, 4, 5] or [3, 1, 4, 5] ([Q, K], [B, Q, K] or [B, N, Q, K]) was expected"
    );
    let refused = |config: AttentionConfig| message(config.init(&device).unwrap_err());
    assert_eq!(
        refused(AttentionConfig::new(Score::Dot, 6, 5)),
        "the dot score compares vectors of one size, but query has 6 and key 5"
    );
    assert_eq!(refused(AttentionConfig::new(Score::General, 0, 5)), "query size is 0 but must be at least 1");
    assert_eq!(
        refused(AttentionConfig::new(Score::General, 6, 5).with_dropout(1.0)),
        "dropout is 1 but must be from 0 to less than 1"
    );
    let heads = MultiHeadConfig::new(10, 4).init(&device).unwrap_err();
    assert_eq!(message(heads), "size is 10, which does not divide into 4 heads");
    let hops = StructuredPool::new(6, 4, 0, &device).unwrap_err();
    assert_eq!(message(hops), "hops is 0 but must be at least 1");
    let query = AttentionPool::new(PoolScore::Query, 6, &device).unwrap();
    let missing = query.forward(random([B, K, 6], &device), &[5, 5, 5], None).unwrap_err();
    assert_eq!(message(missing), "query is missing but must be given, one per row");
}

#[test]
fn multi_head_self_attention_equals_the_three_projections() {
    let device = device();
    let layer = MultiHeadConfig::new(8, 2).init(&device).unwrap();
    let x = random([B, K, 8], &device);
    let together = layer.self_attention(x.clone(), &Mask::none(), true).unwrap();
    // A window that opens everything takes the other way.
    let apart = layer.self_attention(x, &Mask::none().with_window(K, K), true).unwrap();
    close("context", together.context.clone(), apart.context.clone());
    close("weights", together.averaged_weights().unwrap(), apart.averaged_weights().unwrap());
    assert_eq!(together.weights.unwrap().dims(), [B, 2, K, K]);
}

#[test]
fn dropout_on_the_weights_is_drawn_in_training_alone() {
    let device = device();
    // A score over positions, whose keys are one per query, is composed.
    for (score, count) in [(Score::ScaledDot, 50), (Score::Positions { positions: 50 }, 40)] {
        let layer = AttentionConfig::new(score, 6, 6).with_dropout(0.5).init(&device).unwrap();
        let [query, keys, content] = [40, count, 50].map(|steps| random([2, steps, 6], &device));
        let weights = |layer: &Attention, query: Tensor<3>, keys: Tensor<3>, content: Tensor<3>| {
            values(layer.forward_with_weights(query, keys, content, &Mask::none()).unwrap().weights.unwrap())
        };
        let drawn = weights(&layer, query.clone(), keys.clone(), content.clone());
        let zeros = drawn.iter().filter(|&&weight| weight == 0.0).count();
        assert!((1700..2300).contains(&zeros), "{score:?}: {zeros} of 4000");
        let kept = weights(&layer.valid(), query.inner(), keys.inner(), content.inner());
        assert!(kept.iter().all(|&weight| weight > 0.0), "{score:?}");
    }
}

#[test]
fn a_pool_reads_nothing_past_the_length_and_structured_hops_have_their_penalty() {
    let device = device();
    let lengths = [4, 0, 2];
    let x = random([B, K, 6], &device);
    let poisoned = {
        let shut: Vec<bool> = (0..B * K).map(|at| at % K >= lengths[at / K]).collect();
        let shut = Tensor::<3, Bool>::from_data(TensorData::new(shut, [B, K, 1]), &device);
        x.clone().mask_fill(shut.expand([B, K, 6]), f32::NAN)
    };
    for score in [PoolScore::Tanh, PoolScore::Context { hidden: 5 }, PoolScore::Query] {
        let pool = AttentionPool::new(score, 6, &device).unwrap();
        let query = (score == PoolScore::Query).then(|| random([B, 6], &device));
        let clean = pool.forward(x.clone(), &lengths, query.clone()).unwrap();
        let dirty = pool.forward(poisoned.clone(), &lengths, query).unwrap();
        assert_eq!(values(clean.pooled.clone()), values(dirty.pooled), "{score:?}");
        let sums = values(clean.weights.sum_dim(1));
        assert!((sums[0] - 1.0).abs() < 1e-5 && sums[1] == 0.0 && (sums[2] - 1.0).abs() < 1e-5, "{score:?} {sums:?}");
        assert!(values(clean.pooled)[6..12].iter().all(|&value| value == 0.0));
    }
    let pool = StructuredPool::new(6, 4, 3, &device).unwrap();
    let output = pool.forward(poisoned, &lengths).unwrap();
    assert_eq!((output.hops.dims(), output.weights.dims()), ([B, 3, 6], [B, 3, K]));
    // |A Aᵀ - I|², written out.
    let weights = values(output.weights);
    let mut penalty = 0.0;
    for b in 0..B {
        for i in 0..3 {
            for j in 0..3 {
                let row = |hop: usize| &weights[(b * 3 + hop) * K..][..K];
                let product: f32 = row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum();
                penalty += (product - f32::from(i == j)).powi(2) / B as f32;
            }
        }
    }
    assert!((values(output.penalty)[0] - penalty).abs() < 1e-4);
}

#[test]
fn local_attention_stays_in_its_window() {
    let device = device();
    let local = |position| {
        let inside = AttentionConfig::new(Score::General, 6, 6).init(&device).unwrap();
        LocalAttention::new(inside, position, 6, 1, &device).unwrap()
    };
    let (query, keys) = (random([B, Q, 6], &device), random([B, K, 6], &device));
    let run = |layer: LocalAttention, mask: Mask| {
        let output = layer.forward(query.clone(), keys.clone(), keys.clone(), &mask).unwrap();
        output.context.sum().backward();
        values(output.weights.unwrap())
    };
    let weights = run(local(Position::Monotonic), Mask::none());
    for (at, &weight) in weights.iter().enumerate() {
        let (q, k) = (at / K % Q, at % K);
        assert_eq!(weight > 0.0, k + 1 >= q && k <= q + 1, "query {q}, key {k}");
    }
    let weights = run(local(Position::Predictive { hidden: 4 }), Mask::none().with_key_lengths(&[5, 0, 3]));
    for row in weights.chunks(K) {
        assert!(row.iter().filter(|&&weight| weight > 0.0).count() <= 3);
        assert!(row.iter().sum::<f32>() <= 1.0 + 1e-5);
    }
    assert!(weights[Q * K..2 * Q * K].iter().all(|&weight| weight == 0.0));
}

#[test]
fn location_attention_sees_the_weights_before() {
    let device = device();
    let layer = LocationAttention::new(6, 6, 8, 3, 3, &device).unwrap();
    let keys = random([B, K, 6], &device);
    let mask = Mask::none().with_key_lengths(&[5, 2, 3]);
    let mut state = layer.start(keys.clone(), keys, &mask).unwrap();
    let query = random([B, 6], &device);
    let first = layer.step(query.clone(), &mut state, &mask).unwrap();
    let second = layer.step(query, &mut state, &mask).unwrap();
    let (first, second) = (values(first.weights.unwrap()), values(second.weights.unwrap()));
    assert!(first != second, "the same query, but other weights before it");
    assert_eq!(values(state.weights), second);
    let error = LocationAttention::new(6, 6, 8, 3, 4, &device).unwrap_err();
    assert_eq!(error.to_string(), "filter width is 4 but must be odd");
}

#[test]
fn a_document_is_read_by_words_and_by_sentences() {
    let device = device();
    let layer = HierarchicalAttention::new(4, 5, 6, &device).unwrap();
    let x = random([2, 3, 4, 4], &device);
    let output = layer.forward(x, &[3, 1], &[4, 2, 1, 3, 0, 0]).unwrap();
    assert_eq!(output.document.dims(), [2, 10]);
    let sentences = values(output.sentence_weights);
    assert!((sentences[..3].iter().sum::<f32>() - 1.0).abs() < 1e-5);
    assert_eq!(&sentences[4..], [0.0, 0.0]);
    let words = values(output.word_weights);
    assert!((words[4..6].iter().sum::<f32>() - 1.0).abs() < 1e-5 && words[6..8] == [0.0, 0.0]);
    assert!(words[16..].iter().all(|&weight| weight == 0.0));
}

/// Every gradient of a module, by name, and those of the tensors beside it.
pub(crate) fn all_gradients<M: burn::module::Module>(
    module: &M,
    loss: Tensor<1>,
    inputs: &[&Tensor<3>],
) -> Vec<(String, Vec<f32>)> {
    let gradients = loss.backward();
    let mut all: Vec<_> = crate::parameters::gradients(module, &gradients)
        .into_iter()
        .map(|(name, data)| (name, data.iter::<f32>().collect()))
        .collect();
    all.sort_by(|(a, _), (b, _): &(String, Vec<f32>)| a.cmp(b));
    for (index, input) in inputs.iter().enumerate() {
        all.push((format!("input {index}"), values(input.grad(&gradients).unwrap())));
    }
    all
}

pub(crate) fn same_gradients(found: &[(String, Vec<f32>)], want: &[(String, Vec<f32>)]) {
    let names = |all: &[(String, Vec<f32>)]| all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(found), names(want));
    for ((name, found), (_, want)) in found.iter().zip(want) {
        let largest = want.iter().fold(0.1f32, |most, value| most.max(value.abs()));
        assert_eq!(found.len(), want.len(), "{name}");
        for (found, want) in found.iter().zip(want) {
            assert!((found - want).abs() <= 2e-5 * largest, "{name}: {found}, want {want}");
        }
    }
}

#[test]
fn steps_of_different_lengths_or_with_weights_go_beside_the_others() {
    let device = device();
    let attention = AttentionConfig::new(Score::Additive { hidden: 4 }, 6, 6).init(&device).unwrap();
    let (outputs, query) = (random([B, K, 6], &device), random([B, 1, 6], &device));
    let masks = [Mask::none().with_key_lengths(&[5, 1, 3]), Mask::none().with_key_lengths(&[2, 1, 1])];
    let memory = attention.memory(outputs.clone(), outputs.clone(), &masks[0]).unwrap();
    let together = |attend: &dyn Fn(&Mask, bool) -> Tensor<3>| {
        (attend(&masks[0], false) + attend(&masks[1], false) * 2.0 + attend(&masks[0], true) * 3.0).sum()
    };
    let steps = together(&|mask, weights| attention.attend(query.clone(), &memory, mask, weights).unwrap().context);
    let found = all_gradients(&attention, steps, &[&outputs, &query]);
    let whole = together(&|mask, _| attention.forward(query.clone(), outputs.clone(), outputs.clone(), mask).unwrap());
    same_gradients(&found, &all_gradients(&attention, whole, &[&outputs, &query]));
}
