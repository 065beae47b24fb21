//! Copying from the source (See 2017, section 2.2): which token of a target each token of a source is, and the probability of
//! a token that is written or copied.
//!
//! A token of a source that no target of the training has is a word of the source's own; it is numbered behind the target's
//! vocabulary, for this source alone (the extended vocabulary of the paper).

use std::collections::{HashMap, HashSet};

use lookback_kernels::pointer::{LEAST_COPIED, NOT_WRITTEN};

use crate::input::Example;
use crate::input::tokenizer::{Segmentation, Token, Tokenizer};
use crate::input::vocabulary::UNK;
use crate::input::written::{WrittenCut, WrittenText};
use crate::network::log_of_sum;

/// The tokens of a source as tokens of a target. `V` is the size of the target's vocabulary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceTokens {
    /// `[S]`: below `V` a token of the vocabulary, from `V` on one of the source's own.
    pub ids: Vec<u32>,
    /// The source's own words, in the order in which they first stand; the first has the number `V`.
    pub own: Vec<String>,
    /// `V`
    vocabulary: u32,
}

impl SourceTokens {
    /// Those of a source.
    pub fn of(target: &WrittenText, source: &Example) -> SourceTokens {
        let vocabulary = target.vocabulary.len() as u32;
        let mut tokens = SourceTokens { vocabulary, ..SourceTokens::default() };
        for token in target.of_source(source) {
            let id = tokens.find(target, &token).unwrap_or_else(|| {
                tokens.own.push(token);
                vocabulary + (tokens.own.len() - 1) as u32
            });
            tokens.ids.push(id);
        }
        tokens
    }

    /// The number of a token, where the vocabulary or the source has it.
    pub(super) fn find(&self, target: &WrittenText, token: &str) -> Option<u32> {
        let own = || self.own.iter().position(|own| own == token).map(|place| self.vocabulary + place as u32);
        target.vocabulary.id(token).or_else(own)
    }

    /// The word of the source's own that has this number.
    pub(super) fn own_word(&self, id: u32) -> Option<&str> {
        self.own.get(id.checked_sub(self.vocabulary)? as usize).map(String::as_str)
    }
}

impl WrittenText {
    /// Whether tokens of sources that are cut so are tokens of such targets, so that one may be copied.
    ///
    /// # Errors
    /// A sentence that begins with the option.
    pub fn check_copying(&self, sources: &Tokenizer) -> Result<(), String> {
        let fits = match (sources.segmentation, self.cut) {
            (Segmentation::Words, WrittenCut::Words | WrittenCut::Blanks)
            | (Segmentation::Characters, WrittenCut::Characters) => true,
            (Segmentation::Bpe, WrittenCut::Bpe) | (Segmentation::Unigram, WrittenCut::Unigram) => {
                if sources.subwords != self.subwords {
                    let problem = "copies pieces of words, which must be those of both sides (--joint-subwords)";
                    return Err(problem.into());
                }
                true
            }
            _ => false,
        };
        match fits {
            true => Ok(()),
            false => Err(format!(
                "copies tokens of the source, but sources are cut into {} and targets into {}; say --tokenizer and \
                 --target-tokenizer so that both are words, characters or joint pieces of words",
                sources.segmentation, self.cut
            )),
        }
    }

    /// What each token of a source that is kept is as a token of a target, `[S]`: as it is written, upper and lower case, and
    /// where tokens carry blanks with the blank before it.
    fn of_source(&self, source: &Example) -> Vec<String> {
        let Some((text, tokens)) = source.tokens() else { return Vec::new() };
        let written = || tokens.iter().map(|token| (token, &text[token.start..token.end]));
        match self.cut {
            WrittenCut::Characters | WrittenCut::Blanks => written().map(|(_, written)| written.to_owned()).collect(),
            WrittenCut::Bpe | WrittenCut::Unigram => tokens.iter().map(|token| token.written.to_string()).collect(),
            WrittenCut::Words => {
                let places = places_of_words(text);
                let as_cut = |(token, written): (&Token<'_>, &str)| {
                    places.get(&(token.start, token.end)).cloned().unwrap_or_else(|| self.cut.as_token(written))
                };
                written().map(as_cut).collect()
            }
        }
    }

    /// As [`WrittenText::encode`], but what stands in the source has that one's number where the vocabulary does not have it.
    pub fn encode_beside(&self, text: &str, source: &SourceTokens) -> (Vec<u32>, usize) {
        let mut ids = self.cut_up(text);
        let cut = ids.len().saturating_sub(self.max_length);
        ids.truncate(self.max_length);
        (ids.iter().map(|token| source.find(self, token).unwrap_or(UNK)).collect(), cut)
    }
}

/// The words of a text as [`WrittenCut::Words`] cuts them, by the bytes that each takes without the blank before it.
fn places_of_words(text: &str) -> HashMap<(usize, usize), String> {
    // The words make up the text behind a blank.
    let mut at = 0usize;
    let place = |word: String| {
        let blank = usize::from(word.len() > 1 && word.starts_with(' '));
        let start = (at + blank).saturating_sub(1);
        at += word.len();
        ((start, at - 1), word)
    };
    WrittenCut::Words.tokens(text).into_iter().map(place).collect()
}

/// Where in the sources of a batch the wanted tokens stand, as
/// [`PointerTargets`](lookback_kernels::pointer::PointerTargets) lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedPlaces {
    /// `[N]`: the token of each real step, row by row, or [`NOT_WRITTEN`] where the vocabulary does not have it.
    pub tokens: Vec<u32>,
    /// `[N + 1]`
    pub offsets: Vec<usize>,
    /// Which of the weights `[B, T, S]` fall on a step's token.
    pub places: Vec<usize>,
}

