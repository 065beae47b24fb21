//! Decoders over every cell: what a step gives, and that packed steps learn what their equations say.

use burn::tensor::{Bool, DType, Device, Tensor, TensorData};

use super::{BahdanauDecoder, HardMonotonicDecoder, LuongDecoder, MonotonicTargets};
use crate::attention::tests::{B, K, all_gradients, close, device, random, same_gradients, values, wide};
use crate::attention::{Attention, AttentionConfig, Mask, Score};
use crate::ops::AlignedTargets;
use crate::{Cell, Recurrent, RecurrentConfig, State};

const CELLS: [Cell; 3] = [Cell::Lstm, Cell::Gru, Cell::Rnn];

fn layers(cell: Cell, [input, hidden, layers]: [usize; 3], device: &Device) -> Recurrent {
    RecurrentConfig::new(cell, input, hidden).with_layers(layers).init(device).unwrap()
}

fn additive(query: usize, device: &Device) -> Attention {
    AttentionConfig::new(Score::Additive { hidden: 4 }, query, 6).init(device).unwrap()
}

/// A state to begin with, `[layers, B, 7]`.
fn start(cell: Cell, layers: usize, device: &Device) -> State {
    let drawn = || random([layers, B, 7], device);
    State { hidden: drawn(), cell: cell.has_cell_state().then(drawn) }
}

#[test]
fn decoders_step_over_a_memory_and_learn_through_it() {
    let device = device();
    let outputs = random([B, K, 6], &device);
    let mask = Mask::none().with_key_lengths(&[5, 1, 3]);
    let words = [random([B, 2], &device), random([B, 2], &device)];
    for (cell, count) in CELLS.into_iter().flat_map(|cell| [(cell, 1), (cell, 2)]) {
        let recurrent = layers(cell, [2 + 7, 7, count], &device);
        let luong = LuongDecoder::new(2, 6, recurrent, additive(7, &device), &device).unwrap();
        let memory = luong.memory(outputs.clone(), &mask).unwrap();
        let (mut fed, mut state) = (Tensor::zeros([B, 7], &device), None);
        for word in &words {
            let step = luong.step(word.clone(), fed, state, &memory, &mask, true).unwrap();
            let weights = values(step.weights.unwrap());
            assert!((weights[K] - 1.0).abs() < 1e-5, "the second row has one key: {weights:?}");
            (fed, state) = (step.attentional, Some(step.state));
        }
        assert_eq!(fed.dims(), [B, 7]);
        assert_eq!(state.unwrap().hidden.dims(), [count, B, 7]);
        let gradients = fed.sum().backward();
        assert!(values(outputs.grad(&gradients).unwrap()).iter().any(|&value| value != 0.0));
        // Input feeding: the first word reaches the second step's output.
        assert!(values(words[0].grad(&gradients).unwrap()).iter().all(|value| value.is_finite()));
        assert!(values(words[0].grad(&gradients).unwrap()).iter().any(|&value| value != 0.0));

        let recurrent = layers(cell, [2 + 6, 7, count], &device);
        let bahdanau = BahdanauDecoder::new(2, 6, recurrent, additive(7, &device)).unwrap();
        let memory = bahdanau.memory(outputs.clone(), &mask).unwrap();
        let begin = start(cell, count, &device);
        let step = bahdanau.step(words[1].clone(), begin, &memory, &mask, true).unwrap();
        assert_eq!((step.output.dims(), step.context.dims()), ([B, 7], [B, 6]));
        // One key alone: the context is that key's value.
        let only = outputs.clone().slice([1..2, 0..1, 0..6]).squeeze_dim(1);
        close("context", step.context.slice([1..2, 0..6]), only);
    }
}

