//! Documents: texts that stand by themselves, from a file of plain text or the rows of a table.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::columnar::{self, Content};
use super::table::{EmptyText, Table, TableColumns, TableOptions, TextExample, read_table_of};
use super::{Column, Format, HeaderChoice, Keep, Labels, Layout, file_text};
use crate::error::plan::refuse;
use crate::error::{DataError, PlanError};

/// What is one document in a file of plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum Division {
    /// The whole file, its line ends among its characters; it has no end that is learnt
    File,
    /// What stands between blank lines
    Paragraphs,
    /// Every line
    Lines,
}

/// How documents stand in a file, where a person says it. What is not said is found out from the file itself, and told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
pub struct DocumentOptions {
    /// Format of the data: lines for plain text, csv, tsv, jsonl, fasttext or parquet for a document per row [default: by the
    /// extension or the content, else plain text]
    #[cfg_attr(feature = "clap", arg(long, value_enum, hide_possible_values = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// What is one document in a file of plain text [default: file where there are less than three lines, one is very long, or most
    /// are about as long as the longest, as wrapped text is; else paragraphs where there are blank lines, else lines]
    #[cfg_attr(feature = "clap", arg(long, value_enum, value_name = "WHAT"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documents: Option<Division>,
    /// Column or key of the text, by name or by number from 1 [default: found out]
    #[cfg_attr(feature = "clap", arg(long, value_name = "COLUMN"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<Column>,
    /// Column or key of the label by which texts are written: a class in, a text out (1 to N) [default: texts are written by
    /// nothing]
    #[cfg_attr(feature = "clap", arg(long, value_name = "COLUMN"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Column>,
    /// Whether the first row of a table names the columns [default: auto]
    #[cfg_attr(feature = "clap", arg(long, value_enum, value_name = "WHAT"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderChoice>,
    /// How the file is laid out.
    #[cfg_attr(feature = "clap", command(flatten))]
    #[serde(flatten)]
    pub layout: Layout,
}

/// One document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its text.
    pub text: String,
    /// Its label, where labels are read.
    pub label: Option<String>,
    /// The line on which it begins, counted from 1.
    pub line: usize,
}

/// The documents of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Documents {
    /// At least one, none of them empty.
    pub all: Vec<Document>,
    /// What was one document, of plain text.
    pub division: Option<Division>,
    /// The columns they stood in, of a table.
    pub columns: Option<TableColumns>,
}

impl Documents {
    /// Whether their ends are learnt: the end of a whole file tells nothing.
    pub fn have_ends(&self) -> bool {
        self.division != Some(Division::File)
    }
}

impl DocumentOptions {
    /// This where it says something, else what `other` says: that of the training data, for another file.
    pub fn or(&self, other: &DocumentOptions) -> DocumentOptions {
        DocumentOptions {
            format: self.format.or(other.format),
            documents: self.documents.or(other.documents),
            text: self.text.clone().or_else(|| other.text.clone()),
            label: self.label.clone().or_else(|| other.label.clone()),
            header: self.header.or(other.header),
            layout: self.layout.or(&other.layout),
        }
    }

    /// Whether files can be read so.
    ///
    /// # Errors
    /// If two options say what does not go together, or one says what files of documents do not have.
    pub fn check(&self) -> Result<(), PlanError> {
        self.layout.check()?;
        let of_columns =
            [("text", self.text.is_some()), ("label", self.label.is_some()), ("header", self.header.is_some())];
        let of_columns = of_columns.into_iter().chain(self.layout.of_columns());
        let of_plain_text = [("documents", self.documents.is_some())].into_iter();
        match self.format {
            Some(Format::Lines) => refuse(of_columns, "is about columns, but with --format lines a file is plain text"),
            Some(format) if format.is_of_series() || format.is_of_tags() => {
                Err(PlanError::value("format", format.name(), format!("lines, {}", Format::OF_TEXTS)))
            }
            Some(_) => refuse(of_plain_text, "is about plain text, but a row of a table is a document"),
            None => Ok(()),
        }
    }
}

