//! The product score: dot, scaled dot, general and multi-head attention.

mod backward;
mod forward;
pub(in crate::attention) mod reference;

pub(super) use backward::ProductGradient;
pub(super) use forward::Product;
