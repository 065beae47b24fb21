//! The network that trains and the one that answers are twins.

use std::path::Path;

use burn::tensor::Device;
use lookback_infer::input::{Batch, Example, Input, Raw};

use super::objective::answering;
use super::*;

/// Texts of several lengths, an empty one among them.
const TEXTS: [&str; 6] =
    ["one two three", "", "two", "three three one two four five six", "five one", "seven eight nine ten"];

fn input(plan: &ClassifyPlan) -> (Input, Vec<Example>) {
    let raws = TEXTS.map(|text| Raw::Text(text.to_owned()));
    let path = Path::new("texts");
    let input = Input::fit(&plan.input, raws.iter(), &[], path).unwrap();
    let examples = raws.into_iter().map(|raw| input.encode(raw, path, 1).unwrap()).collect();
    (input, examples)
}

fn options(cell: &str, layers: usize, bidirectional: bool, attention: &str, pooling: Option<&str>) -> ClassifyOptions {
    let mut options = ClassifyOptions::default();
    options.input.tokens.char_ngrams = (layers == 2).then(|| "2-3".into());
    options.input.tokens.bigram_buckets = (layers == 2).then_some(7);
    options.input.tokens.shape_buckets = (layers == 2).then_some(5);
    options.encoder.embedding = Some(if layers == 0 { 6 } else { 5 });
    options.encoder.layers = Some(layers);
    if layers > 0 {
        options.encoder.cell = Some(clap::ValueEnum::from_str(cell, false).unwrap());
        options.encoder.hidden = Some(6);
        options.encoder.bidirectional = Some(bidirectional);
    }
    options.encoder.attention = Some(attention.into());
    options.network.pooling = pooling.map(str::to_owned);
    options
}

/// Every form of attention with the poolings that go with it.
const FORMS: [(&str, &[Option<&str>]); 8] = [
    ("none", &[Some("attention"), Some("query"), Some("last"), Some("mean"), Some("max+attention+last")]),
    ("additive", &[Some("attention"), Some("max")]),
    ("dot", &[Some("mean")]),
    ("general", &[Some("attention")]),
    ("scaled-dot", &[Some("attention+mean")]),
    ("self", &[Some("attention"), Some("query")]),
    ("multi-head:2", &[Some("attention")]),
    ("structured:3", &[None]),
];

#[test]
fn every_network_answers_without_burn_as_with_it() {
    let device = Device::flex();
    let mut compared = 0;
    for cell in ["lstm", "gru", "rnn"] {
        for (layers, bidirectional) in [(0, false), (1, true), (2, true), (1, false), (2, false)] {
            for (attention, poolings) in FORMS {
                for &pooling in poolings {
                    let options = options(cell, layers, bidirectional, attention, pooling);
                    let plan = match ClassifyPlan::new(Path::new("x.csv"), &options) {
                        Ok(plan) => plan,
                        // Without layers there is no final state.
                        Err(error) => {
                            assert!(layers == 0 && error.to_string().contains("final state"), "{error}");
                            continue;
                        }
                    };
                    let (input, examples) = input(&plan);
                    device.seed(compared);
                    let network = Network::new(&plan.network, input.shape(), 3, &device).unwrap();
                    lookback_nn::parameters::initialise(&network);
                    let twin = answering(&network, &plan.network, input.shape(), 3);
                    let batch = Batch::new(&examples.iter().collect::<Vec<_>>(), network.parts(), &mut || false);
                    let logits = network.forward(&batch, 0.0, &device).unwrap().logits;
                    let expected = logits.into_data().try_to_vec::<f32>().unwrap();
                    let found = twin.forward(&batch, true).logits;
                    let name = format!("{cell}, {layers} layers, {bidirectional}, {attention}, {pooling:?}");
                    assert_eq!(found.len(), expected.len(), "{name}");
                    for (found, expected) in found.iter().zip(&expected) {
                        assert!((found - expected).abs() < 1e-6, "{name}: {found} instead of {expected}");
                    }
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 150, "{compared} configurations");
}
