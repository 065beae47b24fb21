//! From files to examples, from examples to batches of tensors.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::wide::WideBatch;
use crate::data::encoder::{EncodedText, TextEncoder};
use crate::data::labels::LabelSet;
use crate::data::series::SeriesExample;
use crate::data::vocabulary::{PAD, UNK};
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
}

impl Dataset {
    /// Encodes labelled texts.
    pub(crate) fn of_texts(
        texts: &[crate::data::table::TextExample],
        encoder: &TextEncoder,
        labels: &LabelSet,
        file: &Path,
    ) -> Result<Dataset, DataError> {
        let mut dataset = Dataset::default();
        let mut cut = 0;
        for text in texts {
            let encoded = encoder.encode(&text.text);
            cut += usize::from(encoded.tokens_cut > 0);
            let target = labels.encode(text.label.as_deref().unwrap_or_default(), file, text.line)?;
            dataset.push(Example::Text(encoded), target);
        }
        if cut > 0 {
            let longest = encoder.max_length;
            tracing::warn!("{}: {cut} of {} texts are cut to {longest} tokens", file.display(), texts.len());
        }
        Ok(dataset)
    }

    /// Takes labelled series, standardised before.
    pub(crate) fn of_series(series: Vec<SeriesExample>, labels: &LabelSet, file: &Path) -> Result<Dataset, DataError> {
        let mut dataset = Dataset::default();
        for series in series {
            let target = labels.encode(series.label.as_deref().unwrap_or_default(), file, series.line)?;
            dataset.push(Example::Series(series), target);
        }
        Ok(dataset)
    }

    fn push(&mut self, example: Example, target: usize) {
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
        let mut dataset = Dataset::default();
        for &index in indices {
            dataset.push(self.examples[index].clone(), self.targets[index]);
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
    /// Texts without hashed features: token ids `[B, T]`.
    Tokens(Tensor<2, Int>),
    /// Texts with hashed features.
    Features(Box<FeatureBatch>),
    /// Series `[B, T, C]`.
    Series(Tensor<3>),
}

/// Texts with hashed features. Every different token of the batch is put together once, then laid out.
#[derive(Clone, Debug)]
pub struct FeatureBatch {
    /// `[1, U]`: the token ids of the different tokens.
    pub tokens: Tensor<2, Int>,
    /// `[1, N]`: ids of all n-grams of the different tokens, one token after the other, and `[N]`: the different token
    /// each belongs to.
    pub ngrams: Option<(Tensor<2, Int>, Tensor<1, Int>)>,
    /// `[U, 1]`: one over the number of a token's n-grams, whose vectors are averaged.
    pub share: Tensor<2>,
    /// `[1, U]`: bigram ids.
    pub bigrams: Option<Tensor<2, Int>>,
    /// `[B * T]`: the different token that stands in each place.
    pub places: Tensor<1, Int>,
    /// `B` and `T`.
    pub shape: [usize; 2],
}

/// Tokens that are replaced by the unknown token while training.
pub(crate) struct WordDropout<'a> {
    pub(crate) probability: f64,
    pub(crate) rng: &'a mut ChaCha8Rng,
}

impl Batch {
    /// Pads examples to the longest of them. All are of one kind, and there is at least one.
    pub(crate) fn new(examples: &[&Example], word_dropout: Option<WordDropout<'_>>, device: &Device) -> Batch {
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
            text_input(&texts, time, word_dropout, device)
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
    BatchInput::Series(Tensor::from_data(data, device))
}

fn text_input(
    texts: &[&EncodedText],
    time: usize,
    mut word_dropout: Option<WordDropout<'_>>,
    device: &Device,
) -> BatchInput {
    let features = texts.iter().any(|text| !text.ngram_offsets.is_empty() || !text.bigram_ids.is_empty());
    let mut drop = || word_dropout.as_mut().is_some_and(|drop| drop.rng.random_bool(drop.probability));
    if !features {
        let mut ids = vec![PAD as i64; texts.len() * time];
        for (row, text) in ids.chunks_mut(time).zip(texts) {
            for (place, &id) in row.iter_mut().zip(&text.ids) {
                *place = i64::from(if drop() { UNK } else { id });
            }
        }
        return BatchInput::Tokens(int_tensor(ids, [texts.len(), time], device));
    }

    let mut different = Different::default();
    let mut places = vec![0i64; texts.len() * time];
    for (row, text) in places.chunks_mut(time).zip(texts) {
        for (step, place) in row.iter_mut().enumerate() {
            let token = match text.ids.get(step) {
                None => Features { id: PAD, ngrams: &[], bigram: 0 },
                Some(&id) => Features {
                    // A dropped word keeps its parts: what an unknown word will have, too.
                    id: if drop() { UNK } else { id },
                    ngrams: text.ngrams_of(step),
                    bigram: text.bigram_ids.get(step).copied().unwrap_or(0),
                },
            };
            *place = different.place_of(token);
        }
    }
    let with_bigrams = texts.iter().any(|text| !text.bigram_ids.is_empty());
    different.into_input(places, [texts.len(), time], with_bigrams, device)
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
    known: HashMap<Features<'a>, i64>,
    tokens: Vec<Features<'a>>,
}

impl<'a> Different<'a> {
    fn place_of(&mut self, token: Features<'a>) -> i64 {
        *self.known.entry(token).or_insert_with(|| {
            self.tokens.push(token);
            self.tokens.len() as i64 - 1
        })
    }

