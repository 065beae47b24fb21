//! Training a classifier: from a file and a plan to a trained model.

use std::path::Path;

use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::tensor::{Device, Distribution, Tensor};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::budget::{Budget, Purpose, check_tables};
use super::classifier::{Classifier, Encoder, MemberRecord, TrainingRecord, cut, evaluate, input_shape};
use super::config::{ClassifyPlan, InputPlan, ModelPlan, SeriesPlan, TextPlan, ValidationPlan};
use super::data::{Batch, BatchInput, Dataset, Example, WordDropout, int_tensor};
use super::model::{ClassifierModel, Logits};
use super::options::ClassWeights;
use crate::data::encoder::TextEncoder;
use crate::data::labels::LabelSet;
use crate::data::series::{Standardizer, read_series};
use crate::data::split::stratified_split;
use crate::data::table::{EmptyText, Labels, TextExample, read_table};
use crate::data::tokenizer::{Token, Tokenizer};
use crate::data::vocabulary::{Vocabulary, VocabularyOptions};
use crate::data::wide::WideEncoder;
use crate::error::DataError;
use crate::train::{self, End, Progress, Stop, Task, TrainPlan, Validation};

/// What stands after training.
#[derive(Debug)]
pub struct Fitted {
    /// The best model; `None` when training diverged before any epoch was finished.
    pub classifier: Option<Classifier>,
    /// How training ended.
    pub end: End,
    /// How many networks were asked for; the classifier has fewer where training was stopped between.
    pub networks: usize,
}

/// Why training could not begin.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// The data are wrong.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The plan does not fit the data.
    #[error("{0}")]
    Plan(String),
}

/// Data, encoder and labels, ready for training.
struct Prepared {
    encoder: Encoder,
    labels: LabelSet,
    train: Dataset,
    validation: Option<Dataset>,
}

/// Reads the training file and whatever validation the plan names, and trains.
pub fn fit(
    path: &Path,
    plan: &ClassifyPlan,
    device: &Device,
    stop: &Stop,
    progress: &mut dyn Progress,
) -> Result<Fitted, FitError> {
    let prepared = match &plan.input {
        InputPlan::Text(text) => {
            let texts = read_table(path, &text.table(Labels::Required, EmptyText::Refuse))?;
            let validation = match &plan.validation {
                ValidationPlan::File(file) => {
                    Some((read_table(file, &text.table(Labels::Required, EmptyText::Refuse))?, file.as_path()))
                }
                _ => None,
            };
            prepare_texts(&texts, path, validation, text, plan)?
        }
        InputPlan::Series(series) => prepare_series(path, series, plan)?,
    };
    fit_prepared(prepared, plan, device, stop, progress)
}

/// Trains on texts that are read already; `path` is for messages.
pub fn fit_texts(
    texts: &[TextExample],
    path: &Path,
    plan: &ClassifyPlan,
    device: &Device,
    stop: &Stop,
    progress: &mut dyn Progress,
) -> Result<Fitted, FitError> {
    let InputPlan::Text(text) = &plan.input else {
        return Err(FitError::Plan("the plan is for numeric series, the data are texts".into()));
    };
    let prepared = prepare_texts(texts, path, None, text, plan)?;
    fit_prepared(prepared, plan, device, stop, progress)
}

