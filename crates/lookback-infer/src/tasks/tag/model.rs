//! A trained tagger: networks, input and tags, from one file.

use std::path::Path;

use lookback_kernels::crf::CrfPath;
use serde_json::{Value, json};

use super::answer;
use super::data::{Dataset, convert, read, wanted};
use super::decoder::{Decoder, Scored};
use super::metrics::Metrics;
use super::network::{Network, answer_together};
use super::scheme::{Schemes, Transitions};
use super::segment::SCHEME as WORDS;
use super::span_scores::SpanScores;
use super::{ACCURACY, F1, NAME, NetworkPlan, PRECISION, RECALL, SCORES, STRICT_F1, UNKNOWN_ACCURACY};
use crate::data::Format;
use crate::data::labels::LabelSet;
use crate::data::tagged::{Document, Holds, TaggedColumns, Wanted};
use crate::error::{DataError, ModelFileError, Overflow, PlanError, Result};
use crate::input::{Batch, Columns, Example, Input, InputShape};
use crate::memory_limit::MemoryLimit;
use crate::model::{Answer, Ask, Field, Figure, LabelScores, Model, Record, Report, Score, View};
use crate::model_file::{ModelFile, Tensor, Tensors};
use crate::network::budget::{Budget, Purpose};
use crate::network::{Output, Weights};

/// What a tagger's file holds, apart from its tensors.
#[derive(Clone, Debug)]
pub struct Description {
    /// How inputs are read.
    pub input: Input,
    /// How tagged sentences stand in files, where it was said.
    pub data: TaggedColumns,
    /// What tags are spelt in.
    pub schemes: Schemes,
    /// Whether tokens are characters, whose tags spell words.
    pub segment: bool,
    /// The networks' plan.
    pub plan: NetworkPlan,
    /// The tags.
    pub tags: LabelSet,
    /// How it came to be.
    pub record: Record,
}

/// The entries of a tagger's file beside those of its input.
const KEYS: [&str; 6] = ["data", "schemes", "segment", "network", "tags", "record"];

/// What chooses the tags of networks that answer together.
///
/// # Errors
/// If what they have learnt chooses none.
pub fn decoder(networks: &[Network], tags: &LabelSet, schemes: Schemes) -> Result<Decoder, String> {
    Decoder::new(networks, tags.len(), Transitions::of(schemes.trained, tags.names()))
        .map_err(|error| error.to_string())
}

/// A trained tagger.
#[derive(Debug)]
pub struct Tagger {
    description: Description,
    /// At least one.
    networks: Vec<Network>,
    decoder: Decoder,
    /// The tensor with the largest weight, and that weight: what an overflow is told by.
    largest: Overflow,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The likeliest tag of every token, as the tag set numbers them. `[T]`
    pub tags: Vec<usize>,
    /// The probability of each. `[T]`
    pub scores: Vec<f32>,
    /// What was looked at, where this was asked for.
    pub views: Vec<View>,
    /// The two best paths with their scores, where this was asked for and tags are chosen together.
    pub paths: Vec<CrfPath>,
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
        file.put_json("schemes", &self.schemes)?;
        file.put_json("segment", &self.segment)?;
        file.put_json("network", &self.plan)?;
        file.put_json("tags", &self.tags)?;
        file.put_json("record", &self.record)?;
        file.tensors.extend(tensors);
        Ok(file)
    }

    fn budget(&self, purpose: Purpose, limit: MemoryLimit) -> Budget {
        budget(&self.plan, self.input.shape(), self.tags.len(), purpose, limit)
    }
}

/// What the batches of such a network take of memory.
pub fn budget(plan: &NetworkPlan, input: InputShape, tags: usize, purpose: Purpose, limit: MemoryLimit) -> Budget {
    // The real steps alone, logits and their softmax.
    let steps = (2 * plan.encoder.width() + 4 * tags) as u64;
    Budget::new(&plan.encoder, input, steps, 0, purpose, limit)
}

