//! How inputs are read and cut up: checked options, kept in the model file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::columns::Columns;
use super::dictionary::DictionaryFile;
use super::encoder::{BigramConfig, NgramConfig, ShapeConfig};
use super::history::HistoryPlan;
use super::normalization::{Chinese, Normalization, Reading};
use super::subwords::{SubwordMethod, Subwords, WordCounts};
use super::tokenizer::{Segmentation, Tokenizer, TokenizerChoice};
use crate::data::history::HistoryColumns;
use crate::data::series::{Missing, SeriesColumns, SeriesLayout, SeriesOptions};
use crate::data::table::{EmptyText, TableColumns, TableOptions};
use crate::data::{Column, Format, Keep, Labels, Layout};
use crate::error::{PlanError, plan};

/// What is said of an option that does not concern a table of columns.
pub const NOT_TEXT: &str = "is for files of text, but these data are Parquet or Arrow";

/// The most pieces of words that may be asked for.
pub const MOST_SUBWORDS: usize = 1 << 20;
/// So many are learnt where nothing is said.
pub const DEFAULT_SUBWORDS: usize = 8_000;

/// What a model reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum InputPlan {
    /// Texts.
    Text(TextPlan),
    /// Numeric series.
    Series(SeriesPlan),
    /// Numbers over time.
    History(HistoryPlan),
}

/// How texts are read and cut up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TextPlan {
    /// The format of the training data, where it was said.
    pub format: Option<Format>,
    /// Whether the first row holds names, where it was said.
    pub header: Option<bool>,
    /// The column of the text, where it was said.
    pub text: Option<Column>,
    /// The column of the label, where it was said.
    pub label: Option<Column>,
    /// How the file is laid out, where that was said.
    #[serde(default)]
    pub layout: Layout,
    /// The columns of the training data, by which those of other data are found.
    #[serde(default)]
    pub columns: Option<TableColumns>,
    /// What stands between the labels of a text in a table, where a text may have several or none.
    #[serde(default)]
    pub label_separator: Option<char>,
    /// How texts are cut into tokens.
    pub tokenizer: TokenizerChoice,
    /// The most pieces of words that are learnt, where texts are cut into them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subwords: Option<usize>,
    /// Whether white space is tokens as well, where texts are cut into characters.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub white_space: bool,
    /// Whether tokens are turned to lower case.
    pub lowercase: bool,
    /// The form to which characters are brought before texts are cut.
    #[serde(default)]
    pub normalize: Normalization,
    /// How Chinese characters are read.
    #[serde(default)]
    pub chinese: Chinese,
    /// The file with words beside those of jieba's dictionary.
    #[serde(default)]
    pub user_dictionary: Option<DictionaryFile>,
    /// How often a token must stand in the training data to enter the vocabulary.
    pub min_count: usize,
    /// The most entries of the vocabulary.
    pub max_vocabulary: usize,
    /// Tokens past this many are cut off.
    pub max_length: usize,
    /// Character n-grams whose mean is added to a token's vector.
    pub ngrams: Option<NgramConfig>,
    /// Pairs of tokens, added to the second one's vector.
    pub bigrams: Option<BigramConfig>,
    /// Shapes of tokens, added to their vectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shapes: Option<ShapeConfig>,
    /// Chance that a token is replaced by the unknown token while training.
    pub word_dropout: f64,
}

/// How numeric series are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SeriesPlan {
    /// The format of the training data.
    pub format: Format,
    /// Whether the first row holds names, where it was said.
    pub header: Option<bool>,
    /// The column that tells the series apart, where it was said.
    pub id: Option<Column>,
    /// The column that orders the steps, where it was said.
    pub time: Option<Column>,
    /// The column of the label, where it was said.
    pub label: Option<Column>,
    /// The columns of the channels; all others where empty.
    pub values: Vec<Column>,
    /// How the file is laid out, where that was said.
    #[serde(default)]
    pub layout: Layout,
    /// How series stand in the file, where that was said.
    #[serde(default)]
    pub series: SeriesLayout,
    /// What becomes of values that are missing.
    #[serde(default)]
    pub missing: Missing,
    /// What was found out of the training data, by which other data are read.
    #[serde(default)]
    pub columns: Option<SeriesColumns>,
    /// Steps past this many are cut off.
    pub max_length: Option<usize>,
    /// Standard deviation of the noise added while training.
    pub input_noise: f64,
}