/// A decoder whose weights are packed once and whose gradients are summed once, against its equations step by step.
#[test]
fn a_decoder_over_a_whole_sequence_has_the_gradients_of_its_steps() {
    let device = device();
    let last_of = |state: State| state.cell.unwrap_or(state.hidden);
    let mask = Mask::none().with_key_lengths(&[5, 1, 3]);
    let scores =
        [Score::Additive { hidden: 4 }, Score::General, Score::Concat { hidden: 3 }, Score::ScaledDot, Score::Cosine];
    let cases = scores.into_iter().flat_map(|score| [(Cell::Lstm, score, 1, false), (Cell::Lstm, score, 2, true)]);
    let others = [Cell::Gru, Cell::Rnn].map(|cell| (cell, Score::General, 2, false));
    for (cell, score, count, biased) in cases.chain(others) {
        let attention = AttentionConfig::new(score, 6, 6).init(&device).unwrap();
        let decoder = LuongDecoder::new(2, 6, layers(cell, [2 + 6, 6, count], &device), attention, &device).unwrap();
        let (outputs, words) = (random([B, K, 6], &device), random([B, 4, 2], &device));
        let upstream = random([B, 4, 6], &device).detach();
        // A mask that is more than lengths goes by steps of their own.
        let bias = Tensor::<2>::zeros([1, K], &device).detach();
        let mask = if biased { mask.clone().with_bias(bias) } else { mask.clone() };
        let start = || Tensor::<2>::zeros([B, 6], &device);
        let memory = decoder.memory(outputs.clone(), &mask).unwrap();
        let (all, last) = decoder.forward(words.clone(), start(), None, &memory, &mask).unwrap();
        let loss = (all.clone() * upstream.clone()).sum() + last_of(last.unwrap()).sum();
        let found = all_gradients(&decoder, loss, &[&outputs, &words]);

        let (mut fed, mut state, mut each) = (start(), None, Vec::new());
        for t in 0..4 {
            let word = words.clone().slice([0..B, t..t + 1]).squeeze_dim(1);
            let (h, next) = decoder.recurrent.step(Tensor::cat(vec![word, fed], 1), state).unwrap();
            let query = h.unsqueeze_dim::<3>(1);
            let context = decoder.attention.forward(query.clone(), outputs.clone(), outputs.clone(), &mask).unwrap();
            fed = decoder.combine.forward(context, query).unwrap().squeeze_dim(1);
            each.push(fed.clone().unsqueeze_dim::<3>(1));
            state = Some(next);
        }
        let want = Tensor::cat(each, 1);
        close("outputs", all, want.clone());
        let loss = (want * upstream).sum() + last_of(state.unwrap()).sum();
        same_gradients(&found, &all_gradients(&decoder, loss, &[&outputs, &words]));
    }
}

/// The same for attention first, whose query is the state of the step before.
#[test]
fn bahdanaus_steps_have_the_gradients_of_their_equations() {
    let device = device();
    let mask = Mask::none().with_key_lengths(&[5, 1, 3]);
    for (cell, count) in CELLS.into_iter().flat_map(|cell| [(cell, 1), (cell, 2)]) {
        let recurrent = layers(cell, [2 + 6, 7, count], &device);
        let decoder = BahdanauDecoder::new(2, 6, recurrent, additive(7, &device)).unwrap();
        let (outputs, words) = (random([B, K, 6], &device), random([B, 4, 2], &device));
        let (begin, upstream) = (start(cell, count, &device), random([B, 7], &device).detach());
        let word = |t: usize| words.clone().slice([0..B, t..t + 1]).squeeze_dim::<2>(1);
        let memory = decoder.memory(outputs.clone(), &mask).unwrap();
        let (mut state, mut sum) = (begin.clone(), Tensor::<2>::zeros([B, 7], &device));
        for t in 0..4 {
            let step = decoder.step(word(t), state, &memory, &mask, false).unwrap();
            (sum, state) = (sum + step.output * upstream.clone(), step.state);
        }
        let found = all_gradients(&decoder, sum.clone().sum(), &[&outputs, &words, &begin.hidden]);
        let (mut state, mut own) = (begin.clone(), Tensor::<2>::zeros([B, 7], &device));
        for t in 0..4 {
            let query = state.last_layer(1).unwrap().unsqueeze_dim::<3>(1);
            let context = decoder.attention.forward(query, outputs.clone(), outputs.clone(), &mask).unwrap();
            let x = Tensor::cat(vec![word(t), context.squeeze_dim(1)], 1);
            let (y, next) = decoder.recurrent.step(x, Some(state)).unwrap();
            (own, state) = (own + y * upstream.clone(), next);
        }
        close("outputs", sum, own.clone());
        same_gradients(&found, &all_gradients(&decoder, own.sum(), &[&outputs, &words, &begin.hidden]));
    }
}

