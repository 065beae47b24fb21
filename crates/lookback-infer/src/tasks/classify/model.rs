//! A trained classifier: networks, input and labels, from one file.

use std::borrow::Cow;
use std::path::Path;

use serde_json::{Value, json};

use super::coverage::{Coverage, Probabilities};
use super::data::Dataset;
use super::metrics::{Confused, Metrics};
use super::network::{Network, answer_together};
use super::several_metrics::SeveralMetrics;
use super::{
    ACCURACY, AVERAGE_PRECISION, CALIBRATION_ERROR, CALIBRATION_ERROR_BEFORE, Calibration, LabelsPerText, LinearPart,
    MACRO_F1, MICRO_F1, NAME, NetworkPlan, ROC_AUC, Targets, Thresholds,
};
use crate::data::labels::LabelSet;
use crate::error::{DataError, ModelFileError, Overflow, PlanError, Result};
use crate::input::{Batch, Columns, Example, Input, InputShape};
use crate::memory_limit::MemoryLimit;
use crate::model::{Answer, Ask, Field, Figure, LabelScores, Model, Record, Report, Score, Table, View};
use crate::model_file::{ModelFile, Tensor, Tensors};
use crate::network::budget::{Budget, NUMBER, Purpose, pooling_numbers};
use crate::network::{Output, likeliest};

/// Where a file keeps from which probability on labels are answered, of a model of several labels a text.
const THRESHOLDS_KEY: &str = "thresholds";

/// What a classifier's file holds, apart from its tensors.
#[derive(Clone, Debug)]
pub struct Description {
    /// How inputs are read.
    pub input: Input,
    /// The networks' plan.
    pub plan: NetworkPlan,
    /// The linear part beside the networks, where there is one.
    pub linear: Option<LinearPart>,
    /// How the two answer together.
    pub calibration: Calibration,
    /// The labels.
    pub labels: LabelSet,
    /// From where on they are answered, where a text may have several.
    pub thresholds: Option<Thresholds>,
    /// How it came to be.
    pub record: Record,
}

/// A trained classifier.
#[derive(Debug)]
pub struct Classifier {
    description: Description,
    /// At least one.
    networks: Vec<Network>,
    /// The tensor with the largest weight, and that weight: what an overflow is told by.
    largest: Overflow,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The likeliest label, as the label set numbers them.
    pub label: usize,
    /// The labels that are answered, the likeliest first: that one alone, or, where a text may have several, those that reach
    /// their thresholds.
    pub labels: Vec<usize>,
    /// One probability per label.
    pub probabilities: Vec<f32>,
    /// What was looked at, where this was asked for.
    pub views: Vec<View>,
}

impl Description {
    /// A file with all of this and the tensors of the networks, which have the names that [`prefix`](crate::model_file::prefix) tells.
    ///
    /// # Errors
    /// If something cannot be written as JSON.
    pub fn file(&self, tensors: impl IntoIterator<Item = (String, Tensor)>) -> Result<ModelFile, ModelFileError> {
        let mut file = ModelFile::new(NAME);
        self.input.put(&mut file)?;
        file.put_json("network", &self.plan)?;
        file.put_json("labels", &self.labels)?;
        file.put_json("calibration", &self.calibration)?;
        if let Some(thresholds) = &self.thresholds {
            file.put_json(THRESHOLDS_KEY, thresholds)?;
        }
        file.put_json("record", &self.record)?;
        file.tensors.extend(tensors);
        if let Some(linear) = &self.linear {
            linear.put(&mut file);
        }
        Ok(file)
    }

    fn budget(&self, purpose: Purpose, limit: MemoryLimit) -> Budget {
        budget(&self.plan, self.input.shape(), self.labels.len(), purpose, limit)
    }
}

/// What the batches of such a network take of memory.
pub fn budget(plan: &NetworkPlan, input: InputShape, labels: usize, purpose: Purpose, limit: MemoryLimit) -> Budget {
    let pools = plan.encoder.attention.pools();
    let steps = if pools { 0 } else { pooling_numbers(&plan.pooling, plan.encoder.width()) };
    // Logits, their softmax, the smoothed targets, and the gradients of all.
    Budget::new(&plan.encoder, input, steps, NUMBER * 8 * labels as u64, purpose, limit)
}

