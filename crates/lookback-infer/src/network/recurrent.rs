//! The recurrent layers, packed once.

use lookback_kernels::{Cell, Dims, Inputs, Packed, Saving, Weights, Workspace, forward_owned};

use super::cell;
use super::ragged::Ragged;
use crate::error::ModelFileError;
use crate::model_file::Tensors;

/// What recurrent layers are made by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecurrentShape {
    pub(crate) cell: cell::Cell,
    /// `I`, of the first layer.
    pub(crate) input: usize,
    /// `H`
    pub(crate) hidden: usize,
    pub(crate) layers: usize,
    pub(crate) bidirectional: bool,
}

/// The states of one layer: `[D, B, H]` each, and no cell states where the cell has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LayerState {
    pub(crate) hidden: Vec<f32>,
    pub(crate) cell: Vec<f32>,
}

/// Recurrent layers on one another, in one direction or both.
#[derive(Debug)]
pub(crate) struct Recurrent {
    cell: Cell,
    hidden: usize,
    directions: usize,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    /// `I`
    input: usize,
    packed: Packed,
}

impl Recurrent {
    /// Takes, of every layer `k` from 0 and with `_reverse` behind the names
    /// of the second direction, `weight_ih_lk` `[G*H, I]`, `weight_hh_lk` `[G*H, H]`, `bias_ih_lk` and `bias_hh_lk` `[G*H]`.
    ///
    /// # Errors
    /// If one of them is missing or has another shape, or a size is 0.
    pub(crate) fn read(shape: RecurrentShape, tensors: &mut Tensors<'_>) -> Result<Self, ModelFileError> {
        let RecurrentShape { cell, input, hidden, layers, bidirectional } = shape;
        let cell = cell.kernel();
        let directions = if bidirectional { 2 } else { 1 };
        let gates = cell.gates() * hidden;
        let layer = |index: usize| {
            let input = if index == 0 { input } else { directions * hidden };
            let taken = (0..directions)
                .map(|direction| {
                    let suffix = format!("_l{index}{}", if direction == 0 { "" } else { "_reverse" });
                    Ok([
                        tensors.take(&format!("weight_ih{suffix}"), &[gates, input])?,
                        tensors.take(&format!("weight_hh{suffix}"), &[gates, hidden])?,
                        tensors.take(&format!("bias_ih{suffix}"), &[gates])?,
                        tensors.take(&format!("bias_hh{suffix}"), &[gates])?,
                    ])
                })
                .collect::<Result<Vec<_>, ModelFileError>>()?;
            let weights: Vec<_> = taken
                .iter()
                .map(|[weight_ih, weight_hh, bias_ih, bias_hh]| Weights {
                    weight_ih,
                    weight_hh,
                    bias_ih: Some(bias_ih),
                    bias_hh: Some(bias_hh),
                    peephole: None,
                })
                .collect();
            // Neither rows nor steps matter here.
            let dims = Dims { batch: 1, time: 1, input, hidden, directions };
            match Packed::new(cell, &dims, &weights) {
                Ok(packed) => Ok(Layer { input, packed }),
                Err(problem) => Err(tensors.unfit(&format!("weight_ih_l{index}"), &problem)),
            }
        };
        let layers = (0..layers).map(layer).collect::<Result<_, _>>()?;
        Ok(Recurrent { cell, hidden, directions, layers })
    }

