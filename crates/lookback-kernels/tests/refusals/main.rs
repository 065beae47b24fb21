//! Every public kernel called with sizes that do not fit, wrap or are absurd: an error or a right answer, never a panic and
//! never memory that is somebody else's.
//!
//! Under AddressSanitizer, where a nightly toolchain is at hand:
//! `RUSTFLAGS="-Zsanitizer=address -Cunsafe-allow-abi-mismatch=sanitizer" cargo +nightly test -p lookback-kernels
//! --target x86_64-unknown-linux-gnu --test refusals --test pools`.

mod decoder;

use lookback_kernels::attention::{self, Mask, Score, Wanted, Window};
use lookback_kernels::crf::{self, CrfDims, CrfParameters, CrfWorkspace, PreparedCrf};
use lookback_kernels::cross_entropy;
use lookback_kernels::dropout::dropout;
use lookback_kernels::linear::{self, LinearDims, PackedLinear, PreparedLinear};
use lookback_kernels::lookup::{self, Bags, Lookup};
use lookback_kernels::monotonic::emission::{self, EmissionDims, EmissionInputs};
use lookback_kernels::monotonic::{self, MonotonicDims, MonotonicInputs};
use lookback_kernels::pointer::{self, PointerDims, PointerInputs, PointerTargets};
use lookback_kernels::pool::{self, PoolDims, PoolScore, PoolUpstream};
use lookback_kernels::{
    Activation, Cell, Dims, InputGradients, Inputs, KernelError, Outputs, Packed, Reset, Saving, Unrolled,
    UnrolledSteps, Upstream, WeightGradients, Weights, Workspace, backward, backward_owned, backward_recomputing,
    forward, forward_owned, saved_len,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

const CELLS: [Cell; 5] = [
    Cell::Rnn(Activation::Tanh),
    Cell::Rnn(Activation::Relu),
    Cell::Lstm,
    Cell::Gru(Reset::AfterProduct),
    Cell::Gru(Reset::BeforeProduct),
];

/// Small sizes, and now and then one that no memory holds.
fn size() -> impl Strategy<Value = usize> {
    // Not ones that a machine may hold: a batch of 2^32 rows without a step is no error, and has states.
    let absurd = vec![1 << 61, 1 << 62, (1 << 63) + 1, (1 << 63) + 4, usize::MAX - 1, usize::MAX];
    prop_oneof![40 => 0usize..6, 4 => 14usize..36, 1 => prop::sample::select(absurd)]
}

/// The length of a shape as a program that wraps would have it, now and then one more or less.
fn len(shape: &[usize], off: i8) -> usize {
    let wrapped = shape.iter().fold(1usize, |product, &size| product.wrapping_mul(size));
    // Slices that can be made: no test holds more.
    wrapped.saturating_add_signed(off.into()).min(1 << 16)
}

fn values(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i % 7) as f32 * 0.1 - 0.3).collect()
}

/// Errors of a length, mostly none.
fn off() -> impl Strategy<Value = i8> {
    prop_oneof![12 => Just(0i8), 1 => Just(1), 1 => Just(-1), 1 => Just(-100)]
}

