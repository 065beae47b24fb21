//! A trained generator: networks and what was learnt of texts, from one file.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::answer::{self, Coming};
use super::asked;
use super::cache::CachePlan;
use super::corpus::Corpus;
use super::metrics::judge_with_cache;
use super::network::Network;
use super::plan::NetworkPlan;
use super::report::report;
use super::samples::Sampled;
use super::scored::score;
use super::searched::{Prompt, Searched};
use super::state::{ReadSoFar, fingerprint};
use super::text::GeneratedText;
use super::writer::{Writer, WriterStates};
use super::{NAME, SCORES};
use crate::data::Format;
use crate::data::documents::{Document, DocumentOptions, read_documents};
use crate::error::{DataError, Error, ModelFileError, Overflow, PlanError, Result};
use crate::input::{Columns, Example, FileColumns, Input, InputShape};
use crate::memory_limit::MemoryLimit;
use crate::model::{Answer, Ask, Field, GenerateAsk, Model, Record, Report, Score, SearchAsk};
use crate::model_file::{ModelFile, Tensor, Tensors};
use crate::network::budget::{Budget, NUMBER, Purpose};
use crate::search::{Ending, Hypothesis};

/// What a generator's file holds, apart from its tensors.
#[derive(Clone, Debug)]
pub struct Description {
    /// How texts to go on from are read.
    pub input: Input,
    /// How documents stand in files, where it was said.
    pub data: DocumentOptions,
    /// What was learnt of the texts.
    pub text: GeneratedText,
    /// The networks' plan.
    pub plan: NetworkPlan,
    /// How it came to be.
    pub record: Record,
}

/// The entries of a generator's file beside those of its input.
const KEYS: [&str; 4] = ["data", "text", "network", "record"];

/// Samples that are drawn side by side.
const SAMPLED_TOGETHER: usize = 64;

/// A trained generator.
#[derive(Debug)]
pub struct Generator {
    description: Description,
    /// At least one.
    networks: Vec<Network>,
    /// The tensor with the largest weight, and that weight: what an overflow is told by.
    largest: Overflow,
    /// By which the model is known again.
    fingerprint: String,
}

impl Description {
    /// A file with all of this and the tensors of the networks, which have the names that
    /// [`prefix`](crate::model_file::prefix) tells.
    ///
    /// # Errors
    /// If something cannot be written as JSON.
    pub fn file(&self, tensors: impl IntoIterator<Item = (String, Tensor)>) -> Result<ModelFile, ModelFileError> {
        let mut file = ModelFile::new(NAME);
        self.input.put(&mut file)?;
        file.put_json("data", &self.data)?;
        file.put_json("text", &self.text)?;
        file.put_json("network", &self.plan)?;
        file.put_json("record", &self.record)?;
        file.tensors.extend(tensors);
        Ok(file)
    }
}

/// What rows of such a network take of memory. `vocabulary`: `V`.
pub fn budget(plan: &NetworkPlan, vocabulary: usize, purpose: Purpose, limit: MemoryLimit) -> Budget {
    let shape = InputShape::Tokens { vocabulary, ngrams: None, bigrams: None, shapes: None };
    // The logits, their probabilities, and what the output layer reads.
    let outputs = 2 * vocabulary as u64 + 2 * plan.output_width() as u64;
    Budget::new(&plan.as_encoder(), shape, outputs, NUMBER * 4 * vocabulary as u64, purpose, limit)
}

