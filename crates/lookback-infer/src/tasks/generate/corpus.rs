//! Documents in tokens.

use std::path::Path;

use super::text::GeneratedText;
use crate::data::documents::Document;
use crate::error::DataError;
use crate::input::vocabulary::UNK;

/// The documents of a file in tokens, and how much text they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Corpus {
    /// Every document, in the order of the file.
    pub documents: Vec<Tokens>,
    /// Characters of all, an end that is learnt among them.
    pub characters: usize,
    /// Bytes of UTF-8 likewise.
    pub bytes: usize,
    /// Words of all: what stands between blanks, line ends, and ends that are learnt.
    pub words: usize,
    /// Tokens that the vocabulary does not have.
    pub unknown: usize,
}

/// A document in tokens, what it begins with as the first, its end as the last where texts end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens(pub Vec<u32>);

impl Tokens {
    /// How many of them are wanted: all but the first.
    #[expect(clippy::len_without_is_empty, reason = "a document has a token")]
    pub fn len(&self) -> usize {
        self.0.len() - 1
    }
}

impl Corpus {
    /// Of documents that stand in `file`.
    ///
    /// # Errors
    /// If one has a label that the text was not learnt with, or no token.
    pub fn new(documents: &[Document], text: &GeneratedText, file: &Path) -> Result<Corpus, DataError> {
        let mut corpus = Corpus::default();
        let ends = usize::from(text.ends);
        for document in documents {
            let wrong = |problem: String| DataError::Line { file: file.into(), line: document.line, problem };
            let label = document.label.as_deref().filter(|_| !text.labels.is_empty());
            let start = text.start(label).map_err(|problem| wrong(format!("the label {problem}")))?;
            let mut tokens = vec![start];
            tokens.extend(text.written.each(&document.text).map(|token| text.written.vocabulary.encode(&token)));
            if tokens.len() == 1 {
                return Err(wrong("the document has no token".into()));
            }
            corpus.unknown += tokens.iter().filter(|&&id| id == UNK).count();
            tokens.extend(text.end());
            corpus.characters += document.text.chars().count() + ends;
            corpus.bytes += document.text.len() + ends;
            let line_ends = document.text.matches('\n').count();
            corpus.words += document.text.split_whitespace().count() + line_ends + ends;
            corpus.documents.push(Tokens(tokens));
        }
        if corpus.unknown > 0 {
            tracing::warn!(
                "{}: {} of {} tokens are not in the vocabulary; each costs as one token however long it is, so that bits per character \
                 and byte are too good",
                file.display(),
                corpus.unknown,
                corpus.tokens()
            );
        }
        Ok(corpus)
    }

    /// Tokens that are wanted in all.
    pub fn tokens(&self) -> usize {
        self.documents.iter().map(Tokens::len).sum()
    }
}