/// What was found out of a file, by which other files are read.
#[derive(Clone, Debug, PartialEq)]
pub enum FileColumns {
    /// Of texts.
    Table(TableColumns),
    /// Of series.
    Series(SeriesColumns),
    /// Of numbers over time.
    History(HistoryColumns),
}

impl FileColumns {
    /// Those of texts.
    pub fn table(&self) -> Option<&TableColumns> {
        match self {
            FileColumns::Table(columns) => Some(columns),
            FileColumns::Series(_) | FileColumns::History(_) => None,
        }
    }
}

impl InputPlan {
    /// Whether inputs can be read by it; a plan from a file may say anything.
    ///
    /// # Errors
    /// If an option has a value that reads nothing.
    pub fn check(&self) -> Result<(), PlanError> {
        match self {
            InputPlan::Text(text) => {
                text.layout.check()?;
                plan::at_least(1, "min-count", text.min_count)?;
                plan::at_least(3, "max-vocabulary", text.max_vocabulary)?;
                text.subwords.map_or(Ok(()), |size| plan::size("subwords", size, MOST_SUBWORDS))?;
                plan::at_least(1, "max-length", text.max_length)?;
                plan::below_one("word-dropout", text.word_dropout)
            }
            InputPlan::Series(series) => {
                series.layout.check()?;
                series.max_length.map(|length| plan::at_least(1, "max-length", length)).transpose()?;
                plan::not_negative("input-noise", series.input_noise)
            }
            InputPlan::History(history) => history.check(),
        }
    }

    /// With the columns of the training data, by which those of other data are found.
    #[must_use]
    pub fn with_columns(mut self, columns: Option<FileColumns>) -> InputPlan {
        match (&mut self, columns) {
            (InputPlan::Text(text), Some(FileColumns::Table(columns))) => text.columns = Some(columns),
            (InputPlan::Series(series), Some(FileColumns::Series(columns))) => series.columns = Some(columns),
            (InputPlan::History(history), Some(FileColumns::History(columns))) => history.columns = Some(columns),
            (InputPlan::Text(text), _) => text.columns = None,
            (InputPlan::Series(series), _) => series.columns = None,
            (InputPlan::History(history), _) => history.columns = None,
        }
        self
    }

    /// The columns of the training data, once they are read.
    pub fn columns(&self) -> Option<FileColumns> {
        match self {
            InputPlan::Text(text) => text.columns.clone().map(FileColumns::Table),
            InputPlan::Series(series) => series.columns.clone().map(FileColumns::Series),
            InputPlan::History(history) => history.columns.clone().map(FileColumns::History),
        }
    }

    /// Files that are read beside the data, by what they are called.
    pub fn files(&self) -> Vec<(&'static str, &Path)> {
        match self {
            InputPlan::Text(text) => {
                text.user_dictionary.iter().map(|file| ("user dictionary", file.path.as_path())).collect()
            }
            InputPlan::Series(_) | InputPlan::History(_) => Vec::new(),
        }
    }

    /// For texts that may have several labels or none, with this between them in a table.
    #[must_use]
    pub fn with_label_separator(mut self, separator: char) -> InputPlan {
        if let InputPlan::Text(text) = &mut self {
            text.label_separator = Some(separator);
        }
        self
    }

    /// What stands between the labels of a text, where there may be several.
    pub fn label_separator(&self) -> Option<char> {
        match self {
            InputPlan::Text(text) => text.label_separator,
            InputPlan::Series(_) | InputPlan::History(_) => None,
        }
    }

    /// Whether inputs are texts.
    pub fn is_text(&self) -> bool {
        matches!(self, InputPlan::Text(_))
    }

    /// Chance that a token is replaced by the unknown token while training.
    pub fn word_dropout(&self) -> f64 {
        match self {
            InputPlan::Text(text) => text.word_dropout,
            InputPlan::Series(_) | InputPlan::History(_) => 0.0,
        }
    }

    /// Standard deviation of the noise added to channels while training.
    pub fn input_noise(&self) -> f64 {
        match self {
            InputPlan::Text(_) | InputPlan::History(_) => 0.0,
            InputPlan::Series(series) => series.input_noise,
        }
    }

    /// The column of the label, where one was named.
    pub fn label(&self) -> Option<&Column> {
        match self {
            InputPlan::Text(text) => text.label.as_ref(),
            InputPlan::Series(series) => series.label.as_ref(),
            InputPlan::History(_) => None,
        }
    }

