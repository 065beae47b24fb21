//! What runs in the pools: each kernel forward and backward, and the bits of all it gives.

use lookback_kernels::attention::{self, Mask, Score, Wanted};
use lookback_kernels::crf::{self, CrfDims, CrfParameters, CrfWorkspace, PreparedCrf};
use lookback_kernels::cross_entropy;
use lookback_kernels::dropout::dropout;
use lookback_kernels::linear::{self, LinearDims, PackedLinear, PreparedLinear};
use lookback_kernels::lookup::{self, Bags, Lookup, NO_TOKEN};
use lookback_kernels::monotonic::emission::{self, EmissionDims, EmissionInputs};
use lookback_kernels::monotonic::{self, MonotonicDims, MonotonicInputs};
use lookback_kernels::pointer::{self, NOT_WRITTEN, PointerDims, PointerInputs, PointerTargets};
use lookback_kernels::pool::{self, PoolDims, PoolScore, PoolUpstream};
use lookback_kernels::{
    Activation, Cell, Dims, Inputs, Packed, Reset, Saving, Unrolled, UnrolledSteps, Upstream, Weights, Workspace,
    backward_owned, backward_recomputing, forward_owned,
};

/// A named piece of work: from a number of threads to the bits of everything it computes.
pub(crate) struct Work {
    pub(crate) name: String,
    pub(crate) run: Box<dyn Fn(usize) -> Vec<u32> + Send + Sync>,
}

pub(crate) fn work(name: impl Into<String>, run: impl Fn(usize) -> Vec<Vec<f32>> + Send + Sync + 'static) -> Work {
    let bits = move |threads| run(threads).concat().iter().map(|value: &f32| value.to_bits()).collect();
    Work { name: name.into(), run: Box::new(bits) }
}

/// Values from -1 to 1, the same for the same seed.
pub(crate) fn values(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

pub(crate) fn scaled(len: usize, seed: u64) -> Vec<f32> {
    values(len, seed).iter().map(|value| value * 0.1).collect()
}

/// Layers whose rows are fewer than the threads, so that teams form, or leave one row over.
pub(crate) fn recurrent() -> Vec<Work> {
    let rnn = Cell::Rnn(Activation::Tanh);
    let gru = Cell::Gru(Reset::AfterProduct);
    let dims = |batch, time, hidden, directions| Dims { batch, time, input: 16, hidden, directions };
    vec![
        layer("LSTM, one row", Cell::Lstm, dims(1, 64, 128, 1), None),
        layer("GRU, one row", gru, dims(1, 70, 144, 1), None),
        layer("RNN, one row", rnn, dims(1, 64, 256, 1), None),
        layer("LSTM, both directions", Cell::Lstm, dims(1, 62, 128, 2), None),
        layer("LSTM, ragged", Cell::Lstm, dims(3, 64, 128, 1), Some(vec![64, 3, 63])),
        layer("GRU before the product, one row over", Cell::Gru(Reset::BeforeProduct), dims(5, 12, 64, 1), None),
        recomputing(),
        unrolled(),
    ]
}

fn weights(cell: Cell, dims: &Dims) -> Vec<[Vec<f32>; 4]> {
    let gates = cell.gates() * dims.hidden;
    let lens = [gates * dims.input, gates * dims.hidden, gates, gates];
    (0..dims.directions as u64)
        .map(|d| std::array::from_fn(|part| scaled(lens[part], 10 * d + part as u64 + 1)))
        .collect()
}

fn borrowed(weights: &[[Vec<f32>; 4]]) -> Vec<Weights<'_>> {
    weights
        .iter()
        .map(|[ih, hh, b_ih, b_hh]| Weights {
            weight_ih: ih,
            weight_hh: hh,
            bias_ih: Some(b_ih),
            bias_hh: Some(b_hh),
            peephole: None,
        })
        .collect()
}

/// What is wanted of a backward pass: everything but peepholes.
fn wanted(cell: Cell, directions: usize) -> Vec<bool> {
    let states = [true, true, cell.has_cell_state()];
    states.into_iter().chain([true, true, true, true, false].repeat(directions)).collect()
}