    fn into_input(self, places: Vec<i64>, shape: [usize; 2], with_bigrams: bool, device: &Device) -> BatchInput {
        let count = self.tokens.len();
        let ids = self.tokens.iter().map(|token| i64::from(token.id)).collect();
        let bigrams = with_bigrams.then(|| self.tokens.iter().map(|token| i64::from(token.bigram)).collect());
        let (mut ngram_ids, mut owners) = (Vec::new(), Vec::new());
        let mut share = Vec::with_capacity(count);
        for (owner, token) in self.tokens.iter().enumerate() {
            ngram_ids.extend(token.ngrams.iter().map(|&id| i64::from(id)));
            owners.extend(std::iter::repeat_n(owner as i64, token.ngrams.len()));
            share.push(1.0 / token.ngrams.len().max(1) as f32);
        }
        let grams = ngram_ids.len();
        BatchInput::Features(Box::new(FeatureBatch {
            tokens: int_tensor(ids, [1, count], device),
            ngrams: (grams > 0)
                .then(|| (int_tensor(ngram_ids, [1, grams], device), int_tensor(owners, [grams], device))),
            bigrams: bigrams.map(|ids| int_tensor(ids, [1, count], device)),
            share: Tensor::from_data(TensorData::new(share, [count, 1]), device),
            places: int_tensor(places, [shape[0] * shape[1]], device),
            shape,
        }))
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

    fn ints<const D: usize>(tensor: &Tensor<D, Int>) -> Vec<i64> {
        tensor.to_data().iter::<i64>().collect()
    }

    #[test]
    fn short_texts_are_padded_and_an_empty_batch_has_one_step() {
        let device = Device::flex();
        let batch = Batch::new(&[&text(&[5, 6, 7], &[]), &text(&[8], &[])], None, &device);
        let BatchInput::Tokens(ids) = &batch.input else { panic!("{:?}", batch.input) };
        assert_eq!((ids.dims(), ints(ids)), ([2, 3], vec![5, 6, 7, 8, 0, 0]));
        assert_eq!(batch.lengths, [3, 1]);
        let BatchInput::Tokens(ids) = Batch::new(&[&text(&[], &[])], None, &device).input else { panic!() };
        assert_eq!(ids.dims(), [1, 1]);
    }

    #[test]
    fn equal_tokens_are_put_together_once_and_laid_out_where_they_stand() {
        let first = text(&[5, 6, 5], &[&[1, 2], &[3], &[1, 2]]);
        let second = text(&[6], &[&[3]]);
        let batch = Batch::new(&[&first, &second], None, &Device::flex());
        let BatchInput::Features(features) = &batch.input else { panic!("{:?}", batch.input) };
        assert_eq!(ints(&features.tokens), [5, 6, 0]);
        assert_eq!(ints(&features.places), [0, 1, 0, 1, 2, 2]);
        let (ids, owners) = features.ngrams.as_ref().unwrap();
        assert_eq!((ints(ids), ints(owners)), (vec![1, 2, 3], vec![0, 0, 1]));
        assert_eq!(features.share.to_data().try_to_vec::<f32>().unwrap(), [0.5, 1.0, 1.0]);
    }

    #[test]
    fn a_dropped_word_keeps_its_ngrams() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let drop = WordDropout { probability: 1.0, rng: &mut rng };
        let batch = Batch::new(&[&text(&[5, 6], &[&[1], &[2]])], Some(drop), &Device::flex());
        let BatchInput::Features(features) = &batch.input else { panic!("{:?}", batch.input) };
        assert_eq!(ints(&features.tokens), [1, 1], "two unknown tokens, told apart by their n-grams");
        assert_eq!(ints(&features.ngrams.as_ref().unwrap().0), [1, 2]);
    }
}