/// A finished model has no graph; its decoder gives what it gave in training.
#[test]
fn a_finished_decoder_steps_to_the_same_bits() {
    use burn::module::Module;
    let device = device();
    let mask = Mask::none().with_key_lengths(&[5, 1, 3]);
    let recurrent = layers(Cell::Gru, [2 + 7, 7, 2], &device);
    let decoder = LuongDecoder::new(2, 6, recurrent, additive(7, &device), &device).unwrap();
    let (outputs, words) = (random([B, K, 6], &device), random([B, 4, 2], &device));
    let zeros = |device: &Device| Tensor::<2>::zeros([B, 7], device);
    let memory = decoder.memory(outputs.clone(), &mask).unwrap();
    let (want, _) = decoder.forward(words.clone(), zeros(&device), None, &memory, &mask).unwrap();
    let (finished, plain) = (decoder.valid(), Device::flex());
    let memory = finished.memory(outputs.inner(), &mask).unwrap();
    let (found, _) = finished.forward(words.inner(), zeros(&plain), None, &memory, &mask).unwrap();
    assert_eq!(values(found), values(want));
}

/// Targets of several lengths as one operation, beside the same step by step.
#[test]
fn luongs_steps_as_one_operation_are_those_one_by_one() {
    let device = device();
    let mask = Mask::none().with_key_lengths(&[5, 1, 3]);
    let scores = [Score::Additive { hidden: 4 }, Score::General, Score::ConcatSum { hidden: 3 }, Score::ScaledDot];
    for (index, (cell, score)) in CELLS.into_iter().flat_map(|cell| scores.map(|score| (cell, score))).enumerate() {
        let (count, width) = (1 + index % 2, 6);
        let attention = AttentionConfig::new(score, width, 6).init(&device).unwrap();
        let decoder = LuongDecoder::new(2, 6, layers(cell, [2 + 6, 6, count], &device), attention, &device).unwrap();
        let (outputs, words) = (random([B, K, 6], &device), random([B, 4, 2], &device));
        let (previous, upstream) = (random([B, 6], &device), random([B, 4, 6], &device).detach());
        let drawn = || random([count, B, 6], &device);
        let begin = State { hidden: drawn(), cell: cell.has_cell_state().then(drawn) };
        for lengths in [None, Some(&[2, 4, 0][..])] {
            let memory = decoder.memory(outputs.clone(), &mask).unwrap();
            let (x, start) = (words.clone(), Some(begin.clone()));
            let (found, last) =
                decoder.forward_ragged(x, lengths, previous.clone(), start.clone(), &memory, &mask).unwrap();
            assert!(memory.layers.get().is_none(), "{score:?} was taken step by step");
            let inputs = [&outputs, &words, &begin.hidden];
            let of = |all: Tensor<3>, last: State| {
                let loss = (all * upstream.clone()).sum() + last.hidden.sum();
                last.cell.map_or(loss.clone(), |cell| loss + cell.sum())
            };
            let gradients = all_gradients(&decoder, of(found.clone(), last.unwrap()), &inputs);
            let memory = decoder.memory(outputs.clone(), &mask).unwrap();
            let begin = (previous.clone(), start);
            let want = decoder.step_by_step(words.clone(), lengths, begin, (&memory, &mask), false).unwrap();
            close("outputs", found, want.outputs.clone());
            same_gradients(&gradients, &all_gradients(&decoder, of(want.outputs, want.state.unwrap()), &inputs));
        }
    }
}

