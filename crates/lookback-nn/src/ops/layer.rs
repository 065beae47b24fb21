//! What one recurrent layer is, and that tensors are what it says.

use std::sync::Arc;

use burn::tensor::{DType, Tensor};
use lookback_kernels::{Cell, Dims};

use super::Nothing;
use crate::{Error, check};

/// Parameters a direction may have: two weights, two biases, peepholes.
pub(crate) const PER_DIRECTION: usize = 5;
/// What the operation reads: `x`, `h0`, `c0`, then the parameters of two directions.
pub(crate) const INPUTS: usize = 3 + 2 * PER_DIRECTION;

/// What one layer is, beside its tensors.
#[derive(Debug, Clone)]
pub struct LayerSpec {
    /// The kind of cell.
    pub cell: Cell,
    /// The sizes of layer and batch.
    pub dims: Dims,
    /// `[B]`, checked against `T`; `None`: all `T`.
    pub lengths: Option<Arc<[usize]>>,
    /// Whether the layer has biases.
    pub bias: bool,
    /// Whether the LSTM has peepholes.
    pub peephole: bool,
    /// Whether an initial state was given.
    pub state: bool,
    /// Whether the backward pass computes the gates again instead of keeping them: by the kernels alone.
    pub recompute: bool,
}

impl LayerSpec {
    /// Whether each of the operation's inputs is there, or only a placeholder.
    pub(crate) fn present(&self) -> [bool; INPUTS] {
        let lstm = self.cell.has_cell_state();
        std::array::from_fn(|input| match input {
            0 => true,
            1 => self.state,
            2 => self.state && lstm,
            _ => {
                let (direction, parameter) = ((input - 3) / PER_DIRECTION, (input - 3) % PER_DIRECTION);
                direction < self.dims.directions
                    && match parameter {
                        0 | 1 => true,
                        4 => self.peephole,
                        _ => self.bias,
                    }
            }
        })
    }

    /// Compares the tensors of a call with the layer, and their element types with one another.
    pub(super) fn check(
        &self,
        x: &Tensor<3>,
        h0: Option<&Tensor<3>>,
        c0: Option<&Tensor<3>>,
        parameters: &[DirectionTensors],
    ) -> Result<(), Error> {
        let Dims { batch, time, input, hidden, directions } = self.dims;
        check::sizes(&[("input", input), ("hidden", hidden), ("directions", directions)])?;
        if directions > 2 || parameters.len() != directions {
            let (found, expected) = (parameters.len().to_string(), "one per direction, of which there are 1 or 2");
            return Err(Error::Config { name: "parameters", found, expected });
        }
        check::shape("x", x, [batch, time, input], "the layer's B, T and I")?;
        if let Some(lengths) = &self.lengths {
            check::lengths(lengths, batch, time)?;
        }
        let lstm = self.cell.has_cell_state();
        if self.peephole && !lstm {
            let expected = "left out where there is no cell to see";
            return Err(Error::Config { name: "peephole", found: "given".into(), expected });
        }
        self.is_there("h0", h0.is_some(), self.state)?;
        self.is_there("c0", c0.is_some(), self.state && lstm)?;
        for (name, state) in [("h0", h0), ("c0", c0)] {
            let Some(state) = state else { continue };
            check::shape(name, state, [directions, batch, hidden], "the layer's D, B and H")?;
            check::types([("x", Some(x.dtype())), (name, Some(state.dtype()))])?;
        }
        let rows = check::times(self.cell.gates(), hidden);
        for layer in parameters {
            layer.check_types("x", x.dtype())?;
            let DirectionTensors { weight_ih, weight_hh, bias, peephole } = layer;
            check::shape("weight_ih", weight_ih, [rows, input], "the layer's G * H and I")?;
            check::shape("weight_hh", weight_hh, [rows, hidden], "the layer's G * H and H")?;
            self.is_there("bias", bias.is_some(), self.bias)?;
            self.is_there("peephole", peephole.is_some(), self.peephole)?;
            let [bias_ih, bias_hh] = bias.as_ref().map_or([None, None], |[ih, hh]| [Some(ih), Some(hh)]);
            let vectors = [("bias_ih", bias_ih, rows), ("bias_hh", bias_hh, rows)];
            for (name, vector, size) in vectors.into_iter().chain([("peephole", peephole.as_ref(), 3 * hidden)]) {
                let Some(vector) = vector else { continue };
                check::shape(name, vector, [size], "the layer's G * H, or 3 H for peepholes")?;
            }
        }
        Ok(())
    }

    fn is_there(&self, name: &'static str, found: bool, expected: bool) -> Result<(), Error> {
        let words = |given| if given { "given" } else { "left out" };
        match found == expected {
            true => Ok(()),
            false => Err(Error::Config { name, found: words(found).into(), expected: words(expected) }),
        }
    }

    /// What a layer gives over no rows, or over no time: the state stays what it was.
    pub(super) fn nothing(
        &self,
        x: &Tensor<3>,
        h0: Option<Tensor<3>>,
        c0: Option<Tensor<3>>,
        parameters: &[DirectionTensors],
    ) -> LayerOutput {
        let Dims { batch, time, hidden, directions, .. } = self.dims;
        let nothing = parameters.iter().fold(Nothing::of(x).and_all(&h0).and_all(&c0), |nothing, layer| {
            let vectors = layer.bias.iter().flatten().chain(&layer.peephole);
            nothing.and(&layer.weight_ih).and(&layer.weight_hh).and_all(vectors)
        });
        let state = |state: Option<Tensor<3>>| {
            let zeros = nothing.zeros([directions, batch, hidden]);
            state.map_or(zeros.clone(), |state| state + zeros)
        };
        let cell = self.cell.has_cell_state().then(|| state(c0));
        LayerOutput { sequence: nothing.zeros([batch, time, directions * hidden]), hidden: state(h0), cell }
    }

    /// Where `y`, `h_n` and `c_n` end in the packed output.
    pub(crate) fn packed(&self) -> [usize; 3] {
        let Dims { batch, time, hidden, directions, .. } = self.dims;
        let y = batch * time * directions * hidden;
        let state = directions * batch * hidden;
        [y, y + state, if self.cell.has_cell_state() { y + 2 * state } else { y + state }]
    }
}

/// One direction's parameters as tensors.
#[derive(Debug, Clone)]
pub struct DirectionTensors {
    /// `[G*H, I]`.
    pub weight_ih: Tensor<2>,
    /// `[G*H, H]`.
    pub weight_hh: Tensor<2>,
    /// `[G*H]` each.
    pub bias: Option<[Tensor<1>; 2]>,
    /// `[3*H]`.
    pub peephole: Option<Tensor<1>>,
}

impl DirectionTensors {
    /// That all are of the element type of what they are used with.
    pub(crate) fn check_types(&self, other: &'static str, dtype: DType) -> Result<(), Error> {
        let bias = |which: usize| self.bias.as_ref().map(|bias| bias[which].dtype());
        check::types([
            (other, Some(dtype)),
            ("weight_ih", Some(self.weight_ih.dtype())),
            ("weight_hh", Some(self.weight_hh.dtype())),
            ("bias_ih", bias(0)),
            ("bias_hh", bias(1)),
            ("peephole", self.peephole.as_ref().map(Tensor::dtype)),
        ])
    }
}

/// What one layer gives.
#[derive(Debug, Clone)]
pub struct LayerOutput {
    /// `[B, T, D*H]`.
    pub sequence: Tensor<3>,
    /// `[D, B, H]`.
    pub hidden: Tensor<3>,
    /// `[D, B, H]`, LSTM only.
    pub cell: Option<Tensor<3>>,
}