impl Generator {
    /// Makes the generator in a file that came from `path`.
    ///
    /// # Errors
    /// If an entry or tensor is missing, left over, or not as the others need it.
    pub fn read(mut file: ModelFile, path: &Path) -> Result<Generator, ModelFileError> {
        let wrong = |key: &str, problem: String| ModelFileError::Entry { file: path.into(), key: key.into(), problem };
        let input = Input::of_file(&file, path)?;
        if input.text().is_none() {
            return Err(wrong("input", "it is of numeric series, but a generator reads texts".into()));
        }
        let data = file.checked_json(path, "data", DocumentOptions::check)?;
        let text: GeneratedText = file.json(path, "text")?;
        text.check().map_err(|problem| wrong("text", problem))?;
        let plan = file.checked_json(path, "network", NetworkPlan::check)?;
        let record = file.checked_json(path, "record", |record: &Record| record.check(plan.ensemble, SCORES.len()))?;
        let vocabulary = text.written.vocabulary.len();
        let (largest, fingerprint) = (file.largest(), fingerprint(&file));
        let networks =
            Tensors::of_networks(&mut file, path, plan.ensemble, |tensors| Network::read(&plan, vocabulary, tensors))?;
        file.check_all_read(path, &[&Input::KEYS[..], &KEYS].concat())?;
        Ok(Generator { description: Description { input, data, text, plan, record }, networks, largest, fingerprint })
    }

    /// Judges the model on documents that are read already; `file` is what messages call them.
    ///
    /// # Errors
    /// As [`Model::evaluate`].
    pub fn judge(&self, documents: &[Document], file: &Path) -> Result<Report> {
        self.judge_corpus(&Corpus::new(documents, &self.description.text, file)?, None)
    }

    fn judge_corpus(&self, corpus: &Corpus, cache: Option<CachePlan>) -> Result<Report> {
        let metrics = judge_with_cache(&self.networks, corpus, cache);
        Ok(report(&metrics.ok_or_else(|| Error::from(self.largest.clone()))?))
    }

    fn budget(&self, limit: MemoryLimit) -> Budget {
        let vocabulary = self.description.text.written.vocabulary.len();
        budget(&self.description.plan, vocabulary, Purpose::Answers, limit)
    }

    /// `tell` gets the tokens of samples as they come.
    fn write(
        &self,
        inputs: &[&Example],
        ask: &Ask,
        mut tell: impl FnMut(u32) -> ControlFlow<()>,
    ) -> Result<Vec<Answer>> {
        let text = &self.description.text;
        let searched = Searched::new(&ask.search, &ask.generate, text)?;
        let before = self.read_before(ask)?;
        // A text takes as much as it has hypotheses, whose steps go one after the other.
        let lengths = vec![searched.rows(); inputs.len()];
        self.budget(ask.limit).answers(&lengths, |rows| {
            let input = |row: usize| inputs[row].text().unwrap_or_default();
            let last = before.as_ref().map(|before| before.last);
            let read = before.as_ref().map_or(0, |before| before.tokens);
            // What goes on is drawn anew.
            let seed = |row: usize| inputs[row].line as u64 ^ read.rotate_left(32);
            let prompt =
                |&row: &usize| Prompt { seed: seed(row), ..searched.prompt(input(row), inputs[row].line, last) };
            let prompts: Vec<Prompt> = rows.iter().map(prompt).collect();
            let states = self.states(before.as_ref(), rows.len());
            let found = searched.write(&self.networks, states.clone(), &prompts, &mut tell);
            let found = found.map_err(|unanswered| unanswered.of(&self.largest))?;
            if let (Some(path), [prompt], [found]) = (&ask.generate.state_out, &prompts[..], &found[..]) {
                self.keep(path, (states, read), prompt, found.first())?;
            }
            let of = |((&row, prompt), found): ((&usize, &Prompt), Vec<_>)| {
                answer::of(text, &found, input(row), &prompt.tokens, ask)
            };
            Ok(rows.iter().zip(&prompts).zip(found).map(of).collect())
        })
    }

    /// So many texts that begin with nothing, in tokens, without their ends; of labels all get as many.
    fn samples(&self, count: usize, ask: &Ask) -> Result<Vec<Vec<u32>>> {
        let text = &self.description.text;
        let labels: Vec<Option<&String>> = match (&ask.generate.condition, text.labels.as_slice()) {
            (None, labels @ [_, ..]) => labels.iter().map(Some).collect(),
            (said, _) => vec![said.as_ref()],
        };
        let mut samples = Vec::new();
        for (place, label) in labels.iter().enumerate() {
            let own = count / labels.len() + usize::from(place < count % labels.len());
            let generate = GenerateAsk { condition: label.cloned(), ..ask.generate.clone() };
            let search = SearchAsk { sample: true, count: Some(1), ..ask.search.clone() };
            let searched = Searched::new(&search, &generate, text)?;
            for first in (0..own).step_by(SAMPLED_TOGETHER) {
                let seeds = first..own.min(first + SAMPLED_TOGETHER);
                let prompts: Vec<Prompt> = seeds.map(|seed| searched.prompt("", seed + place * count, None)).collect();
                let found = searched
                    .write(&self.networks, self.states(None, prompts.len()), &prompts, |_| ControlFlow::Continue(()));
                let found = found.map_err(|unanswered| unanswered.of(&self.largest))?;
                samples.extend(found.into_iter().flatten().map(|found| found.tokens));
            }
        }
        Ok(samples)
    }

