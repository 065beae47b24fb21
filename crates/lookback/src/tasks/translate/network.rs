//! The network on Burn: encoder, bridge, and a decoder that looks at what was read.

use std::sync::Arc;

use burn::module::{Initializer, Module, Param};
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use lookback_infer::error::PlanError;
use lookback_infer::input::vocabulary::PAD;
use lookback_infer::input::{Batch, InputShape, Parts};
use lookback_infer::tasks::translate::{Bridge, DISTANCES, DecoderForm, DecoderPlan, NetworkPlan, Targets};
use lookback_nn::attention::{AttentionConfig, Mask};
use lookback_nn::decoder::{BahdanauDecoder, HardMonotonicDecoder, LuongDecoder, MonotonicTargets};
use lookback_nn::ops::{AlignedTargets, Bags, Lookup, NO_TOKEN, cross_entropy, dropout_layer, linear, lookup, tanh};
use lookback_nn::{Error, Linear, LinearConfig, RecurrentConfig, State};

use super::copying;
use crate::network::{Encoded, Encoder, cell_of, score_of};

/// The network. Its parameters have the names of the file; its twin without Burn is
/// `lookback_infer::tasks::translate::Network`.
#[derive(Module, Debug)]
pub struct Network {
    encoder: Encoder,
    /// Where the bridge is dense.
    bridge: Option<Linear>,
    target_embedding: Embedding,
    target_dropout: Dropout,
    decoder: Decoder,
    output_dropout: Dropout,
    /// `[V, W]`; absent where it is the table of token vectors.
    output: Option<Param<Tensor<2>>>,
    /// `[V]`
    output_bias: Param<Tensor<1>>,
    /// Where tokens are copied: of what the output layer reads and the token's vector, the logit of how likely one is written.
    gate: Option<Linear>,
    #[module(skip)]
    copies_states: bool,
    #[module(skip)]
    layers: usize,
    #[module(skip)]
    has_cell_state: bool,
}

/// What the network says at every real step of the targets.
struct Steps {
    /// `[N, V]`
    logits: Tensor<2>,
    /// `[N]`, where tokens are copied.
    gates: Option<Tensor<1>>,
    /// `[B, T, S]`, where they are asked for.
    weights: Option<Tensor<3>>,
}

/// What the right tokens cost where all are written.
fn written(logits: Tensor<2>, targets: &Targets<'_>, smoothing: f64, device: &Device) -> Result<Tensor<1>, Error> {
    let wanted = targets.wanted();
    let count = wanted.len();
    let wanted = Tensor::<1, Int>::from_data(TensorData::new(wanted, [count]), device);
    if smoothing == 0.0 {
        return cross_entropy(logits, wanted);
    }
    // (1 - ε) (log Σ e^z - z_w) + ε (log Σ e^z - mean z) = cross entropy + ε (z_w - mean z)
    let own = logits.clone().gather(1, wanted.clone().unsqueeze_dim(1)).mean();
    let mean = logits.clone().mean();
    Ok(cross_entropy(logits, wanted)? + (own - mean).mul_scalar(smoothing))
}

/// What writes the target.
#[derive(Module, Debug)]
enum Decoder {
    Luong(LuongDecoder),
    Bahdanau(BahdanauDecoder),
    HardMonotonic(HardMonotonicDecoder),
}

