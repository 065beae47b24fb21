//! The plain recurrent network of Elman 1990: `h = act(W x + b + U h_prev + b')`.
//!
//! The reference stands in [`mod@reference`]; the engine of the crate's root runs the fast twin.

pub(crate) mod backward;
pub(crate) mod forward;
pub mod reference;
