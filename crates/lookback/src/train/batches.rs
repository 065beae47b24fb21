//! Batches of examples of similar length.
//!
//! A batch costs about as much as its longest row, and short rows beside a long one waste the machine.
//! [`Batches::epoch`] therefore groups rows of similar length, yet keeps the order of training random: the
//! examples are shuffled, cut into windows of several batches, sorted by length inside each window, cut into
//! batches, and the batches are shuffled again.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How examples are grouped into batches. The result depends on the lengths, [`Batches::seed`] and the number of
/// the epoch, and on nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batches {
    /// Examples in a batch; the last batch of an epoch may hold fewer. Zero is read as one.
    pub size: usize,
    /// How many batches are sorted by length together. One turns the sorting off; zero is read as one.
    pub window: usize,
    /// The seed of the shuffling.
    pub seed: u64,
}

impl Batches {
    /// Batches of `size` examples, sorted by length in windows of 50 batches.
    pub fn new(size: usize, seed: u64) -> Self {
        Self { size, window: 50, seed }
    }

    /// The batches of epoch number `epoch`, each a list of indices into `lengths`. Every example stands in exactly
    /// one batch.
    pub fn epoch(&self, lengths: &[usize], epoch: u64) -> Vec<Vec<usize>> {
        let size = self.size.max(1);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        // One stream an epoch: an epoch can be drawn again without drawing those before it.
        rng.set_stream(epoch);
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        order.shuffle(&mut rng);
        if self.window > 1 {
            // The sort is stable, so rows of equal length stay in their random order.
            for window in order.chunks_mut(size.saturating_mul(self.window)) {
                window.sort_by_key(|&row| lengths[row]);
            }
        }
        let mut batches: Vec<Vec<usize>> = order.chunks(size).map(<[usize]>::to_vec).collect();
        batches.shuffle(&mut rng);
        batches
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lookback_infer::input::by_length;
    use proptest::prelude::*;

    fn sorted(batches: &[Vec<usize>]) -> Vec<usize> {
        let mut rows: Vec<usize> = batches.iter().flatten().copied().collect();
        rows.sort_unstable();
        rows
    }

    proptest! {
        #[test]
        fn every_example_stands_in_exactly_one_batch(
            lengths in proptest::collection::vec(0usize..40, 0..300), size in 0usize..20, window in 0usize..6,
            seed: u64, epoch: u64,
        ) {
            let batches = Batches { size, window, seed };
            let all: Vec<usize> = (0..lengths.len()).collect();
            for drawn in [batches.epoch(&lengths, epoch), by_length(&lengths, size)] {
                prop_assert_eq!(sorted(&drawn), all.clone());
                prop_assert!(drawn.iter().all(|batch| !batch.is_empty() && batch.len() <= size.max(1)));
                let short = drawn.iter().filter(|batch| batch.len() < size.max(1)).count();
                prop_assert!(short <= 1, "{} batches are short", short);
            }
        }
    }

    #[test]
    fn the_same_seed_and_epoch_give_the_same_batches_and_others_differ() {
        let lengths: Vec<usize> = (0..500).map(|row| row * 7 % 31).collect();
        let batches = Batches::new(16, 5);
        assert_eq!(batches.epoch(&lengths, 3), batches.epoch(&lengths, 3));
        assert_ne!(batches.epoch(&lengths, 3), batches.epoch(&lengths, 4));
        assert_ne!(batches.epoch(&lengths, 3), Batches::new(16, 6).epoch(&lengths, 3));
    }

    #[test]
    fn the_draw_is_pinned_so_that_an_update_of_the_random_crates_cannot_change_it_unseen() {
        let drawn = Batches { size: 2, window: 2, seed: 0 }.epoch(&[5, 1, 4, 2, 3], 1);
        assert_eq!(drawn, [vec![3, 4], vec![2, 0], vec![1]]);
    }

    #[test]
    fn rows_of_a_batch_have_similar_lengths() {
        let lengths: Vec<usize> = (0..1000).map(|row| row * 37 % 101).collect();
        let padded = |batches: &[Vec<usize>]| -> usize {
            let longest = |batch: &Vec<usize>| batch.iter().map(|&row| lengths[row]).max().unwrap_or(0) * batch.len();
            batches.iter().map(longest).sum()
        };
        let sorted = padded(&Batches { size: 20, window: 50, seed: 1 }.epoch(&lengths, 0));
        let shuffled = padded(&Batches { size: 20, window: 1, seed: 1 }.epoch(&lengths, 0));
        assert!((sorted as f64) < 0.6 * shuffled as f64, "{sorted} padded steps against {shuffled} without sorting");
    }
}
