//! Texts that a model writes: how they become tokens, and tokens become a text again.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use super::subwords::{SubwordMethod, Subwords};
use super::tokenizer::TokenizerChoice;
use super::vocabulary::{BOS, EOS, PAD, UNK, Vocabulary, VocabularyOptions};

/// How texts are cut into tokens. Whatever it is, the tokens make up the text again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum WrittenCut {
    /// Words as Unicode finds them and marks of punctuation; a token knows whether a blank stands before it
    Words,
    /// Single characters, blanks among them
    Characters,
    /// What stands between blanks, such as the signs of a pronunciation, and the ends of lines
    Blanks,
    /// Pieces of words, learnt by byte-pair encoding
    Bpe,
    /// Pieces of words, learnt by the unigram model
    Unigram,
}

impl WrittenCut {
    /// What these training targets are cut into. Those without blanks, and those in Chinese or Japanese, are cut into
    /// characters; those of a few hundred different pieces between blanks (the signs of a pronunciation) into these; all
    /// others into words.
    pub fn of<'a>(targets: impl Iterator<Item = &'a str> + Clone) -> WrittenCut {
        let (mut all, mut with_blanks) = (0usize, 0usize);
        for target in targets.clone() {
            all += 1;
            with_blanks += usize::from(target.trim().contains(char::is_whitespace));
        }
        let by_script = TokenizerChoice::Auto.resolve(targets.clone(), false);
        if with_blanks * 10 < all || TokenizerChoice::from(by_script) != TokenizerChoice::Words {
            return WrittenCut::Characters;
        }
        let mut pieces = std::collections::HashSet::new();
        let mut count = 0usize;
        for piece in targets.flat_map(str::split_whitespace) {
            count += 1;
            pieces.insert(piece);
            if pieces.len() > FEW {
                return WrittenCut::Words;
            }
        }
        // Few sentences have few words as well.
        if count > 20 * pieces.len() { WrittenCut::Blanks } else { WrittenCut::Words }
    }

    /// By which method pieces of words are learnt; `None` where tokens are not learnt.
    pub fn subwords(self) -> Option<SubwordMethod> {
        match self {
            WrittenCut::Words | WrittenCut::Characters | WrittenCut::Blanks => None,
            WrittenCut::Bpe => Some(SubwordMethod::Bpe),
            WrittenCut::Unigram => Some(SubwordMethod::Unigram),
        }
    }

    /// Whether a token carries the blank before it.
    fn carries_blanks(self) -> bool {
        self == WrittenCut::Words || self.subwords().is_some()
    }

    /// The tokens of a text; of one that is to be cut into pieces of words, the words.
    pub fn tokens(self, text: &str) -> Vec<String> {
        self.each(text).map(Cow::into_owned).collect()
    }

    /// The same, one after another: none but the one at hand takes memory.
    pub fn each(self, text: &str) -> Box<dyn Iterator<Item = Cow<'_, str>> + '_> {
        match self {
            WrittenCut::Characters => Box::new(text.graphemes(true).map(Cow::Borrowed)),
            WrittenCut::Blanks => Box::new(blanks(text).map(Cow::Borrowed)),
            WrittenCut::Words | WrittenCut::Bpe | WrittenCut::Unigram => Box::new(words(text)),
        }
    }

    /// The text that tokens make up.
    pub fn text<T: AsRef<str>>(self, tokens: impl IntoIterator<Item = T>) -> String {
        self.text_behind("", tokens)
    }

    /// The text that tokens make up behind another one, as it stands there.
    pub fn text_behind<T: AsRef<str>>(self, before: &str, tokens: impl IntoIterator<Item = T>) -> String {
        let mut text = String::new();
        let mut is_open = !before.is_empty() && !before.ends_with(char::is_whitespace);
        for token in tokens {
            let token = token.as_ref();
            if self == WrittenCut::Blanks && token != LINE_END && is_open {
                text.push(' ');
            }
            is_open = token != LINE_END;
            text.push_str(token);
        }
        // A blank that stands there already, and the one that every text of words begins with.
        match self.carries_blanks() && (before.is_empty() || before.ends_with(char::is_whitespace)) {
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

/// The end of a line, as a token.
const LINE_END: &str = "\n";
/// More different pieces than this are words.
const FEW: usize = 300;

impl fmt::Display for WrittenCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WrittenCut::Words => "words",
            WrittenCut::Characters => "characters",
            WrittenCut::Blanks => "blanks",
            WrittenCut::Bpe => "bpe",
            WrittenCut::Unigram => "unigram",
        })
    }
}

/// What stands between blanks, and the ends of lines.
fn blanks(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.split(LINE_END).enumerate();
    lines.flat_map(|(place, line)| (place > 0).then_some(LINE_END).into_iter().chain(line.split_whitespace()))
}

