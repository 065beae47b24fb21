//! Training a classifier: from a file and a plan to a trained model.

use std::path::Path;

use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use lookback_infer::data::labels::LabelSet;
use lookback_infer::error::{Error, PlanError, counted};
use lookback_infer::input::{Batch, Example, Input, InputShape, Labelled};
use lookback_infer::model::{Record, Score, Validation};
use lookback_infer::model_file::{ModelFile, Tensors};
use lookback_infer::network::budget::{Budget, Purpose};
use lookback_infer::tasks::classify::{
    self, Dataset, Description, NGRAM_WEIGHT, NetworkPlan, NgramBag, SCORES, budget, judge, prefix,
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::network::{Logits, Network};
use super::options::ClassWeights;
use super::plan::ClassifyPlan;
use crate::tasks::Fitted;
use crate::train::split::stratified_split;
use crate::train::{self, Init, Loss, Objective, Session, ValidationPlan, check_tables, values};

/// Data, input and labels, ready for training.
struct Prepared {
    input: Input,
    bag: Option<NgramBag>,
    labels: LabelSet,
    train: Dataset,
    validation: Option<Dataset>,
}

/// Reads the training file and whatever validation the plan names, and trains.
///
/// # Errors
/// If the data are not as the plan reads them, the plan does not fit them, or there is nothing to resume.
pub fn fit(data: &Path, plan: &ClassifyPlan, session: &mut Session<'_>) -> Result<Fitted, Error> {
    let inputs = plan.input.read_labelled(data, true)?;
    fit_inputs(inputs, data, plan, session)
}

/// Trains on inputs that are read already; `data` is for messages.
///
/// # Errors
/// As [`fit`].
pub fn fit_inputs(
    inputs: Vec<Labelled>,
    data: &Path,
    plan: &ClassifyPlan,
    session: &mut Session<'_>,
) -> Result<Fitted, Error> {
    let init = session.init.clone();
    let Prepared { input, bag, labels, train, validation } = prepare(inputs, data, plan, init.as_ref())?;
    let shape = input.shape();
    let make = |device: &Device, place: usize| {
        let network = Network::new(&plan.network, shape, labels.len(), device)?;
        // At once, so that the random start depends on the device's seed alone.
        lookback_nn::parameters::initialise(&network);
        match &init {
            Some(init) => init.start(network, &prefix(place, plan.train.ensemble())),
            None => Ok(network),
        }
    };
    let empty = Network::new(&plan.network, shape, labels.len(), session.device)?;
    check_tables(&empty, &plan.train, option_of)?;
    let budget = |purpose| budget(&plan.network, shape, labels.len(), purpose, plan.train.max_memory());
    let (budget, judging) = (budget(Purpose::Training), budget(Purpose::Answers));
    train.check_memory(&budget, labels.len())?;
    validation.iter().try_for_each(|validation| validation.check_memory(&judging, labels.len()))?;
    let weights = match plan.class_weights {
        ClassWeights::None => None,
        ClassWeights::Balanced => Some(balanced_weights(&train.targets, labels.len())),
    };
    let device = session.device.clone().autodiff();
    let smoothing = plan.label_smoothing;
    let objective = Classification {
        plan: &plan.network,
        shape,
        loss: CrossEntropyLossConfig::new()
            .with_weights(weights.clone())
            .with_smoothing((smoothing > 0.0).then_some(smoothing as f32))
            .init(&device),
        word_dropout: input.plan().word_dropout(),
        input_noise: input.plan().input_noise(),
        train,
        validation,
        budget,
        judging,
        class_weights: weights,
        labels: labels.names(),
        device,
    };
    let trained = train::train(&objective, make, &plan.train, session)?;
    let (asked, end) = (plan.train.ensemble(), trained.end);
    if trained.networks.is_empty() {
        return Ok(Fitted { model: None, end, networks: asked, scores: &SCORES });
    }
    let count = trained.networks.len();
    let record = Record {
        training: plan.training(),
        examples: objective.train.len(),
        validation_examples: objective.validation.as_ref().map_or(0, Dataset::len),
        networks: trained.records,
        validation: trained.validation,
    };
    let description = Description {
        input,
        // As many as there are, should training have been stopped before the last.
        plan: NetworkPlan { ensemble: count, ..plan.network.clone() },
        bag,
        labels: labels.clone(),
        record: record.clone(),
    };
    let tensors =
        trained.networks.iter().enumerate().flat_map(|(place, network)| values(network, &prefix(place, count)));
    let file = description.file(tensors)?;
    Ok(Fitted { model: Some((file, record)), end, networks: asked, scores: &SCORES })
}

/// The option by which a table of this name would be smaller.
fn option_of(table: &str) -> &'static str {
    match table {
        "encoder.embedding.weight" => "--max-vocabulary or --embedding",
        "encoder.ngram_embedding.weight" => "--char-buckets or --embedding",
        "encoder.bigram_embedding.weight" => "--bigram-buckets or --embedding",
        "linear.weight" => "--linear-buckets",
        _ => "--hidden",
    }
}

