//! The network that trains and the one that answers are twins, and texts may be read in pieces.

use burn::tensor::{Device, Distribution, Tensor};
use lookback_infer::data::documents::Document;
use lookback_infer::input::written::WrittenText;
use lookback_infer::tasks::generate::{Corpus, GeneratedText, NetworkPlan, judge};
use lookback_nn::{RecurrentConfig, State, parameters};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::train::answering;
use super::*;

/// Documents of several lengths, one with what no other has.
const DOCUMENTS: [&str; 5] = ["the cat sat", "a", "the dog sat on the mat\nand slept", "on", "zebra"];

fn options(cell: &str, layers: usize, tied: bool) -> GenerateOptions {
    let network = LanguageOptions {
        cell: Some(clap::ValueEnum::from_str(cell, false).unwrap()),
        embedding: Some(if tied && layers == 1 { 7 } else { 5 }),
        hidden: Some(7),
        layers: Some(layers),
        tied: Some(tied),
        dropout: Some(0.0),
        ..LanguageOptions::default()
    };
    GenerateOptions { network, ..GenerateOptions::default() }
}

fn text(documents: &[Document], plan: &GeneratePlan) -> GeneratedText {
    let texts = documents[..4].iter().map(|document| document.text.as_str());
    let written = WrittenText::fit_with((plan.text.cut, None), &[], texts, (1, 100), 1_000);
    GeneratedText { written, ends: true, labels: Vec::new() }
}

fn documents() -> Vec<Document> {
    let document = |text: &str| Document { text: text.into(), label: None, line: 1 };
    DOCUMENTS.map(document).to_vec()
}

/// A network by this plan, drawn from this seed.
fn network(plan: &NetworkPlan, vocabulary: usize, seed: u64, device: &Device) -> Network {
    device.seed(seed);
    let network = Network::new(plan, vocabulary, device).unwrap();
    parameters::initialise(&network);
    network
}

#[test]
fn what_trains_and_what_judges_have_the_same_loss_whole_and_in_pieces() {
    let device = Device::flex();
    let all = documents();
    let mut compared = 0;
    for cell in ["lstm", "gru", "rnn"] {
        for (layers, tied) in [(1, false), (1, true), (2, false), (3, true)] {
            let name = format!("{cell}, {layers} layers, {tied}");
            let plan = GeneratePlan::new(&options(cell, layers, tied)).unwrap();
            let text = text(&all, &plan);
            let corpus = Corpus::new(&all, &text, Path::new("documents")).unwrap();
            let vocabulary = text.written.vocabulary.len();
            let network = network(&plan.network, vocabulary, compared, &device);
            let twins = [answering(&network, &plan.network, vocabulary)];
            let expected = judge(&twins, &corpus).unwrap();
            assert_eq!((expected.tokens, expected.unknown), (corpus.tokens(), 3), "{name}");
            for chunk in [1_000, 4, 1] {
                let (mut nats, mut count) = (0.0, 0);
                let mut states: Vec<Option<RowState>> = vec![None; all.len()];
                let longest = corpus.documents.iter().map(|tokens| tokens.len()).max().unwrap();
                for start in (0..longest).step_by(chunk) {
                    let going: Vec<usize> = (0..all.len()).filter(|&row| start < corpus.documents[row].len()).collect();
                    let end = |row: usize| (start + chunk).min(corpus.documents[row].len());
                    let tokens =
                        |row: usize, behind: usize| &corpus.documents[row].0[start + behind..end(row) + behind];
                    let rows = Rows {
                        read: going.iter().map(|&row| tokens(row, 0)).collect(),
                        wanted: going.iter().map(|&row| tokens(row, 1)).collect(),
                    };
                    let before: Vec<Option<&RowState>> = going.iter().map(|&row| states[row].as_ref()).collect();
                    let mut rng = ChaCha8Rng::seed_from_u64(0);
                    let (mean, ends) = network.loss(&rows, &before, Penalties::default(), &mut rng, &device).unwrap();
                    let own: usize = rows.read.iter().map(|row| row.len()).sum();
                    nats += f64::from(mean.into_scalar::<f32>()) * own as f64;
                    count += own;
                    for (&row, end) in going.iter().zip(ends) {
                        states[row] = Some(end);
                    }
                }
                assert_eq!(count, expected.tokens);
                assert!((nats - expected.nats).abs() < 1e-4, "{name}, {chunk}: {nats} and {}", expected.nats);
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 12);
}

/// The gradients of the sum of squares of all outputs, and these: of a sequence that is read whole or in pieces, of which each goes
/// on from the state of the one before.
fn in_pieces(recurrent: &lookback_nn::Recurrent, x: &Tensor<3>, chunk: usize) -> (Vec<f32>, Vec<Vec<f32>>) {
    let [batch, time, width] = x.dims();
    let mut state: Option<State> = None;
    let mut outputs = Vec::new();
    for start in (0..time).step_by(chunk) {
        let part = x.clone().slice([0..batch, start..(start + chunk).min(time), 0..width]);
        let made = recurrent.forward(part, None, state.take()).unwrap();
        outputs.push(made.sequence);
        state = Some(made.state);
    }
    let sequence = Tensor::cat(outputs, 1);
    let gradients = sequence.clone().powi_scalar(2).sum().backward();
    let of_parameters = parameters::gradients(recurrent, &gradients);
    let values = sequence.into_data().try_to_vec::<f32>().unwrap();
    let of_input = x.grad(&gradients).unwrap().into_data().try_to_vec::<f32>().unwrap();
    (
        values,
        of_parameters.into_values().map(|gradient| gradient.try_to_vec::<f32>().unwrap()).chain([of_input]).collect(),
    )
}

#[test]
fn pieces_that_go_on_equal_the_whole_forward_and_backward() {
    let device = Device::flex().autodiff();
    for (seed, cell) in
        [lookback_nn::Cell::Lstm, lookback_nn::Cell::Gru, lookback_nn::Cell::Rnn].into_iter().enumerate()
    {
        device.seed(seed as u64);
        let recurrent = RecurrentConfig::new(cell, 4, 6).with_layers(2).init(&device).unwrap();
        let x = Tensor::<3>::random([3, 12, 4], Distribution::Normal(0.0, 1.0), &device).require_grad();
        let (whole, gradients) = in_pieces(&recurrent, &x, 12);
        for chunk in [1, 5, 7] {
            let (values, of_pieces) = in_pieces(&recurrent, &x, chunk);
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&values), bits(&whole), "{cell:?} in pieces of {chunk}");
            assert_eq!(of_pieces.len(), gradients.len());
            for (found, expected) in of_pieces.iter().flatten().zip(gradients.iter().flatten()) {
                let close = (found - expected).abs() <= 1e-5 * expected.abs().max(1.0);
                assert!(close, "{cell:?} in pieces of {chunk}: {found} instead of {expected}");
            }
        }
    }
}