    /// The plan for `file`, which `columns` say differs from the training data.
    ///
    /// # Errors
    /// If they say what does not go with the kind of inputs.
    pub(super) fn over(&self, columns: &Columns, file: &Path) -> Result<InputPlan, PlanError> {
        let mut input = self.clone();
        match &mut input {
            InputPlan::Text(text) => {
                let series = [("id", columns.id.is_some()), ("time", columns.time.is_some())];
                let problem = "tells how series stand in columns, but the model reads texts";
                columns.refuse(&series, problem)?;
                columns.refuse(&columns.series.said(), problem)?;
                columns.refuse(&columns.tagged.said(), "is of sentences of tokens, but texts are read")?;
                let by_extension = Format::of_series(file).filter(|format| *format == Format::Ts);
                match columns.format.or(by_extension) {
                    Some(format) if format.is_of_series() || format.is_of_tags() => {
                        let problem = format!("is {}, but the model reads texts", format.name());
                        return Err(PlanError::conflict("format", problem));
                    }
                    Some(format) => text.format = Some(format),
                    // The file's own extension wins over the format of the training.
                    None => text.format = Format::of_texts(file).or(text.format),
                }
                let separator = [("label-separator", columns.label_separator.is_some())];
                if matches!(text.format, Some(Format::Jsonl | Format::Fasttext)) {
                    let problem = "is for tables with columns, csv and tsv";
                    columns.refuse(&[("header", columns.header.is_some())], problem)?;
                    columns.refuse(&separator, problem)?;
                    columns.refuse(&columns.layout.of_columns(), problem)?;
                }
                if text.label_separator.is_none() {
                    columns
                        .refuse(&separator, "stands between several labels of a text, but the model has one a text")?;
                }
                text.label_separator = text.label_separator.map(|trained| columns.label_separator.unwrap_or(trained));
                if text.format == Some(Format::Parquet) {
                    columns.refuse(&columns.of_text_files(), NOT_TEXT)?;
                }
                text.layout = columns.layout.or(&text.layout);
                text.header = columns.header.map_or(text.header, |header| header.explicit());
                // A number that the training data had says nothing of keys.
                let trained = |column: Option<Column>| match column {
                    Some(Column::Number(_)) if text.format == Some(Format::Jsonl) => None,
                    other => other,
                };
                let (trained_text, trained_label) = (trained(text.text.take()), trained(text.label.take()));
                text.text = columns.text.clone().or(trained_text);
                text.label = columns.label.clone().or(trained_label);
            }
            InputPlan::Series(series) => series.over(columns, file)?,
            InputPlan::History(history) => history.over(columns, file)?,
        }
        input.check()?;
        Ok(input)
    }
}

impl TextPlan {
    /// With the words of a file for jieba beside those of its dictionary.
    ///
    /// # Errors
    /// If texts are to be cut otherwise, the file cannot be read, or a line is no word; the message names it.
    pub fn with_user_dictionary(mut self, file: &Path) -> Result<TextPlan, PlanError> {
        let wrong = |problem: String| PlanError::conflict("user-dictionary", problem);
        if !matches!(self.tokenizer, TokenizerChoice::Auto | TokenizerChoice::Jieba) {
            return Err(wrong("is for --tokenizer jieba, but another is asked for".into()));
        }
        let reading = Reading::new(self.normalize, self.chinese);
        let words = DictionaryFile::read(file, reading).map_err(|error| wrong(error.to_string()))?;
        self.user_dictionary = Some(words);
        Ok(self)
    }

    /// The tokenizer with the pieces of words that are learnt of these texts, and of `words` beside them.
    pub(super) fn learn(
        &self,
        tokenizer: Tokenizer,
        method: SubwordMethod,
        texts: &[&[String]],
        mut words: WordCounts,
    ) -> Result<Tokenizer, PlanError> {
        texts.iter().copied().flatten().for_each(|text| tokenizer.count_words(text, &mut words));
        let size = self.subwords.unwrap_or(DEFAULT_SUBWORDS);
        let subwords = Subwords::learn(method, &words, size);
        let subwords = subwords.map_err(|problem| PlanError::conflict("subwords", problem))?;
        Ok(tokenizer.with_subwords(Some(subwords)))
    }

    /// The tokenizer of this segmentation.
    pub(super) fn cutting(&self, segmentation: Segmentation) -> Tokenizer {
        Tokenizer::new(segmentation)
            .with_lowercase(self.lowercase)
            .with_white_space(match segmentation.subwords() {
                Some(_) => true,
                None => self.white_space && segmentation == Segmentation::Characters,
            })
            .with_normalization(self.normalize)
            .with_chinese(self.chinese)
            .with_words(self.user_dictionary.as_ref().map(|file| file.words.clone()))
    }

