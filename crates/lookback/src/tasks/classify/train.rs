//! Training a classifier: from a file and a plan to a trained model.

use std::collections::HashMap;
use std::path::Path;

use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use lookback_infer::data::doubts;
use lookback_infer::data::labels::LabelSet;
use lookback_infer::error::{Error, counted};
use lookback_infer::input::{Batch, Example, Input, InputShape, Labelled, Raw};
use lookback_infer::model::{Score, Validation};
use lookback_infer::network::budget::{Budget, Purpose};
use lookback_infer::tasks::classify::{
    self, Dataset, Description, NGRAM_WEIGHT, NetworkPlan, NgramBag, SCORES, budget, judge,
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::network::{Logits, Network};
use super::options::ClassWeights;
use super::plan::ClassifyPlan;
use crate::network::twin;
use crate::tasks::Fitted;
use crate::train::split::parts;
use crate::train::{self, Init, Loss, Objective, Session, begin, check_tables};

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
    let (inputs, columns) = plan.input.read_labelled(data, true)?;
    let plan = ClassifyPlan { input: plan.input.clone().with_columns(columns), ..plan.clone() };
    fit_inputs(inputs, data, &plan, session)
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
    let init = session.init.take();
    let Prepared { input, bag, labels, train, validation } = prepare(inputs, data, plan, init.as_ref())?;
    let shape = input.shape();
    let make = |device: &Device, place: usize| {
        let network = Network::new(&plan.network, shape, labels.len(), device)?;
        begin(network, init.as_ref(), place, &plan.train)
    };
    let empty = Network::new(&plan.network, shape, labels.len(), session.device)?;
    check_tables(&empty, &plan.train, session.checkpoint.is_some(), option_of)?;
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
    let examples = [objective.train.len(), objective.validation.as_ref().map_or(0, Dataset::len)];
    Fitted::new(trained, &plan.train, &SCORES, examples, plan.training(), |record, tensors| {
        let plan = NetworkPlan { ensemble: record.networks.len(), ..plan.network.clone() };
        let (labels, record) = (labels.clone(), record.clone());
        Description { input, plan, bag, labels, record }.file(tensors)
    })
}

/// The option by which a table of this name would be smaller.
fn option_of(table: &str) -> &'static str {
    match table {
        "linear.weight" => "--linear-buckets",
        other => crate::network::option_of(other),
    }
}

/// Learns input and labels from the training part and encodes all.
fn prepare(inputs: Vec<Labelled>, data: &Path, plan: &ClassifyPlan, init: Option<&Init>) -> Result<Prepared, Error> {
    let names = inputs.iter().map(|input| input.label.as_str());
    let labels = match init {
        Some(init) => init.labels("labels", names, data)?,
        None => LabelSet::build(data, plan.input.label(), names)?,
    };
    let targets: Vec<usize> =
        inputs.iter().map(|input| labels.encode(&input.label, data, input.line)).collect::<Result<_, _>>()?;
    tell_labels(&labels, &targets, data);
    tell_texts(&inputs, &targets, data);
    let read = |file: &Path| Ok(plan.input.read_labelled(file, true)?.0);
    let (training, held_out) = parts(&plan.validation, inputs, &targets, data, plan.train.seed(), read)?;
    let raws = training.iter().map(|input| &input.raw);
    let input = match init {
        Some(init) => init.input(&plan.input, raws, data)?,
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

/// Tells which labels there are, the commonest first, and what looks wrong about them.
fn tell_labels(labels: &LabelSet, targets: &[usize], data: &Path) {
    /// How many of them are named.
    const NAMED: usize = 10;
    let mut counts: Vec<(&str, usize)> = labels.names().iter().map(|name| (name.as_str(), 0)).collect();
    targets.iter().for_each(|&target| counts[target].1 += 1);
    // Those of a model that is trained on may have none.
    counts.retain(|&(_, count)| count > 0);
    let doubts = doubts::of_labels(&counts);
    counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let named: Vec<String> = counts.iter().take(NAMED).map(|(name, count)| format!("{name} {count}")).collect();
    let more = if counts.len() > NAMED { format!(", and {} more", counts.len() - NAMED) } else { String::new() };
    let (file, all) = (data.display(), counted(counts.len(), "label"));
    tracing::info!("{file}: {all}: {}{more}", named.join(", "));
    doubts.iter().for_each(|doubt| tracing::warn!("{file}: {doubt}"));
}

/// Tells that texts stand under several labels, where any do.
fn tell_texts(inputs: &[Labelled], targets: &[usize], data: &Path) {
    let mut first: HashMap<&str, usize> = HashMap::new();
    let texts = inputs.iter().zip(targets).filter_map(|(input, &target)| match &input.raw {
        Raw::Text(text) => Some((text.as_str(), target, input.line)),
        _ => None,
    });
    let others: Vec<usize> = texts
        .filter_map(|(text, target, line)| (*first.entry(text).or_insert(target) != target).then_some(line))
        .collect();
    if let Some(line) = others.first() {
        let (file, rows) = (data.display(), counted(others.len(), "row"));
        tracing::warn!("{file}: {rows} with a text that stands under another label before, the first on line {line}");
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
        Some(Validation { loss: metrics.loss, scores: vec![Some(metrics.accuracy), Some(metrics.macro_f1)] })
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
    twin(classify::NAME, network, |tensors| classify::Network::read(plan, shape, labels, tensors))
}
