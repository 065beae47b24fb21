//! Targets: how a text that is written becomes tokens, and tokens become a text again.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use super::copying::{SourceTokens, WantedPlaces};
use crate::input::subwords::{SubwordMethod, Subwords};
use crate::input::tokenizer::TokenizerChoice;
use crate::input::vocabulary::{BOS, EOS, PAD, UNK, Vocabulary, VocabularyOptions};
use crate::search::MOST_TOKENS;

/// How targets are cut into tokens. Whatever it is, the tokens make up the text again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum TargetCut {
    /// Words as Unicode finds them and marks of punctuation; a token knows whether a blank stands before it
    Words,
    /// Single characters, blanks among them
    Characters,
    /// What stands between blanks, such as the signs of a pronunciation
    Blanks,
    /// Pieces of words, learnt by byte-pair encoding
    Bpe,
    /// Pieces of words, learnt by the unigram model
    Unigram,
}

impl TargetCut {
    /// What these training targets are cut into. Those without blanks, and those in Chinese or Japanese, are cut into
    /// characters; those of a few hundred different pieces between blanks (the signs of a pronunciation) into these; all
    /// others into words.
    pub fn of<'a>(targets: impl Iterator<Item = &'a str> + Clone) -> TargetCut {
        let (mut all, mut with_blanks) = (0usize, 0usize);
        for target in targets.clone() {
            all += 1;
            with_blanks += usize::from(target.trim().contains(char::is_whitespace));
        }
        let by_script = TokenizerChoice::Auto.resolve(targets.clone(), false);
        if with_blanks * 10 < all || TokenizerChoice::from(by_script) != TokenizerChoice::Words {
            return TargetCut::Characters;
        }
        let mut pieces = std::collections::HashSet::new();
        let mut count = 0usize;
        for piece in targets.flat_map(str::split_whitespace) {
            count += 1;
            pieces.insert(piece);
            if pieces.len() > FEW {
                return TargetCut::Words;
            }
        }
        // Few sentences have few words as well.
        if count > 20 * pieces.len() { TargetCut::Blanks } else { TargetCut::Words }
    }

    /// By which method pieces of words are learnt; `None` where tokens are not learnt.
    pub fn subwords(self) -> Option<SubwordMethod> {
        match self {
            TargetCut::Words | TargetCut::Characters | TargetCut::Blanks => None,
            TargetCut::Bpe => Some(SubwordMethod::Bpe),
            TargetCut::Unigram => Some(SubwordMethod::Unigram),
        }
    }

    /// Whether a token carries the blank before it.
    fn carries_blanks(self) -> bool {
        self == TargetCut::Words || self.subwords().is_some()
    }

    /// The tokens of a text; of one that is to be cut into pieces of words, the words.
    pub fn tokens(self, text: &str) -> Vec<String> {
        match self {
            TargetCut::Characters => text.graphemes(true).map(str::to_owned).collect(),
            TargetCut::Blanks => text.split_whitespace().map(str::to_owned).collect(),
            TargetCut::Words | TargetCut::Bpe | TargetCut::Unigram => words(text),
        }
    }

    /// The text that tokens make up.
    pub fn text<T: AsRef<str>>(self, tokens: impl IntoIterator<Item = T>) -> String {
        let mut text = String::new();
        for token in tokens {
            if self == TargetCut::Blanks && !text.is_empty() {
                text.push(' ');
            }
            text.push_str(token.as_ref());
        }
        // The blank that every text of words begins with.
        match self.carries_blanks() {
            true => text.strip_prefix(' ').map(str::to_owned).unwrap_or(text),
            false => text,
        }
    }

    /// A word of a source as a token of a target.
    pub fn as_token(self, word: &str) -> String {
        if self.carries_blanks() { format!(" {word}") } else { word.to_owned() }
    }

    /// A token as people see it, without the blank before it.
    pub fn shown(self, token: &str) -> &str {
        match self.carries_blanks() && token.len() > 1 {
            true => token.strip_prefix(' ').unwrap_or(token),
            false => token,
        }
    }
}

/// More different pieces than this are words.
const FEW: usize = 300;

impl fmt::Display for TargetCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TargetCut::Words => "words",
            TargetCut::Characters => "characters",
            TargetCut::Blanks => "blanks",
            TargetCut::Bpe => "bpe",
            TargetCut::Unigram => "unigram",
        })
    }
}

