//! Sequences of tokens that never come out.

use std::collections::HashMap;

use super::paths::Paths;

/// Sequences that are in no hypothesis, found by their last token but one.
#[derive(Clone, Debug, Default)]
pub(super) struct Forbidden {
    /// Tokens that are forbidden by themselves.
    single: Vec<u32>,
    /// Sequences of two and more, under their last token but one.
    longer: HashMap<u32, Vec<Vec<u32>>>,
}

impl Forbidden {
    pub(super) fn new(sequences: impl IntoIterator<Item = Vec<u32>>) -> Self {
        let mut forbidden = Self::default();
        for sequence in sequences {
            match sequence[..] {
                [] => {}
                [token] => forbidden.single.push(token),
                [.., before, _] => forbidden.longer.entry(before).or_default().push(sequence),
            }
        }
        forbidden
    }

    /// Takes from a row `[V]` all tokens that would complete a sequence behind `node`.
    pub(super) fn mask(&self, row: &mut [f32], paths: &Paths, node: usize) {
        for &token in &self.single {
            row[token as usize] = f32::NEG_INFINITY;
        }
        if self.longer.is_empty() {
            return;
        }
        for sequence in self.longer.get(&paths.last(node)).into_iter().flatten() {
            let Some((&last, before)) = sequence.split_last() else { continue };
            let mut backwards = paths.backwards(node);
            if before.iter().rev().all(|&token| backwards.next() == Some(token)) {
                row[last as usize] = f32::NEG_INFINITY;
            }
        }
    }

    /// The first sequence that is within these tokens.
    pub(super) fn within(&self, tokens: &[u32]) -> Option<&[u32]> {
        let single = self.single.iter().find(|token| tokens.contains(token)).map(std::slice::from_ref);
        let longer = || {
            let mut sequences = tokens.iter().filter_map(|token| self.longer.get(token)).flatten();
            sequences.find(|sequence| tokens.windows(sequence.len()).any(|window| window == &sequence[..]))
        };
        single.or_else(|| longer().map(Vec::as_slice))
    }
}
