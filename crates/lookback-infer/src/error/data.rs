//! Errors of data files.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::counted;
use super::place::{at, unit};

/// What is wrong with a data file, and where.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file does not exist.
    #[error("{}: no such file", file.display())]
    NoSuchFile {
        /// The path as given.
        file: PathBuf,
    },
    /// A directory stands where a file was expected.
    #[error("{} is a directory; a file was expected", file.display())]
    Directory {
        /// The path as given.
        file: PathBuf,
    },
    /// The system refused to open or read the file.
    #[error("{}: cannot be read: {source}", file.display())]
    Io {
        /// The path as given.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds no bytes, or only blank lines.
    #[error("{} is empty; at least one example was expected", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
    /// The file has a header but nothing below it, or every row was left out.
    #[error("{} holds no examples", file.display())]
    NoExamples {
        /// The file.
        file: PathBuf,
    },
    /// A table that stores column after column, in a build that reads none.
    #[error("{}: this is {kind}, and this build reads none; build with --features parquet, or write the table as CSV", file.display())]
    NoParquet {
        /// The file.
        file: PathBuf,
        /// Such as "a Parquet file".
        kind: &'static str,
    },
    /// A table that stores column after column is not as it should be.
    #[error("{}: {problem}", file.display())]
    Columns {
        /// The file.
        file: PathBuf,
        /// What was found and what was expected.
        problem: String,
    },
    /// Bytes that the encoding does not have.
    #[error("{}: byte {byte} of the line is 0x{value:02X}, which is not {encoding}; save the file as UTF-8, or say what it is with --encoding", at(file, *line))]
    NotText {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The place of the first wrong byte in its line, counted from 1.
        byte: usize,
        /// The first wrong byte.
        value: u8,
        /// What the file was said or found to be in.
        encoding: &'static str,
    },
    /// Several rows, or series, cannot be read.
    #[error("{}: {count} {unit} cannot be read; --on-bad-row skip leaves them out\n{}", file.display(), listed(first, *count))]
    BadRows {
        /// The file.
        file: PathBuf,
        /// What they are, in the plural.
        unit: &'static str,
        /// How many there are.
        count: usize,
        /// What is wrong with the first of them.
        first: Vec<String>,
    },
    /// The extension does not tell the format.
    #[error("{}: cannot tell the format from its name; say with --format which it is: {expected}{hint}", file.display())]
    UnknownFormat {
        /// The file.
        file: PathBuf,
        /// The formats that could be given.
        expected: &'static str,
        /// What its content looks like, where that is something else; or nothing.
        hint: &'static str,
    },
    /// A column asked for by name is not in the header.
    #[error("{}: there is no column \"{name}\"; the columns are {}", at(file, *line), quoted(present))]
    NoColumn {
        /// The file.
        file: PathBuf,
        /// The line of the header.
        line: usize,
        /// The name asked for.
        name: String,
        /// The names present.
        present: Vec<String>,
    },
    /// A column asked for by number is past the last.
    #[error("{}: there is no column {number}; the line has {}: {}", at(file, *line), counted(present.len(), "column"), quoted(present))]
    NoColumnNumber {
        /// The file.
        file: PathBuf,
        /// The line of the header, or the first line.
        line: usize,
        /// The number asked for, counted from 1.
        number: usize,
        /// The fields of that line.
        present: Vec<String>,
    },
    /// No column was asked for, and the file does not tell.
    #[error("{}: cannot tell which column holds the {role}; say with {} which of {} it is, by name or number{hint}", at(file, *line), flag(role), quoted(present))]
    UnclearColumn {
        /// What else may be wrong, or nothing.
        hint: String,
        /// The file.
        file: PathBuf,
        /// The line of the header, or the first line.
        line: usize,
        /// What the column should hold.
        role: &'static str,
        /// The names or fields present.
        present: Vec<String>,
    },
    /// Two options point at one column.
    #[error("{}: the {first} and the {second} cannot both be column {column}", file.display())]
    SameColumn {
        /// The file.
        file: PathBuf,
        /// The role of the first.
        first: &'static str,
        /// The role of the second.
        second: &'static str,
        /// The column's name or number.
        column: String,
    },
    /// A column was asked for by name where names do not exist.
    #[error("{}: column \"{name}\" is asked for by name, but the file has no header; give the column's number, or say --header yes", file.display())]
    NameWithoutHeader {
        /// The file.
        file: PathBuf,
        /// The name asked for.
        name: String,
    },
    /// A key of JSON Lines was asked for by number.
    #[error("{}: JSON Lines have keys, not numbered columns; give the name of the key instead of {number}", file.display())]
    NumberedKey {
        /// The file.
        file: PathBuf,
        /// The number given.
        number: usize,
    },
    /// A row has more or fewer fields than the first.
    #[error("{}: the row has {}; {expected} expected as on line {first_line}{hint}", at(file, *line), counted(*found, "field"))]
    FieldCount {
        /// The file.
        file: PathBuf,
        /// The line on which the row starts.
        line: usize,
        /// How many fields it has.
        found: usize,
        /// How many the first line has.
        expected: usize,
        /// The first line.
        first_line: usize,
        /// How to write the row instead, or nothing.
        hint: &'static str,
    },
    /// Two files of which the lines belong together have unequal counts of them.
    #[error("{} has {}, but {} has {}; each line of one belongs to the same line of the other", file.display(), counted(*lines, "line"), other.display(), counted(*other_lines, "line"))]
    UnequalLines {
        /// The file of the sources.
        file: PathBuf,
        /// How many lines it has.
        lines: usize,
        /// The file of the targets.
        other: PathBuf,
        /// How many lines that has.
        other_lines: usize,
    },
    /// A quoted field of CSV does not end.
    #[error("{}: the row that starts on line {line} opens a quote (\") that is never closed", file.display())]
    OpenQuote {
        /// The file.
        file: PathBuf,
        /// The line on which the row starts.
        line: usize,
    },
    /// The label is empty or missing.
    #[error("{}: the label is empty{hint}", at(file, *line))]
    EmptyLabel {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The way out, or nothing.
        hint: &'static str,
    },
    /// A text has several labels where one was expected.
    #[error("{}: {found}; one label was expected, and several are for a model that is trained with --multi-label", at(file, *line))]
    SeveralLabels {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// What stands there.
        found: String,
    },
    /// The text is empty or only white space.
    #[error("{}: the text is empty", at(file, *line))]
    EmptyText {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
    },
    /// A line is no JSON object.
    #[error("{}: not valid JSON: {problem}", at(file, *line))]
    Json {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// What the parser said.
        problem: String,
    },
    /// An object lacks a key.
    #[error("{}: the object has no key \"{key}\"; its keys are {}", at(file, *line), quoted(present))]
    NoKey {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The key expected.
        key: String,
        /// The keys present.
        present: Vec<String>,
    },
    /// A JSON value has the wrong type.
    #[error("{}: the {role} is {found}, {expected} was expected", at(file, *line))]
    JsonType {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// What the value should be.
        role: &'static str,
        /// The value found.
        found: String,
        /// The type expected.
        expected: &'static str,
    },
    /// A line is longer than this program reads.
    #[error("{}: the line is longer than {limit} bytes", at(file, *line))]
    LineTooLong {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The limit.
        limit: usize,
    },
    /// A line is not as its format has it.
    #[error("{}: {problem}", at(file, *line))]
    Line {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// What was found and what was expected.
        problem: String,
    },
    /// A row of a binary file is not as its format has it.
    #[error("{}, row {row}: {problem}", file.display())]
    Row {
        /// The file.
        file: PathBuf,
        /// The row, counted from 1.
        row: usize,
        /// What was found and what was expected.
        problem: String,
    },
    /// A value of a series is missing, no number, not finite, or too large.
    #[error("{}, channel {channel}, step {step}: \"{value}\" {}", at(file, *line), unfit_value(value))]
    SeriesValue {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The channel, counted from 1, or its name in quotes.
        channel: String,
        /// The time step in its sequence, counted from 1.
        step: usize,
        /// The value found.
        value: String,
    },
    /// A value of a series is missing, and is not to be masked.
    #[error("{}, channel {channel}, step {step}: \"{value}\" is a missing value; training with --missing mask reads it", at(file, *line))]
    MissingValue {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The channel, counted from 1, or its name in quotes.
        channel: String,
        /// The time step in its sequence, counted from 1.
        step: usize,
        /// What stands there.
        value: String,
    },
    /// Several lines have missing values, which are not to be masked.
    #[error("{}: {count} {}s have missing values; training with --missing mask reads them\n{}", file.display(), unit(file), listed(first, *count))]
    MissingValues {
        /// The file.
        file: PathBuf,
        /// How many there are.
        count: usize,
        /// What is missing on the first of them.
        first: Vec<String>,
    },
    /// A value so far from those of the training that a network cannot compute with it.
    #[error("{}, channel {channel}, step {step}: {value:e} is too far from what the channel has in the training data, where the mean is {mean:?} and the standard deviation {deviation:?}", at(file, *line))]
    FarValue {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The channel, counted from 1, or its name in quotes.
        channel: String,
        /// The time step in its sequence, counted from 1.
        step: usize,
        /// The value found.
        value: f32,
        /// The mean of the channel's training values.
        mean: f32,
        /// Their standard deviation.
        deviation: f32,
    },
    /// A series has another number of channels than the others, or than the model.
    #[error("{}: the sequence has {}; {expected} expected", at(file, *line), counted(*found, "channel"))]
    Channels {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// How many it has.
        found: usize,
        /// How many were expected.
        expected: usize,
    },
    /// The rows of one sequence have several labels.
    #[error("{}: sequence \"{id}\" has the label \"{found}\" here but \"{expected}\" on {} {first_line}; one label per sequence was expected", at(file, *line), unit(file))]
    SeriesLabel {
        /// The file.
        file: PathBuf,
        /// The line of the other label.
        line: usize,
        /// The sequence.
        id: String,
        /// The other label.
        found: String,
        /// The label of the first row.
        expected: String,
        /// The line of the first row.
        first_line: usize,
    },
    /// A label that the header of a `.ts` file does not list.
    #[error("{}: the label \"{label}\" is not among those of \"@classLabel\", {}", at(file, *line), quoted(declared))]
    UndeclaredLabel {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The label found.
        label: String,
        /// The labels that the header lists.
        declared: Vec<String>,
    },
    /// Only one class: nothing to learn.
    #[error("{}: every example has the label \"{label}\"; at least two labels were expected", file.display())]
    OneClass {
        /// The file.
        file: PathBuf,
        /// The only label.
        label: String,
    },
    /// Fewer than two labels among texts that may have several or none.
    #[error("{}: the texts have {}; with --multi-label at least two labels were expected. One label or none is the choice between two: write both, and leave --multi-label out", file.display(), only.as_ref().map_or("no label at all".to_owned(), |label| format!("the label {label:?} or none")))]
    TooFewLabels {
        /// The file.
        file: PathBuf,
        /// The only label, where there is one.
        only: Option<String>,
    },
    /// An input of another kind than the model reads.
    #[error("{}: {found} stands where {expected} was expected", at(file, *line))]
    Kind {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// What stands there.
        found: &'static str,
        /// What the model reads.
        expected: &'static str,
    },
    /// A row would take more memory than allowed.
    #[error("{}: {problem}", at(file, *line))]
    Memory {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// How much it would take, how much is allowed, and the way out.
        problem: String,
    },
    /// Nearly every row has a label of its own.
    #[error("{}: the {} has {distinct} different values in {rows} rows, the first of them {}; is it an id? Labels that come again were expected; name their column with --label", file.display(), label_column(column), quoted(first))]
    LabelsAreIds {
        /// The file.
        file: PathBuf,
        /// The column, where it was named.
        column: Option<String>,
        /// How many different labels there are.
        distinct: usize,
        /// How many rows there are.
        rows: usize,
        /// The first few of the labels.
        first: Vec<String>,
    },
    /// A label that the training data do not have.
    #[error("{}: the label \"{label}\" was never trained; the labels are {}", at(file, *line), quoted(known))]
    UnknownLabel {
        /// The file.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The label found.
        label: String,
        /// The labels trained.
        known: Vec<String>,
    },
    /// A fraction that splits nothing.
    #[error("--validation-split is {fraction}; a number above 0 and below 1 was expected")]
    SplitFraction {
        /// The fraction given.
        fraction: f64,
    },
    /// The held-out side would be empty, whatever the share.
    #[error(
        "--validation-split {fraction} holds none of {examples} examples apart, for each is the only one of its label (of a translator, the only source) and must be trained on; --validation-split 0 trains on all of them, and --validation names a file to judge by"
    )]
    SplitSingles {
        /// The fraction given.
        fraction: f64,
        /// How many examples there are.
        examples: usize,
    },
    /// The held-out side would be empty.
    #[error(
        "--validation-split {fraction} of {examples} examples holds none apart; give more examples, a larger share, or 0 for none"
    )]
    SplitEmpty {
        /// The fraction given.
        fraction: f64,
        /// How many examples there are.
        examples: usize,
    },
}