#[test]
fn bahdanaus_steps_as_one_operation_are_those_one_by_one() {
    let device = device();
    let mask = Mask::none().with_key_lengths(&[5, 1, 3]);
    for (cell, count) in CELLS.into_iter().flat_map(|cell| [(cell, 1), (cell, 2)]) {
        let recurrent = layers(cell, [2 + 6, 7, count], &device);
        let decoder = BahdanauDecoder::new(2, 6, recurrent, additive(7, &device)).unwrap();
        let (outputs, words) = (random([B, K, 6], &device), random([B, 4, 2], &device));
        let begin = start(cell, count, &device);
        let [of_outputs, of_contexts] = [7, 6].map(|width| random([B, 4, width], &device).detach());
        for lengths in [None, Some(&[2, 4, 0][..])] {
            let of = |steps: super::BahdanauSteps| {
                (steps.outputs * of_outputs.clone()).sum()
                    + (steps.contexts * of_contexts.clone()).sum()
                    + steps.state.hidden.sum()
            };
            let inputs = [&outputs, &words, &begin.hidden];
            let memory = decoder.memory(outputs.clone(), &mask).unwrap();
            let found = decoder.forward(words.clone(), lengths, begin.clone(), &memory, &mask).unwrap();
            assert!(memory.layers.get().is_none(), "the steps were taken one by one");
            let gradients = all_gradients(&decoder, of(found.clone()), &inputs);
            let memory = decoder.memory(outputs.clone(), &mask).unwrap();
            let want = decoder.step_by_step(words.clone(), lengths, begin.clone(), (&memory, &mask), false).unwrap();
            close("outputs", found.outputs, want.outputs.clone());
            close("contexts", found.contexts, want.contexts.clone());
            same_gradients(&gradients, &all_gradients(&decoder, of(want), &inputs));
        }
    }
}

/// The weights and coverage, as one operation and step by step, with what flows back through both.
#[test]
fn weights_and_coverage_as_one_operation_are_those_step_by_step() {
    let device = device();
    let mask = Mask::none().with_key_lengths(&[5, 1, 3]);
    let [of_outputs, of_weights] = [7, K].map(|width| random([B, 4, width], &device).detach());
    for (cell, lengths, covers) in CELLS.into_iter().flat_map(|cell| {
        [None, Some(&[2, 4, 0][..])]
            .into_iter()
            .flat_map(move |lengths| [true, false].map(|covers| (cell, lengths, covers)))
    }) {
        let (outputs, words) = (random([B, K, 6], &device), random([B, 4, 2], &device));
        let (begin, inputs) = (start(cell, 2, &device), [outputs.clone(), words.clone()]);
        let loss = |outputs: Tensor<3>, weights: Option<Tensor<3>>, state: State| {
            (outputs * of_outputs.clone()).sum() + (weights.unwrap() * of_weights.clone()).sum() + state.hidden.sum()
        };
        let read = || -> Vec<&Tensor<3>> { inputs.iter().collect() };

        let recurrent = layers(cell, [2 + 7, 7, 2], &device);
        let mut luong = LuongDecoder::new(2, 6, recurrent, additive(7, &device), &device).unwrap();
        if covers {
            luong = luong.with_coverage(&device).unwrap();
        }
        let previous = random([B, 7], &device).detach();
        let memory = luong.memory(outputs.clone(), &mask).unwrap();
        let (x, state) = (words.clone(), Some(begin.clone()));
        let found = luong.forward_with_weights(x, lengths, previous.clone(), state, &memory, &mask).unwrap();
        assert!(memory.layers.get().is_none(), "the steps were taken one by one");
        let of_found = loss(found.outputs.clone(), found.weights.clone(), found.state.unwrap());
        let gradients = all_gradients(&luong, of_found, &read());
        let (memory, start) = (luong.memory(outputs.clone(), &mask).unwrap(), (previous, Some(begin.clone())));
        let want = luong.step_by_step(words.clone(), lengths, start, (&memory, &mask), true).unwrap();
        close("outputs", found.outputs, want.outputs.clone());
        close("weights", found.weights.unwrap(), want.weights.clone().unwrap());
        let of_want = loss(want.outputs, want.weights, want.state.unwrap());
        same_gradients(&gradients, &all_gradients(&luong, of_want, &read()));

        let recurrent = layers(cell, [2 + 6, 7, 2], &device);
        let mut bahdanau = BahdanauDecoder::new(2, 6, recurrent, additive(7, &device)).unwrap();
        if covers {
            bahdanau = bahdanau.with_coverage(&device).unwrap();
        }
        let memory = bahdanau.memory(outputs.clone(), &mask).unwrap();
        let found = bahdanau.forward_with_weights(words.clone(), lengths, begin.clone(), &memory, &mask).unwrap();
        assert!(memory.layers.get().is_none(), "the steps were taken one by one");
        let of_found = loss(found.outputs.clone(), found.weights.clone(), found.state.clone());
        let gradients = all_gradients(&bahdanau, of_found, &read());
        let memory = bahdanau.memory(outputs.clone(), &mask).unwrap();
        let want = bahdanau.step_by_step(words.clone(), lengths, begin, (&memory, &mask), true).unwrap();
        close("outputs", found.outputs, want.outputs.clone());
        close("contexts", found.contexts, want.contexts);
        close("weights", found.weights.unwrap(), want.weights.clone().unwrap());
        let of_want = loss(want.outputs, want.weights, want.state);
        same_gradients(&gradients, &all_gradients(&bahdanau, of_want, &read()));
    }
}

