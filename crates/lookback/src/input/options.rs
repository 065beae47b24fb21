//! Options of the input as a person types them, on the command line or in a TOML file, and their check.

use std::path::{Path, PathBuf};

use clap::Args;
use lookback_infer::data::series::{FoundSeries, Missing, SeriesLayout, found_in_content};
use lookback_infer::data::{Column, Format, HeaderChoice, Layout};
use lookback_infer::error::{PlanError, plan};
use lookback_infer::input::encoder::{BigramConfig, NgramConfig, ShapeConfig};
use lookback_infer::input::normalization::{Chinese, Normalization};
use lookback_infer::input::tokenizer::TokenizerChoice;
use lookback_infer::input::{DEFAULT_SUBWORDS, InputPlan, NOT_TEXT, SeriesPlan, TextPlan};
use serde::{Deserialize, Serialize};

use crate::ranges::sizes;

/// No n-grams at all.
pub(crate) const NONE: &str = "none";

/// How texts become the tokens that a network reads, however they stand in a file.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Input")]
pub struct TokenOptions {
    /// How texts are cut into tokens [default: auto]
    #[arg(long, value_enum)]
    pub tokenizer: Option<TokenizerChoice>,
    /// Pieces of words that are learnt at most, of --tokenizer bpe or unigram [default: 8000]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subwords: Option<usize>,
    /// Whether upper and lower case are the same [default: true]
    #[arg(long, value_name = "BOOL")]
    pub lowercase: Option<bool>,
    /// How characters are brought to one form before texts are cut; what is shown stays as it was written [default: nfkc]
    #[arg(long, value_enum, value_name = "FORM")]
    pub normalize: Option<Normalization>,
    /// How Chinese characters of which there are two forms are read [default: as-is]
    #[arg(long, value_enum, value_name = "FORM")]
    pub chinese: Option<Chinese>,
    /// File with words for jieba beside those of its dictionary, one a line: the word, and if wanted how often it occurs and
    /// a tag; the model keeps them
    #[arg(long, value_name = "FILE")]
    pub user_dictionary: Option<PathBuf>,
    /// How often a token must stand in the training data to enter the vocabulary [default: 1]
    #[arg(long, value_name = "N")]
    pub min_count: Option<usize>,
    /// Largest vocabulary, the commonest tokens first [default: 50000]
    #[arg(long, value_name = "N")]
    pub max_vocabulary: Option<usize>,
    /// Longest sequence, in tokens or steps; what is longer is cut [default: 512 tokens, to tag 20000; series are not cut]
    #[arg(long, value_name = "N")]
    pub max_length: Option<usize>,
    /// Character n-grams, shortest-longest, whose mean is added to a token's vector, for example 3-5, or none [default: none; texts to
    /// classify: by the data]
    #[arg(long, value_name = "MIN-MAX")]
    pub char_ngrams: Option<String>,
    /// Buckets that the character n-grams are hashed into [default: 4000]
    #[arg(long, value_name = "N")]
    pub char_buckets: Option<u32>,
    /// Buckets for pairs of neighbouring tokens, added to the second one's vector; 0 for none [default: 0]
    #[arg(long, value_name = "N")]
    pub bigram_buckets: Option<u32>,
    /// Buckets for the shapes of tokens (Xx, X.X., 0-x), added to their vectors: where a token has capitals and digits; 0 for none
    /// [default: 0; to tag: by the data]
    #[arg(long, value_name = "N")]
    pub shape_buckets: Option<u32>,
    /// Chance that a token is replaced by the unknown token while training; its n-grams stay [default: 0; texts to
    /// classify: 0.3]
    #[arg(long, value_name = "P")]
    pub word_dropout: Option<f64>,
}

/// What is read, and how.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Input")]
pub struct InputOptions {
    /// Format of the data [default: by the file's extension, or first bytes; tables that plainly hold series are read as such]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Whether the first row holds the columns' names [default: auto]
    #[arg(long, value_enum)]
    pub header: Option<HeaderChoice>,
    /// Column of the text, by name or by number from 1
    #[arg(long, value_name = "COLUMN")]
    pub text: Option<Column>,
    /// Column of the label, by name or by number from 1
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<Column>,
    /// Column that tells the series apart (csv-long), or is no step of them (wide)
    #[arg(long, value_name = "COLUMN")]
    pub id: Option<Column>,
    /// Column that orders the steps of a series (csv-long) [default: the order of the rows]
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<Column>,
    /// Columns of the channels (csv-long) [default: all others]
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Column>,
    /// How the file is laid out.
    #[command(flatten)]
    #[serde(flatten)]
    pub layout: Layout,
    /// How series stand in the file.
    #[command(flatten)]
    #[serde(flatten)]
    pub series: SeriesLayout,
    /// What becomes of values of series that are missing: empty, ?, NaN, NA, N/A, null or None [default: refuse]
    #[arg(long, value_enum, value_name = "WHAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// How texts become tokens.
    #[command(flatten)]
    #[serde(flatten)]
    pub tokens: TokenOptions,
    /// Standard deviation of the noise added to a series' standardised channels, and to those that tell missing values, while
    /// training [default: 0; to classify: 0.3]
    #[arg(long, value_name = "X")]
    pub input_noise: Option<f64>,
}

