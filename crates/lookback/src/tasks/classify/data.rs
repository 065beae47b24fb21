//! From files to examples, from examples to batches of tensors.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor, TensorData};
use lookback_nn::ops::{Bags, Lookup, NO_TOKEN};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::wide::WideBatch;
use crate::data::encoder::{EncodedText, TextEncoder};
use crate::data::labels::LabelSet;
use crate::data::series::SeriesExample;
use crate::data::vocabulary::UNK;
use crate::error::DataError;

/// One input, ready for the network.
#[derive(Clone, Debug)]
pub enum Example {
    /// Token ids and hashed features of a text.
    Text(EncodedText),
    /// Standardised channels of a series, `[T, C]`.
    Series(SeriesExample),
}

impl Example {
    /// Tokens or steps.
    pub fn len(&self) -> usize {
        match self {
            Example::Text(text) => text.ids.len(),
            Example::Series(series) => series.length,
        }
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Examples with their labels.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// The inputs.
    pub examples: Vec<Example>,
    /// The label of each, as the label set numbers them.
    pub targets: Vec<usize>,
    /// The length of each.
    pub lengths: Vec<usize>,
    /// The line of each in the file.
    pub lines: Vec<usize>,
    /// The file they came from, for messages.
    pub file: PathBuf,
}

impl Dataset {
    /// Encodes labelled texts.
    pub(crate) fn of_texts(
        texts: &[crate::data::table::TextExample],
        encoder: &TextEncoder,
        labels: &LabelSet,
        file: &Path,
    ) -> Result<Dataset, DataError> {
        let mut dataset = Dataset::of(file);
        let mut cut = 0;
        for text in texts {
            let encoded = encoder.encode(&text.text);
            cut += usize::from(encoded.tokens_cut > 0);
            let target = labels.encode(text.label.as_deref().unwrap_or_default(), file, text.line)?;
            dataset.push(Example::Text(encoded), target, text.line);
        }
        if cut > 0 {
            let longest = encoder.max_length;
            tracing::warn!("{}: {cut} of {} texts are cut to {longest} tokens", file.display(), texts.len());
        }
        Ok(dataset)
    }

    /// Takes labelled series, standardised before.
    pub(crate) fn of_series(series: Vec<SeriesExample>, labels: &LabelSet, file: &Path) -> Result<Dataset, DataError> {
        let mut dataset = Dataset::of(file);
        for series in series {
            let line = series.line;
            let target = labels.encode(series.label.as_deref().unwrap_or_default(), file, line)?;
            dataset.push(Example::Series(series), target, line);
        }
        Ok(dataset)
    }

    /// No examples yet, of this file.
    fn of(file: &Path) -> Dataset {
        Dataset { file: file.into(), ..Dataset::default() }
    }

    fn push(&mut self, example: Example, target: usize, line: usize) {
        self.lines.push(line);
        self.lengths.push(example.len());
        self.examples.push(example);
        self.targets.push(target);
    }

    /// How many examples.
    pub fn len(&self) -> usize {
        self.examples.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }

    /// The examples at `indices`, in that order.
    pub(crate) fn select(&self, indices: &[usize]) -> Dataset {
        let mut dataset = Dataset::of(&self.file);
        for &index in indices {
            dataset.push(self.examples[index].clone(), self.targets[index], self.lines[index]);
        }
        dataset
    }
}

/// A padded batch on its device.
#[derive(Clone, Debug)]
pub struct Batch {
    /// What the first layer reads.
    pub input: BatchInput,
    /// `[B]`: how much of every row counts.
    pub lengths: Vec<usize>,
    /// What the linear part beside the network reads.
    pub wide: Option<WideBatch>,
}

/// What the first layer reads.
#[derive(Clone, Debug)]
pub enum BatchInput {
    /// Texts: which different tokens stand where, and what each is made of: its own vector, then the mean of its
    /// n-grams' where the encoder has n-grams, then its bigram's where it has bigrams.
    Tokens {
        /// The places are those of `[B, T]`, row by row.
        lookup: Arc<Lookup>,
        /// `B` and `T`.
        shape: [usize; 2],
    },
    /// Series `[B, T, C]`.
    Series(Box<Tensor<3>>),
}

/// Tokens that are replaced by the unknown token while training.
pub(crate) struct WordDropout<'a> {
    pub(crate) probability: f64,
    pub(crate) rng: &'a mut ChaCha8Rng,
}

impl Batch {
    /// Pads examples to the longest of them. `parts`: which tables the network has. All are of one kind, and there is at least one.
    pub(crate) fn new(
        examples: &[&Example],
        parts: Parts,
        word_dropout: Option<WordDropout<'_>>,
        device: &Device,
    ) -> Batch {
        let lengths: Vec<usize> = examples.iter().map(|example| example.len()).collect();
        // A batch of empty texts still needs one step to have a shape.
        let time = lengths.iter().copied().max().unwrap_or(0).max(1);
        let series: Vec<&SeriesExample> = examples
            .iter()
            .filter_map(|example| match example {
                Example::Series(series) => Some(series),
                Example::Text(_) => None,
            })
            .collect();
        let input = if series.is_empty() {
            let texts: Vec<&EncodedText> = examples
                .iter()
                .filter_map(|example| match example {
                    Example::Text(text) => Some(text),
                    Example::Series(_) => None,
                })
                .collect();
            text_input(&texts, time, parts, word_dropout)
        } else {
            series_input(&series, time, device)
        };
        Batch { input, lengths, wide: WideBatch::new(examples, device) }
    }
}

