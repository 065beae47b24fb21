//! Every fused operation against the same one made of Burn's own operations, forward and backward.

use std::sync::Arc;

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{DType, Device, Distribution, Int, Tensor};

use super::crf::composite as composite_crf;
use super::lookup::composite as composite_lookup;
use super::monotonic::{composite_emissions, composite_likelihood};
use super::pointer::composite as composite_pointer;
use super::pool::composite as composite_pool;
use super::{
    AlignedTargets, Bags, CrfAllowed, CrfTensors, Lookup, NO_TOKEN, NOT_WRITTEN, PoolQuery, Wanted, attention_pool,
    crf_loss, cross_entropy, emissions, lookup, monotonic_likelihood, pointer_loss,
};
use crate::Error;

fn device() -> Device {
    let device = Device::flex().autodiff();
    device.seed(11);
    device
}

fn random<const R: usize>(shape: [usize; R], device: &Device) -> Tensor<R> {
    Tensor::<R>::random(shape, Distribution::Normal(0.0, 1.0), device).require_grad()
}

fn values<const R: usize>(tensor: Tensor<R>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().unwrap()
}

#[track_caller]
fn close<const R: usize>(found: Tensor<R>, expected: Tensor<R>) {
    assert_eq!(found.dims(), expected.dims());
    for (found, expected) in values(found).into_iter().zip(values(expected)) {
        assert!((found - expected).abs() < 1e-5 * expected.abs().max(1.0), "{found} instead of {expected}");
    }
}

#[test]
fn pooling_equals_the_composed_pooling_forward_and_backward() {
    let device = device();
    let lengths = [4, 0, 7, 1];
    for learnt in [true, false] {
        let sequence = random([4, 7, 10], &device);
        let (weight, queries) = (random([10], &device), random([4, 10], &device));
        let query = || if learnt { PoolQuery::Learnt(weight.clone()) } else { PoolQuery::Row(queries.clone()) };
        let (up, up_weights) = (random([4, 10], &device), random([4, 7], &device));
        let run = |(pooled, weights): (Tensor<2>, Tensor<2>)| {
            let loss = (pooled.clone() * up.clone()).sum() + (weights.clone() * up_weights.clone()).sum();
            let gradients = loss.backward();
            let vector =
                if learnt { weight.grad(&gradients) } else { queries.grad(&gradients).map(|g| g.flatten(0, 1)) };
            (pooled, weights, sequence.grad(&gradients).unwrap(), vector.unwrap())
        };
        let fused = run(attention_pool(sequence.clone(), query(), &lengths).unwrap());
        let composed = run(composite_pool(sequence.clone(), query(), &lengths));
        close(fused.0, composed.0);
        close(fused.1, composed.1);
        close(fused.2, composed.2);
        close(fused.3, composed.3);
    }
}

#[test]
fn pooling_refuses_sizes_that_do_not_fit() {
    let device = device();
    let sequence = || random([2, 3, 4], &device);
    let message = |query, lengths: &[usize]| attention_pool(sequence(), query, lengths).unwrap_err().to_string();
    let learnt = |size| PoolQuery::Learnt(random([size], &device));
    assert_eq!(message(learnt(5), &[3, 3]), "query is [5] but [4] (O of the sequence) was expected");
    let row = PoolQuery::Row(random([3, 4], &device));
    assert_eq!(message(row, &[3, 3]), "query is [3, 4] but [2, 4] (B and O of the sequence) was expected");
    assert_eq!(message(learnt(4), &[3, 4]), "lengths[1] is 4 but x has T = 3");
    assert_eq!(message(learnt(4), &[3]), "lengths is [1] but [2] (one per row of x) was expected");
}