/// Words and marks, each with the blank before it; a text begins with one. White space that is no single blank is a token.
fn words(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut blank = true;
    for piece in text.split_word_bounds() {
        if piece == " " && !blank {
            blank = true;
            continue;
        }
        tokens.push(if blank { format!(" {piece}") } else { piece.to_owned() });
        blank = false;
    }
    if blank && !tokens.is_empty() {
        tokens.push(" ".into());
    }
    tokens
}

/// How targets are read and written, with the vocabulary that was learnt of the training data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TargetText {
    /// How they are cut.
    pub cut: TargetCut,
    /// The pieces of words into which they are cut, where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subwords: Option<Subwords>,
    /// The tokens, [`BOS`] and [`EOS`] among them.
    pub vocabulary: Vocabulary,
    /// Tokens past this many are not learnt.
    pub max_length: usize,
    /// Tokens of the longest target of the training data, as far as it was learnt.
    pub longest: usize,
}

impl TargetText {
    /// Learns the vocabulary of these training targets: tokens that stand there at least `min_count` times, at most
    /// `max_vocabulary` of them.
    pub fn fit<'a>(
        cut: TargetCut,
        targets: impl Iterator<Item = &'a str> + Clone,
        (min_count, max_vocabulary): (usize, usize),
        max_length: usize,
    ) -> TargetText {
        TargetText::fit_cut(cut, None, targets, (min_count, max_vocabulary), max_length)
    }

    /// The same of targets that are cut into pieces of words.
    pub fn fit_subwords<'a>(
        subwords: Subwords,
        targets: impl Iterator<Item = &'a str> + Clone,
        sizes: (usize, usize),
        max_length: usize,
    ) -> TargetText {
        let cut = match subwords.method() {
            SubwordMethod::Bpe => TargetCut::Bpe,
            SubwordMethod::Unigram => TargetCut::Unigram,
        };
        TargetText::fit_cut(cut, Some(subwords), targets, sizes, max_length)
    }

    fn fit_cut<'a>(
        cut: TargetCut,
        subwords: Option<Subwords>,
        targets: impl Iterator<Item = &'a str> + Clone,
        (min_count, max_vocabulary): (usize, usize),
        max_length: usize,
    ) -> TargetText {
        let special = vec![BOS.to_owned(), EOS.to_owned()];
        let options = VocabularyOptions { min_count, max_size: Some(max_vocabulary), special };
        let vocabulary = Vocabulary::build::<&str>([], &options);
        let text = TargetText { cut, subwords, vocabulary, max_length, longest: 0 };
        let longest = targets.clone().map(|target| text.cut_up(target).len()).max().unwrap_or(0).min(max_length);
        let vocabulary = Vocabulary::build(targets.flat_map(|target| text.cut_up(target)), &options);
        TargetText { vocabulary, longest, ..text }
    }

    /// The tokens of a text.
    pub fn cut_up(&self, text: &str) -> Vec<String> {
        match &self.subwords {
            Some(subwords) => subwords.tokens(text),
            None => self.cut.tokens(text),
        }
    }

    /// With the new tokens of these targets behind those that are there.
    #[must_use]
    pub fn extended<'a>(
        self,
        targets: impl Iterator<Item = &'a str> + Clone,
        (min_count, max_vocabulary): (usize, usize),
    ) -> TargetText {
        let options = VocabularyOptions { min_count, max_size: Some(max_vocabulary), ..VocabularyOptions::default() };
        let longest = targets.clone().map(|target| self.cut_up(target).len()).max().unwrap_or(0).min(self.max_length);
        let (vocabulary, _) = self.vocabulary.extended(targets.flat_map(|target| self.cut_up(target)), &options);
        TargetText { vocabulary, longest: self.longest.max(longest), ..self }
    }

    /// The most tokens of an answer where nothing else is said: half as many again as any target of the training has.
    pub fn most_tokens(&self) -> usize {
        self.longest.saturating_add(self.longest / 2).saturating_add(10).min(MOST_TOKENS)
    }

    /// Whether this is the id of what the vocabulary does not have.
    pub fn is_unknown(&self, id: u32) -> bool {
        id == UNK
    }

    /// The ids of a text wherever it may stand in a target, with a blank before it and without; none that no target has.
    pub fn forms(&self, text: &str) -> Vec<Vec<u32>> {
        let tokens = self.cut_up(text);
        let without = tokens.iter().enumerate().map(|(place, token)| match place {
            0 => self.cut.shown(token).to_owned(),
            _ => token.clone(),
        });
        let without = match &self.subwords {
            Some(subwords) => subwords.tokens_behind(text),
            None => without.collect(),
        };
        let mut forms = vec![tokens.clone(), without];
        forms.dedup();
        let ids =
            |tokens: Vec<String>| tokens.iter().map(|token| self.vocabulary.id(token)).collect::<Option<Vec<_>>>();
        forms.into_iter().filter_map(ids).filter(|ids| !ids.is_empty()).collect()
    }

    /// Whether targets can be written by it; what a file says may be anything.
    ///
    /// # Errors
    /// A sentence.
    pub fn check(&self) -> Result<(), String> {
        match (self.vocabulary.special(BOS), self.vocabulary.special(EOS)) {
            _ if self.max_length == 0 => Err("the longest target has no token".into()),
            _ if self.longest > self.max_length => Err(format!(
                "the longest target has {} tokens, but at most {} are learnt",
                self.longest, self.max_length
            )),
            _ if self.cut.subwords() != self.subwords.as_ref().map(Subwords::method) => {
                Err(format!("targets are cut into {}, but other pieces of words were learnt", self.cut))
            }
            (Some(_), Some(_)) => Ok(()),
            _ => Err(format!("the vocabulary of the targets lacks {BOS} or {EOS}")),
        }
    }

    /// The id with which every target begins.
    pub fn bos(&self) -> u32 {
        self.vocabulary.special(BOS).unwrap_or(PAD)
    }

    /// The id with which every target ends.
    pub fn eos(&self) -> u32 {
        self.vocabulary.special(EOS).unwrap_or(PAD)
    }

    /// The ids of a target, without beginning and end, and how many were cut off.
    pub fn encode(&self, text: &str) -> (Vec<u32>, usize) {
        let mut ids = self.encode_whole(text);
        let cut = ids.len().saturating_sub(self.max_length);
        ids.truncate(self.max_length);
        (ids, cut)
    }

    /// The ids of a text, however long it is.
    pub(super) fn encode_whole(&self, text: &str) -> Vec<u32> {
        self.cut_up(text).iter().map(|token| self.vocabulary.encode(token)).collect()
    }

    /// The tokens of these ids; `unknown` tells what stands for one that the vocabulary does not have, by its place.
    pub fn tokens(&self, ids: &[u32], unknown: impl Fn(usize) -> Option<String>) -> Vec<String> {
        let token = |(place, &id): (usize, &u32)| match id {
            UNK => unknown(place).unwrap_or_else(|| "<unk>".into()),
            id => self.vocabulary.token(id).unwrap_or_default().to_owned(),
        };
        ids.iter().enumerate().map(token).collect()
    }
}

