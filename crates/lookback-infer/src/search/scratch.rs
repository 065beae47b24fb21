//! Buffers that all sources and steps share.

use super::draw::Draw;
use super::top::{Candidate, Top};

/// Buffers that all sources and steps share, so that a step allocates next to nothing.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) top: Top,
    /// What is chosen among, where the best of all rows are not all of it.
    pub(super) candidates: Vec<Candidate>,
    /// How often the earlier groups have a token in this step.
    pub(super) taken: Vec<(u32, u32)>,
    /// Log-probabilities that stand otherwise in a row at the moment, by their token.
    pub(super) replaced: Vec<(u32, f32)>,
    pub(super) draw: Draw,
}