impl TokenOptions {
    /// As [`TokenOptions::of`], with the files that were read beside the data.
    pub fn with_files(plan: &TextPlan) -> TokenOptions {
        let user_dictionary = plan.user_dictionary.as_ref().map(|file| file.path.clone());
        TokenOptions { user_dictionary, ..TokenOptions::of(plan) }
    }

    /// The options by which texts were cut up. What was read of files beside the data a model has.
    pub fn of(plan: &TextPlan) -> TokenOptions {
        TokenOptions {
            tokenizer: Some(plan.tokenizer),
            subwords: plan.subwords,
            lowercase: Some(plan.lowercase),
            normalize: Some(plan.normalize),
            chinese: Some(plan.chinese),
            user_dictionary: None,
            min_count: Some(plan.min_count),
            max_vocabulary: Some(plan.max_vocabulary),
            max_length: Some(plan.max_length),
            char_ngrams: Some(
                plan.ngrams.as_ref().map_or_else(|| NONE.to_owned(), |ngrams| format!("{}-{}", ngrams.min, ngrams.max)),
            ),
            char_buckets: plan.ngrams.as_ref().map(|ngrams| ngrams.buckets),
            bigram_buckets: Some(plan.bigrams.as_ref().map_or(0, |bigrams| bigrams.buckets)),
            shape_buckets: Some(plan.shapes.as_ref().map_or(0, |shapes| shapes.buckets)),
            word_dropout: Some(plan.word_dropout),
        }
    }

    /// The plan for texts, of whose columns nothing is said.
    ///
    /// # Errors
    /// If an option has a value that reads nothing, or does not go with another.
    pub fn plan(&self) -> Result<InputPlan, PlanError> {
        let plan = InputPlan::Text(self.texts()?);
        plan.check()?;
        Ok(plan)
    }

    fn texts(&self) -> Result<TextPlan, PlanError> {
        let ngrams = match (self.char_ngrams.as_ref().filter(|range| *range != NONE), self.char_buckets) {
            (None, None) => None,
            (None, Some(_)) => return Err(PlanError::conflict("char-buckets", "needs --char-ngrams")),
            (Some(range), buckets) => {
                let (min, max) = sizes("char-ngrams", range)?;
                let buckets = buckets.unwrap_or(4_000);
                if buckets == 0 {
                    return Err(PlanError::value("char-buckets", 0, "at least 1"));
                }
                Some(NgramConfig { min, max, buckets })
            }
        };
        let tokenizer = self.tokenizer.unwrap_or_default();
        let subwords = match tokenizer.subwords() {
            Some(_) => Some(self.subwords.unwrap_or(DEFAULT_SUBWORDS)),
            None => {
                refuse(&[("subwords", self.subwords.is_some())], "needs --tokenizer bpe or unigram")?;
                None
            }
        };
        let bigrams = self.bigram_buckets.filter(|&buckets| buckets > 0).map(|buckets| BigramConfig { buckets });
        let shapes = self.shape_buckets.filter(|&buckets| buckets > 0).map(|buckets| ShapeConfig { buckets });
        let plan = TextPlan {
            format: None,
            header: None,
            text: None,
            label: None,
            layout: Layout::default(),
            columns: None,
            label_separator: None,
            tokenizer,
            subwords,
            white_space: false,
            lowercase: self.lowercase.unwrap_or(true),
            normalize: self.normalize.unwrap_or(Normalization::Nfkc),
            chinese: self.chinese.unwrap_or_default(),
            user_dictionary: None,
            min_count: self.min_count.unwrap_or(1),
            max_vocabulary: self.max_vocabulary.unwrap_or(largest_vocabulary(50_000, subwords)),
            max_length: self.max_length.unwrap_or(512),
            ngrams,
            bigrams,
            shapes,
            word_dropout: self.word_dropout.unwrap_or(0.0),
        };
        self.user_dictionary.iter().try_fold(plan, |plan, file| {
            check_file("user-dictionary", file)?;
            plan.with_user_dictionary(file)
        })
    }
}

