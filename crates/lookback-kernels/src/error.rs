//! What a kernel refuses, in sentences that name both sides.

/// Why a kernel refused its arguments. Nothing has been written when one of these comes back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// A slice whose length is not the product of its shape.
    #[error("{name} has {found} values but its shape {shape} has {expected}")]
    Length {
        /// The argument's name.
        name: &'static str,
        /// Its shape, as in the documentation, with this call's sizes.
        shape: String,
        /// How many values the shape has.
        expected: usize,
        /// How many values came.
        found: usize,
    },
    /// Sizes whose product no memory holds.
    #[error("{name} has shape {shape}, more values than memory can hold")]
    TooLarge {
        /// The argument's name.
        name: &'static str,
        /// Its shape, as in the documentation, with this call's sizes.
        shape: String,
    },
    /// An index outside what it points into.
    #[error("{name}[{at}] is {index} but there are {count} {of}")]
    Index {
        /// The argument's name.
        name: &'static str,
        /// Where the index stands.
        at: usize,
        /// The index.
        index: u32,
        /// How many there are.
        count: usize,
        /// Of what.
        of: String,
    },
    /// Offsets that do not part what they should.
    #[error("the offsets of table {table} do not part {ids} ids among {unique} unique tokens")]
    Offsets {
        /// The table.
        table: usize,
        /// How many ids there are.
        ids: usize,
        /// How many tokens share them.
        unique: usize,
    },
    /// A sequence length beyond the batch's time axis.
    #[error("lengths[{row}] is {length} but the batch has T = {time}")]
    SequenceLength {
        /// The row of the batch.
        row: usize,
        /// Its length.
        length: usize,
        /// The time axis.
        time: usize,
    },
    /// A size that must be larger.
    #[error("{name} is {found} but must be at least {least}")]
    TooSmall {
        /// The size's name.
        name: &'static str,
        /// The least that works.
        least: usize,
        /// What came.
        found: usize,
    },
    /// Neither one direction nor two.
    #[error("directions is {0} but a recurrent layer has 1 or 2")]
    Directions(usize),
    /// One entry per direction was expected.
    #[error("{name} has {found} entries but the layer has {expected} directions")]
    PerDirection {
        /// The argument's name.
        name: &'static str,
        /// The layer's directions.
        expected: usize,
        /// What came.
        found: usize,
    },
    /// An argument that this kind of cell does not have.
    #[error("{name} was given but the {cell} has none")]
    NotPart {
        /// The argument's name.
        name: &'static str,
        /// The cell's name.
        cell: &'static str,
    },
    /// An argument that this call needs.
    #[error("{name} is missing: {reason}")]
    Missing {
        /// The argument's name.
        name: &'static str,
        /// Why the call needs it.
        reason: &'static str,
    },
    /// Packed weights of another layer.
    #[error("the packed weights are of {packed} but the call is for {called}")]
    Packed {
        /// What was packed.
        packed: String,
        /// What was called.
        called: String,
    },
    /// A key length beyond the keys.
    #[error("key lengths[{row}] is {length} but keys have K = {keys}")]
    KeyLength {
        /// The row of the batch.
        row: usize,
        /// Its length.
        length: usize,
        /// `K`.
        keys: usize,
    },
    /// A slice that has the length of none of the shapes it may have.
    #[error("{name} has {found} values, which is neither {shapes}")]
    NoShape {
        /// The argument's name.
        name: &'static str,
        /// How many values came.
        found: usize,
        /// The shapes it may have, with this call's sizes.
        shapes: String,
    },
    /// A path that uses what the parameters of a conditional random field forbid.
    #[error("the tags of row {row} are forbidden at step {step}: the path {what}")]
    Forbidden {
        /// The row of the batch.
        row: usize,
        /// The step.
        step: usize,
        /// What the path does there.
        what: String,
    },
    /// A row for which a conditional random field forbids every path.
    #[error("every path of {length} steps is forbidden, and row {row} has as many")]
    NoPath {
        /// The row of the batch.
        row: usize,
        /// Its length.
        length: usize,
    },
    /// A source length beyond the positions.
    #[error("source lengths[{row}] is {length} but sources have S = {positions}")]
    SourceLength {
        /// The row of the batch.
        row: usize,
        /// Its length.
        length: usize,
        /// `S`.
        positions: usize,
    },
    /// A target without a position of its source to be written at.
    #[error("row {row} has {length} steps but its source has no position")]
    NoPosition {
        /// The row of the batch.
        row: usize,
        /// Its steps.
        length: usize,
    },
    /// A number above what the call can give.
    #[error("{name} is {found} but must be at most {most}")]
    TooMany {
        /// The number's name.
        name: &'static str,
        /// The most that works.
        most: usize,
        /// What came.
        found: usize,
    },
    /// No probability.
    #[error("the dropout probability is {found} but must be from 0 to 1")]
    Probability {
        /// What came.
        found: String,
    },
}
