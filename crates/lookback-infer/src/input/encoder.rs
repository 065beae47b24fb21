//! From a text to the ids a model reads: tokens, and if wanted the parts of tokens, pairs of tokens and the shapes of tokens.
//!
//! Character n-grams are those of fastText (Bojanowski et al. 2017, section 3.2): a token is written between `<`
//! and `>`, and every substring of `min` to `max` characters is hashed into one of a fixed number of buckets. They
//! give rare and unknown words a meaning. Bigrams are those of Joulin et al. 2017, section 2.2: each token together
//! with the one before it, hashed likewise. The shape of a token (Collins 2002) says where it has capitals, digits and
//! marks, whatever the case in which tokens are read. All hash with FNV-1a, as fastText does, over UTF-8.

use serde::{Deserialize, Serialize};

use super::hash::{FNV_START, fnv1a};
use super::tokenizer::{Token, Tokenizer};
use super::vocabulary::Vocabulary;

/// The longest n-grams that can be asked for. A text has as many n-grams of every length as it has characters or tokens, so
/// that without a bound their number would be the square of the text's length.
pub const LONGEST_NGRAM: usize = 64;
/// A token is read up to this many characters for its n-grams; no word is longer, only rubbish is.
const LONGEST_TOKEN: usize = 64;

/// Character n-grams of tokens, as ids from 1 to [`NgramConfig::buckets`]. Id 0 is free for padding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NgramConfig {
    /// The shortest n-gram in characters; zero is read as one.
    pub min: usize,
    /// The longest n-gram in characters.
    pub max: usize,
    /// How many buckets the n-grams are hashed into; zero is read as one.
    pub buckets: u32,
}

impl Default for NgramConfig {
    /// From 3 to 6 characters as in the paper, in 20,000 buckets.
    fn default() -> Self {
        Self { min: 3, max: 6, buckets: 20_000 }
    }
}

impl NgramConfig {
    /// The rows that an embedding table needs: one per bucket, and one for padding.
    pub fn rows(&self) -> usize {
        self.buckets.max(1) as usize + 1
    }

    /// Appends the ids of the n-grams of `token`, in order of their start, then of their length.
    fn push_ids(&self, token: &str, ids: &mut Vec<u32>) {
        let marked: String = format!("<{}>", token.chars().take(LONGEST_TOKEN).collect::<String>());
        let mut bounds: Vec<usize> = marked.char_indices().map(|(start, _)| start).collect();
        bounds.push(marked.len());
        let characters = bounds.len() - 1;
        for start in 0..characters {
            for length in self.min.max(1)..=self.max.min(characters - start) {
                // A mark alone says nothing; fastText leaves it out as well.
                let mark_alone = length == 1 && (start == 0 || start + 1 == characters);
                if !mark_alone {
                    let gram = &marked.as_bytes()[bounds[start]..bounds[start + length]];
                    ids.push(bucket(fnv1a(FNV_START, gram), self.buckets));
                }
            }
        }
    }
}

/// Pairs of neighbouring tokens, as ids from 1 to [`BigramConfig::buckets`]. Id 0 is free for padding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BigramConfig {
    /// How many buckets the pairs are hashed into; zero is read as one.
    pub buckets: u32,
}

impl Default for BigramConfig {
    /// 20,000 buckets.
    fn default() -> Self {
        Self { buckets: 20_000 }
    }
}

impl BigramConfig {
    /// The rows that an embedding table needs: one per bucket, and one for padding.
    pub fn rows(&self) -> usize {
        self.buckets.max(1) as usize + 1
    }
}

/// Shapes of tokens, as ids from 1 to [`ShapeConfig::buckets`]. Id 0 is free for padding.
///
/// In a shape a run of upper case letters is written `X`, of lower case letters `x`, of letters without case `a`, of digits
/// `0`, and any other character as it is: `Xx` of "Paris", `X.X.` of "U.S.", `0-x` of "1990-ies".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShapeConfig {
    /// How many buckets the shapes are hashed into; zero is read as one.
    pub buckets: u32,
}

impl ShapeConfig {
    /// The rows that an embedding table needs: one per bucket, and one for padding.
    pub fn rows(&self) -> usize {
        self.buckets.max(1) as usize + 1
    }

    fn id(&self, written: &str) -> u32 {
        bucket(fnv1a(FNV_START, shape(written).as_bytes()), self.buckets)
    }
}

fn shape(written: &str) -> String {
    let mut shape = String::new();
    for character in written.chars().take(LONGEST_TOKEN) {
        let kind = match character {
            c if c.is_uppercase() => 'X',
            c if c.is_lowercase() => 'x',
            c if c.is_alphabetic() => 'a',
            c if c.is_numeric() => '0',
            c => c,
        };
        if !shape.ends_with(kind) {
            shape.push(kind);
        }
    }
    shape
}

