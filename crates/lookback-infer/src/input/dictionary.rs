//! Words of a person's own that jieba cuts texts by, beside those of its dictionary.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
#[cfg(feature = "jieba")]
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::normalization::Reading;
use super::segmentation::is_han;
use crate::data::words::{Word, read_words};
use crate::error::DataError;

/// Words beside those of jieba's dictionary, as they are read. It is stored as a list of pairs: the word, and how often it
/// occurs among the 60 million words of jieba's counts, or null where jieba is to choose that so that the word is found.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Vec<(String, Option<u32>)>", into = "Vec<(String, Option<u32>)>")]
pub struct UserDictionary(Arc<Words>);

struct Words {
    all: Vec<Word>,
    /// Words that are not of Han characters alone, by their first character, the longest first: jieba is only given runs of
    /// Han characters.
    mixed: HashMap<char, Vec<String>>,
    /// Made when Han characters are first met.
    #[cfg(feature = "jieba")]
    jieba: OnceLock<jieba_rs::Jieba>,
}

impl UserDictionary {
    /// Reads words from a file in jieba's format, of which characters are read as `reading` says.
    fn read(file: &Path, reading: Reading) -> Result<UserDictionary, DataError> {
        let as_read = |word: Word| match reading.read(&word.text) {
            Some(read) => Word { text: read.text, ..word },
            None => word,
        };
        let words = read_words(file)?.into_iter().map(as_read).filter(|word| !word.text.trim().is_empty());
        Ok(UserDictionary::new(words.collect()))
    }

    fn new(all: Vec<Word>) -> UserDictionary {
        let mut mixed: HashMap<char, Vec<String>> = HashMap::new();
        for Word { text, .. } in all.iter().filter(|word| !word.text.chars().all(is_han)) {
            for first in text.chars().take(1) {
                mixed.entry(first.to_ascii_lowercase()).or_default().push(text.clone());
            }
        }
        mixed.values_mut().for_each(|words| words.sort_by_key(|word| std::cmp::Reverse(word.len())));
        UserDictionary(Arc::new(Words {
            all,
            mixed,
            #[cfg(feature = "jieba")]
            jieba: OnceLock::new(),
        }))
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.0.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.all.is_empty()
    }

    /// Where the first word that is not of Han characters alone stands in `text` from byte `start` on; the longest where
    /// several begin there. No such word begins or ends within a run of letters and digits of other scripts. `any_case`:
    /// whether letters of the other case will do.
    pub(super) fn next_mixed(&self, text: &str, start: usize, any_case: bool) -> Option<(usize, usize)> {
        if self.0.mixed.is_empty() {
            return None;
        }
        let is_letter = |c: char| c.is_alphanumeric() && !is_han(c);
        let within = |a: Option<char>, b: Option<char>| a.is_some_and(is_letter) && b.is_some_and(is_letter);
        let mut before = text[..start].chars().next_back();
        for (at, c) in text[start..].char_indices() {
            let at = start + at;
            let fits = |word: &&String| {
                let Some(found) = text.get(at..at + word.len()) else { return false };
                let same = if any_case { found.eq_ignore_ascii_case(word) } else { found == word.as_str() };
                same && !within(found.chars().next_back(), text[at + word.len()..].chars().next())
            };
            if !within(before, Some(c))
                && let Some(word) = self.0.mixed.get(&c.to_ascii_lowercase()).and_then(|words| words.iter().find(fits))
            {
                return Some((at, at + word.len()));
            }
            before = Some(c);
        }
        None
    }
}

/// Jieba with these words beside its own. Its dictionary takes about a third of a second to load, so it is loaded once and
/// only when Han characters are met.
#[cfg(feature = "jieba")]
pub(super) fn jieba_with(words: Option<&UserDictionary>) -> &jieba_rs::Jieba {
    static JIEBA: OnceLock<jieba_rs::Jieba> = OnceLock::new();
    let plain = || JIEBA.get_or_init(jieba_rs::Jieba::new);
    let Some(UserDictionary(words)) = words else { return plain() };
    words.jieba.get_or_init(|| {
        let mut jieba = plain().clone();
        for Word { text, count } in &words.all {
            jieba.add_word(text, count.map(|count| count as usize), None);
        }
        jieba
    })
}

impl PartialEq for UserDictionary {
    fn eq(&self, other: &Self) -> bool {
        self.0.all == other.0.all
    }
}

impl Eq for UserDictionary {}

