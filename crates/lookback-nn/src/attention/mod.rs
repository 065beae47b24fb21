//! Attention: every classic score, every mask, and the forms they are used in.
//!
//! | what | where |
//! |---|---|
//! | a score over a memory: additive, dot, scaled dot, general, concat, cosine, the three tutorial rules | [`Attention`], [`Score`] |
//! | which keys may be read | [`Mask`] |
//! | one vector from a sequence: Zhou 2016, Yang 2016, a query, r hops (Lin 2017) | [`AttentionPool`], [`StructuredPool`] |
//! | several heads, with PyTorch's names | [`MultiHeadAttention`] |
//! | a window around a position (Luong 2015, 3.2) | [`LocalAttention`] |
//! | previous weights enter the score (Chorowski 2015) | [`LocationAttention`] |
//! | decoders: input feeding (Luong), attend first (Bahdanau) | [`crate::decoder`] |
//! | words, then sentences (Yang 2016) | [`HierarchicalAttention`] |
//!
//! On Burn's Flex backend the fused kernels of `lookback-kernels` run; elsewhere the same is composed of Burn's
//! operations.
//!
//! # Legend of shapes
//! `B` batch, `Q` queries, `K` keys, `N` heads, `T` time, `O` the width of a step.
//!
//! ```
//! use burn::tensor::{Device, Distribution, Tensor};
//! use lookback_nn::attention::{AttentionConfig, Mask, Score};
//!
//! let device = Device::default();
//! let attention = AttentionConfig::new(Score::Additive { hidden: 16 }, 8, 10).init(&device)?;
//! let random = |shape: [usize; 3]| Tensor::<3>::random(shape, Distribution::Default, &device);
//! let (query, memory) = (random([2, 1, 8]), random([2, 5, 10]));
//! let mask = Mask::none().with_key_lengths(&[5, 3]);
//! let output = attention.forward_with_weights(query, memory.clone(), memory, &mask)?;
//! assert_eq!(output.context.dims(), [2, 1, 10]);
//! assert_eq!(output.weights.unwrap().dims(), [2, 1, 5]);
//! # Ok::<(), lookback_nn::Error>(())
//! ```

mod fitted;
mod hierarchical;
mod local;
mod location;
mod mask;
mod memory;
mod multi_head;
mod pool;
mod score;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use fitted::Fitted;
pub use hierarchical::{HierarchicalAttention, HierarchicalOutput};
pub use local::{LocalAttention, Position};
pub use location::{LocationAttention, LocationState};
pub use mask::{Bias, Mask, Window};
pub(crate) use memory::Asked;
pub use memory::{Attention, AttentionOutput, Memory};
pub use multi_head::{MultiHeadAttention, MultiHeadConfig, MultiHeadOutput};
pub use pool::{AttentionPool, PoolOutput, PoolScore, StructuredOutput, StructuredPool};
pub use score::{AttentionConfig, Score};
