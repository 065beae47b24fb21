//! The tokens a model knows, and their ids.

use std::cmp::Reverse;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// The id that fills rows up to the longest of a batch.
pub const PAD: u32 = 0;
/// The id of every token that is not in the vocabulary.
pub const UNK: u32 = 1;

/// What stands before a text, where a model was made to write texts.
pub const BOS: &str = "<bos>";
/// What stands behind a text, where a model was made to write texts.
pub const EOS: &str = "<eos>";

/// What every vocabulary begins with.
const SPECIAL: [&str; 2] = ["<pad>", "<unk>"];

/// Which tokens enter a vocabulary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VocabularyOptions {
    /// Tokens that are rarer in the training data are left out.
    pub min_count: usize,
    /// The most entries there may be, special ones included; the rarest are left out.
    pub max_size: Option<usize>,
    /// Special tokens beside `<pad>` and `<unk>`, such as [`BOS`] and [`EOS`]; no token of a text is one of them.
    pub special: Vec<String>,
}

impl Default for VocabularyOptions {
    /// Every token, without a limit.
    fn default() -> Self {
        Self { min_count: 1, max_size: None, special: Vec::new() }
    }
}

/// Tokens with their ids. Entry 0 is `<pad>`, entry 1 `<unk>`, then come other special tokens; those of texts follow by
/// count, the most frequent first, and by code point where counts are equal, so that the same data always give the same ids.
///
/// It is stored as the list of tokens and the number of special ones among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Vocabulary {
    tokens: Vec<String>,
    /// How many of the first tokens are special.
    special: usize,
    ids: HashMap<String, u32>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    special: usize,
    tokens: Vec<String>,
}

impl Vocabulary {
    /// The vocabulary of these training tokens. Tokens that read as a special one are not counted.
    pub fn build<T: AsRef<str>>(tokens: impl IntoIterator<Item = T>, options: &VocabularyOptions) -> Self {
        let special: Vec<String> =
            SPECIAL.map(str::to_owned).into_iter().chain(options.special.iter().cloned()).collect();
        let specials = special.len();
        let counted = by_count(tokens, options.min_count, |token| !special.iter().any(|special| special == token));
        let room = options.max_size.map_or(usize::MAX, |size| size.saturating_sub(specials));
        Self::of(special.into_iter().chain(counted.into_iter().take(room)).collect(), specials)
    }

    /// These entries and, behind them, the new ones among `tokens`, as far as `options` let them in; and how many those
    /// are. No entry changes its id.
    pub fn extended<T: AsRef<str>>(
        &self,
        tokens: impl IntoIterator<Item = T>,
        options: &VocabularyOptions,
    ) -> (Self, usize) {
        let new = by_count(tokens, options.min_count, |token| !self.ids.contains_key(token));
        let room = options.max_size.map_or(usize::MAX, |size| size.saturating_sub(self.len()));
        let count = new.len().min(room);
        let tokens = self.tokens.iter().cloned().chain(new.into_iter().take(room)).collect();
        (Self::of(tokens, self.special), count)
    }

    fn of(tokens: Vec<String>, special: usize) -> Self {
        let ids = tokens.iter().zip(0u32..).map(|(token, id)| (token.clone(), id)).collect();
        Self { tokens, special, ids }
    }

    /// The id of a special token such as [`BOS`], where the vocabulary was built with it.
    pub fn special(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied().filter(|&id| (id as usize) < self.special)
    }

    /// How many of the first entries are special.
    pub fn specials(&self) -> usize {
        self.special
    }

    /// How many entries there are, special ones included.
    #[expect(clippy::len_without_is_empty, reason = "a vocabulary always has <pad> and <unk>")]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The id of `token`, if it is an entry. Special tokens are no tokens of texts and have none.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied().filter(|&id| id as usize >= self.special)
    }

    /// The id of `token`, or [`UNK`].
    pub fn encode(&self, token: &str) -> u32 {
        self.id(token).unwrap_or(UNK)
    }

    /// The entry `id`.
    pub fn token(&self, id: u32) -> Option<&str> {
        self.tokens.get(id as usize).map(String::as_str)
    }

    /// All entries; the place of one is its id.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }
}

/// The wanted tokens that come so often, the most frequent first, by code point where counts are equal.
fn by_count<T: AsRef<str>>(
    tokens: impl IntoIterator<Item = T>,
    least: usize,
    wanted: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for token in tokens {
        let token = token.as_ref();
        match counts.get_mut(token) {
            Some(count) => *count += 1,
            None => drop(counts.insert(token.to_owned(), 1)),
        }
    }
    let mut counted: Vec<(String, usize)> =
        counts.into_iter().filter(|(token, count)| *count >= least && wanted(token)).collect();
    counted.sort_unstable_by(|(a, a_count), (b, b_count)| Reverse(a_count).cmp(&Reverse(b_count)).then(a.cmp(b)));
    counted.into_iter().map(|(token, _)| token).collect()
}

impl TryFrom<Stored> for Vocabulary {
    type Error = String;