/// Words and marks, each with the blank before it; a text begins with one. White space that is no single blank is a token.
fn words(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let mut pieces = text.split_word_bounds();
    let (mut blank, mut any) = (true, false);
    std::iter::from_fn(move || {
        loop {
            let Some(piece) = pieces.next() else {
                // The blank behind the last.
                let ends = any && blank;
                any = false;
                return ends.then_some(Cow::Borrowed(" "));
            };
            any = true;
            if piece == " " && !blank {
                blank = true;
                continue;
            }
            let token = if blank { Cow::Owned(format!(" {piece}")) } else { Cow::Borrowed(piece) };
            blank = false;
            return Some(token);
        }
    })
}

/// How texts are read and written, with the vocabulary that was learnt of the training data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WrittenText {
    /// How they are cut.
    pub cut: WrittenCut,
    /// The pieces of words into which they are cut, where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subwords: Option<Subwords>,
    /// The tokens, [`BOS`] and [`EOS`] among them.
    pub vocabulary: Vocabulary,
    /// Tokens past this many are not learnt.
    pub max_length: usize,
    /// Tokens of the longest text of the training data, as far as it was learnt.
    pub longest: usize,
}

impl WrittenText {
    /// Learns the vocabulary of these training targets: tokens that stand there at least `min_count` times, at most
    /// `max_vocabulary` of them.
    pub fn fit<'a>(
        cut: WrittenCut,
        targets: impl Iterator<Item = &'a str> + Clone,
        (min_count, max_vocabulary): (usize, usize),
        max_length: usize,
    ) -> WrittenText {
        WrittenText::fit_with((cut, None), &[], targets, (min_count, max_vocabulary), max_length)
    }

    /// The same of targets that are cut into pieces of words.
    pub fn fit_subwords<'a>(
        subwords: Subwords,
        targets: impl Iterator<Item = &'a str> + Clone,
        sizes: (usize, usize),
        max_length: usize,
    ) -> WrittenText {
        let cut = match subwords.method() {
            SubwordMethod::Bpe => WrittenCut::Bpe,
            SubwordMethod::Unigram => WrittenCut::Unigram,
        };
        WrittenText::fit_with((cut, Some(subwords)), &[], targets, sizes, max_length)
    }

    /// The same with special tokens beside [`BOS`] and [`EOS`], such as what a text may begin with in place of the first.
    pub fn fit_with<'a>(
        (cut, subwords): (WrittenCut, Option<Subwords>),
        special: &[String],
        texts: impl Iterator<Item = &'a str> + Clone,
        (min_count, max_vocabulary): (usize, usize),
        max_length: usize,
    ) -> WrittenText {
        let special = [BOS.to_owned(), EOS.to_owned()].into_iter().chain(special.iter().cloned()).collect();
        let options = VocabularyOptions { min_count, max_size: Some(max_vocabulary), special };
        let vocabulary = Vocabulary::build::<&str>([], &options);
        let text = WrittenText { cut, subwords, vocabulary, max_length, longest: 0 };
        let longest = texts.clone().map(|one| text.each(one).count()).max().unwrap_or(0).min(max_length);
        let vocabulary = Vocabulary::build(texts.flat_map(|one| text.each(one)), &options);
        WrittenText { vocabulary, longest, ..text }
    }

    /// The tokens of a text.
    pub fn cut_up(&self, text: &str) -> Vec<String> {
        self.each(text).map(Cow::into_owned).collect()
    }

    /// The same, one after another.
    pub fn each<'a>(&self, text: &'a str) -> Box<dyn Iterator<Item = Cow<'a, str>> + 'a> {
        match &self.subwords {
            Some(subwords) => Box::new(subwords.tokens(text).into_iter().map(Cow::Owned)),
            None => self.cut.each(text),
        }
    }

    /// With the new tokens of these targets behind those that are there.
    #[must_use]
    pub fn extended<'a>(
        self,
        targets: impl Iterator<Item = &'a str> + Clone,
        (min_count, max_vocabulary): (usize, usize),
    ) -> WrittenText {
        let options = VocabularyOptions { min_count, max_size: Some(max_vocabulary), ..VocabularyOptions::default() };
        let longest = targets.clone().map(|target| self.cut_up(target).len()).max().unwrap_or(0).min(self.max_length);
        let (vocabulary, _) = self.vocabulary.extended(targets.flat_map(|target| self.cut_up(target)), &options);
        WrittenText { vocabulary, longest: self.longest.max(longest), ..self }
    }

    /// Whether this is the id of what the vocabulary does not have.
    pub fn is_unknown(&self, id: u32) -> bool {
        id == UNK
    }

    /// The ids of a text wherever it may stand in a target, with a blank before it and without, and a word with the marks around it
    /// that are of its token; none that no target has.
    pub fn forms(&self, text: &str) -> Vec<Vec<u32>> {
        if self.cut == WrittenCut::Blanks && !text.trim().contains(char::is_whitespace) {
            // A mark that stands at a word is a part of the token.
            let bare = |token: &str| token.trim_matches(|c: char| !c.is_alphanumeric()) == text.trim();
            let tokens = self.vocabulary.tokens().iter().filter(|token| *token == text.trim() || bare(token));
            return tokens.filter_map(|token| Some(vec![self.vocabulary.id(token)?])).collect();
        }
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
    pub fn encode_whole(&self, text: &str) -> Vec<u32> {
        self.each(text).map(|token| self.vocabulary.encode(&token)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_word_is_forbidden_with_the_marks_of_its_token() {
        let targets = ["the books.", "books, and eos"];
        let written = WrittenText::fit(WrittenCut::Blanks, targets.into_iter(), (1, 100), 9);
        let tokens = |text: &str| -> Vec<&str> {
            written.forms(text).iter().map(|ids| written.vocabulary.token(ids[0]).unwrap()).collect()
        };
        let mut found = tokens("books");
        found.sort_unstable();
        assert_eq!((found, tokens("book"), tokens("eos")), (vec!["books,", "books."], vec![], vec!["eos"]));
    }

    #[test]
    fn texts_are_cut_as_their_kind_says() {
        let cases: [(WrittenCut, &str, &[&str]); 6] = [
            (WrittenCut::Words, "The U.S. won, 3-1!", &[" The", " U.S", ".", " won", ",", " 3", "-", "1", "!"]),
            (WrittenCut::Words, "", &[]),
            (WrittenCut::Words, "a  b ", &[" a", "  ", "b", " "]),
            (WrittenCut::Characters, "a b", &["a", " ", "b"]),
            (WrittenCut::Blanks, " K  AE1 T", &["K", "AE1", "T"]),
            (WrittenCut::Blanks, "no it was\r\n\n n't", &["no", "it", "was", "\n", "\n", "n't"]),
        ];
        for (cut, text, expected) in cases {
            assert_eq!(cut.tokens(text), expected, "{cut} of {text:?}");
        }
        assert_eq!(WrittenCut::Blanks.text(["K", "AE1", "T"]), "K AE1 T");
        assert_eq!((WrittenCut::Words.shown(" the"), WrittenCut::Characters.shown(" ")), ("the", " "));
    }

    #[test]
    fn a_text_goes_on_behind_another() {
        let cases: [(WrittenCut, &str, &[&str], &str); 7] = [
            (WrittenCut::Words, "The cat", &[" sat", "."], " sat."),
            (WrittenCut::Words, "The ", &[" cat"], "cat"),
            (WrittenCut::Words, "", &[" The", " cat"], "The cat"),
            (WrittenCut::Characters, "The c", &["a", "t"], "at"),
            (WrittenCut::Blanks, "no it", &["was", "\n", "no"], " was\nno"),
            (WrittenCut::Blanks, "no it\n", &["was"], "was"),
            (WrittenCut::Blanks, "", &["was", "n't"], "was n't"),
        ];
        for (cut, before, tokens, expected) in cases {
            assert_eq!(cut.text_behind(before, tokens), expected, "{cut} behind {before:?}");
        }
    }

    #[test]
    fn the_cut_is_found_by_the_targets() {
        let signs: Vec<String> =
            (0..200).map(|i| format!("{} {} {}", "KTS".chars().nth(i % 3).unwrap(), i % 7, i % 5)).collect();
        let sentences: Vec<String> = (0..50).map(|i| format!("the cat number {i} sat, and {}", i * 7)).collect();
        let dates: Vec<String> = (1..50).map(|i| format!("2021-05-{i}")).collect();
        let chinese = ["打开 文件。".to_owned(), "关闭 这个 窗口".to_owned()];
        let of = |texts: &[String]| WrittenCut::of(texts.iter().map(String::as_str));
        assert_eq!(of(&signs), WrittenCut::Blanks);
        assert_eq!(of(&sentences), WrittenCut::Words);
        assert_eq!((of(&dates), of(&chinese)), (WrittenCut::Characters, WrittenCut::Characters));
    }

    proptest! {
        #[test]
        fn tokens_make_up_their_text(text in "(\\PC|[ \n\t]|[一-龥]|[a-zA-Z.]){0,40}") {
            for cut in [WrittenCut::Words, WrittenCut::Characters] {
                prop_assert_eq!(cut.text(cut.tokens(&text)), text.clone());
            }
            let blanks = WrittenCut::Blanks;
            let lines = text.split('\n').map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
            prop_assert_eq!(blanks.text(blanks.tokens(&text)), lines.collect::<Vec<_>>().join("\n"));
        }
    }
}
