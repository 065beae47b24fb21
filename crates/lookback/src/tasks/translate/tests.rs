//! The network that trains and the one that answers are twins.

use std::path::Path;

use burn::tensor::Device;
use lookback_infer::input::vocabulary::UNK;
use lookback_infer::input::written::{WrittenCut, WrittenText};
use lookback_infer::input::{Batch, Example, Input, InputPlan, Raw};
use lookback_infer::network::{AttentionForm, Cell, DecoderScore, EncoderPlan};
use lookback_infer::tasks::translate::{
    self, Bridge, DecoderForm, DecoderPlan, NetworkPlan, SourceTokens, Targets, losses,
};

use super::Network;
use crate::input::TokenOptions;
use crate::network::twin;

/// Sources and targets of several lengths, one of them empty.
const PAIRS: [(&str, &str); 5] = [
    ("one two three", "a b c d"),
    ("two", "b"),
    ("three three one two four five six", "c c a b d e f a"),
    ("five one", ""),
    ("seven eight nine ten", "f e d"),
];

fn plan(cell: Cell, layers: usize, form: DecoderForm, score: DecoderScore, bridge: Bridge) -> NetworkPlan {
    let encoder = EncoderPlan {
        cell,
        embedding: 5,
        embedding_scale: 0.3,
        embeddings: None,
        embeddings_mode: None,
        embeddings_vocabulary: 0,
        hidden: 4,
        layers,
        bidirectional: true,
        recompute: false,
        attention: AttentionForm::None,
        embedding_dropout: 0.0,
        layer_dropout: 0.0,
        forget_bias: None,
    };
    let decoder = DecoderPlan {
        form,
        cell,
        hidden: 8,
        layers,
        score,
        embedding: if layers == 2 { 8 } else { 6 },
        tied: layers == 2 && form != DecoderForm::Bahdanau,
        embedding_dropout: 0.0,
        layer_dropout: 0.0,
        output_dropout: 0.0,
        copy: false,
        coverage: false,
    };
    NetworkPlan { encoder, bridge, decoder, ensemble: 1 }
}

struct Pairs {
    input: Input,
    examples: Vec<Example>,
    text: WrittenText,
    targets: Vec<Vec<u32>>,
}

fn pairs() -> Pairs {
    let path = Path::new("pairs");
    let plan: InputPlan = TokenOptions::default().plan().unwrap();
    let raws = PAIRS.map(|(source, _)| Raw::Text(source.into()));
    let input = Input::fit(&plan, raws.iter(), &[], path).unwrap();
    let examples = raws.into_iter().map(|raw| input.encode(raw, path, 1).unwrap()).collect();
    let text = WrittenText::fit(WrittenCut::Blanks, PAIRS.iter().map(|pair| pair.1), (1, 100), 50);
    let targets = PAIRS.iter().map(|(_, target)| text.encode(target).0).collect();
    Pairs { input, examples, text, targets }
}

#[test]
fn every_network_costs_the_same_without_burn_as_with_it_and_a_row_alone_as_among_others() {
    let device = Device::flex();
    let Pairs { input, examples, text, targets } = pairs();
    let rows: Vec<&[u32]> = targets.iter().map(Vec::as_slice).collect();
    let mut compared = 0;
    for cell in [Cell::Lstm, Cell::Gru, Cell::Rnn] {
        for layers in [1, 2] {
            for form in [DecoderForm::Luong, DecoderForm::Bahdanau, DecoderForm::HardMonotonic] {
                let scores =
                    [DecoderScore::General, DecoderScore::Additive, DecoderScore::Dot, DecoderScore::ScaledDot];
                let count = if form == DecoderForm::HardMonotonic { 1 } else { scores.len() };
                for score in scores.into_iter().take(count) {
                    for bridge in [Bridge::Dense, Bridge::Copy, Bridge::Zero] {
                        let name = format!("{cell:?}, {layers} layers, {form:?}, {score}, {bridge:?}");
                        let plan = plan(cell, layers, form, score, bridge);
                        device.seed(compared);
                        let vocabulary = text.vocabulary.len();
                        let network = Network::new(&plan, input.shape(), vocabulary, &device).unwrap();
                        lookback_nn::parameters::initialise(&network);
                        let answering = twin(translate::NAME, &network, |tensors| {
                            translate::Network::read(&plan, input.shape(), vocabulary, tensors)
                        });
                        let answering = [answering];
                        let all: Vec<&Example> = examples.iter().collect();
                        let batch = Batch::new(&all, network.parts(), &mut || false);
                        let together = Targets::new(&rows, &text, || false);
                        let found = losses(&answering, &batch, &together);
                        let mean = network.loss(&batch, &together, (0.0, None), &device).unwrap().into_scalar::<f32>();
                        let steps: usize = (0..rows.len()).map(|row| together.length(row)).sum();
                        let of_mean = found.iter().sum::<f64>() / steps as f64;
                        assert!((of_mean - f64::from(mean)).abs() < 1e-5, "{name}: {of_mean} instead of {mean}");
                        for (row, example) in examples.iter().enumerate() {
                            let own = Batch::new(&[example], network.parts(), &mut || false);
                            let alone = [rows[row]];
                            let alone = Targets::new(&alone, &text, || false);
                            let mean = network.loss(&own, &alone, (0.0, None), &device).unwrap().into_scalar::<f32>();
                            let expected = f64::from(mean) * alone.length(0) as f64;
                            assert!((found[row] - expected).abs() < 1e-4, "{name}: {} and {expected}", found[row]);
                            let again = losses(&answering, &own, &alone)[0];
                            assert_eq!(again.to_bits(), found[row].to_bits(), "{name}, row {row} alone");
                        }
                        compared += 1;
                    }
                }
            }
        }
    }
    assert_eq!(compared, 162);
}