/// Trains on what was prepared.
fn fit_prepared(
    prepared: Prepared,
    plan: &ClassifyPlan,
    device: &Device,
    stop: &Stop,
    progress: &mut dyn Progress,
) -> Result<Fitted, FitError> {
    let Prepared { encoder, labels, train, validation } = prepared;
    stop.training_begins();
    let training_device = device.clone().autodiff();
    let (shape, limit) = (input_shape(&encoder), plan.train.max_memory());
    let undrawn = ClassifierModel::undrawn(&plan.model, shape, labels.len(), device).map_err(FitError::Plan)?;
    check_tables(&undrawn, &plan.model, &plan.train).map_err(FitError::Plan)?;
    let budget = |purpose| Budget::new(&plan.model, shape, labels.len(), purpose, limit);
    let (budget, judging) = (budget(Purpose::Training), budget(Purpose::Answers));
    budget.check(&train)?;
    validation.iter().try_for_each(|validation| judging.check(validation))?;
    let weights = match plan.class_weights {
        ClassWeights::None => None,
        ClassWeights::Balanced => Some(balanced_weights(&train.targets, labels.len())),
    };
    let smoothing = plan.train.label_smoothing();
    let task = ClassifyTask {
        loss: CrossEntropyLossConfig::new()
            .with_weights(weights.clone())
            .with_smoothing((smoothing > 0.0).then_some(smoothing as f32))
            .init(&training_device),
        word_dropout: match &plan.input {
            InputPlan::Text(text) => text.word_dropout,
            InputPlan::Series(_) => 0.0,
        },
        input_noise: match &plan.input {
            InputPlan::Text(_) => 0.0,
            InputPlan::Series(series) => series.input_noise,
        },
        train,
        validation,
        budget,
        judging,
        class_weights: weights,
        labels: labels.names(),
        training_device: training_device.clone(),
        device: device.clone(),
    };
    let (mut models, mut members, mut end) = (Vec::new(), Vec::new(), End::Completed);
    for member in 0..plan.model.members {
        let seed = member_seed(plan.train.seed(), member);
        training_device.seed(seed);
        let model = ClassifierModel::new(&plan.model, shape, labels.len(), &training_device).map_err(FitError::Plan)?;
        progress.run_started(member + 1, plan.model.members);
        let plan = TrainPlan { seed, ..plan.train.clone() };
        let outcome = train::run(&task, model, &training_device, &plan, stop, progress).map_err(FitError::Plan)?;
        end = outcome.end;
        let cut_short = matches!(end, End::Interrupted { .. } | End::Diverged { .. });
        // Beside finished networks one that was cut short would answer with the same voice; alone it is all there is.
        if let Some(model) = outcome.model
            && (!cut_short || models.is_empty())
        {
            models.push(model);
            members.push(MemberRecord {
                seed,
                epoch: outcome.epoch,
                epochs: outcome.epochs,
                end: in_words(outcome.end),
                validation: outcome.validation,
            });
        }
        // What stops one stops all: the networks that are there answer without the others.
        if cut_short {
            break;
        }
    }
    if models.is_empty() {
        return Ok(Fitted { classifier: None, end, networks: plan.model.members });
    }
    let record = TrainingRecord {
        plan: plan.train.clone(),
        class_weights: plan.class_weights,
        examples: task.train.len(),
        validation_examples: task.validation.as_ref().map_or(0, Dataset::len),
        validation: match members.as_slice() {
            [alone] => alone.validation,
            _ => task.judge(&models),
        },
        members,
    };
    let classifier = Classifier {
        input: resolved(&plan.input, &encoder),
        // As many as there are, should training have been stopped before the last.
        plan: ModelPlan { members: models.len(), ..plan.model.clone() },
        encoder,
        labels: labels.clone(),
        record,
        models,
        device: device.clone(),
    };
    Ok(Fitted { classifier: Some(classifier), end, networks: plan.model.members })
}