impl InputOptions {
    /// The options by which inputs were cut up; where they stood in a file is left to the new data.
    pub fn of(plan: &InputPlan) -> InputOptions {
        match plan {
            InputPlan::Text(plan) => InputOptions { tokens: TokenOptions::of(plan), ..InputOptions::default() },
            InputPlan::Series(plan) => InputOptions {
                tokens: TokenOptions { max_length: plan.max_length, ..TokenOptions::default() },
                missing: Some(plan.missing),
                input_noise: Some(plan.input_noise),
                ..InputOptions::default()
            },
            InputPlan::History(_) => InputOptions::default(),
        }
    }

    /// As [`InputOptions::of`], with where inputs stood in the training file, as far as it was said.
    pub(crate) fn with_places(plan: &InputPlan) -> InputOptions {
        let of = InputOptions::of(plan);
        match plan {
            InputPlan::Text(plan) => InputOptions {
                tokens: TokenOptions::with_files(plan),
                format: plan.format,
                header: plan.header.map(HeaderChoice::of),
                text: plan.text.clone(),
                label: plan.label.clone(),
                layout: plan.layout.clone(),
                ..of
            },
            InputPlan::Series(plan) => InputOptions {
                format: Some(plan.format),
                header: plan.header.map(HeaderChoice::of),
                id: plan.id.clone(),
                time: plan.time.clone(),
                label: plan.label.clone(),
                values: plan.values.clone(),
                layout: plan.layout.clone(),
                series: plan.series.clone(),
                ..of
            },
            InputPlan::History(_) => InputOptions::default(),
        }
    }

    /// The plan for training on the file `data`.
    ///
    /// # Errors
    /// If an option has a value that reads nothing, or does not go with the kind of the data.
    pub fn plan(&self, data: &Path) -> Result<InputPlan, PlanError> {
        if self.format == Some(Format::Lines) {
            return Err(PlanError::conflict("format", "is lines, which have no labels to learn"));
        }
        if let Some(format) = self.format.filter(|format| format.is_of_tags()) {
            let problem = format!("is {}, which has a tag for every token; train tag reads that", format.name());
            return Err(PlanError::conflict("format", problem));
        }
        // A CSV is a table of texts unless another format is asked for, or it plainly holds series.
        let by_extension = || Format::of_series(data).filter(|format| *format == Format::Ts);
        let look = |is_long: bool| found_in_content(data, &self.layout, self.label.as_ref(), is_long);
        let by_content = || if self.text.is_some() { None } else { look(false) };
        let said = self.format.or_else(by_extension).map(|format| match format {
            // Which columns are what may still be told by what stands in them.
            Format::CsvLong if self.id.is_none() => look(true).unwrap_or(FoundSeries::of(format)),
            _ => FoundSeries::of(format),
        });
        let found = said.or_else(by_content).unwrap_or_default();
        let plan = match found.format {
            Some(format) if format.is_of_series() => InputPlan::Series(self.with_columns(found).series(format, data)?),
            format => InputPlan::Text(self.texts(format, format.or_else(|| Format::of_texts(data)))?),
        };
        plan.check()?;
        Ok(plan)
    }

    /// With the columns that were found, where none are said.
    fn with_columns(&self, found: FoundSeries) -> InputOptions {
        let (id, time) = (self.id.clone().or(found.id), self.time.clone().or(found.time));
        let values = if self.values.is_empty() { found.values } else { self.values.clone() };
        InputOptions { id, time, label: self.label.clone().or(found.label), values, ..self.clone() }
    }

    /// `format`: as it is told; `found`: by the file's extension as well.
    fn texts(&self, format: Option<Format>, found: Option<Format>) -> Result<TextPlan, PlanError> {
        let series_only = [
            ("id", self.id.is_some()),
            ("time", self.time.is_some()),
            ("values", !self.values.is_empty()),
            ("missing", self.missing.is_some()),
            ("input-noise", self.input_noise.is_some()),
        ];
        let problem = "is for numeric series, but the data are texts; is --format csv-long missing?";
        refuse(&series_only, problem)?;
        refuse(&self.series.said(), problem)?;
        if let Some(Format::Jsonl | Format::Fasttext) = found {
            let problem = "is for tables with columns, csv and tsv";
            refuse(&[("header", self.header.is_some())], problem)?;
            refuse(&self.layout.of_columns(), problem)?;
        }
        if found == Some(Format::Parquet) {
            self.refuse_of_text_files()?;
        }
        Ok(TextPlan {
            format,
            header: self.header.and_then(HeaderChoice::explicit),
            text: self.text.clone(),
            label: self.label.clone(),
            layout: self.layout.clone(),
            ..self.tokens.texts()?
        })
    }

