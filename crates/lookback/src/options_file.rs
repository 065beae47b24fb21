//! Options in a TOML file, under the names of the flags; a flag wins over the file.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Args;
use lookback_infer::error::in_plain_words;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// A file with options that cannot be used, in a sentence that names file and line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongFile(String);

/// Options that exclude each other: one on the command line wins over the other in the file.
const EXCLUSIVE: [[&str; 2]; 2] = [["validation", "validation-split"], ["batch-size", "batch-tokens"]];

/// The option that says one thing for several places, and those that say it of one.
const GENERAL: &str = "dropout";
const OF_PLACES: [&str; 3] = ["embedding-dropout", "layer-dropout", "output-dropout"];

/// A file of options, of which each part of the program takes its own.
#[derive(Clone, Debug)]
pub struct OptionsFile {
    name: String,
    text: String,
    table: Table,
}

impl OptionsFile {
    /// Reads a file that holds options of these commands alone. A key that is no option is an error that names file and line.
    pub(crate) fn read(file: &Path, commands: &[&clap::Command]) -> Result<OptionsFile, WrongFile> {
        let name = file.display().to_string();
        let text =
            std::fs::read_to_string(file).map_err(|error| WrongFile(format!("{name}: cannot be read: {error}")))?;
        let mut table: Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| line_at(&text, span.start));
            WrongFile(format!("{name}, line {line}: not valid TOML: {}", error.message()))
        })?;
        let known: BTreeSet<String> = commands.iter().flat_map(|command| names_of(command)).collect();
        with_hyphens(&mut table, &known).map_err(|(key, spelt)| {
            let line = line_of(&text, &key);
            WrongFile(format!("{name}, line {line}: '{key}' and '{spelt}' are the same option"))
        })?;
        if let Some(key) = table.keys().find(|key| !known.contains(key.as_str())) {
            let line = line_of(&text, key);
            let all: Vec<_> = known.iter().map(String::as_str).collect();
            let hint = nearest(key, &known).map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
            let all = all.join(", ");
            return Err(WrongFile(format!("{name}, line {line}: there is no option '{key}'{hint}; there are {all}")));
        }
        Ok(OptionsFile { name, text, table })
    }

    /// Those options that are `T`'s, with `flags` laid over them. A value that does not fit its option is an error that names
    /// file and line.
    pub(crate) fn under<T: Args + Serialize + DeserializeOwned>(&self, flags: &T) -> Result<T, WrongFile> {
        let broken = |error: &dyn std::fmt::Display| WrongFile(format!("{}: {error}", self.name));
        let own = names_of(&T::augment_args(clap::Command::new("options")));
        let mut table: Table = self.table.clone().into_iter().filter(|(key, _)| own.contains(key)).collect();
        for (key, value) in &table {
            let alone = Table::from_iter([(key.clone(), value.clone())]);
            if let Err(error) = T::deserialize(Value::Table(alone)) {
                let (line, problem) = (line_of(&self.text, key), in_plain_words(error.message().trim()));
                return Err(WrongFile(format!("{}, line {line}: {key}: {problem}", self.name)));
            }
        }
        let flags = Table::try_from(flags).map_err(|error| broken(&error))?;
        for pair in EXCLUSIVE.iter().filter(|pair| pair.iter().any(|option| flags.contains_key(*option))) {
            pair.iter().for_each(|option| drop(table.remove(*option)));
        }
        table.extend(flags);
        T::deserialize(Value::Table(table)).map_err(|error| broken(&error))
    }
}

/// Options as they stand in a file.
pub(crate) fn table<T: Serialize>(options: &T) -> Result<Table, WrongFile> {
    Table::try_from(options).map_err(|error| WrongFile(format!("the options cannot be written: {error}")))
}

/// The options in a table, such as [`table`] makes.
pub(crate) fn of_table<T: DeserializeOwned>(table: &Table) -> Result<T, WrongFile> {
    let wrong = |error: toml::de::Error| WrongFile(in_plain_words(error.message().trim()));
    T::deserialize(Value::Table(table.clone())).map_err(wrong)
}

/// `options` laid over those that stand below them.
pub(crate) fn over<T: Serialize + DeserializeOwned>(options: &T, below: &T) -> Result<T, WrongFile> {
    let wrong = |error: &dyn std::fmt::Display| WrongFile(format!("the options cannot be put together: {error}"));
    let mut table = Table::try_from(below).map_err(|error| wrong(&error))?;
    let options = Table::try_from(options).map_err(|error| wrong(&error))?;
    if options.contains_key(GENERAL) {
        OF_PLACES.iter().for_each(|option| drop(table.remove(*option)));
    }
    table.extend(options);
    T::deserialize(Value::Table(table)).map_err(|error| wrong(&error))
}

/// Names written as programs do, `learning_rate`, as options have them; gives both where an option stands twice.
fn with_hyphens(table: &mut Table, known: &BTreeSet<String>) -> Result<(), (String, String)> {
    let keys: Vec<String> = table.keys().filter(|key| key.contains('_') && !known.contains(*key)).cloned().collect();
    for key in keys {
        let spelt = key.replace('_', "-");
        if !known.contains(&spelt) {
            continue;
        }
        if table.contains_key(&spelt) {
            return Err((key, spelt));
        }
        if let Some(value) = table.remove(&key) {
            table.insert(spelt, value);
        }
    }
    Ok(())
}

/// The option that `key` was meant to be, where one is near enough.
fn nearest<'a>(key: &str, known: &'a BTreeSet<String>) -> Option<&'a str> {
    /// Alike by this or more: a letter or two are wrong.
    const ALIKE: f64 = 0.8;
    let likeness = |option: &&String| strsim::jaro_winkler(key, option);
    let best = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&best) >= ALIKE).then_some(best.as_str())
}

/// The options of a command.
fn names_of(command: &clap::Command) -> BTreeSet<String> {
    command.get_arguments().filter_map(|argument| argument.get_long().map(str::to_string)).collect()
}

fn line_at(text: &str, byte: usize) -> usize {
    text.get(..byte).map_or(1, |before| before.matches('\n').count() + 1)
}

/// The line where a key of the top level stands.
fn line_of(text: &str, key: &str) -> usize {
    let stands_here = |line: &str| {
        let line = line.trim_start().trim_start_matches(['[', '"', '\'']);
        let underscored = key.replace('-', "_");
        let rest = line.strip_prefix(key).or_else(|| line.strip_prefix(&underscored));
        rest.is_some_and(|rest| rest.trim_start().starts_with(['=', '"', '\'', ']', '.']))
    };
    text.lines().position(stands_here).map_or(1, |index| index + 1)
}
