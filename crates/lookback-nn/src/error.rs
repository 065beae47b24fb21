//! What a layer refuses, in sentences that name both sides.

/// Why a layer could not be made or could not run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration that no layer has.
    #[error("{name} is {found} but must be {expected}")]
    Config {
        /// The option.
        name: &'static str,
        /// Its value.
        found: String,
        /// What works.
        expected: &'static str,
    },
    /// An argument whose shape does not fit the layer or another argument.
    #[error("{name} is {found:?} but {expected} was expected")]
    Shape {
        /// The argument.
        name: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that fits, and what asks for it.
        expected: String,
    },
    /// A tensor of another element type than the layer's parameters.
    #[error("{name} is {found} but the layer's parameters are {expected}")]
    Type {
        /// The argument.
        name: &'static str,
        /// Its element type.
        found: String,
        /// The parameters' element type.
        expected: String,
    },
    /// A sequence length beyond the time axis.
    #[error("lengths[{row}] is {length} but x has T = {time}")]
    Length {
        /// The row of the batch.
        row: usize,
        /// Its length.
        length: usize,
        /// The time axis.
        time: usize,
    },
    /// A state with a cell for a layer that has none, or without one for an LSTM.
    #[error("the state {found} a cell state but {layer} {expected}")]
    Cell {
        /// "has" or "lacks".
        found: &'static str,
        /// The layer's kind.
        layer: &'static str,
        /// What the layer needs.
        expected: &'static str,
    },
    /// Streaming over a layer that must see the end first.
    #[error("a bidirectional layer cannot step: its reverse direction starts at the last input")]
    StepBidirectional,
    /// Parameters by name that do not fit the layer.
    #[error("parameter {name}: {problem}")]
    Parameter {
        /// The parameter's name, as PyTorch has it.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// Token vectors asked for that no table has.
    #[error("the lookup does not fit its tables: {what}")]
    Lookup {
        /// What does not fit.
        what: String,
    },
}

/// Compares the lengths of a batch with its shape.
pub(crate) fn check_lengths(lengths: &[usize], batch: usize, time: usize) -> Result<(), Error> {
    if lengths.len() != batch {
        let expected = format!("[{batch}] (one a row of x)");
        return Err(Error::Shape { name: "lengths", found: vec![lengths.len()], expected });
    }
    match lengths.iter().enumerate().find(|&(_, &length)| length > time) {
        Some((row, &length)) => Err(Error::Length { row, length, time }),
        None => Ok(()),
    }
}
