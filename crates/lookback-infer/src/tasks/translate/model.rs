//! A trained translator: networks, sources and targets, from one file.

use std::path::Path;

use serde_json::{Value, json};

use super::answer;
use super::data::{Dataset, Followed, Rows, TooLong, budget, read};
use super::metrics::{BleuTokenizer, FMeasure, Rouge, ScoreOptions};
use super::network::Network;
use super::searched::{Metrics, Searched, followed, tokenizer_of};
use super::shortlist::Shortlists;
use super::{BLEU, CER, CHRF, EXACT_MATCH, NAME, NetworkPlan, PERPLEXITY, SCORES, TER, WER};
use crate::data::pairs::PairOptions;
use crate::error::{DataError, ModelFileError, Overflow, PlanError, Result};
use crate::input::written::WrittenText;
use crate::input::{Columns, Example, FileColumns, Input, Labelled};
use crate::memory_limit::MemoryLimit;
use crate::model::{Answer, Ask, Field, Figure, Model, Record, Report, Score, Table};
use crate::model_file::{ModelFile, Tensor, Tensors};
use crate::network::budget::Budget;
use crate::search::Hypothesis;

/// What a translator's file holds, apart from its tensors.
#[derive(Clone, Debug)]
pub struct Description {
    /// How sources are read.
    pub input: Input,
    /// How pairs stand in files, where it was said.
    pub data: PairOptions,
    /// How targets are read and written.
    pub target: WrittenText,
    /// The networks' plan.
    pub plan: NetworkPlan,
    /// How it came to be.
    pub record: Record,
    /// Which tokens may stand in the translation of a source, where the model keeps that.
    pub shortlists: Option<Shortlists>,
}

/// The entries of a translator's file beside those of its input.
const KEYS: [&str; 4] = ["data", "target", "network", "record"];

/// A trained translator.
#[derive(Debug)]
pub struct Translator {
    description: Description,
    /// At least one.
    networks: Vec<Network>,
    /// The tensor with the largest weight, and that weight: what an overflow is told by.
    largest: Overflow,
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
        file.put_json("target", &self.target)?;
        file.put_json("network", &self.plan)?;
        file.put_json("record", &self.record)?;
        file.tensors.extend(tensors);
        file.tensors.extend(self.shortlists.as_ref().map(Shortlists::tensor));
        Ok(file)
    }

    fn budget(&self, followed: Followed, limit: MemoryLimit) -> Budget {
        let targets = (self.target.vocabulary.len(), Rows::Followed(followed));
        budget(&self.plan, self.input.shape(), targets, limit)
    }
}

impl Translator {
    /// Makes the translator in a file that came from `path`.
    ///
    /// # Errors
    /// If an entry or tensor is missing, left over, or not as the others need it.
    pub fn read(mut file: ModelFile, path: &Path) -> Result<Translator, ModelFileError> {
        let wrong = |key: &str, problem: String| ModelFileError::Entry { file: path.into(), key: key.into(), problem };
        let input = Input::of_file(&file, path)?;
        if input.text().is_none() {
            return Err(wrong("input", "it is of numeric series, but a translator reads texts".into()));
        }
        let data = file.checked_json(path, "data", |data: &PairOptions| data.check(Path::new(""), None))?;
        let target: WrittenText = file.json(path, "target")?;
        target.check().map_err(|problem| wrong("target", problem))?;
        let plan = file.checked_json(path, "network", NetworkPlan::check)?;
        let record = file.checked_json(path, "record", |record: &Record| record.check(plan.ensemble, SCORES.len()))?;
        let vocabulary = target.vocabulary.len();
        let sources = input.text().map_or(0, |text| text.vocabulary.len());
        // Before the largest weight is looked for, since these are none.
        let shortlists = Shortlists::take(&mut file, path, [sources, vocabulary])?;
        if shortlists.is_some() {
            plan.check_shortlist().map_err(|problem| wrong("network", problem.to_string()))?;
        }
        let largest = file.largest();
        let networks = Tensors::of_networks(&mut file, path, plan.ensemble, |tensors| {
            Network::read_with(&plan, input.shape(), vocabulary, shortlists.is_some(), tensors)
        })?;
        file.check_all_read(path, &[&Input::KEYS[..], &KEYS].concat())?;
        Ok(Translator { description: Description { input, data, target, plan, record, shortlists }, networks, largest })
    }