/// Sources and targets of which some words are the source's own; the last source has none.
const COPIED: [(&str, &str); 5] = [
    ("call Ada Lovelace now", "now Lovelace calls Ada"),
    ("call Grace", "Grace is called"),
    ("Kay and Kay and Ada", "Ada and Kay Kay Babbage"),
    ("Ada", ""),
    ("call and call and call now and now", "now and call call"),
];

#[test]
fn networks_that_copy_or_cover_cost_the_same_without_burn_and_alone() {
    let device = Device::flex();
    let path = Path::new("pairs");
    let raws = COPIED.map(|(source, _)| Raw::Text(source.into()));
    let input = Input::fit(&TokenOptions::default().plan().unwrap(), raws.iter(), &[], path).unwrap();
    let examples: Vec<Example> = raws.into_iter().map(|raw| input.encode(raw, path, 1).unwrap()).collect();
    let known = ["call calls called", "now and is"];
    let text = WrittenText::fit(WrittenCut::Blanks, known.into_iter(), (1, 100), 50);
    let sources: Vec<SourceTokens> = examples.iter().map(|example| SourceTokens::of(&text, example)).collect();
    assert_eq!(sources[2].own, ["Kay", "Ada"]);
    let encoded = COPIED.iter().zip(&sources).map(|((_, target), source)| text.encode_beside(target, source).0);
    let encoded: Vec<Vec<u32>> = encoded.collect();
    let (rows, vocabulary) = (encoded.iter().map(Vec::as_slice).collect::<Vec<_>>(), text.vocabulary.len());
    for (index, (form, score, copy, coverage)) in [
        (DecoderForm::Luong, DecoderScore::General, true, false),
        (DecoderForm::Luong, DecoderScore::Additive, true, true),
        (DecoderForm::Luong, DecoderScore::Additive, false, true),
        (DecoderForm::Bahdanau, DecoderScore::Dot, true, false),
        (DecoderForm::Bahdanau, DecoderScore::Additive, true, true),
    ]
    .into_iter()
    .enumerate()
    {
        let mut plan = plan(Cell::Lstm, 2, form, score, Bridge::Dense);
        (plan.decoder.copy, plan.decoder.coverage) = (copy, coverage);
        let name = format!("{form:?}, {score}, copy {copy}, coverage {coverage}");
        device.seed(index as u64);
        let network = Network::new(&plan, input.shape(), vocabulary, &device).unwrap();
        lookback_nn::parameters::initialise(&network);
        let answering = [twin(translate::NAME, &network, |tensors| {
            translate::Network::read(&plan, input.shape(), vocabulary, tensors)
        })];
        let of = |rows: &[usize]| -> Vec<&SourceTokens> {
            if copy { rows.iter().map(|&row| &sources[row]).collect() } else { Vec::new() }
        };
        let batch = Batch::new(&examples.iter().collect::<Vec<_>>(), network.parts(), &mut || false);
        // Without copying a target has no other number for them.
        let unknown: Vec<Vec<u32>> = COPIED.iter().map(|(_, target)| text.encode(target).0).collect();
        let unknown: Vec<&[u32]> = unknown.iter().map(Vec::as_slice).collect();
        let rows = if copy { &rows } else { &unknown };
        let together = Targets::new(rows, &text, || false).with_sources(of(&[0, 1, 2, 3, 4]));
        let found = losses(&answering, &batch, &together);
        let mean = network.loss(&batch, &together, (0.0, None), &device).unwrap().into_scalar::<f32>();
        let steps: usize = (0..rows.len()).map(|row| together.length(row)).sum();
        let of_mean = found.iter().sum::<f64>() / steps as f64;
        assert!((of_mean - f64::from(mean)).abs() < 1e-5, "{name}: {of_mean} instead of {mean}");
        for (row, example) in examples.iter().enumerate() {
            let own = Batch::new(&[example], network.parts(), &mut || false);
            let alone = [rows[row]];
            let alone = Targets::new(&alone, &text, || false).with_sources(of(&[row]));
            let mean = network.loss(&own, &alone, (0.0, None), &device).unwrap().into_scalar::<f32>();
            let expected = f64::from(mean) * alone.length(0) as f64;
            assert!((found[row] - expected).abs() < 1e-4, "{name}: {} and {expected}", found[row]);
            let again = losses(&answering, &own, &alone)[0];
            assert_eq!(again.to_bits(), found[row].to_bits(), "{name}, row {row} alone");
        }
        if coverage {
            // Every step but the first looks somewhere for the second time.
            let more = network.loss(&batch, &together, (0.0, Some(2.0)), &device).unwrap().into_scalar::<f32>();
            assert!(more > mean && more < mean + 2.0, "{name}: {more} and {mean}");
        }
    }
}

