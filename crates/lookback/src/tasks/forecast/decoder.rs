//! The decoder on Burn: recurrent layers that say the steps ahead one after another, and may look back at every step that was read.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use lookback_infer::tasks::forecast::{DecoderForm, NetworkPlan, Sizes};
use lookback_nn::attention::{AttentionConfig, Mask};
use lookback_nn::decoder::{BahdanauDecoder, DecoderMemory, LuongDecoder};
use lookback_nn::{Error, Recurrent, RecurrentConfig, State};

use crate::network::{Encoded, cell_of, score_of};

/// What goes on from the final states of the encoder. Its twin without Burn is in `lookback_infer::tasks::forecast`.
#[derive(Module, Debug)]
pub(super) enum Decoder {
    Recurrent(Plain),
    Luong(LuongDecoder),
    Bahdanau(BahdanauDecoder),
}

/// A decoder that does not look back.
#[derive(Module, Debug)]
pub(super) struct Plain {
    recurrent: Recurrent,
}

/// What a step hands to the next one.
#[derive(Clone, Debug)]
pub(super) struct Carried {
    state: State,
    /// `[B, H]`: of Luong's, the attentional vector.
    attentional: Option<Tensor<2>>,
}

/// What is looked at.
#[derive(Debug)]
pub(super) struct Memory {
    /// Absent where nothing looks back.
    memory: Option<DecoderMemory>,
    mask: Mask,
}

impl Decoder {
    /// `None` where the plan has no decoder.
    ///
    /// # Errors
    /// If parts of it do not fit.
    pub(super) fn new(plan: &NetworkPlan, sizes: Sizes, device: &Device) -> Result<Option<Decoder>, Error> {
        let (own, encoder) = (&plan.decoder, &plan.encoder);
        let (memory, hidden, input) = (encoder.width(), encoder.outputs(), own.inputs(sizes));
        if own.is_direct() {
            return Ok(None);
        }
        let recurrent = RecurrentConfig::new(cell_of(encoder.cell), input + own.fed(hidden, memory), hidden)
            .with_layers(encoder.layers)
            .with_dropout(encoder.layer_dropout)
            .with_forget_bias(encoder.forget_bias)
            .init(device)?;
        let attention = || AttentionConfig::new(score_of(own.score, hidden), hidden, memory).init(device);
        Ok(Some(match own.form {
            DecoderForm::Direct | DecoderForm::Recurrent => Decoder::Recurrent(Plain { recurrent }),
            DecoderForm::Luong => Decoder::Luong(LuongDecoder::new(input, memory, recurrent, attention()?, device)?),
            DecoderForm::Bahdanau => Decoder::Bahdanau(BahdanauDecoder::new(input, memory, recurrent, attention()?)?),
        }))
    }

    /// What is looked at, and with what the first step begins.
    ///
    /// # Errors
    /// If sizes do not fit.
    pub(super) fn start(&self, encoded: &Encoded, lengths: &[usize]) -> Result<(Memory, Carried), Error> {
        let mask = Mask::none().with_key_lengths(lengths);
        let [rows, ..] = encoded.steps.dims();
        let steps = || encoded.steps.clone();
        let (memory, layers) = match self {
            Decoder::Recurrent(plain) => (None, &plain.recurrent),
            Decoder::Luong(decoder) => (Some(decoder.memory(steps(), &mask)?), decoder.recurrent()),
            Decoder::Bahdanau(decoder) => (Some(decoder.memory(steps(), &mask)?), decoder.recurrent()),
        };
        let attentional = || Tensor::zeros([rows, layers.hidden()], &encoded.steps.device());
        let attentional = matches!(self, Decoder::Luong(_)).then(attentional);
        let state = encoded.first_of_decoder(layers.layers()).expect("a forecaster's encoder has layers");
        Ok((Memory { memory, mask }, Carried { state, attentional }))
    }

    /// Some steps: what the output layer reads of each, `[B, T, ..]`, and what they hand on. x: `[B, T, I]`.
    ///
    /// # Errors
    /// If sizes do not fit.
    pub(super) fn steps(
        &self,
        x: Tensor<3>,
        Carried { state, attentional }: Carried,
        Memory { memory, mask }: &Memory,
    ) -> Result<(Tensor<3>, Carried), Error> {
        match (self, memory, attentional) {
            (Decoder::Luong(decoder), Some(memory), Some(before)) => {
                let (made, after) = decoder.forward(x, before, Some(state.clone()), memory, mask)?;
                let [rows, time, hidden] = made.dims();
                let last = made.clone().slice([0..rows, time - 1..time, 0..hidden]).reshape([rows, hidden]);
                Ok((made, Carried { state: after.unwrap_or(state), attentional: Some(last) }))
            }
            (Decoder::Bahdanau(decoder), Some(memory), _) => {
                let made = decoder.forward(x, None, state, memory, mask)?;
                let read = Tensor::cat(vec![made.outputs, made.contexts], 2);
                Ok((read, Carried { state: made.state, attentional: None }))
            }
            (Decoder::Recurrent(plain), ..) => {
                let made = plain.recurrent.forward(x, None, Some(state))?;
                Ok((made.sequence, Carried { state: made.state, attentional: None }))
            }
            _ => unreachable!("a decoder that looks back begins with a memory"),
        }
    }
}
