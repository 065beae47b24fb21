//! A step of a sequence-to-sequence model: a bidirectional LSTM encoder, an LSTM decoder with additive attention
//! (Bahdanau 2015) and input feeding (Luong 2015, section 3.3), teacher forcing, cross-entropy.

use bench::Case;
use burn::module::{Module, Param};
use burn::nn::{Embedding, Linear};
use burn::tensor::{Device, Int, Tensor};
use lookback_nn::attention::{Attention, AttentionConfig, Mask, Score};
use lookback_nn::{Lstm, LstmConfig, State, named, ops};

use crate::turns::Turns;
use crate::{load, steps};

#[derive(Module, Debug)]
struct Translator {
    source: Embedding,
    target: Embedding,
    encoder: Lstm,
    decoder: Lstm,
    /// Of the decoder's state `[H]` to the encoder's outputs `[2H]`.
    attention: Attention,
    /// From context and state to what is fed back and what the words are read from.
    combine: Linear,
    output: Linear,
}

impl Translator {
    fn new(case: &Case, device: &Device) -> anyhow::Result<Self> {
        let [_, width] = case.shape("param.source.weight")?;
        let [_, encoded] = case.shape("param.encoder.weight_hh_l0")?;
        let [_, hidden] = case.shape("param.decoder.weight_hh_l0")?;
        let encoder = LstmConfig::new(width, encoded).with_layers(2).with_bidirectional(true).init(device)?;
        let decoder = LstmConfig::new(width + hidden, hidden).init(device)?;
        let attention = AttentionConfig::new(Score::Additive { hidden }, hidden, 2 * encoded).with_bias(false);
        let attention = attention.init(device)?;
        Ok(Translator {
            source: load::embedding(case, "source", device)?,
            target: load::embedding(case, "target", device)?,
            encoder: encoder.with_parameters(case.under("param.encoder."))?,
            decoder: decoder.with_parameters(case.under("param.decoder."))?,
            attention: named::with_parameters(attention, case.under("param.attention."))?,
            combine: load::linear(case, "combine", device)?,
            output: load::linear(case, "output", device)?,
        })
    }

    /// source: `[B, S]`, words before: `[B, T]`. Gives logits `[B*T, V]`.
    fn forward(&self, source: Tensor<2, Int>, before: Tensor<2, Int>) -> Tensor<2> {
        let [batch, time] = before.dims();
        let memory = run(self.encoder.forward(self.source.forward(source), None, None)).sequence;
        // The keys' part of the score is the same at every step.
        let memory = run(self.attention.memory(memory.clone(), memory, &Mask::none()));
        let words = self.target.forward(before);
        let [_, hidden] = self.combine.weight.val().dims();
        let mask = Mask::none();
        let mut state: Option<State> = None;
        let mut fed = Tensor::<2>::zeros([batch, hidden], &words.device());
        let mut outputs = Vec::with_capacity(time);
        for t in 0..time {
            let word = words.clone().narrow(1, t, 1).squeeze_dim(1);
            let (h, next) = run(self.decoder.step(Tensor::cat(vec![word, fed], 1), state));
            state = Some(next);
            let query = h.clone().unsqueeze_dim(1);
            let context = run(self.attention.attend(query, &memory, &mask, false)).context.squeeze_dim(1);
            fed = ops::tanh(self.combine.forward(Tensor::cat(vec![context, h], 1)));
            outputs.push(fed.clone().unsqueeze_dim::<3>(1));
        }
        // As one operation over all steps; Burn keeps the weight the other way round.
        let (weight, bias) = (self.output.weight.val().swap_dims(0, 1), self.output.bias.as_ref().map(Param::val));
        let logits = run(ops::linear("outputs", Tensor::cat(outputs, 1), weight, bias));
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
    steps::train(model, &device, batch, turns, |model: &Translator| {
        run(ops::cross_entropy(model.forward(source.clone(), before.clone()), words.clone()))
    })
}

/// The layers' sizes come from one case, and its shapes were read before.
fn run<X>(result: Result<X, lookback_nn::Error>) -> X {
    result.unwrap_or_else(|error| panic!("{error}"))
}
