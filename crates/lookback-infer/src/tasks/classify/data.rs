//! Labelled examples.

use std::path::{Path, PathBuf};

use crate::data::labels::LabelSet;
use crate::error::{DataError, counted};
use crate::input::Example;
use crate::network::budget::Budget;

/// Labels that were never trained which are told by name.
const TOLD: usize = 20;

/// Examples with their labels.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// The inputs.
    pub examples: Vec<Example>,
    /// The label of each, as the label set numbers them; behind those, as [`Dataset::unseen`] does.
    pub targets: Vec<usize>,
    /// Labels that were never trained, in the order of the label set's own.
    pub unseen: Vec<String>,
    /// The length of each.
    pub lengths: Vec<usize>,
    /// The file they came from, for messages.
    pub file: PathBuf,
}

impl Dataset {
    /// Of examples from `file` and their labels.
    ///
    /// # Errors
    /// If a label is not among those trained.
    pub fn new(examples: Vec<(Example, String)>, labels: &LabelSet, file: &Path) -> Result<Dataset, DataError> {
        let mut dataset = Dataset { file: file.into(), ..Dataset::default() };
        for (example, label) in examples {
            dataset.targets.push(labels.encode(&label, file, example.line)?);
            dataset.lengths.push(example.len());
            dataset.examples.push(example);
        }
        Ok(dataset)
    }

    /// As [`Dataset::new`], but labels that were never trained are told and counted as wrong.
    pub fn to_be_judged(
        examples: Vec<(Example, String)>,
        labels: &LabelSet,
        file: &Path,
    ) -> Result<Dataset, DataError> {
        let names = examples.iter().map(|(_, label)| label.as_str());
        let mut unseen: Vec<(String, usize)> = Vec::new();
        for name in names.filter(|name| labels.id(name).is_none()) {
            match unseen.iter_mut().find(|(known, _)| known == name) {
                Some((_, count)) => *count += 1,
                None => unseen.push((name.to_owned(), 1)),
            }
        }
        if unseen.is_empty() {
            return Dataset::new(examples, labels, file);
        }
        let rows = counted(unseen.iter().map(|(_, count)| count).sum(), "row");
        let mut told: Vec<String> =
            unseen.iter().take(TOLD).map(|(name, count)| format!("{name:?} ({count})")).collect();
        if unseen.len() > TOLD {
            told.push(format!("and {} more", unseen.len() - TOLD));
        }
        let (name, told) = (file.display(), told.join(", "));
        tracing::warn!("{name}: {rows} with labels that were never trained count as wrong: {told}");
        let (all, _) = labels.extended(unseen.iter().map(|(name, _)| name.as_str()));
        let unseen = all.names()[labels.len()..].to_vec();
        Ok(Dataset { unseen, ..Dataset::new(examples, &all, file)? })
    }

    /// How many examples.
    pub fn len(&self) -> usize {
        self.examples.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.examples.is_empty()
    }

    /// Refuses the data if a row of them is over the limit alone, by the row's line.
    ///
    /// # Errors
    /// [`DataError::Memory`]
    pub fn check_memory(&self, budget: &Budget) -> Result<(), DataError> {
        self.examples.iter().try_for_each(|example| budget.check_row(example, &self.file))
    }
}
