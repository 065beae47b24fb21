//! Traditional and simplified Chinese characters, one for one.

use std::collections::HashMap;

use super::normalization::Chinese;

/// The other form of characters that have two.
#[derive(Debug)]
pub(super) struct Table(HashMap<char, char>);

impl Table {
    /// The table by which characters are read, where they are not read as they stand.
    #[cfg(feature = "chinese")]
    pub(super) fn of(chinese: Chinese) -> Option<&'static Table> {
        use std::sync::LazyLock;

        use hanconv::RawDictionary::{STCharacters, TSCharacters};

        static SIMPLIFIED: LazyLock<Table> = LazyLock::new(|| Table::new(TSCharacters.iter()));
        static TRADITIONAL: LazyLock<Table> = LazyLock::new(|| Table::new(STCharacters.iter()));
        match chinese {
            Chinese::Simplified => Some(&SIMPLIFIED),
            Chinese::Traditional => Some(&TRADITIONAL),
            Chinese::AsIs => None,
        }
    }

    /// Without the tables no model that needs them is read, see [`super::tokenizer::Tokenizer::check`].
    #[cfg(not(feature = "chinese"))]
    pub(super) fn of(_: Chinese) -> Option<&'static Table> {
        None
    }

    /// Of OpenCC's pairs of a character and its commonest other form. What is no single character is left out, and so is
    /// what is its own form.
    #[cfg(feature = "chinese")]
    fn new<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Table {
        let alone = |text: &str| {
            let mut characters = text.chars();
            characters.next().filter(|_| characters.next().is_none())
        };
        let pairs = pairs.filter_map(|(from, to)| Some((alone(from)?, alone(to)?)));
        Table(pairs.filter(|(from, to)| from != to).collect())
    }

    /// The other form of a character; `None` where it is read as it stands.
    pub(super) fn get(&self, c: char) -> Option<char> {
        self.0.get(&c).copied()
    }
}