    /// How a table of texts is read.
    pub(super) fn table(&self, labels: Labels, empty_text: EmptyText) -> TableOptions {
        TableOptions {
            format: self.format,
            text: self.text.clone(),
            label: self.label.clone(),
            header: self.header,
            labels,
            empty_text,
            layout: self.layout.clone(),
            trained: self.columns.clone(),
            keep: Keep::Nothing,
            label_separator: self.label_separator,
        }
    }
}

impl SeriesPlan {
    /// Reads `file`, which `columns` say differs from the training data.
    fn over(&mut self, columns: &Columns, file: &Path) -> Result<(), PlanError> {
        let texts = [("text", columns.text.is_some())];
        columns.refuse(&texts, "names a column of texts, but the model reads numeric series")?;
        columns.refuse(&columns.tagged.said(), "is of sentences of tokens, but the model reads numeric series")?;
        let separator = [("label-separator", columns.label_separator.is_some())];
        columns.refuse(&separator, "stands between several labels of a text, but the model reads numeric series")?;
        match columns.format {
            Some(format) if !format.is_of_series() && format != Format::Lines => {
                let mut problem = format!("is {}, but the model reads numeric series", format.name());
                if format == Format::Parquet {
                    problem.push_str(", which csv-long and wide read from Parquet, too");
                }
                return Err(PlanError::conflict("format", problem));
            }
            Some(format) => self.format = format,
            None => self.format = self.format_by_name(file).unwrap_or(self.format),
        }
        if self.format == Format::Ts {
            let problem = "is about columns, and these series have none";
            columns.refuse(&columns.of_steps(), problem)?;
            columns.refuse(&columns.layout.of_columns(), problem)?;
        }
        if Format::of_texts(file) == Some(Format::Parquet) {
            columns.refuse(&columns.of_text_files(), NOT_TEXT)?;
        }
        if self.format == Format::Wide {
            let steps = [("time", columns.time.is_some())];
            columns.refuse(&steps, "is about rows that are steps, but a row is a whole series (wide)")?;
        }
        let unfit = columns.series.unfit(self.format);
        let problem = format!("does not concern series of the format {}", self.format.name());
        columns.refuse(&unfit, &problem)?;
        self.layout = columns.layout.or(&self.layout);
        // What does not concern this format was said of another.
        let unfit = self.series.unfit(self.format);
        let kept = |option| !unfit.iter().any(|(other, _)| *other == option);
        let trained = SeriesLayout {
            time_format: self.series.time_format.take().filter(|_| kept("time-format")),
            decimal: self.series.decimal.filter(|_| kept("decimal")),
            label_per: self.series.label_per.filter(|_| kept("label-per")),
        };
        self.series = columns.series.or(&trained);
        self.header = columns.header.map_or(self.header, |header| header.explicit());
        if let Some(found) = &mut self.columns {
            // What is said now goes before the names of the training data.
            found.id = found.id.take().filter(|_| columns.id.is_none());
            found.time = found.time.take().filter(|_| columns.time.is_none());
            found.label = found.label.take().filter(|_| columns.label.is_none());
            found.time_format = found.time_format.take().filter(|_| columns.series.time_format.is_none());
            found.decimal = found.decimal.filter(|_| columns.series.decimal.is_none());
        }
        self.id = columns.id.clone().or(self.id.take());
        self.time = columns.time.clone().or(self.time.take());
        self.label = columns.label.clone().or(self.label.take());
        Ok(())
    }

    /// The format that the name of `file` tells: `.ts`, or, of tables, that of the training data where they were one.
    pub(super) fn format_by_name(&self, file: &Path) -> Option<Format> {
        match (Format::of_series(file), Format::of_texts(file)) {
            (Some(Format::Ts), _) => Some(Format::Ts),
            (_, Some(Format::Csv | Format::Tsv | Format::Parquet)) => match self.format {
                Format::Wide => Some(Format::Wide),
                _ => Some(Format::CsvLong),
            },
            _ => None,
        }
    }

    /// How a file of series is read.
    pub(super) fn series(&self, labels: Labels) -> SeriesOptions {
        SeriesOptions {
            keep: Keep::Nothing,
            format: Some(self.format),
            header: self.header,
            id: self.id.clone(),
            time: self.time.clone(),
            label: self.label.clone(),
            values: self.values.clone(),
            labels,
            layout: self.layout.clone(),
            series: self.series.clone(),
            missing: self.missing,
            trained: self.columns.clone(),
        }
    }
}