/// What is of another type than f32 is composed, and comes near what the kernels give.
#[test]
fn decoders_run_in_f64() {
    let device = device();
    let (mask, lengths) = (Mask::none().with_key_lengths(&[5, 1, 3]), Some(&[4, 2, 0][..]));
    let (outputs, words, previous) = (random([B, K, 6], &device), random([B, 4, 2], &device), random([B, 7], &device));
    let of = |x: &Tensor<3>, dtype: DType| x.clone().cast(dtype);
    let state = |begin: &State, dtype: DType| State {
        hidden: of(&begin.hidden, dtype),
        cell: begin.cell.as_ref().map(|cell| of(cell, dtype)),
    };
    for cell in CELLS {
        let luong = LuongDecoder::new(2, 6, layers(cell, [2 + 7, 7, 2], &device), additive(7, &device), &device);
        let bahdanau = BahdanauDecoder::new(2, 6, layers(cell, [2 + 6, 7, 2], &device), additive(7, &device));
        let luong = luong.unwrap().with_coverage(&device).unwrap();
        let (bahdanau, begin) = (bahdanau.unwrap().with_coverage(&device).unwrap(), start(cell, 2, &device));
        let [narrow, wide] =
            [(luong.clone(), bahdanau.clone()), (wide(luong), wide(bahdanau))].map(|(luong, bahdanau)| {
                let dtype = luong.coverage.as_ref().unwrap().val().dtype();
                let [x, outputs] = [&words, &outputs].map(|x| of(x, dtype));
                let memory = luong.memory(outputs.clone(), &mask).unwrap();
                let (start, previous) = (state(&begin, dtype), previous.clone().cast(dtype));
                let by_luong = luong
                    .forward_with_weights(x.clone(), lengths, previous, Some(start.clone()), &memory, &mask)
                    .unwrap();
                let memory = bahdanau.memory(outputs, &mask).unwrap();
                let by_bahdanau = bahdanau.forward_with_weights(x, lengths, start, &memory, &mask).unwrap();
                let weights = [by_luong.weights, by_bahdanau.weights].map(Option::unwrap);
                let all = weights.into_iter().chain([by_luong.outputs, by_bahdanau.outputs, by_bahdanau.contexts]);
                all.map(|x| (x.dtype(), x.cast(DType::F32))).collect::<Vec<_>>()
            });
        for ((_, narrow), (dtype, wide)) in narrow.into_iter().zip(wide) {
            assert_eq!(dtype, DType::F64);
            close("in f64", narrow, wide);
        }
    }
}

