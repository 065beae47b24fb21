//! The network that trains and the one that answers are twins.

use burn::tensor::Device;
use lookback_infer::input::{Batch, Example, Raw};

use super::train::answering;
use super::*;

/// Sentences of several lengths.
const SENTENCES: [&str; 5] =
    ["one two three", "two", "three three one two four five six", "five one", "seven eight nine ten"];
const TAGS: usize = 3;

fn options(cell: &str, layers: usize, bidirectional: bool, attention: &str) -> TagOptions {
    let mut options = TagOptions::default();
    options.tokens.char_ngrams = (layers == 2).then(|| "2-3".into());
    options.tokens.bigram_buckets = (layers == 2).then_some(7);
    options.tokens.shape_buckets = (layers == 2).then_some(5);
    options.encoder.cell = Some(clap::ValueEnum::from_str(cell, false).unwrap());
    options.encoder.embedding = Some(5);
    options.encoder.hidden = Some(6);
    options.encoder.layers = Some(layers);
    options.encoder.bidirectional = Some(bidirectional);
    options.encoder.attention = Some(attention.into());
    options
}

#[test]
fn every_network_answers_without_burn_as_with_it_and_a_row_alone_as_among_others() {
    let device = Device::flex();
    let path = Path::new("sentences");
    let raws = SENTENCES.map(|text| Raw::Tokens(text.split(' ').map(str::to_owned).collect()));
    let mut compared = 0;
    for cell in ["lstm", "gru", "rnn"] {
        for (layers, bidirectional) in [(1, true), (2, true), (1, false), (2, false)] {
            for attention in ["none", "additive", "dot", "general", "scaled-dot", "self", "multi-head:2"] {
                let name = format!("{cell}, {layers} layers, {bidirectional}, {attention}");
                let plan = TagPlan::new(&options(cell, layers, bidirectional, attention)).unwrap();
                let input = Input::fit(&plan.input, raws.iter(), &[], path).unwrap();
                let examples: Vec<Example> =
                    raws.iter().map(|raw| input.encode(raw.clone(), path, 1).unwrap()).collect();
                device.seed(compared);
                let network = Network::new(&plan.network, input.shape(), TAGS, &device).unwrap();
                lookback_nn::parameters::initialise(&network);
                let twin = answering(&network, &plan.network, input.shape(), TAGS);
                let batch = Batch::new(&examples.iter().collect::<Vec<_>>(), network.parts(), &mut || false);
                let expected = network.forward(&batch, &device).unwrap().into_data().try_to_vec::<f32>().unwrap();
                let found = twin.forward(&batch, true).logits;
                let mut expected = expected.iter();
                for (row, example) in examples.iter().enumerate() {
                    let (real, padding) =
                        found[row * batch.time * TAGS..][..batch.time * TAGS].split_at(example.len() * TAGS);
                    for found in real {
                        let expected = expected.next().unwrap();
                        assert!((found - expected).abs() < 1e-6, "{name}: {found} instead of {expected}");
                    }
                    assert!(padding.iter().all(|value| value.to_bits() == 0), "{name}");
                    let alone = twin.forward(&Batch::new(&[example], network.parts(), &mut || false), false).logits;
                    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(&alone), bits(real), "{name}, row {row}");
                }
                assert_eq!(expected.next(), None, "{name}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 84);
}

#[test]
fn attention_that_leaves_no_step_is_refused() {
    let error = TagPlan::new(&options("lstm", 1, true, "structured:2")).unwrap_err().to_string();
    let expected = "--attention structured:2 makes one vector of a whole text, but every token of it is to have a tag";
    assert_eq!(error, expected);
}
