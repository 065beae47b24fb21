//! How documents are gone through: in pieces, side by side, each row of a batch going on where it was left in the batch before.
//!
//! A document that is much longer than the others is cut into stretches, so that all rows have about as much to read. What begins in
//! a row, a document or a stretch, begins with a state of zeros; pieces of it carry theirs on (truncated backpropagation through
//! time, Williams and Peng 1990).

use lookback_infer::tasks::generate::Corpus;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A document, or a part of one that is read by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    document: usize,
    /// The place of its first token that is read.
    start: usize,
    /// How many are read; as many are wanted.
    length: usize,
}

/// All pieces of a corpus.
#[derive(Clone, Debug)]
pub(super) struct Pieces {
    stretches: Vec<Stretch>,
    /// Of each piece the stretch it is of, and its place there.
    pieces: Vec<(usize, usize)>,
    /// Where the pieces of each stretch begin among all.
    first: Vec<usize>,
    /// About how long each piece is.
    lengths: Vec<usize>,
    /// Which stretches stand in each row, by their numbers of pieces: the stretch of as many that comes next fills the place.
    rows: Vec<Vec<usize>>,
    chunk: usize,
    seed: u64,
}

/// A piece of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The document.
    pub(super) document: usize,
    /// The stretch, which is what a state is kept of.
    pub(super) stretch: usize,
    /// The places of the tokens that are read; each wants the one behind it.
    pub(super) start: usize,
    /// The end of those.
    pub(super) end: usize,
    /// Whether it goes on from the piece before.
    pub(super) goes_on: bool,
    /// Whether another follows.
    pub(super) followed: bool,
}