/// Regression: a panic.
#[test]
fn weights_over_no_keys_and_no_rows_are_none() {
    let device = device();
    for ([batch, keys], covers) in [[0, 5], [3, 0], [0, 0]].into_iter().flat_map(|at| [(at, false), (at, true)]) {
        let recurrent = |input: usize| layers(Cell::Gru, [input, 7, 1], &device);
        let mut luong = LuongDecoder::new(2, 6, recurrent(2 + 7), additive(7, &device), &device).unwrap();
        let mut bahdanau = BahdanauDecoder::new(2, 6, recurrent(2 + 6), additive(7, &device)).unwrap();
        if covers {
            luong = luong.with_coverage(&device).unwrap();
            bahdanau = bahdanau.with_coverage(&device).unwrap();
        }
        let nothing = |shape: [usize; 3]| Tensor::<3>::zeros(shape, &device);
        let (outputs, words) = (nothing([batch, keys, 6]), nothing([batch, 4, 2]));
        let (mask, previous) = (Mask::none(), Tensor::zeros([batch, 7], &device));
        let memory = luong.memory(outputs.clone(), &mask).unwrap();
        let steps = luong.forward_with_weights(words.clone(), None, previous, None, &memory, &mask).unwrap();
        assert_eq!((steps.outputs.dims(), steps.weights.unwrap().dims()), ([batch, 4, 7], [batch, 4, keys]));
        let memory = bahdanau.memory(outputs, &mask).unwrap();
        let state = State { hidden: nothing([1, batch, 7]), cell: None };
        let steps = bahdanau.forward_with_weights(words, None, state, &memory, &mask).unwrap();
        assert_eq!((steps.outputs.dims(), steps.weights.unwrap().dims()), ([batch, 4, 7], [batch, 4, keys]));
    }
}

#[test]
fn coverage_goes_with_additive_scores_and_steps_that_read_it() {
    let device = device();
    let decoder = |score: Score| {
        let attention = AttentionConfig::new(score, 6, 6).init(&device).unwrap();
        LuongDecoder::new(2, 6, layers(Cell::Gru, [2 + 6, 6, 1], &device), attention, &device).unwrap()
    };
    let error = decoder(Score::General).with_coverage(&device).unwrap_err().to_string();
    assert!(error.contains("General with coverage but must be additive or concat"), "{error}");
    let covering = decoder(Score::Additive { hidden: 4 }).with_coverage(&device).unwrap();
    let (x, zeros) = (random([B, 2], &device), Tensor::zeros([B, 6], &device));
    let memory = covering.memory(random([B, K, 6], &device), &Mask::none()).unwrap();
    let error = covering.step(x.clone(), zeros.clone(), None, &memory, &Mask::none(), true).unwrap_err().to_string();
    assert!(error.contains("step_covering"), "{error}");
    let coverage = Tensor::zeros([B, K + 1], &device);
    let step = covering.step_covering(x, zeros, None, coverage, &memory, &Mask::none());
    assert!(step.unwrap_err().to_string().contains("coverage is [3, "));
}

/// Where all is dropped between the layers nothing is left to chance, so both ways give the same; `tests/decoder_dropout.rs`
/// has draws.
#[test]
fn layers_with_dropout_between_them_are_one_operation() {
    let device = device();
    let mask = Mask::none().with_key_lengths(&[5, 1, 3]);
    // Below 1, as a layer wants it, but so little that nothing is kept.
    let all = f64::from(1.0f32.next_down());
    for cell in CELLS {
        let config = RecurrentConfig::new(cell, 2 + 6, 6).with_layers(2).with_dropout(all);
        let (recurrent, attention) = (config.init(&device).unwrap(), additive(6, &device));
        let decoder = LuongDecoder::new(2, 6, recurrent, attention, &device).unwrap();
        let (outputs, words) = (random([B, K, 6], &device), random([B, 4, 2], &device));
        let (previous, upstream) = (random([B, 6], &device), random([B, 4, 6], &device).detach());
        let [one, other] = [false, true].map(|step_by_step| {
            let memory = decoder.memory(outputs.clone(), &mask).unwrap();
            let (x, previous, lengths) = (words.clone(), previous.clone(), Some(&[4, 2, 0][..]));
            let (made, last) = match step_by_step {
                true => {
                    let steps = decoder.step_by_step(x, lengths, (previous, None), (&memory, &mask), false).unwrap();
                    (steps.outputs, steps.state)
                }
                false => decoder.forward_ragged(x, lengths, previous, None, &memory, &mask).unwrap(),
            };
            assert_eq!(memory.layers.get().is_some(), step_by_step, "{cell:?}");
            let loss = (made.clone() * upstream.clone()).sum() + last.unwrap().hidden.sum();
            (made, all_gradients(&decoder, loss, &[&outputs, &words]))
        });
        close("outputs", one.0, other.0);
        same_gradients(&one.1, &other.1);
    }
}