/// The seed of one network: the first has the run's own, so that it is the one that would be trained alone.
fn member_seed(seed: u64, member: usize) -> u64 {
    if member == 0 {
        return seed;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(member as u64);
    // TOML, in which models keep their options, has no integer above this.
    rng.next_u64() >> 1
}

fn in_words(end: End) -> String {
    match end {
        End::Completed => "all epochs were run".into(),
        End::EarlyStopped => "stopped early, the validation score got no better".into(),
        End::Interrupted { epoch, step } => format!("interrupted in epoch {epoch}, step {step}"),
        End::Diverged { epoch, step, what, .. } => format!("diverged in epoch {epoch}, step {step}: {what} not finite"),
    }
}

/// Builds vocabulary and labels from the training texts and encodes all.
fn prepare_texts(
    texts: &[TextExample],
    path: &Path,
    validation: Option<(Vec<TextExample>, &Path)>,
    text: &TextPlan,
    plan: &ClassifyPlan,
) -> Result<Prepared, FitError> {
    let labels = LabelSet::build(path, text.label.as_ref(), texts.iter().filter_map(|text| text.label.as_deref()))?;
    let targets = targets(texts.iter().map(|text| (text.label.as_deref(), text.line)), &labels, path)?;
    let (train_texts, held_out): (Vec<TextExample>, Vec<TextExample>) = match plan.validation {
        ValidationPlan::Split(share) => {
            let split = stratified_split(&targets, share, plan.train.seed())?;
            let pick = |indices: &[usize]| indices.iter().map(|&index| texts[index].clone()).collect();
            (pick(&split.train), pick(&split.held_out))
        }
        _ => (texts.to_vec(), Vec::new()),
    };
    let segmentation = text.tokenizer().resolve(train_texts.iter().map(|text| text.text.as_str()));
    let tokenizer = Tokenizer::new(segmentation).with_lowercase(text.lowercase);
    let tokenized: Vec<Vec<Token<'_>>> = train_texts.iter().map(|text| tokenizer.tokenize(&text.text)).collect();
    let options = VocabularyOptions { min_count: text.min_count, max_size: Some(text.max_vocabulary) };
    let vocabulary = Vocabulary::build(tokenized.iter().flatten().map(|token| &token.text), &options);
    let wide = match &text.wide {
        Some(config) => {
            let lines = train_texts.iter().map(|text| (text.label.as_deref(), text.line));
            Some(WideEncoder::fit(config.clone(), &tokenized, &self::targets(lines, &labels, path)?, labels.len()))
        }
        None => None,
    };
    let encoder = TextEncoder {
        tokenizer,
        vocabulary,
        ngrams: text.ngrams.clone(),
        bigrams: text.bigrams.clone(),
        wide,
        max_length: text.max_length,
    };
    let train = Dataset::of_texts(&train_texts, &encoder, &labels, path)?;
    let validation = match validation {
        Some((texts, file)) => Some(Dataset::of_texts(&texts, &encoder, &labels, file)?),
        None if held_out.is_empty() => None,
        None => Some(Dataset::of_texts(&held_out, &encoder, &labels, path)?),
    };
    Ok(Prepared { encoder: Encoder::Text(encoder), labels, train, validation })
}

fn prepare_series(path: &Path, series_plan: &SeriesPlan, plan: &ClassifyPlan) -> Result<Prepared, FitError> {
    let options = series_plan.series(Labels::Required);
    let mut series = read_series(path, &options)?;
    let labels =
        LabelSet::build(path, series_plan.label.as_ref(), series.iter().filter_map(|series| series.label.as_deref()))?;
    let targets = targets(series.iter().map(|series| (series.label.as_deref(), series.line)), &labels, path)?;
    let split = match plan.validation {
        ValidationPlan::Split(share) => Some(stratified_split(&targets, share, plan.train.seed())?),
        _ => None,
    };
    let fitted_on = match &split {
        Some(split) => split.train.iter().map(|&index| series[index].clone()).collect(),
        None => series.clone(),
    };
    let standardizer = Standardizer::fit(&fitted_on)
        .ok_or_else(|| FitError::Plan(format!("{}: there is no value to learn from", path.display())))?;
    let standardize = |series: &mut Vec<_>, file: &Path| -> Result<(), DataError> {
        for series in series {
            standardizer.apply(file, series)?;
            cut(series, series_plan.max_length);
        }
        Ok(())
    };
    standardize(&mut series, path)?;
    let all = Dataset::of_series(series, &labels, path)?;
    let (train, validation) = match (&split, &plan.validation) {
        (Some(split), _) => (all.select(&split.train), Some(all.select(&split.held_out))),
        (None, ValidationPlan::File(file)) => {
            let mut series = read_series(file, &options)?;
            standardize(&mut series, file)?;
            (all, Some(Dataset::of_series(series, &labels, file)?))
        }
        (None, _) => (all, None),
    };
    Ok(Prepared { encoder: Encoder::Series(standardizer), labels, train, validation })
}

fn targets<'a>(
    labels_and_lines: impl Iterator<Item = (Option<&'a str>, usize)>,
    labels: &LabelSet,
    path: &Path,
) -> Result<Vec<usize>, DataError> {
    labels_and_lines.map(|(label, line)| labels.encode(label.unwrap_or_default(), path, line)).collect()
}

/// The plan as the model file keeps it: with the tokenizer that `auto` turned out to be.
fn resolved(input: &InputPlan, encoder: &Encoder) -> InputPlan {
    use super::options::TokenizerOption;
    use crate::data::tokenizer::Segmentation;
    match (input, encoder) {
        (InputPlan::Text(text), Encoder::Text(encoder)) => InputPlan::Text(TextPlan {
            tokenizer: match encoder.tokenizer.segmentation {
                Segmentation::Words => TokenizerOption::Words,
                Segmentation::Characters => TokenizerOption::Characters,
                Segmentation::Jieba => TokenizerOption::Jieba,
            },
            ..text.clone()
        }),
        _ => input.clone(),
    }
}

/// `n / (classes * n_of_class)`, as scikit-learn balances; a label held out whole counts as if it stood there once.
fn balanced_weights(targets: &[usize], classes: usize) -> Vec<f32> {
    let mut counts = vec![0usize; classes];
    for &target in targets {
        counts[target] += 1;
    }
    counts.iter().map(|&count| targets.len() as f32 / (classes * count.max(1)) as f32).collect()
}

struct ClassifyTask<'a> {
    loss: CrossEntropyLoss,
    word_dropout: f64,
    input_noise: f64,
    train: Dataset,
    validation: Option<Dataset>,
    /// What a batch of training may take.
    budget: Budget,
    /// What a batch of validation may take.
    judging: Budget,
    /// The weight of every label in the loss, where they differ.
    class_weights: Option<Vec<f32>>,
    labels: &'a [String],
    training_device: Device,
    device: Device,
}