#[test]
fn token_vectors_equal_the_composed_ones_forward_and_backward() {
    let device = device();
    let plan = Arc::new(Lookup {
        positions: vec![0, 2, NO_TOKEN, 1, 0, 2],
        unique: 3,
        bags: vec![Bags::single(vec![4, 1, 4]), Bags { offsets: vec![0, 0, 2, 5], ids: vec![0, 3, 2, 2, 1] }],
    });
    let tables = [random([5, 6], &device), random([4, 6], &device)];
    let up = random([6, 6], &device);
    let run = |vectors: Tensor<2>| {
        let gradients = (vectors.clone() * up.clone()).sum().backward();
        (vectors, tables.each_ref().map(|table| table.grad(&gradients).unwrap()))
    };
    let (fused, fused_gradients) = run(lookup(tables.to_vec(), plan.clone()).unwrap());
    let (composed, composed_gradients) = run(composite_lookup(&tables, &plan, 6));
    close(fused, composed);
    for (fused, composed) in fused_gradients.into_iter().zip(composed_gradients) {
        close(fused, composed);
    }
    let error = lookup(vec![random([4, 6], &device)], plan.clone()).unwrap_err();
    assert_eq!(error, Error::Lookup { what: "bags has 2 values but its shape [tables] = [1] has 1".into() });
    let error = lookup(vec![random([5, 6], &device), random([4, 5], &device)], plan).unwrap_err();
    assert_eq!(error, Error::Lookup { what: "a table of width 5 beside one of width 6".into() });
}

#[test]
fn cross_entropy_equals_burns_own_and_refuses_what_does_not_fit() {
    let device = device();
    let logits = random([5, 37], &device);
    let labels = || Tensor::<1, Int>::from_data([3, 0, 36, 7, 7], &device);
    let run = |loss: Tensor<1>| {
        let gradients = (loss.clone() * 2.5).backward();
        (loss, logits.grad(&gradients).unwrap())
    };
    let fused = run(cross_entropy(logits.clone(), labels()).unwrap());
    let own = run(CrossEntropyLossConfig::new().init(&device).forward(logits.clone(), labels()));
    close(fused.0, own.0);
    close(fused.1, own.1);
    let refused = |labels: Tensor<1, Int>| cross_entropy(logits.clone(), labels).unwrap_err().to_string();
    assert!(refused(Tensor::from_data([1, 2], &device)).contains("the logits are [5, 37]"));
    assert!(refused(Tensor::from_data([1, 2, 3, 4, 37], &device)).contains("37"));
}

#[test]
fn the_loss_of_a_field_equals_the_composed_loss_forward_and_backward() {
    let device = device();
    for (time, forbidding) in [(6, false), (6, true), (1, false)] {
        let (batch, count, lengths) = (4, 5, [time, 0, time.min(3), 1]);
        let emissions = random([batch, time, count], &device);
        let (transitions, start, end) =
            (random([count, count], &device), random([count], &device), random([count], &device));
        // Tag 1 does not follow tag 0, tag 2 does not begin, tag 3 does not end.
        let allowed = CrfAllowed {
            transitions: (0..count * count).map(|at| at != 1).collect(),
            start: (0..count).map(|tag| tag != 2).collect(),
            end: (0..count).map(|tag| tag != 3).collect(),
        };
        let allowed = forbidding.then_some(&allowed);
        // What stands in the padding is no tag.
        let tag = |row: usize, step: usize| if step < lengths[row] { (4 * row + step) as u32 % 2 * 4 } else { 99 };
        let tags: Vec<u32> = (0..batch * time).map(|at| tag(at / time, at % time)).collect();
        let parameters = || CrfTensors { transitions: transitions.clone(), start: start.clone(), end: end.clone() };
        let up = random([batch], &device);
        let run = |losses: Tensor<1>| {
            let gradients = (losses.clone() * up.clone()).sum().backward();
            let of_emissions = emissions.grad(&gradients).unwrap();
            let of_transitions = transitions.grad(&gradients).unwrap();
            (losses, of_emissions, of_transitions, [&start, &end].map(|x| x.grad(&gradients).unwrap()))
        };
        let fused = run(crf_loss(emissions.clone(), parameters(), allowed, &tags, &lengths).unwrap());
        let composed = run(composite_crf(emissions.clone(), parameters(), allowed, &tags, &lengths));
        assert_eq!(values(fused.0.clone())[1], 0.0);
        if forbidding {
            assert_eq!(values(fused.2.clone())[1], 0.0);
        }
        close(fused.0, composed.0);
        close(fused.1, composed.1);
        close(fused.2, composed.2);
        let [fused, composed] = [fused.3, composed.3];
        fused.into_iter().zip(composed).for_each(|(fused, composed)| close(fused, composed));
    }
}