/// Learns input and labels from the training part and encodes all.
fn prepare(inputs: Vec<Labelled>, data: &Path, plan: &ClassifyPlan, init: Option<&Init>) -> Result<Prepared, Error> {
    let names = inputs.iter().map(|input| input.label.as_str());
    let labels = match init {
        Some(init) => taken_on(&init.file.json(&init.path, "labels")?, names, init, data)?,
        None => LabelSet::build(data, plan.input.label(), names)?,
    };
    let targets: Vec<usize> =
        inputs.iter().map(|input| labels.encode(&input.label, data, input.line)).collect::<Result<_, _>>()?;
    let (training, held_out) = match &plan.validation {
        ValidationPlan::Split(share) => {
            let split = stratified_split(&targets, *share, plan.train.seed())?;
            let pick = |rows: &[usize]| rows.iter().map(|&row| inputs[row].clone()).collect();
            (pick(&split.train), Some((pick(&split.held_out), data)))
        }
        ValidationPlan::File(file) => (inputs, Some((plan.input.read_labelled(file, true)?, file.as_path()))),
        ValidationPlan::None => (inputs, None),
    };
    let training: Vec<Labelled> = training;
    let raws = training.iter().map(|input| &input.raw);
    let input = match init {
        Some(init) => Input::of_file(&init.file, &init.path)?.taken_on(&plan.input, raws, init.extend, data)?,
        None => Input::fit(&plan.input, raws, &[], data)?,
    };
    let examples = input.encode_labelled(training, data)?;
    let learnt = init.and_then(|init| init.file.tensors.get(NGRAM_WEIGHT));
    let bag = match (&plan.network.linear, learnt) {
        (None, _) => None,
        (Some(config), Some(weights)) => Some(NgramBag::new(config.clone(), weights.data.clone())),
        (Some(config), None) => {
            let tokens: Vec<_> =
                examples.iter().map(|(example, _)| example.tokens().map_or(Vec::new(), |(_, tokens)| tokens)).collect();
            let targets: Vec<usize> = examples
                .iter()
                .map(|(example, label)| labels.encode(label, data, example.line))
                .collect::<Result<_, _>>()?;
            Some(NgramBag::fit(config.clone(), &tokens, &targets, labels.len()))
        }
    };
    let dataset = |examples: Vec<(Example, String)>, file: &Path| Dataset::new(examples, &labels, bag.as_ref(), file);
    let train = dataset(examples, data)?;
    let validation = match held_out {
        Some((inputs, file)) => Some(dataset(input.encode_labelled(inputs, file)?, file)?),
        None => None,
    };
    Ok(Prepared { input, bag, labels, train, validation })
}

/// The labels of a model that is trained on, with those of the data that it does not know where they are to be added.
fn taken_on<'a>(
    known: &LabelSet,
    labels: impl Iterator<Item = &'a str>,
    init: &Init,
    data: &Path,
) -> Result<LabelSet, Error> {
    let (extended, new) = known.extended(labels);
    if new > 0 && !init.extend {
        let (data, labels) = (data.display(), counted(new, "label"));
        let first = &extended.names()[known.len()];
        let problem = format!(
            "{data} has {labels} that the model in --init does not know, such as {first:?}; --extend adds them"
        );
        return Err(PlanError::Unfit(problem).into());
    }
    Ok(extended)
}