#[test]
fn what_is_dropped_is_dropped_in_training_alone_and_penalties_add_to_the_loss() {
    let device = Device::flex();
    let all = documents();
    let mut options = options("lstm", 2, false);
    options.network.dropout = Some(0.5);
    options.network.token_dropout = Some(0.3);
    options.network.weight_dropout = Some(0.4);
    let plan = GeneratePlan::new(&options).unwrap();
    let text = text(&all, &plan);
    let corpus = Corpus::new(&all, &text, Path::new("documents")).unwrap();
    let rows = Rows {
        read: corpus.documents.iter().map(|tokens| &tokens.0[..tokens.len()]).collect(),
        wanted: corpus.documents.iter().map(|tokens| &tokens.0[1..]).collect(),
    };
    let loss = |network: &Network, device: &Device, penalties: Penalties| {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let loss = network.loss(&rows, &[None; 5], penalties, &mut rng, device).unwrap().0;
        loss.into_scalar::<f32>()
    };
    let none = Penalties::default();
    let vocabulary = text.written.vocabulary.len();
    let answering = network(&plan.network, vocabulary, 5, &device);
    assert_eq!(
        loss(&answering, &device, none),
        loss(&answering, &device, none),
        "nothing is dropped, nothing is trained"
    );
    let training = device.clone().autodiff();
    let trained = network(&plan.network, vocabulary, 5, &training);
    assert_ne!(loss(&trained, &training, none), loss(&trained, &training, none));
    let own = loss(&answering, &device, none);
    let both = loss(&answering, &device, Penalties { activation: 2.0, slowness: 1.0 }) - own;
    let activation = loss(&answering, &device, Penalties { activation: 2.0, slowness: 0.0 }) - own;
    assert!(activation > 0.0 && both > activation, "{activation} {both}");
}

#[test]
fn options_that_no_model_has_are_refused() {
    let refused = |options: GenerateOptions| GeneratePlan::new(&options).unwrap_err().to_string();
    let mut tied = options("lstm", 1, true);
    tied.network.embedding = Some(3);
    assert!(refused(tied).starts_with("--tied makes the last layer as wide as the token vectors"));
    let mut pieces = GenerateOptions::default();
    pieces.tokens.subwords = Some(10);
    assert_eq!(refused(pieces), "--subwords needs --tokenizer bpe or unigram");
    let mut between = GenerateOptions::default();
    between.network.layer_dropout = Some(0.1);
    assert_eq!(refused(between), "--layer-dropout is between layers, but --layers is 1");
    assert_eq!(
        refused(GenerateOptions { chunk: Some(0), ..GenerateOptions::default() }),
        "--chunk is 0; it must be from 1 to 1048576"
    );
    let mut tokens = GenerateOptions::default();
    tokens.train.batch_tokens = Some(9);
    assert!(refused(tokens).starts_with("--batch-tokens is not for language models"));
}