/// Turns texts into ids. It is stored with the model, so that prediction reads texts as training did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextEncoder {
    /// Cuts the text.
    pub tokenizer: Tokenizer,
    /// The ids of tokens.
    pub vocabulary: Vocabulary,
    /// The character n-grams of each token, if wanted.
    pub ngrams: Option<NgramConfig>,
    /// Each token with the one before it, if wanted.
    pub bigrams: Option<BigramConfig>,
    /// The shape of each token, if wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shapes: Option<ShapeConfig>,
    /// Tokens past this many are cut off.
    pub max_length: usize,
}

/// The ids of one text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EncodedText {
    /// One id per token. `[T]`
    pub ids: Vec<u32>,
    /// The n-grams of token `t` are `ngram_ids[ngram_offsets[t]..ngram_offsets[t + 1]]`. `[T + 1]`, or empty without
    /// n-grams.
    pub ngram_offsets: Vec<u32>,
    /// The n-grams of all tokens, from 1 to the number of buckets.
    pub ngram_ids: Vec<u32>,
    /// Each token with the one before it, from 1 to the number of buckets; the first with the start of the text.
    /// `[T]`, or empty without bigrams.
    pub bigram_ids: Vec<u32>,
    /// The shape of each token, from 1 to the number of buckets. `[T]`, or empty without shapes.
    pub shape_ids: Vec<u32>,
    /// How many tokens the limit cut off.
    pub tokens_cut: usize,
}

impl EncodedText {
    /// What it takes of memory.
    pub(super) fn bytes(&self) -> usize {
        let ids = [&self.ids, &self.ngram_offsets, &self.ngram_ids, &self.bigram_ids, &self.shape_ids];
        ids.iter().map(|ids| size_of_val(ids.as_slice())).sum()
    }

    /// How many tokens are kept.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether the text has no token.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The n-grams of token `t`; none if it has none or n-grams are not wanted.
    pub fn ngrams_of(&self, t: usize) -> &[u32] {
        match (self.ngram_offsets.get(t), self.ngram_offsets.get(t + 1)) {
            (Some(&start), Some(&end)) => self.ngram_ids.get(start as usize..end as usize).unwrap_or_default(),
            _ => &[],
        }
    }
}

impl TextEncoder {
    /// Whether texts can be encoded by it; one from a file may say anything.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.max_length == 0 {
            return Err("max_length is 0; it must be at least 1".into());
        }
        if let Some(NgramConfig { min, max, .. }) = self.ngrams
            && min > max
        {
            return Err(format!("its n-grams have from {min} to {max} characters"));
        }
        Ok(())
    }

    /// The ids of `text`.
    pub fn encode(&self, text: &str) -> EncodedText {
        self.encode_tokens(&self.tokenizer.tokenize(text))
    }

    /// The ids of tokens that [`TextEncoder::tokenizer`] has cut.
    pub fn encode_tokens(&self, tokens: &[Token<'_>]) -> EncodedText {
        let kept = &tokens[..tokens.len().min(self.max_length)];
        let mut encoded = EncodedText {
            ids: kept.iter().map(|token| self.vocabulary.encode(&token.text)).collect(),
            tokens_cut: tokens.len() - kept.len(),
            ..EncodedText::default()
        };
        if let Some(ngrams) = &self.ngrams {
            encoded.ngram_offsets.push(0);
            for token in kept {
                ngrams.push_ids(&token.text, &mut encoded.ngram_ids);
                encoded.ngram_offsets.push(encoded.ngram_ids.len() as u32);
            }
        }
        if let Some(bigrams) = &self.bigrams {
            let before = std::iter::once("").chain(kept.iter().map(|token| &*token.text));
            let pair = |(before, token): (&str, &Token<'_>)| {
                // The byte 0xFF never stands in UTF-8, so "a b" + "c" and "a" + "b c" cannot be one pair.
                let hash = fnv1a(fnv1a(fnv1a(FNV_START, before.as_bytes()), &[0xFF]), token.text.as_bytes());
                bucket(hash, bigrams.buckets)
            };
            encoded.bigram_ids = before.zip(kept).map(pair).collect();
        }
        if let Some(shapes) = &self.shapes {
            encoded.shape_ids = kept.iter().map(|token| shapes.id(&token.written)).collect();
        }
        encoded
    }
}