fn config() -> Config {
    Config { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::with_cases(2000) }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn recurrent_kernels_refuse_what_does_not_fit(
        cell in prop::sample::select(CELLS.to_vec()),
        (batch, time, input, hidden) in (size(), size(), size(), size()),
        directions in 0usize..4,
        lengths in prop::option::of(prop::collection::vec(size(), 0..6)),
        offs in prop::collection::vec(off(), 8),
        threads in 0usize..5,
    ) {
        let dims = Dims { batch, time, input, hidden, directions };
        let gates = cell.gates().wrapping_mul(hidden);
        let ih = values(len(&[gates, input], offs[0]));
        let hh = values(len(&[gates, hidden], offs[1]));
        let weights = vec![
            Weights { weight_ih: &ih, weight_hh: &hh, bias_ih: None, bias_hh: None, peephole: None };
            directions
        ];
        let x = values(len(&[batch, time, input], offs[2]));
        let inputs = Inputs { x: &x, lengths: lengths.as_deref(), h0: None, c0: None };
        let workspace = &mut Workspace::default();
        _ = saved_len(cell, &dims, lengths.as_deref());
        let mut y = values(len(&[batch, time, directions, hidden], offs[3]));
        let (mut h_n, mut c_n) = (values(len(&[directions, batch, hidden], offs[4])), values(len(&[directions, batch, hidden], 0)));
        if let Ok(packed) = Packed::new(cell, &dims, &weights) {
            for saving in [Saving::Gates, Saving::Checkpoints { segment: time.min(2) }] {
                if let Ok((made, saved)) = forward_owned(cell, &dims, &packed, &inputs, saving, workspace, threads) {
                    let y = &made[..(batch * time * directions * hidden).saturating_add_signed(offs[5].into()).min(made.len())];
                    let dy = values(y.len());
                    let upstream = Upstream { y: Some(&dy), h_n: None, c_n: None };
                    let wanted = vec![true; (3 + 5 * directions).saturating_add_signed(offs[6].into())];
                    let wanted: Vec<bool> = wanted.iter().enumerate().map(|(part, _)| part != 2 || cell == Cell::Lstm)
                        .enumerate().map(|(part, wanted)| wanted && (part < 3 || part % 5 != 2)).collect();
                    _ = backward_owned(cell, &dims, &weights, &inputs, y, &saved, &upstream, &wanted, workspace, threads);
                    let between = (time.min(2), &saved[..]);
                    _ = backward_recomputing(cell, &dims, &weights, &inputs, y, between, &upstream, &wanted, workspace, threads);
                    let mut dx = values(len(&[batch, time, input], offs[7]));
                    let of_inputs = InputGradients { x: Some(&mut dx), h0: None, c0: None };
                    let mut of_weights: Vec<_> = (0..directions).map(|_| WeightGradients::default()).collect();
                    _ = backward(
                        cell, &dims, &weights, &inputs, y, &saved, &upstream, of_inputs, &mut of_weights, workspace, threads,
                    );
                }
            }
            let outputs = Outputs { y: &mut y, h_n: &mut h_n, c_n: cell.has_cell_state().then_some(&mut c_n[..]) };
            _ = forward(cell, &dims, &packed, &inputs, outputs, None, workspace, threads);
        }
        if let Some(weights) = weights.first()
            && let Ok(layer) = Unrolled::new(cell, input, hidden, weights)
            && let Ok((_, saved)) = layer.forward(batch, &x, None, None, true, workspace, threads)
        {
            let mut steps = UnrolledSteps::default();
            let inputs = Inputs { x: &x, lengths: None, h0: None, c0: None };
            _ = layer.backward(batch, &inputs, &saved, &Upstream::default(), [true; 3], &mut steps, workspace, threads);
            _ = layer.weight_gradients(&mut steps, [true, true, true, true, false], workspace, threads);
        }
    }

    #[test]
    fn attention_refuses_what_does_not_fit(
        additive in any::<bool>(),
        (batch, queries, keys, heads) in (size(), size(), size(), size()),
        (width, value) in (size(), size()),
        lengths in prop::option::of(prop::collection::vec(size(), 0..6)),
        window in prop::option::of((size(), size())),
        (causal, biased) in any::<(bool, bool)>(),
        offs in prop::collection::vec(off(), 6),
        probability in prop::sample::select(vec![0.0, 0.5, 1.0, -1.0, f32::NAN]),
        threads in 0usize..5,
    ) {
        let dims = attention::Dims { batch, queries, keys, heads, width, value };
        let query = values(len(&[batch, queries, heads, width], offs[0]));
        let key = values(len(&[batch, keys, heads, width], offs[1]));
        let value = values(len(&[batch, keys, heads, value], offs[2]));
        let v = values(len(&[heads, width], offs[3]));
        let bias = values(len(&[queries, keys], offs[4]));
        let score = if additive { Score::Additive { v: &v } } else { Score::Product { scale: 0.5 } };
        let mask = Mask {
            key_lengths: lengths.as_deref(),
            causal,
            window: window.map(|(before, after)| Window { before, after }),
            allowed: None,
            bias: biased.then_some(&bias[..]),
        };
        let dropout = Some(attention::Dropout { probability, seed: 1 });
        let inputs = attention::Inputs { query: &query, keys: &key, values: &value };
        let workspace = &mut attention::Workspace::default();
        if let Ok(out) = attention::forward_owned(score, &dims, &mask, dropout, &inputs, true, workspace, threads) {
            let dcontext = values(out.context.len().saturating_add_signed(offs[5].into()));
            let upstream = attention::Upstream { context: Some(&dcontext), weights: out.weights.as_deref() };
            let wanted = Wanted { query: true, keys: true, values: true, v: additive, bias: true };
            let (context, statistics) = (&out.context, &out.statistics);
            _ = attention::backward_owned(
                score, &dims, &mask, dropout, &inputs, context, statistics, &upstream, wanted, workspace, threads,
            );
        }
    }

    #[test]
    fn the_other_kernels_refuse_what_does_not_fit(
        (a, b, c) in (size(), size(), size()),
        offs in prop::collection::vec(off(), 6),
        lengths in prop::collection::vec(size(), 0..6),
        ids in prop::collection::vec(0u32..9, 0..9),
        query in any::<bool>(),
        probability in prop::sample::select(vec![0.0, 0.5, 1.0, -1.0, f32::NAN]),
        threads in 0usize..5,
    ) {
        let dims = LinearDims { rows: a, inputs: b, outputs: c };
        let (x, weight) = (values(len(&[a, b], offs[0])), values(len(&[c, b], offs[1])));
        let (dy, bias) = (values(len(&[a, c], offs[2])), values(len(&[c], offs[3])));
        _ = linear::forward(dims, &x, &weight, Some(&bias), threads);
        _ = linear::input_gradient(dims, &weight, &dy, threads);
        _ = linear::weight_gradient(dims, &x, &dy, threads);
        _ = linear::bias_gradient(dims, &dy);
        if let Ok(packed) = PackedLinear::new(b, c, &weight, Some(&bias)) {
            _ = packed.forward(&x, threads);
            _ = packed.input_gradient(&dy, threads);
        }
        if let Ok(prepared) = PreparedLinear::new(b, c, &weight, Some(&bias)) {
            _ = prepared.forward_ragged(&x, &lengths, a, threads);
        }

        let dims = PoolDims { batch: a, time: b, outputs: c };
        let sequence = values(len(&[a, b, c], offs[0]));
        let vector = values(len(&[if query { a } else { 1 }, c], offs[1]));
        let score = if query { PoolScore::Query(&vector) } else { PoolScore::Learnt(&vector) };
        let (mut pooled, mut weights) = (values(len(&[a, c], offs[2])), values(len(&[a, b], offs[3])));
        let upstream = values(len(&[a, c], offs[4]));
        _ = pool::forward(dims, score, &sequence, &lengths, &mut pooled, &mut weights, threads);
        let from = PoolUpstream { pooled: &upstream, weights: Some(&weights) };
        _ = pool::backward(dims, score, &sequence, &lengths, &weights, from, threads);

        let both = Bags { offsets: ids.clone(), ids: ids.clone() };
        let lookup = Lookup { positions: ids.clone(), unique: a, bags: vec![both, Bags::single(ids.clone())] };
        let tables = [values(len(&[b, c], offs[0])), values(len(&[9, c], offs[1]))];
        _ = lookup::forward(&lookup, &[&tables[0], &tables[1]], c, threads);
        _ = lookup::backward(&lookup, &[b, 9], c, &upstream, &[true, true], threads);
        let single = Lookup { unique: ids.len(), bags: lookup.bags[1..].to_vec(), ..lookup };
        _ = lookup::forward(&single, &[&tables[1]], c, threads);
        _ = lookup::backward(&single, &[9], c, &upstream, &[true], threads);

        let logits = values(len(&[ids.len(), c], offs[0]));
        let mut sums = values(len(&[ids.len()], offs[1]));
        _ = cross_entropy::forward(c, &logits, &ids, &mut sums, threads);
        _ = cross_entropy::backward(c, &logits, &ids, &sums, 1.0, threads);

        let dims = CrfDims { batch: a, time: b, tags: c };
        let emissions = values(len(&[a, b, c], offs[0]));
        let (transitions, start) = (values(len(&[c, c], offs[1])), values(len(&[c], offs[2])));
        let (end, upstream) = (values(len(&[c], offs[3])), values(len(&[a], offs[4])));
        let tags: Vec<u32> = (0..len(&[a, b], offs[5])).map(|at| ids.get(at % 9).map_or(0, |&id| id / 3)).collect();
        let (parameters, workspace) = (CrfParameters { transitions: &transitions, start: &start, end: &end }, &mut CrfWorkspace::default());
        let made = crf::forward(dims, parameters, &emissions, &lengths, &tags, workspace, threads).is_ok();
        prop_assert!(made || crf::backward(&upstream, workspace, threads).is_err());
        _ = crf::backward(&upstream, workspace, threads);
        _ = crf::check_paths(dims, parameters, &lengths, &tags);
        if let Ok(prepared) = PreparedCrf::new(c, parameters) {
            _ = prepared.viterbi(&emissions, &lengths, b, threads);
            _ = prepared.marginals(&emissions, &lengths, b, threads);
            _ = prepared.k_best(&emissions, a);
        }
        let dims = MonotonicDims { batch: a, time: b, positions: c, distances: probability as usize + ids.len() };
        let (scores, distances) = (values(len(&[a, b, c], offs[1])), values(len(&[dims.distances], offs[2])));
        let (emissions, scores, distances): (&[f32], &[f32], &[f32]) = (&emissions, &scores, &distances);
        let inputs = MonotonicInputs { emissions, scores, distances, lengths: &lengths, source_lengths: &lengths };
        if let Ok((_, trace)) = monotonic::forward(dims, inputs, threads) {
            _ = monotonic::backward(dims, inputs, &trace, &upstream, threads);
        }
        let dims = EmissionDims { batch: a, time: b, positions: b, width: c, vocabulary: 1 + ids.len() };
        let (source, target) = (values(len(&[a, b, c], offs[0])), values(len(&[a, b, c], offs[1])));
        let (weight, bias) = (values(len(&[1 + ids.len(), c], offs[2])), values(len(&[1 + ids.len()], offs[3])));
        let (source, target, weight, bias): (&[f32], &[f32], &[f32], &[f32]) = (&source, &target, &weight, &bias);
        let (tokens, lengths, source_lengths) = (&tags[..], &lengths[..], &lengths[..]);
        let inputs = EmissionInputs { source, target, weight, bias, tokens, lengths, source_lengths };
        if let Ok((_, trace)) = emission::forward(dims, inputs, threads) {
            _ = emission::backward(dims, inputs, &trace, &values(len(&[a, b, b], offs[4])), threads);
        }
        let dims = PointerDims { steps: a, vocabulary: b, weights: c };
        let (logits, gates, weights) =
            (values(len(&[a, b], offs[0])), values(len(&[a], offs[1])), values(len(&[c], offs[2])));
        let inputs = PointerInputs { logits: &logits[..], gates: &gates, weights: &weights };
        // As many offsets as steps, and some places, now and then of no step and outside the weights.
        let offsets: Vec<usize> = (0..len(&[a.saturating_add(1)], offs[3])).collect();
        let places: Vec<usize> = (0..len(&[a], offs[4])).map(|at| ids.get(at % 9).map_or(0, |&id| id as usize)).collect();
        let targets = PointerTargets { wanted: &ids, offsets: &offsets, places: &places };
        if let Ok((_, trace)) = pointer::forward(dims, inputs, targets, threads) {
            _ = pointer::backward(dims, inputs, targets, &trace, 1.0, threads);
        }
        _ = pointer::check_targets(dims, targets);
        prop_assert_eq!(dropout(&x, probability, 1, threads).is_ok(), (0.0..=1.0).contains(&probability));
    }
}

