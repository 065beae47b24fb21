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
    /// Two tensors of one operation with different element types.
    #[error("{name} is {found} but {other} is {expected}")]
    Types {
        /// The argument.
        name: &'static str,
        /// Its element type.
        found: String,
        /// What it is used with.
        other: &'static str,
        /// The element type of that.
        expected: String,
    },
    /// Parameters that no memory holds.
    #[error("{name} would be {times} times {shape:?} in f32, which no memory holds")]
    TooLarge {
        /// The parameter.
        name: &'static str,
        /// Its shape; a size that cannot be counted is the largest there is.
        shape: Vec<usize>,
        /// How many of them.
        times: usize,
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
    #[error("the state {found} a cell state but the {layer} {expected}")]
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
    /// A key length beyond the keys.
    #[error("key lengths[{row}] is {length} but keys have K = {keys}")]
    KeyLength {
        /// The row of the batch.
        row: usize,
        /// Its length.
        length: usize,
        /// How many keys there are.
        keys: usize,
    },
    /// A score that compares query and key directly, with sizes that differ.
    #[error("the {score} score compares vectors of one size, but query has {query} and key {key}")]
    SameSize {
        /// The score's name.
        score: &'static str,
        /// The size of a query.
        query: usize,
        /// The size of a key.
        key: usize,
    },
    /// A score over a fixed number of positions, used with another.
    #[error("this score was made for {positions} positions but values have K = {found}")]
    Positions {
        /// What the layer was made for.
        positions: usize,
        /// How many values came.
        found: usize,
    },
    /// A memory asked of a score whose keys belong to the query.
    #[error("a score over positions has one key per query, and no memory to project once")]
    NoMemory,
    /// A width that does not divide into heads.
    #[error("{name} is {found}, which does not divide into {heads} heads")]
    Heads {
        /// What has the width.
        name: &'static str,
        /// The width.
        found: String,
        /// How many heads.
        heads: usize,
    },
    /// A path through tags that a conditional random field does not have, or does not allow.
    #[error("the path does not fit the field: {what}")]
    Path {
        /// What does not fit, with the row and the step.
        what: String,
    },
    /// Sources and targets that cannot be aligned.
    #[error("the lengths of sources and targets do not fit: {what}")]
    Alignment {
        /// What does not fit, with the row.
        what: String,
    },
    /// Wanted tokens, or places where they stand, that a pointer-generator does not have.
    #[error("what is wanted does not fit the pointer-generator: {what}")]
    Pointer {
        /// What does not fit.
        what: String,
    },
    /// Token vectors asked for that no table has.
    #[error("the lookup does not fit its tables: {what}")]
    Lookup {
        /// What does not fit.
        what: String,
    },
}