#[test]
fn the_loss_of_a_pointer_generator_equals_the_composed_loss_forward_and_backward() {
    let device = device();
    let (logits, gates) = (random([5, 4], &device), random([5], &device));
    let scores = random([2, 3, 6], &device);
    let weights = || burn::tensor::activation::softmax(scores.clone(), 2);
    // Steps of which the token stands nowhere, at one place, at two, and is of the source alone.
    let wanted =
        Wanted { tokens: vec![0, 2, 3, NOT_WRITTEN, 1], offsets: vec![0, 0, 1, 3, 4, 4], places: vec![6, 13, 15, 20] };
    let run = |loss: Tensor<1>| {
        let gradients = (loss.clone() * 1.5).backward();
        let of = [logits.grad(&gradients).unwrap().flatten(0, 1), gates.grad(&gradients).unwrap()];
        (loss, of, scores.grad(&gradients).unwrap())
    };
    let fused = run(pointer_loss(logits.clone(), gates.clone(), weights(), wanted.clone()).unwrap());
    let composed = run(composite_pointer(logits.clone(), gates.clone(), weights(), &wanted));
    close(fused.0, composed.0);
    fused.1.into_iter().zip(composed.1).for_each(|(fused, composed): (Tensor<1>, Tensor<1>)| close(fused, composed));
    close(fused.2, composed.2);
    let lost = Wanted { tokens: vec![NOT_WRITTEN; 5], ..wanted };
    let refused = pointer_loss(logits.clone(), gates.clone(), weights(), lost).unwrap_err();
    assert!(refused.to_string().contains("neither of the vocabulary nor at any place"), "{refused}");
}

#[test]
fn alignments_equal_the_composed_ones_forward_and_backward() {
    let device = device();
    let (batch, time, positions, width, vocabulary) = (4, 5, 6, 7, 9);
    for (lengths, source_lengths, count) in
        [([5, 0, 3, 1], [6, 2, 4, 1], 3), ([1, 5, 2, 4], [1, 6, 6, 3], 1), ([5, 5, 5, 5], [6, 6, 5, 2], 8)]
    {
        // What stands in the padding is no token.
        let token = |row: usize, t: usize| if t < lengths[row] { (3 * row + 2 * t) as u32 % 9 } else { 99 };
        let tokens = (0..batch * time).map(|at| token(at / time, at % time)).collect();
        let targets =
            Arc::new(AlignedTargets { tokens, lengths: lengths.to_vec(), source_lengths: source_lengths.to_vec() });
        let (source, target) = (random([batch, positions, width], &device), random([batch, time, width], &device));
        let (weight, bias) = (random([vocabulary, width], &device), random([vocabulary], &device));
        let (scores, distances) = (random([batch, time, positions], &device), random([count], &device));
        let (up, up_cells) = (random([batch], &device), random([batch, time, positions], &device));
        let run = |emissions: Tensor<3>, likelihood: &dyn Fn(Tensor<3>) -> Tensor<1>| {
            let likelihoods = likelihood(emissions.clone());
            let loss = (likelihoods.clone() * up.clone()).sum() + (emissions.clone() * up_cells.clone()).sum();
            let gradients = loss.backward();
            let of = |x: &Tensor<3>| x.grad(&gradients).unwrap();
            let of_output = (weight.grad(&gradients).unwrap(), bias.grad(&gradients).unwrap());
            let of_cells = [of(&source), of(&target), of(&scores), emissions];
            (likelihoods, of_cells, of_output, distances.grad(&gradients).unwrap())
        };
        let parts = || (source.clone(), target.clone(), weight.clone(), bias.clone());
        let (s, t, w, b) = parts();
        let fused = run(emissions(s, t, w, b, &targets).unwrap(), &|emissions| {
            monotonic_likelihood(emissions, scores.clone(), distances.clone(), &targets).unwrap()
        });
        let (s, t, w, b) = parts();
        let composed = run(composite_emissions(s, t, w, b, &targets), &|emissions| {
            composite_likelihood(emissions, scores.clone(), distances.clone(), &targets)
        });
        close(fused.0, composed.0);
        fused.1.into_iter().zip(composed.1).for_each(|(fused, composed)| close(fused, composed));
        close(fused.2.0, composed.2.0);
        close(fused.2.1, composed.2.1);
        close(fused.3, composed.3);
    }
}