impl Network {
    /// A network whose parameters are drawn when they are first asked for. `vocabulary`: of the target.
    ///
    /// # Errors
    /// If the plan is of no network.
    pub fn new(
        plan: &NetworkPlan,
        shape: InputShape,
        vocabulary: usize,
        device: &Device,
    ) -> Result<Network, PlanError> {
        plan.check()?;
        let unfit = |error: Error| PlanError::Unfit(error.to_string());
        let (decoder, memory) = (&plan.decoder, plan.encoder.width());
        let bridge = (plan.bridge == Bridge::Dense)
            .then(|| LinearConfig::new(plan.encoder.outputs(), plan.states()).init(device))
            .transpose()
            .map_err(unfit)?;
        let start = Initializer::Normal { mean: 0.0, std: plan.encoder.embedding_scale };
        let width = decoder.output_width(memory);
        let bound = 1.0 / (width as f64).sqrt();
        let uniform = Initializer::Uniform { min: -bound, max: bound };
        Ok(Network {
            encoder: Encoder::new(&plan.encoder, shape, device)?,
            bridge,
            target_embedding: EmbeddingConfig::new(vocabulary, decoder.embedding).with_initializer(start).init(device),
            target_dropout: DropoutConfig::new(decoder.embedding_dropout).init(),
            decoder: Decoder::new(decoder, memory, device).map_err(unfit)?,
            output_dropout: DropoutConfig::new(decoder.output_dropout).init(),
            output: (!decoder.tied).then(|| uniform.init([vocabulary, width], device)),
            output_bias: uniform.init([vocabulary], device),
            gate: decoder
                .copy
                .then(|| LinearConfig::new(width + decoder.embedding, 1).init(device))
                .transpose()
                .map_err(unfit)?,
            copies_states: plan.bridge == Bridge::Copy,
            layers: decoder.layers,
            has_cell_state: decoder.states_per_layer() == 2,
        })
    }

    /// The logits `[N, V]` of the next token at every real step of the targets, row by row. Under hard monotonic attention there
    /// are none: a token's probability is a sum over positions.
    ///
    /// # Errors
    /// If the batch or the targets were made for another network, or the decoder has hard monotonic attention.
    pub fn forward(&self, batch: &Batch, targets: &Targets<'_>, device: &Device) -> Result<Tensor<2>, Error> {
        Ok(self.steps(batch, targets, false, device)?.logits)
    }

    /// What every step gives; `weights`: whether what it looked at is asked for.
    fn steps(&self, batch: &Batch, targets: &Targets<'_>, weights: bool, device: &Device) -> Result<Steps, Error> {
        let encoded = self.encoder.forward(batch, 0.0, device)?;
        let mask = Mask::none().with_key_lengths(&batch.lengths);
        let x = dropout_layer(&self.target_dropout, self.vectors(targets)?);
        let lengths: Vec<usize> = (0..targets.rows()).map(|row| targets.length(row)).collect();
        let (outputs, weights) = self.decode(encoded, (x.clone(), &lengths), &mask, weights, device)?;
        let [rows, time, width] = outputs.dims();
        let real: Vec<i64> = (0..rows)
            .flat_map(|row| (0..targets.length(row)).map(move |t| (row, t)))
            .map(|(row, t)| (row * time + t) as i64)
            .collect();
        let count = real.len();
        let places = Tensor::<1, Int>::from_data(TensorData::new(real, [count]), device);
        let real = outputs.reshape([rows * time, width]).select(0, places.clone());
        let real = dropout_layer(&self.output_dropout, real);
        let gates = self.gate.as_ref().map(|gate| {
            let [.., embedding] = x.dims();
            let x = x.reshape([rows * time, embedding]).select(0, places);
            gate.forward(Tensor::cat(vec![real.clone(), x], 1)).map(|gates| gates.reshape([count]))
        });
        let weight = self.output.as_ref().unwrap_or(&self.target_embedding.weight).val();
        let [vocabulary, _] = weight.dims();
        let logits = linear("outputs", real.unsqueeze_dim(0), weight, Some(self.output_bias.val()))?;
        Ok(Steps { logits: logits.reshape([count, vocabulary]), gates: gates.transpose()?, weights })
    }