impl Tagger {
    /// Makes the tagger in a file that came from `path`.
    ///
    /// # Errors
    /// If an entry or tensor is missing, left over, or not as the others need it.
    pub fn read(mut file: ModelFile, path: &Path) -> Result<Tagger, ModelFileError> {
        let input = Input::of_file(&file, path)?;
        if input.text().is_none() {
            let problem = "it is of numeric series, but a tagger reads texts".to_owned();
            return Err(ModelFileError::Entry { file: path.into(), key: "input".into(), problem });
        }
        let segment = file.json(path, "segment")?;
        let data = file.checked_json(path, "data", |data: &TaggedColumns| data.check(wanted(segment)))?;
        let schemes: Schemes = file.json(path, "schemes")?;
        if segment && schemes.trained != WORDS {
            let problem = format!("characters spell words in {WORDS}, but the tags are of {}", schemes.trained);
            return Err(ModelFileError::Entry { file: path.into(), key: "segment".into(), problem });
        }
        let plan = file.checked_json(path, "network", NetworkPlan::check)?;
        let tags: LabelSet = file.json(path, "tags")?;
        let record = file.checked_json(path, "record", |record: &Record| record.check(plan.ensemble, SCORES.len()))?;
        let largest = file.largest();
        let networks = Tensors::of_networks(&mut file, path, plan.ensemble, |tensors| {
            Network::read(&plan, input.shape(), tags.len(), tensors)
        })?;
        file.check_all_read(path, &[&Input::KEYS[..], &KEYS].concat())?;
        let description = Description { input, data, schemes, segment, plan, tags, record };
        let decoder = decoder(&networks, &description.tags, schemes).map_err(|problem| ModelFileError::Entry {
            file: path.into(),
            key: "tags".into(),
            problem,
        })?;
        Ok(Tagger { description, networks, decoder, largest })
    }

    /// The tags, in the order of their numbers.
    pub fn tags(&self) -> &[String] {
        self.description.tags.names()
    }

    /// Answers examples that this tagger's input has made, in parts where they would take too much memory together.
    ///
    /// # Errors
    /// If the network's numbers overflow, so that a probability would be no number.
    ///
    /// # Panics
    /// If another input has made one of them.
    pub fn predict(&self, examples: &[&Example], ask: &Ask) -> Result<Vec<Prediction>, Overflow> {
        let purpose = if ask.views { Purpose::Views } else { Purpose::Answers };
        let lengths: Vec<usize> = examples.iter().map(|example| example.len()).collect();
        self.description.budget(purpose, ask.limit).answers(&lengths, |rows| {
            let batch: Vec<&Example> = rows.iter().map(|&row| examples[row]).collect();
            self.together(&batch, ask.views).ok_or_else(|| self.largest.clone())
        })
    }

    /// The answers to a batch; `None` where numbers overflow.
    fn together(&self, examples: &[&Example], views: bool) -> Option<Vec<Prediction>> {
        let (output, batch) = run(&self.networks, examples, views);
        let count = self.tags().len();
        let scored = Scored { scores: &output.logits, lengths: &batch.lengths, time: batch.time };
        let probabilities = self.decoder.probabilities(scored).ok()?;
        let tags = self.decoder.tags(scored).ok()?;
        let predictions = tags.into_iter().zip(examples).enumerate().map(|(row, (tags, example))| {
            let place = (row, examples.len());
            let own = of_row(&probabilities, place, example.len() * count);
            let scores: Vec<f32> = own.chunks_exact(count).zip(&tags).map(|(step, &tag)| step[tag].min(1.0)).collect();
            let is_number = own.iter().all(|probability| probability.is_finite());
            let view = |view: &Weights| {
                let names = example.written_names();
                View::of_batch(&view.name, names.clone(), names, &view.values, view.queries, place)
            };
            let paths = match views {
                true => self.decoder.best_two(of_row(&output.logits, place, example.len() * count)).ok()?,
                false => Vec::new(),
            };
            is_number.then(|| Prediction { tags, scores, views: output.views.iter().map(view).collect(), paths })
        });
        predictions.collect()
    }
}