/// The cases that broke memory at revision 8a22f6e.
#[test]
fn sizes_that_wrap_are_errors() {
    let rnn = Cell::Rnn(Activation::Tanh);
    let weights = [Weights { weight_ih: &[1.0, 1.0], weight_hh: &[0.5], bias_ih: None, bias_hh: None, peephole: None }];
    for (time, outputs) in [(1usize << 63, 0), ((1 << 63) + 4, 8)] {
        let small = Dims { batch: 2, time: 1, input: 2, hidden: 1, directions: 1 };
        let packed = Packed::new(rnn, &small, &weights).unwrap();
        let (x, mut y, mut h_n) = (vec![0.0; 2 * outputs], vec![7.0; outputs], [0.0; 2]);
        let inputs = Inputs { x: &x, lengths: Some(&[0, 0]), h0: None, c0: None };
        let outputs = Outputs { y: &mut y, h_n: &mut h_n, c_n: None };
        let dims = Dims { time, ..small };
        let refused = forward(rnn, &dims, &packed, &inputs, outputs, None, &mut Workspace::default(), 1);
        assert!(matches!(refused, Err(KernelError::TooLarge { .. })), "{refused:?}");
        assert!(saved_len(rnn, &dims, None).is_err());
        assert!(y.iter().all(|&value| value == 7.0));
    }
    for (inputs, values) in [(1usize << 63, 0), ((1 << 63) + 1, 2)] {
        let dims = LinearDims { rows: 2, inputs, outputs: 2 };
        let refused = linear::forward(dims, &vec![1.0; values], &vec![1.0; values], None, 1);
        assert!(matches!(refused, Err(KernelError::TooLarge { .. })), "{refused:?}");
    }
}

