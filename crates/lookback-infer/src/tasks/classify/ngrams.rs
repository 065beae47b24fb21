//! From a text to the bag of n-grams that a linear part weighs.
//!
//! N-grams of characters run over what stands between gaps, with a space on either side, n-grams of words over neighbours;
//! both are hashed into buckets (FNV-1a). A bucket counts by how often the text has it, `1 + ln(count)`, times how rare it
//! is, `1 + ln((1 + n) / (1 + texts that have it))` (Salton and Buckley 1988). Characters and words are vectors of length one
//! each, and so are both together.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::input::hash::{FNV_START, fnv1a};
use crate::input::{Example, Token};

/// From how many to how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// The shortest n-gram; zero is read as one.
    pub min: usize,
    /// The longest n-gram.
    pub max: usize,
}

/// Which n-grams enter the bag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NgramBagConfig {
    /// N-grams of characters, if wanted.
    pub characters: Option<Sizes>,
    /// N-grams of neighbouring words, if wanted.
    pub words: Option<Sizes>,
    /// How many buckets they are hashed into; zero is read as one.
    pub buckets: u32,
}

impl NgramBagConfig {
    /// How many buckets there are.
    pub fn rows(&self) -> usize {
        self.buckets.max(1) as usize
    }

    /// The buckets of a text's n-grams and how often each occurs, in order of the buckets: of characters, and of words.
    fn counts(&self, tokens: &[Token<'_>]) -> [Vec<(u32, u32)>; 2] {
        let counted = |mut hashes: Vec<u32>| {
            let buckets = self.buckets.max(1);
            hashes.iter_mut().for_each(|hash| *hash %= buckets);
            hashes.sort_unstable();
            hashes.chunk_by(|a, b| a == b).map(|equal| (equal[0], equal.len() as u32)).collect()
        };
        [self.of_characters(tokens), self.of_words(tokens)].map(counted)
    }

    /// The hashes of the n-grams of characters.
    fn of_characters(&self, tokens: &[Token<'_>]) -> Vec<u32> {
        let mut hashes = Vec::new();
        between_gaps(tokens).iter().for_each(|run| self.each_of_characters(&run.text, |hash, _| hashes.push(hash)));
        hashes
    }

    /// The hashes of the n-grams of words.
    fn of_words(&self, tokens: &[Token<'_>]) -> Vec<u32> {
        let mut hashes = Vec::new();
        self.each_of_words(tokens, |hash, _| hashes.push(hash));
        hashes
    }

    /// The bucket of every n-gram, once each time that it occurs, and the tokens that it touches.
    fn occurrences(&self, tokens: &[Token<'_>]) -> Vec<(u32, Range<usize>)> {
        let buckets = self.buckets.max(1);
        let mut found = Vec::new();
        for run in between_gaps(tokens) {
            self.each_of_characters(&run.text, |hash, bytes| found.push((hash % buckets, run.touched(&bytes))));
        }
        self.each_of_words(tokens, |hash, touched| found.push((hash % buckets, touched)));
        found
    }

    /// Calls `found` with the hash and the bytes of every n-gram of characters of a run.
    fn each_of_characters(&self, run: &str, mut found: impl FnMut(u32, Range<usize>)) {
        let Some(sizes) = self.characters else { return };
        let mut bounds: Vec<usize> = run.char_indices().map(|(start, _)| start).collect();
        bounds.push(run.len());
        let characters = bounds.len() - 1;
        for start in 0..characters {
            let mut hash = FNV_START;
            for length in 1..=sizes.max.min(characters - start) {
                hash = fnv1a(hash, &run.as_bytes()[bounds[start + length - 1]..bounds[start + length]]);
                // A space alone stands in every text and says nothing.
                let space_alone = length == 1 && (start == 0 || start + 1 == characters);
                if length >= sizes.min && !space_alone {
                    found(hash, bounds[start]..bounds[start + length]);
                }
            }
        }
    }

    /// Calls `found` with the hash and the places of every n-gram of words.
    fn each_of_words(&self, tokens: &[Token<'_>], mut found: impl FnMut(u32, Range<usize>)) {
        let Some(sizes) = self.words else { return };
        // The bytes 0xFE and 0xFF never stand in UTF-8: a word is no run of characters, two are not one.
        for start in 0..tokens.len() {
            let mut hash = fnv1a(FNV_START, &[0xFE]);
            for (index, token) in tokens[start..].iter().take(sizes.max).enumerate() {
                hash = fnv1a(fnv1a(hash, token.text.as_bytes()), &[0xFF]);
                if index + 1 >= sizes.min {
                    found(hash, start..start + index + 1);
                }
            }
        }
    }

    /// How many buckets the n-grams of a text have, those of characters and those of words each for themselves.
    pub fn buckets_of(&self, tokens: &[Token<'_>]) -> usize {
        self.counts(tokens).iter().map(Vec::len).sum()
    }

    /// How many different n-grams these texts have; two that share a hash count as one.
    pub fn distinct<'t>(&self, texts: impl Iterator<Item = Vec<Token<'t>>>) -> usize {
        let mut hashes: HashSet<u32> = HashSet::new();
        for tokens in texts {
            hashes.extend(self.of_characters(&tokens));
            hashes.extend(self.of_words(&tokens));
        }
        hashes.len()
    }
}

/// Tokens without a gap between them.
struct Run {
    /// What they are together, with a space on either side.
    text: String,
    /// The place of the first of them.
    first: usize,
    /// Where each ends in the text.
    ends: Vec<usize>,
}

impl Run {
    /// The tokens that these bytes of the text touch; the spaces belong to the tokens beside them.
    fn touched(&self, bytes: &Range<usize>) -> Range<usize> {
        let last = self.ends.len() - 1;
        let place = |byte: usize| self.first + self.ends.partition_point(|&end| end <= byte).min(last);
        place(bytes.start)..place(bytes.end - 1) + 1
    }
}

/// What stands between gaps of the text.
fn between_gaps(tokens: &[Token<'_>]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut end = usize::MAX;
    for (place, token) in tokens.iter().enumerate() {
        if runs.is_empty() || token.start > end {
            runs.push(Run { text: " ".to_owned(), first: place, ends: Vec::new() });
        }
        if let Some(run) = runs.last_mut() {
            run.text.push_str(&token.text);
            run.ends.push(run.text.len());
        }
        end = token.end;
    }
    runs.iter_mut().for_each(|run| run.text.push(' '));
    runs
}

/// Turns texts into bags of n-grams. How rare the buckets are is learnt from the training texts and kept beside the
/// network's tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct NgramBag {
    config: NgramBagConfig,
    /// `[buckets]`: how rare each bucket is; zero for those that no training text has.
    weights: Vec<f32>,
}

impl NgramBag {
    /// Learns from the training texts how rare the buckets are; gives as well how many [`NgramBagConfig::buckets_of`] the texts
    /// have together.
    pub fn fit<'t>(config: NgramBagConfig, texts: impl Iterator<Item = Vec<Token<'t>>>) -> (NgramBag, usize) {
        let mut texts_with: HashMap<u32, u32> = HashMap::new();
        let (mut all, mut together) = (0usize, 0usize);
        for tokens in texts {
            all += 1;
            // A bucket of both kinds counts for both.
            for (bucket, _) in config.counts(&tokens).into_iter().flatten() {
                *texts_with.entry(bucket).or_default() += 1;
                together += 1;
            }
        }
        let mut weights = vec![0.0f32; config.rows()];
        for (bucket, with) in texts_with {
            let rarity = (1.0 + all as f64) / (1.0 + f64::from(with));
            weights[bucket as usize] = (1.0 + rarity.ln().max(0.0)) as f32;
        }
        (NgramBag { config, weights }, together)
    }

    /// Which n-grams there are.
    pub fn config(&self) -> &NgramBagConfig {
        &self.config
    }

    /// `[buckets]`: how rare each bucket is.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// With the weights that a model file keeps. weights: `[buckets]`.
    pub fn new(config: NgramBagConfig, weights: Vec<f32>) -> NgramBag {
        NgramBag { config, weights }
    }

    /// The bag of an example; empty where that is no text.
    pub fn of(&self, example: &Example) -> Vec<(u32, f32)> {
        self.encode(&example.all_tokens())
    }

    /// What of a sum over the bag each token of a text has: the value of a bucket times what `weigh` says of it is shared by the places
    /// where the text has it, and there by the tokens. `[tokens]`
    pub fn shares(&self, tokens: &[Token<'_>], weigh: impl Fn(u32) -> f32) -> Vec<f32> {
        let values: HashMap<u32, f32> = self.encode(tokens).into_iter().collect();
        let occurrences = self.config.occurrences(tokens);
        let mut times: HashMap<u32, usize> = HashMap::new();
        occurrences.iter().for_each(|(bucket, _)| *times.entry(*bucket).or_default() += 1);
        let mut shares = vec![0.0; tokens.len()];
        for (bucket, touched) in occurrences {
            if let Some(value) = values.get(&bucket) {
                let share = value * weigh(bucket) / (times[&bucket] * touched.len()) as f32;
                shares[touched].iter_mut().for_each(|sum| *sum += share);
            }
        }
        shares
    }

    /// The buckets of a text, each once and in order, and their values, a vector of length one; empty when the training
    /// texts have none of its n-grams.
    pub fn encode(&self, tokens: &[Token<'_>]) -> Vec<(u32, f32)> {
        let valued = |counts: Vec<(u32, u32)>| {
            let mut values: Vec<(u32, f32)> = counts
                .into_iter()
                .map(|(bucket, count)| {
                    let weight = self.weights.get(bucket as usize).copied().unwrap_or(0.0);
                    (bucket, (1.0 + (count as f32).ln()) * weight)
                })
                .filter(|(_, value)| *value > 0.0)
                .collect();
            to_length_one(&mut values);
            values
        };
        let [characters, words] = self.config.counts(tokens).map(valued);
        let mut bag = characters;
        bag.extend(words);
        // The sort is stable, so that equal buckets are summed in one order.
        bag.sort_by_key(|&(bucket, _)| bucket);
        bag.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0.0 };
            same
        });
        to_length_one(&mut bag);
        bag
    }
}

fn to_length_one(values: &mut [(u32, f32)]) {
    let length = values.iter().map(|(_, value)| value * value).sum::<f32>().sqrt();
    values.iter_mut().for_each(|(_, value)| *value /= length);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::tokenizer::{Segmentation, Tokenizer};

    const MANY: u32 = 1 << 20;

    fn config(characters: Option<(usize, usize)>, words: Option<(usize, usize)>) -> NgramBagConfig {
        let sizes = |range: Option<(usize, usize)>| range.map(|(min, max)| Sizes { min, max });
        NgramBagConfig { characters: sizes(characters), words: sizes(words), buckets: MANY }
    }

    fn tokens(text: &str) -> Vec<Token<'_>> {
        Tokenizer::new(Segmentation::Words).tokenize(text)
    }

    fn bucket(config: &NgramBagConfig, word: &str) -> usize {
        config.counts(&tokens(word))[1][0].0 as usize
    }

    #[test]
    fn character_ngrams_run_between_gaps_and_word_ngrams_over_neighbours() {
        let counted = |config: NgramBagConfig, text| {
            config.counts(&tokens(text)).map(|counts| counts.iter().map(|(_, count)| *count).sum::<u32>())
        };
        // "it," has three characters and with a space on either side four pairs; "is" two and three.
        assert_eq!(counted(config(Some((1, 2)), None), "it,  is"), [3 + 4 + 2 + 3, 0]);
        assert_eq!(counted(config(None, Some((1, 2))), "it is it"), [0, 3 + 2]);
        assert_eq!(counted(config(None, Some((2, 2))), "it"), [0, 0]);
        let runs: Vec<String> = between_gaps(&tokens("一个 词。")).into_iter().map(|run| run.text).collect();
        assert_eq!(runs, [" 一个 ", " 词。 "]);
        let mut counts = config(None, Some((1, 1))).counts(&tokens("it is it"))[1].clone();
        counts.sort_by_key(|&(_, count)| count);
        assert_eq!(counts.iter().map(|&(_, count)| count).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(config(None, Some((1, 2))).distinct(["it is it", "it is"].map(tokens).into_iter()), 4);
    }

    #[test]
    fn a_bucket_counts_by_how_rare_it_is() {
        let texts = ["good day", "good", "bad day", "once", "day"].map(tokens);
        let config = config(None, Some((1, 1)));
        let bag = NgramBag::fit(config.clone(), texts.into_iter()).0;
        let weight = |word| bag.weights[bucket(&config, word)];
        for (word, texts) in [("day", 3.0f32), ("good", 2.0), ("once", 1.0)] {
            let expected = (6.0 / (1.0 + texts)).ln() + 1.0;
            assert!((weight(word) - expected).abs() < 1e-6, "{word}: {} instead of {expected}", weight(word));
        }
        assert_eq!(weight("never"), 0.0);
        // Two words once each and one twice, by their rarity.
        let values = bag.encode(&tokens("good good day never"));
        let value = |word| values.iter().find(|(found, _)| *found as usize == bucket(&config, word)).unwrap().1;
        let expected = (1.0 + 2.0f32.ln()) * weight("good") / weight("day");
        assert!((value("good") / value("day") - expected).abs() < 1e-5 && values.len() == 2);
    }

    #[test]
    fn what_the_bag_sums_to_is_shared_by_the_tokens_that_its_ngrams_touch() {
        let texts = ["good day", "good", "bad day", "bad luck"].map(tokens);
        let of = |config: NgramBagConfig, text: &str| {
            let bag = NgramBag::fit(config, texts.clone().into_iter()).0;
            let weigh = |bucket: u32| (bucket % 11) as f32 - 5.0;
            let whole: f32 = bag.encode(&tokens(text)).into_iter().map(|(bucket, value)| value * weigh(bucket)).sum();
            (bag.shares(&tokens(text), weigh), whole)
        };
        let both = config(Some((1, 3)), Some((1, 2)));
        for config in [both.clone(), NgramBagConfig { buckets: 7, ..both }, config(Some((2, 4)), None)] {
            let (shares, whole) = of(config, "good good, bad day luck good");
            assert_eq!(shares.len(), 7);
            assert!((shares.iter().sum::<f32>() - whole).abs() < 1e-5, "{shares:?} do not sum to {whole}");
        }
        // A foreign word has nothing, words alone have what is their own.
        let (shares, whole) = of(config(None, Some((1, 1))), "零 day");
        assert_eq!(shares, [0.0, whole]);
        let run = &between_gaps(&tokens("good, day"))[0];
        assert_eq!([0..2, 4..6, 5..7, 6..7].map(|bytes| run.touched(&bytes)), [0..1, 0..2, 1..2, 1..2]);
    }

    #[test]
    fn every_text_is_of_length_one_and_a_foreign_one_nothing() {
        let texts = ["good day", "good", "bad day", "bad luck"].map(tokens);
        let small = NgramBagConfig { buckets: 7, ..config(Some((1, 3)), Some((1, 2))) };
        for config in [config(Some((1, 3)), Some((1, 2))), small] {
            let bag = NgramBag::fit(config, texts.clone().into_iter()).0;
            let values = bag.encode(&tokens("good good luck"));
            let length: f32 = values.iter().map(|(_, value)| value * value).sum::<f32>().sqrt();
            assert!((length - 1.0).abs() < 1e-5, "{length}");
            assert!(values.windows(2).all(|pair| pair[0].0 < pair[1].0));
            assert!(bag.encode(&[]).is_empty());
        }
        let bag = NgramBag::fit(config(Some((1, 3)), Some((1, 2))), texts.into_iter()).0;
        assert!(bag.encode(&tokens("零")).is_empty());
    }

    #[test]
    fn characters_and_words_count_the_same_however_many_they_are() {
        let config = config(Some((1, 4)), Some((1, 1)));
        let texts = ["extraordinarily good", "good"].map(tokens);
        let bag = NgramBag::fit(config.clone(), texts.into_iter()).0;
        let values = bag.encode(&tokens("extraordinarily"));
        let of_word = values.iter().find(|(found, _)| *found as usize == bucket(&config, "extraordinarily")).unwrap();
        assert!((of_word.1 - 0.5f32.sqrt()).abs() < 1e-5, "{}", of_word.1);
    }
}