impl Classifier {
    /// Makes the classifier in a file that came from `path`.
    ///
    /// # Errors
    /// If an entry or tensor is missing, left over, or not as the others need it.
    pub fn read(mut file: ModelFile, path: &Path) -> Result<Classifier, ModelFileError> {
        let input = Input::of_file(&file, path)?;
        let plan: NetworkPlan = file.checked_json(path, "network", NetworkPlan::check)?;
        let labels: LabelSet = file.json(path, "labels")?;
        let scores = plan.labels_per_text.scores().len();
        let record = file.checked_json(path, "record", |record: &Record| record.check(plan.ensemble, scores))?;
        let largest = file.largest();
        let linear = match &plan.linear {
            Some(config) => Some(LinearPart::take(config, labels.len(), &mut file, path)?),
            None => None,
        };
        let calibration = file.checked_json(path, "calibration", Calibration::check)?;
        let networks = Tensors::of_networks(&mut file, path, plan.ensemble, |tensors| {
            Network::read(&plan, input.shape(), labels.len(), tensors)
        })?;
        let (thresholds, its_key) = match plan.labels_per_text {
            LabelsPerText::One => (None, &[][..]),
            LabelsPerText::Several => {
                let check = |thresholds: &Thresholds| thresholds.check(labels.len());
                (Some(file.checked_json(path, THRESHOLDS_KEY, check)?), &[THRESHOLDS_KEY][..])
            }
        };
        let keys = ["network", "labels", "calibration", "record"];
        file.check_all_read(path, &[&Input::KEYS[..], &keys, its_key].concat())?;
        Ok(Classifier {
            description: Description { input, plan, linear, calibration, labels, thresholds, record },
            networks,
            largest,
        })
    }

    /// What the file holds, apart from its tensors.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The labels, in the order of [`Prediction::probabilities`].
    pub fn labels(&self) -> &[String] {
        self.description.labels.names()
    }

    /// Answers examples that this classifier's input has made, in parts where they would take too much memory together.
    ///
    /// # Errors
    /// If the network's numbers overflow, so that a probability would be no number.
    ///
    /// # Panics
    /// If another input has made one of them.
    pub fn predict(&self, examples: &[&Example], ask: &Ask) -> Result<Vec<Prediction>, Overflow> {
        let purpose = if ask.views { Purpose::Views } else { Purpose::Answers };
        let budget = self.description.budget(purpose, ask.limit);
        let linear = self.description.linear.as_ref().map(|linear| linear.logits(examples));
        let labels = self.labels().len();
        let lengths: Vec<usize> = examples.iter().map(|example| example.len()).collect();
        let thresholds = self.thresholds(ask);
        budget.answers(&lengths, |rows| {
            let batch: Vec<&Example> = rows.iter().map(|&row| examples[row]).collect();
            let mut output = run(&self.networks, &batch, ask.views);
            let of_linear = linear.as_ref().map(|linear| {
                rows.iter().flat_map(|&row| linear[row * labels..][..labels].iter().copied()).collect::<Vec<f32>>()
            });
            output.logits = self.description.calibration.apply(&output.logits, of_linear.as_deref());
            let answer =
                |(place, example)| self.prediction(&output, (place, rows.len()), example, thresholds.as_deref());
            batch.into_iter().enumerate().map(answer).collect()
        })
    }

    /// From where on labels are answered, where a text may have several: from the probability that is asked for, or those that
    /// were found in training.
    fn thresholds(&self, ask: &Ask) -> Option<Cow<'_, Thresholds>> {
        let own = self.description.thresholds.as_ref()?;
        Some(match ask.unsure.threshold {
            Some(threshold) => Cow::Owned(Thresholds::all(self.labels().len(), threshold as f32)),
            None => Cow::Borrowed(own),
        })
    }

    /// The answer to the example that stands in a row of a batch of so many.
    fn prediction(
        &self,
        output: &Output,
        (row, rows): (usize, usize),
        example: &Example,
        thresholds: Option<&Thresholds>,
    ) -> Result<Prediction, Overflow> {
        let labels = self.labels().len();
        let mut probabilities = output.logits[row * labels..(row + 1) * labels].to_vec();
        self.description.plan.labels_per_text.link().probabilities(&mut probabilities, labels);
        if probabilities.iter().any(|probability| !probability.is_finite()) {
            return Err(self.largest.clone());
        }
        let label = likeliest(&probabilities);
        let labels = thresholds.map(|thresholds| thresholds.answer(&probabilities));
        let views = views_of(output, (row, rows), example, &self.description.plan);
        Ok(Prediction { label, labels: labels.unwrap_or_else(|| vec![label]), probabilities, views })
    }
}

/// What the view of the pooling's weights is called; of an attention that pools by itself, that of the mean of its hops.
const POOLING: [&str; 2] = ["pooling", "mean"];

