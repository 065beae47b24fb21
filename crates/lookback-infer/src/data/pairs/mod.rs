//! Pairs of a source and its target, or several targets, from files.
//!
//! # Where they stand
//! In two columns of a table (CSV, TSV, Parquet, Arrow), under two keys of JSON, or in two files of text, of which line `i` of one
//! belongs to line `i` of the other. A file of text without an extension that tells is read as a table if it has tabs, as JSON if it
//! begins with an object or an array of them.
//!
//! # Which columns
//! Those that are told, by name or number; else those that have the names that the training data had; else those with the names that
//! data sets use: `source`, `src`, `input`, `article`, `document`, `question`, `word`, `text` and `target`, `tgt`, `output`,
//! `translation`, `summary`, `highlights`, `reference`, `pronunciation`, `phonemes`. Of exactly two columns the first is the source and
//! the second the target where nothing tells; so it is of a key that holds an object of two texts, as
//! `{"translation": {"en": "..", "de": ".."}}`. Anything else is an error that asks.
//!
//! # Whether the first line is a header
//! It is when told so, and when a column is asked for by name; if it holds a known name of a source and one of a target, or one of
//! them that never comes again while every field is one word; if it holds codes of languages, such as `en` and `pt-BR`; and if
//! it has a word where all other rows have numbers.
//!
//! # What is read how
//! As tables of texts are, see [`table`](super::table): encoding, separator and quotes are found out and told, blank rows are skipped.
//! Sources keep the white space around them, as texts do when they are answered; targets lose it. A list in JSON or in a column of
//! lists is several targets of one source, and so are several rows with the same source, once they are [`grouped`](Pairs::grouped).

mod columns;
mod delimited;
mod json;
#[cfg(feature = "parquet")]
mod of_columns;
mod options;
mod side_by_side;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;

pub use self::options::PairOptions;
use super::bad_rows::BadRows;
use super::columnar::{self, Content};
use super::encoding::Decoded;
use super::table::TableColumns;
use super::{Format, file_text};
use crate::error::{DataError, counted};

/// A source, and what it becomes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// The source as it stands in the file; not blank.
    pub source: String,
    /// At least one, none of them blank, without white space around them.
    pub targets: Vec<String>,
    /// The line of the source, counted from 1; of several that were grouped, the first.
    pub line: usize,
}

/// The pairs of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairs {
    /// At least one.
    pub pairs: Vec<Pair>,
    /// The columns of a table, or keys, by which those of other files are found: `text` is the source and `label` the target. Two
    /// files side by side have none.
    pub columns: Option<TableColumns>,
}

/// Reads all pairs, and tells how. `target_file`: the targets, where they stand in a file of their own; `trained`: the columns of
/// the training data, where these are other data.
///
/// # Errors
/// If a file cannot be read, is no text or is empty; if a column is missing or unclear, or one is to be both; if two files have
/// unequal counts of lines; if a pair lacks its source or its target and is not to be left out; and if no pair is left.
pub fn read_pairs(
    file: &Path,
    target_file: Option<&Path>,
    options: &PairOptions,
    trained: Option<&TableColumns>,
) -> Result<Pairs, DataError> {
    let read = match target_file {
        Some(target_file) => side_by_side::read(file, target_file, options)?,
        None => read_one(file, options, trained)?,
    };
    let name = file_text::name(file);
    let mut bad = BadRows::of_pairs();
    let pairs: Vec<Pair> = read.rows.into_iter().filter_map(|row| bad.keep(row)).collect();
    bad.settle(&name, options.layout.on_bad_row)?;
    if pairs.is_empty() {
        return Err(DataError::NoExamples { file: name });
    }
    let pairs = Pairs { pairs, columns: read.columns };
    pairs.tell_doubts(&name);
    Ok(pairs)
}

impl Pairs {
    /// With all targets of a source in one pair, in the order in which the sources first appear; one that comes again is there
    /// again, for it is learnt as often. Sources are the same if they differ in nothing but white space around them.
    #[must_use]
    pub fn grouped(self) -> Pairs {
        let mut places: HashMap<String, usize> = HashMap::with_capacity(self.pairs.len());
        let mut grouped: Vec<Pair> = Vec::with_capacity(self.pairs.len());
        for Pair { source, targets, line } in self.pairs {
            let place = *places.entry(source.trim().to_owned()).or_insert(grouped.len());
            if place == grouped.len() {
                grouped.push(Pair { source, targets: Vec::new(), line });
            }
            grouped[place].targets.extend(targets);
        }
        Pairs { pairs: grouped, ..self }
    }

    /// With one target in each pair, in order: what is trained on.
    #[must_use]
    pub fn apart(self) -> Pairs {
        let apart = |Pair { source, targets, line }: Pair| {
            targets.into_iter().map(move |target| Pair { source: source.clone(), targets: vec![target], line })
        };
        Pairs { pairs: self.pairs.into_iter().flat_map(apart).collect(), ..self }
    }

