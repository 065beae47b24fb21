//! The network that answers: against its equations in every configuration, and what it promises of its bits.

mod case;
mod reference;

use std::path::Path;

use case::{Case, LABELS};
use lookback_infer::input::{Batch, BatchInput, InputShape};
use lookback_infer::model_file::{Tensor, Tensors};
use lookback_infer::network::{AttentionForm, Encoded, Encoder, Output, Weights};
use lookback_infer::tasks::classify::{Network, NgramBagConfig, Sizes, answer_together};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

const LENGTHS: [usize; 8] = [4, 9, 0, 1, 7, 9, 2, 5];

/// Values by what they are, of one row or of all.
type Bits = Vec<(String, Vec<u32>)>;

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn all_bits(Output { logits, weights, views }: &Output) -> Bits {
    let mut all = vec![("logits".into(), bits(logits))];
    all.extend(weights.iter().map(|weights| ("weights".into(), bits(weights))));
    all.extend(views.iter().map(|view| (view.name.clone(), bits(&view.values))));
    all
}

/// What stands within the row's own length. `within`: how long the rows of the batch are.
fn row_bits(output: &Output, row: usize, length: usize, within: usize) -> Bits {
    let mut all = vec![("logits".into(), bits(&output.logits[row * LABELS..][..LABELS]))];
    all.extend(output.weights.iter().map(|weights| ("weights".into(), bits(&weights[row * within..][..length]))));
    all.extend(output.views.iter().map(|view| (view.name.clone(), bits(&matrix(view, row, length, within)))));
    all
}

/// `[Q, length]` of one row.
fn matrix(view: &Weights, row: usize, length: usize, within: usize) -> Vec<f32> {
    let queries = if view.queries == 1 { 1 } else { length };
    let of = |query: usize| &view.values[(row * view.queries + query) * within..][..length];
    (0..queries).flat_map(of).copied().collect()
}

fn on<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

#[track_caller]
fn close(found: &[f32], expected: &[f64], of: &str) {
    assert_eq!(found.len(), expected.len(), "{of}");
    for (found, expected) in found.iter().zip(expected) {
        let error = (f64::from(*found) - expected).abs();
        assert!(error <= 1e-5 * expected.abs().max(1.0), "{of}: {found} instead of {expected}");
    }
}

/// Compares everything that a case makes of rows of these lengths with the equations.
fn compare(case: &Case, lengths: &[usize]) {
    let (file, network, batch) = (case.file(), case.network(), case.batch(0, lengths));
    let mut own = case.file();
    let mut tensors = Tensors::new(&mut own, Path::new("m"), "encoder.");
    let encoder = Encoder::read(&case.plan.encoder, case.shape, &mut tensors).unwrap();
    let (encoded, output) = (encoder.forward(&batch, true), network.forward(&batch, true));
    let (Encoded { steps, width, pooled, views, .. }, time) = (encoded, batch.time);
    assert_eq!(views, output.views);
    assert_eq!(output.weights.is_some(), case.plan.has_weights());
    let form = case.plan.encoder.attention;
    match form {
        AttentionForm::Structured(_) => assert_eq!(pooled.unwrap().weights, output.weights),
        _ => assert!(pooled.is_none() && width == case.plan.encoder.width()),
    }
    for (row, &length) in lengths.iter().enumerate() {
        let of = format!("row {row} of length {length}, {}", case.plan.summary());
        let expected = reference::row(case, &file, &batch, row);
        let (real, padding) = steps[row * time * width..][..time * width].split_at(length * width);
        close(real, &expected.steps, &format!("steps of {of}"));
        assert!(padding.iter().all(|value| value.to_bits() == 0), "{of}");
        close(&output.logits[row * LABELS..][..LABELS], &expected.logits, &format!("logits of {of}"));
        if let Some(weights) = &output.weights {
            let (real, padding) = weights[row * time..][..time].split_at(length);
            close(real, &expected.weights.unwrap(), &format!("weights of {of}"));
            assert!(padding.iter().all(|&weight| weight == 0.0), "{of}");
        }
        let heads = form.pair_heads() + if let AttentionForm::Structured(hops) = form { hops } else { 0 };
        assert_eq!(views.len(), heads, "{of}");
        for (view, expected) in views.iter().zip(&expected.views) {
            assert_eq!(view.queries, if form.pools() { 1 } else { time }, "{of}");
            close(&matrix(view, row, length, time), expected, &format!("{} of {of}", view.name));
            for (at, &weight) in view.values[row * view.queries * time..][..view.queries * time].iter().enumerate() {
                let (query, step) = (at / time, at % time);
                let past = step >= length || (view.queries > 1 && query >= length);
                assert!(!past || weight == 0.0, "{} of {of} has a weight past the row's length", view.name);
            }
        }
    }
}

#[test]
fn every_configuration_gives_what_its_equations_give() {
    let cases = case::all();
    assert!(cases.len() > 400, "{}", cases.len());
    cases.iter().for_each(|case| compare(case, &LENGTHS));
    case::long().iter().for_each(|case| compare(case, &[300, 17, 261]));
}

