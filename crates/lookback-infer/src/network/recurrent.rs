//! The recurrent layers, packed once.

use lookback_kernels::{Cell, Dims, Inputs, Packed, Saving, Weights, Workspace, forward_owned};

use super::plan::EncoderPlan;
use super::ragged::Ragged;
use crate::error::ModelFileError;
use crate::model_file::Tensors;

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
    /// Layers that read vectors of `input` numbers. Takes, of every layer `k` from 0 and with `_reverse` behind the names
    /// of the second direction, `weight_ih_lk` `[G*H, I]`, `weight_hh_lk` `[G*H, H]`, `bias_ih_lk` and `bias_hh_lk` `[G*H]`.
    ///
    /// # Errors
    /// If one of them is missing or has another shape, or a size is 0.
    pub(crate) fn read(plan: &EncoderPlan, input: usize, tensors: &mut Tensors<'_>) -> Result<Self, ModelFileError> {
        let (cell, hidden) = (plan.cell.kernel(), plan.hidden);
        let directions = if plan.bidirectional { 2 } else { 1 };
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
        let layers = (0..plan.layers).map(layer).collect::<Result<_, _>>()?;
        Ok(Recurrent { cell, hidden, directions, layers })
    }

    /// x: `[B, T, I]`. Gives the steps of the last layer `[B, T, O]`, zero past a row's length, and its final hidden states
    /// `[B, O]`.
    ///
    /// # Panics
    /// If `x` has not the length of its shape, or a row is longer than `T`.
    pub(crate) fn forward(&self, x: &[f32], rows: Ragged<'_>, workspace: &mut Workspace) -> (Vec<f32>, Vec<f32>) {
        let Ragged { lengths, time, threads } = rows;
        let (batch, steps) = (rows.batch(), rows.batch() * time * self.directions * self.hidden);
        // The steps of a layer, `[B, T, O]`, and behind them its final states, `[D, B, H]` each.
        let mut made: Option<Vec<f32>> = None;
        for layer in &self.layers {
            let x = made.as_ref().map_or(x, |below| &below[..steps]);
            let dims = Dims { batch, time, input: layer.input, hidden: self.hidden, directions: self.directions };
            let inputs = Inputs { x, lengths: Some(lengths), h0: None, c0: None };
            let output = forward_owned(self.cell, &dims, &layer.packed, &inputs, Saving::Nothing, workspace, threads);
            made = Some(output.unwrap_or_else(|error| panic!("{error}")).0);
        }
        let mut made = made.unwrap_or_default();
        let mut last = Vec::with_capacity(batch * self.directions * self.hidden);
        for row in 0..batch {
            for direction in 0..self.directions {
                last.extend_from_slice(&made[steps + (direction * batch + row) * self.hidden..][..self.hidden]);
            }
        }
        made.truncate(steps);
        (made, last)
    }
}
