//! The page of `explain --html`, and its numbers.

use std::path::{Path, PathBuf};

use lookback_infer::input::Example;
use lookback_infer::memory_limit::MemoryLimit;
use lookback_infer::model::{Answer, Ask, Model, View};
use lookback_infer::model_file::{check_writable, write_text};
use serde_json::Value;

use super::{cut, sentence, unknown};
use crate::cli::UsageError;
use crate::insight::attribution::Attribution;
use crate::insight::chart;
use crate::insight::page::{Page, PageInput, Removal};

/// Without one of more tokens answers are not asked for.
const MOST_REMOVALS: usize = 512;
/// What an answer says, whatever its probability.
const SAID: [&str; 4] = ["label", "labels", "tags", "translation"];

/// Where a page and its numbers go.
pub(in crate::cli) struct Pages {
    html: Option<PathBuf>,
    json: Option<PathBuf>,
}

impl Pages {
    /// Checks that both can be written, before anything is computed.
    ///
    /// # Errors
    /// If one cannot.
    pub(in crate::cli) fn new(html: Option<PathBuf>, json: Option<PathBuf>) -> Result<Pages, UsageError> {
        for (option, file) in [("html", &html), ("json", &json)] {
            if let Some(file) = file.as_deref().filter(|file| *file != Path::new("-")) {
                check_writable(file).map_err(|error| UsageError(format!("--{option}: {error}")))?;
            }
        }
        if html.as_deref() == Some(Path::new("-")) {
            return Err(UsageError("--html: a file was expected, for a browser opens no pipe".into()));
        }
        if html.is_some() && html == json {
            return Err(UsageError("--html and --json are the same file".into()));
        }
        Ok(Pages { html, json })
    }

    pub(in crate::cli) fn are_wanted(&self) -> bool {
        self.html.is_some() || self.json.is_some()
    }

    /// Whether the numbers stand in place of what is told in the terminal.
    pub(in crate::cli) fn is_printed(&self) -> bool {
        self.json.as_deref() == Some(Path::new("-"))
    }

    /// Writes what is wanted.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn write(&self, page: &Page) -> anyhow::Result<()> {
        self.write_both(&|| page.clone(), &|| page.json())
    }

    /// Writes a page and numbers that are more than it shows, each where it is wanted.
    ///
    /// # Errors
    /// If they cannot be written.
    pub(in crate::cli) fn write_both(&self, page: &dyn Fn() -> Page, json: &dyn Fn() -> String) -> anyhow::Result<()> {
        if let Some(file) = &self.html {
            write_text(file, &page().html())?;
            tracing::info!("{}: open it in a browser", file.display());
        }
        match &self.json {
            Some(_) if self.is_printed() => crate::cli::print_json(&format!("{}\n", json()))?,
            Some(file) => write_text(file, &format!("{}\n", json()))?,
            None => {}
        }
        Ok(())
    }
}

/// The page of a model.
pub(super) fn page(model: &dyn Model, path: &Path, inputs: Vec<PageInput>) -> Page {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    Page { title: "What led to the answer".into(), model: format!("{name}, {}", model.task()), inputs }
}

/// What a page shows of one input.
///
/// # Errors
/// As [`Model::answer`].
pub(super) fn input(
    model: &dyn Model,
    (example, answers): (&Example, &[Answer]),
    (attribution, gradients): (Option<&Attribution>, &[View]),
    limit: MemoryLimit,
) -> anyhow::Result<PageInput> {
    let mut input = PageInput::of(example);
    input.warnings.extend([cut(example), unknown(example)].into_iter().flatten().map(|said| sentence(&said)));
    if let Some(why) = model.without_views() {
        input.warnings.push(format!("Nothing was looked at: {why}."));
    }
    let views: Vec<View> = answers.iter().flat_map(|answer| answer.views.iter().cloned()).collect();
    for answer in answers {
        input.answers.push(answer.line.clone());
        input.notes.extend(answer.notes.iter().cloned());
        if !answer.charts.is_empty() {
            input.charts.push(chart::svg(&answer.charts)?);
        }
    }
    input.attends = !views.is_empty() && model.attends();
    input = input.with_views(&[&views, gradients].concat());
    if let Some(found) = attribution {
        input = input.with_attribution(found, &views);
    }
    if let [answer] = answers {
        input.removals = removals(model, example, answer, limit)?;
    }
    Ok(input)
}

/// The answers without each token, where the model answers texts by something that can be another.
fn removals(
    model: &dyn Model,
    example: &Example,
    whole: &Answer,
    limit: MemoryLimit,
) -> anyhow::Result<Option<Vec<Removal>>> {
    let Some((text, tokens)) = example.tokens() else { return Ok(None) };
    let Some(key) = SAID.into_iter().find(|key| whole.json.contains_key(*key)) else { return Ok(None) };
    if tokens.len() < 2 || tokens.len() > MOST_REMOVALS {
        return Ok(None);
    }
    let file = Path::new("the input");
    let without = |place: usize| {
        let token = &tokens[place];
        let rest = format!("{}{}", &text[..token.start], &text[token.end..]);
        model.input().encode_line(&rest, file, 1)
    };
    let examples = (0..tokens.len()).map(without).collect::<Result<Vec<Example>, _>>()?;
    let answers = model.answer(&examples.iter().collect::<Vec<_>>(), &Ask { limit, ..Ask::default() })?;
    let said = |answer: &Answer, without: Option<usize>| -> Value {
        let mut said = answer.json.get(key).cloned().unwrap_or_default();
        // A tag for every token: that of the one which is left out is missing.
        if let (Some(place), Some(list), "tags") = (without, said.as_array_mut(), key)
            && place < list.len()
        {
            list.remove(place);
        }
        said
    };
    let removal = |(place, answer): (usize, &Answer)| Removal {
        answer: answer.line.clone(),
        changed: said(answer, None) != said(whole, Some(place)),
    };
    Ok(Some(answers.iter().enumerate().map(removal).collect()))
}