impl Model for Tagger {
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
        let tags = self.tags();
        let mut lines = vec![("tags".into(), format!("{}: {}", tags.len(), tags.join(", ")))];
        if self.description.schemes.written.has_spans() {
            lines.push(("scheme".into(), self.description.schemes.written.to_string()));
        }
        lines.extend(self.input().describe());
        lines.push(("network".into(), self.description.plan.summary()));
        lines
    }

    fn options(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("input", json!(self.input().plan())),
            ("data", json!(self.description.data)),
            ("schemes", json!(self.description.schemes)),
            ("network", json!(self.description.plan)),
        ]
    }

    fn answer(&self, inputs: &[&Example], ask: &Ask) -> Result<Vec<Answer>> {
        self.description.input.check_made(inputs)?;
        let predictions = self.predict(inputs, ask)?;
        let answer = |(prediction, example): (_, &&Example)| answer::of(&self.description, prediction, example);
        Ok(predictions.into_iter().zip(inputs).map(answer).collect())
    }

    fn check_memory(&self, input: &Example, ask: &Ask, file: &Path) -> Result<(), DataError> {
        let purpose = if ask.views { Purpose::Views } else { Purpose::Answers };
        self.description.budget(purpose, ask.limit).check_row(input, file)
    }

    fn check_ask(&self, ask: &Ask) -> Result<(), PlanError> {
        ask.backtest.refuse()?;
        ask.forecast.refuse()?;
        ask.generate.refuse()?;
        if let Some(option) = ask.search.said().or(ask.judging.said()) {
            return Err(PlanError::conflict(option, "is of models that write texts, but this one tags tokens"));
        }
        match ask.top.map(|_| "top").or(ask.unsure.said()) {
            Some(option) => {
                Err(PlanError::conflict(option, "is for one label a text, but this model tags every token"))
            }
            None => Ok(()),
        }
    }

    fn fields(&self, ask: &Ask) -> Vec<Field> {
        let entities = answer::has_entities(&self.description).then_some(answer::ENTITIES);
        let views = (ask.views && self.without_views().is_none()).then_some(answer::VIEWS);
        let paths = (ask.views && self.description.plan.crf).then_some(answer::PATHS);
        let of_tokens = [answer::TOKENS, answer::TAGS, answer::SCORES];
        of_tokens
            .into_iter()
            .chain(entities)
            .chain([answer::CUT_TOKENS])
            .chain(views)
            .chain(paths)
            .map(Field::lists)
            .collect()
    }

    fn document(&self, file: &Path, columns: &Columns) -> Result<Option<Document>> {
        let names_columns = columns.tagged.said().iter().any(|(_, said)| *said);
        let is_said = names_columns
            || columns.format.is_some_and(|format| format.is_of_tags())
            || columns.pretokenized && !matches!(columns.format, None | Some(Format::Lines));
        // What can be read only once is not looked at, and lines are answered as they come.
        let is_open = columns.format.is_none() && !names_columns && file.metadata().is_ok_and(|found| found.is_file());
        let found = if is_open { Holds::of(file, columns.layout.encoding)? } else { Holds::Texts };
        let name = file.display();
        let format = match found {
            Holds::Tokens(format) => Some(format),
            Holds::Perhaps(format) if columns.pretokenized => Some(format),
            Holds::Perhaps(format) if !self.description.segment => {
                let option = format.name();
                tracing::warn!("{name}: a text per line; if it holds tokens with tags, --format {option} reads it so");
                None
            }
            Holds::Perhaps(_) | Holds::Texts => None,
        };
        if columns.layout.on_bad_row.is_some() {
            let problem = "is not needed here: in the place of a row that cannot be read stands why";
            return Err(PlanError::conflict("on-bad-row", problem).into());
        }
        if self.description.segment && columns.pretokenized {
            let problem = "is of texts that are cut into tokens, but the model finds the words itself";
            return Err(PlanError::conflict("pretokenized", problem).into());
        }
        if !is_said && format.is_none() {
            return Ok(None);
        }
        if self.description.segment {
            let problem = "is of sentences in words, but the model finds the words itself: it reads texts, a line each";
            return Err(match is_said {
                true => PlanError::conflict("format", problem).into(),
                false => PlanError::Unfit(format!("{} {problem}", file.display())).into(),
            });
        }
        if is_open && !columns.pretokenized {
            tracing::info!("{name}: sentences that are cut into tokens; --format lines reads a text per line");
        }
        let columns = Columns { format: columns.format.or(format), ..columns.clone() };
        Ok(Some(Document::read(file, &columns.of_sentences(&self.description.data, Wanted::Tokens)?)?))
    }

    fn without_tags(&self) -> Option<String> {
        None
    }

    fn without_table(&self) -> Option<String> {
        Some("a tagger answers with lists, a tag for every token, which are no row of a table".into())
    }

    fn without_views(&self) -> Option<String> {
        let none = self.description.plan.encoder.attention.pair_heads() == 0;
        none.then(|| "the model has no attention; train with --attention to see what each token looks at".into())
    }

    fn evaluate(&self, data: &Path, columns: &Columns, ask: &Ask) -> Result<Report> {
        let description = &self.description;
        let segment = description.segment;
        let columns = columns.of_sentences(&description.data, wanted(segment))?;
        let mut sentences = read(data, &columns, segment)?;
        convert(&mut sentences, description.schemes, data);
        let examples = description.input.encode_labelled(sentences, data)?;
        let dataset = Dataset::to_be_judged(examples, &description.tags, description.schemes, data)?;
        let budget = description.budget(Purpose::Answers, ask.limit);
        dataset.check_memory(&budget)?;
        let metrics = judge(&self.networks, &self.decoder, &dataset, self.tags(), &budget);
        if metrics.loss.is_finite() { Ok(report(&metrics)) } else { Err(self.largest.clone().into()) }
    }
}

