//! The additive score: Bahdanau's, and Luong's concat.

mod backward;
mod forward;
mod one_query;
pub(in crate::attention) mod reference;

pub(super) use backward::AdditiveGradient;
pub(super) use forward::Additive;
pub(crate) use forward::logistics;
pub(crate) use one_query::{StayingKeys, stride_of};