/// The option that tells which column has this role.
fn flag(role: &str) -> &str {
    match role {
        "text" => "--text",
        "label" => "--label",
        "values" => "--values",
        "time" => "--time",
        "source" => "--source",
        "target" => "--target",
        _ => "--id",
    }
}

/// What is wrong with a value that is no finite number of 32 bits.
fn unfit_value(value: &str) -> &'static str {
    match value.replace(',', ".").parse::<f64>() {
        Ok(number) if number.is_finite() && number.abs() > f64::from(f32::MAX) => {
            "is more than 32 bits hold, in which series are read (3.4e38 either way); scale the channel"
        }
        _ => "is not a finite number",
    }
}

fn label_column(column: &Option<String>) -> String {
    column.as_ref().map_or_else(|| "label".into(), |column| format!("label column {column}"))
}

/// One line each.
fn listed(lines: &[String], count: usize) -> String {
    let more = if count > lines.len() { format!("\n  and {} more", count - lines.len()) } else { String::new() };
    format!("  {}{more}", lines.join("\n  "))
}

/// The names in quotes, with commas; a long list is cut, and so is a long name.
pub(crate) fn quoted(names: &[String]) -> String {
    const SHOWN: usize = 20;
    const LETTERS: usize = 80;
    let quoted = |name: &String| match name.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{:?}..", &name[..end]),
        None => format!("{name:?}"),
    };
    let mut text = names.iter().take(SHOWN).map(quoted).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}
