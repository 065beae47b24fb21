//! Long short-term memory: Hochreiter and Schmidhuber 1997, with the forget gate (Gers 2000) and, as an
//! option, peepholes (Gers and Schmidhuber 2000).
//!
//! The reference stands in [`mod@reference`]; the engine of the crate's root runs the fast twin.

pub(crate) mod backward;
pub(crate) mod forward;
pub mod reference;
