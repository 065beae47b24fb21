//! The gated recurrent unit of Cho 2014, with the reset before the product as there, or after it as in
//! PyTorch and cuDNN.
//!
//! The reference stands in [`mod@reference`]; the engine of the crate's root runs the fast twin.

pub(crate) mod backward;
pub(crate) mod forward;
pub mod reference;

/// Where the reset gate stands, in weights and in what is kept of a step.
pub const RESET: usize = 0;
/// The update gate.
pub const UPDATE: usize = 1;
/// The candidate.
pub const CANDIDATE: usize = 2;
/// `U h_prev + b'` of the candidate, kept behind the gates where the reset follows it.
pub(crate) const PRODUCT: usize = 3;

/// Where the gradients of the gates stand in a row of them, so that those that the input meets, and those that the state
/// meets, are neighbours.
pub(crate) mod gradient {
    pub(crate) const CANDIDATE: usize = 0;
    pub(crate) const RESET: usize = 1;
    pub(crate) const UPDATE: usize = 2;
    pub(crate) const PRODUCT: usize = 3;
}
