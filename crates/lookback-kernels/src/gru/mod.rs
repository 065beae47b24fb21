//! The gated recurrent unit of Cho 2014, with the reset before the product as there, or after it as in
//! PyTorch and cuDNN.
//!
//! The reference stands in [`mod@reference`]; the engine of the crate's root runs the fast twin.

pub(crate) mod backward;
pub(crate) mod forward;
pub mod reference;