/// Judges networks that answer together on labelled data whose rows are within the budget.
///
/// # Panics
/// If there is no network, or the data were made for another one.
pub fn judge(networks: &[Network], decoder: &Decoder, dataset: &Dataset, tags: &[String], budget: &Budget) -> Metrics {
    let mut answers = vec![Vec::new(); dataset.examples.len()];
    let (mut loss, mut tokens) = (0.0, 0);
    for rows in budget.batches(&dataset.lengths) {
        let examples: Vec<&Example> = rows.iter().map(|&row| &dataset.examples[row]).collect();
        let (output, batch) = run(networks, &examples, false);
        let scored = Scored { scores: &output.logits, lengths: &batch.lengths, time: batch.time };
        let targets: Vec<&[usize]> = rows.iter().map(|&row| dataset.targets[row].as_slice()).collect();
        let judged = decoder.tags(scored).and_then(|tags| Ok((tags, decoder.losses(scored, &targets)?)));
        let (tags, losses) = judged.unwrap_or_else(|error| panic!("{error}"));
        for ((&row, tags), cost) in rows.iter().zip(tags).zip(losses) {
            answers[row] = tags;
            // What was never trained has no probability.
            if let Some(cost) = cost {
                loss += cost;
                tokens += dataset.lengths[row];
            }
        }
    }
    Metrics::new(tags, dataset, &answers, loss / tokens.max(1) as f64)
}

fn run(networks: &[Network], examples: &[&Example], views: bool) -> (Output, Batch) {
    let batch = Batch::new(examples, networks[0].parts(), &mut || false);
    (answer_together(networks, &batch, views), batch)
}

/// The first `count` numbers of a row of `[rows, ..]`.
fn of_row(values: &[f32], (row, rows): (usize, usize), count: usize) -> &[f32] {
    &values[row * (values.len() / rows)..][..count]
}

/// The figures for people and as JSON.
fn report(metrics: &Metrics) -> Report {
    let figure = |score: Score, value: f64| Figure { score, value };
    let mut figures = vec![figure(ACCURACY, metrics.accuracy)];
    figures.extend(metrics.unknown_accuracy.map(|value| figure(UNKNOWN_ACCURACY, value)));
    if let Some(spans) = &metrics.spans {
        let SpanScores { micro, strict, .. } = spans;
        figures.extend([figure(PRECISION, micro.precision), figure(RECALL, micro.recall), figure(F1, micro.f1)]);
        figures.push(figure(STRICT_F1, strict.f1));
    }
    figures.push(figure(Score::LOSS, metrics.loss));
    let counted = if metrics.spans.is_some() { "spans" } else { "tokens" };
    let tables = vec![LabelScores::table(&metrics.labels, counted)];
    Report { examples: metrics.examples, figures, tables, json: json!(metrics) }
}
