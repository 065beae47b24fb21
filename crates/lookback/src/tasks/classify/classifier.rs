//! A trained classifier: network, encoder and labels, in one file.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, Tensor, activation::softmax};
use serde::{Deserialize, Serialize};

use super::budget::{Budget, Purpose};
use super::config::{InputPlan, ModelPlan};
use super::data::{Batch, Dataset, Example};
use super::ensemble::{answer, prefix};
use super::metrics::Metrics;
use super::model::{ClassifierModel, InputShape};
use super::options::ClassWeights;
use crate::data::batches::Batches;
use crate::data::encoder::TextEncoder;
use crate::data::labels::LabelSet;
use crate::data::series::{SeriesExample, SeriesOptions, Standardizer, read_series};
use crate::data::table::{Column, EmptyText, Labels, TextExample, read_table};
use crate::error::{self, DataError, ModelFileError, Overflow};
use crate::memory_limit::MemoryLimit;
use crate::model_file::{self, ModelFile};
use crate::train::{TrainPlan, Validation};

/// The kind that a classifier's model file names.
const KIND: &str = "classify";

/// The tensor that says how much each bucket of the linear part tells.
const TELLING: &str = "wide.telling";

/// How a classifier came to be; kept in its file, shown by `lookback inspect`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrainingRecord {
    /// The training options, checked.
    pub plan: TrainPlan,
    /// Weights of the labels in the loss.
    pub class_weights: ClassWeights,
    /// Training examples.
    pub examples: usize,
    /// Validation examples.
    pub validation_examples: usize,
    /// How each network came to be; there is at least one.
    pub members: Vec<MemberRecord>,
    /// Loss and scores of all networks together on the validation data.
    pub validation: Option<Validation>,
}

/// How one network came to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MemberRecord {
    /// The seed of everything random.
    pub seed: u64,
    /// The epoch the weights are of, from 1.
    pub epoch: usize,
    /// Epochs that were run.
    pub epochs: usize,
    /// How training ended, in words.
    pub end: String,
    /// Loss and scores on the validation data.
    pub validation: Option<Validation>,
}

/// What turns inputs into examples.
#[derive(Clone, Debug)]
pub(crate) enum Encoder {
    Text(TextEncoder),
    Series(Standardizer),
}

/// A trained classifier.
#[derive(Clone, Debug)]
pub struct Classifier {
    pub(crate) input: InputPlan,
    pub(crate) plan: ModelPlan,
    pub(crate) encoder: Encoder,
    pub(crate) labels: LabelSet,
    pub(crate) record: TrainingRecord,
    /// At least one.
    pub(crate) models: Vec<ClassifierModel>,
    pub(crate) device: Device,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The likeliest label, as the label set numbers them.
    pub label: usize,
    /// One probability a label.
    pub probabilities: Vec<f32>,
    /// One weight a token or step, where the pooling has weights; they sum to 1.
    pub weights: Option<Vec<f32>>,
    /// How much each token or step was looked at by the attention before the pooling, where this was asked for: one view
    /// a head or hop, by name.
    pub views: Vec<(String, Vec<f32>)>,
}

/// The description of a classifier in its model file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Description {
    input: InputPlan,
    model: ModelPlan,
    training: TrainingRecord,
}

impl Classifier {
    /// Writes everything into one file.
    pub fn save(&self, path: &Path) -> Result<(), ModelFileError> {
        let mut file = ModelFile { kind: KIND.into(), metadata: Default::default(), tensors: self.tensors() };
        let description =
            Description { input: self.input.clone(), model: self.plan.clone(), training: self.record.clone() };
        file.put_json("config", &description)?;
        file.put_json("labels", &self.labels)?;
        match &self.encoder {
            Encoder::Text(encoder) => file.put_json("encoder", encoder)?,
            Encoder::Series(standardizer) => file.put_json("standardizer", standardizer)?,
        }
        file.write(path)
    }