    /// Refuses what does not concern a table of columns.
    fn refuse_of_text_files(&self) -> Result<(), PlanError> {
        refuse(&[("header", self.header.is_some())], NOT_TEXT)?;
        refuse(&self.layout.of_text_files(), NOT_TEXT)
    }

    fn series(&self, format: Format, data: &Path) -> Result<SeriesPlan, PlanError> {
        let tokens = &self.tokens;
        let text_only = [
            ("text", self.text.is_some()),
            ("tokenizer", tokens.tokenizer.is_some()),
            ("subwords", tokens.subwords.is_some()),
            ("lowercase", tokens.lowercase.is_some()),
            ("normalize", tokens.normalize.is_some()),
            ("chinese", tokens.chinese.is_some()),
            ("user-dictionary", tokens.user_dictionary.is_some()),
            ("min-count", tokens.min_count.is_some()),
            ("max-vocabulary", tokens.max_vocabulary.is_some()),
            ("word-dropout", tokens.word_dropout.is_some()),
            ("char-ngrams", tokens.char_ngrams.is_some()),
            ("char-buckets", tokens.char_buckets.is_some()),
            ("bigram-buckets", tokens.bigram_buckets.is_some()),
            ("shape-buckets", tokens.shape_buckets.is_some()),
        ];
        refuse(&text_only, FOR_TEXTS)?;
        let columns = [
            ("id", self.id.is_some()),
            ("time", self.time.is_some()),
            ("label", self.label.is_some()),
            ("values", !self.values.is_empty()),
            ("header", self.header.is_some()),
        ];
        if format != Format::Ts && Format::of_texts(data) == Some(Format::Parquet) {
            self.refuse_of_text_files()?;
        }
        if format == Format::Ts {
            let problem = "is about columns, but a .ts file has none";
            refuse(&columns, problem)?;
            refuse(&self.layout.of_columns(), problem)?;
        }
        if format == Format::Wide {
            let steps = [("time", self.time.is_some()), ("values", !self.values.is_empty())];
            refuse(&steps, "is about rows that are steps, but a row is a whole series (wide)")?;
        }
        let problem = format!("does not concern series of the format {}", format.name());
        refuse(&self.series.unfit(format), &problem)?;
        Ok(SeriesPlan {
            format,
            header: self.header.and_then(HeaderChoice::explicit),
            id: self.id.clone(),
            time: self.time.clone(),
            label: self.label.clone(),
            values: self.values.clone(),
            layout: self.layout.clone(),
            series: self.series.clone(),
            missing: self.missing.unwrap_or_default(),
            columns: None,
            max_length: tokens.max_length,
            input_noise: self.input_noise.unwrap_or(0.0),
        })
    }
}

/// The largest vocabulary where nothing is said: `usual`, or as many as there may be pieces of words, with special tokens.
pub(crate) fn largest_vocabulary(usual: usize, subwords: Option<usize>) -> usize {
    subwords.map_or(usual, |size| usual.max(size.saturating_add(4)))
}

/// What is said of an option that goes with texts alone.
pub(crate) const FOR_TEXTS: &str = "is for texts, but the data are numeric series";

/// Refuses a file that can be read only once, a device or pipe, and one whose name a model file cannot keep. What is no file
/// at all its reader tells.
pub(crate) fn check_file(option: &'static str, file: &Path) -> Result<(), PlanError> {
    let is_other = file.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir());
    let name = file.display();
    if is_other || file == Path::new("-") {
        return Err(PlanError::conflict(option, format!("needs a file that can be read again, but {name} is none")));
    }
    match file.to_str() {
        Some(_) => Ok(()),
        None => Err(PlanError::conflict(option, format!("needs a file whose name is UTF-8, but {name} is not"))),
    }
}

/// Refuses the first of `options` that is set.
pub(crate) fn refuse(options: &[(&'static str, bool)], problem: &str) -> Result<(), PlanError> {
    plan::refuse(options.iter().copied(), problem)
}
