//! The tokens a model knows, and their ids.

use std::cmp::Reverse;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// The id that fills rows up to the longest of a batch.
pub const PAD: u32 = 0;
/// The id of every token that is not in the vocabulary.
pub const UNK: u32 = 1;

const SPECIAL: [&str; 2] = ["<pad>", "<unk>"];

/// Which tokens enter a vocabulary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VocabularyOptions {
    /// Tokens that are rarer in the training data are left out.
    pub min_count: usize,
    /// The most entries there may be, `<pad>` and `<unk>` included; the rarest are left out.
    pub max_size: Option<usize>,
}

impl Default for VocabularyOptions {
    /// Every token, without a limit.
    fn default() -> Self {
        Self { min_count: 1, max_size: None }
    }
}

/// Tokens with their ids. Entry 0 is `<pad>`, entry 1 `<unk>`; the others follow by count, the most frequent first,
/// and by code point where counts are equal, so that the same data always give the same ids.
///
/// It is stored as the list of tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Vocabulary {
    tokens: Vec<String>,
    ids: HashMap<String, u32>,
}

impl Vocabulary {
    /// The vocabulary of these training tokens. Tokens that read `<pad>` or `<unk>` are not counted.
    pub fn build<T: AsRef<str>>(tokens: impl IntoIterator<Item = T>, options: &VocabularyOptions) -> Self {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for token in tokens {
            let token = token.as_ref();
            match counts.get_mut(token) {
                Some(count) => *count += 1,
                None => drop(counts.insert(token.to_owned(), 1)),
            }
        }
        let wanted = |(token, count): &(String, usize)| *count >= options.min_count && !SPECIAL.contains(&&**token);
        let mut counted: Vec<(String, usize)> = counts.into_iter().filter(wanted).collect();
        counted.sort_unstable_by(|(a, a_count), (b, b_count)| Reverse(a_count).cmp(&Reverse(b_count)).then(a.cmp(b)));
        counted.truncate(options.max_size.map_or(usize::MAX, |size| size.saturating_sub(SPECIAL.len())));
        Self::of(SPECIAL.map(str::to_owned).into_iter().chain(counted.into_iter().map(|(token, _)| token)).collect())
    }

    fn of(tokens: Vec<String>) -> Self {
        let ids = tokens.iter().zip(0u32..).map(|(token, id)| (token.clone(), id)).collect();
        Self { tokens, ids }
    }

    /// How many entries there are, `<pad>` and `<unk>` included.
    #[expect(clippy::len_without_is_empty, reason = "a vocabulary always has <pad> and <unk>")]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The id of `token`, if it is an entry. `<pad>` and `<unk>` are no tokens of texts and have none.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied().filter(|&id| id > UNK)
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

impl TryFrom<Vec<String>> for Vocabulary {
    type Error = String;

    fn try_from(tokens: Vec<String>) -> Result<Self, String> {
        if tokens.len() < SPECIAL.len() || tokens[..SPECIAL.len()] != SPECIAL {
            let found: Vec<&String> = tokens.iter().take(SPECIAL.len()).collect();
            return Err(format!("the vocabulary starts with {found:?}, {SPECIAL:?} expected"));
        }
        if u32::try_from(tokens.len()).is_err() {
            return Err(format!("the vocabulary has {} entries, too many for 32 bits", tokens.len()));
        }
        let vocabulary = Self::of(tokens);
        if vocabulary.ids.len() != vocabulary.tokens.len() {
            return Err("the vocabulary has one token twice".to_owned());
        }
        Ok(vocabulary)
    }
}

impl From<Vocabulary> for Vec<String> {
    fn from(vocabulary: Vocabulary) -> Self {
        vocabulary.tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn built(text: &str, min_count: usize, max_size: Option<usize>) -> Vec<String> {
        Vocabulary::build(text.split(' '), &VocabularyOptions { min_count, max_size }).tokens
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
    fn stored_vocabularies_are_checked() {
        for wrong in [r#"["a"]"#, "[]", r#"["<unk>","<pad>"]"#, r#"["<pad>","<unk>","a","a"]"#, "3"] {
            assert!(serde_json::from_str::<Vocabulary>(wrong).is_err(), "{wrong}");
        }
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