    /// Reads a file that [`Classifier::save`] wrote, onto a device without autodiff. Everything is checked before use.
    pub fn load(path: &Path, device: &Device) -> Result<Classifier, ModelFileError> {
        let mut file = ModelFile::read_kind(path, KIND)?;
        let description: Description = file.json(path, "config")?;
        let labels: LabelSet = file.json(path, "labels")?;
        let (mut encoder, encoder_key) = match description.input {
            InputPlan::Text(_) => (Encoder::Text(file.json(path, "encoder")?), "encoder"),
            InputPlan::Series(_) => (Encoder::Series(file.json(path, "standardizer")?), "standardizer"),
        };
        let wrong = |key: &str, problem| ModelFileError::Entry { file: path.into(), key: key.into(), problem };
        description.input.check().map_err(|problem| wrong("config", problem))?;
        description.training.plan.check().map_err(|problem| wrong("config", problem))?;
        if let Encoder::Text(encoder) = &encoder {
            encoder.check().map_err(|problem| wrong("encoder", problem))?;
        }
        let shape = input_shape(&encoder);
        if let Encoder::Text(TextEncoder { wide, .. }) = &mut encoder
            && let Some(part) = wide.take()
        {
            let telling = file.take_tensor(path, TELLING, &[part.config().rows()])?;
            *wide = Some(part.with_telling(telling.data));
        }
        let members = description.training.members.len();
        if members == 0 || members != description.model.members {
            let problem = format!("it tells of {members} networks, but the plan is for {}", description.model.members);
            return Err(ModelFileError::Entry { file: path.into(), key: "config".into(), problem });
        }
        let models = (0..members)
            .map(|member| {
                let prefix = prefix(member, members);
                ClassifierModel::load(&description.model, shape, labels.len(), device, &mut file, path, &prefix)
            })
            .collect::<Result<Vec<_>, _>>()?;
        file.check_all_read(path, &["config", "labels", encoder_key])?;
        Ok(Classifier {
            input: description.input,
            plan: description.model,
            encoder,
            labels,
            record: description.training,
            models,
            device: device.clone(),
        })
    }

    /// The labels, in the order of [`Prediction::probabilities`].
    pub fn labels(&self) -> &[String] {
        self.labels.names()
    }

    /// What the classifier reads.
    pub fn input(&self) -> &InputPlan {
        &self.input
    }

    /// The network's shape.
    pub fn plan(&self) -> &ModelPlan {
        &self.plan
    }

    /// How it came to be.
    pub fn record(&self) -> &TrainingRecord {
        &self.record
    }

    /// The networks, at least one, whose answers are averaged.
    pub fn models(&self) -> &[ClassifierModel] {
        &self.models
    }

    /// All tensors by name, as they stand in the model file.
    pub fn tensors(&self) -> BTreeMap<String, model_file::Tensor> {
        let count = self.models.len();
        let mut tensors: BTreeMap<_, _> =
            self.models.iter().enumerate().flat_map(|(member, model)| model.tensors(&prefix(member, count))).collect();
        if let Encoder::Text(TextEncoder { wide: Some(wide), .. }) = &self.encoder {
            let telling = wide.telling().to_vec();
            tensors.insert(TELLING.into(), model_file::Tensor { shape: vec![telling.len()], data: telling });
        }
        tensors
    }

    /// The encoder of texts, where the classifier reads texts.
    pub fn text_encoder(&self) -> Option<&TextEncoder> {
        match &self.encoder {
            Encoder::Text(encoder) => Some(encoder),
            Encoder::Series(_) => None,
        }
    }

    /// Channels of a series, where the classifier reads series.
    pub fn channels(&self) -> Option<usize> {
        match &self.encoder {
            Encoder::Text(_) => None,
            Encoder::Series(standardizer) => Some(standardizer.channels()),
        }
    }

    /// Reads labelled data in the format the classifier was trained on, or in the one `input` tells.
    pub fn read_labelled(&self, path: &Path, input: &InputPlan) -> Result<Dataset, DataError> {
        match (input, &self.encoder) {
            (InputPlan::Text(plan), Encoder::Text(encoder)) => {
                let texts = read_table(path, &plan.table(Labels::Required, EmptyText::Keep))?;
                Dataset::of_texts(&texts, encoder, &self.labels, path)
            }
            (InputPlan::Series(plan), Encoder::Series(standardizer)) => {
                let mut series = read_series(path, &plan.series(Labels::Required))?;
                for series in &mut series {
                    standardizer.apply(path, series)?;
                    cut(series, plan.max_length);
                }
                Dataset::of_series(series, &self.labels, path)
            }
            // `input` is made from this classifier's own; another kind cannot be built from it.
            _ => Ok(Dataset::default()),
        }
    }