impl Pieces {
    /// Of so many rows side by side, in pieces of at most `chunk` steps.
    pub(super) fn new(corpus: &Corpus, rows: usize, chunk: usize, seed: u64) -> Pieces {
        let total = corpus.tokens();
        let share = total.div_ceil(rows.max(1)).max(chunk);
        let mut stretches = Vec::new();
        for (document, tokens) in corpus.documents.iter().enumerate() {
            let parts = tokens.len().div_ceil(share);
            let length = tokens.len().div_ceil(parts);
            for start in (0..tokens.len()).step_by(length) {
                stretches.push(Stretch { document, start, length: length.min(tokens.len() - start) });
            }
        }
        let count = |stretch: &Stretch| stretch.length.div_ceil(chunk);
        let (mut pieces, mut first, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for (place, stretch) in stretches.iter().enumerate() {
            first.push(pieces.len());
            pieces.extend((0..count(stretch)).map(|piece| (place, piece)));
            lengths.extend((0..count(stretch)).map(|_| stretch.length.min(chunk)));
        }
        // The longest first, each to the row that has least: rows end at about the same time.
        let mut counts: Vec<usize> = stretches.iter().map(count).collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let mut dealt: Vec<(usize, Vec<usize>)> = vec![(0, Vec::new()); rows.clamp(1, stretches.len().max(1))];
        let mut order: std::collections::BTreeSet<(usize, usize)> = (0..dealt.len()).map(|row| (0, row)).collect();
        for count in counts {
            let Some((sum, row)) = order.pop_first() else { break };
            dealt[row].1.push(count);
            dealt[row].0 = sum + count;
            order.insert((sum + count, row));
        }
        let rows = dealt.into_iter().map(|(_, counts)| counts).collect();
        Pieces { stretches, pieces, first, lengths, rows, chunk, seed }
    }

    /// About how long each piece is.
    pub(super) fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// The pieces of every batch of an epoch. Which document stands where is drawn for every epoch, the number of batches is the
    /// same.
    pub(super) fn batches(&self, epoch: usize) -> Vec<Vec<usize>> {
        let mut rng = self.rng(epoch, 0);
        let mut of_count: std::collections::BTreeMap<usize, Vec<usize>> = std::collections::BTreeMap::new();
        for (place, stretch) in self.stretches.iter().enumerate() {
            of_count.entry(stretch.length.div_ceil(self.chunk)).or_default().push(place);
        }
        of_count.values_mut().for_each(|stretches| stretches.shuffle(&mut rng));
        let mut batches: Vec<Vec<usize>> = Vec::new();
        for row in &self.rows {
            let mut row = row.clone();
            row.shuffle(&mut rng);
            let mut at = 0;
            for count in row {
                let Some(stretch) = of_count.get_mut(&count).and_then(Vec::pop) else { continue };
                for piece in 0..count {
                    if batches.len() == at {
                        batches.push(Vec::new());
                    }
                    batches[at].push(self.first[stretch] + piece);
                    at += 1;
                }
            }
        }
        batches
    }

    /// The piece of this number. Where in a stretch the first ends is drawn for every epoch, so that the same tokens do not always
    /// stand at the ends of pieces.
    pub(super) fn piece(&self, number: usize, epoch: usize) -> Piece {
        let (place, piece) = self.pieces[number];
        let stretch = self.stretches[place];
        let count = stretch.length.div_ceil(self.chunk);
        let first = match count {
            1 => stretch.length,
            _ => {
                // The last piece takes what is left, at most a whole one.
                let least = stretch.length - (count - 1) * self.chunk;
                self.rng(epoch, 1 + place as u64).random_range(least..=self.chunk)
            }
        };
        let from = |piece: usize| if piece == 0 { 0 } else { (first + (piece - 1) * self.chunk).min(stretch.length) };
        Piece {
            document: stretch.document,
            stretch: place,
            start: stretch.start + from(piece),
            end: stretch.start + if piece + 1 == count { stretch.length } else { from(piece + 1) },
            goes_on: piece > 0,
            followed: piece + 1 < count,
        }
    }

    fn rng(&self, epoch: usize, stream: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ (epoch as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        rng.set_stream(stream);
        rng
    }
}

#[cfg(test)]
mod tests {
    use lookback_infer::tasks::generate::Tokens;
    use proptest::prelude::*;

    use super::*;

    fn corpus(lengths: &[usize]) -> Corpus {
        let documents = lengths.iter().map(|&length| Tokens((0..=length as u32).collect())).collect();
        Corpus { documents, ..Corpus::default() }
    }

    proptest! {
        #[test]
        fn every_token_is_wanted_once_an_epoch_and_rows_go_on_where_they_were_left(
            lengths in prop::collection::vec(1usize..60, 1..12), rows in 1usize..6, chunk in 1usize..9, epoch in 1usize..4,
        ) {
            let corpus = corpus(&lengths);
            let pieces = Pieces::new(&corpus, rows, chunk, 7);
            let batches = pieces.batches(epoch);
            prop_assert_eq!(batches.len(), pieces.batches(epoch + 1).len());
            let mut wanted: Vec<Vec<u32>> = lengths.iter().map(|&length| vec![0; length]).collect();
            // Where each stretch was left, and in which batch.
            let mut left = std::collections::BTreeMap::new();
            for (place, batch) in batches.iter().enumerate() {
                prop_assert!(!batch.is_empty() && batch.len() <= rows);
                for &number in batch {
                    let piece = pieces.piece(number, epoch);
                    prop_assert!(piece.start < piece.end && piece.end - piece.start <= chunk);
                    wanted[piece.document][piece.start..piece.end].iter_mut().for_each(|count| *count += 1);
                    let before = left.remove(&piece.stretch);
                    prop_assert_eq!(before, piece.goes_on.then(|| (piece.start, place - 1)));
                    if piece.followed {
                        left.insert(piece.stretch, (piece.end, place));
                    }
                }
            }
            prop_assert!(left.is_empty());
            prop_assert!(wanted.iter().flatten().all(|&count| count == 1), "{:?}", wanted);
        }
    }

    #[test]
    fn one_document_fills_all_rows() {
        let pieces = Pieces::new(&corpus(&[1_000]), 4, 10, 0);
        let batches = pieces.batches(1);
        assert_eq!(batches.len(), 25);
        assert!(batches.iter().all(|batch| batch.len() == 4));
    }
}
