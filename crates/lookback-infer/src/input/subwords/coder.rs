//! The crate tokenizers: learning pieces of words, and cutting words into them.
//!
//! Its trainers go through hash maps of random order and sum floating-point numbers by thread. Words come sorted here, one
//! thread learns, and what is left to chance is put in order: see [`in_order`].

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Deserialize;
use tokenizers::Model;
use tokenizers::models::bpe::{BPE, BpeTrainer, Vocab};
use tokenizers::models::unigram::{Unigram, UnigramTrainer};

use super::Learnt;

/// What the crate calls characters that no piece has. No word has these characters side by side.
const UNKNOWN: &str = "<unk>";
/// Words with their counts may have so many pairs of characters: the crate counts in 32 bits.
const MOST_CHARACTERS: u64 = i32::MAX as u64;

/// Cuts words into pieces.
pub(super) enum Coder {
    Bpe(Box<BPE>),
    Unigram(Box<Unigram>),
}

impl Coder {
    pub(super) fn new(learnt: &Learnt) -> Result<Coder, String> {
        match learnt {
            Learnt::Bpe { alphabet, merges } => bpe(alphabet, merges).map(|bpe| Coder::Bpe(Box::new(bpe))),
            Learnt::Unigram { pieces } => unigram(pieces).map(|unigram| Coder::Unigram(Box::new(unigram))),
        }
    }

    /// Where each piece of a word ends; the last one with the word.
    pub(super) fn ends(&self, word: &str) -> Vec<usize> {
        let ends = match self {
            Coder::Bpe(bpe) => bpe.tokenize(word).map(|tokens| tokens.iter().map(|token| token.offsets.1).collect()),
            Coder::Unigram(unigram) => unigram.encode(word).map(|pieces| {
                let end = |end: &mut usize, piece: &String| {
                    *end += piece.len();
                    Some(*end)
                };
                pieces.iter().scan(0, end).collect()
            }),
        };
        // Both fail only where nothing stands for an unknown character.
        ends.unwrap_or_else(|_| vec![word.len()])
    }
}

fn bpe(alphabet: &str, merges: &[(String, String)]) -> Result<BPE, String> {
    let mut ids = Vocab::new();
    let mut put = |token: String| {
        let next = ids.len() as u32;
        ids.entry(token).or_insert(next);
    };
    alphabet.chars().for_each(|c| put(c.to_string()));
    merges.iter().for_each(|(left, right)| put(format!("{left}{right}")));
    put(UNKNOWN.into());
    let builder = BPE::builder().vocab_and_merges(ids, merges.to_vec()).unk_token(UNKNOWN.into()).fuse_unk(true);
    builder.build().map_err(|problem| format!("the merges of its sub-words are wrong: {problem}"))
}

fn unigram(pieces: &[(String, f64)]) -> Result<Unigram, String> {
    if let Some((piece, score)) = pieces.iter().find(|(piece, score)| piece.is_empty() || !score.is_finite()) {
        return Err(format!("the piece {piece:?} of its sub-words has the score {score}"));
    }
    let all = [(UNKNOWN.to_owned(), 0.0)].into_iter().chain(pieces.iter().cloned());
    Unigram::from(all.collect(), Some(0), false).map_err(|problem| problem.to_string())
}

/// The pieces that become one, in the order in which they do, for so many pieces at most with the characters.
pub(super) fn merges(words: &BTreeMap<String, u32>, size: usize) -> Result<Vec<(String, String)>, String> {
    #[derive(Deserialize)]
    struct Stored {
        merges: Vec<(String, String)>,
    }

    check(words)?;
    let trainer = BpeTrainer::builder().vocab_size(size).min_frequency(2).show_progress(false).build();
    let counts = words.iter().map(|(word, &count)| (word.as_str().into(), u64::from(count))).collect();
    let bpe = alone(|| {
        let mut bpe = BPE::default();
        trainer.do_train(&counts, &mut bpe).map_err(|problem| problem.to_string())?;
        Ok(bpe)
    })?;
    // The crate shows its merges in no other way.
    let stored = serde_json::to_value(&bpe).and_then(serde_json::from_value::<Stored>);
    stored.map(|stored| stored.merges).map_err(|problem| problem.to_string())
}

/// So many pieces at most, with their scores.
pub(super) fn pieces(words: &BTreeMap<String, u32>, size: usize) -> Result<Vec<(String, f64)>, String> {
    check(words)?;
    let vocab_size = u32::try_from(size).map_err(|_| format!("is {size}, which is too many"))?;
    let trainer = UnigramTrainer::builder().vocab_size(vocab_size).show_progress(false).build();
    let trainer = trainer.map_err(|problem| problem.to_string())?;
    let counts: Vec<(String, u32)> = words.iter().map(|(word, &count)| (word.clone(), count)).collect();
    let unigram = alone(|| {
        let mut unigram = Unigram::default();
        trainer.do_train(counts, &mut unigram).map_err(|problem| problem.to_string())?;
        Ok(unigram)
    })?;
    Ok(in_order(unigram.iter().cloned().collect()))
}

fn check(words: &BTreeMap<String, u32>) -> Result<(), String> {
    let characters: u64 = words.iter().map(|(word, &count)| word.len() as u64 * u64::from(count)).sum();
    match characters > MOST_CHARACTERS {
        true => Err("is learnt of texts of 2 GiB at most, but these are more".into()),
        false => Ok(()),
    }
}

/// Learns on one thread, where every sum has one order.
fn alone<T: Send>(learn: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(|problem| problem.to_string())?;
    // The crate's trainer panics where a probability is no number.
    catch_unwind(AssertUnwindSafe(|| pool.install(learn)))
        .unwrap_or_else(|_| Err("cannot be learnt of these texts; try the other method".into()))
}

/// Pieces by their score, the likeliest first, then by code point.
///
/// Single characters that the unigram model does without are given the lowest score and, each, a little more than the one
/// before, in the random order of a hash map. These scores are dealt out by code point instead. A character whose own score
/// is one of them by chance takes part in that, which is as well.
fn in_order(mut pieces: Vec<(String, f64)>) -> Vec<(String, f64)> {
    let least = pieces.iter().map(|(_, score)| *score).fold(f64::INFINITY, f64::min);
    let is_character = |piece: &str| piece.chars().nth(1).is_none();
    // As the crate adds it up, to the bit.
    let penalty = std::iter::successors(Some(0.0), |penalty| Some(penalty + 0.0001));
    let dealt: Vec<f64> = penalty.take(pieces.len()).map(|penalty| least + penalty).collect();
    let is_dealt = |score: f64| dealt.binary_search_by(|dealt| dealt.total_cmp(&score)).is_ok();
    let mut characters: Vec<&mut (String, f64)> =
        pieces.iter_mut().filter(|(piece, score)| is_character(piece) && is_dealt(*score)).collect();
    let mut scores: Vec<f64> = characters.iter().map(|(_, score)| *score).collect();
    scores.sort_by(f64::total_cmp);
    characters.sort_by(|a, b| a.0.cmp(&b.0));
    characters.into_iter().zip(scores).for_each(|(character, score)| character.1 = score);
    pieces.sort_by(|(a, a_score), (b, b_score)| b_score.total_cmp(a_score).then_with(|| a.cmp(b)));
    pieces
}