    /// Encodes labelled texts that are read already; `path` is for messages.
    pub fn encode_labelled(&self, texts: &[TextExample], path: &Path) -> Result<Dataset, DataError> {
        match &self.encoder {
            Encoder::Text(encoder) => Dataset::of_texts(texts, encoder, &self.labels, path),
            Encoder::Series(_) => Ok(Dataset::default()),
        }
    }

    /// The column of the texts in the training data, where one was named.
    pub fn text_column(&self) -> Option<&Column> {
        match &self.input {
            InputPlan::Text(plan) => plan.text.as_ref(),
            InputPlan::Series(_) => None,
        }
    }

    /// Whether the training data were said to have a header.
    pub fn header(&self) -> Option<bool> {
        match &self.input {
            InputPlan::Text(plan) => plan.header,
            InputPlan::Series(_) => None,
        }
    }

    /// How series like those of the training are read.
    pub fn series_options(&self, labels: Labels) -> Option<SeriesOptions> {
        match &self.input {
            InputPlan::Text(_) => None,
            InputPlan::Series(plan) => Some(plan.series(labels)),
        }
    }

    /// Standardises one series and cuts it to the longest the model takes; gives the steps that were cut.
    pub fn prepare_series(&self, path: &Path, series: &mut SeriesExample) -> Result<usize, DataError> {
        let steps = series.length;
        if let (InputPlan::Series(plan), Encoder::Series(standardizer)) = (&self.input, &self.encoder) {
            standardizer.apply(path, series)?;
            cut(series, plan.max_length);
        }
        Ok(steps - series.length)
    }

    /// Answers one batch; `examples` may be of any lengths.
    ///
    /// # Errors
    /// If the network's numbers overflow, so that a probability would be no number.
    pub fn predict(&self, examples: &[&Example]) -> Result<Vec<Prediction>, Overflow> {
        self.run(examples, false)
    }

    /// As [`Classifier::predict`], with every view of what the networks looked at. Views over `T` steps come of `[T, T]`
    /// weights a head, which exist for nothing else.
    ///
    /// # Errors
    /// As [`Classifier::predict`].
    pub fn predict_with_views(&self, examples: &[&Example]) -> Result<Vec<Prediction>, Overflow> {
        self.run(examples, true)
    }

    fn run(&self, examples: &[&Example], views: bool) -> Result<Vec<Prediction>, Overflow> {
        if examples.is_empty() {
            return Ok(Vec::new());
        }
        let batch = Batch::new(examples, self.models[0].parts(), None, &self.device);
        let output = answer(&self.models, &batch, views);
        let probabilities = floats(softmax(output.logits, 1));
        let of_steps = |weights: Tensor<2>| (weights.dims()[1], floats(weights));
        let weights = output.weights.map(of_steps);
        let views: Vec<_> = output.views.into_iter().map(|view| (view.name, of_steps(view.weights))).collect();
        if probabilities.iter().any(|probability| !probability.is_finite()) {
            return Err(self.overflow());
        }
        let classes = self.labels.len();
        let predictions = examples
            .iter()
            .enumerate()
            .map(|(row, example)| {
                let probabilities = probabilities[row * classes..(row + 1) * classes].to_vec();
                let own = |(time, all): &(usize, Vec<f32>)| all[row * time..row * time + example.len()].to_vec();
                let weights = weights.as_ref().map(own);
                let views = views.iter().map(|(name, weights)| (name.clone(), own(weights))).collect();
                Prediction { label: likeliest(&probabilities), probabilities, weights, views }
            })
            .collect();
        Ok(predictions)
    }