#[test]
fn tokens_of_a_source_are_those_of_a_target() {
    let text = WrittenText::fit(WrittenCut::Words, ["call now, please (soon)"].into_iter(), (1, 100), 50);
    let raw = || Raw::Text("Please call (Ada Byron-King), now!".into());
    for lowercase in [true, false] {
        let plan: InputPlan = TokenOptions { lowercase: Some(lowercase), ..TokenOptions::default() }.plan().unwrap();
        let path = Path::new("sources");
        let input = Input::fit(&plan, [&raw()].into_iter(), &[], path).unwrap();
        let source = SourceTokens::of(&text, &input.encode(raw(), path, 1).unwrap());
        let known = text.vocabulary.len();
        let token = |&id: &u32| match source.own.get((id as usize).wrapping_sub(known)) {
            Some(own) => own.as_str(),
            None => text.vocabulary.token(id).unwrap(),
        };
        let found: Vec<&str> = source.ids.iter().map(token).collect();
        let want = [" Please", " call", " (", "Ada", " Byron", "-", "King", ")", ",", " now", "!"];
        assert_eq!(found, want, "lower case: {lowercase}");
        assert_eq!(source.own, [" Please", "Ada", " Byron", "-", "King", "!"]);
        // A word of the source's own is wanted by its number, and read as an unknown one.
        let (ids, _) = text.encode_beside("call Ada, Byron Babbage", &source);
        let (call, comma) = (text.vocabulary.id(" call").unwrap(), text.vocabulary.id(",").unwrap());
        assert_eq!(ids, [call, UNK, comma, known as u32 + 2, UNK], "Ada stands behind a bracket in the source");
        let rows = [ids.as_slice()];
        let targets = Targets::new(&rows, &text, || false);
        assert_eq!(targets.before(), [text.bos(), call, UNK, comma, UNK, UNK]);
    }
}

#[test]
fn smoothing_is_the_cross_entropy_to_a_share_of_all() {
    let device = Device::flex();
    let Pairs { input, examples, text, targets } = pairs();
    let plan = plan(Cell::Gru, 1, DecoderForm::Luong, DecoderScore::General, Bridge::Dense);
    device.seed(3);
    let vocabulary = text.vocabulary.len();
    let network = Network::new(&plan, input.shape(), vocabulary, &device).unwrap();
    let batch = Batch::new(&examples.iter().collect::<Vec<_>>(), network.parts(), &mut || false);
    let rows: Vec<&[u32]> = targets.iter().map(Vec::as_slice).collect();
    let targets = Targets::new(&rows, &text, || false);
    let logits = network.forward(&batch, &targets, &device).unwrap();
    let logits = logits.into_data().try_into_vec::<f32>().unwrap();
    let (share, wanted) = (0.2, targets.wanted());
    let mut expected = 0.0;
    for (row, &wanted) in logits.chunks_exact(vocabulary).zip(&wanted) {
        let log_sum = row.iter().map(|&logit| f64::from(logit).exp()).sum::<f64>().ln();
        for (token, &logit) in row.iter().enumerate() {
            let own = if token as i64 == wanted { 1.0 - share } else { 0.0 };
            expected += (own + share / vocabulary as f64) * (log_sum - f64::from(logit));
        }
    }
    expected /= wanted.len() as f64;
    let found = f64::from(network.loss(&batch, &targets, (share, None), &device).unwrap().into_scalar::<f32>());
    assert!((found - expected).abs() < 1e-5, "{found} instead of {expected}");
}