#[test]
fn a_row_alone_equals_the_same_row_in_a_ragged_batch_bit_for_bit() {
    let all = case::all().into_iter().map(|case| (case, &LENGTHS[..]));
    for (case, lengths) in all.chain(case::long().into_iter().map(|case| (case, &[300, 17, 261, 3][..]))) {
        let (network, batch) = (case.network(), case.batch(0, lengths));
        let together = network.forward(&batch, true);
        for (row, &length) in lengths.iter().enumerate() {
            let batch_of_one = case.batch(row, &[length]);
            let alone = network.forward(&batch_of_one, true);
            let found = row_bits(&together, row, length, batch.time);
            let expected = row_bits(&alone, 0, length, batch_of_one.time);
            assert_eq!(found, expected, "row {row} of length {length}, {}", case.plan.summary());
        }
    }
}

#[test]
fn no_bit_depends_on_the_threads_nor_on_whether_somebody_looks() {
    let all = case::all().into_iter().step_by(3).map(|case| (case, &LENGTHS[..]));
    for (case, lengths) in all.chain(case::long().into_iter().map(|case| (case, &[300, 261][..]))) {
        let (network, batch) = (case.network(), case.batch(0, lengths));
        let one = on(1, || network.forward(&batch, true));
        for threads in [2, 4] {
            let more = on(threads, || network.forward(&batch, true));
            assert_eq!(all_bits(&more), all_bits(&one), "{threads} threads, {}", case.plan.summary());
        }
        let unseen = on(2, || network.forward(&batch, false));
        assert!(unseen.views.is_empty());
        assert_eq!(all_bits(&unseen), all_bits(&Output { views: Vec::new(), ..one }), "{}", case.plan.summary());
    }
}

#[test]
fn nothing_is_answered_as_nothing_and_an_empty_row_by_the_biases() {
    for case in case::all().into_iter().step_by(2) {
        let network = case.network();
        let batch = case.batch(0, &[]);
        let output = network.forward(&batch, true);
        assert!(output.logits.is_empty() && output.weights.is_none_or(|weights| weights.is_empty()));
        assert!(output.views.iter().all(|view| view.values.is_empty()));
        let batch = case.batch(4, &[0, 0]);
        let output = network.forward(&batch, true);
        let file = case.file();
        // The first of the two rows has no n-gram either.
        for (label, &logit) in output.logits[..LABELS].iter().enumerate() {
            let bias = |name: &str| file.tensors.get(name).map(|bias| bias.data[label]);
            let output = bias("output.bias").unwrap();
            let expected = bias("linear.bias").map_or(output, |linear| 0.5 * (output + linear));
            assert_eq!(logit, expected, "{}", case.plan.summary());
        }
        for values in output.weights.iter().chain(output.views.iter().map(|view| &view.values)) {
            assert!(values.iter().all(|&value| value == 0.0));
        }
    }
    // A batch made of no series does not tell that it is one of series.
    let case = case::long().remove(0);
    let texts = BatchInput::Tokens(std::sync::Arc::default());
    let batch = Batch { input: texts, lengths: Vec::new(), time: 1 };
    assert!(case.network().forward(&batch, true).logits.is_empty());
}

#[test]
fn several_callers_at_once_get_what_each_gets_alone() {
    fn shared<T: Send + Sync>() {}
    shared::<Network>();
    shared::<Encoder>();
    for case in case::long() {
        let network = case.network();
        let work: Vec<Batch> =
            (0..8).map(|first| case.batch(first, &[20 + 9 * first, 3, 40, 0][..1 + first % 4])).collect();
        let alone: Vec<Bits> = work.iter().map(|batch| all_bits(&network.forward(batch, true))).collect();
        std::thread::scope(|scope| {
            for caller in 0..4 {
                let (network, work, alone) = (&network, &work, &alone);
                scope.spawn(move || {
                    let mut order: Vec<usize> = (0..work.len()).collect();
                    order.shuffle(&mut StdRng::seed_from_u64(caller));
                    for at in order {
                        let batch = &work[at];
                        assert_eq!(all_bits(&network.forward(batch, true)), alone[at]);
                    }
                });
            }
        });
    }
}