    /// Judges the model on pairs that are read already; `file` is what messages call them.
    ///
    /// # Errors
    /// As [`Model::evaluate`].
    pub fn judge(&self, pairs: Vec<Labelled<Vec<String>>>, file: &Path, ask: &Ask) -> Result<Report> {
        let description = &self.description;
        let examples = description.input.encode_labelled(pairs, file)?;
        let copies = description.plan.decoder.copy;
        let dataset = Dataset::new(examples, &description.target, TooLong::Cut, copies, file)?;
        let searched = self.searched(ask)?;
        let budget = description.budget(searched.followed(), ask.limit);
        dataset.check_memory(&budget)?;
        let tokenizer = match &ask.judging.bleu_tokenizer {
            Some(name) => bleu_tokenizer(name)?,
            None => tokenizer_of(&dataset),
        };
        let options = ScoreOptions { tokenizer, rouge: true, ter: ask.judging.ter, ..ScoreOptions::default() };
        let judged = searched.judge(&self.networks, &dataset, &options, &budget);
        Ok(report(&judged.map_err(|unanswered| unanswered.of(&self.largest))?))
    }

    /// The translations of sources that this translator's input has made, the best first, in parts where they would take too
    /// much memory together.
    ///
    /// # Errors
    /// If the search cannot be done as it is asked for, or the network's numbers overflow.
    pub(super) fn predict(&self, examples: &[&Example], ask: &Ask) -> Result<Vec<Vec<Hypothesis>>> {
        let searched = self.searched(ask)?;
        let lengths: Vec<usize> = examples.iter().map(|example| example.len()).collect();
        self.description.budget(searched.followed(), ask.limit).answers(&lengths, |rows| {
            let batch: Vec<&Example> = rows.iter().map(|&row| examples[row]).collect();
            searched.translate(&self.networks, &batch).map_err(|unanswered| unanswered.of(&self.largest))
        })
    }

    fn searched(&self, ask: &Ask) -> Result<Searched<'_>, PlanError> {
        let Description { target, plan, shortlists, .. } = &self.description;
        let searched = Searched::new(&ask.search, target, plan.decoder.copy)?;
        match ask.search.shortlist {
            Some(count) => searched.shortened(shortlists.as_ref(), count),
            None => Ok(searched),
        }
    }
}

impl Model for Translator {
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
        let Description { target, plan, shortlists, .. } = &self.description;
        let mut lines: Vec<(String, String)> = self.input().describe();
        let entries = target.vocabulary.len() - target.vocabulary.specials();
        lines.push(("targets".into(), format!("cut into {}, {entries} different tokens", target.cut)));
        if let Some(lists) = shortlists {
            lines
                .push(("shortlists".into(), format!("{} of the targets' tokens a token of the source", lists.count())));
        }
        lines.push(("network".into(), plan.summary()));
        lines
    }

    fn options(&self) -> Vec<(&'static str, Value)> {
        let Description { target, .. } = &self.description;
        vec![
            ("input", json!(self.input().plan())),
            ("data", json!(self.description.data)),
            ("target", json!({ "cut": target.cut, "max-length": target.max_length, "longest": target.longest })),
            ("network", json!(self.description.plan)),
        ]
    }

    fn answer(&self, inputs: &[&Example], ask: &Ask) -> Result<Vec<Answer>> {
        self.description.input.check_made(inputs)?;
        let predictions = self.predict(inputs, ask)?;
        let answer = |(found, example): (_, &&Example)| answer::of(&self.description.target, found, example, ask);
        Ok(predictions.into_iter().zip(inputs).map(answer).collect())
    }

    fn check_memory(&self, input: &Example, ask: &Ask, file: &Path) -> Result<(), DataError> {
        let followed = followed(&ask.search, &self.description.target);
        self.description.budget(followed, ask.limit).check_row(input, file)
    }

    fn check_ask(&self, ask: &Ask) -> Result<(), PlanError> {
        ask.backtest.refuse()?;
        ask.forecast.refuse()?;
        ask.generate.refuse()?;
        if let Some(option) = ask.judging.of_language_models() {
            return Err(PlanError::conflict(option, "is of language models (lookback train generate)"));
        }
        match ask.top.map(|_| "top").or(ask.unsure.said()) {
            Some(option) => Err(PlanError::conflict(option, "is for one label a text, but this model writes texts")),
            None => {
                ask.judging.bleu_tokenizer.as_deref().map(bleu_tokenizer).transpose()?;
                self.searched(ask).map(drop)
            }
        }
    }

    fn fields(&self, ask: &Ask) -> Vec<Field> {
        answer::fields(ask)
    }

    fn without_views(&self) -> Option<String> {
        None
    }

    fn text_field(&self) -> Option<&'static str> {
        Some(answer::TRANSLATION)
    }

    fn evaluate(&self, data: &Path, columns: &Columns, ask: &Ask) -> Result<Report> {
        let options = columns.of_pairs(data, &self.description.data)?;
        let trained = self.description.input.plan().columns();
        let trained = trained.as_ref().and_then(FileColumns::table);
        let (pairs, _) = read(data, columns.target_file.as_deref(), &options, trained)?;
        self.judge(pairs, data, ask)
    }
}

