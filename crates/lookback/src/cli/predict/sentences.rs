//! Answers as tags beside the tokens of their inputs.

use std::sync::Arc;

use lookback_infer::data::Keep;
use lookback_infer::data::tagged::Document;
use lookback_infer::model::{Ask, Model};
use serde_json::{Map, Value};

use crate::cli::UsageError;

/// What stands in the place of a tag where there is none.
const NONE: &str = "_";

/// Sentences into which tags are written.
pub(super) struct Sentences {
    /// The file that they stand in, where the inputs are cut into tokens.
    pub(super) document: Option<Arc<Document>>,
    /// How many are written.
    pub(super) next: usize,
}

/// Refuses what does not go with tags beside tokens.
///
/// # Errors
/// A sentence that names the option.
pub(super) fn check_sentences(
    model: &dyn Model,
    ask: &Ask,
    fields: Option<&[String]>,
    keep: &Keep,
) -> Result<(), UsageError> {
    let refuse = |problem: String| Err(UsageError(format!("--output-format: conll is a tag per token, but {problem}")));
    if let Some(why) = model.without_tags() {
        return refuse(why);
    }
    let others = [("fields", fields.is_some()), ("keep", !keep.is_nothing()), ("attention", ask.views)];
    match others.into_iter().find(|(_, said)| *said) {
        Some((option, _)) => refuse(format!("--{option} says what else is written; jsonl has a place for that")),
        None => Ok(()),
    }
}

impl Sentences {
    /// Writes the next sentence with the tags of its answer; what has none, or was cut off, has `_`.
    pub(super) fn write(&mut self, answer: &Map<String, Value>, text: &mut String) -> anyhow::Result<()> {
        let strings = |key: &str| -> Vec<String> {
            let list = answer.get(key).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let mut tags = strings("tags");
        let place = self.next;
        self.next += 1;
        let Some(document) = &self.document else {
            for (token, tag) in strings("tokens").iter().zip(&tags) {
                // A token with white space within would be two columns.
                let token = token.split_whitespace().collect::<Vec<_>>().join(" ");
                text.push_str(&format!("{token}\t{tag}\n"));
            }
            text.push('\n');
            return Ok(());
        };
        let count = document.sentences().get(place).map_or(0, |sentence| sentence.tokens.len());
        tags.resize(count, NONE.to_owned());
        write(text, |out| document.write_sentence(place, &tags, out))
    }

    /// Writes what stands behind the last sentence.
    pub(super) fn end(&self, text: &mut String) -> anyhow::Result<()> {
        match &self.document {
            Some(document) => write(text, |out| document.write_end(out)),
            None => Ok(()),
        }
    }
}

fn write(text: &mut String, by: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> anyhow::Result<()> {
    let mut written = Vec::new();
    by(&mut written)?;
    text.push_str(&String::from_utf8(written)?);
    Ok(())
}
