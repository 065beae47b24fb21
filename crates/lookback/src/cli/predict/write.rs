//! How answers are written: an object or a row for each.

use std::collections::HashSet;
use std::io::{IsTerminal, stdout};
use std::sync::Arc;

use clap::ValueEnum;
use lookback_infer::data::tagged::Document;
use lookback_infer::data::{Column, Keep, Kept};
use lookback_infer::model::{Answer, Ask, Field, Model, Shape};
use serde_json::{Map, Value, json};

use super::sentences::{Sentences, check_sentences};
use crate::cli::UsageError;
use crate::insight::terminal;

/// The field with the line of the input.
const LINE: &str = "line";
/// The field with the columns of the input that are kept.
const INPUT: &str = "input";
/// The field that says why there is no answer.
const ERROR: &str = "error";

/// The field with the paths that a forecaster draws.
const SAMPLES: &str = "samples";

/// How answers are written.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum OutputFormat {
    /// One JSON object per line
    #[default]
    Jsonl,
    /// A table of commas, with a header
    Csv,
    /// A table of tabs, with a header
    Tsv,
    /// The texts that a model writes, a line each; an empty line where there is no answer
    Text,
    /// A token and its tag per line, a blank line between sentences; of a file in such a format the same with the tags in it
    Conll,
}

impl OutputFormat {
    /// Whether it has no place for texts alone; of the usual one nobody may have said anything.
    pub(super) fn is_not_of_texts(self) -> bool {
        !matches!(self, OutputFormat::Jsonl | OutputFormat::Text)
    }

    /// What stands between the columns of a table.
    pub(super) fn separator(self) -> Option<u8> {
        match self {
            OutputFormat::Jsonl | OutputFormat::Text | OutputFormat::Conll => None,
            OutputFormat::Csv => Some(b','),
            OutputFormat::Tsv => Some(b'\t'),
        }
    }
}

/// What is to be written, and how.
pub(super) struct Written<'a> {
    pub(super) format: OutputFormat,
    /// Names of fields, where they are said.
    pub(super) fields: Option<&'a [String]>,
    /// The sentences that are answered, where the inputs are such.
    pub(super) document: Option<Arc<Document>>,
}

/// Writes answers to inputs, in their order.
pub(super) struct Writer {
    separator: Option<u8>,
    fields: Vec<Field>,
    keep: Keep,
    /// The input's own columns of a table, once its header is written.
    kept: Option<Vec<String>>,
    /// Whether it was told that an input has others.
    others_told: bool,
    text: String,
    /// The sentences into which tags are written, where they are.
    sentences: Option<Sentences>,
    /// The field that is written alone, where texts are.
    plain: Option<&'static str>,
    /// The rows of a table since they were last asked for.
    rows: Option<csv::Writer<Vec<u8>>>,
}

/// A writer of rows.
fn rows(separator: u8) -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().delimiter(separator).flexible(false).from_writer(Vec::new())
}

