//! Pieces of words that are learnt of the training texts: byte-pair encoding (Sennrich 2016) and the unigram model (Kudo
//! 2018), both as the crate tokenizers learns and applies them.
//!
//! A text is read with a blank before it and cut into words, each with the blank before it (`words`); pieces never reach
//! beyond a word. They make up the text again, for the blank is a part of them. What is learnt is plain: merges in their
//! order, or pieces with their scores.

#[cfg(feature = "subwords")]
mod coder;
#[cfg(not(feature = "subwords"))]
mod no_coder;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::coder::Coder;
use self::words::words;
#[cfg(not(feature = "subwords"))]
use no_coder as coder;

/// How pieces of words are learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubwordMethod {
    /// Byte-pair encoding: the pair of pieces that is most frequent becomes one, again and again.
    Bpe,
    /// The pieces by which the training texts are likeliest, each with its own probability.
    Unigram,
}

impl fmt::Display for SubwordMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SubwordMethod::Bpe => "bpe",
            SubwordMethod::Unigram => "unigram",
        })
    }
}

/// Pieces of words, as they were learnt. It is stored as what was learnt: see `Learnt`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Learnt", into = "Learnt")]
pub struct Subwords(Arc<Ready>);

struct Ready {
    learnt: Learnt,
    coder: Coder,
}

/// What is learnt, as a model file has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Learnt {
    Bpe {
        /// The characters of the training texts.
        alphabet: String,
        /// The pieces that become one, in the order in which they do.
        merges: Vec<(String, String)>,
    },
    Unigram {
        /// The pieces with the logarithms of their probabilities, the likeliest first.
        pieces: Vec<(String, f64)>,
    },
}

impl Subwords {
    /// Learns at most `size` pieces of these words. The same words give the same pieces, whatever the number of threads.
    ///
    /// # Errors
    /// A sentence to stand behind the option of the size, where the characters alone are more, or the program was built
    /// without sub-words.
    pub fn learn(method: SubwordMethod, words: &WordCounts, size: usize) -> Result<Subwords, String> {
        let alphabet = words.alphabet();
        let characters = alphabet.chars().count();
        // The unigram model has a piece for what is unknown among them, and would be cut down for ever without room for it.
        let least = characters + usize::from(method == SubwordMethod::Unigram);
        if least > size {
            return Err(format!(
                "is {size}, but the texts have {characters} different characters, each of which is a piece; {method} wants \
                 {least} at least"
            ));
        }
        let learnt = match method {
            _ if words.0.is_empty() => Learnt::empty(method),
            SubwordMethod::Bpe => Learnt::Bpe { merges: coder::merges(&words.0, size)?, alphabet },
            SubwordMethod::Unigram => Learnt::Unigram { pieces: coder::pieces(&words.0, size)? },
        };
        Subwords::try_from(learnt)
    }

    /// By which method they were learnt.
    pub fn method(&self) -> SubwordMethod {
        match &self.0.learnt {
            Learnt::Bpe { .. } => SubwordMethod::Bpe,
            Learnt::Unigram { .. } => SubwordMethod::Unigram,
        }
    }

    /// How many pieces there are.
    pub fn len(&self) -> usize {
        match &self.0.learnt {
            Learnt::Bpe { alphabet, merges } => alphabet.chars().count() + merges.len(),
            Learnt::Unigram { pieces } => pieces.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pieces of a text that stands alone, each with the blank before it; they make up the text with a blank before it.
    pub fn tokens(&self, text: &str) -> Vec<String> {
        if text.is_empty() { Vec::new() } else { self.tokens_behind(&format!(" {text}")) }
    }

    /// The same of a text that may stand behind another one: no blank is put before it.
    pub fn tokens_behind(&self, text: &str) -> Vec<String> {
        self.pieces(text, false).into_iter().map(|(start, end)| text[start..end].to_owned()).collect()
    }

    /// Where the pieces of a text start and end, in bytes; nothing lies between them. `lowercase`: whether they were learnt
    /// of lower case. Characters of a word that no piece has, side by side, are a piece of their own.
    pub(super) fn pieces(&self, text: &str, lowercase: bool) -> Vec<(usize, usize)> {
        let mut pieces = Vec::new();
        for (start, end) in words(text) {
            let mut from = start;
            for to in self.ends(&text[start..end], lowercase) {
                pieces.push((from, start + to));
                from = start + to;
            }
        }
        pieces
    }

    /// Where each piece of a word ends.
    fn ends(&self, word: &str, lowercase: bool) -> Vec<usize> {
        if !lowercase || !word.chars().any(changes) {
            return self.0.coder.ends(word);
        }
        // In lower case a character may have other bytes, or become several, which are not parted.
        let mut lower = String::with_capacity(word.len());
        let mut places = Vec::new();
        for (at, c) in word.char_indices() {
            lower.extend(c.to_lowercase());
            places.push((lower.len(), at + c.len_utf8()));
        }
        let place = |end| places.binary_search_by_key(&end, |&(lower, _)| lower).ok().map(|found| places[found].1);
        self.0.coder.ends(&lower).into_iter().filter_map(place).collect()
    }
}

fn changes(c: char) -> bool {
    !c.to_lowercase().eq([c])
}

impl Learnt {
    fn empty(method: SubwordMethod) -> Learnt {
        match method {
            SubwordMethod::Bpe => Learnt::Bpe { alphabet: String::new(), merges: Vec::new() },
            SubwordMethod::Unigram => Learnt::Unigram { pieces: Vec::new() },
        }
    }
}

impl TryFrom<Learnt> for Subwords {
    type Error = String;

    fn try_from(learnt: Learnt) -> Result<Subwords, String> {
        let coder = Coder::new(&learnt)?;
        Ok(Subwords(Arc::new(Ready { learnt, coder })))
    }
}

impl From<Subwords> for Learnt {
    fn from(subwords: Subwords) -> Learnt {
        subwords.0.learnt.clone()
    }
}

impl PartialEq for Subwords {
    fn eq(&self, other: &Self) -> bool {
        self.0.learnt == other.0.learnt
    }
}

/// Scores are finite.
impl Eq for Subwords {}

impl fmt::Debug for Subwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.learnt.fmt(f)
    }
}

/// The words of texts, each with the blank before it, and how often each stands there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WordCounts(BTreeMap<String, u32>);

impl WordCounts {
    /// Those of texts that each stand alone, as they stand.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> WordCounts {
        let mut counts = WordCounts::default();
        texts.into_iter().for_each(|text| counts.add(&format!(" {text}"), false));
        counts
    }

    /// Adds those of a text that begins with a blank, in lower case where that is asked for.
    pub(super) fn add(&mut self, text: &str, lowercase: bool) {
        for (start, end) in words(text) {
            let word = &text[start..end];
            match lowercase && word.chars().any(changes) {
                true => self.count(&word.chars().flat_map(char::to_lowercase).collect::<String>()),
                false => self.count(word),
            }
        }
    }

    fn count(&mut self, word: &str) {
        match self.0.get_mut(word) {
            Some(count) => *count = count.saturating_add(1),
            None => drop(self.0.insert(word.to_owned(), 1)),
        }
    }

    /// All characters in them, by code point.
    fn alphabet(&self) -> String {
        let characters: std::collections::BTreeSet<char> = self.0.keys().flat_map(|word| word.chars()).collect();
        characters.into_iter().collect()
    }
}

#[cfg(all(test, feature = "subwords"))]
mod tests;
