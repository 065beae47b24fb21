//! Examples side by side, padded to the longest of them.

use std::collections::HashMap;
use std::sync::Arc;

use lookback_kernels::lookup::{Bags, Lookup, NO_TOKEN};

use super::encoder::EncodedText;
use super::example::{Content, Example};
use super::vocabulary::UNK;
use crate::data::series::SeriesExample;

/// Which hashed features a token is made of, beside its own vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Character n-grams.
    pub ngrams: bool,
    /// The pair with the token before.
    pub bigrams: bool,
    /// The token's shape.
    pub shapes: bool,
}

/// A padded batch.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What the first layer reads.
    pub input: BatchInput,
    /// `[B]`: how much of every row counts.
    pub lengths: Vec<usize>,
    /// `T`, at least 1.
    pub time: usize,
}

/// What the first layer reads.
#[derive(Clone, Debug)]
pub enum BatchInput {
    /// Texts: which different tokens stand where, row by row of `[B, T]`, and what each is made of: its own vector, then
    /// the mean of its n-grams' where the encoder has n-grams, then its bigram's where it has bigrams, and its shape's where it has
    /// shapes.
    Tokens(Arc<Lookup>),
    /// Series `[B, T, C]`, zero past a row's length.
    Series {
        /// The values.
        values: Vec<f32>,
        /// `C`.
        channels: usize,
    },
}

impl Batch {
    /// Pads examples, all of one kind, to the longest of them. `parts`: which tables the network has. `drop` says of every
    /// token in turn whether it is replaced by the unknown token; its n-grams stay, as an unknown word has them, too.
    pub fn new(examples: &[&Example], parts: Parts, drop: &mut dyn FnMut() -> bool) -> Batch {
        let lengths: Vec<usize> = examples.iter().map(|example| example.len()).collect();
        // A batch of empty texts still needs one step to have a shape.
        let time = lengths.iter().copied().max().unwrap_or(0).max(1);
        let (mut texts, mut series): (Vec<&EncodedText>, Vec<&SeriesExample>) = (Vec::new(), Vec::new());
        for example in examples {
            match &example.content {
                Content::Text(text) => texts.push(&text.ids),
                Content::Series(steps) => series.push(steps),
                Content::History(_) => unreachable!("what is read of a history is cut by the task"),
            }
        }
        debug_assert!(texts.is_empty() || series.is_empty(), "an input makes examples of one kind");
        let input = if series.is_empty() { tokens(&texts, time, parts, drop) } else { channels(&series, time) };
        Batch { input, lengths, time }
    }
}

/// Batches for answering: `size` examples of similar length, the longest first; ties keep their order. Every example
/// stands in exactly one batch.
pub fn by_length(lengths: &[usize], size: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&row| std::cmp::Reverse(lengths[row]));
    order.chunks(size.max(1)).map(<[usize]>::to_vec).collect()
}

fn channels(series: &[&SeriesExample], time: usize) -> BatchInput {
    let channels = series.first().map_or(0, |series| series.channels);
    let mut values = vec![0.0f32; series.len() * time * channels];
    for (row, series) in values.chunks_mut(time * channels).zip(series) {
        let used = series.length * channels;
        row[..used].copy_from_slice(&series.values[..used]);
    }
    BatchInput::Series { values, channels }
}

fn tokens(texts: &[&EncodedText], time: usize, parts: Parts, drop: &mut dyn FnMut() -> bool) -> BatchInput {
    let mut unique = Unique::default();
    let mut positions = vec![NO_TOKEN; texts.len() * time];
    for (row, text) in positions.chunks_mut(time).zip(texts) {
        for (step, (position, &id)) in row.iter_mut().zip(&text.ids).enumerate() {
            *position = unique.position_of(Features {
                id: if drop() { UNK } else { id },
                ngrams: text.ngrams_of(step),
                bigram: text.bigram_ids.get(step).copied().unwrap_or(0),
                shape: text.shape_ids.get(step).copied().unwrap_or(0),
            });
        }
    }
    BatchInput::Tokens(Arc::new(unique.lookup(positions, parts)))
}

/// What one token is made of.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Features<'a> {
    id: u32,
    ngrams: &'a [u32],
    bigram: u32,
    shape: u32,
}

/// The unique tokens of a batch, in the order in which they turn up.
#[derive(Default)]
struct Unique<'a> {
    known: HashMap<Features<'a>, u32>,
    tokens: Vec<Features<'a>>,
}

impl<'a> Unique<'a> {
    fn position_of(&mut self, token: Features<'a>) -> u32 {
        *self.known.entry(token).or_insert_with(|| {
            self.tokens.push(token);
            self.tokens.len() as u32 - 1
        })
    }

    fn lookup(self, positions: Vec<u32>, parts: Parts) -> Lookup {
        let tokens = &self.tokens;
        let mut bags = vec![Bags::single(tokens.iter().map(|token| token.id).collect())];
        if parts.ngrams {
            let mut ngrams = Bags { offsets: vec![0], ids: Vec::new() };
            for token in tokens {
                ngrams.ids.extend_from_slice(token.ngrams);
                ngrams.offsets.push(ngrams.ids.len() as u32);
            }
            bags.push(ngrams);
        }
        if parts.bigrams {
            bags.push(Bags::single(tokens.iter().map(|token| token.bigram).collect()));
        }
        if parts.shapes {
            bags.push(Bags::single(tokens.iter().map(|token| token.shape).collect()));
        }
        Lookup { positions, unique: tokens.len(), bags }
    }
}