    /// What the right tokens cost in nats, the mean over them. `smoothing`: the share of probability that all tokens have
    /// alike in what is wanted (Szegedy 2016, section 7). `coverage`: the weight of the coverage loss (See 2017, eq. 13).
    ///
    /// # Errors
    /// If the batch or the targets were made for another network.
    pub fn loss(
        &self,
        batch: &Batch,
        targets: &Targets<'_>,
        (smoothing, coverage): (f64, Option<f64>),
        device: &Device,
    ) -> Result<Tensor<1>, Error> {
        if let Decoder::HardMonotonic(decoder) = &self.decoder {
            return self.loss_of_alignments(decoder, batch, targets, device);
        }
        let asked = self.gate.is_some() || coverage.is_some();
        let Steps { logits, gates, weights } = self.steps(batch, targets, asked, device)?;
        let [count, _] = logits.dims();
        let looked_twice = coverage.zip(weights.clone()).map(|(share, weights)| {
            let loss = copying::coverage_loss(weights);
            loss.mul_scalar(share / count as f64)
        });
        let loss = match (gates, weights) {
            (Some(gates), Some(weights)) => copying::loss(logits, gates, weights, targets)?,
            _ => written(logits, targets, smoothing, device)?,
        };
        Ok(match looked_twice {
            Some(looked_twice) => loss + looked_twice,
            None => loss,
        })
    }

    /// [`Network::loss`], all alignments summed over.
    fn loss_of_alignments(
        &self,
        decoder: &HardMonotonicDecoder,
        batch: &Batch,
        targets: &Targets<'_>,
        device: &Device,
    ) -> Result<Tensor<1>, Error> {
        let encoded = self.encoder.forward(batch, 0.0, device)?;
        let x = dropout_layer(&self.target_dropout, self.vectors(targets)?);
        let (rows, time) = (targets.rows(), targets.time());
        let lengths: Vec<usize> = (0..rows).map(|row| targets.length(row)).collect();
        let token = |row: usize, t: usize| if t < lengths[row] { targets.at(row, t) } else { PAD };
        let tokens = (0..rows).flat_map(|row| (0..time).map(move |t| (row, t))).map(|(row, t)| token(row, t)).collect();
        let count: usize = lengths.iter().sum();
        let aligned = AlignedTargets { tokens, lengths, source_lengths: batch.lengths.clone() };
        let weight = self.output.as_ref().unwrap_or(&self.target_embedding.weight).val();
        let output = (weight, self.output_bias.val());
        let wanted = MonotonicTargets { aligned: Arc::new(aligned), output, dropout: &self.output_dropout };
        let steps = encoded.steps.clone();
        let state = self.first_state(encoded, rows, device)?;
        let likelihoods = decoder.log_likelihood(x, Some(state), steps, wanted)?;
        Ok(likelihoods.sum().mul_scalar(-1.0 / count.max(1) as f64))
    }

    /// Which tables the network has beside the tokens' own.
    pub fn parts(&self) -> Parts {
        self.encoder.parts()
    }

    /// `[B, T, E]`: the vectors of the tokens before each step.
    fn vectors(&self, targets: &Targets<'_>) -> Result<Tensor<3>, Error> {
        let (rows, time) = (targets.rows(), targets.time());
        let before = targets.before();
        let vocabulary = self.target_embedding.weight.val().dims()[0];
        // Every token of the table once, or those that there are, whichever is less.
        let mut known = vec![NO_TOKEN; vocabulary];
        let mut unique = Vec::new();
        let position = |token: u32, known: &mut Vec<u32>, unique: &mut Vec<u32>| {
            if token == PAD {
                return NO_TOKEN;
            }
            let place = &mut known[token as usize];
            if *place == NO_TOKEN {
                *place = unique.len() as u32;
                unique.push(token);
            }
            *place
        };
        let positions = before.iter().map(|&token| position(token, &mut known, &mut unique)).collect();
        let lookup_of = Lookup { positions, unique: unique.len(), bags: vec![Bags::single(unique)] };
        let vectors = lookup(vec![self.target_embedding.weight.val()], Arc::new(lookup_of))?;
        let width = vectors.dims()[1];
        Ok(vectors.reshape([rows, time, width]))
    }

