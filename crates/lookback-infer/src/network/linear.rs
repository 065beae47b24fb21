//! A linear map, packed once.

use lookback_kernels::linear::PreparedLinear;

use super::ragged::Ragged;
use crate::error::ModelFileError;
use crate::model_file::Tensors;

/// `y = x Wᵀ + b`, as PyTorch's `Linear`. A row alone equals the same row among any others, bit for bit.
#[derive(Debug)]
pub(crate) struct Linear(PreparedLinear);

impl Linear {
    /// Takes `weight` `[outputs, inputs]` and, where there is a bias, `bias` `[outputs]`.
    ///
    /// # Errors
    /// If one of them is missing or has another shape, or a size is 0.
    pub(crate) fn read(
        inputs: usize,
        outputs: usize,
        bias: bool,
        tensors: &mut Tensors<'_>,
    ) -> Result<Self, ModelFileError> {
        let weight = tensors.take("weight", &[outputs, inputs])?;
        let bias = if bias { Some(tensors.take("bias", &[outputs])?) } else { None };
        Self::new([outputs, inputs], &weight, bias.as_deref(), "weight", tensors)
    }

    /// The map of a weight, or of a part of it, that has been taken under `name`.
    ///
    /// # Errors
    /// If a size is 0.
    pub(crate) fn new(
        [outputs, inputs]: [usize; 2],
        weight: &[f32],
        bias: Option<&[f32]>,
        name: &str,
        tensors: &Tensors<'_>,
    ) -> Result<Self, ModelFileError> {
        PreparedLinear::new(inputs, outputs, weight, bias).map(Linear).map_err(|problem| tensors.unfit(name, &problem))
    }

    /// The map of these rows of a weight, and their biases: as many inputs as a row has.
    ///
    /// # Panics
    /// If there is no row, or the weight is no whole number of rows.
    pub(crate) fn of_rows(weight: &[f32], bias: &[f32]) -> Self {
        let outputs = bias.len();
        Linear(
            PreparedLinear::new(weight.len() / outputs, outputs, weight, Some(bias))
                .unwrap_or_else(|problem| panic!("{problem}")),
        )
    }

    /// x: `[rows, inputs]`. Gives `[rows, outputs]`.
    ///
    /// # Panics
    /// If `x` is no whole number of rows.
    pub(crate) fn forward(&self, x: &[f32], threads: usize) -> Vec<f32> {
        self.0.forward(x, threads).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same in the memory of a vector that is no longer needed.
    ///
    /// # Panics
    /// As [`Linear::forward`].
    pub(crate) fn forward_over(&self, x: &[f32], memory: Vec<f32>, threads: usize) -> Vec<f32> {
        self.0.forward_over(x, memory, threads).unwrap_or_else(|error| panic!("{error}"))
    }

    /// steps: `[B, T, inputs]`. Gives `[B, T, outputs]`, zero past a row's length, where nothing is read.
    ///
    /// # Panics
    /// If `steps` has not the length of its shape.
    pub(crate) fn forward_steps(&self, steps: &[f32], rows: Ragged<'_>) -> Vec<f32> {
        let Ragged { lengths, time, threads } = rows;
        self.0.forward_ragged(steps, lengths, time, threads).unwrap_or_else(|error| panic!("{error}"))
    }
}