    /// What was read before, where that is to go on.
    fn read_before(&self, ask: &Ask) -> Result<Option<ReadSoFar>> {
        let read = |path: &PathBuf| ReadSoFar::read(path, &self.networks, &self.fingerprint);
        ask.generate.state_in.as_ref().map(read).transpose()
    }

    /// The states with which so many rows begin.
    fn states(&self, before: Option<&ReadSoFar>, rows: usize) -> WriterStates {
        let writer = Writer::new(&self.networks);
        match before {
            Some(before) => writer.of_rows(&before.states, &vec![0; rows]),
            None => writer.start(rows),
        }
    }

    /// Keeps what was read of one row, which begins with these states, and what was written behind it.
    fn keep(
        &self,
        path: &Path,
        (mut states, read): (WriterStates, u64),
        prompt: &Prompt,
        found: Option<&Hypothesis>,
    ) -> Result<()> {
        if found.is_some_and(|found| found.ending == Ending::End) {
            let problem =
                "would keep a text that has ended, from which nothing goes on; with a smaller --length it may not end";
            return Err(PlanError::conflict("state-out", problem).into());
        }
        let written = found.map_or(&[][..], |found| &found.tokens);
        let tokens = [&prompt.tokens, written].concat();
        Writer::new(&self.networks).read(&mut states, &[&tokens]);
        let last = tokens.last().copied().unwrap_or_default();
        Ok(ReadSoFar { states, last, tokens: read + tokens.len() as u64 }.write(path, &self.fingerprint)?)
    }

    fn score(&self, inputs: &[&Example], ask: &Ask) -> Result<Vec<Answer>> {
        let text = &self.description.text;
        let before = self.read_before(ask)?;
        let start = before.as_ref().map_or_else(|| text.asked(&ask.generate), |before| Ok(before.last))?;
        // What is to go on has no end yet.
        let end = text.end().filter(|_| ask.generate.state_out.is_none());
        let tokens = |input: &&Example| -> Vec<u32> {
            let own = text.written.encode_whole(input.text().unwrap_or_default());
            [start].into_iter().chain(own).chain(end).collect()
        };
        let lengths = vec![1; inputs.len()];
        self.budget(ask.limit).answers(&lengths, |rows| {
            let texts: Vec<Vec<u32>> = rows.iter().map(|&row| tokens(&inputs[row])).collect();
            let read: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
            let mut states = self.states(before.as_ref(), rows.len());
            let scored = score(&self.networks, &mut states, &read, ask.views);
            let scored = scored.ok_or_else(|| Error::from(self.largest.clone()))?;
            if let (Some(path), [read]) = (&ask.generate.state_out, &read[..]) {
                let last = read.last().copied().unwrap_or(start);
                let tokens = before.as_ref().map_or(0, |before| before.tokens) + read.len() as u64;
                ReadSoFar { states, last, tokens }.write(path, &self.fingerprint)?;
            }
            let of = |((&row, read), scored): ((&usize, &&[u32]), _)| {
                answer::scored(text, &scored, inputs[row].text().unwrap_or_default(), read, ask)
            };
            Ok(rows.iter().zip(&read).zip(scored).map(of).collect())
        })
    }
}