fn series_input(series: &[&SeriesExample], time: usize, device: &Device) -> BatchInput {
    let channels = series.first().map_or(0, |series| series.channels);
    let mut values = vec![0.0f32; series.len() * time * channels];
    for (row, series) in values.chunks_mut(time * channels).zip(series) {
        let used = series.length * channels;
        row[..used].copy_from_slice(&series.values[..used]);
    }
    let data = TensorData::new(values, [series.len(), time, channels]);
    BatchInput::Series(Box::new(Tensor::from_data(data, device)))
}

fn text_input(
    texts: &[&EncodedText],
    time: usize,
    parts: Parts,
    mut word_dropout: Option<WordDropout<'_>>,
) -> BatchInput {
    let mut drop = || word_dropout.as_mut().is_some_and(|drop| drop.rng.random_bool(drop.probability));
    let mut different = Different::default();
    let mut places = vec![NO_TOKEN; texts.len() * time];
    for (row, text) in places.chunks_mut(time).zip(texts) {
        for (step, (place, &id)) in row.iter_mut().zip(&text.ids).enumerate() {
            *place = different.place_of(Features {
                // A dropped word keeps its parts: what an unknown word will have, too.
                id: if drop() { UNK } else { id },
                ngrams: text.ngrams_of(step),
                bigram: text.bigram_ids.get(step).copied().unwrap_or(0),
            });
        }
    }
    BatchInput::Tokens { lookup: Arc::new(different.lookup(places, parts)), shape: [texts.len(), time] }
}

/// Which hashed features a token is made of, beside its own vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) ngrams: bool,
    pub(crate) bigrams: bool,
}

/// What one token is made of.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Features<'a> {
    id: u32,
    ngrams: &'a [u32],
    bigram: u32,
}

/// The different tokens of a batch, in the order in which they turn up.
#[derive(Default)]
struct Different<'a> {
    known: HashMap<Features<'a>, u32>,
    tokens: Vec<Features<'a>>,
}

impl<'a> Different<'a> {
    fn place_of(&mut self, token: Features<'a>) -> u32 {
        *self.known.entry(token).or_insert_with(|| {
            self.tokens.push(token);
            self.tokens.len() as u32 - 1
        })
    }

    fn lookup(self, places: Vec<u32>, parts: Parts) -> Lookup {
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
        Lookup { positions: places, unique: tokens.len(), bags }
    }
}

pub(crate) fn int_tensor<const D: usize>(values: Vec<i64>, shape: [usize; D], device: &Device) -> Tensor<D, Int> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn text(ids: &[u32], ngrams: &[&[u32]]) -> Example {
        let mut encoded = EncodedText { ids: ids.to_vec(), ..EncodedText::default() };
        if !ngrams.is_empty() {
            encoded.ngram_offsets.push(0);
            for ngrams in ngrams {
                encoded.ngram_ids.extend_from_slice(ngrams);
                encoded.ngram_offsets.push(encoded.ngram_ids.len() as u32);
            }
        }
        Example::Text(encoded)
    }

    fn lookup_of(batch: &Batch) -> (&Lookup, [usize; 2]) {
        let BatchInput::Tokens { lookup, shape } = &batch.input else { panic!("{:?}", batch.input) };
        (lookup, *shape)
    }

    #[test]
    fn short_texts_are_padded_and_an_empty_batch_has_one_step() {
        let device = Device::flex();
        let batch = Batch::new(&[&text(&[5, 6, 7], &[]), &text(&[8], &[])], Parts::default(), None, &device);
        let (lookup, shape) = lookup_of(&batch);
        assert_eq!((shape, &lookup.positions[..]), ([2, 3], &[0, 1, 2, 3, NO_TOKEN, NO_TOKEN][..]));
        assert_eq!(lookup.bags, [Bags::single(vec![5, 6, 7, 8])]);
        assert_eq!(batch.lengths, [3, 1]);
        let empty = Batch::new(&[&text(&[], &[])], Parts::default(), None, &device);
        assert_eq!((lookup_of(&empty).1, lookup_of(&empty).0.unique), ([1, 1], 0));
    }

    const NGRAMS: Parts = Parts { ngrams: true, bigrams: false };

    #[test]
    fn equal_tokens_are_put_together_once_and_laid_out_where_they_stand() {
        let first = text(&[5, 6, 5], &[&[1, 2], &[3], &[1, 2]]);
        let second = text(&[6], &[&[3]]);
        let batch = Batch::new(&[&first, &second], NGRAMS, None, &Device::flex());
        let (lookup, _) = lookup_of(&batch);
        assert_eq!(lookup.positions, [0, 1, 0, 1, NO_TOKEN, NO_TOKEN]);
        assert_eq!(lookup.bags[0], Bags::single(vec![5, 6]));
        assert_eq!(lookup.bags[1], Bags { offsets: vec![0, 2, 3], ids: vec![1, 2, 3] });
    }

    #[test]
    fn a_dropped_word_keeps_its_ngrams() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let drop = WordDropout { probability: 1.0, rng: &mut rng };
        let batch = Batch::new(&[&text(&[5, 6], &[&[1], &[2]])], NGRAMS, Some(drop), &Device::flex());
        let (lookup, _) = lookup_of(&batch);
        assert_eq!(lookup.bags[0].ids, [1, 1], "two unknown tokens, told apart by their n-grams");
        assert_eq!(lookup.bags[1].ids, [1, 2]);
    }
}
