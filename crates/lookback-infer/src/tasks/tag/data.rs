//! Sentences with a tag per token.

use std::path::{Path, PathBuf};

use super::scheme::{Scheme, Schemes, Transitions};
use super::segment::to_characters;
use crate::data::labels::LabelSet;
use crate::data::tagged::{Sentence, TaggedColumns, Wanted, read_tagged};
use crate::error::{DataError, counted};
use crate::input::{Example, Labelled, Raw};
use crate::network::budget::Budget;

/// Tags that were never trained which are told by name.
const TOLD: usize = 20;

/// The tags of a sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// The tag of every token.
    pub names: Vec<String>,
    /// The line of each.
    pub lines: Vec<usize>,
}

/// All sentences of a file with their tags, see [`tagged`](crate::data::tagged). With `segment` they are in characters, whose tags
/// spell the words.
///
/// # Errors
/// As [`read_tagged`].
pub fn read(file: &Path, columns: &TaggedColumns, segment: bool) -> Result<Vec<Labelled<Tags>>, DataError> {
    let labelled = |sentence: Sentence| {
        let Sentence { tokens, tags, lines, line } = sentence;
        Labelled { raw: Raw::Tokens(tokens), label: Tags { names: tags, lines }, line }
    };
    let sentences = read_tagged(file, columns, wanted(segment))?.into_iter().map(labelled);
    Ok(if segment { sentences.map(to_characters).collect() } else { sentences.collect() })
}

/// What is read of the sentences that a tagger is trained on and judged by. `segment`: whether it finds words.
pub fn wanted(segment: bool) -> Wanted {
    if segment { Wanted::Words } else { Wanted::Tags }
}

/// The tags as the network has them. A file of another scheme than that of the training data is read as such; tags that go on with no
/// span begin one, as `seqeval` reads them. Both are told.
pub fn convert(sentences: &mut [Labelled<Tags>], schemes: Schemes, file: &Path) {
    let Schemes { written, trained } = schemes;
    if !written.has_spans() || !trained.has_spans() {
        return;
    }
    let name = file.display();
    let all = || sentences.iter().map(|sentence| sentence.label.names.as_slice());
    let own = match all().flatten().all(|tag| written.has(tag)) {
        true => written,
        false => Some(Scheme::find(all())).filter(|own| own.has_spans()).unwrap_or(written),
    };
    if own != written {
        tracing::info!("{name}: its tags are of {own}, and read as those of {written}, which the training data have");
    }
    let (mut count, mut first) = (0usize, None);
    for Tags { names, lines } in sentences.iter_mut().map(|sentence| &mut sentence.label) {
        let mended = own.convert(names, own);
        for ((found, mended), &line) in names.iter().zip(&mended).zip(lines.iter()) {
            // What is of no scheme is left to who looks for tags that were never trained.
            if found != mended && own.has(found) {
                count += 1;
                first.get_or_insert_with(|| format!("{found} on line {line} as {mended}"));
            }
        }
        let converted = own.convert(&mended, trained);
        for (name, converted) in names.iter_mut().zip(converted) {
            if own.has(name) {
                *name = converted;
            }
        }
    }
    if let Some(first) = first {
        let (tags, are) = (counted(count, "tag"), if count == 1 { "is" } else { "are" });
        let meant = if count == 1 { "it must be" } else { "they must be" };
        tracing::warn!("{name}: {tags} spelt against {own} {are} read as {meant} meant, the first of them {first}");
    }
}

/// Examples with their tags.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// The inputs.
    pub examples: Vec<Example>,
    /// The tag of each token that is not cut off, as the tag set numbers them; behind those, as [`Dataset::unseen`] does.
    pub targets: Vec<Vec<usize>>,
    /// Tags that were never trained, in the order of the tag set's own. Nothing is learnt of them, and they have no loss.
    pub unseen: Vec<String>,
    /// What tags are spelt in, in files and by the network.
    pub schemes: Schemes,
    /// The length of each.
    pub lengths: Vec<usize>,
    /// The file they came from, for messages.
    pub file: PathBuf,
}

impl Dataset {
    /// Of examples from `file` and their tags, which are spelt as the network has them.
    ///
    /// # Errors
    /// If a tag is not among those trained.
    pub fn new(
        examples: Vec<(Example, Tags)>,
        tags: &LabelSet,
        schemes: Schemes,
        file: &Path,
    ) -> Result<Dataset, DataError> {
        let mut dataset = Dataset { file: file.into(), schemes, ..Dataset::default() };
        for (example, own) in examples {
            let encode = |(tag, &line): (&String, &usize)| tags.encode(tag, file, line);
            let kept = &own.names[..own.names.len().min(example.len())];
            // A span that is cut through ends where the tokens do.
            let ended = (example.cut > 0).then(|| schemes.trained.convert(kept, schemes.trained));
            let ended = ended.filter(|ended| ended.iter().all(|tag| tags.id(tag).is_some()));
            let names = ended.as_deref().unwrap_or(kept);
            dataset.targets.push(names.iter().zip(&own.lines).map(encode).collect::<Result<_, _>>()?);
            dataset.lengths.push(example.len());
            dataset.examples.push(example);
        }
        Ok(dataset)
    }