#[test]
fn an_ensemble_answers_the_mean_of_all_probabilities_weights_and_views() {
    for form in ["none", "self", "multi-head:2", "structured:3"] {
        let case = case::all().into_iter().find(|case| case.plan.encoder.attention.to_string() == form).unwrap();
        let networks: Vec<Network> = (0..3).map(|seed| Case { seed, ..case.clone() }.network()).collect();
        let batch = case.batch(0, &LENGTHS);
        let alone: Vec<Output> = networks.iter().map(|network| network.forward(&batch, true)).collect();
        let mean = |of: &dyn Fn(&Output) -> Vec<f32>| -> Vec<f64> {
            let all: Vec<Vec<f32>> = alone.iter().map(of).collect();
            (0..all[0].len()).map(|at| all.iter().map(|values| f64::from(values[at])).sum::<f64>() / 3.0).collect()
        };
        let together = answer_together(&networks, &batch, true);
        let probabilities: Vec<f32> = together.logits.iter().map(|logit| logit.exp()).collect();
        close(&probabilities, &mean(&|output| softmax(&output.logits)), form);
        close(together.weights.as_ref().unwrap(), &mean(&|output| output.weights.clone().unwrap()), form);
        for (at, view) in together.views.iter().enumerate() {
            close(&view.values, &mean(&|output| output.views[at].values.clone()), &view.name);
        }
        let one = answer_together(&networks[..1], &batch, true);
        assert_eq!(all_bits(&one), all_bits(&alone[0]));
    }
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let powers = logits.iter().map(|logit| logit.exp()).collect::<Vec<_>>();
    powers.chunks(LABELS).flat_map(|row| row.iter().map(|power| power / row.iter().sum::<f32>())).collect()
}

#[test]
fn a_probability_of_nothing_has_a_logarithm_and_what_is_no_number_stays_so() {
    let case = &case::long()[0];
    let network = |bias: f32| {
        let mut file = case.file();
        file.tensors.insert("output.bias".into(), Tensor { shape: vec![LABELS], data: vec![bias, 0.0, 0.0] });
        Network::read(&case.plan, case.shape, LABELS, &mut Tensors::new(&mut file, Path::new("m"), "")).unwrap()
    };
    let batch = case.batch(0, &[3]);
    let answer = |bias| answer_together(&[network(bias), network(bias)], &batch, false).logits;
    assert!((answer(1e9)[1] - 1e-30f32.ln()).abs() < 1e-4);
    assert!(answer(f32::NAN).iter().all(|logit| logit.is_nan()));
}

#[test]
fn what_fits_no_network_is_refused_in_a_sentence_that_names_the_tensor() {
    let refused = |case: &Case, labels: usize, change: &dyn Fn(&mut Case)| {
        let (mut file, mut case) = (case.file(), case.clone());
        change(&mut case);
        let mut tensors = Tensors::new(&mut file, Path::new("m"), "");
        Network::read(&case.plan, case.shape, labels, &mut tensors).unwrap_err().to_string()
    };
    let case = &case::all()[0];
    let cases = [
        (
            refused(case, LABELS, &|case| case.plan.encoder.hidden = 6),
            "m: the tensor \"encoder.recurrent.weight_ih_l0\" has the shape [20, 4]; [24, 4] was expected",
        ),
        (
            refused(case, LABELS, &|case| case.plan.encoder.layers = 2),
            "m: the tensor \"encoder.recurrent.weight_ih_l1\" is missing; one of shape [20, 5] was expected",
        ),
        (refused(case, 4, &|_| {}), "m: the tensor \"output.weight\" has the shape [3, 5]; [4, 5] was expected"),
        (
            refused(case, LABELS, &|case| case.plan.encoder.layers = 65),
            "m: the entry \"network\" of the model cannot be used: --layers is 65; it must be from 0 to 64",
        ),
        (
            refused(case, LABELS, &|case| {
                let words = Some(Sizes { min: 1, max: 2 });
                case.plan.linear = Some(NgramBagConfig { characters: None, words, buckets: 6 });
                case.shape = InputShape::Channels(2);
            }),
            "m: the entry \"network\" of the model cannot be used: it has a linear part over n-grams, but reads numeric \
             series",
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
    // Shapes that fit their plan and yet make no network.
    let (case, mut file) = (&case::long()[0], case::long()[0].file());
    for name in ["weight_ih_l0", "weight_ih_l0_reverse"] {
        let empty = Tensor { shape: vec![80, 0], data: Vec::new() };
        file.tensors.insert(format!("encoder.recurrent.{name}"), empty);
    }
    let mut tensors = Tensors::new(&mut file, Path::new("m"), "");
    let error = Network::read(&case.plan, InputShape::Channels(0), LABELS, &mut tensors).unwrap_err().to_string();
    assert_eq!(
        error,
        "m: the tensor \"encoder.recurrent.weight_ih_l0\" fits no network: I is 0 but must be at least 1"
    );
}

#[test]
fn random_batches_of_random_shapes_equal_their_rows() {
    let mut rng = StdRng::seed_from_u64(7);
    let cases = case::all();
    for _ in 0..60 {
        let case = &cases[rng.random_range(0..cases.len())];
        let network = case.network();
        let lengths: Vec<usize> = (0..rng.random_range(1..40)).map(|_| rng.random_range(0..30)).collect();
        let first = rng.random_range(0..100);
        let batch = case.batch(first, &lengths);
        let together = network.forward(&batch, true);
        for (row, &length) in lengths.iter().enumerate() {
            let one = case.batch(first + row, &[length]);
            let alone = network.forward(&one, true);
            assert_eq!(row_bits(&together, row, length, batch.time), row_bits(&alone, 0, length, one.time), "{case:?}");
        }
    }
}