#[test]
fn a_short_vector_gives_no_memory_of_others() {
    let dims = PoolDims { batch: 1, time: 10, outputs: 64 };
    let upstream = PoolUpstream { pooled: &[0.0; 64], weights: None };
    let refused = pool::backward(dims, PoolScore::Learnt(&[]), &[0.0; 640], &[10], &[0.1; 10], upstream, 1);
    assert_eq!(refused.unwrap_err().to_string(), "the score's vector has 0 values but its shape [O] = [64] has 64");
}

#[test]
fn steps_of_another_layer_are_refused() {
    let layer = |input: usize, hidden: usize| {
        let (ih, hh) = (values(4 * hidden * input), values(4 * hidden * hidden));
        let weights = Weights { weight_ih: &ih, weight_hh: &hh, bias_ih: None, bias_hh: None, peephole: None };
        Unrolled::new(Cell::Lstm, input, hidden, &weights).unwrap()
    };
    let (a, b, workspace) = (layer(3, 8), layer(5, 20), &mut Workspace::default());
    let x = values(6);
    let (_, saved) = a.forward(2, &x, None, None, true, workspace, 1).unwrap();
    let inputs = Inputs { x: &x, lengths: None, h0: None, c0: None };
    let mut steps = UnrolledSteps::default();
    a.backward(2, &inputs, &saved, &Upstream::default(), [true; 3], &mut steps, workspace, 1).unwrap();
    let refused = b.weight_gradients(&mut steps, [true, true, false, false, false], workspace, 1).unwrap_err();
    assert!(refused.to_string().contains("I = 3, H = 8") && refused.to_string().contains("I = 5, H = 20"), "{refused}");
    assert!(a.weight_gradients(&mut steps, [true, true, false, false, false], workspace, 1).is_ok());
}
