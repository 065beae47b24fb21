//! Where data differ from those a model was trained on.

use std::path::{Path, PathBuf};

use crate::data::documents::DocumentOptions;
use crate::data::pairs::PairOptions;
use crate::data::series::SeriesLayout;
use crate::data::tagged::{TaggedColumns, TaggedLayout, Wanted};
use crate::data::{Column, Format, HeaderChoice, Layout};
use crate::error::PlanError;
use crate::error::plan::refuse;

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
    /// Whether a text is its tokens with white space between, which are not cut again.
    pub pretokenized: bool,
    /// How tagged sentences stand in it.
    pub tagged: TaggedLayout,
    /// What stands between the labels of a text in a table.
    pub label_separator: Option<char>,
    /// The column or key of the target, where a source has some.
    pub target: Option<Column>,
    /// The file of the targets, where they stand in one of their own.
    pub target_file: Option<PathBuf>,
}

impl Columns {
    /// How a file of sentences is read, where `trained` is how the training data were: what is said of this file goes first.
    ///
    /// # Errors
    /// If something is said that is of other files, or does not go together.
    pub fn of_sentences(&self, trained: &TaggedColumns, wanted: Wanted) -> Result<TaggedColumns, PlanError> {
        let others = [
            ("header", self.header.is_some()),
            ("text", self.text.is_some()),
            ("label", self.label.is_some()),
            ("id", self.id.is_some()),
            ("time", self.time.is_some()),
            ("label-separator", self.label_separator.is_some()),
        ];
        let problem =
            "is not for sentences of tokens; --token-column and --tag-column say where those and their tags stand";
        self.refuse(&others, problem)?;
        self.refuse(&self.layout.of_columns(), problem)?;
        self.refuse(&self.series.said(), problem)?;
        // What was said of the training data says nothing of another format.
        let is_same = self.format.is_none_or(|format| Some(format) == trained.format);
        let mut of_training = if is_same { trained.layout.clone() } else { TaggedLayout::default() };
        if self.tagged.tag_separator.is_some() {
            of_training = TaggedLayout::default();
        } else if self.tagged != TaggedLayout::default() {
            of_training.tag_separator = None;
        }
        let columns = TaggedColumns {
            format: self.format.or(trained.format),
            layout: self.tagged.or(&of_training),
            encoding: self.layout.encoding.or(trained.encoding),
            on_bad_row: self.layout.on_bad_row.or(trained.on_bad_row),
        };
        columns.check(wanted)?;
        Ok(columns)
    }

    /// How a file of pairs is read, where `trained` is how the training data were: what is said of this file goes first.
    ///
    /// # Errors
    /// If something is said that is of other files, or does not go together.
    pub fn of_pairs(&self, file: &Path, trained: &PairOptions) -> Result<PairOptions, PlanError> {
        let others = [
            ("id", self.id.is_some()),
            ("time", self.time.is_some()),
            ("label", self.label.is_some()),
            ("label-separator", self.label_separator.is_some()),
        ];
        let problem = "is not for pairs; --source and --target say where those stand";
        self.refuse(&others, problem)?;
        self.refuse(&self.series.said(), problem)?;
        self.refuse(&self.tagged.said(), problem)?;
        // What was said of the training data says nothing of files side by side.
        let trained = if self.target_file.is_some() { PairOptions::default() } else { trained.clone() };
        let own = PairOptions {
            format: self.format,
            header: self.header,
            source: self.text.clone(),
            target: self.target.clone(),
            layout: self.layout.clone(),
        };
        let options = own.or(&trained);
        options.check(file, self.target_file.as_deref())?;
        Ok(options)
    }

    /// How a file of documents is read, where `trained` is how the training data were: what is said of this file goes first.
    ///
    /// # Errors
    /// If something is said that is of other files, or does not go together.
    pub fn of_documents(&self, trained: &DocumentOptions) -> Result<DocumentOptions, PlanError> {
        let others = [
            ("id", self.id.is_some()),
            ("time", self.time.is_some()),
            ("target", self.target.is_some()),
            ("target-file", self.target_file.is_some()),
            ("label-separator", self.label_separator.is_some()),
        ];
        let problem = "is not for documents; --text says where those stand";
        self.refuse(&others, problem)?;
        self.refuse(&self.series.said(), problem)?;
        self.refuse(&self.tagged.said(), problem)?;
        let own = DocumentOptions {
            format: self.format,
            documents: None,
            text: self.text.clone(),
            label: self.label.clone(),
            header: self.header,
            layout: self.layout.clone(),
        };
        let mut options = own.or(trained);
        // What was said of plain text says nothing of a table.
        let is_about_columns = self.text.is_some() || self.label.is_some() || self.header.is_some();
        if is_about_columns || self.format.is_some_and(|format| format != Format::Lines) {
            options.documents = None;
        }
        options.check()?;
        Ok(options)
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
        refuse(options.iter().copied(), problem)
    }
}