pub(super) fn is_pooling(view: &View) -> bool {
    POOLING.contains(&view.name.as_str())
}

/// What was looked at in the row of one example: the pooling's weights first.
fn views_of(output: &Output, place: (usize, usize), example: &Example, plan: &NetworkPlan) -> Vec<View> {
    let once = || vec![String::new()];
    let pools = plan.encoder.attention.pools();
    let of = |name: &str, looking: Vec<String>, values: &[f32], queries: usize| {
        View::of_batch(name, looking, example.names(), values, queries, place)
    };
    let pooling = output.weights.iter().map(|weights| of(POOLING[usize::from(pools)], once(), weights, 1));
    // A hop looks once; a batch of one step may have one query as well.
    let looking = || if pools { once() } else { example.names() };
    let views = output.views.iter().map(|view| of(&view.name, looking(), &view.values, view.queries));
    pooling.chain(views).collect()
}

impl Model for Classifier {
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
        self.description.plan.labels_per_text.scores()
    }

    fn describe(&self) -> Vec<(String, String)> {
        let labels = self.labels();
        let mut lines = vec![("labels".into(), format!("{}: {}", labels.len(), labels.join(", ")))];
        lines.extend(self.input().describe());
        if let Some(linear) = &self.description.plan.linear {
            lines.push(("linear part".into(), format!("{} buckets of n-grams", linear.buckets)));
            let Calibration { networks, linear } = self.description.calibration;
            lines.push((
                "answer".into(),
                format!("{networks:.2} times the network and {linear:.2} times the linear part"),
            ));
        }
        if let Some(thresholds) = &self.description.thresholds {
            let of_label = |(label, threshold): (&String, &f32)| format!("{label} {:.1} %", 100.0 * threshold);
            let shown: Vec<String> = labels.iter().zip(thresholds.values()).map(of_label).collect();
            lines.push(("answered".into(), format!("labels from these probabilities on: {}", shown.join(", "))));
        }
        lines.push(("network".into(), self.description.plan.summary()));
        lines
    }

    fn options(&self) -> Vec<(&'static str, Value)> {
        vec![("input", json!(self.input().plan())), ("network", json!(self.description.plan))]
    }

    fn answer(&self, inputs: &[&Example], ask: &Ask) -> Result<Vec<Answer>> {
        self.description.input.check_made(inputs)?;
        let predictions = self.predict(inputs, ask)?;
        let answer = |(prediction, example): (Prediction, &&Example)| Answer {
            json: self.json(&prediction, example, ask),
            line: self.line(&prediction),
            notes: Vec::new(),
            views: prediction.views,
            rows: None,
            charts: Vec::new(),
        };
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
            return Err(PlanError::conflict(option, "is of models that write texts, but this one tells labels"));
        }
        self.check_answers(ask)
    }

    fn fields(&self, ask: &Ask) -> Vec<Field> {
        self.answer_fields(ask)
    }

    fn without_views(&self) -> Option<String> {
        let plan = &self.description.plan;
        let none = !plan.has_weights() && plan.encoder.attention.pair_heads() == 0;
        none.then(|| {
            let pooling = &plan.pooling;
            format!(
                "the model pools by {pooling}, which gives no weights to tokens; train with --pooling attention or query \
                 to see them"
            )
        })
    }

    fn evaluate(&self, data: &Path, columns: &Columns, ask: &Ask) -> Result<Report> {
        let description = &self.description;
        let examples = description.input.read_labelled(data, columns)?;
        let per_text = description.plan.labels_per_text;
        let dataset = Dataset::to_be_judged(examples, &description.labels, per_text, data)?;
        self.judge(&dataset, ask)
    }
}

