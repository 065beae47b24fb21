//! Labelled examples.

use std::path::{Path, PathBuf};

use super::{LabelsPerText, Targets};
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
    /// The labels of each, as the label set numbers them; behind those, as [`Dataset::unseen`] does.
    pub targets: Targets,
    /// Labels that were never trained, in the order of the label set's own.
    pub unseen: Vec<String>,
    /// The length of each.
    pub lengths: Vec<usize>,
    /// The file they came from, for messages.
    pub file: PathBuf,
}

impl Dataset {
    /// Of examples from `file` and their labels, one each or several.
    ///
    /// # Errors
    /// If a label is not among those trained, or an example that should have one has none.
    pub fn new(
        examples: Vec<(Example, Vec<String>)>,
        labels: &LabelSet,
        per_text: LabelsPerText,
        file: &Path,
    ) -> Result<Dataset, DataError> {
        let mut dataset = Dataset { file: file.into(), targets: Targets::new(per_text), ..Dataset::default() };
        for (example, of_example) in examples {
            dataset.targets.push(encoded(&of_example, labels, per_text, file, example.line)?);
            dataset.lengths.push(example.len());
            dataset.examples.push(example);
        }
        Ok(dataset)
    }

    /// As [`Dataset::new`], but labels that were never trained are told and counted as wrong.
    pub fn to_be_judged(
        examples: Vec<(Example, Vec<String>)>,
        labels: &LabelSet,
        per_text: LabelsPerText,
        file: &Path,
    ) -> Result<Dataset, DataError> {
        let names = examples.iter().flat_map(|(_, labels)| labels).map(String::as_str);
        let mut unseen: Vec<(String, usize)> = Vec::new();
        for name in names.filter(|name| labels.id(name).is_none()) {
            match unseen.iter_mut().find(|(known, _)| known == name) {
                Some((_, count)) => *count += 1,
                None => unseen.push((name.to_owned(), 1)),
            }
        }
        if unseen.is_empty() {
            return Dataset::new(examples, labels, per_text, file);
        }
        let has_unseen = |(_, of): &&(Example, Vec<String>)| of.iter().any(|label| labels.id(label).is_none());
        let rows = counted(examples.iter().filter(has_unseen).count(), "row");
        let mut told: Vec<String> =
            unseen.iter().take(TOLD).map(|(name, count)| format!("{name:?} ({count})")).collect();
        if unseen.len() > TOLD {
            told.push(format!("and {} more", unseen.len() - TOLD));
        }
        let (name, told) = (file.display(), told.join(", "));
        tracing::warn!("{name}: {rows} with labels that were never trained count as wrong: {told}");
        let (all, _) = labels.extended(unseen.iter().map(|(name, _)| name.as_str()));
        let unseen = all.names()[labels.len()..].to_vec();
        Ok(Dataset { unseen, ..Dataset::new(examples, &all, per_text, file)? })
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

/// The labels of the text that stands at `line` of `file`, as the label set numbers them.
///
/// # Errors
/// If one of them was never trained, or there is none where a text has one.
pub fn encoded(
    of_text: &[String],
    labels: &LabelSet,
    per_text: LabelsPerText,
    file: &Path,
    line: usize,
) -> Result<Vec<usize>, DataError> {
    if of_text.is_empty() && per_text == LabelsPerText::One {
        return Err(DataError::EmptyLabel { file: file.into(), line, hint: "" });
    }
    of_text.iter().map(|label| labels.encode(label, file, line)).collect()
}
