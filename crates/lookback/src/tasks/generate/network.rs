//! The network on Burn: token vectors, recurrent layers, and a layer that says how likely each token is next.

use std::sync::Arc;

use burn::module::{Initializer, Module, Param};
use burn::nn::{Dropout, DropoutConfig, Embedding, EmbeddingConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use lookback_infer::error::PlanError;
use lookback_infer::network::Cell;
use lookback_infer::tasks::generate::NetworkPlan;
use lookback_nn::ops::{Bags, Lookup, NO_TOKEN, cross_entropy, dropout_layer, linear, lookup, with_values};
use lookback_nn::{Error, Recurrent, RecurrentConfig, State};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// The network. Its parameters have the names of the file; its twin without Burn is
/// `lookback_infer::tasks::generate::Network`.
#[derive(Module, Debug)]
pub struct Network {
    embedding: Embedding,
    embedding_dropout: Dropout,
    layers: Vec<Recurrent>,
    layer_dropout: Dropout,
    output_dropout: Dropout,
    /// `[V, W]`; absent where it is the table of token vectors.
    output: Option<Param<Tensor<2>>>,
    /// `[V]`
    output_bias: Param<Tensor<1>>,
    #[module(skip)]
    token_dropout: f64,
    #[module(skip)]
    weight_dropout: f64,
}

/// The rows of a batch: tokens that are read and those that are wanted behind them, row by row.
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    /// Of every row, as many of both.
    pub read: Vec<&'a [u32]>,
    /// The token behind each.
    pub wanted: Vec<&'a [u32]>,
}

/// What a row has read so far: of every layer its hidden state and, where there is one, its cell state.
pub type RowState = Vec<[Vec<f32>; 2]>;

/// What the loss adds for the activations of the last layer, see [`Network::loss`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Penalties {
    /// Weight of the mean square of the outputs that are kept (activation regularisation, Merity 2017, eq. 5).
    pub activation: f64,
    /// Weight of the mean square of their change from step to step (temporal activation regularisation, eq. 6).
    pub slowness: f64,
}

impl Network {
    /// A network whose parameters are drawn when they are first asked for. `vocabulary`: `V`.
    ///
    /// # Errors
    /// If the plan is of no network.
    pub fn new(plan: &NetworkPlan, vocabulary: usize, device: &Device) -> Result<Network, PlanError> {
        plan.check()?;
        let unfit = |error: Error| PlanError::Unfit(error.to_string());
        let cell = match plan.cell {
            Cell::Lstm => lookback_nn::Cell::Lstm,
            Cell::Gru => lookback_nn::Cell::Gru,
            Cell::Rnn => lookback_nn::Cell::Rnn,
        };
        let layer = |place: usize| {
            let config = RecurrentConfig::new(cell, plan.input_width(place), plan.width(place));
            config.with_forget_bias(plan.forget_bias).init(device)
        };
        let start = Initializer::Normal { mean: 0.0, std: plan.embedding_scale };
        let width = plan.output_width();
        let bound = 1.0 / (width as f64).sqrt();
        let uniform = Initializer::Uniform { min: -bound, max: bound };
        Ok(Network {
            embedding: EmbeddingConfig::new(vocabulary, plan.embedding).with_initializer(start).init(device),
            embedding_dropout: DropoutConfig::new(plan.embedding_dropout).init(),
            layers: (0..plan.layers).map(layer).collect::<Result<_, _>>().map_err(unfit)?,
            layer_dropout: DropoutConfig::new(plan.layer_dropout).init(),
            output_dropout: DropoutConfig::new(plan.output_dropout).init(),
            output: (!plan.tied).then(|| uniform.init([vocabulary, width], device)),
            output_bias: Initializer::Zeros.init([vocabulary], device),
            token_dropout: plan.token_dropout,
            weight_dropout: plan.weight_dropout,
        })
    }