    /// Leaves out sentences whose tags cannot stand so, and tells how many: a span that was cut through may end in a tag that is none
    /// of the set.
    ///
    /// # Errors
    /// If nothing is left.
    pub fn leave_out_forbidden(&mut self, allowed: &Transitions) -> Result<(), DataError> {
        let (name, all) = (self.file.display().to_string(), self.targets.len());
        let kept: Vec<bool> = self.targets.iter().map(|path| allowed.allow(path)).collect();
        let keep = |row: &mut usize| {
            *row += 1;
            kept[*row - 1]
        };
        let mut row = 0;
        self.examples.retain(|_| keep(&mut row));
        row = 0;
        self.lengths.retain(|_| keep(&mut row));
        row = 0;
        self.targets.retain(|_| keep(&mut row));
        let out = all - self.targets.len();
        if out > 0 {
            let sentences = counted(out, "sentence");
            tracing::warn!("{name}: {sentences} left out, which --max-length cuts through a span that no tag ends");
        }
        if self.targets.is_empty() { Err(DataError::NoExamples { file: self.file.clone() }) } else { Ok(()) }
    }

    /// As [`Dataset::new`], but tags that were never trained are told and counted as wrong.
    ///
    /// # Errors
    /// If no tag at all was trained.
    pub fn to_be_judged(
        examples: Vec<(Example, Tags)>,
        tags: &LabelSet,
        schemes: Schemes,
        file: &Path,
    ) -> Result<Dataset, DataError> {
        let cut: usize = examples.iter().map(|(example, _)| example.cut).sum();
        if cut > 0 {
            let (name, tokens) = (file.display(), counted(cut, "token"));
            tracing::warn!("{name}: {tokens} past --max-length of the training are cut off, and not judged");
        }
        let names = || {
            let of = |(example, own): &'_ (Example, Tags)| own.names.len().min(example.len());
            examples.iter().flat_map(move |both| both.1.names[..of(both)].iter().zip(&both.1.lines))
        };
        let mut unseen: Vec<(&str, usize)> = Vec::new();
        for (name, _) in names().filter(|(name, _)| tags.id(name).is_none()) {
            match unseen.iter_mut().find(|(known, _)| known == name) {
                Some((_, count)) => *count += 1,
                None => unseen.push((name, 1)),
            }
        }
        if unseen.is_empty() {
            return Dataset::new(examples, tags, schemes, file);
        }
        let count = unseen.iter().map(|(_, count)| count).sum();
        if let Some((name, &line)) = names().next().filter(|_| names().count() == count) {
            let problem = format!(
                "{name:?} is no tag that was trained, and neither is any other of the file; --tag-column says where they stand"
            );
            return Err(DataError::Line { file: file.into(), line, problem });
        }
        tell_unseen(file, count, &unseen);
        let (all, _) = tags.extended(unseen.iter().map(|(name, _)| *name));
        let unseen = all.names()[tags.len()..].to_vec();
        Ok(Dataset { unseen, ..Dataset::new(examples, &all, schemes, file)? })
    }

    /// Whether the network's tags are spelt in another scheme than the data's.
    pub(super) fn is_converted(&self) -> bool {
        self.schemes.written != self.schemes.trained
    }

    /// The tags of every sentence by name, spelt as the data are. `tags`: those of the network.
    pub(super) fn written(&self, tags: &[String], numbers: &[Vec<usize>]) -> Vec<Vec<String>> {
        let name = |&number: &usize| match number.checked_sub(tags.len()) {
            None => tags[number].clone(),
            Some(unseen) => self.unseen[unseen].clone(),
        };
        let written = |numbers: &Vec<usize>| {
            let names: Vec<String> = numbers.iter().map(name).collect();
            if self.is_converted() { self.schemes.trained.convert(&names, self.schemes.written) } else { names }
        };
        numbers.iter().map(written).collect()
    }

    /// Tokens of these examples.
    pub fn tokens(&self, examples: &[usize]) -> usize {
        examples.iter().map(|&row| self.lengths[row]).sum()
    }

    /// Refuses the data if a row of them is over the limit alone, by the row's line.
    ///
    /// # Errors
    /// [`DataError::Memory`]
    pub fn check_memory(&self, budget: &Budget) -> Result<(), DataError> {
        self.examples.iter().try_for_each(|example| budget.check_row(example, &self.file))
    }
}

/// Tells tags that were never trained, each with how many tokens have it.
fn tell_unseen(file: &Path, count: usize, unseen: &[(&str, usize)]) {
    let mut told: Vec<String> = unseen.iter().take(TOLD).map(|(name, count)| format!("{name:?} ({count})")).collect();
    if unseen.len() > TOLD {
        told.push(format!("and {} more", unseen.len() - TOLD));
    }
    let (name, tokens, told) = (file.display(), counted(count, "token"), told.join(", "));
    tracing::warn!("{name}: {tokens} with tags that were never trained count as wrong: {told}");
}
