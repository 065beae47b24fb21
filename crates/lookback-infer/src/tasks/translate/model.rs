//! A trained translator: networks, sources and targets, from one file.

use std::collections::HashSet;
use std::convert::Infallible;
use std::path::Path;

use serde_json::{Value, json};

use super::answer;
use super::copying::SourceTokens;
use super::data::{Dataset, Rows, TooLong, budget, read};
use super::metrics::{BleuTokenizer, Judged, ScoreOptions, Scores};
use super::network::Network;
use super::shortlist::{self, Shortened, Shortlists};
use super::target::{TargetText, Targets};
use super::writer::{Writer, WriterState, losses};
use super::{BLEU, CER, CHRF, EXACT_MATCH, NAME, NetworkPlan, PERPLEXITY, SCORES, TER, WER};
use crate::data::pairs::PairOptions;
use crate::error::{DataError, Error, ModelFileError, Overflow, PlanError, Result};
use crate::input::tokenizer::{Segmentation, TokenizerChoice};
use crate::input::vocabulary::PAD;
use crate::input::{Batch, Columns, Example, FileColumns, Input, Labelled};
use crate::memory_limit::MemoryLimit;
use crate::model::{Answer, Ask, Field, Figure, Model, Record, Report, Score, SearchAsk, Table};
use crate::model_file::{ModelFile, Tensor, Tensors};
use crate::network::budget::Budget;
use crate::search::{Decoder, Hypothesis, Request, Search, SearchError, SearchPlan, Step};

/// Hypotheses that are followed where nothing is said.
const BEAM: usize = 5;
/// The length normalisation where nothing is said.
const LENGTH_PENALTY: f64 = 1.0;

/// What a translator's file holds, apart from its tensors.
#[derive(Clone, Debug)]
pub struct Description {
    /// How sources are read.
    pub input: Input,
    /// How pairs stand in files, where it was said.
    pub data: PairOptions,
    /// How targets are read and written.
    pub target: TargetText,
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

    /// `hypotheses`: how many of a source are followed at once.
    fn budget(&self, hypotheses: usize, limit: MemoryLimit) -> Budget {
        let targets = (self.target.vocabulary.len(), Rows::Followed(hypotheses));
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
        let target: TargetText = file.json(path, "target")?;
        target.check().map_err(|problem| wrong("target", problem))?;
        let plan = file.checked_json(path, "network", NetworkPlan::check)?;
        let record = file.checked_json(path, "record", |record: &Record| record.check(plan.ensemble, SCORES.len()))?;
        let vocabulary = target.vocabulary.len();
        let sources = input.text().map_or(0, |text| text.vocabulary.len());
        // Before the largest weight is looked for, since these are none.
        let shortlists = Shortlists::take(&mut file, path, [sources, vocabulary])?;
        if shortlists.is_some() && plan.decoder.copy {
            return Err(wrong(
                "network",
                "its decoder copies tokens, but there is a shortlist of those it writes".into(),
            ));
        }
        let largest = file.largest();
        let outputs = if shortlists.is_some() { shortlist::output_layers(&plan, &file) } else { Vec::new() };
        let mut networks = Tensors::of_networks(&mut file, path, plan.ensemble, |tensors| {
            Network::read(&plan, input.shape(), vocabulary, tensors)
        })?;
        file.check_all_read(path, &[&Input::KEYS[..], &KEYS].concat())?;
        networks.iter_mut().zip(outputs).for_each(|(network, [weight, bias])| network.keep_output(weight, bias));
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
        let budget = description.budget(searched.search.plan().rows(), ask.limit);
        dataset.check_memory(&budget)?;
        let tokenizer = match &ask.judging.bleu_tokenizer {
            Some(name) => bleu_tokenizer(name)?,
            None => tokenizer_of(&dataset),
        };
        let options = ScoreOptions { tokenizer, rouge: true, ter: ask.judging.ter, ..ScoreOptions::default() };
        let judged = searched.judge(&self.networks, &dataset, &options, &budget);
        Ok(report(&judged.map_err(|unanswered| self.why(unanswered))?))
    }