/// Reads the documents of a file, and tells how. `trained`: the columns of the training data, where these are other data. Blank
/// documents of plain text are left out.
///
/// # Errors
/// If the file cannot be read, is no text or is empty; of a table, if a column is missing or unclear, or a text or, where it is
/// asked for, a label is missing.
pub fn read_documents(
    file: &Path,
    options: &DocumentOptions,
    trained: Option<&TableColumns>,
) -> Result<Documents, DataError> {
    let told = options.format.or_else(|| Format::of_texts(file));
    let content = columnar::content(file, told, options.layout.encoding)?;
    let is_about_columns = options.text.is_some() || options.label.is_some() || options.header.is_some();
    let format = match &content {
        Content::Text(decoded) => told.or_else(|| Format::of_content(&decoded.text)),
        #[cfg(feature = "parquet")]
        Content::Columns(_) => Some(Format::Parquet),
    };
    let decoded = match (format, content) {
        (None | Some(Format::Lines), Content::Text(decoded)) => decoded,
        (format, content) => return of_table(file, content, format, options, trained),
    };
    if is_about_columns {
        let problem = "this is plain text, which has no columns for --text, --label or --header; if it is a table, --format says \
                       which";
        return Err(DataError::Columns { file: file_text::name(file), problem: problem.into() });
    }
    let file = &file_text::name(file);
    let text = without_returns(decoded.text);
    let division = options.documents.unwrap_or_else(|| Division::of(&text));
    if options.documents.is_none() {
        tracing::info!("{}: {} (--documents)", file.display(), division.in_words());
    }
    let all = division.divide(text);
    match all.is_empty() {
        true => Err(DataError::Empty { file: file.into() }),
        false => Ok(Documents { all, division: Some(division), columns: None }),
    }
}

fn of_table(
    file: &Path,
    content: Content,
    format: Option<Format>,
    options: &DocumentOptions,
    trained: Option<&TableColumns>,
) -> Result<Documents, DataError> {
    if options.documents.is_some() {
        let problem = "a row of this table is a document; --documents is about plain text".to_owned();
        return Err(DataError::Columns { file: file_text::name(file), problem });
    }
    let labels = if options.label.is_some() { Labels::Required } else { Labels::Ignored };
    let table = TableOptions {
        format,
        text: options.text.clone(),
        label: options.label.clone(),
        header: options.header.and_then(HeaderChoice::explicit),
        labels,
        empty_text: EmptyText::Refuse,
        layout: options.layout.clone(),
        trained: trained.cloned(),
        keep: Keep::Nothing,
        label_separator: None,
    };
    let Table { examples, columns } = read_table_of(file, content, &table)?;
    let document = |example: TextExample| Document {
        text: example.text,
        label: example.labels.into_iter().next(),
        line: example.line,
    };
    Ok(Documents { all: examples.into_iter().map(document).collect(), division: None, columns: Some(columns) })
}

/// Line ends as one character each, whatever the system they come from.
fn without_returns(text: String) -> String {
    if text.contains('\r') { text.replace("\r\n", "\n") } else { text }
}

/// Characters of a line above which a file of such lines is taken whole: no line is so long that stands by itself.
const LONG_LINE: usize = 2_000;
/// Lines by which the kind of a file is told.
const LOOKED_AT: usize = 2_000;
/// Wrapped lines are at least so long.
const WRAPPED: usize = 50;

