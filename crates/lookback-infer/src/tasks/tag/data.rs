//! Sentences with a tag per token.

use std::path::{Path, PathBuf};

use crate::data::conll::{Sentence, read_conll};
use crate::data::labels::LabelSet;
use crate::error::DataError;
use crate::input::{Example, Labelled, Raw};
use crate::network::budget::Budget;

/// All sentences of a file in columns, see [`conll`](crate::data::conll), with their tags.
///
/// # Errors
/// As [`read_conll`].
pub fn read(file: &Path) -> Result<Vec<Labelled<Vec<String>>>, DataError> {
    let labelled = |sentence: Sentence| {
        let Sentence { tokens, tags, line } = sentence;
        Labelled { raw: Raw::Tokens(tokens), label: tags, line }
    };
    Ok(read_conll(file)?.into_iter().map(labelled).collect())
}

/// Examples with their tags.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// The inputs.
    pub examples: Vec<Example>,
    /// The tag of each token that is not cut off, as the tag set numbers them.
    pub targets: Vec<Vec<usize>>,
    /// The length of each.
    pub lengths: Vec<usize>,
    /// The file they came from, for messages.
    pub file: PathBuf,
}

impl Dataset {
    /// Of examples from `file` and their tags.
    ///
    /// # Errors
    /// If a tag is not among those trained.
    pub fn new(examples: Vec<(Example, Vec<String>)>, tags: &LabelSet, file: &Path) -> Result<Dataset, DataError> {
        let mut dataset = Dataset { file: file.into(), ..Dataset::default() };
        for (example, own) in examples {
            // A token stands on a line of its own.
            let encode = |(line, tag): (usize, &String)| tags.encode(tag, file, line);
            let targets = (example.line..).zip(&own).take(example.len()).map(encode);
            dataset.targets.push(targets.collect::<Result<_, _>>()?);
            dataset.lengths.push(example.len());
            dataset.examples.push(example);
        }
        Ok(dataset)
    }

    /// Tokens of these examples.
    pub fn tokens(&self, examples: &[usize]) -> usize {
        examples.iter().map(|&row| self.lengths[row]).sum()
    }

    /// Refuses the data if a row of them is over the limit alone, by the row's line.
    ///
    /// # Errors
    /// [`DataError::Memory`]
    pub fn check_memory(&self, budget: &Budget) -> Result<(), DataError> {
        self.examples.iter().try_for_each(|example| budget.check_row(example, &self.file))
    }
}