impl WantedPlaces {
    /// With the place of nothing.
    pub(super) fn new() -> WantedPlaces {
        WantedPlaces { offsets: vec![0], ..WantedPlaces::default() }
    }

    /// Adds a step that wants token `id` of a source; its first weight is `first` of all.
    pub(super) fn push(&mut self, id: u32, source: &SourceTokens, first: usize) {
        self.tokens.push(if id >= source.vocabulary { NOT_WRITTEN } else { id });
        self.places.extend(source.ids.iter().enumerate().filter(|(_, own)| **own == id).map(|(k, _)| first + k));
        self.offsets.push(self.places.len());
    }
}

/// What can be copied from a source: each token with its places.
#[derive(Clone, Debug, Default)]
pub(super) struct Copied(Vec<(u32, Vec<usize>)>);

impl Copied {
    /// `forbidden`: words that are not to be copied where the vocabulary does not have them.
    pub(super) fn of(source: &SourceTokens, forbidden: &HashSet<String>) -> Copied {
        let mut all: Vec<(u32, Vec<usize>)> = Vec::new();
        for (place, &id) in source.ids.iter().enumerate() {
            if source.own_word(id).is_some_and(|word| forbidden.contains(word)) {
                continue;
            }
            match all.iter_mut().find(|(other, _)| *other == id) {
                Some((_, places)) => places.push(place),
                None => all.push((id, vec![place])),
            }
        }
        Copied(all)
    }

    /// `log (g p(w) + (1 - g) Σ a)` of every token (See 2017, eq. 9), into `to`, `[V]` and behind it what sources have of
    /// their own. written: `[V]`, `log p`. gate: the logit of `g`. weights: `[S]`.
    pub(super) fn mix(&self, written: &[f32], gate: f32, weights: &[f32], to: &mut [f32]) {
        let (of_vocabulary, of_source) = to.split_at_mut(written.len());
        let (write, copy) = (-softplus(-gate), -softplus(gate));
        of_vocabulary.iter_mut().zip(written).for_each(|(to, written)| *to = written + write);
        of_source.fill(f32::NEG_INFINITY);
        for (id, places) in &self.0 {
            let sum: f32 = places.iter().map(|&place| weights[place]).sum();
            let sum = if sum < LEAST_COPIED { LEAST_COPIED } else { sum };
            let to = &mut to[*id as usize];
            *to = log_of_sum(*to, copy + sum.ln());
        }
    }
}

/// `log (1 + e^x)`; `log σ(x)` is `-softplus(-x)`.
fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn source(ids: &[u32], own: &[&str]) -> SourceTokens {
        SourceTokens { ids: ids.to_vec(), own: own.iter().map(|&word| word.into()).collect(), vocabulary: 3 }
    }

    #[test]
    fn a_mixture_is_a_distribution_over_the_vocabulary_and_what_the_source_has() {
        let source = source(&[3, 1, 4, 3], &["Ada", "Kay"]);
        let written = [0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln()];
        let (weights, gate) = ([0.1, 0.2, 0.3, 0.4], 0.4f32);
        let g = 1.0 / (1.0 + (-gate).exp());
        let mut found = [f32::NAN; 6];
        Copied::of(&source, &HashSet::new()).mix(&written, gate, &weights, &mut found);
        let want = [g * 0.5, g * 0.3 + (1.0 - g) * 0.2, g * 0.2, (1.0 - g) * 0.5, (1.0 - g) * 0.3, 0.0];
        for (found, want) in found.iter().zip(want) {
            assert!((found.exp() - want).abs() < 1e-6, "{} instead of {want}", found.exp());
        }
        // What is forbidden is not copied.
        Copied::of(&source, &["Ada".to_owned()].into()).mix(&written, gate, &weights, &mut found);
        assert_eq!(found[3], f32::NEG_INFINITY);
        assert!(found[4].is_finite());
    }

    #[test]
    fn a_sure_gate_and_weights_of_nothing_leave_a_logarithm() {
        let source = source(&[3], &["Ada"]);
        for gate in [-300.0, 300.0] {
            let mut found = [f32::NAN; 4];
            Copied::of(&source, &HashSet::new()).mix(&[0.0, -40.0, -90.0], gate, &[0.0], &mut found);
            assert!(found.iter().all(|value| value.is_finite()), "{found:?}");
        }
        let mut found = [0.0; 4];
        Copied::of(&source, &HashSet::new()).mix(&[0.0, -40.0, f32::NAN], 0.0, &[f32::NAN], &mut found);
        assert!(found[2].is_nan() && found[3].is_nan(), "what is no number stays that: {found:?}");
    }

    #[test]
    fn wanted_tokens_know_where_they_stand() {
        let mut wanted = WantedPlaces::new();
        for (step, id) in [3, 2, 1].into_iter().enumerate() {
            wanted.push(id, &source(&[3, 1, 4, 3], &["Ada", "Kay"]), step * 10);
        }
        let want = WantedPlaces { tokens: vec![NOT_WRITTEN, 2, 1], offsets: vec![0, 2, 2, 3], places: vec![0, 3, 21] };
        assert_eq!(wanted, want);
    }

    proptest! {
        #[test]
        fn every_word_knows_its_place(text in "(\\PC|[ \n\t]|[一-龥]|[a-zA-Z.]){0,40}") {
            for ((start, end), word) in places_of_words(&text) {
                let bare = if word.len() > 1 { word.strip_prefix(' ').unwrap_or(&word) } else { &word };
                if !(text.starts_with(char::is_whitespace) && start == 0) && end <= text.len() {
                    prop_assert!(text[start..end] == *bare || bare == " ", "{word:?} at {start}..{end} of {text:?}");
                }
            }
        }
    }
}