/// What is of another type than f32 is composed.
#[test]
fn alignments_and_the_loss_of_a_pointer_generator_run_in_f64() {
    let device = device();
    let targets = AlignedTargets { tokens: vec![4, 0, 2, 1], lengths: vec![2, 1], source_lengths: vec![3, 1] };
    let targets = Arc::new(targets);
    let (source, target) = (random([2, 3, 4], &device), random([2, 2, 4], &device));
    let (weight, bias, distances) = (random([5, 4], &device), random([5], &device), random([2], &device));
    let scores = random([2, 2, 3], &device);
    let run = |dtype: DType| {
        let of = |x: &Tensor<3>| x.clone().cast(dtype);
        let (weight, bias) = (weight.clone().cast(dtype), bias.clone().cast(dtype));
        let cells = emissions(of(&source), of(&target), weight, bias, &targets).unwrap();
        monotonic_likelihood(cells, of(&scores), distances.clone().cast(dtype), &targets).unwrap()
    };
    let wide = run(DType::F64);
    assert_eq!(wide.dtype(), DType::F64);
    close(run(DType::F32), wide.cast(DType::F32));
    let wanted = Wanted { tokens: vec![0, 2, NOT_WRITTEN], offsets: vec![0, 0, 1, 3], places: vec![6, 7, 11] };
    let (logits, gates) = (random([3, 4], &device), random([3], &device));
    let weights = burn::tensor::activation::softmax(scores.clone(), 2);
    let run = |dtype: DType| {
        let (logits, gates, weights) =
            (logits.clone().cast(dtype), gates.clone().cast(dtype), weights.clone().cast(dtype));
        pointer_loss(logits, gates, weights, wanted.clone()).unwrap()
    };
    let wide = run(DType::F64);
    assert_eq!(wide.dtype(), DType::F64);
    close(run(DType::F32), wide.cast(DType::F32));
    let mixed = pointer_loss(logits.clone(), gates.cast(DType::F64), weights.clone(), wanted.clone());
    assert!(mixed.unwrap_err().to_string().contains("gates is F64 but logits is F32"));
}

#[test]
fn alignments_that_cannot_be_are_refused() {
    let device = device();
    let targets = |tokens: [u32; 2], source: usize| {
        Arc::new(AlignedTargets { tokens: tokens.to_vec(), lengths: vec![2], source_lengths: vec![source] })
    };
    let run = |targets: &Arc<AlignedTargets>| {
        let (source, target) = (random([1, 3, 4], &device), random([1, 2, 4], &device));
        emissions(source, target, random([5, 4], &device), random([5], &device), targets)
    };
    assert_eq!(run(&targets([4, 0], 3)).unwrap().dims(), [1, 2, 3]);
    assert!(run(&targets([0, 5], 3)).unwrap_err().to_string().contains("token is 5"));
    assert!(run(&targets([0, 0], 0)).unwrap_err().to_string().contains("no position"));
    assert!(run(&targets([0, 0], 4)).unwrap_err().to_string().contains("S = 3"));
    let cells = || random([1, 2, 3], &device);
    let refused = monotonic_likelihood(cells(), random([1, 2, 4], &device), random([2], &device), &targets([0, 0], 3));
    assert!(refused.unwrap_err().to_string().contains("scores"));
    // An empty batch trains, and its gradients are zeros.
    let (emissions, scores) = (random([0, 2, 3], &device), random([0, 2, 3], &device));
    let nothing = Arc::new(AlignedTargets { tokens: vec![], lengths: vec![], source_lengths: vec![] });
    let distances = random([2], &device);
    let gradients = monotonic_likelihood(emissions, scores, distances.clone(), &nothing).unwrap().sum().backward();
    assert_eq!(values(distances.grad(&gradients).unwrap()), [0.0, 0.0]);
}