impl Writer {
    /// One that writes what `chosen` names, or what is usual. `keep`: what goes with every answer.
    ///
    /// # Errors
    /// If there is no such field, or it does not go into a table.
    pub(super) fn new(written: Written<'_>, keep: Keep, model: &dyn Model, ask: &Ask) -> Result<Writer, UsageError> {
        let Written { format, fields: chosen, document } = written;
        let separator = format.separator();
        let sentences = (format == OutputFormat::Conll).then_some(Sentences { document, next: 0 });
        if sentences.is_some() {
            check_sentences(model, ask, chosen, &keep)?;
        }
        let plain = (format == OutputFormat::Text).then(|| plain_field(model, ask, chosen, &keep)).transpose()?;
        if let (Some(_), Some(why)) = (separator, model.without_table()) {
            return Err(UsageError(format!("--output-format: {why}; jsonl has a place for them")));
        }
        let lists = [("attention", ask.views), ("samples", ask.forecast.samples.is_some())];
        if let (Some(_), Some((option, _))) = (separator, lists.into_iter().find(|(_, said)| *said)) {
            let problem = "gives lists, for which a table has no place; --output-format jsonl has one";
            return Err(UsageError(format!("--{option} {problem}")));
        }
        let search = &ask.search;
        let several = [("count", search.count), ("n-best", search.n_best)];
        if let (true, Some((option, _))) = (
            separator.is_some() || plain.is_some(),
            several.into_iter().find(|(_, count)| count.is_some_and(|count| count > 1)),
        ) {
            let problem =
                format!("--{option} gives several texts of an input, for which --output-format jsonl has a place");
            return Err(UsageError(problem));
        }
        let there = fields(model, ask, &keep);
        let fields = match chosen {
            Some(names) => choose(names, there, separator.is_some())?,
            None => there
                .into_iter()
                .filter(|field| if separator.is_some() { field.in_tables } else { field.in_objects })
                .collect(),
        };
        check_columns(&fields, separator)?;
        if ask.views && !fields.iter().any(|field| field.shape == Shape::Lists) {
            let problem = "gives nothing that is written; --fields names no list of it";
            return Err(UsageError(format!("--attention {problem}")));
        }
        if ask.forecast.samples.is_some() && !fields.iter().any(|field| field.name == SAMPLES) {
            return Err(UsageError(format!(
                "--samples gives nothing that is written; --fields does not name {SAMPLES}"
            )));
        }
        let rows = separator.map(rows);
        Ok(Writer {
            separator,
            fields,
            keep,
            kept: None,
            others_told: false,
            text: String::new(),
            sentences,
            plain,
            rows,
        })
    }

    /// What was written since this was last asked.
    ///
    /// # Errors
    /// If the cells of a table cannot be written.
    pub(super) fn take(&mut self) -> anyhow::Result<String> {
        let shown = |text: String| if stdout().is_terminal() { terminal::printable_lines(&text) } else { text };
        let Some(separator) = self.separator else {
            let text = std::mem::take(&mut self.text);
            return Ok(if self.sentences.is_some() || self.plain.is_some() { shown(text) } else { text });
        };
        let Some(written) = self.rows.replace(rows(separator)) else { return Ok(String::new()) };
        let text = String::from_utf8(written.into_inner()?)?;
        // A table keeps its cells as they are, unless somebody looks at it.
        Ok(shown(text))
    }