/// `n / (classes * n_of_class)`, as scikit-learn balances; a label held out whole counts as if it stood there once.
fn balanced_weights(targets: &[usize], classes: usize) -> Vec<f32> {
    let mut counts = vec![0usize; classes];
    for &target in targets {
        counts[target] += 1;
    }
    counts.iter().map(|&count| targets.len() as f32 / (classes * count.max(1)) as f32).collect()
}

struct Classification<'a> {
    plan: &'a NetworkPlan,
    shape: InputShape,
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
    device: Device,
}

impl Objective for Classification<'_> {
    type Network = Network;
    const SCORES: &'static [Score] = &SCORES;

    fn lengths(&self) -> &[usize] {
        &self.train.lengths
    }

    fn parts(&self, examples: &[usize]) -> Vec<Vec<usize>> {
        self.budget.parts(&self.train.lengths, self.train.bag_bytes(self.labels.len()), examples)
    }

    fn loss(&self, network: &Network, part: &[usize], batch: &[usize], rng: &mut ChaCha8Rng) -> Loss {
        let inputs: Vec<&Example> = part.iter().map(|&row| &self.train.examples[row]).collect();
        let mut drop = || self.word_dropout > 0.0 && rng.random_bool(self.word_dropout);
        let padded = Batch::new(&inputs, network.parts(), &mut drop);
        let bags: Option<Vec<&[(u32, f32)]>> =
            self.train.bags.as_ref().map(|bags| part.iter().map(|&row| bags[row].as_slice()).collect());
        let Logits { parts, penalty } = network
            .forward(&padded, bags.as_deref(), self.input_noise, &self.device)
            .expect("batches are made for the network that is trained");
        let targets: Vec<i64> = part.iter().map(|&row| self.train.targets[row] as i64).collect();
        let targets = Tensor::<1, Int>::from_data(TensorData::new(targets, [part.len()]), &self.device);
        // Each part of the network has a loss of its own.
        let (weight, whole) = (self.weight_of(part), self.weight_of(batch));
        let share = weight / whole / parts.len() as f64;
        let losses = parts.into_iter().map(|logits| self.loss.forward(logits, targets.clone()));
        let loss = losses.reduce(|sum, loss| sum + loss).expect("a network gives logits");
        let loss = if share < 1.0 { loss.mul_scalar(share) } else { loss };
        // Lin 2017 adds the penalty with a factor of its own; 1 did best there.
        let share = match penalty {
            Some(penalty) if part.len() < batch.len() => {
                loss + penalty.mul_scalar(part.len() as f64 / batch.len() as f64)
            }
            Some(penalty) => loss + penalty,
            None => loss,
        };
        Loss { share, weight }
    }

    fn validate(&self, networks: &[&Network]) -> Option<Validation> {
        let validation = self.validation.as_ref()?;
        // Judged as it will answer: without Burn.
        let networks: Vec<classify::Network> = networks.iter().map(|network| self.answering(network)).collect();
        let metrics = judge(&networks, validation, self.labels, &self.judging);
        Some(Validation { loss: metrics.loss, scores: vec![metrics.accuracy, metrics.macro_f1] })
    }
}

impl Classification<'_> {
    /// What the mean of the loss over these examples divides by.
    fn weight_of(&self, examples: &[usize]) -> f64 {
        match &self.class_weights {
            None => examples.len() as f64,
            Some(weights) => examples.iter().map(|&row| f64::from(weights[self.train.targets[row]])).sum(),
        }
    }

    /// The network's twin that answers.
    fn answering(&self, network: &Network) -> classify::Network {
        answering(network, self.plan, self.shape, self.labels.len())
    }
}

/// The twin, without Burn, of a network that was made by this plan.
pub(super) fn answering(network: &Network, plan: &NetworkPlan, shape: InputShape, labels: usize) -> classify::Network {
    let mut file = ModelFile::new(classify::NAME);
    file.tensors.extend(values(network, ""));
    let tensors = &mut Tensors::new(&mut file, Path::new("the network in training"), "");
    classify::Network::read(plan, shape, labels, tensors).expect("twins have the same parameters")
}
