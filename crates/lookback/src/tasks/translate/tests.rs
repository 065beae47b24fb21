//! The network that trains and the one that answers are twins.

use std::path::Path;

use burn::tensor::Device;
use lookback_infer::input::{Batch, Example, Input, InputPlan, Raw};
use lookback_infer::network::{AttentionForm, Cell, EncoderPlan};
use lookback_infer::tasks::translate::{
    self, Bridge, DecoderForm, DecoderPlan, DecoderScore, NetworkPlan, TargetCut, TargetText, Targets, losses,
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
        tied: layers == 2 && form == DecoderForm::Luong,
        embedding_dropout: 0.0,
        layer_dropout: 0.0,
        output_dropout: 0.0,
    };
    NetworkPlan { encoder, bridge, decoder, ensemble: 1 }
}

struct Pairs {
    input: Input,
    examples: Vec<Example>,
    text: TargetText,
    targets: Vec<Vec<u32>>,
}

fn pairs() -> Pairs {
    let path = Path::new("pairs");
    let plan: InputPlan = TokenOptions::default().plan().unwrap();
    let raws = PAIRS.map(|(source, _)| Raw::Text(source.into()));
    let input = Input::fit(&plan, raws.iter(), &[], path).unwrap();
    let examples = raws.into_iter().map(|raw| input.encode(raw, path, 1).unwrap()).collect();
    let text = TargetText::fit(TargetCut::Blanks, PAIRS.iter().map(|pair| pair.1), (1, 100), 50);
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
            for form in [DecoderForm::Luong, DecoderForm::Bahdanau] {
                for score in [DecoderScore::General, DecoderScore::Additive, DecoderScore::Dot, DecoderScore::ScaledDot]
                {
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
                        let mean = network.loss(&batch, &together, 0.0, &device).unwrap().into_scalar::<f32>();
                        let steps: usize = (0..rows.len()).map(|row| together.length(row)).sum();
                        let of_mean = found.iter().sum::<f64>() / steps as f64;
                        assert!((of_mean - f64::from(mean)).abs() < 1e-5, "{name}: {of_mean} instead of {mean}");
                        for (row, example) in examples.iter().enumerate() {
                            let own = Batch::new(&[example], network.parts(), &mut || false);
                            let alone = [rows[row]];
                            let alone = Targets::new(&alone, &text, || false);
                            let mean = network.loss(&own, &alone, 0.0, &device).unwrap().into_scalar::<f32>();
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
    assert_eq!(compared, 144);
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
    let found = f64::from(network.loss(&batch, &targets, share, &device).unwrap().into_scalar::<f32>());
    assert!((found - expected).abs() < 1e-5, "{found} instead of {expected}");
}