impl Classifier {
    /// Judges the classifier on examples that its own input has made.
    ///
    /// # Errors
    /// If a row takes too much memory, or numbers overflow.
    pub fn judge(&self, dataset: &Dataset, ask: &Ask) -> Result<Report> {
        let budget = self.description.budget(Purpose::Answers, ask.limit);
        dataset.check_memory(&budget)?;
        let examples: Vec<&Example> = dataset.examples.iter().collect();
        let networks = logits(&self.networks, &examples, &budget);
        let linear = self.description.linear.as_ref().map(|linear| linear.logits(&examples));
        let labels = self.labels().len();
        let names = [self.labels(), &dataset.unseen].concat();
        let (linear, calibration) = (linear.as_deref(), self.description.calibration);
        let (has_loss, loss, report) = match (&dataset.targets, self.thresholds(ask).as_deref()) {
            (truth @ Targets::Several(_), Some(thresholds)) => {
                let of_row = |_| thresholds;
                let metrics = SeveralMetrics::of_logits(&names, labels, truth, &networks, linear, calibration, of_row);
                (true, metrics.loss, metrics.report())
            }
            (Targets::One(truth), None) => {
                let metrics = Metrics::of_logits(&names, labels, truth, &networks, linear, calibration);
                let mut report = report(&metrics, &names);
                if ask.unsure.said().is_some() {
                    let probabilities = Probabilities { networks: &networks, linear, calibration };
                    let all = (dataset.examples.as_slice(), truth.as_slice());
                    report = Coverage::new(all, labels, &probabilities, &ask.unsure).added_to(report);
                }
                (truth.iter().any(|&target| target < labels), metrics.loss, report)
            }
            _ => {
                let problem = "the examples have one label each and the model's several, or the other way round";
                return Err(PlanError::Unfit(problem.into()).into());
            }
        };
        match has_loss && !loss.is_finite() {
            true => Err(self.largest.clone().into()),
            false => Ok(report),
        }
    }
}

/// The logits `[rows, N]` that networks give together for examples that are within the budget.
///
/// # Panics
/// If there is no network, or the examples were made for another one.
pub fn logits(networks: &[Network], examples: &[&Example], budget: &Budget) -> Vec<f32> {
    let labels = networks.first().map_or(0, Network::labels);
    let lengths: Vec<usize> = examples.iter().map(|example| example.len()).collect();
    let mut all = vec![0.0; examples.len() * labels];
    for rows in budget.batches(&lengths) {
        let batch: Vec<&Example> = rows.iter().map(|&row| examples[row]).collect();
        let output = run(networks, &batch, false);
        for (logits, &row) in output.logits.chunks(labels).zip(&rows) {
            all[row * labels..][..labels].copy_from_slice(logits);
        }
    }
    all
}

fn run(networks: &[Network], examples: &[&Example], views: bool) -> Output {
    let batch = Batch::new(examples, networks[0].parts(), &mut || false);
    answer_together(networks, &batch, views)
}

/// The figures for people and as JSON.
fn report(metrics: &Metrics, labels: &[String]) -> Report {
    let figure = |score: Score, value: f64| Figure { score, value };
    let confusions = match &metrics.confusion {
        Some(matrix) => confusion(labels, matrix),
        None => confused(&metrics.confused),
    };
    let mut figures = vec![
        figure(ACCURACY, metrics.accuracy),
        figure(MACRO_F1, metrics.macro_f1),
        figure(MICRO_F1, metrics.micro_f1),
    ];
    // None where no row has a label that was trained.
    figures.extend(metrics.loss.is_finite().then(|| figure(Score::LOSS, metrics.loss)));
    figures.push(figure(CALIBRATION_ERROR, metrics.calibration_error));
    figures.push(figure(CALIBRATION_ERROR_BEFORE, metrics.calibration_error_before));
    figures.extend(metrics.roc_auc.map(|value| figure(ROC_AUC, value)));
    figures.extend(metrics.average_precision.map(|value| figure(AVERAGE_PRECISION, value)));
    Report {
        examples: metrics.examples,
        figures,
        tables: vec![LabelScores::table(&metrics.classes, "examples"), confusions],
        json: json!(metrics),
    }
}

/// A confusion matrix: a row per right label, a column per answer.
fn confusion(labels: &[String], counts: &[Vec<usize>]) -> Table {
    let header = std::iter::once("right \\ answer".to_owned()).chain(labels.iter().cloned()).collect();
    let row = |(label, row): (&String, &Vec<usize>)| {
        std::iter::once(label.clone()).chain(row.iter().map(usize::to_string)).collect()
    };
    Table { header, rows: labels.iter().zip(counts).map(row).collect(), note: String::new() }
}

/// The commonest wrong answers, where there are too many labels for a matrix.
fn confused(confused: &[Confused]) -> Table {
    const SHOWN: usize = 20;
    let row = |pair: &Confused| vec![pair.label.clone(), pair.answer.clone(), pair.count.to_string()];
    let more = confused.len().saturating_sub(SHOWN);
    Table {
        header: ["right", "answer", "examples"].map(str::to_owned).to_vec(),
        rows: confused.iter().take(SHOWN).map(row).collect(),
        note: if more > 0 { format!("and {more} more pairs; --json has them all") } else { String::new() },
    }
}