fn layer(name: &str, cell: Cell, dims: Dims, lengths: Option<Vec<usize>>) -> Work {
    let Dims { batch, time, input, hidden, directions } = dims;
    let (weights, x) = (weights(cell, &dims), values(batch * time * input, 7));
    let dy = values(batch * time * directions * hidden, 8);
    work(name, move |threads| {
        let weights = borrowed(&weights);
        let packed = Packed::new(cell, &dims, &weights).unwrap();
        let inputs = Inputs { x: &x, lengths: lengths.as_deref(), h0: None, c0: None };
        let workspace = &mut Workspace::default();
        let (made, saved) = forward_owned(cell, &dims, &packed, &inputs, Saving::Gates, workspace, threads).unwrap();
        let y = &made[..dy.len()];
        let upstream = Upstream { y: Some(&dy), h_n: None, c_n: None };
        let wanted = wanted(cell, directions);
        let gradients =
            backward_owned(cell, &dims, &weights, &inputs, y, &saved, &upstream, &wanted, workspace, threads).unwrap();
        gradients.into_iter().flatten().chain([made]).collect()
    })
}

fn recomputing() -> Work {
    let (cell, dims, segment) = (Cell::Lstm, Dims { batch: 1, time: 130, input: 16, hidden: 128, directions: 1 }, 65);
    let (weights, x, dy) = (weights(cell, &dims), values(130 * 16, 7), values(130 * 128, 8));
    work("LSTM, gates computed again", move |threads| {
        let weights = borrowed(&weights);
        let packed = Packed::new(cell, &dims, &weights).unwrap();
        let inputs = Inputs { x: &x, lengths: None, h0: None, c0: None };
        let workspace = &mut Workspace::default();
        let saving = Saving::Checkpoints { segment };
        let (made, between) = forward_owned(cell, &dims, &packed, &inputs, saving, workspace, threads).unwrap();
        let (y, between) = (&made[..dy.len()], (segment, &between[..]));
        let upstream = Upstream { y: Some(&dy), h_n: None, c_n: None };
        let wanted = wanted(cell, 1);
        let gradients =
            backward_recomputing(cell, &dims, &weights, &inputs, y, between, &upstream, &wanted, workspace, threads)
                .unwrap();
        gradients.into_iter().flatten().chain([made]).collect()
    })
}

/// Steps whose one row has work enough for a team.
fn unrolled() -> Work {
    let (cell, batch, hidden) = (Cell::Lstm, 3, 320);
    let dims = Dims { batch, time: 1, input: 320, hidden, directions: 1 };
    let (weights, x, dh) = (weights(cell, &dims), values(batch * 320, 7), values(batch * hidden, 8));
    work("LSTM, unrolled", move |threads| {
        let layer = Unrolled::new(cell, 320, hidden, &borrowed(&weights)[0]).unwrap();
        let workspace = &mut Workspace::default();
        let (made, saved) = layer.forward(batch, &x, None, None, true, workspace, threads).unwrap();
        let inputs = Inputs { x: &x, lengths: None, h0: None, c0: None };
        let upstream = Upstream { y: None, h_n: Some(&dh), c_n: None };
        let mut steps = UnrolledSteps::default();
        let of_inputs =
            layer.backward(batch, &inputs, &saved, &upstream, [true; 3], &mut steps, workspace, threads).unwrap();
        let all = [true, true, true, true, false];
        let of_weights = layer.weight_gradients(&mut steps, all, workspace, threads).unwrap();
        of_inputs.into_iter().chain(of_weights).flatten().chain([made]).collect()
    })
}

/// The kernels around the recurrent ones.
pub(crate) fn everything() -> Vec<Work> {
    vec![
        attend("additive attention, one row", Kind::Additive, [1, 40, 50]),
        attend("dot product, more keys than a block", Kind::Product, [1, 30, 300]),
        attend("dot product, three rows", Kind::Product, [3, 13, 20]),
        linear_map("linear map of few rows", LinearDims { rows: 5, inputs: 30, outputs: 70 }),
        linear_map("linear map, packed", LinearDims { rows: 300, inputs: 33, outputs: 65 }),
        pooling(),
        token_vectors(),
        loss(),
        field("conditional random field", 3.0),
        field("conditional random field, scores far apart", 50.0),
        alignments(),
        copying(),
        work("dropout", |threads| vec![dropout(&values(50_000, 1), 0.3, 5, threads).unwrap()]),
    ]
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Additive,
    Product,
}