impl Model for Generator {
    fn task(&self) -> &'static str {
        NAME
    }

    fn input(&self) -> &Input {
        &self.description.input
    }

    fn record(&self) -> &Record {
        &self.description.record
    }

    fn scores(&self) -> &'static [Score] {
        &SCORES
    }

    fn describe(&self) -> Vec<(String, String)> {
        let Description { text, plan, .. } = &self.description;
        let vocabulary = &text.written.vocabulary;
        let entries = vocabulary.len() - vocabulary.specials();
        let ends = if text.ends { "which end by themselves" } else { "which have no end" };
        let texts = format!("cut into {}, {entries} different tokens, {ends}", text.written.cut);
        let mut lines = vec![("texts".to_owned(), texts)];
        if !text.labels.is_empty() {
            lines.push(("labels".into(), text.labels.join(", ")));
        }
        lines.push(("network".into(), plan.summary()));
        lines
    }

    fn options(&self) -> Vec<(&'static str, Value)> {
        let GeneratedText { written, ends, labels } = &self.description.text;
        vec![
            ("data", json!(self.description.data)),
            ("text", json!({ "cut": written.cut, "longest": written.longest, "ends": ends, "labels": labels })),
            ("network", json!(self.description.plan)),
        ]
    }

    fn answer(&self, inputs: &[&Example], ask: &Ask) -> Result<Vec<Answer>> {
        self.description.input.check_made(inputs)?;
        if ask.generate.state_out.is_some() && inputs.len() > 1 {
            let problem = format!("keeps what one input leaves, but there are {}", inputs.len());
            return Err(PlanError::conflict("state-out", problem).into());
        }
        if ask.generate.score {
            self.score(inputs, ask)
        } else {
            self.write(inputs, ask, |_| ControlFlow::Continue(()))
        }
    }

    fn answer_as_it_comes(
        &self,
        input: &Example,
        ask: &Ask,
        tell: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Answer> {
        self.description.input.check_made(&[input])?;
        let before = input.text().unwrap_or_default();
        let mut coming = Coming::new(&self.description.text, before, &ask.generate.stop);
        let mut answers = self.write(&[input], ask, |token| tell(coming.take(token)))?;
        let Some(answer) = answers.pop() else {
            return Err(PlanError::Unfit("the model gave no answer".into()).into());
        };
        let _ = tell(coming.rest(&answer));
        Ok(answer)
    }

    /// Texts are gone through part by part, so that none is too long.
    fn check_memory(&self, _input: &Example, _ask: &Ask, _file: &Path) -> Result<(), DataError> {
        Ok(())
    }

    fn check_ask(&self, ask: &Ask) -> Result<(), PlanError> {
        asked::check(ask, &self.description.text)?;
        self.read_before(ask).map(drop).map_err(|error| match error {
            Error::Plan(problem) => problem,
            other => PlanError::conflict("state-in", format!("is nothing to go on from: {other}")),
        })
    }

    fn fields(&self, ask: &Ask) -> Vec<Field> {
        answer::fields(ask)
    }

    fn attends(&self) -> bool {
        // They tell how likely tokens are.
        false
    }

    fn without_views(&self) -> Option<String> {
        None
    }

    fn text_field(&self) -> Option<&'static str> {
        Some(answer::TEXT)
    }

    fn evaluate(&self, data: &Path, columns: &Columns, ask: &Ask) -> Result<Report> {
        let Description { input, data: trained, text, .. } = &self.description;
        let mut options = columns.of_documents(trained)?;
        if text.labels.is_empty() {
            if columns.label.is_some() {
                return Err(
                    PlanError::conflict("label", "is what texts are written by, but the model writes by none").into()
                );
            }
            options.label = None;
        }
        // That the training data were plain text says nothing of a table.
        if Format::of_texts(data).is_some() {
            options.documents = None;
        }
        let columns = input.plan().columns();
        let documents = read_documents(data, &options, columns.as_ref().and_then(FileColumns::table))?;
        let corpus = Corpus::new(&documents.all, text, data)?;
        let mut report = self.judge_corpus(&corpus, asked::cache(ask)?)?;
        if let Some(count) = ask.judging.samples {
            let sampled = Sampled::of(&self.samples(count, ask)?, &corpus);
            report.json["samples"] = sampled.json();
            report.tables.push(sampled.table());
        }
        Ok(report)
    }
}