    /// Judges the classifier on labelled data.
    ///
    /// # Errors
    /// If a row would take more memory than `limit`, or the network's numbers overflow, so that the loss would be no
    /// number. Rows that together would take more are computed in parts.
    pub fn evaluate(&self, dataset: &Dataset, limit: MemoryLimit) -> error::Result<Metrics> {
        let budget = self.budget(Purpose::Answers, limit);
        budget.check(dataset)?;
        let metrics = evaluate(&self.models, dataset, self.labels.names(), &budget, &self.device);
        if metrics.loss.is_finite() { Ok(metrics) } else { Err(self.overflow().into()) }
    }

    /// Numbers overflow where weights are huge.
    fn overflow(&self) -> Overflow {
        let largest = |tensor: &model_file::Tensor| tensor.data.iter().fold(0.0f32, |largest, &w| largest.max(w.abs()));
        let weights = self.tensors().into_iter().map(|(tensor, values)| (tensor, largest(&values)));
        let (tensor, weight) = weights.max_by(|(_, a), (_, b)| a.total_cmp(b)).unwrap_or_default();
        Overflow { tensor, weight }
    }

    /// Refuses an example, from this line of this file, that would take more memory than `limit` to answer, with views or
    /// without.
    pub fn check_memory(
        &self,
        example: &Example,
        views: bool,
        limit: MemoryLimit,
        file: &Path,
        line: usize,
    ) -> Result<(), DataError> {
        let budget = self.budget(if views { Purpose::Views } else { Purpose::Answers }, limit);
        budget.check_row(example).map_err(|problem| DataError::Memory { file: file.into(), line, problem })
    }

    fn budget(&self, purpose: Purpose, limit: MemoryLimit) -> Budget {
        Budget::new(&self.plan, input_shape(&self.encoder), self.labels.len(), purpose, limit)
    }
}

/// Examples that are evaluated at once.
const EVALUATION_BATCH: usize = 64;

/// Judges networks, at least one, that answer together, on labelled data whose rows are within the budget.
pub(crate) fn evaluate(
    models: &[ClassifierModel],
    dataset: &Dataset,
    labels: &[String],
    budget: &Budget,
    device: &Device,
) -> Metrics {
    let mut answers = vec![0usize; dataset.len()];
    let mut loss = 0.0;
    let batches = Batches::new(EVALUATION_BATCH, 0).in_order(&dataset.lengths);
    for indices in batches.iter().flat_map(|batch| budget.parts(&dataset.examples, batch)) {
        let examples: Vec<&Example> = indices.iter().map(|&index| &dataset.examples[index]).collect();
        let batch = Batch::new(&examples, models[0].parts(), None, device);
        let logits = floats(answer(models, &batch, false).logits);
        for (row, &index) in logits.chunks(labels.len()).zip(&indices) {
            answers[index] = likeliest(row);
            loss += cross_entropy(row, dataset.targets[index]);
        }
    }
    Metrics::new(labels, &dataset.targets, &answers, loss / dataset.len().max(1) as f64)
}

/// `log Σ exp(z) - z[target]`, in f64 and safe from overflow.
fn cross_entropy(logits: &[f32], target: usize) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - largest).exp()).sum();
    sum.ln() - f64::from(logits[target] - largest)
}

/// The first of the largest.
fn likeliest(values: &[f32]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

fn floats<const D: usize>(tensor: burn::tensor::Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec::<f32>().expect("Lookback computes in f32")
}

/// Keeps the first `longest` steps.
pub(crate) fn cut(series: &mut SeriesExample, longest: Option<usize>) {
    if let Some(longest) = longest
        && series.length > longest
    {
        series.length = longest;
        series.values.truncate(longest * series.channels);
    }
}

/// What the first layer must be made for.
pub(crate) fn input_shape(encoder: &Encoder) -> InputShape {
    match encoder {
        Encoder::Text(encoder) => InputShape::Tokens {
            vocabulary: encoder.vocabulary.len(),
            ngrams: encoder.ngrams.as_ref().map(|ngrams| ngrams.rows()),
            bigrams: encoder.bigrams.as_ref().map(|bigrams| bigrams.rows()),
            wide: encoder.wide.as_ref().map(|wide| wide.config().rows()),
        },
        Encoder::Series(standardizer) => InputShape::Channels(standardizer.channels()),
    }
}
