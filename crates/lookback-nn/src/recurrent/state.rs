//! What flows in and out of a layer beside its input.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::{Error, check};

/// The state of all layers and directions of a batch.
#[derive(Debug, Clone)]
pub struct State {
    /// `[L*D, B, H]`, layer by layer, in each the forward direction first, as PyTorch has it.
    pub hidden: Tensor<3>,
    /// `[L*D, B, H]`, LSTM only.
    pub cell: Option<Tensor<3>>,
}

/// What a layer gives.
#[derive(Debug, Clone)]
pub struct Output {
    /// `[B, T, D*H]` of the last layer; zero at and past `lengths[b]`.
    pub sequence: Tensor<3>,
    /// Each row's own last state.
    pub state: State,
}

impl Output {
    /// `[B, D*H]`: the final hidden state of the last layer, the forward direction first.
    pub fn last_layer(&self) -> Tensor<2> {
        let [_, batch, hidden] = self.state.hidden.dims();
        self.state.of_last(batch, hidden, self.sequence.dims()[2] / hidden)
    }
}

/// A state as plain values, to be kept in a file or a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedState {
    /// `[L*D, B, H]`.
    pub shape: [usize; 3],
    /// The hidden state's values, row-major.
    pub hidden: Vec<f32>,
    /// The cell state's values, LSTM only.
    pub cell: Option<Vec<f32>>,
}

impl State {
    /// `[B, D*H]`: the final hidden state of the last layer, the forward direction first. directions: `D`.
    ///
    /// # Errors
    /// When the state is not of layers of so many directions.
    pub fn last_layer(&self, directions: usize) -> Result<Tensor<2>, Error> {
        let [layers, batch, hidden] = self.hidden.dims();
        if directions == 0 || layers == 0 || !layers.is_multiple_of(directions) {
            let expected = format!("[L*D, B, H] with D = {directions}");
            return Err(Error::Shape { name: "state.hidden", found: vec![layers, batch, hidden], expected });
        }
        Ok(self.of_last(batch, hidden, directions))
    }

    fn of_last(&self, batch: usize, hidden: usize, directions: usize) -> Tensor<2> {
        let layers = self.hidden.dims()[0];
        let last = self.hidden.clone().slice(layers - directions..layers);
        last.swap_dims(0, 1).reshape([batch, directions * hidden])
    }

    /// The state's values.
    pub fn save(&self) -> SavedState {
        let values = |tensor: &Tensor<3>| tensor.to_data().convert::<f32>().iter::<f32>().collect();
        SavedState { shape: self.hidden.dims(), hidden: values(&self.hidden), cell: self.cell.as_ref().map(values) }
    }

    /// The state that was saved, on `device`.
    ///
    /// # Errors
    /// When the values are not as many as the shape has, or those of the shape cannot be counted.
    pub fn restore(saved: &SavedState, device: &Device) -> Result<State, Error> {
        saved.check()?;
        let tensor = |values: &Vec<f32>| Tensor::from_data(TensorData::new(values.clone(), saved.shape), device);
        Ok(State { hidden: tensor(&saved.hidden), cell: saved.cell.as_ref().map(tensor) })
    }
}

impl SavedState {
    /// Refuses values that are not as many as the shape has, and shapes beyond counting: a file may hold anything.
    pub(super) fn check(&self) -> Result<(), Error> {
        let count = check::count(&self.shape);
        for values in std::iter::once(&self.hidden).chain(&self.cell) {
            if Some(values.len()) != count {
                return Err(Error::Shape {
                    name: "the saved state",
                    found: vec![values.len()],
                    expected: format!("the product of {:?}", self.shape),
                });
            }
        }
        Ok(())
    }
}