    /// Begins a table, whose columns follow from the first input that has any.
    pub(super) fn begin<'a>(&mut self, inputs: impl Iterator<Item = &'a Kept>) -> anyhow::Result<()> {
        if self.separator.is_none() || self.kept.is_some() {
            return Ok(());
        }
        let mut inputs = inputs.map(Kept::names).filter(|names| !names.is_empty());
        let names = match (inputs.next(), &self.keep) {
            (Some(names), _) => names.to_vec(),
            (None, Keep::Columns(columns)) => columns.iter().map(Column::as_key).collect(),
            (None, _) => Vec::new(),
        };
        let own: HashSet<String> = self.fields.iter().flat_map(columns).chain([ERROR.to_owned()]).collect();
        let call = |name: &String| match own.contains(name) {
            true => {
                tracing::info!(
                    "the input's column {name:?} is written as \"{INPUT}.{name}\", for answers have one of that name"
                );
                format!("{INPUT}.{name}")
            }
            false => name.clone(),
        };
        let called: Vec<String> = names.iter().map(call).collect();
        let header =
            self.fields.iter().flat_map(|field| if field.name == INPUT { called.clone() } else { columns(field) });
        let header: Vec<String> = header.chain([ERROR.to_owned()]).collect();
        self.kept = Some(names);
        self.row(header)
    }

    /// An answer.
    pub(super) fn answer(&mut self, line: usize, kept: &Kept, answer: Answer) -> anyhow::Result<()> {
        match (&mut self.sentences, self.plain) {
            (Some(sentences), _) => sentences.write(&answer.json, &mut self.text),
            (None, Some(field)) => {
                let text = answer.json.get(field).and_then(Value::as_str).unwrap_or_default();
                // A line each, whatever stands in it.
                self.text.push_str(&text.replace(['\r', '\n'], " "));
                self.text.push('\n');
                Ok(())
            }
            (None, None) => match answer.rows.filter(|_| self.separator.is_some()) {
                Some(rows) => rows.into_iter().try_for_each(|row| self.write(line, kept, row, None)),
                None => self.write(line, kept, answer.json, None),
            },
        }
    }

    /// Why there is none.
    pub(super) fn error(&mut self, line: usize, kept: &Kept, sentence: &str) -> anyhow::Result<()> {
        match (&mut self.sentences, self.plain) {
            (Some(sentences), _) => {
                tracing::warn!("line {line}: {sentence}");
                sentences.write(&Map::new(), &mut self.text)
            }
            (None, Some(_)) => {
                tracing::warn!("line {line}: {sentence}");
                self.text.push('\n');
                Ok(())
            }
            (None, None) => self.write(line, kept, Map::new(), Some(sentence)),
        }
    }

    /// Writes what stands behind the last input.
    pub(super) fn end(&mut self) -> anyhow::Result<()> {
        match &self.sentences {
            Some(sentences) => sentences.end(&mut self.text),
            None => Ok(()),
        }
    }

    fn write(
        &mut self,
        line: usize,
        kept: &Kept,
        mut said: Map<String, Value>,
        error: Option<&str>,
    ) -> anyhow::Result<()> {
        if self.separator.is_some() {
            self.tell_others(line, kept);
            let cells = self.cells(line, kept, &said);
            return self.row(cells.into_iter().chain([error.unwrap_or_default().to_owned()]));
        }
        let mut object = Map::new();
        if error.is_some() {
            // Whatever is wanted of answers: this must be found.
            object.insert(LINE.into(), json!(line));
        }
        for field in &self.fields {
            let value = match field.name.as_str() {
                LINE => Some(json!(line)),
                // Of a line that could not be read there is nothing.
                INPUT if error.is_some() && kept.names().is_empty() => None,
                INPUT => Some(Value::Object(kept.json())),
                name => said.remove(name),
            };
            if let Some(value) = value {
                object.insert(field.name.clone(), value);
            }
        }
        if let Some(error) = error {
            object.insert(ERROR.into(), json!(error));
        }
        self.text.push_str(&terminal::printable_json(&Value::Object(object).to_string()));
        self.text.push('\n');
        Ok(())
    }

    /// Tells of the first columns that come too late for the header.
    fn tell_others(&mut self, line: usize, kept: &Kept) {
        let Some(names) = self.kept.as_ref().filter(|names| !self.others_told && kept.names() != names.as_slice())
        else {
            return;
        };
        if let Some(other) = kept.names().iter().find(|name| !names.contains(name)) {
            tracing::warn!(
                "line {line}: the key {other:?} is none of the first input's and has no column; --keep names keys, and \
                 --output-format jsonl has a place for any"
            );
            self.others_told = true;
        }
    }

    /// The cells of a row, that of the error left out.
    fn cells(&self, line: usize, kept: &Kept, said: &Map<String, Value>) -> Vec<String> {
        let mut cells = Vec::new();
        for field in &self.fields {
            match (field.name.as_str(), &field.shape) {
                (LINE, _) => cells.push(line.to_string()),
                (INPUT, _) => {
                    let names = self.kept.iter().flatten().enumerate();
                    // Of a table every row has the same columns; objects may have others.
                    let value = |(place, name): (usize, &String)| match kept.names().get(place) == Some(name) {
                        true => kept.iter().nth(place).map(|(_, value)| value),
                        false => kept.get(name),
                    };
                    cells.extend(names.map(|name| cell(value(name))));
                }
                (name, Shape::Values(keys)) => {
                    let value = |key: &String| said.get(name).and_then(|object| object.get(key));
                    cells.extend(keys.iter().map(|key| cell(value(key))));
                }
                (name, _) => cells.push(cell(said.get(name))),
            }
        }
        cells
    }

    fn row(&mut self, cells: impl IntoIterator<Item = String>) -> anyhow::Result<()> {
        match &mut self.rows {
            Some(rows) => Ok(rows.write_record(cells)?),
            None => Ok(()),
        }
    }
}