    /// The translations of sources that this translator's input has made, the best first, in parts where they would take too
    /// much memory together.
    ///
    /// # Errors
    /// If the search cannot be done as it is asked for, or the network's numbers overflow.
    pub(super) fn predict(&self, examples: &[&Example], ask: &Ask) -> Result<Vec<Vec<Hypothesis>>> {
        let searched = self.searched(ask)?;
        let lengths: Vec<usize> = examples.iter().map(|example| example.len()).collect();
        self.description.budget(searched.search.plan().rows(), ask.limit).answers(&lengths, |rows| {
            let batch: Vec<&Example> = rows.iter().map(|&row| examples[row]).collect();
            let mut found = searched.translate(&self.networks, &batch).map_err(|unanswered| self.why(unanswered))?;
            // Of a source without a token there is nothing to say.
            batch.iter().zip(&mut found).filter(|(source, _)| source.is_empty()).for_each(|(_, found)| found.clear());
            Ok(found)
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

    fn why(&self, unanswered: Unanswered) -> Error {
        match unanswered {
            Unanswered::Overflow => self.largest.clone().into(),
            Unanswered::Unfit(problem) => PlanError::Unfit(problem).into(),
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
        // What is asked for was checked before.
        let rows = self.searched(ask).map_or(1, |asked| asked.search.plan().rows());
        self.description.budget(rows, ask.limit).check_row(input, file)
    }

    fn check_ask(&self, ask: &Ask) -> Result<(), PlanError> {
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

/// What a translator is judged by.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    /// Sources judged.
    pub examples: usize,
    /// What the references cost per token, in nats.
    pub loss: f64,
    /// How good the answers are.
    pub scores: Scores,
}

/// A search for translations.
#[derive(Debug)]
struct Searched<'a> {
    search: Search,
    request: Request,
    target: &'a TargetText,
    /// Whether tokens are copied, and words that are not to be, of those that no target of the training has.
    copies: bool,
    not_copied: HashSet<String>,
    /// Where not all tokens may be answered.
    shortlist: Option<Shortened<'a>>,
}

/// Why there is no translation.
#[derive(Debug)]
enum Unanswered {
    /// Numbers overflow.
    Overflow,
    /// What is asked for cannot be done, in a sentence.
    Unfit(String),
}

impl<'a> Searched<'a> {
    fn new(ask: &SearchAsk, target: &'a TargetText, copies: bool) -> Result<Searched<'a>, PlanError> {
        let plan = SearchPlan::new(&ask.options(BEAM, LENGTH_PENALTY, target.most_tokens()))?;
        let tokens = |option: &'static str, text: &str| {
            let ids = target.encode_whole(text);
            match ids.iter().any(|&id| target.is_unknown(id)) {
                true => {
                    let problem = format!("{text:?} holds what no target of the training has");
                    Err(PlanError::conflict(option, problem))
                }
                false => Ok(ids),
            }
        };
        if ask.forbid.iter().any(String::is_empty) {
            return Err(PlanError::conflict("forbid", "is of no text, which cannot be forbidden; leave it out"));
        }
        let forbidden = ask.forbid.iter().flat_map(|text| target.forms(text));
        let not_copied = if copies { not_copied(&ask.forbid, target)? } else { HashSet::new() };
        let required = ask.require.iter().map(|text| tokens("require", text)).collect::<Result<Vec<_>, _>>()?;
        let prefix = ask.prefix.as_deref().map(|text| tokens("prefix", text)).transpose()?.unwrap_or_default();
        // What begins or pads is no token of a text.
        let never = [target.bos(), PAD].map(|id| vec![id]);
        let forbidden: Vec<Vec<u32>> = never.into_iter().chain(forbidden).collect();
        let search = Search::new(plan, Some(target.eos())).with_forbidden(forbidden)?;
        // However long a source is: that one is too short is found out when it is answered.
        let request = Request { prefix, required, ..Request::new(target.bos(), search.plan().longest(usize::MAX)) };
        search
            .check(&request, target.vocabulary.len())
            .map_err(|problem| PlanError::Unfit(format!("a translation {problem}")))?;
        Ok(Searched { search, request, target, copies, not_copied, shortlist: None })
    }

    /// The same by shortlists of so many tokens, of the model's.
    fn shortened(self, lists: Option<&'a Shortlists>, count: usize) -> Result<Searched<'a>, PlanError> {
        let Request { prefix, required, .. } = &self.request;
        let always = prefix.iter().chain(required.iter().flatten()).copied().chain([self.target.eos()]).collect();
        Ok(Searched { shortlist: Some(Shortened::new(lists, count, always)?), ..self })
    }

    /// The translations of each, the best first.
    fn translate(&self, networks: &[Network], examples: &[&Example]) -> Result<Vec<Vec<Hypothesis>>, Unanswered> {
        let batch = Batch::new(examples, networks[0].parts(), &mut || false);
        let of = |example: &&Example| SourceTokens::of(self.target, example);
        let sources: Vec<SourceTokens> = if self.copies { examples.iter().map(of).collect() } else { Vec::new() };
        let sources: Vec<&SourceTokens> = sources.iter().collect();
        let (writer, state) = match &self.shortlist {
            Some(shortlist) => Writer::read_shortlisted(networks, &batch, shortlist.of_batch(examples)),
            None => Writer::read(networks, &batch, &sources, &self.not_copied),
        };
        let request = |example: &&Example| {
            let longest = self.search.plan().longest(example.len()).max(self.request.prefix.len());
            Request { longest, seed: example.line as u64, ..self.request.clone() }
        };
        let requests: Vec<Request> = examples.iter().map(request).collect();
        self.search.run(&writer, state, &requests).map_err(|error| match error {
            SearchError::LogProbability { .. } | SearchError::Attention { .. } | SearchError::Normalizer { .. } => {
                Unanswered::Overflow
            }
            other => Unanswered::Unfit(other.to_string()),
        })
    }

    /// How good the translations of pairs are whose sources are within the budget.
    fn judge(
        &self,
        networks: &[Network],
        dataset: &Dataset,
        options: &ScoreOptions,
        budget: &Budget,
    ) -> Result<Metrics, Unanswered> {
        let target = self.target;
        let mut answers = vec![String::new(); dataset.examples.len()];
        for rows in budget.batches(&dataset.source_lengths()) {
            let examples: Vec<&Example> = rows.iter().map(|&row| &dataset.examples[row]).collect();
            for (&row, found) in rows.iter().zip(&self.translate(networks, &examples)?) {
                let text = |best| answer::text(target, best, &dataset.examples[row]);
                answers[row] = found.first().map_or_else(String::new, text);
            }
        }
        let (mut loss, mut tokens) = (0.0, 0);
        for rows in budget.batches(&dataset.lengths) {
            let examples: Vec<&Example> = rows.iter().map(|&row| &dataset.examples[dataset.rows[row].0]).collect();
            let targets: Vec<&[u32]> = rows.iter().map(|&row| dataset.rows[row].1.as_slice()).collect();
            let batch = Batch::new(&examples, networks[0].parts(), &mut || false);
            let targets = Targets::new(&targets, target, || false).with_sources(dataset.sources_of(&rows));
            loss += losses(networks, &batch, &targets).iter().sum::<f64>();
            tokens += dataset.tokens(&rows);
        }
        let loss = loss / tokens.max(1) as f64;
        if !loss.is_finite() {
            return Err(Unanswered::Overflow);
        }
        let pairs = answers.iter().zip(&dataset.references);
        let judged: Vec<Judged<'_>> = pairs.map(|(hypothesis, references)| Judged { hypothesis, references }).collect();
        Ok(Metrics { examples: dataset.examples.len(), loss, scores: Scores::of(&judged, options) })
    }
}

impl Decoder for Writer<'_> {
    type State = WriterState;
    type Error = Infallible;

    fn vocabulary(&self) -> usize {
        Writer::vocabulary(self)
    }

    fn step(&self, state: &mut WriterState, tokens: &[u32], out: &mut Step) -> Result<(), Infallible> {
        let written = Writer::step(self, state, tokens, true);
        out.log_probabilities().copy_from_slice(&written.log_probabilities);
        out.normalizers().copy_from_slice(&written.normalizers);
        written.weights.iter().flatten().for_each(|weights| out.attend(weights));
        Ok(())
    }

    fn reorder(&self, state: &mut WriterState, rows: &[usize]) {
        Writer::reorder(self, state, rows);
    }
}

/// The words of what is forbidden that no target of the training has, but a source may have.
fn not_copied(forbidden: &[String], target: &TargetText) -> Result<HashSet<String>, PlanError> {
    let mut words = HashSet::new();
    for text in forbidden {
        let tokens = target.cut_up(text);
        let unknown = tokens.iter().any(|token| target.vocabulary.id(token).is_none());
        match tokens.as_slice() {
            [token] => words.extend([token.clone(), target.cut.shown(token).to_owned()]),
            _ if unknown => {
                let problem = format!(
                    "{text:?} has several tokens, one of which no target of the training has, and this model copies such \
                     tokens; forbid the words one by one"
                );
                return Err(PlanError::conflict("forbid", problem));
            }
            _ => {}
        }
    }
    Ok(words)
}

/// The tokenizer for BLEU of this name.
fn bleu_tokenizer(name: &str) -> Result<BleuTokenizer, PlanError> {
    let known = [BleuTokenizer::V13a, BleuTokenizer::Zh, BleuTokenizer::Char, BleuTokenizer::None];
    let found = known.into_iter().find(|tokenizer| tokenizer.name() == name);
    let names = known.map(BleuTokenizer::name).join(", ");
    found.ok_or_else(|| PlanError::value("bleu-tokenizer", format!("'{name}'"), format!("one of {names}")))
}

/// How the references of these data are cut for BLEU: Chinese and Japanese by characters.
fn tokenizer_of(dataset: &Dataset) -> BleuTokenizer {
    let references = dataset.references.iter().flatten().map(String::as_str);
    match TokenizerChoice::Auto.resolve(references, false) {
        Segmentation::Jieba => BleuTokenizer::Zh,
        Segmentation::Characters => BleuTokenizer::Char,
        Segmentation::Words | Segmentation::Bpe | Segmentation::Unigram => BleuTokenizer::V13a,
    }
}

/// Judges networks that write together, the likeliest token at every step, on pairs whose sources are within the budget;
/// `None` where numbers overflow.
///
/// # Panics
/// If there is no network, or the data were made for another one.
pub fn judge_greedily(
    networks: &[Network],
    dataset: &Dataset,
    target: &TargetText,
    budget: &Budget,
) -> Option<Metrics> {
    let copies = networks.iter().any(Network::copies);
    let searched = Searched::new(&SearchAsk::greedy(), target, copies).ok()?;
    let options = ScoreOptions { tokenizer: tokenizer_of(dataset), ..ScoreOptions::default() };
    searched.judge(networks, dataset, &options, budget).ok()
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
    let table = Table { header, rows: signatures.into_iter().map(row).collect(), note: String::new() };
    Report { examples: *examples, figures, tables: vec![table], json }
}
