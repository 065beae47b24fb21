//! From a text to the bag of n-grams that a linear part weighs, each by how much it tells.
//!
//! N-grams of characters run over the whole text, n-grams of tokens over neighbours; both are hashed into buckets
//! (FNV-1a). A bucket counts as much as it tells the labels apart: its inverse document
//! frequency times the size of its naive-Bayes log-count ratio (Wang and Manning 2012, section 2.3). The ratio is that of
//! the label it tells best from all others, so that two labels give the paper's.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::input::hash::{FNV_START, fnv1a};
use crate::input::{Example, Token};

/// Buckets that fewer training texts hold than this are left out: they tell one text, not a label.
const FEWEST_TEXTS: u32 = 2;

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
    /// The length of every text's vector: the longer, the faster the linear part learns.
    pub scale: f32,
}

impl NgramBagConfig {
    /// How many buckets there are.
    pub fn rows(&self) -> usize {
        self.buckets.max(1) as usize
    }

    /// The buckets of a text's n-grams and how often each occurs, in order of the buckets.
    fn counts(&self, tokens: &[Token<'_>]) -> Vec<(u32, u32)> {
        let mut hashes = Vec::new();
        if let Some(sizes) = self.characters {
            let text = spaced(tokens);
            let mut bounds: Vec<usize> = text.char_indices().map(|(start, _)| start).collect();
            bounds.push(text.len());
            let characters = bounds.len() - 1;
            for start in 0..characters {
                for length in sizes.min.max(1)..=sizes.max.min(characters - start) {
                    // A mark alone stands in every text and says nothing.
                    let mark_alone = length == 1 && (start == 0 || start + 1 == characters);
                    if !mark_alone {
                        let gram = &text.as_bytes()[bounds[start]..bounds[start + length]];
                        hashes.push(fnv1a(FNV_START, gram));
                    }
                }
            }
        }
        if let Some(sizes) = self.words {
            // The bytes 0xFE and 0xFF never stand in UTF-8: a token is no run of characters, two are not one.
            for start in 0..tokens.len() {
                let mut hash = fnv1a(FNV_START, &[0xFE]);
                for (index, token) in tokens[start..].iter().take(sizes.max).enumerate() {
                    hash = fnv1a(fnv1a(hash, token.text.as_bytes()), &[0xFF]);
                    if index + 1 >= sizes.min.max(1) {
                        hashes.push(hash);
                    }
                }
            }
        }
        let mut buckets: Vec<u32> = hashes.into_iter().map(|hash| hash % self.buckets.max(1)).collect();
        buckets.sort_unstable();
        buckets.chunk_by(|a, b| a == b).map(|equal| (equal[0], equal.len() as u32)).collect()
    }
}

/// The tokens as one text between two marks, a space where the text had a gap.
fn spaced(tokens: &[Token<'_>]) -> String {
    let mut text = String::from('\u{2}');
    let mut end = tokens.first().map_or(0, |token| token.start);
    for token in tokens {
        if token.start > end {
            text.push(' ');
        }
        text.push_str(&token.text);
        end = token.end;
    }
    text.push('\u{3}');
    text
}

/// Turns texts into bags of n-grams. What the buckets tell is learnt from the training texts and kept beside the
/// network's tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct NgramBag {
    config: NgramBagConfig,
    /// `[buckets]`: how much each bucket tells; zero for those that are left out.
    weights: Vec<f32>,
}

impl NgramBag {
    /// Learns from the training texts what the buckets tell. targets: the label of each text.
    ///
    /// # Panics
    /// If a target is not below `labels`.
    pub fn fit(config: NgramBagConfig, texts: &[Vec<Token<'_>>], targets: &[usize], labels: usize) -> NgramBag {
        // Of each bucket the labels whose texts hold it, ascending, and how many do: in proportion to the n-grams, where a
        // table of all buckets and all labels would not be. Texts come label by label, so the label's place is the last.
        let mut texts_with: HashMap<u32, Vec<(usize, u32)>> = HashMap::new();
        let mut order: Vec<usize> = (0..texts.len().min(targets.len())).collect();
        order.sort_by_key(|&text| targets[text]);
        for text in order {
            for (bucket, _) in config.counts(&texts[text]) {
                let with = texts_with.entry(bucket).or_default();
                match with.last_mut() {
                    Some((label, count)) if *label == targets[text] => *count += 1,
                    _ => with.push((targets[text], 1)),
                }
            }
        }
        let all = |with: &[(usize, u32)]| with.iter().map(|(_, count)| count).sum::<u32>();
        texts_with.retain(|_, with| all(with) >= FEWEST_TEXTS);
        let ratios = Ratios::new(&texts_with, labels);
        let mut weights = vec![0.0f32; config.rows()];
        for (bucket, with) in texts_with {
            let all = all(&with);
            let rarity = (1.0 + texts.len() as f64) / (1.0 + f64::from(all));
            weights[bucket as usize] = ratios.largest(&with, all) * (rarity.ln() + 1.0) as f32;
        }
        NgramBag { config, weights }
    }

    /// Which n-grams there are.
    pub fn config(&self) -> &NgramBagConfig {
        &self.config
    }

    /// `[buckets]`: how much each bucket tells.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// With the weights that a model file keeps. weights: `[buckets]`.
    pub fn new(config: NgramBagConfig, weights: Vec<f32>) -> NgramBag {
        NgramBag { config, weights }
    }

    /// The bag of an example; empty where that is no text.
    pub fn of(&self, example: &Example) -> Vec<(u32, f32)> {
        example.tokens().map_or_else(Vec::new, |(_, tokens)| self.encode(&tokens))
    }

    /// The buckets of a text and their values, a vector as long as the configuration's scale; empty when no n-gram
    /// tells anything.
    pub fn encode(&self, tokens: &[Token<'_>]) -> Vec<(u32, f32)> {
        let mut bag: Vec<(u32, f32)> = self
            .config
            .counts(tokens)
            .into_iter()
            .map(|(bucket, count)| {
                let weights = self.weights.get(bucket as usize).copied().unwrap_or(0.0);
                (bucket, (1.0 + (count as f32).ln()) * weights)
            })
            .filter(|(_, value)| *value > 0.0)
            .collect();
        let norm = bag.iter().map(|(_, value)| value * value).sum::<f32>().sqrt();
        for (_, value) in &mut bag {
            *value *= self.config.scale / norm;
        }
        bag
    }
}

/// The naive-Bayes log-count ratios of buckets, `r = log((p / |p|) / (q / |q|))` with one added to every count (Wang and
/// Manning 2012, eq. 1): `p` of one label, `q` of all others.
struct Ratios {
    /// `|p|` of each label; whole numbers, so that no order of summing changes them.
    p_sums: Vec<f64>,
    /// `|p| + |q|`, the same for all labels.
    sum: f64,
    /// The labels by `|p|`, the least first.
    by_sum: Vec<usize>,
}

impl Ratios {
    /// `texts_with`: of each bucket that counts, the labels and how many of their texts hold it.
    fn new(texts_with: &HashMap<u32, Vec<(usize, u32)>>, labels: usize) -> Ratios {
        let kept = texts_with.len() as f64;
        let (mut p_sums, mut sum) = (vec![kept; labels], 2.0 * kept);
        for (label, count) in texts_with.values().flatten() {
            p_sums[*label] += f64::from(*count);
            sum += f64::from(*count);
        }
        let mut by_sum: Vec<usize> = (0..labels).collect();
        by_sum.sort_by(|&a, &b| p_sums[a].total_cmp(&p_sums[b]));
        Ratios { p_sums, sum, by_sum }
    }

    /// The size of the ratio of `label` in a bucket that `with` of its texts hold, and `all` texts of any label.
    fn size(&self, label: usize, with: u32, all: u32) -> f32 {
        let (p, q) = (1.0 + f64::from(with), 1.0 + f64::from(all - with));
        let p_sum = self.p_sums[label];
        ((p / p_sum) / (q / (self.sum - p_sum))).ln().abs() as f32
    }

    /// The largest size over all labels. Of those without a text in the bucket only two are looked at: their ratios fall
    /// as `|p|` grows, so that the largest size stands at one end.
    fn largest(&self, with: &[(usize, u32)], all: u32) -> f32 {
        let absent = |label: &&usize| with.binary_search_by_key(*label, |&(label, _)| label).is_err();
        let ends = [self.by_sum.iter().find(absent), self.by_sum.iter().rev().find(absent)];
        let absent = ends.into_iter().flatten().map(|&label| (label, 0));
        with.iter().copied().chain(absent).map(|(label, with)| self.size(label, with, all)).fold(0.0, f32::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::tokenizer::{Segmentation, Tokenizer};

    const MANY: u32 = 1 << 20;

    fn config(characters: Option<(usize, usize)>, tokens: Option<(usize, usize)>) -> NgramBagConfig {
        let sizes = |range: Option<(usize, usize)>| range.map(|(min, max)| Sizes { min, max });
        NgramBagConfig { characters: sizes(characters), words: sizes(tokens), buckets: MANY, scale: 3.0 }
    }

    fn tokens(text: &str) -> Vec<Token<'_>> {
        Tokenizer::new(Segmentation::Words).tokenize(text)
    }

    #[test]
    fn character_ngrams_run_over_the_whole_text_and_token_ngrams_over_neighbours() {
        let counted =
            |config: NgramBagConfig, text| config.counts(&tokens(text)).iter().map(|(_, count)| *count).sum::<u32>();
        // "it is" has five characters, and with the mark on either side six pairs.
        assert_eq!(counted(config(Some((1, 2)), None), "it  is"), 5 + 6);
        assert_eq!(counted(config(None, Some((1, 2))), "it is it"), 3 + 2);
        assert_eq!(counted(config(None, Some((2, 2))), "it"), 0);
        let repeated = config(None, Some((1, 1))).counts(&tokens("it is it"));
        let mut counts: Vec<u32> = repeated.iter().map(|(_, count)| *count).collect();
        counts.sort_unstable();
        assert_eq!(counts, [1, 2]);
    }

    #[test]
    fn a_bucket_tells_by_its_log_count_ratio_and_its_rarity() {
        let texts = ["good day", "good", "bad day", "bad", "once"].map(tokens);
        let config = config(None, Some((1, 1)));
        let bucket = |word: &str| config.counts(&tokens(word))[0].0 as usize;
        let (good, day, once) = (bucket("good"), bucket("day"), bucket("once"));
        let encoder = NgramBag::fit(config, &texts, &[0, 0, 1, 1, 1], 2);
        assert_eq!(encoder.weights[once], 0.0, "one text alone holds it");
        // Kept are good (2, 0), bad (0, 2) and day (1, 1): with one added, 3 + 1 + 2 on either side.
        assert!(encoder.weights[day].abs() < 1e-6);
        let expected = (3.0f32 / 1.0).ln() * ((6.0f32 / 3.0).ln() + 1.0);
        assert!((encoder.weights[good] - expected).abs() < 1e-5, "{} instead of {expected}", encoder.weights[good]);
    }

    #[test]
    fn every_text_has_the_scale_as_its_length_and_a_foreign_one_nothing() {
        let texts = ["good day", "good", "bad day", "bad luck"].map(tokens);
        let encoder = NgramBag::fit(config(Some((1, 3)), Some((1, 2))), &texts, &[0, 0, 1, 1], 2);
        let bag = encoder.encode(&tokens("good good luck"));
        let length: f32 = bag.iter().map(|(_, value)| value * value).sum::<f32>().sqrt();
        assert!((length - 3.0).abs() < 1e-5, "{length}");
        assert!(bag.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(encoder.encode(&tokens("零")).is_empty());
        assert!(encoder.encode(&[]).is_empty());
    }

    #[test]
    fn three_labels_take_the_ratio_of_the_one_that_is_told_best() {
        let texts = ["a x", "a x", "b x", "b x", "c x", "c x"].map(tokens);
        let config = config(None, Some((1, 1)));
        let bucket = |word: &str| config.counts(&tokens(word))[0].0 as usize;
        let (a, c, x) = (bucket("a"), bucket("c"), bucket("x"));
        let encoder = NgramBag::fit(config, &texts, &[0, 0, 1, 1, 2, 2], 3);
        assert!((encoder.weights[a] - encoder.weights[c]).abs() < 1e-6);
        assert!(encoder.weights[a] > encoder.weights[x]);
    }

    #[test]
    fn the_sparse_ratios_are_those_of_a_table_of_all_buckets_and_labels() {
        let words = ["rain", "song", "soup", "sun", "tea", "walk", "day"];
        let text = |row: usize| {
            let chosen = words.iter().enumerate().filter(|(word, _)| row * (word + 3) % (word + 2) < 2);
            chosen.map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
        };
        let texts: Vec<String> = (0..60).map(text).collect();
        let tokenized: Vec<Vec<Token<'_>>> = texts.iter().map(|text| tokens(text)).collect();
        let targets: Vec<usize> = (0..60).map(|row| row * row % 7).collect();
        let config = NgramBagConfig { buckets: 40, ..config(Some((1, 2)), Some((1, 2))) };
        let (rows, labels) = (config.rows(), 7);
        let mut table = vec![vec![0u32; rows]; labels];
        for (tokens, &target) in tokenized.iter().zip(&targets) {
            config.counts(tokens).into_iter().for_each(|(bucket, _)| table[target][bucket as usize] += 1);
        }
        let all: Vec<u32> = (0..rows).map(|bucket| table.iter().map(|with| with[bucket]).sum()).collect();
        let kept: Vec<usize> = (0..rows).filter(|&bucket| all[bucket] >= FEWEST_TEXTS).collect();
        let mut expected = vec![0.0f32; rows];
        for with in &table {
            let with = |bucket: usize| f64::from(with[bucket]);
            let p_sum: f64 = kept.iter().map(|&bucket| 1.0 + with(bucket)).sum();
            let q_sum: f64 = kept.iter().map(|&bucket| 1.0 + f64::from(all[bucket]) - with(bucket)).sum();
            for &bucket in &kept {
                let (p, q) = (1.0 + with(bucket), 1.0 + f64::from(all[bucket]) - with(bucket));
                expected[bucket] = expected[bucket].max(((p / p_sum) / (q / q_sum)).ln().abs() as f32);
            }
        }
        for &bucket in &kept {
            expected[bucket] *= ((61.0 / (1.0 + f64::from(all[bucket]))).ln() + 1.0) as f32;
        }
        assert!(kept.len() > 10 && expected.iter().any(|&weights| weights > 0.5), "{expected:?}");
        assert_eq!(NgramBag::fit(config, &tokenized, &targets, labels).weights, expected);
    }

    #[test]
    fn a_hundred_thousand_labels_take_memory_in_proportion_to_the_texts() {
        let texts = ["good day", "good", "bad day", "bad luck"].map(tokens);
        // A table of all buckets and labels would take 400 GB.
        let encoder = NgramBag::fit(config(None, Some((1, 1))), &texts, &[0, 0, 99_999, 50_000], 100_000);
        assert!(encoder.weights.iter().any(|&weights| weights > 0.0));
    }
}