fn attend(name: &str, kind: Kind, [batch, queries, keys]: [usize; 3]) -> Work {
    let dims = attention::Dims { batch, queries, keys, heads: 2, width: 16, value: 16 };
    let len = |rows: usize| batch * rows * 32;
    let (query, key, value) = (values(len(queries), 1), values(len(keys), 2), values(len(keys), 3));
    let (v, dcontext) = (values(32, 4), values(len(queries), 5));
    work(name, move |threads| {
        let score = match kind {
            Kind::Additive => Score::Additive { v: &v },
            Kind::Product => Score::Product { scale: 0.25 },
        };
        let mask = Mask { causal: true, ..Mask::default() };
        let inputs = attention::Inputs { query: &query, keys: &key, values: &value };
        let workspace = &mut attention::Workspace::default();
        let out = attention::forward_owned(score, &dims, &mask, None, &inputs, true, workspace, threads).unwrap();
        let upstream = attention::Upstream { context: Some(&dcontext), weights: None };
        let wanted = Wanted { query: true, keys: true, values: true, v: kind == Kind::Additive, bias: true };
        let (context, statistics) = (&out.context, &out.statistics);
        let g = attention::backward_owned(
            score, &dims, &mask, None, &inputs, context, statistics, &upstream, wanted, workspace, threads,
        )
        .unwrap();
        let gradients = [g.query, g.keys, g.values, g.v, g.bias, out.weights];
        gradients.into_iter().flatten().chain([out.context]).collect()
    })
}

fn linear_map(name: &str, dims: LinearDims) -> Work {
    let LinearDims { rows, inputs, outputs } = dims;
    let (x, weight) = (values(rows * inputs, 1), values(outputs * inputs, 2));
    let (bias, dy) = (values(outputs, 3), values(rows * outputs, 4));
    work(name, move |threads| {
        let packed = PackedLinear::new(inputs, outputs, &weight, Some(&bias)).unwrap();
        let prepared = PreparedLinear::new(inputs, outputs, &weight, Some(&bias)).unwrap();
        let lengths: Vec<usize> = (0..rows).map(|row| row % 2).collect();
        [
            linear::forward(dims, &x, &weight, Some(&bias), threads),
            linear::input_gradient(dims, &weight, &dy, threads),
            linear::weight_gradient(dims, &x, &dy, threads),
            linear::bias_gradient(dims, &dy),
            packed.forward(&x, threads),
            packed.input_gradient(&dy, threads),
            prepared.forward_ragged(&x, &lengths, 1, threads),
        ]
        .map(Result::unwrap)
        .to_vec()
    })
}

fn pooling() -> Work {
    let dims = PoolDims { batch: 9, time: 20, outputs: 24 };
    let (sequence, vector, upstream) = (values(9 * 20 * 24, 1), values(24, 2), values(9 * 24, 3));
    let lengths = [20, 0, 3, 20, 7, 1, 19, 20, 2];
    work("attention pooling", move |threads| {
        let (mut pooled, mut weights) = (vec![0.0; 9 * 24], vec![0.0; 9 * 20]);
        let score = PoolScore::Learnt(&vector);
        pool::forward(dims, score, &sequence, &lengths, &mut pooled, &mut weights, threads).unwrap();
        let from = PoolUpstream { pooled: &upstream, weights: None };
        let gradients = pool::backward(dims, score, &sequence, &lengths, &weights, from, threads).unwrap();
        gradients.into_iter().chain([pooled, weights]).collect()
    })
}

fn token_vectors() -> Work {
    let places: Vec<u32> = (0..500).map(|place| if place % 11 == 0 { NO_TOKEN } else { place * 7 % 90 }).collect();
    let lookup =
        Lookup { positions: places, unique: 90, bags: vec![Bags::single((0..90).map(|id| id * 13 % 200).collect())] };
    let (table, upstream) = (values(200 * 10, 1), values(500 * 10, 2));
    work("token vectors", move |threads| {
        let vectors = lookup::forward(&lookup, &[&table], 10, threads).unwrap();
        let gradients = lookup::backward(&lookup, &[200], 10, &upstream, &[true], threads).unwrap();
        gradients.into_iter().flatten().chain([vectors]).collect()
    })
}

fn loss() -> Work {
    let (logits, labels) = (values(100 * 33, 1), (0..100u32).map(|row| row * 5 % 33).collect::<Vec<_>>());
    work("cross-entropy", move |threads| {
        let mut sums = vec![0.0; 100];
        let loss = cross_entropy::forward(33, &logits, &labels, &mut sums, threads).unwrap();
        let gradient = cross_entropy::backward(33, &logits, &labels, &sums, 1.0, threads).unwrap();
        vec![vec![loss], sums, gradient]
    })
}

