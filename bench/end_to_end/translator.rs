//! A step of a sequence-to-sequence model: a bidirectional LSTM encoder, an LSTM decoder with additive attention
//! (Bahdanau 2015) and input feeding (Luong 2015, section 3.3), teacher forcing, cross-entropy.

use bench::Case;
use burn::module::Module;
use burn::nn::Embedding;
use burn::tensor::{Device, Int, Tensor};
use lookback_nn::attention::{AttentionConfig, Mask, Score};
use lookback_nn::decoder::LuongDecoder;
use lookback_nn::{Linear, Lstm, LstmConfig, ops, parameters};

use crate::turns::Turns;
use crate::{load, steps};

#[derive(Module, Debug)]
struct Translator {
    source: Embedding,
    target: Embedding,
    encoder: Lstm,
    /// Its attention is of the state `[H]` to the encoder's outputs `[2H]`.
    decoder: LuongDecoder,
    output: Linear,
}

impl Translator {
    fn new(case: &Case, device: &Device) -> anyhow::Result<Self> {
        let [_, width] = case.shape("param.source.weight")?;
        let [_, encoded] = case.shape("param.encoder.weight_hh_l0")?;
        let [_, hidden] = case.shape("param.decoder.weight_hh_l0")?;
        let encoder = LstmConfig::new(width, encoded).with_layers(2).with_bidirectional(true).init(device)?;
        let attention = AttentionConfig::new(Score::Additive { hidden }, hidden, 2 * encoded).with_bias(false);
        let recurrent = LstmConfig::new(width + hidden, hidden).init(device)?;
        let decoder = LuongDecoder::new(width, 2 * encoded, recurrent, attention.init(device)?, device)?;
        let parts = [
            ("recurrent.", "param.decoder."),
            ("attention.", "param.attention."),
            ("combine.projection.", "param.combine."),
        ];
        let named = |(own, there): (&'static str, &str)| {
            case.under(there).into_iter().map(move |(name, values)| (format!("{own}{name}"), values))
        };
        let own = parts.into_iter().flat_map(named).collect();
        Ok(Translator {
            source: load::embedding(case, "source", device)?,
            target: load::embedding(case, "target", device)?,
            encoder: encoder.with_parameters(case.under("param.encoder."))?,
            decoder: parameters::replace(decoder, own)?,
            output: load::linear(case, "output", device)?,
        })
    }

    /// source: `[B, S]`, words before: `[B, T]`. Gives logits `[B*T, V]`.
    fn forward(&self, source: Tensor<2, Int>, before: Tensor<2, Int>) -> Tensor<2> {
        let [batch, time] = before.dims();
        let memory = run(self.encoder.forward(self.source.forward(source), None, None)).sequence;
        let words = self.target.forward(before);
        let [_, hidden] = self.output.weight.val().dims();
        let mask = Mask::none();
        let memory = run(self.decoder.memory(memory, &mask));
        let start = Tensor::<2>::zeros([batch, hidden], &words.device());
        let (outputs, _) = run(self.decoder.forward(words, start, None, &memory, &mask));
        // As one operation over all steps.
        let logits = run(self.output.forward(outputs));
        let [_, _, words] = logits.dims();
        logits.reshape([batch * time, words])
    }
}

pub(crate) fn train(case: &Case, turns: Turns) -> anyhow::Result<()> {
    let device = Device::flex().autodiff();
    let model = Translator::new(case, &device)?;
    let source = load::ids(case, "input.source", &device)?;
    let before = load::ids(case, "input.before", &device)?;
    let [batch, time] = before.dims();
    let words: Tensor<1, Int> = load::ids(case, "input.words", &device)?.reshape([batch * time]);
    steps::train(model, batch, turns, |model: &Translator| {
        run(ops::cross_entropy(model.forward(source.clone(), before.clone()), words.clone()))
    })
}

/// The layers' sizes come from one case, and its shapes were read before.
fn run<X>(result: Result<X, lookback_nn::Error>) -> X {
    result.unwrap_or_else(|error| panic!("{error}"))
}