    /// x: `[B, T, I]`. Gives the steps of the last layer `[B, T, O]`, zero past a row's length, and the final states of
    /// every layer. `start`: the states that rows begin with, of every layer; zeros where there are none.
    ///
    /// # Panics
    /// If `x` or a state has not the length of its shape, or a row is longer than `T`.
    pub(crate) fn forward(
        &self,
        x: &[f32],
        rows: Ragged<'_>,
        start: Option<&[LayerState]>,
        workspace: &mut Workspace,
    ) -> (Vec<f32>, Vec<LayerState>) {
        let Ragged { lengths, time, threads } = rows;
        let (batch, states) = (rows.batch(), self.directions * rows.batch() * self.hidden);
        let mut below: Option<Vec<f32>> = None;
        let mut finals = Vec::with_capacity(self.layers.len());
        for (place, layer) in self.layers.iter().enumerate() {
            let dims = Dims { batch, time, input: layer.input, hidden: self.hidden, directions: self.directions };
            let start = start.map(|states| &states[place]);
            let (h0, c0) = (start.map(|state| &state.hidden[..]), start.map(|state| &state.cell[..]));
            let c0 = c0.filter(|cell| !cell.is_empty());
            let inputs = Inputs { x: below.as_deref().unwrap_or(x), lengths: Some(lengths), h0, c0 };
            let output = forward_owned(self.cell, &dims, &layer.packed, &inputs, Saving::Nothing, workspace, threads);
            // The steps of the layer, `[B, T, O]`, and behind them its final states.
            let mut made = output.unwrap_or_else(|error| panic!("{error}")).0;
            finals.push(LayerState::split_off(&mut made, batch * time * self.directions * self.hidden, states));
            below = Some(made);
        }
        (below.unwrap_or_default(), finals)
    }

    /// One step of layers that read one way. x: `[B, I]`; `states`: of every layer, which become those after the step. The
    /// hidden states of the last are what it gives, `[B, H]`.
    ///
    /// # Panics
    /// If the layers read both ways, or something has not the length of its shape.
    pub(crate) fn step(&self, x: &[f32], states: &mut [LayerState], workspace: &mut Workspace, threads: usize) {
        assert!(self.directions == 1 && states.len() == self.layers.len(), "steps go one way, through every layer");
        for place in 0..self.layers.len() {
            let layer = &self.layers[place];
            let (below, here) = states.split_at_mut(place);
            let state = &mut here[0];
            let batch = state.hidden.len() / self.hidden;
            let dims = Dims { batch, time: 1, input: layer.input, hidden: self.hidden, directions: 1 };
            let x = below.last().map_or(x, |below| &below.hidden);
            let c0 = (!state.cell.is_empty()).then_some(&state.cell[..]);
            let inputs = Inputs { x, lengths: None, h0: Some(&state.hidden), c0 };
            let output = forward_owned(self.cell, &dims, &layer.packed, &inputs, Saving::Nothing, workspace, threads);
            let mut made = output.unwrap_or_else(|error| panic!("{error}")).0;
            // Of one step, its output is the final hidden state.
            *state = LayerState::split_off(&mut made, batch * self.hidden, batch * self.hidden);
        }
    }
}

impl LayerState {
    /// Of so many rows of `hidden` units, all zero.
    pub(crate) fn zeros(rows: usize, hidden: usize, has_cell: bool) -> LayerState {
        let zeros = vec![0.0; rows * hidden];
        LayerState { cell: if has_cell { zeros.clone() } else { Vec::new() }, hidden: zeros }
    }

    /// The states of these rows, which may repeat, of layers that read one way. hidden: `H`.
    ///
    /// # Panics
    /// If there is no such row.
    pub(crate) fn of_rows(&self, rows: &[usize], hidden: usize) -> LayerState {
        let of = |values: &[f32]| -> Vec<f32> {
            if values.is_empty() {
                return Vec::new();
            }
            rows.iter().flat_map(|&row| &values[row * hidden..][..hidden]).copied().collect()
        };
        LayerState { hidden: of(&self.hidden), cell: of(&self.cell) }
    }

    /// The states behind the steps, `h_n` and, where there is one, `c_n`, of so many numbers each.
    fn split_off(made: &mut Vec<f32>, steps: usize, states: usize) -> LayerState {
        let hidden = made[steps..][..states].to_vec();
        let cell = made[steps + states..].to_vec();
        made.truncate(steps);
        LayerState { hidden, cell }
    }

    /// `[B, D * H]`: the hidden states of both directions side by side; `hidden`: `H`.
    pub(crate) fn beside(states: &[f32], hidden: usize, batch: usize) -> Vec<f32> {
        let directions = states.len() / (batch * hidden).max(1);
        let mut beside = Vec::with_capacity(states.len());
        for row in 0..batch {
            for direction in 0..directions {
                beside.extend_from_slice(&states[(direction * batch + row) * hidden..][..hidden]);
            }
        }
        beside
    }
}