    /// What the wanted tokens cost in nats, the mean over them, with the penalties, and what every row has read at its end.
    /// `states`: of every row what was read before.
    ///
    /// # Errors
    /// If something was made for another network, or there is no token.
    pub fn loss(
        &self,
        rows: &Rows<'_>,
        states: &[Option<&RowState>],
        penalties: Penalties,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Result<(Tensor<1>, Vec<RowState>), Error> {
        let lengths: Vec<usize> = rows.read.iter().map(|row| row.len()).collect();
        let time = lengths.iter().copied().max().unwrap_or(0);
        let (outputs, dropped, ends) = self.outputs(rows, (&lengths, time), states, rng, device)?;
        let [batch, _, width] = outputs.dims();
        let places: Vec<i64> = lengths
            .iter()
            .enumerate()
            .flat_map(|(row, &length)| (0..length).map(move |t| (row * time + t) as i64))
            .collect();
        let count = places.len();
        let places = Tensor::<1, Int>::from_data(TensorData::new(places, [count]), device);
        let is_whole = count == batch * time;
        let real = |steps: Tensor<3>| {
            let flat = steps.reshape([batch * time, width]);
            if is_whole { flat } else { flat.select(0, places.clone()) }
        };
        let read = real(dropped.clone());
        let weight = self.output.as_ref().unwrap_or(&self.embedding.weight).val();
        let [vocabulary, _] = weight.dims();
        let logits = linear("outputs", read.unsqueeze_dim(0), weight, Some(self.output_bias.val()))?;
        let wanted: Vec<i64> = rows.wanted.iter().copied().flatten().map(|&id| i64::from(id)).collect();
        let wanted = Tensor::<1, Int>::from_data(TensorData::new(wanted, [count]), device);
        let mut loss = cross_entropy(logits.reshape([count, vocabulary]), wanted)?;
        if penalties.activation > 0.0 {
            let squares = real(dropped).powi_scalar(2).mean();
            loss = loss + squares.mul_scalar(penalties.activation);
        }
        if penalties.slowness > 0.0 && time > 1 {
            loss = loss + slowness(outputs, &lengths, device).mul_scalar(penalties.slowness);
        }
        Ok((loss, ends))
    }

    /// `[B, T, W]` of the last layer, before and after its dropout, and what every row has read at its end.
    #[allow(clippy::type_complexity, reason = "three things that belong to one pass")]
    fn outputs(
        &self,
        rows: &Rows<'_>,
        (lengths, time): (&[usize], usize),
        states: &[Option<&RowState>],
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Result<(Tensor<3>, Tensor<3>, Vec<RowState>), Error> {
        let batch = rows.read.len();
        let mut x = self.vectors(rows, time, rng, device)?;
        x = locked(&self.embedding_dropout, x);
        let mut ends: Vec<RowState> = vec![Vec::new(); batch];
        let mut outputs = x.clone();
        for (place, layer) in self.layers.iter().enumerate() {
            let state = start(states, place, layer, device);
            let made = layer.forward_with_weight_dropout(x, Some(lengths), state, self.weight_dropout)?;
            keep(&mut ends, &made.state, layer.hidden());
            outputs = made.sequence;
            let dropout = if place + 1 == self.layers.len() { &self.output_dropout } else { &self.layer_dropout };
            x = locked(dropout, outputs.clone());
        }
        Ok((outputs, x, ends))
    }

    /// `[B, T, E]`: the vectors of the tokens that are read; those of tokens that are dropped are zeros wherever these stand.
    fn vectors(&self, rows: &Rows<'_>, time: usize, rng: &mut ChaCha8Rng, device: &Device) -> Result<Tensor<3>, Error> {
        let table = self.embedding.weight.val();
        let [vocabulary, width] = table.dims();
        let mut known = vec![NO_TOKEN; vocabulary];
        let mut unique = Vec::new();
        let mut positions = Vec::with_capacity(rows.read.len() * time);
        for row in &rows.read {
            for &token in *row {
                let place = &mut known[token as usize];
                if *place == NO_TOKEN {
                    *place = unique.len() as u32;
                    unique.push(token);
                }
                positions.push(*place);
            }
            positions.resize(positions.len() + time - row.len(), NO_TOKEN);
        }
        let mut scales = Vec::new();
        if self.token_dropout > 0.0 && device.is_autodiff() {
            let kept = 1.0 / (1.0 - self.token_dropout) as f32;
            let of_token: Vec<f32> =
                unique.iter().map(|_| if rng.random_bool(self.token_dropout) { 0.0 } else { kept }).collect();
            scales =
                positions.iter().map(|&place| if place == NO_TOKEN { 0.0 } else { of_token[place as usize] }).collect();
        }
        let lookup_of = Lookup { positions, unique: unique.len(), bags: vec![Bags::single(unique)] };
        let vectors = lookup(vec![table], Arc::new(lookup_of))?.reshape([rows.read.len(), time, width]);
        Ok(match scales.is_empty() {
            true => vectors,
            false => vectors * Tensor::from_data(TensorData::new(scales, [rows.read.len(), time, 1]), device),
        })
    }
}

/// Dropout that is the same at every step of a row. x: `[B, T, W]`.
fn locked(dropout: &Dropout, x: Tensor<3>) -> Tensor<3> {
    if dropout.prob == 0.0 || !x.device().is_autodiff() {
        return x;
    }
    let [batch, _, width] = x.dims();
    let mask = dropout_layer(dropout, Tensor::ones([batch, 1, width], &x.device()));
    x * mask
}

/// The states that rows begin with in a layer; nothing where none has read anything.
fn start(states: &[Option<&RowState>], place: usize, layer: &Recurrent, device: &Device) -> Option<State> {
    if states.iter().all(Option::is_none) {
        return None;
    }
    let (batch, hidden) = (states.len(), layer.hidden());
    let of = |which: usize| {
        let mut values = Vec::with_capacity(batch * hidden);
        for state in states {
            match state {
                Some(state) => values.extend_from_slice(&state[place][which]),
                None => values.resize(values.len() + hidden, 0.0),
            }
        }
        Tensor::<3>::from_data(TensorData::new(values, [1, batch, hidden]), device)
    };
    Some(State { hidden: of(0), cell: layer.cell().has_cell_state().then(|| of(1)) })
}

/// Adds a layer's states to those of every row.
fn keep(ends: &mut [RowState], state: &State, hidden: usize) {
    let of_rows = |values: &Tensor<3>| -> Vec<Vec<f32>> {
        with_values(values, |values| values.chunks_exact(hidden).map(<[f32]>::to_vec).collect())
    };
    let hidden_states = of_rows(&state.hidden);
    let cells = state.cell.as_ref().map_or_else(|| vec![Vec::new(); ends.len()], of_rows);
    for ((end, hidden), cell) in ends.iter_mut().zip(hidden_states).zip(cells) {
        end.push([hidden, cell]);
    }
}

/// The mean square of the change from one real step to the next, `[1]`. outputs: `[B, T, W]`.
fn slowness(outputs: Tensor<3>, lengths: &[usize], device: &Device) -> Tensor<1> {
    let [batch, time, width] = outputs.dims();
    let later = outputs.clone().slice([0..batch, 1..time]);
    let change = (later - outputs.slice([0..batch, 0..time - 1])).powi_scalar(2);
    let pairs: usize = lengths.iter().map(|&length| length.saturating_sub(1)).sum();
    if pairs == batch * (time - 1) {
        return change.mean();
    }
    let is_real = lengths.iter().flat_map(|&length| (1..time).map(move |t| f32::from(u8::from(t < length)))).collect();
    let mask = Tensor::from_data(TensorData::new(is_real, [batch, time - 1, 1]), device);
    (change * mask).sum().div_scalar((pairs * width).max(1) as f64)
}