    fn try_from(Stored { special, tokens }: Stored) -> Result<Self, String> {
        if tokens.len() < SPECIAL.len() || tokens[..SPECIAL.len()] != SPECIAL {
            let found: Vec<&String> = tokens.iter().take(SPECIAL.len()).collect();
            return Err(format!("the vocabulary starts with {found:?}, {SPECIAL:?} expected"));
        }
        if special < SPECIAL.len() || special > tokens.len() {
            return Err(format!("the vocabulary has {special} special tokens among {}", tokens.len()));
        }
        if u32::try_from(tokens.len()).is_err() {
            return Err(format!("the vocabulary has {} entries, too many for 32 bits", tokens.len()));
        }
        let vocabulary = Self::of(tokens, special);
        if vocabulary.ids.len() != vocabulary.tokens.len() {
            return Err("the vocabulary has one token twice".to_owned());
        }
        Ok(vocabulary)
    }
}

impl From<Vocabulary> for Stored {
    fn from(vocabulary: Vocabulary) -> Self {
        Stored { special: vocabulary.special, tokens: vocabulary.tokens }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn built(text: &str, min_count: usize, max_size: Option<usize>) -> Vec<String> {
        Vocabulary::build(text.split(' '), &VocabularyOptions { min_count, max_size, ..VocabularyOptions::default() })
            .tokens
    }

    #[test]
    fn entries_are_ordered_by_count_then_by_token_and_limited() {
        let text = "b a c b a b <unk> <pad> d";
        assert_eq!(built(text, 1, None), ["<pad>", "<unk>", "b", "a", "c", "d"]);
        assert_eq!(built(text, 2, None), ["<pad>", "<unk>", "b", "a"]);
        assert_eq!(built(text, 1, Some(5)), ["<pad>", "<unk>", "b", "a", "c"]);
        assert_eq!(built(text, 1, Some(0)), ["<pad>", "<unk>"]);
    }

    #[test]
    fn unknown_tokens_and_the_special_names_are_unknown() {
        let vocabulary = Vocabulary::build(["a", "b"], &VocabularyOptions::default());
        for (token, id) in [("a", 2), ("b", 3), ("z", UNK), ("<pad>", UNK), ("<unk>", UNK), ("", UNK)] {
            assert_eq!(vocabulary.encode(token), id, "{token}");
        }
        assert_eq!((vocabulary.token(PAD), vocabulary.token(3), vocabulary.token(4)), (Some("<pad>"), Some("b"), None));
    }

    #[test]
    fn new_entries_come_behind_those_that_are_there() {
        let vocabulary = Vocabulary::build(["b", "a", "b"], &VocabularyOptions::default());
        let options = VocabularyOptions { min_count: 2, max_size: Some(6), ..VocabularyOptions::default() };
        let (extended, new) =
            vocabulary.extended(["d", "c", "d", "c", "e", "e", "e", "f", "a", "<pad>", "<pad>"], &options);
        assert_eq!((extended.tokens(), new), (&["<pad>", "<unk>", "b", "a", "e", "c"].map(str::to_owned)[..], 2));
        assert_eq!(extended.encode("d"), UNK, "there was no room for it");
    }

    #[test]
    fn stored_vocabularies_are_checked() {
        for wrong in [r#"["a"]"#, "[]", r#"["<unk>","<pad>"]"#, r#"["<pad>","<unk>","a","a"]"#, "3"] {
            let stored = format!(r#"{{"special":2,"tokens":{wrong}}}"#);
            assert!(serde_json::from_str::<Vocabulary>(&stored).is_err(), "{stored}");
        }
        for special in [0, 1, 4] {
            let stored = format!(r#"{{"special":{special},"tokens":["<pad>","<unk>","a"]}}"#);
            assert!(serde_json::from_str::<Vocabulary>(&stored).is_err(), "{stored}");
        }
    }

    #[test]
    fn special_tokens_have_ids_of_their_own_that_no_text_reaches() {
        let special = vec![BOS.to_owned(), EOS.to_owned()];
        let options = VocabularyOptions { max_size: Some(5), special, ..VocabularyOptions::default() };
        let vocabulary = Vocabulary::build(["<eos>", "b", "a", "b"], &options);
        assert_eq!(vocabulary.tokens(), ["<pad>", "<unk>", "<bos>", "<eos>", "b"]);
        assert_eq!(
            (vocabulary.special(BOS), vocabulary.special(EOS), vocabulary.special("b")),
            (Some(2), Some(3), None)
        );
        assert_eq!((vocabulary.encode("<eos>"), vocabulary.encode("b")), (UNK, 4));
        let stored = serde_json::to_string(&vocabulary).expect("strings");
        assert_eq!(serde_json::from_str::<Vocabulary>(&stored).expect("what was stored"), vocabulary);
    }

    proptest! {
        #[test]
        fn every_token_comes_back_from_its_id_and_from_json(tokens in proptest::collection::vec("\\PC{0,4}", 0..60)) {
            let vocabulary = Vocabulary::build(&tokens, &VocabularyOptions::default());
            for token in tokens.iter().filter(|token| !SPECIAL.contains(&token.as_str())) {
                prop_assert_eq!(vocabulary.token(vocabulary.encode(token)), Some(token.as_str()));
            }
            let stored = serde_json::to_string(&vocabulary).expect("a list of strings");
            prop_assert_eq!(serde_json::from_str::<Vocabulary>(&stored).expect("what was stored"), vocabulary);
        }
    }
}
