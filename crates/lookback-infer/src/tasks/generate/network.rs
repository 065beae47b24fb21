//! The network: token vectors, recurrent layers that read forward, and a layer that says how likely each token is next.

use rayon::prelude::*;

use super::plan::NetworkPlan;
use crate::error::ModelFileError;
use crate::model_file::Tensors;
use crate::network::{LayerState, Linear, Ragged, Recurrent, RecurrentShape, Workspaces};

/// The network, its weights packed once. Several callers may use it at once.
///
/// # Tensors
/// With `V` the tokens of the vocabulary, `E` the width of their vectors, `G` the gates of the cell (4, 3 or 1), `I` and `H`
/// what a layer reads and its units, and `W` the units of the last:
///
/// | tensor | shape | where there is |
/// |---|---|---|
/// | `embedding.weight` | `[V, E]` | always |
/// | `layers.k.weight_ih_l0`, layer `k` from 0 | `[G*H, I]` | always |
/// | `layers.k.weight_hh_l0` | `[G*H, H]` | always |
/// | `layers.k.bias_ih_l0`, `layers.k.bias_hh_l0` | `[G*H]` | always |
/// | `output` | `[V, W]` | where it is not tied to the token vectors |
/// | `output_bias` | `[V]` | always |
#[derive(Debug)]
pub struct Network {
    /// `[V, E]`
    table: Vec<f32>,
    embedding: usize,
    layers: Vec<Recurrent>,
    /// Units of each layer.
    widths: Vec<usize>,
    has_cell: bool,
    output: Linear,
    vocabulary: usize,
    workspaces: Workspaces,
}

/// What every layer has read so far, for rows side by side.
pub(super) type States = Vec<LayerState>;

impl Network {
    /// Takes the network's tensors. `vocabulary`: `V`.
    ///
    /// # Errors
    /// If one of them is missing or has another shape, or the plan is one by which no network can be made.
    pub fn read(plan: &NetworkPlan, vocabulary: usize, tensors: &mut Tensors<'_>) -> Result<Self, ModelFileError> {
        plan.check().map_err(|problem| tensors.refused("network", &problem))?;
        let table = tensors.take("embedding.weight", &[vocabulary, plan.embedding])?;
        let layer = |place: usize, tensors: &mut Tensors<'_>| {
            let shape = RecurrentShape {
                cell: plan.cell,
                input: plan.input_width(place),
                hidden: plan.width(place),
                layers: 1,
                bidirectional: false,
            };
            Recurrent::read(shape, &mut tensors.within(&format!("layers.{place}")))
        };
        let layers = (0..plan.layers).map(|place| layer(place, tensors)).collect::<Result<_, _>>()?;
        let sizes = [vocabulary, plan.output_width()];
        let bias = tensors.take("output_bias", &[vocabulary])?;
        let output = match plan.tied {
            true => Linear::new(sizes, &table, Some(&bias), "embedding.weight", tensors)?,
            false => {
                let weight = tensors.take("output", &sizes)?;
                Linear::new(sizes, &weight, Some(&bias), "output", tensors)?
            }
        };
        Ok(Network {
            table,
            embedding: plan.embedding,
            layers,
            widths: (0..plan.layers).map(|place| plan.width(place)).collect(),
            has_cell: plan.cell == crate::network::Cell::Lstm,
            output,
            vocabulary,
            workspaces: Workspaces::default(),
        })
    }

    /// `V`
    pub(super) fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// Units of each layer.
    pub(super) fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// Whether layers have cell states.
    pub(super) fn has_cell(&self) -> bool {
        self.has_cell
    }

    /// Of rows that have read nothing.
    pub(super) fn start(&self, rows: usize) -> States {
        self.widths.iter().map(|&width| LayerState::zeros(rows, width, self.has_cell)).collect()
    }

    /// The states of these rows, which may repeat.
    pub(super) fn of_rows(&self, states: &States, rows: &[usize]) -> States {
        states.iter().zip(&self.widths).map(|(state, &width)| state.of_rows(rows, width)).collect()
    }

    /// `[rows, V]`: the logits of what comes after each of these tokens, one a row, over the memory of a vector that is no longer
    /// needed; the states go on.
    ///
    /// # Panics
    /// If a token is none of the vocabulary, or there are not as many as rows.
    pub(super) fn step(&self, states: &mut States, tokens: &[u32], over: Vec<f32>) -> Vec<f32> {
        let threads = rayon::current_num_threads();
        let mut workspace = self.workspaces.take();
        let vectors = self.vectors(tokens);
        for (place, layer) in self.layers.iter().enumerate() {
            let (below, here) = states.split_at_mut(place);
            let x = below.last().map_or(&vectors, |below| &below.hidden);
            layer.step(x, &mut here[..1], &mut workspace.recurrent, threads);
        }
        let hidden = states.last().map_or(&vectors, |last| &last.hidden);
        self.output.forward_over(hidden, over, threads)
    }

    /// The logits of what comes after each of several tokens a row, row by row, the real ones alone, `[N, V]`, and the states of the
    /// last layer that they are made of, `[N, W]`. tokens: `[B, T]`; the states go on to each row's own end.
    ///
    /// # Panics
    /// As [`Network::step`].
    pub(super) fn steps(&self, states: &mut States, tokens: &[u32], rows: Ragged<'_>) -> [Vec<f32>; 2] {
        let hidden = self.read_steps(states, tokens, rows);
        [self.output.forward(&hidden, rows.threads), hidden]
    }

    /// The same as far as the output layer: `[N, W]`.
    fn read_steps(&self, states: &mut States, tokens: &[u32], rows: Ragged<'_>) -> Vec<f32> {
        let mut workspace = self.workspaces.take();
        let mut below = self.vectors(tokens);
        for (layer, state) in self.layers.iter().zip(&mut *states) {
            let start = std::slice::from_ref(state);
            let (made, mut finals) = layer.forward(&below, rows, Some(start), &mut workspace.recurrent);
            below = made;
            if let Some(last) = finals.pop() {
                *state = last;
            }
        }
        let width = self.widths.last().copied().unwrap_or(0);
        rows.real(&below, width).flatten().copied().collect()
    }

    /// The states after these tokens, as [`Network::steps`] leaves them.
    pub(super) fn read_on(&self, states: &mut States, tokens: &[u32], rows: Ragged<'_>) {
        self.read_steps(states, tokens, rows);
    }

    /// `[tokens, E]`
    fn vectors(&self, tokens: &[u32]) -> Vec<f32> {
        let mut vectors = vec![0.0; tokens.len() * self.embedding];
        let copy = |(to, &token): (&mut [f32], &u32)| {
            to.copy_from_slice(&self.table[token as usize * self.embedding..][..self.embedding]);
        };
        vectors.par_chunks_exact_mut(self.embedding).zip(tokens).with_min_len(1024).for_each(copy);
        vectors
    }
}