/// The field of plain texts.
fn plain_field(
    model: &dyn Model,
    ask: &Ask,
    chosen: Option<&[String]>,
    keep: &Keep,
) -> Result<&'static str, UsageError> {
    let refuse = |problem: &str| Err(UsageError(format!("--output-format text {problem}; jsonl has a place for it")));
    match model.text_field() {
        None => refuse("is of models that write texts, but this one gives more than a text"),
        Some(_) if chosen.is_some() => refuse("is one text a line, but --fields names what goes into a line"),
        Some(_) if ask.generate.score => refuse("is one text a line, but --score writes none"),
        Some(_) if ask.views => refuse("is one text a line, but --attention gives lists beside it"),
        Some(_) if !keep.is_nothing() => refuse("is one text a line, but --keep puts something beside it"),
        Some(field) => Ok(field),
    }
}

/// All that an answer may say, the input's own columns behind the line.
fn fields(model: &dyn Model, ask: &Ask, keep: &Keep) -> Vec<Field> {
    let usual = |name: &str| Field { name: name.into(), shape: Shape::Value, in_objects: true, in_tables: true };
    let own = (!keep.is_nothing()).then(|| usual(INPUT));
    std::iter::once(usual(LINE)).chain(own).chain(model.fields(ask)).collect()
}

/// The fields with these names, in their order; what is kept goes first unless it is among them.
fn choose(names: &[String], mut there: Vec<Field>, is_table: bool) -> Result<Vec<Field>, UsageError> {
    let all: Vec<String> = there.iter().map(|field| field.name.clone()).collect();
    let mut chosen = Vec::new();
    for name in names {
        let Some(place) = there.iter().position(|field| field.name == name.trim()) else {
            let twice = all.contains(name);
            let problem =
                if twice { "is named twice".to_owned() } else { format!("is none; there are {}", all.join(", ")) };
            return Err(UsageError(format!("--fields: \"{name}\" {problem}")));
        };
        let field = there.remove(place);
        if is_table && field.shape == Shape::Lists {
            let problem = "is lists, for which a table has no place; --output-format jsonl has one";
            return Err(UsageError(format!("--fields: \"{name}\" {problem}")));
        }
        chosen.push(field);
    }
    if let Some(place) = there.iter().position(|field| field.name == INPUT) {
        let behind_line = usize::from(chosen.first().is_some_and(|field| field.name == LINE));
        chosen.insert(behind_line, there.remove(place));
    }
    Ok(chosen)
}

/// Refuses a table in which two columns of an answer have one name, as a label may be that of another field.
fn check_columns(fields: &[Field], separator: Option<u8>) -> Result<(), UsageError> {
    let mut seen = HashSet::from([ERROR.to_owned()]);
    match fields.iter().flat_map(columns).find(|name| !seen.insert(name.clone())) {
        Some(name) if separator.is_some() => {
            let problem = "would be the name of two columns, one of a label; --output-format jsonl tells them apart";
            Err(UsageError(format!("--fields: {name:?} {problem}")))
        }
        _ => Ok(()),
    }
}

/// What the columns of a field are called, but for those of the input.
fn columns(field: &Field) -> Vec<String> {
    match &field.shape {
        Shape::Values(keys) => keys.clone(),
        _ if field.name == INPUT => Vec::new(),
        _ => vec![field.name.clone()],
    }
}

/// A value as it stands in a cell.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        // A label that holds what would stand between two is told apart from two by the list itself.
        Some(Value::Array(values))
            if values.iter().all(|value| value.as_str().is_some_and(|text| !text.contains('|'))) =>
        {
            values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|")
        }
        Some(other) => other.to_string(),
    }
}
