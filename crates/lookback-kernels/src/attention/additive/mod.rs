//! The additive score: Bahdanau's, and Luong's concat.

mod backward;
mod forward;
pub(in crate::attention) mod reference;

pub(super) use backward::AdditiveGradient;
pub(super) use forward::Additive;
