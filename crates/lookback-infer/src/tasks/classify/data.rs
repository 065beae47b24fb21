//! Labelled examples.

use std::path::{Path, PathBuf};

use super::NgramBag;
use crate::data::labels::LabelSet;
use crate::error::DataError;
use crate::input::Example;
use crate::network::budget::{Budget, NUMBER};

/// A text's bag of n-grams: buckets, each once, and their values.
pub type Bag = Vec<(u32, f32)>;

/// Examples with their labels.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// The inputs.
    pub examples: Vec<Example>,
    /// The label of each, as the label set numbers them.
    pub targets: Vec<usize>,
    /// The length of each.
    pub lengths: Vec<usize>,
    /// The bag of n-grams of each, where the model has a linear part.
    pub bags: Option<Vec<Bag>>,
    /// The file they came from, for messages.
    pub file: PathBuf,
}

impl Dataset {
    /// Of examples from `file` and their labels.
    ///
    /// # Errors
    /// If a label is not among those trained.
    pub fn new(
        examples: Vec<(Example, String)>,
        labels: &LabelSet,
        bag: Option<&NgramBag>,
        file: &Path,
    ) -> Result<Dataset, DataError> {
        let mut dataset = Dataset { file: file.into(), bags: bag.map(|_| Vec::new()), ..Dataset::default() };
        for (example, label) in examples {
            dataset.targets.push(labels.encode(&label, file, example.line)?);
            dataset.lengths.push(example.len());
            if let (Some(bags), Some(bag)) = (&mut dataset.bags, bag) {
                bags.push(bag.of(&example));
            }
            dataset.examples.push(example);
        }
        Ok(dataset)
    }

    /// How many examples.
    pub fn len(&self) -> usize {
        self.examples.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }

    /// The bytes that the bag of an example takes beside its steps. `labels`: how many there are.
    pub fn bag_bytes(&self, labels: usize) -> impl Fn(usize) -> u64 + '_ {
        move |row| bag_bytes(self.bags.as_ref().map_or(0, |bags| bags[row].len()), labels)
    }

    /// Refuses the data if a row of them is over the limit alone, by the row's line.
    ///
    /// # Errors
    /// [`DataError::Memory`]
    pub fn check_memory(&self, budget: &Budget, labels: usize) -> Result<(), DataError> {
        let own = self.bag_bytes(labels);
        let mut rows = self.examples.iter().enumerate();
        rows.try_for_each(|(row, example)| budget.check_row(example, own(row), &self.file))
    }
}

/// The looked-up weights of so many n-grams, their products with the values, and the gradients of both.
pub(super) fn bag_bytes(ngrams: usize, labels: usize) -> u64 {
    NUMBER * 4 * labels as u64 * ngrams as u64
}