    /// What the output layer reads at every step, and what was looked at where that is asked for.
    fn decode(
        &self,
        encoded: Encoded,
        (x, lengths): (Tensor<3>, &[usize]),
        mask: &Mask,
        weights: bool,
        device: &Device,
    ) -> Result<(Tensor<3>, Option<Tensor<3>>), Error> {
        let [rows, ..] = x.dims();
        let steps = encoded.steps.clone();
        let state = self.first_state(encoded, rows, device)?;
        match &self.decoder {
            Decoder::Luong(decoder) => {
                let memory = decoder.memory(steps, mask)?;
                let previous = Tensor::zeros([rows, decoder.recurrent().hidden()], device);
                if !weights {
                    let made = decoder.forward_ragged(x, Some(lengths), previous, Some(state), &memory, mask)?;
                    return Ok((made.0, None));
                }
                let made = decoder.forward_with_weights(x, Some(lengths), previous, Some(state), &memory, mask)?;
                Ok((made.outputs, made.weights))
            }
            Decoder::Bahdanau(decoder) => {
                let memory = decoder.memory(steps, mask)?;
                let made = match weights {
                    true => decoder.forward_with_weights(x, Some(lengths), state, &memory, mask)?,
                    false => decoder.forward(x, Some(lengths), state, &memory, mask)?,
                };
                Ok((Tensor::cat(vec![made.outputs, made.contexts], 2), made.weights))
            }
            Decoder::HardMonotonic(_) => Err(Error::Config {
                name: "the decoder whose logits are wanted",
                found: "one with hard monotonic attention".into(),
                expected: "Luong's or Bahdanau's",
            }),
        }
    }

    fn first_state(&self, encoded: Encoded, rows: usize, device: &Device) -> Result<State, Error> {
        let hidden = self.decoder.hidden();
        if let Some(bridge) = &self.bridge {
            let states = tanh(bridge.forward(encoded.last)?);
            // [B, states * L * H]
            let part = |from: usize| {
                let part = states.clone().slice([0..rows, from * hidden..(from + self.layers) * hidden]);
                part.reshape([rows, self.layers, hidden]).swap_dims(0, 1)
            };
            return Ok(State { hidden: part(0), cell: self.has_cell_state.then(|| part(self.layers)) });
        }
        let copied = if self.copies_states { encoded.first_of_decoder(self.layers) } else { None };
        Ok(copied.unwrap_or_else(|| {
            let zeros = || Tensor::zeros([self.layers, rows, hidden], device);
            State { hidden: zeros(), cell: self.has_cell_state.then(zeros) }
        }))
    }
}

impl Decoder {
    fn new(plan: &DecoderPlan, memory: usize, device: &Device) -> Result<Decoder, Error> {
        let recurrent = RecurrentConfig::new(cell_of(plan.cell), plan.embedding + plan.fed(memory), plan.hidden)
            .with_layers(plan.layers)
            .with_dropout(plan.layer_dropout)
            .init(device)?;
        let attention = AttentionConfig::new(score_of(plan.score, plan.hidden), plan.hidden, memory).init(device)?;
        Ok(match plan.form {
            DecoderForm::Luong => {
                let decoder = LuongDecoder::new(plan.embedding, memory, recurrent, attention, device)?;
                Decoder::Luong(if plan.coverage { decoder.with_coverage(device)? } else { decoder })
            }
            DecoderForm::Bahdanau => {
                let decoder = BahdanauDecoder::new(plan.embedding, memory, recurrent, attention)?;
                Decoder::Bahdanau(if plan.coverage { decoder.with_coverage(device)? } else { decoder })
            }
            DecoderForm::HardMonotonic => Decoder::HardMonotonic(HardMonotonicDecoder::new(
                plan.embedding,
                memory,
                recurrent,
                attention,
                DISTANCES,
                device,
            )?),
        })
    }

    fn hidden(&self) -> usize {
        match self {
            Decoder::Luong(decoder) => decoder.recurrent().hidden(),
            Decoder::Bahdanau(decoder) => decoder.recurrent().hidden(),
            Decoder::HardMonotonic(decoder) => decoder.recurrent().hidden(),
        }
    }
}
