//! Streaming over plain slices: the weights packed once, no tensor per step. (The kernel still makes a few short
//! lists of rows and lengths per call.)

use burn::tensor::{Tensor, TensorData};
use lookback_kernels::{Cell, Dims, Inputs, KernelError, Outputs, Packed, Weights, Workspace, forward};

use super::{Recurrent, SavedState};
use crate::Error;

/// A finished model's layers, ready to step.
#[derive(Debug)]
pub struct Stepper {
    cell: Cell,
    input: usize,
    hidden: usize,
    layers: Vec<Packed>,
    workspace: Workspace,
    /// Two buffers of one hidden state: a layer's input and its output.
    buffers: [Vec<f32>; 2],
    next: [Vec<f32>; 2],
}

/// The state of one stream: cheap to clone, to save and to restore.
#[derive(Debug, Clone, PartialEq)]
pub struct StepperState {
    /// `[L, H]`.
    hidden: Vec<f32>,
    /// `[L, H]`, LSTM only.
    cell: Vec<f32>,
}

impl Stepper {
    pub(super) fn new(recurrent: &Recurrent) -> Result<Self, Error> {
        let (cell, hidden) = (recurrent.kernel_cell(), recurrent.hidden());
        let values = |data: TensorData| -> Vec<f32> { data.convert::<f32>().iter::<f32>().collect() };
        let mut input = recurrent.input();
        let mut layers = Vec::new();
        for layer in recurrent.forward_only()? {
            let weight_ih = values(layer.weight_ih.into_data());
            let weight_hh = values(layer.weight_hh.into_data());
            let bias = layer.bias.map(|bias| bias.map(|bias: Tensor<1>| values(bias.into_data())));
            let peephole = layer.peephole.map(|peephole| values(peephole.into_data()));
            let weights = Weights {
                weight_ih: &weight_ih,
                weight_hh: &weight_hh,
                bias_ih: bias.as_ref().map(|bias| &bias[0][..]),
                bias_hh: bias.as_ref().map(|bias| &bias[1][..]),
                peephole: peephole.as_deref(),
            };
            let dims = Dims { batch: 1, time: 1, input, hidden, directions: 1 };
            layers.push(checked(Packed::new(cell, &dims, &[weights])));
            input = hidden;
        }
        let buffer = || vec![0.0; hidden];
        Ok(Stepper {
            cell,
            input: recurrent.input(),
            hidden,
            layers,
            workspace: Workspace::default(),
            buffers: [buffer(), buffer()],
            next: [buffer(), buffer()],
        })
    }

    /// The state of a stream that has seen nothing.
    pub fn start(&self) -> StepperState {
        let len = self.layers.len() * self.hidden;
        StepperState { hidden: vec![0.0; len], cell: vec![0.0; if self.cell.has_cell_state() { len } else { 0 }] }
    }

    /// One step: x_t `[I]` in, the last layer's `[H]` out, `state` moved on.
    ///
    /// # Errors
    /// When `x_t` or the state is of another size.
    pub fn step(&mut self, x_t: &[f32], state: &mut StepperState) -> Result<&[f32], Error> {
        let shape = |name, found: usize, expected: usize| {
            if found == expected {
                return Ok(());
            }
            Err(Error::Shape { name, found: vec![found], expected: format!("[{expected}]") })
        };
        let states = self.layers.len() * self.hidden;
        shape("x_t", x_t.len(), self.input)?;
        shape("state.hidden", state.hidden.len(), states)?;
        shape("state.cell", state.cell.len(), if self.cell.has_cell_state() { states } else { 0 })?;
        let lstm = self.cell.has_cell_state();
        for (index, packed) in self.layers.iter().enumerate() {
            let own = index * self.hidden..(index + 1) * self.hidden;
            let [from, to] = &mut self.buffers;
            let [h_n, c_n] = &mut self.next;
            let x = if index == 0 { x_t } else { from.as_slice() };
            let input = x.len();
            checked(forward(
                self.cell,
                &Dims { batch: 1, time: 1, input, hidden: self.hidden, directions: 1 },
                packed,
                &Inputs {
                    x,
                    lengths: None,
                    h0: Some(&state.hidden[own.clone()]),
                    c0: lstm.then(|| &state.cell[own.clone()]),
                },
                Outputs { y: to, h_n, c_n: lstm.then_some(c_n) },
                None,
                &mut self.workspace,
                1,
            ));
            state.hidden[own.clone()].copy_from_slice(h_n);
            if lstm {
                state.cell[own].copy_from_slice(c_n);
            }
            self.buffers.swap(0, 1);
        }
        Ok(&self.buffers[0])
    }
}

impl StepperState {
    /// The state's values, `[L, 1, H]`: a [`super::State`] of one row has the same. layers: `L` of the layer; what is saved
    /// with a number that does not divide the values is refused by [`StepperState::restore`].
    pub fn save(&self, layers: usize) -> SavedState {
        SavedState {
            shape: [layers, 1, self.hidden.len() / layers.max(1)],
            hidden: self.hidden.clone(),
            cell: (!self.cell.is_empty()).then(|| self.cell.clone()),
        }
    }

    /// The stream that was saved.
    ///
    /// # Errors
    /// When it was of several rows, its values are not as many as its shape has, or those cannot be counted.
    pub fn restore(saved: &SavedState) -> Result<StepperState, Error> {
        saved.check()?;
        if saved.shape[1] != 1 {
            return Err(Error::Shape {
                name: "the saved state",
                found: saved.shape.to_vec(),
                expected: "[L, 1, H], one row".into(),
            });
        }
        Ok(StepperState { hidden: saved.hidden.clone(), cell: saved.cell.clone().unwrap_or_default() })
    }
}

/// The sizes come from the layer itself.
fn checked<X>(result: Result<X, KernelError>) -> X {
    result.unwrap_or_else(|error| panic!("a size that the layer has checked does not fit: {error}"))
}
