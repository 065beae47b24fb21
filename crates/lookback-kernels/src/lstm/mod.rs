//! Long short-term memory: Hochreiter and Schmidhuber 1997, with the forget gate (Gers 2000) and, as an
//! option, peepholes (Gers and Schmidhuber 2000).
//!
//! The reference stands in [`mod@reference`]; the engine of the crate's root runs the fast twin.

pub(crate) mod backward;
pub(crate) mod forward;
pub mod reference;

/// Where the input gate stands, in weights and in what is kept of a step.
pub const I: usize = 0;
/// The forget gate.
pub const F: usize = 1;
/// The candidate, or cell input.
pub const G: usize = 2;
/// The output gate.
pub const O: usize = 3;
/// The cell state, behind the gates of a step.
pub(crate) const CELL: usize = 4;
/// The output gate among the peepholes, which the candidate has none of; the others stand as among the gates.
pub const PEEPHOLE_O: usize = 2;