/// Whatever stands past the lengths, and whatever row stands beside it, a row is as likely; every parameter learns.
#[test]
fn hard_monotonic_attention_learns_and_reads_no_padding() {
    let device = device();
    for (cell, count) in CELLS.into_iter().flat_map(|cell| [(cell, 1), (cell, 2)]) {
        let attention = AttentionConfig::new(Score::General, 7, 6).init(&device).unwrap();
        let recurrent = layers(cell, [2, 7, count], &device);
        let decoder = HardMonotonicDecoder::new(2, 6, recurrent, attention, 3, &device).unwrap();
        let (outputs, words) = (random([B, K, 6], &device), random([B, 4, 2], &device));
        let (weight, bias) = (random([5, 7], &device), random([5], &device));
        let (lengths, source_lengths) = (vec![2, 4, 1], vec![5, 1, 3]);
        let dropout = burn::nn::DropoutConfig::new(0.0).init();
        // Drawn once: the tests beside this one draw from the same generator.
        let first = start(cell, count, &device);
        let run = |outputs: Tensor<3>, words: Tensor<3>| {
            let (lengths, source_lengths) = (lengths.clone(), source_lengths.clone());
            let aligned = AlignedTargets { tokens: (0..12).map(|at| at % 5).collect(), lengths, source_lengths };
            let output = (weight.clone(), bias.clone());
            let targets = MonotonicTargets { aligned: aligned.into(), output, dropout: &dropout };
            decoder.log_likelihood(words, Some(first.clone()), outputs, targets).unwrap()
        };
        let found = run(outputs.clone(), words.clone());
        let gradients = all_gradients(&decoder, found.clone().sum(), &[&outputs, &words]);
        for (name, gradient) in &gradients {
            assert!(gradient.iter().any(|&value| value != 0.0), "{name} learns nothing");
        }
        let past = |lengths: &[usize], [rows, steps, width]: [usize; 3]| {
            let is = |at: usize| at / width % steps >= lengths[at / (steps * width)];
            let flags: Vec<bool> = (0..rows * steps * width).map(is).collect();
            Tensor::<3, Bool>::from_data(TensorData::new(flags, [rows, steps, width]), &device)
        };
        let other = outputs.clone().mask_fill(past(&source_lengths, [B, K, 6]), f32::NAN);
        let others = words.clone().mask_fill(past(&lengths, [B, 4, 2]), f32::NAN);
        let again = run(other, others);
        close("likelihoods", again.clone(), found);
        same_gradients(&all_gradients(&decoder, again.sum(), &[&outputs, &words]), &gradients);
    }
}

#[test]
fn hard_monotonic_attention_refuses_what_it_cannot_do() {
    let device = device();
    let made = |attention: Attention| {
        HardMonotonicDecoder::new(2, 6, layers(Cell::Gru, [2, 7, 1], &device), attention, 3, &device)
    };
    assert!(made(additive(7, &device)).unwrap_err().to_string().contains("must be general"));
    let general = AttentionConfig::new(Score::General, 7, 6);
    let dropping = general.clone().with_dropout(0.5).init(&device).unwrap();
    assert!(made(dropping).unwrap_err().to_string().contains("is 0.5 but must be 0"));
    // A target whose source has no position was certain.
    let decoder = made(general.init(&device).unwrap()).unwrap();
    let dropout = burn::nn::DropoutConfig::new(0.0).init();
    let run = |lengths: Vec<usize>| {
        let aligned = AlignedTargets { tokens: vec![0; 4], lengths, source_lengths: vec![0, 0] }.into();
        let targets =
            MonotonicTargets { aligned, output: (random([5, 7], &device), random([5], &device)), dropout: &dropout };
        decoder.log_likelihood(random([2, 2, 2], &device), None, Tensor::zeros([2, 0, 6], &device), targets)
    };
    assert!(run(vec![0, 1]).unwrap_err().to_string().contains("no position"));
    assert_eq!(values(run(vec![0, 0]).unwrap()), [0.0, 0.0]);
}
