//! Options in a TOML file, under the names of the flags; a flag wins over the file.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::Wrong;
use crate::error::in_plain_words;

/// The options of `file` with those of `flags` laid over them. A key that is no option, or a value that does not fit
/// its option, is an error that names file and line.
pub(super) fn merge<T: Args + Serialize + DeserializeOwned>(flags: &T, file: &Path) -> anyhow::Result<T> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| Wrong(format!("{name}: cannot be read: {error}")))?;
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| line_at(&text, span.start));
        Wrong(format!("{name}, line {line}: not valid TOML: {}", error.message()))
    })?;
    let known = option_names::<T>();
    for (key, value) in &table {
        let line = line_of(&text, key);
        if !known.contains(key.as_str()) {
            let known: Vec<_> = known.iter().map(String::as_str).collect();
            return Err(Wrong(format!(
                "{name}, line {line}: there is no option '{key}'; there are {}",
                known.join(", ")
            ))
            .into());
        }
        let alone = Table::from_iter([(key.clone(), value.clone())]);
        if let Err(error) = T::deserialize(Value::Table(alone)) {
            let problem = in_plain_words(error.message().trim());
            return Err(Wrong(format!("{name}, line {line}: {key}: {problem}")).into());
        }
    }
    table.extend(Table::try_from(flags)?);
    Ok(T::deserialize(Value::Table(table))?)
}

fn option_names<T: Args>() -> BTreeSet<String> {
    let command = T::augment_args(clap::Command::new("options"));
    command.get_arguments().filter_map(|argument| argument.get_long().map(str::to_string)).collect()
}

fn line_at(text: &str, byte: usize) -> usize {
    text.get(..byte).map_or(1, |before| before.matches('\n').count() + 1)
}

/// The line where a key of the top level stands.
fn line_of(text: &str, key: &str) -> usize {
    let stands_here = |line: &str| {
        let line = line.trim_start().trim_start_matches(['[', '"', '\'']);
        line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(['=', '"', '\'', ']', '.']))
    };
    text.lines().position(stands_here).map_or(1, |index| index + 1)
}
