//! The packed weights of a layer.

use super::{Cell, Dims, Weights, check};
use crate::KernelError;
use crate::cell::packed::PackedDirection;

/// The packed weights of one layer, all directions.
///
/// Pack once per sequence when training, once per model when inferring.
#[derive(Debug, Clone)]
pub struct Packed {
    pub(super) cell: Cell,
    pub(super) input: usize,
    pub(super) hidden: usize,
    pub(super) directions: Vec<PackedDirection>,
}

impl Packed {
    /// Packs `weights`, one entry per direction. `dims.batch` and `dims.time` do not matter here.
    ///
    /// # Errors
    /// [`KernelError`] when a size does not fit.
    pub fn new(cell: Cell, dims: &Dims, weights: &[Weights<'_>]) -> Result<Packed, KernelError> {
        check::layer(dims)?;
        check::weights(cell, dims, weights)?;
        let directions = weights
            .iter()
            .map(|weights| PackedDirection::new(cell.form(), [dims.input, dims.hidden], weights))
            .collect();
        Ok(Packed { cell, input: dims.input, hidden: dims.hidden, directions })
    }

    /// Refuses a call that these weights are not for.
    pub(super) fn check(&self, cell: Cell, dims: &Dims) -> Result<(), KernelError> {
        let describe = |cell: Cell, input, hidden, directions| {
            format!("{cell:?} with I = {input}, H = {hidden} and {directions} direction(s)")
        };
        let packed = describe(self.cell, self.input, self.hidden, self.directions.len());
        let called = describe(cell, dims.input, dims.hidden, dims.directions);
        if packed == called { Ok(()) } else { Err(KernelError::Packed { packed, called }) }
    }
}