/// The tokenizer for BLEU of this name.
fn bleu_tokenizer(name: &str) -> Result<BleuTokenizer, PlanError> {
    let known = [BleuTokenizer::V13a, BleuTokenizer::Zh, BleuTokenizer::Char, BleuTokenizer::None];
    let found = known.into_iter().find(|tokenizer| tokenizer.name() == name);
    let names = known.map(BleuTokenizer::name).join(", ");
    found.ok_or_else(|| PlanError::value("bleu-tokenizer", format!("'{name}'"), format!("one of {names}")))
}

/// The figures for people and as JSON.
fn report(metrics: &Metrics) -> Report {
    let Metrics { examples, loss, scores } = metrics;
    let figure = |score: Score, value: f64| Figure { score, value };
    let mut figures = vec![
        figure(EXACT_MATCH, scores.exact_match),
        figure(BLEU, scores.bleu.score),
        figure(CHRF, scores.chrf.score),
        figure(WER, scores.wer.rate),
        figure(CER, scores.cer.rate),
        figure(PERPLEXITY, loss.exp()),
        figure(Score::LOSS, *loss),
    ];
    let mut json = json!({
        "examples": examples,
        "exact_match": scores.exact_match,
        "bleu": scores.bleu.score,
        "chrf": scores.chrf.score,
        "wer": scores.wer.rate,
        "cer": scores.cer.rate,
        "perplexity": loss.exp(),
        "loss": loss,
        "signatures": { "bleu": scores.bleu.signature, "chrf": scores.chrf.signature },
    });
    if let Some(rouge) = &scores.rouge {
        json["rouge"] = json!(rouge);
    }
    let mut signatures = vec![("BLEU", &scores.bleu.signature), ("chrF", &scores.chrf.signature)];
    if let Some(ter) = &scores.ter {
        json["ter"] = json!(ter.score);
        json["signatures"]["ter"] = json!(ter.signature);
        figures.insert(5, figure(TER, ter.score));
        signatures.push(("TER", &ter.signature));
    }
    let row = |(name, signature): (&str, &String)| vec![name.to_owned(), signature.clone()];
    let header = ["score", "signature"].map(str::to_owned).to_vec();
    let note = match scores.bleu.score == 0.0 && scores.exact_match > 0.0 {
        true => {
            "BLEU counts runs of one to four tokens, and is 0 where no text has four in a row; chrF and exact match tell more there"
        }
        false => "",
    };
    let signatures = Table { header, rows: signatures.into_iter().map(row).collect(), note: note.to_owned() };
    // Of texts in other scripts there are no words to count.
    let rouge = scores.rouge.as_ref().filter(|rouge| rouge.one.f1 > 0.0).map(rouge_table);
    Report { examples: *examples, figures, tables: rouge.into_iter().chain([signatures]).collect(), json }
}

/// Precision, recall and F1 of each kind, from 0 to 100.
fn rouge_table(rouge: &Rouge) -> Table {
    let row = |(name, measure): (&str, FMeasure)| {
        let FMeasure { precision, recall, f1 } = measure;
        [name.to_owned()].into_iter().chain([precision, recall, f1].map(|value| format!("{:.2}", 100.0 * value)))
    };
    let kinds = [("ROUGE-1", rouge.one), ("ROUGE-2", rouge.two), ("ROUGE-L", rouge.longest)];
    let header = ["summaries", "precision", "recall", "F1"].map(str::to_owned).to_vec();
    Table { header, rows: kinds.map(|kind| row(kind).collect()).to_vec(), note: String::new() }
}
