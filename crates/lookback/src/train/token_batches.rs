//! Batches that are bounded by what they are padded to.
//!
//! A batch of pairs costs its rows times the longest source, and its rows times the longest target. Batches of as many rows
//! as fit hold few long pairs or many short ones, and cost about the same.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// How examples are grouped into batches of so many padded tokens. The result depends on the sides, the seed and the number
/// of the epoch, and on nothing else; how many batches there are is the same in every epoch, so that a schedule knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TokenBatches {
    /// The most that the rows of a batch are padded to, both sides together.
    pub(super) tokens: usize,
    /// The seed of the shuffling.
    pub(super) seed: u64,
}

impl TokenBatches {
    /// The batches of epoch number `epoch`, each a list of indices. sides: what each example is padded to, of its input and
    /// of what is written. Every example stands in exactly one batch; one that is over the bound alone is a batch of its own.
    ///
    /// Examples are shuffled, sorted by their sides, and cut where the next would be over the bound; the batches are shuffled
    /// again. Sides count as [`rounded`], so that examples of similar sides change places from epoch to epoch while the
    /// places of the cuts stay.
    pub(super) fn epoch(self, sides: &[[usize; 2]], epoch: u64) -> Vec<Vec<usize>> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        // One stream an epoch, as in `Batches`.
        rng.set_stream(epoch);
        let mut order: Vec<usize> = (0..sides.len()).collect();
        order.shuffle(&mut rng);
        // The sort is stable, so rows of equal sides stay in their random order.
        order.sort_by_key(|&example| key(sides[example]));
        let keys: Vec<[usize; 2]> = order.iter().map(|&example| key(sides[example])).collect();
        let mut batches: Vec<Vec<usize>> =
            self.cuts(&keys).windows(2).map(|cut| order[cut[0]..cut[1]].to_vec()).collect();
        batches.shuffle(&mut rng);
        batches
    }

    /// How many batches every epoch has.
    pub(super) fn steps(self, sides: &[[usize; 2]]) -> usize {
        let mut keys: Vec<[usize; 2]> = sides.iter().map(|&sides| key(sides)).collect();
        keys.sort_unstable();
        self.cuts(&keys).len() - 1
    }

    /// Where batches begin, and the end, of examples that are sorted.
    fn cuts(self, keys: &[[usize; 2]]) -> Vec<usize> {
        let (mut cuts, mut longest) = (vec![0], [0, 0]);
        for (at, &key) in keys.iter().enumerate() {
            let with: [usize; 2] = std::array::from_fn(|side| longest[side].max(key[side]));
            let rows = at + 1 - cuts[cuts.len() - 1];
            let is_full = rows > 1 && rows.saturating_mul(with[0].saturating_add(with[1])) > self.tokens;
            longest = if is_full { key } else { with };
            if is_full {
                cuts.push(at);
            }
        }
        if !keys.is_empty() {
            cuts.push(keys.len());
        }
        cuts
    }
}

/// What is written first, for its steps come one after the other.
fn key([read, written]: [usize; 2]) -> [usize; 2] {
    [rounded(written), rounded(read)]
}

/// A length, rounded up to three binary digits behind the first: at most an eighth longer, and up to 16 as it is.
fn rounded(length: usize) -> usize {
    let step = (length / 8).checked_ilog2().map_or(1, |digits| 1 << digits);
    length.checked_next_multiple_of(step).unwrap_or(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn padded(batch: &[usize], sides: &[[usize; 2]]) -> usize {
        let longest = |side: usize| batch.iter().map(|&example| sides[example][side]).max().unwrap_or(0);
        batch.len() * (longest(0) + longest(1))
    }

    #[test]
    fn the_draw_is_pinned_so_that_an_update_of_the_random_crates_cannot_change_it_unseen() {
        let sides = [[5, 1], [1, 2], [4, 4], [2, 2], [3, 1], [9, 9]];
        let drawn = TokenBatches { tokens: 12, seed: 0 }.epoch(&sides, 1);
        assert_eq!(drawn, [vec![5], vec![1, 3], vec![2], vec![4, 0]]);
    }

    proptest! {
        #[test]
        fn every_example_stands_in_one_batch_and_no_batch_of_several_is_over_the_bound(
            sides in proptest::collection::vec([0usize..90, 0usize..90], 0..300), tokens in 1usize..2000, seed: u64,
        ) {
            let batches = TokenBatches { tokens, seed };
            for epoch in 1..4 {
                let drawn = batches.epoch(&sides, epoch);
                prop_assert_eq!(drawn.len(), batches.steps(&sides));
                let mut all = drawn.concat();
                all.sort_unstable();
                prop_assert_eq!(all, (0..sides.len()).collect::<Vec<_>>());
                prop_assert!(drawn.iter().all(|batch| batch.len() == 1 || padded(batch, &sides) <= tokens));
                prop_assert!(drawn.iter().all(|batch| !batch.is_empty()));
            }
        }

        #[test]
        fn a_length_is_rounded_by_an_eighth_at_most(length in 0usize..100_000) {
            let found = rounded(length);
            prop_assert!(found >= length && found - length <= length / 8);
            prop_assert!(length > 16 || found == length);
        }
    }

    #[test]
    fn epochs_differ_and_one_drawn_again_is_the_same() {
        let sides: Vec<[usize; 2]> = (0..500).map(|at| [at * 7 % 31, at * 5 % 23]).collect();
        let batches = TokenBatches { tokens: 400, seed: 5 };
        assert_eq!(batches.epoch(&sides, 3), batches.epoch(&sides, 3));
        assert_ne!(batches.epoch(&sides, 3), batches.epoch(&sides, 4));
        let members = |epoch| {
            let mut all = batches.epoch(&sides, epoch);
            all.iter_mut().for_each(|batch| batch.sort_unstable());
            all.sort_unstable();
            all
        };
        assert_ne!(members(3), members(4), "the batches themselves are others, not their order alone");
    }

    #[test]
    fn batches_are_about_as_full_as_the_bound_lets_them_be() {
        let sides: Vec<[usize; 2]> = (0..2000).map(|at| [5 + at * 37 % 41, 5 + at * 37 % 43]).collect();
        let drawn = TokenBatches { tokens: 2000, seed: 1 }.epoch(&sides, 1);
        let real: usize = sides.iter().flatten().sum();
        let whole: usize = drawn.iter().map(|batch| padded(batch, &sides)).sum();
        assert!(whole as f64 <= 1.35 * real as f64, "{whole} padded tokens for {real}");
        assert!(drawn.len() * 2000 <= real * 3 / 2, "{} batches for {real} tokens", drawn.len());
    }

    #[test]
    fn a_length_that_no_memory_holds_is_a_batch_of_its_own() {
        let sides = [[usize::MAX, usize::MAX], [1, 1], [usize::MAX - 1, 3]];
        assert_eq!(TokenBatches { tokens: 10, seed: 0 }.steps(&sides), 3);
    }
}