impl Division {
    /// What is one document in this text, by its lines.
    fn of(text: &str) -> Division {
        let lines: Vec<usize> = text.lines().take(LOOKED_AT).map(|line| line.trim_end().chars().count()).collect();
        let full: Vec<usize> = lines.iter().copied().filter(|&length| length > 0).collect();
        // Blank lines between, not only at the end.
        let blank = text.trim_end().lines().take(LOOKED_AT).filter(|line| line.trim().is_empty()).count();
        let longest = full.iter().copied().max().unwrap_or(0);
        // Most lines of wrapped text end where no word has room.
        let wrapped =
            longest >= WRAPPED && full.iter().filter(|&&length| 5 * length >= 4 * longest).count() * 2 > full.len();
        if full.len() < 3 || longest > LONG_LINE || (wrapped && full.len() > 10) {
            Division::File
        } else if 50 * blank >= full.len() {
            Division::Paragraphs
        } else {
            Division::Lines
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Division::File => "read as one document, line ends and all",
            Division::Paragraphs => "a document is what stands between blank lines",
            Division::Lines => "every line is a document",
        }
    }

    fn divide(self, text: String) -> Vec<Document> {
        let document = |text: &str, line: usize| Document { text: text.to_owned(), label: None, line };
        match self {
            Division::File => vec![Document { text, label: None, line: 1 }],
            Division::Lines => {
                let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
                lines.map(|(line, place)| document(line, place)).collect()
            }
            Division::Paragraphs => {
                let mut documents: Vec<Document> = Vec::new();
                let mut open = false;
                for (line, place) in text.lines().zip(1..) {
                    match (line.trim().is_empty(), open) {
                        (true, _) => open = false,
                        (false, false) => {
                            documents.push(document(line, place));
                            open = true;
                        }
                        (false, true) => {
                            if let Some(last) = documents.last_mut() {
                                last.text.push('\n');
                                last.text.push_str(line);
                            }
                        }
                    }
                }
                documents
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(division: Division, text: &str) -> Vec<(String, usize)> {
        division.divide(text.to_owned()).into_iter().map(|document| (document.text, document.line)).collect()
    }

    #[test]
    fn plain_text_is_divided_as_it_is_asked() {
        let text = "one\ntwo\n \n\nthree\n";
        let expected = [("one\ntwo", 1), ("three", 5)].map(|(text, line)| (text.to_owned(), line));
        assert_eq!(texts(Division::Paragraphs, text), expected);
        let expected = [("one", 1), ("two", 2), ("three", 5)].map(|(text, line)| (text.to_owned(), line));
        assert_eq!(texts(Division::Lines, text), expected);
        assert_eq!(texts(Division::File, text), [(text.to_owned(), 1)]);
    }

    #[test]
    fn what_is_a_document_is_found_out() {
        let names: String = (0..40).map(|i| format!("name {}\n", "x".repeat(i % 9 + 1))).collect();
        let verses: String = (0..40).map(|i| format!("line {i}\nof a verse\n\n")).collect();
        let book: String = (0..40).map(|i| format!("{}\n", "word ".repeat(12 + i % 2))).collect();
        let cases = [(&names, Division::Lines), (&verses, Division::Paragraphs), (&book, Division::File)];
        for (text, expected) in cases {
            assert_eq!(Division::of(text), expected, "{text}");
        }
        assert_eq!(Division::of(&"a".repeat(9_000)), Division::File);
    }

    #[test]
    fn options_that_do_not_go_together_are_refused() {
        let lines = DocumentOptions { format: Some(Format::Lines), ..DocumentOptions::default() };
        assert!(lines.check().is_ok());
        let told = DocumentOptions { label: Some(Column::Number(2)), ..lines }.check().unwrap_err().to_string();
        assert!(told.contains("--label"), "{told}");
        let csv = DocumentOptions {
            format: Some(Format::Csv),
            documents: Some(Division::File),
            ..DocumentOptions::default()
        };
        assert!(csv.check().unwrap_err().to_string().contains("--documents"));
        let series = DocumentOptions { format: Some(Format::Ts), ..DocumentOptions::default() };
        assert!(series.check().unwrap_err().to_string().contains("--format is ts"));
    }
}