impl fmt::Debug for UserDictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0.all).finish()
    }
}

impl TryFrom<Vec<(String, Option<u32>)>> for UserDictionary {
    type Error = String;

    fn try_from(words: Vec<(String, Option<u32>)>) -> Result<Self, String> {
        match words.iter().find(|(word, count)| word.trim().is_empty() || *count == Some(0)) {
            Some((word, count)) => Err(format!("the added word {word:?} has the count {count:?}")),
            None => Ok(UserDictionary::new(words.into_iter().map(|(text, count)| Word { text, count }).collect())),
        }
    }
}

impl From<UserDictionary> for Vec<(String, Option<u32>)> {
    fn from(words: UserDictionary) -> Self {
        words.0.all.iter().map(|word| (word.text.clone(), word.count)).collect()
    }
}

/// The file of a dictionary, with its words. A plan keeps where it stood alone: the words stand with the tokenizer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "PathBuf", into = "PathBuf")]
pub struct DictionaryFile {
    /// Where it stands.
    pub path: PathBuf,
    /// What it holds; nothing in a plan that comes from a model file.
    pub(super) words: UserDictionary,
}

impl DictionaryFile {
    /// Reads the words of a file in jieba's format, one a line: the word, how often it occurs and a tag, the last two if
    /// wanted.
    ///
    /// # Errors
    /// If it cannot be read, or a line is no such word.
    pub(super) fn read(path: &Path, reading: Reading) -> Result<DictionaryFile, DataError> {
        Ok(DictionaryFile { path: path.into(), words: UserDictionary::read(path, reading)? })
    }
}

impl PartialEq for DictionaryFile {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl From<PathBuf> for DictionaryFile {
    fn from(path: PathBuf) -> Self {
        DictionaryFile { path, words: UserDictionary::new(Vec::new()) }
    }
}

impl From<DictionaryFile> for PathBuf {
    fn from(file: DictionaryFile) -> Self {
        file.path
    }
}

#[cfg(all(test, feature = "jieba"))]
mod tests {
    use super::*;
    use crate::input::tokenizer::{Segmentation, Tokenizer};

    fn words(words: &[(&str, Option<u32>)]) -> UserDictionary {
        UserDictionary::new(words.iter().map(|&(text, count)| Word { text: text.into(), count }).collect())
    }

    fn cut(words: &UserDictionary, text: &str) -> String {
        let tokenizer = Tokenizer::new(Segmentation::Jieba).with_words(Some(words.clone()));
        let tokens = tokenizer.tokenize(text);
        tokens.iter().map(|token| &*token.text).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn added_words_are_found_and_rare_ones_only_where_they_win() {
        let text = "他来到了网易杭研大厦";
        assert_eq!(cut(&words(&[]), text), "他|来到|了|网易|杭研|大厦");
        assert_eq!(cut(&words(&[("杭研大厦", None)]), text), "他|来到|了|网易|杭研大厦");
        assert_eq!(cut(&words(&[("网易杭研大厦", Some(50))]), text), "他|来到|了|网易杭研大厦");
    }

    #[test]
    fn words_of_several_scripts_are_found_whole() {
        let words = words(&[("5G网络", None), ("T恤", Some(3)), ("c++", None), ("AI", None), ("AI芯片", None)]);
        assert_eq!(cut(&words, "买T恤，用5g网络学C++"), "买|t恤|,|用|5g网络|学|c++");
        assert_eq!(cut(&words, "AI芯片和AI，不是MAIL"), "ai芯片|和|ai|,|不是|mail");
        assert_eq!(cut(&words, "我们喜欢北京"), "我们|喜欢|北京");
        assert_eq!(words.next_mixed("xT恤", 0, true), None, "within a run of letters");
        assert_eq!(words.next_mixed("t恤", 0, false), None, "of the other case");
    }

    #[test]
    fn a_dictionary_comes_back_from_json_and_a_wrong_one_is_refused() {
        let words = words(&[("云计算", Some(5)), ("5G网络", None)]);
        let stored = serde_json::to_string(&words).expect("pairs");
        assert_eq!(stored, r#"[["云计算",5],["5G网络",null]]"#);
        assert_eq!(serde_json::from_str::<UserDictionary>(&stored).expect("what was stored"), words);
        for wrong in [r#"[["",5]]"#, r#"[["x",0]]"#, r#"[["x"]]"#, "3"] {
            assert!(serde_json::from_str::<UserDictionary>(wrong).is_err(), "{wrong}");
        }
    }
}