    /// Tells what may be a mistake, or at least should be known.
    fn tell_doubts(&self, file: &Path) {
        let name = file.display();
        let mut targets: HashMap<&str, (&str, bool)> = HashMap::with_capacity(self.pairs.len());
        for pair in &self.pairs {
            for target in &pair.targets {
                let known = targets.entry(pair.source.trim()).or_insert((target, false));
                known.1 |= known.0 != target;
            }
        }
        let repeated = self.pairs.len() - targets.len();
        if repeated > 0 {
            let (pairs, sources) = (counted(self.pairs.len(), "pair"), counted(targets.len(), "source"));
            tracing::info!(
                "{name}: {pairs} of {sources}; the same source is judged once, and any of its targets is right"
            );
        }
        let several = targets.values().filter(|(_, differ)| *differ).count();
        if several > 0 {
            let (sources, have) = (counted(several, "source"), if several == 1 { "has" } else { "have" });
            tracing::info!("{name}: {sources} of {} {have} several targets", targets.len());
        }
        let is_copied = |pair: &&Pair| pair.targets.iter().all(|target| target == pair.source.trim());
        let copied = self.pairs.iter().filter(is_copied).count();
        if copied > 0 {
            tracing::info!("{name}: in {} the target is the source", counted(copied, "pair"));
        }
    }
}

/// Pairs as they were read, and the columns they stood in.
struct Read {
    rows: Vec<Result<Pair, DataError>>,
    columns: Option<TableColumns>,
}

/// A table as it was found to be.
struct Found {
    rows: Vec<Result<Pair, DataError>>,
    columns: TableColumns,
    /// Such as "commas between the columns".
    form: String,
}

/// The pairs of one file, with their columns; tells how they were read.
fn read_one(file: &Path, options: &PairOptions, trained: Option<&TableColumns>) -> Result<Read, DataError> {
    let format = options.format.or_else(|| Format::of_texts(file));
    let content = columnar::content(file, format, options.layout.encoding)?;
    let name = &file_text::name(file);
    let (found, decoded) = match content {
        Content::Text(decoded) => {
            let text = &decoded.text;
            let format = format.or_else(|| Format::of_content(text)).or_else(|| has_tabs(text).then_some(Format::Tsv));
            let found = match format {
                Some(format @ (Format::Csv | Format::Tsv)) => delimited::read(name, text, format, options, trained)?,
                Some(Format::Jsonl) => json::read(name, text, options, trained)?,
                _ => return Err(DataError::UnknownFormat { file: name.clone(), expected: Format::OF_PAIRS, hint: "" }),
            };
            (found, Some(decoded))
        }
        #[cfg(feature = "parquet")]
        Content::Columns(source) => (of_columns::read(name, &source, options, trained)?, None),
    };
    let Found { rows, columns, form } = found;
    let count = counted(rows.len(), "row");
    let told = format!("{form}, {count}; {}", sentence(&columns));
    match decoded {
        Some(Decoded { encoding, guessed: true, .. }) => {
            let name = name.display();
            tracing::warn!("{name}: {encoding}, {told}; the encoding was found out, --encoding says another");
        }
        Some(Decoded { encoding, .. }) => tracing::info!("{}: {encoding}, {told}", name.display()),
        None => tracing::info!("{}: {told}", name.display()),
    }
    Ok(Read { rows, columns: Some(columns) })
}

/// Whether the first line in which anything stands has a tab within.
fn has_tabs(text: &str) -> bool {
    text.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| line.trim().contains('\t'))
}

/// Which column was used for what.
fn sentence(columns: &TableColumns) -> String {
    let name = |place: usize| match (columns.header, columns.names.get(place)) {
        (true, Some(name)) => format!("{name:?}"),
        _ => (place + 1).to_string(),
    };
    let target = columns.label.map_or_else(String::new, name);
    let is_aside = |place: &usize| *place != columns.text && Some(*place) != columns.label;
    let aside: Vec<String> = (0..columns.names.len()).filter(is_aside).map(name).collect();
    let aside = if aside.is_empty() { String::new() } else { format!("; left aside: {}", aside.join(", ")) };
    format!("sources from column {}, targets from {target}{aside}", name(columns.text))
}

/// A pair, where nothing of it is blank. `place`: the file and the line of the source; `target`: those of the target.
fn pair(
    place: (&Path, usize),
    source: String,
    target: (&Path, usize),
    targets: Vec<String>,
) -> Result<Pair, DataError> {
    let blank = |(file, line): (&Path, usize), problem: &str| {
        Err(DataError::Line { file: file.into(), line, problem: problem.to_owned() })
    };
    if source.trim().is_empty() {
        return blank(place, "the source is empty; a text was expected");
    }
    let targets: Vec<String> = targets.iter().map(|target| target.trim().to_owned()).collect();
    match targets.iter().filter(|target| target.is_empty()).count() {
        0 if !targets.is_empty() => Ok(Pair { source, targets, line: place.1 }),
        empty if empty == targets.len() => blank(target, "the target is empty; what the source becomes was expected"),
        _ => blank(target, "one of the targets is empty; each was expected to be what the source becomes"),
    }
}