/// The targets of a batch, in ids.
#[derive(Clone, Debug)]
pub struct Targets<'a> {
    rows: &'a [&'a [u32]],
    eos: u32,
    /// The tokens before each step, `[B, T]`, [`PAD`] past a row's end.
    before: Vec<u32>,
    time: usize,
    /// Of what tokens are copied; none where nothing is.
    sources: Vec<&'a SourceTokens>,
}

impl<'a> Targets<'a> {
    /// rows: the ids of every target, without beginning and end; those of words that a source has of its own are read as the
    /// unknown one. `drop`: whether a token that is read is replaced by the unknown
    /// one, asked for each; what is wanted stays.
    pub fn new(rows: &'a [&'a [u32]], text: &TargetText, mut drop: impl FnMut() -> bool) -> Targets<'a> {
        let (eos, vocabulary) = (text.eos(), text.vocabulary.len());
        let time = rows.iter().map(|row| row.len() + 1).max().unwrap_or(0);
        let mut before = Vec::with_capacity(rows.len() * time);
        for row in rows {
            let start = before.len();
            before.push(text.bos());
            before.extend(row.iter().map(|&id| if drop() || id as usize >= vocabulary { UNK } else { id }));
            before.resize(start + time, PAD);
        }
        Targets { rows, eos, before, time, sources: Vec::new() }
    }

    /// With the sources from which tokens are copied, one for each row.
    pub fn with_sources(mut self, sources: Vec<&'a SourceTokens>) -> Targets<'a> {
        self.sources = sources;
        self
    }

    /// The sources from which tokens are copied; none where nothing is.
    pub fn sources(&self) -> &[&'a SourceTokens] {
        &self.sources
    }

    /// Where in the sources every wanted token stands. keys: `S`, the steps of the longest source.
    pub fn wanted_places(&self, keys: usize) -> WantedPlaces {
        let mut wanted = WantedPlaces::new();
        for (row, source) in self.sources.iter().enumerate() {
            for t in 0..self.length(row) {
                wanted.push(self.at(row, t), source, (row * self.time + t) * keys);
            }
        }
        wanted
    }

    /// Has step `t` of a row read another token; what is wanted stays.
    pub fn replace(&mut self, row: usize, t: usize, token: u32) {
        self.before[row * self.time + t] = token;
    }

    /// `B`
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// `T`: the steps of the longest, its end among them.
    pub fn time(&self) -> usize {
        self.time
    }

    /// The steps of a row, its end among them.
    pub fn length(&self, row: usize) -> usize {
        self.rows[row].len() + 1
    }

    /// `[B, T]`: the token before each step, [`PAD`] past a row's end.
    pub fn before(&self) -> &[u32] {
        &self.before
    }

    /// The token that is right at every real step, row by row.
    pub fn wanted(&self) -> Vec<i64> {
        let row = |row: &&'a [u32]| row.iter().copied().chain([self.eos]).map(i64::from).collect::<Vec<_>>();
        self.rows.iter().flat_map(row).collect()
    }

    /// The token that is right at step `t` of a row: its end behind the last.
    pub fn at(&self, row: usize, t: usize) -> u32 {
        self.rows[row].get(t).copied().unwrap_or(self.eos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn targets_are_cut_as_their_kind_says() {
        let cases: [(TargetCut, &str, &[&str]); 5] = [
            (TargetCut::Words, "The U.S. won, 3-1!", &[" The", " U.S", ".", " won", ",", " 3", "-", "1", "!"]),
            (TargetCut::Words, "", &[]),
            (TargetCut::Words, "a  b ", &[" a", "  ", "b", " "]),
            (TargetCut::Characters, "a b", &["a", " ", "b"]),
            (TargetCut::Blanks, " K  AE1 T", &["K", "AE1", "T"]),
        ];
        for (cut, text, expected) in cases {
            assert_eq!(cut.tokens(text), expected, "{cut} of {text:?}");
        }
        assert_eq!(TargetCut::Blanks.text(["K", "AE1", "T"]), "K AE1 T");
        assert_eq!((TargetCut::Words.shown(" the"), TargetCut::Characters.shown(" ")), ("the", " "));
    }

    #[test]
    fn the_cut_is_found_by_the_targets() {
        let signs: Vec<String> =
            (0..200).map(|i| format!("{} {} {}", "KTS".chars().nth(i % 3).unwrap(), i % 7, i % 5)).collect();
        let sentences: Vec<String> = (0..50).map(|i| format!("the cat number {i} sat, and {}", i * 7)).collect();
        let dates: Vec<String> = (1..50).map(|i| format!("2021-05-{i}")).collect();
        let chinese = ["打开 文件。".to_owned(), "关闭 这个 窗口".to_owned()];
        let of = |texts: &[String]| TargetCut::of(texts.iter().map(String::as_str));
        assert_eq!(of(&signs), TargetCut::Blanks);
        assert_eq!(of(&sentences), TargetCut::Words);
        assert_eq!((of(&dates), of(&chinese)), (TargetCut::Characters, TargetCut::Characters));
    }

    #[test]
    fn a_batch_begins_ends_and_pads() {
        let text = TargetText::fit(TargetCut::Characters, ["ab", "c"].into_iter(), (1, 100), 2);
        assert_eq!(text.encode("abc"), (vec![4, 5], 1));
        let (long, short) = (text.encode("ab").0, text.encode("zz").0);
        assert_eq!(short, [UNK, UNK]);
        let rows: [&[u32]; 3] = [&long, &short[..1], &[]];
        let targets = Targets::new(&rows, &text, || false);
        let (bos, eos) = (text.bos(), text.eos());
        assert_eq!((targets.time(), targets.length(2)), (3, 1));
        assert_eq!(targets.before(), [bos, 4, 5, bos, UNK, PAD, bos, PAD, PAD]);
        assert_eq!(targets.wanted(), [4, 5, i64::from(eos), i64::from(UNK), i64::from(eos), i64::from(eos)]);
        assert_eq!(text.tokens(&[4, UNK], |place| Some(format!("{place}!"))), ["a", "1!"]);
    }

    proptest! {
        #[test]
        fn tokens_make_up_their_text(text in "(\\PC|[ \n\t]|[一-龥]|[a-zA-Z.]){0,40}") {
            for cut in [TargetCut::Words, TargetCut::Characters] {
                prop_assert_eq!(cut.text(cut.tokens(&text)), text.clone());
            }
            let blanks = TargetCut::Blanks;
            let expected: Vec<&str> = text.split_whitespace().collect();
            prop_assert_eq!(blanks.text(blanks.tokens(&text)), expected.join(" "));
        }
    }
}
