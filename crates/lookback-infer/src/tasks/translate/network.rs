//! The network: an encoder, a bridge, and a decoder that looks at what was read.

use lookback_kernels::simd::math;

use super::decoder::{Decoder, Memory, States, Stepped};
use super::plan::{Bridge, NetworkPlan};
use crate::error::ModelFileError;
use crate::input::{Batch, InputShape, Parts};
use crate::model_file::Tensors;
use crate::network::{Encoded, Encoder, LayerState, Linear, Ragged};

/// The network, its weights packed once. Several callers may use it at once.
///
/// # Tensors
/// Those of the encoder stand under `encoder.` as [`Encoder`] tells. With `O` the width of the encoder's final hidden
/// states, `H` the decoder's hidden units, `L` its layers, and 2 states a layer of an LSTM, else 1:
///
/// | tensor | shape | where there is |
/// |---|---|---|
/// | `bridge.weight`, `bridge.bias` | `[states*L*H, O]`, `[states*L*H]`: hidden states of all layers, then cell states | a dense bridge |
///
/// and those of the decoder, which `MODEL_FILE.md` tells.
#[derive(Debug)]
pub struct Network {
    encoder: Encoder,
    bridge: Option<Linear>,
    kind: Bridge,
    states_per_layer: usize,
    layers: usize,
    decoder: Decoder,
}

/// What was read of a batch: sources to look at, and the states with which their targets begin.
#[derive(Debug)]
pub(super) struct ReadSources {
    pub(super) memory: Memory,
    pub(super) states: States,
}

impl Network {
    /// Takes the network's tensors. `vocabulary`: of the target.
    ///
    /// # Errors
    /// If one of them is missing or has another shape, or the plan is one by which no network can be made.
    pub fn read(
        plan: &NetworkPlan,
        shape: InputShape,
        vocabulary: usize,
        tensors: &mut Tensors<'_>,
    ) -> Result<Self, ModelFileError> {
        Network::read_with(plan, shape, vocabulary, false, tensors)
    }

    /// The same with the output layer kept as rows, of which shortlists take some, where that is wanted.
    pub(super) fn read_with(
        plan: &NetworkPlan,
        shape: InputShape,
        vocabulary: usize,
        shortens: bool,
        tensors: &mut Tensors<'_>,
    ) -> Result<Self, ModelFileError> {
        plan.check().map_err(|problem| tensors.refused("network", &problem))?;
        let encoder = Encoder::read(&plan.encoder, shape, &mut tensors.within("encoder"))?;
        let dense = plan.bridge == Bridge::Dense;
        let read = || Linear::read(plan.encoder.outputs(), plan.states(), true, &mut tensors.within("bridge"));
        let bridge = dense.then(read).transpose()?;
        let decoder = Decoder::read(&plan.decoder, plan.encoder.width(), vocabulary, shortens, tensors)?;
        let (states_per_layer, layers) = (plan.decoder.states_per_layer(), plan.decoder.layers);
        Ok(Network { encoder, bridge, kind: plan.bridge, states_per_layer, layers, decoder })
    }

    /// What a token is made of, by which batches are made.
    pub fn parts(&self) -> Parts {
        self.encoder.parts()
    }

    /// Whether tokens are copied.
    pub(super) fn copies(&self) -> bool {
        self.decoder.copies()
    }

    /// `V`, of the target.
    pub(super) fn vocabulary(&self) -> usize {
        self.decoder.vocabulary()
    }

    /// Reads sources.
    ///
    /// # Panics
    /// If the batch was made for another network.
    pub(super) fn sources(&self, batch: &Batch) -> ReadSources {
        let encoded = self.encoder.forward(batch, false);
        let rows = Ragged { lengths: &batch.lengths, time: batch.time, threads: rayon::current_num_threads() };
        let memory = self.decoder.memory(&encoded.steps, rows);
        let layers = self.first_states(encoded, rows);
        ReadSources { memory, states: self.decoder.start((0..rows.batch()).collect(), layers) }
    }

    /// As [`Decoder::shorten`].
    pub(super) fn shorten(&self, memory: &mut Memory, lists: &[Vec<u32>]) {
        self.decoder.shorten(memory, lists);
    }

    /// A step of every row, as [`Decoder::step`].
    pub(super) fn step(
        &self,
        states: &mut States,
        memory: &Memory,
        tokens: &[u32],
        weights: bool,
        over: Vec<f32>,
    ) -> Stepped {
        self.decoder.step(states, memory, tokens, weights, over)
    }

    /// The states become those of these rows.
    pub(super) fn reorder(&self, states: &mut States, rows: &[usize]) {
        states.reorder(rows, self.decoder.hidden());
    }

    fn first_states(&self, encoded: Encoded, rows: Ragged<'_>) -> Vec<LayerState> {
        let (batch, hidden) = (rows.batch(), self.decoder.hidden());
        let has_cell = self.states_per_layer == 2;
        match self.kind {
            Bridge::Copy => {
                let of_layer = |[hidden, cell]: [Vec<f32>; 2]| LayerState { hidden, cell };
                encoded.finals.into_iter().map(of_layer).collect()
            }
            Bridge::Zero => {
                let cell = if has_cell { vec![0.0; batch * hidden] } else { Vec::new() };
                vec![LayerState { hidden: vec![0.0; batch * hidden], cell }; self.layers]
            }
            Bridge::Dense => {
                let mut states =
                    self.bridge.as_ref().map_or_else(Vec::new, |map| map.forward(&encoded.last, rows.threads));
                math::tanh(&mut states);
                let width = self.states_per_layer * self.layers * hidden;
                let part = |place: usize| -> Vec<f32> {
                    states.chunks_exact(width).flat_map(|row| &row[place * hidden..][..hidden]).copied().collect()
                };
                let of_layer = |layer: usize| LayerState {
                    hidden: part(layer),
                    cell: if has_cell { part(self.layers + layer) } else { Vec::new() },
                };
                (0..self.layers).map(of_layer).collect()
            }
        }
    }
}