fn bucket(hash: u32, buckets: u32) -> u32 {
    // 1 + (buckets - 1) at most, so it cannot overflow.
    1 + hash % buckets.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::tokenizer::Segmentation;
    use crate::input::vocabulary::{UNK, VocabularyOptions};
    use proptest::prelude::*;

    fn encoder(ngrams: Option<NgramConfig>, bigrams: Option<BigramConfig>, max_length: usize) -> TextEncoder {
        let tokenizer = Tokenizer::new(Segmentation::Words);
        let vocabulary = Vocabulary::build(["where", "is", "it"], &VocabularyOptions::default());
        TextEncoder { tokenizer, vocabulary, ngrams, bigrams, shapes: None, max_length }
    }

    #[test]
    fn the_ngrams_of_where_are_those_of_the_paper() {
        let config = NgramConfig { min: 3, max: 3, buckets: 1 << 30 };
        let mut ids = Vec::new();
        config.push_ids("where", &mut ids);
        let expected =
            ["<wh", "whe", "her", "ere", "re>"].map(|gram| bucket(fnv1a(FNV_START, gram.as_bytes()), 1 << 30));
        assert_eq!(ids, expected);
        let mut none = Vec::new();
        config.push_ids("", &mut none);
        assert!(none.is_empty(), "the marks alone are shorter than 3");
        let mut han = Vec::new();
        config.push_ids("好", &mut han);
        assert_eq!(han, [bucket(fnv1a(FNV_START, "<好>".as_bytes()), 1 << 30)]);
    }

    #[test]
    fn long_texts_are_cut_and_the_cut_is_counted() {
        let encoded = encoder(Some(NgramConfig::default()), Some(BigramConfig::default()), 2).encode("Is it where?");
        assert_eq!((encoded.len(), encoded.tokens_cut), (2, 2));
        assert_eq!((encoded.ngram_offsets.len(), encoded.bigram_ids.len()), (3, 2));
        let empty = encoder(Some(NgramConfig::default()), None, 2).encode(" \n");
        assert!(empty.is_empty() && empty.ngrams_of(0).is_empty() && empty.tokens_cut == 0);
    }

    #[test]
    fn shapes_tell_what_lower_case_hides() {
        let shapes = ["Paris", "U.S.", "1990-ies", "iPhone", "北京", "", "3.14", "USA"].map(shape);
        assert_eq!(shapes, ["Xx", "X.X.", "0-x", "xXx", "a", "", "0.0", "X"]);
        let encoder = TextEncoder { shapes: Some(ShapeConfig { buckets: 1 << 30 }), ..encoder(None, None, 9) };
        let encoded = encoder.encode("Where where is");
        assert_eq!(encoded.ids[0], encoded.ids[1]);
        assert_ne!(encoded.shape_ids[0], encoded.shape_ids[1]);
        assert_eq!(encoded.shape_ids[1], encoded.shape_ids[2]);
    }

    #[test]
    fn bigrams_know_their_order() {
        let encoder = encoder(None, Some(BigramConfig { buckets: 1 << 30 }), 9);
        let (forth, back) = (encoder.encode("is it is"), encoder.encode("it is"));
        assert_eq!(forth.bigram_ids[2], back.bigram_ids[1], "it is");
        assert_ne!(forth.bigram_ids[1], forth.bigram_ids[2], "is it, it is");
        assert_ne!(forth.bigram_ids[0], forth.bigram_ids[2], "a start, it is");
        assert_eq!(encoder.encode("unseen").ids, [UNK]);
    }

    proptest! {
        #[test]
        fn ids_stay_in_their_tables(
            text in "\\PC{0,80}", min in 0usize..5, max in 0usize..8, buckets in 0u32..50, limit in 0usize..12,
        ) {
            let ngrams = NgramConfig { min, max, buckets };
            let bigrams = BigramConfig { buckets };
            let (rows, bigram_rows) = (ngrams.rows() as u32, bigrams.rows() as u32);
            let encoder = encoder(Some(ngrams), Some(bigrams), limit);
            let encoded = encoder.encode(&text);
            prop_assert!(encoded.len() <= limit);
            prop_assert_eq!(encoded.bigram_ids.len(), encoded.len());
            prop_assert!(encoded.ids.iter().all(|&id| id >= UNK && (id as usize) < encoder.vocabulary.len()));
            prop_assert!(encoded.ngram_ids.iter().all(|&id| id > 0 && id < rows));
            prop_assert!(encoded.bigram_ids.iter().all(|&id| id > 0 && id < bigram_rows));
            let all: Vec<u32> = (0..encoded.len()).flat_map(|t| encoded.ngrams_of(t).to_vec()).collect();
            prop_assert_eq!(all, encoded.ngram_ids);
        }
    }
}