impl Task for ClassifyTask<'_> {
    type Model = ClassifierModel;

    fn lengths(&self) -> &[usize] {
        &self.train.lengths
    }

    fn parts(&self, examples: &[usize]) -> Vec<Vec<usize>> {
        self.budget.parts(&self.train.examples, examples)
    }

    fn loss(&self, model: &ClassifierModel, examples: &[usize], rng: &mut ChaCha8Rng) -> Tensor<1> {
        self.loss_of_part(model, examples, examples, rng)
    }

    fn loss_of_part(
        &self,
        model: &ClassifierModel,
        part: &[usize],
        batch: &[usize],
        rng: &mut ChaCha8Rng,
    ) -> Tensor<1> {
        let inputs: Vec<&Example> = part.iter().map(|&index| &self.train.examples[index]).collect();
        let targets: Vec<i64> = part.iter().map(|&index| self.train.targets[index] as i64).collect();
        let word_dropout = (self.word_dropout > 0.0).then_some(WordDropout { probability: self.word_dropout, rng });
        let mut padded = Batch::new(&inputs, model.parts(), word_dropout, &self.training_device);
        if let BatchInput::Series(series) = &mut padded.input
            && self.input_noise > 0.0
        {
            let noise = series.random_like(Distribution::Normal(0.0, self.input_noise));
            series.inplace(|series| series + noise);
        }
        let targets = int_tensor(targets, [part.len()], &self.training_device);
        // Each part has a loss of its own.
        let Logits { parts, penalty, .. } = model.forward(&padded);
        let share = self.weight_of(part) / self.weight_of(batch) / parts.len() as f64;
        let losses = parts.into_iter().map(|logits| self.loss.forward(logits, targets.clone()));
        let loss = losses.reduce(|sum, loss| sum + loss).expect("a network gives logits");
        let loss = if share < 1.0 { loss.mul_scalar(share) } else { loss };
        // Lin 2017 adds the penalty with a factor of its own; 1 did best there.
        match penalty {
            Some(penalty) if part.len() < batch.len() => {
                loss + penalty.mul_scalar(part.len() as f64 / batch.len() as f64)
            }
            Some(penalty) => loss + penalty,
            None => loss,
        }
    }

    fn validate(&self, model: &ClassifierModel) -> Option<Validation> {
        self.judge(std::slice::from_ref(model))
    }
}

impl ClassifyTask<'_> {
    /// What the mean of the loss over these examples divides by.
    fn weight_of(&self, examples: &[usize]) -> f64 {
        match &self.class_weights {
            None => examples.len() as f64,
            Some(weights) => examples.iter().map(|&index| f64::from(weights[self.train.targets[index]])).sum(),
        }
    }

    /// Loss and scores of networks that answer together.
    fn judge(&self, models: &[ClassifierModel]) -> Option<Validation> {
        let validation = self.validation.as_ref()?;
        let metrics = evaluate(models, validation, self.labels, &self.judging, &self.device);
        Some(Validation { loss: metrics.loss, accuracy: metrics.accuracy, macro_f1: metrics.macro_f1 })
    }
}
