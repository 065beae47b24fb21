//! Where data differ from those a model was trained on.

use crate::data::series::SeriesLayout;
use crate::data::{Column, Format, HeaderChoice, Layout};
use crate::error::PlanError;

/// What a person says of a file; all else is as in training.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// The format.
    pub format: Option<Format>,
    /// Whether the first row holds names.
    pub header: Option<HeaderChoice>,
    /// The column or key of the text.
    pub text: Option<Column>,
    /// The column or key of the label.
    pub label: Option<Column>,
    /// The column that tells the series apart.
    pub id: Option<Column>,
    /// The column that orders the steps of a series.
    pub time: Option<Column>,
    /// How the file is laid out.
    pub layout: Layout,
    /// How series stand in it.
    pub series: SeriesLayout,
    /// What stands between the labels of a text in a table.
    pub label_separator: Option<char>,
}

impl Columns {
    /// Refuses whatever is said, for a file that is always read in the same way.
    pub(crate) fn refuse_all(&self, problem: &str) -> Result<(), PlanError> {
        let options = [
            ("format", self.format.is_some()),
            ("header", self.header.is_some()),
            ("text", self.text.is_some()),
            ("label", self.label.is_some()),
            ("id", self.id.is_some()),
            ("time", self.time.is_some()),
            ("encoding", self.layout.encoding.is_some()),
            ("on-bad-row", self.layout.on_bad_row.is_some()),
            ("label-separator", self.label_separator.is_some()),
        ];
        self.refuse(&options, problem)?;
        self.refuse(&self.layout.of_columns(), problem)?;
        self.refuse(&self.series.said(), problem)
    }

    /// What says how the steps of series stand in columns.
    pub(super) fn of_steps(&self) -> [(&'static str, bool); 4] {
        [
            ("id", self.id.is_some()),
            ("time", self.time.is_some()),
            ("label", self.label.is_some()),
            ("header", self.header.is_some()),
        ]
    }

    /// What says how rows stand in a file of text.
    pub(super) fn of_text_files(&self) -> Vec<(&'static str, bool)> {
        let layout = self.layout.of_text_files();
        [("header", self.header.is_some())].into_iter().chain(layout).collect()
    }

    /// Refuses the first option of `options` that is set.
    pub(super) fn refuse(&self, options: &[(&'static str, bool)], problem: &str) -> Result<(), PlanError> {
        match options.iter().find(|(_, set)| *set) {
            Some((option, _)) => Err(PlanError::conflict(option, problem)),
            None => Ok(()),
        }
    }
}