fn field(name: &str, limit: f32) -> Work {
    let (dims, lengths) = (CrfDims { batch: 9, time: 13, tags: 37 }, [13, 2, 0, 13, 7, 1, 12, 13, 5]);
    let emissions = values(9 * 13 * 37, 1);
    let [transitions, start, end] =
        [(37 * 37, 2), (37, 3), (37, 4)].map(|(len, seed)| values(len, seed).iter().map(|v| v * limit).collect());
    let tags: Vec<u32> = (0..9 * 13).map(|at| at * 5 % 37).collect();
    let upstream = values(9, 5);
    work(name, move |threads| {
        let (transitions, start, end): (&Vec<f32>, &Vec<f32>, &Vec<f32>) = (&transitions, &start, &end);
        let parameters = CrfParameters { transitions, start, end };
        let workspace = &mut CrfWorkspace::default();
        let found = crf::forward(dims, parameters, &emissions, &lengths, &tags, workspace, threads).unwrap();
        let gradients = crf::backward(&upstream, workspace, threads).unwrap();
        let prepared = PreparedCrf::new(37, parameters).unwrap();
        let paths = prepared.viterbi(&emissions, &lengths, 13, threads).unwrap();
        let marginals = prepared.marginals(&emissions, &lengths, 13, threads).unwrap();
        let tags = paths.tags.iter().map(|&tag| tag as f32).collect();
        let crf::CrfGradients { emissions, transitions, start, end } = gradients;
        vec![found.losses, found.log_partitions, emissions, transitions, start, end, tags, paths.scores, marginals]
    })
}

/// Enough cells for several blocks, rows of which end within one.
fn alignments() -> Work {
    let (batch, time, positions, width, vocabulary) = (7, 9, 11, 8, 3000);
    let (lengths, source_lengths) = ([9, 2, 0, 9, 7, 1, 8], [11, 3, 1, 9, 11, 4, 11]);
    let (source, target) = (values(batch * positions * width, 1), values(batch * time * width, 2));
    let (weight, bias) = (scaled(vocabulary * width, 3), values(vocabulary, 4));
    let (scores, distances, upstream) = (values(batch * time * positions, 5), values(4, 6), values(batch, 7));
    let tokens: Vec<u32> = (0..batch * time).map(|at| (at * 5 % vocabulary) as u32).collect();
    work("hard monotonic attention", move |threads| {
        let dims = EmissionDims { batch, time, positions, width, vocabulary };
        let (lengths, source_lengths) = (&lengths, &source_lengths);
        let (source, target, weight, bias): (&[f32], &[f32], &[f32], &[f32]) = (&source, &target, &weight, &bias);
        let of_cells = EmissionInputs { source, target, weight, bias, tokens: &tokens, lengths, source_lengths };
        let (emissions, cells) = emission::forward(dims, of_cells, threads).unwrap();
        let sizes = MonotonicDims { batch, time, positions, distances: 4 };
        let (scores, distances): (&[f32], &[f32]) = (&scores, &distances);
        let inputs = MonotonicInputs { emissions: &emissions, scores, distances, lengths, source_lengths };
        let (likelihoods, trace) = monotonic::forward(sizes, inputs, threads).unwrap();
        let found = monotonic::backward(sizes, inputs, &trace, &upstream, threads).unwrap();
        let g = emission::backward(dims, of_cells, &cells, &found.emissions, threads).unwrap();
        let likely = [likelihoods, found.emissions, found.scores, found.distances];
        likely.into_iter().chain([emissions.clone(), g.source, g.target, g.weight, g.bias]).collect()
    })
}

fn copying() -> Work {
    let (steps, vocabulary) = (90, 37);
    let (logits, gates) = (values(steps * vocabulary, 1), values(steps, 2));
    let weights: Vec<f32> = values(steps * 5, 3).iter().map(|value| value.abs() / 5.0).collect();
    // No place of the first step of three, one of the second, and two of the third, which can only be copied.
    let wanted: Vec<u32> =
        (0..steps).map(|n| if n % 3 == 2 { NOT_WRITTEN } else { (n * 5 % vocabulary) as u32 }).collect();
    let places: Vec<usize> = (0..steps).flat_map(|n| (0..n % 3).map(move |k| 5 * n + 2 * k)).collect();
    let offsets: Vec<usize> = (0..=steps).map(|n| n / 3 * 3 + [0, 0, 1][n % 3]).collect();
    work("copying", move |threads| {
        let dims = PointerDims { steps, vocabulary, weights: steps * 5 };
        let inputs = PointerInputs { logits: &logits[..], gates: &gates, weights: &weights };
        let targets = PointerTargets { wanted: &wanted, offsets: &offsets, places: &places };
        let (loss, trace) = pointer::forward(dims, inputs, targets, threads).unwrap();
        let found = pointer::backward(dims, inputs, targets, &trace, 1.5, threads).unwrap();
        vec![vec![loss], found.logits, found.gates, found.weights]
    })
}
