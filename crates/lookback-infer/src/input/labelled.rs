//! Inputs with their labels, as they stand in a file and as examples.

use std::path::Path;

use super::Input;
use super::columns::Columns;
use super::example::{Example, Raw};
use super::plan::{FileColumns, InputPlan};
use crate::data::Labels;
use crate::data::history::{Histories, History, read_histories};
use crate::data::series::{Series, SeriesExample, read_series};
use crate::data::table::{EmptyText, Table, TextExample, read_table};
use crate::error::{DataError, Error};

/// An input as it stands in a file, with its label, or whatever else is to be learnt of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled<L = String> {
    /// The input.
    pub raw: Raw,
    /// The label.
    pub label: L,
    /// The line, counted from 1.
    pub line: usize,
}

/// An input with its labels, as many as the plan reads.
pub type LabelledInput = Labelled<Vec<String>>;

impl InputPlan {
    /// All inputs of a file with their labels, one each unless the plan has a separator for several, and the columns they
    /// stood in. An empty text is refused where `training`, else kept.
    ///
    /// # Errors
    /// If the file cannot be read as the plan says, or a label is missing.
    pub fn read_labelled(
        &self,
        file: &Path,
        training: bool,
    ) -> Result<(Vec<LabelledInput>, Option<FileColumns>), DataError> {
        let empty = if training { EmptyText::Refuse } else { EmptyText::Keep };
        match self {
            InputPlan::Text(plan) => {
                let Table { examples, columns } = read_table(file, &plan.table(Labels::Required, empty))?;
                let labelled =
                    |text: TextExample| Labelled { raw: Raw::Text(text.text), label: text.labels, line: text.line };
                Ok((examples.into_iter().map(labelled).collect(), Some(FileColumns::Table(columns))))
            }
            InputPlan::Series(plan) => {
                let labelled = |mut series: SeriesExample| {
                    let (label, line) = (series.label.take().unwrap_or_default(), series.line);
                    Labelled { raw: Raw::Series(series), label: vec![label], line }
                };
                let Series { examples, columns } = read_series(file, &plan.series(Labels::Required))?;
                Ok((examples.into_iter().map(labelled).collect(), Some(FileColumns::Series(columns))))
            }
            InputPlan::History(plan) => {
                let Histories { all, columns } = read_histories(file, &plan.options(training))?;
                let labelled = |history: History| {
                    let line = history.line;
                    Labelled { raw: Raw::History(Box::new(history)), label: Vec::new(), line }
                };
                Ok((all.into_iter().map(labelled).collect(), Some(FileColumns::History(columns))))
            }
        }
    }
}

impl Input {
    /// All examples of a file with their labels, in the order of the file. `columns`: where it differs from the training
    /// data.
    ///
    /// # Errors
    /// If the file cannot be read so, or an input is not as [`Input::encode`] wants it.
    pub fn read_labelled(&self, file: &Path, columns: &Columns) -> Result<Vec<(Example, Vec<String>)>, Error> {
        let plan = self.plan.over(columns, file)?;
        Ok(self.encode_labelled(plan.read_labelled(file, false)?.0, file)?)
    }

    /// Encodes inputs that are read already, and tells how many were cut.
    ///
    /// # Errors
    /// As [`Input::encode`].
    pub fn encode_labelled<L>(&self, inputs: Vec<Labelled<L>>, file: &Path) -> Result<Vec<(Example, L)>, DataError> {
        let encode = |input: Labelled<L>| Ok((self.encode(input.raw, file, input.line)?, input.label));
        let examples: Vec<_> = inputs.into_iter().map(encode).collect::<Result<_, DataError>>()?;
        let cut = examples.iter().filter(|(example, _)| example.cut > 0).count();
        if let Some((example, _)) = examples.iter().find(|(example, _)| example.cut > 0) {
            let (longest, (many, units)) = (example.len(), example.units());
            tracing::warn!("{}: {cut} of {} {many} are cut to {longest} {units}", file.display(), examples.len());
        }
        Ok(examples)
    }
}
