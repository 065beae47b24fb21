//! The network that trains and the one that answers are twins.

use burn::tensor::Device;
use lookback_infer::data::labels::LabelSet;
use lookback_infer::input::{Batch, Example, Labelled, Raw};
use lookback_infer::network::budget::Purpose;
use lookback_infer::tasks::tag::scheme::{Scheme, Schemes, Transitions};
use lookback_infer::tasks::tag::{Dataset, Tags, budget, decoder, judge};

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

/// A tag set in which something is forbidden: `I-A` goes on with `B-A` or itself.
fn tags() -> LabelSet {
    LabelSet::try_from(["O", "B-A", "I-A"].map(str::to_owned).to_vec()).unwrap()
}

const SCHEMES: Schemes = Schemes { written: Scheme::Bio, trained: Scheme::Bio };

#[test]
fn every_network_answers_without_burn_as_with_it_and_a_row_alone_as_among_others() {
    let device = Device::flex();
    let path = Path::new("sentences");
    let raws = SENTENCES.map(|text| Raw::Tokens(text.split(' ').map(str::to_owned).collect()));
    let allowed = Transitions::of(SCHEMES.trained, tags().names());
    let mut compared = 0;
    for cell in ["lstm", "gru", "rnn"] {
        for (layers, bidirectional) in [(1, true), (2, true), (1, false), (2, false)] {
            for attention in ["none", "additive", "dot", "general", "scaled-dot", "self", "multi-head:2"] {
                let name = format!("{cell}, {layers} layers, {bidirectional}, {attention}");
                let options =
                    TagOptions { crf: Some(bidirectional), ..options(cell, layers, bidirectional, attention) };
                let plan = TagPlan::new(&options).unwrap();
                let input = Input::fit(&plan.input, raws.iter(), &[], path).unwrap();
                let examples: Vec<Example> =
                    raws.iter().map(|raw| input.encode(raw.clone(), path, 1).unwrap()).collect();
                device.seed(compared);
                let network = Network::new(&plan.network, input.shape(), &allowed, &device).unwrap();
                lookback_nn::parameters::initialise(&network);
                let twin = answering(&network, &plan.network, input.shape(), TAGS);
                let batch = Batch::new(&examples.iter().collect::<Vec<_>>(), network.parts(), &mut || false);
                let expected = network.forward(&batch, &device).unwrap().into_data().try_to_vec::<f32>().unwrap();
                let found = twin.forward(&batch, true).logits;
                for (row, example) in examples.iter().enumerate() {
                    let at = row * batch.time * TAGS..(row + 1) * batch.time * TAGS;
                    let (real, padding) = found[at.clone()].split_at(example.len() * TAGS);
                    for (found, expected) in real.iter().zip(&expected[at]) {
                        assert!((found - expected).abs() < 1e-6, "{name}: {found} instead of {expected}");
                    }
                    assert!(padding.iter().all(|value| value.to_bits() == 0), "{name}");
                    let alone = twin.forward(&Batch::new(&[example], network.parts(), &mut || false), false).logits;
                    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(&alone), bits(real), "{name}, row {row}");
                }
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 84);
}

#[test]
fn what_trains_and_what_judges_have_the_same_loss_and_nothing_forbidden_is_answered() {
    let device = Device::flex();
    let path = Path::new("sentences");
    let raws = SENTENCES.map(|text| Raw::Tokens(text.split(' ').map(str::to_owned).collect()));
    let tags = tags();
    let allowed = Transitions::of(SCHEMES.trained, tags.names());
    for (seed, crf) in [(1, true), (2, true), (3, false), (4, false)] {
        let plan = TagPlan::new(&TagOptions { crf: Some(crf), ..options("gru", 1, true, "none") }).unwrap();
        let input = Input::fit(&plan.input, raws.iter(), &[], path).unwrap();
        let spelt = |count: usize| (0..count).map(|at| ["O", "B-A", "I-A"][at % 3].to_owned()).collect::<Vec<_>>();
        let labelled = raws.iter().map(|raw| {
            let Raw::Tokens(tokens) = raw else { unreachable!() };
            let label = Tags { names: spelt(tokens.len()), lines: vec![1; tokens.len()] };
            Labelled { raw: raw.clone(), label, line: 1 }
        });
        let examples = input.encode_labelled(labelled.collect(), path).unwrap();
        let dataset = Dataset::new(examples, &tags, SCHEMES, path).unwrap();
        device.seed(seed);
        let network = Network::new(&plan.network, input.shape(), &allowed, &device).unwrap();
        lookback_nn::parameters::initialise(&network);
        let inputs: Vec<&Example> = dataset.examples.iter().collect();
        let batch = Batch::new(&inputs, network.parts(), &mut || false);
        let targets: Vec<&[usize]> = dataset.targets.iter().map(Vec::as_slice).collect();
        let trained = network.loss(&batch, &targets, &device).unwrap().into_scalar::<f32>();
        let twins = [answering(&network, &plan.network, input.shape(), TAGS)];
        let decoder = decoder(&twins, &tags, SCHEMES).unwrap();
        let budget = budget(&plan.network, input.shape(), TAGS, Purpose::Answers, plan.train.max_memory());
        let metrics = judge(&twins, &decoder, &dataset, tags.names(), &budget);
        assert!((metrics.loss - f64::from(trained)).abs() < 1e-5, "{} and {trained}", metrics.loss);
        let spans = metrics.spans.unwrap();
        assert_eq!(spans.micro.f1, spans.strict.f1, "what the scheme forbids is never answered");
    }
}

#[test]
fn attention_that_leaves_no_step_is_refused() {
    let error = TagPlan::new(&options("lstm", 1, true, "structured:2")).unwrap_err().to_string();
    let expected = "--attention structured:2 makes one vector of a whole text, but every token of it is to have a tag";
    assert_eq!(error, expected);
}
