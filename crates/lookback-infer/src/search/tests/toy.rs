//! A decoder without a network.

use std::cell::RefCell;
use std::convert::Infallible;

use crate::network::log_softmax;
use crate::search::{Decoder, Step};

/// Log-probabilities that are a hash of the source and of all tokens before, and so is what is looked at.
#[derive(Debug)]
pub(super) struct Toy {
    pub(super) vocabulary: usize,
    /// How unlike each other the logits are.
    pub(super) sharpness: f32,
    /// Whether it has attention.
    pub(super) attends: bool,
    /// How many rows each step had.
    pub(super) rows: RefCell<Vec<usize>>,
}

/// The source and what was read, of every row.
pub(super) type Rows = Vec<(u64, Vec<u32>)>;

impl Toy {
    pub(super) fn new(vocabulary: usize, sharpness: f32) -> Self {
        Self { vocabulary, sharpness, attends: true, rows: RefCell::default() }
    }

    pub(super) fn begin(&self, sources: &[u64]) -> Rows {
        sources.iter().map(|&source| (source, Vec::new())).collect()
    }

    /// `[V]`, and by how much the logits were above.
    pub(super) fn row(&self, source: u64, read: &[u32]) -> (Vec<f32>, f32) {
        let logit = |token| self.sharpness * share(hash(source, read, token));
        let mut row: Vec<f32> = (0..self.vocabulary as u64).map(logit).collect();
        let mut normalizer = [0.0];
        log_softmax(&mut row, self.vocabulary, &mut normalizer);
        (row, normalizer[0])
    }

    /// `[S]`, with one step for each unit of the source's number and one more, up to 5.
    pub(super) fn attention(&self, source: u64, read: &[u32]) -> Vec<f32> {
        let weights: Vec<f32> = (0..=source % 5).map(|step| share(hash(source, read, 1000 + step)).powi(2)).collect();
        let sum: f32 = weights.iter().sum();
        weights.iter().map(|weight| weight / sum).collect()
    }
}

impl Decoder for Toy {
    type State = Rows;
    type Error = Infallible;

    fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    fn step(&self, state: &mut Rows, tokens: &[u32], out: &mut Step) -> Result<(), Infallible> {
        assert_eq!((state.len(), out.rows()), (tokens.len(), tokens.len()));
        self.rows.borrow_mut().push(tokens.len());
        for (row, ((source, read), &token)) in state.iter_mut().zip(tokens).enumerate() {
            read.push(token);
            let (values, normalizer) = self.row(*source, read);
            out.log_probabilities()[row * self.vocabulary..][..self.vocabulary].copy_from_slice(&values);
            out.normalizers()[row] = normalizer;
            if self.attends {
                out.attend(&self.attention(*source, read));
            }
        }
        Ok(())
    }

    fn reorder(&self, state: &mut Rows, rows: &[usize]) {
        *state = rows.iter().map(|&row| state[row].clone()).collect();
    }
}

fn hash(source: u64, read: &[u32], of: u64) -> u64 {
    let mut state = source.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ of.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    for value in read.iter().map(|&token| u64::from(token) + 1).chain([of]) {
        state = (state ^ value).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state ^= state >> 29;
    }
    state
}

/// From 0 to 1.
fn share(hash: u64) -> f32 {
    (hash >> 40) as f32 / (1 << 24) as f32
}
