//! Training a classifier: from a file and a plan to a trained model.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use lookback_infer::data::labels::LabelSet;
use lookback_infer::error::{Error, PlanError, counted};
use lookback_infer::input::{Example, Input, LabelledInput};
use lookback_infer::memory_limit::{mib_for, readable};
use lookback_infer::network::budget::Purpose;
use lookback_infer::tasks::classify::{
    Dataset, Description, LabelsPerText, LinearPart, NetworkPlan, NgramBag, Targets, budget, encoded,
};
use rayon::prelude::*;

use super::auto;
use super::calibrate::Judged;
use super::linear::{Bag, Problem};
use super::loss::LabelLoss;
use super::network::Network;
use super::objective::Classification;
use super::options::ClassWeights;
use super::plan::ClassifyPlan;
use super::told::{refuse_too_few, tell_labels, tell_parts, tell_texts};
use crate::network::option_of;
use crate::tasks::{Fitted, told};
use crate::train::split::{folds, parts};
use crate::train::{self, End, Ensemble, Init, Pretrained, Session, ValidationPlan, begin, check_tables};

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
    inputs: Vec<LabelledInput>,
    data: &Path,
    plan: &ClassifyPlan,
    session: &mut Session<'_>,
) -> Result<Fitted, Error> {
    let init = session.init.take();
    if init.is_some() && plan.options.learning.quality.is_some() {
        let problem =
            "says how large a new network is, but that in --init is kept; --epochs says how long it is trained";
        return Err(PlanError::conflict("quality", problem).into());
    }
    let (per_text, scores) = (plan.network.labels_per_text, plan.network.labels_per_text.scores());
    let names = inputs.iter().flat_map(|input| &input.label).map(String::as_str);
    let labels = match &init {
        Some(init) => {
            let lined = inputs.iter().flat_map(|input| input.label.iter().map(|label| (label.as_str(), input.line)));
            init.labels("labels", lined, data)?
        }
        None => {
            if per_text == LabelsPerText::Several {
                refuse_too_few(names.clone(), data)?;
            }
            LabelSet::build(data, plan.input.label(), names)?
        }
    };
    let mut targets = Targets::new(per_text);
    for input in &inputs {
        targets.push(encoded(&input.label, &labels, per_text, data, input.line)?);
    }
    tell_labels(&labels, &targets, data);
    tell_texts(&inputs, &targets, data);
    let plan = &plan.by_data(&inputs, &labels, data)?;
    let raws = || inputs.iter().map(|input| &input.raw);
    let pretrained = Pretrained::read(&plan.network.encoder, &plan.input, raws, &[], (data, init.as_ref()))?;
    let start = (init.as_ref(), pretrained.as_ref());
    let of_folds = match plan.folds {
        0 => None,
        _ => match cross_validate(&inputs, &targets, &labels, data, plan, start, session)? {
            Folds::Judged(judged) => Some(judged),
            // There is no model yet; what was done of it stands in the checkpoint.
            Folds::CutShort { end, part, saved } => {
                let networks = plan.train.ensemble();
                return Ok(Fitted { model: None, end, part: Some(part), saved, networks, scores, told: None });
            }
        },
    };
    let read = |file: &Path| Ok(plan.input.read_labelled(file, true)?.0);
    let (training, held_out) =
        parts(&plan.validation, inputs, &targets.classes(labels.len()), data, plan.train.seed(), read)?;
    let is_split = held_out.as_ref().is_some_and(|(_, file)| *file == data);
    if let Some((rows, file)) = &held_out {
        let (name, all, rows) = (file.display(), counted(training.len(), "row"), counted(rows.len(), "row"));
        match is_split {
            true => tracing::info!("{name}: {rows} held out to judge by, {all} to train on"),
            false => tracing::info!("{name}: {rows} to judge by, {all} of {} to train on", data.display()),
        }
    }
    let learner = Learner { plan, labels: &labels, data, start, chooses: true, tells: true };
    let mut learnt = learner.learn(training, held_out, session)?;
    // Where nothing is held out, the parts of the cross-validation say how good it is.
    let of_folds = of_folds.filter(|_| learnt.judged.targets.is_empty());
    let judged = of_folds.as_ref().unwrap_or(&learnt.judged);
    let (calibration, validation_examples) = (judged.calibration(labels.len()), judged.targets.len());
    if let Some(judged) = of_folds.iter().find(|judged| !judged.targets.is_empty()) {
        learnt.trained.validation = Some(judged.validation(calibration, labels.names()));
    }
    let thresholds = match per_text {
        LabelsPerText::One => None,
        LabelsPerText::Several => Some(judged.thresholds(calibration, labels.len())),
    };
    let told = (!judged.targets.is_empty()).then(|| {
        let file = if of_folds.is_some() { data } else { plan.validation.file().map_or(data, PathBuf::as_path) };
        let help = match per_text {
            LabelsPerText::One => "--class-weights balanced, more rows of them, or one label for those that are alike",
            LabelsPerText::Several => "more rows of them",
        };
        told::table(&judged.classes(calibration, labels.names()), ("rows", help), file)
    });
    // What was held out has done its work, and the linear part is solved in no time.
    if let (true, Some(held_out)) = (is_split, &learnt.held_out) {
        learnt.linear = learner.solve(&[&learnt.train, held_out])?;
    }
    let Learnt { trained, input, linear, train, .. } = learnt;
    let examples = train.len();
    let examples = [examples, validation_examples];
    let fitted = Fitted::new(trained, &plan.train, scores, examples, plan.training(), |record, tensors| {
        let plan = NetworkPlan { ensemble: record.networks.len(), ..plan.network.clone() };
        let (labels, record) = (labels.clone(), record.clone());
        Description { input, plan, linear, calibration, labels, thresholds, record }.file(tensors)
    })?;
    Ok(Fitted { told, ..fitted })
}

/// What a cross-validation leaves.
enum Folds {
    /// How every row is answered by what was not trained on it.
    Judged(Judged),
    /// That one of its trainings did not come to its end.
    CutShort {
        /// Why.
        end: End,
        /// Its number, from 1, and how many there are.
        part: (usize, usize),
        /// Whether it stands in the checkpoint.
        saved: bool,
    },
}

/// Trains on the data but one part, for every part, and tells how the parts are answered. Parts that were done before the
/// training was stopped are not trained again.
fn cross_validate(
    inputs: &[LabelledInput],
    targets: &Targets,
    labels: &LabelSet,
    data: &Path,
    plan: &ClassifyPlan,
    start: (Option<&Init>, Option<&Pretrained>),
    session: &mut Session<'_>,
) -> Result<Folds, Error> {
    let folds = folds(&targets.classes(labels.len()), plan.folds, plan.train.seed());
    if folds.len() < 2 {
        return Ok(Folds::Judged(Judged::default()));
    }
    // Each to its end, as the training on all of the data will be if nothing is held out of them.
    let chooses = plan.validation != ValidationPlan::None;
    let learner = Learner { plan, labels, data, start, chooses, tells: false };
    let score = plan.network.labels_per_text.scores()[0];
    let (mut all, mut values) = (Judged::default(), Vec::new());
    let done = session.take_up_parts()?;
    if !done.is_empty() {
        let (name, parts) = (data.display(), folds.len());
        tracing::info!("{name}: {} of {parts} parts of the cross-validation were done before", done.len());
    }
    for (place, fold) in folds.iter().enumerate() {
        let judged = match done.get(place) {
            Some(part) => Judged::of_part(part, targets.of_rows(&fold.held_out), labels.len())
                .ok_or_else(|| PlanError::conflict("resume", "meets a cross-validation of other data"))?,
            None => {
                let pick = |rows: &[usize]| rows.iter().map(|&row| inputs[row].clone()).collect::<Vec<LabelledInput>>();
                let resume = session.resume && place == done.len();
                let Learnt { trained, judged, .. } = session.with_part(resume, |session| {
                    learner.learn(pick(&fold.train), Some((pick(&fold.held_out), data)), session)
                })?;
                if trained.end.is_cut_short() {
                    let part = (place + 1, folds.len());
                    return Ok(Folds::CutShort { end: trained.end, part, saved: trained.saved });
                }
                session.part_done(judged.part(labels.len()));
                judged
            }
        };
        let validation = judged.validation(judged.calibration(labels.len()), labels.names());
        values.extend(validation.scores[0]);
        all.extend(judged);
    }
    // Behind parts that were trained now, nothing was saved to go on from.
    session.resume &= done.len() == folds.len();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let spread = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt();
    tracing::info!(
        "{}: cross-validation in {} parts: {} {}, standard deviation {:.2}",
        data.display(),
        values.len(),
        score.title,
        score.show(mean),
        100.0 * spread
    );
    Ok(Folds::Judged(all))
}

impl ClassifyPlan {
    /// With all that is left open chosen by the data, and told.
    fn by_data(&self, inputs: &[LabelledInput], labels: &LabelSet, data: &Path) -> Result<ClassifyPlan, Error> {
        let (facts, sample) = auto::look(self, inputs, labels.len(), data)?;
        let (options, mut chosen) = auto::choose(&self.options, &facts, &self.validation);
        let mut plan = ClassifyPlan { options: self.options.clone(), ..ClassifyPlan::new(data, &options)? };
        plan.input = plan.input.with_columns(self.input.columns());
        if let (Some(config), None) = (&mut plan.network.linear, options.network.linear_buckets) {
            config.buckets = auto::buckets(config, &sample, &facts);
            chosen.0.push(("linear-buckets", config.buckets.to_string()));
        }
        if !chosen.0.is_empty() {
            tracing::info!("{}: chosen by the data: {}", data.display(), chosen.in_words());
        }
        Ok(plan)
    }
}

/// What a classifier is learnt by.
struct Learner<'a> {
    plan: &'a ClassifyPlan,
    labels: &'a LabelSet,
    /// The file with the training data.
    data: &'a Path,
    /// What training begins with in place of random weights: a model, or token vectors.
    start: (Option<&'a Init>, Option<&'a Pretrained>),
    /// Whether the best of the epochs is chosen by what is held out, or the last one is kept.
    chooses: bool,
    /// Whether a person is told what there is to learn from.
    tells: bool,
}

/// What was learnt.
struct Learnt {
    trained: Ensemble<Network>,
    input: Input,
    linear: Option<LinearPart>,
    /// How what was held out is answered.
    judged: Judged,
    /// What was learnt from.
    train: Dataset,
    /// What it was judged by, where there is any.
    held_out: Option<Dataset>,
}

impl Learner<'_> {
    /// Learns from some inputs and judges by others, which came from a file.
    fn learn(
        &self,
        training: Vec<LabelledInput>,
        held_out: Option<(Vec<LabelledInput>, &Path)>,
        session: &mut Session<'_>,
    ) -> Result<Learnt, Error> {
        let Learner { plan, labels, data, start: (init, pretrained), chooses, tells } = *self;
        let raws = training.iter().map(|input| &input.raw);
        let input = match init {
            Some(init) => init.input(&plan.input, raws, data)?,
            None => Input::fit(&plan.input, raws, &[], data)?,
        };
        let input = pretrained.into_iter().try_fold(input, |input, pretrained| pretrained.add_words(input))?;
        let vectors = pretrained.map(|pretrained| pretrained.vectors(&input));
        let dataset = |inputs: Vec<LabelledInput>, file: &Path| {
            Dataset::new(input.encode_labelled(inputs, file)?, labels, plan.network.labels_per_text, file)
        };
        let train = dataset(training, data)?;
        let shape = input.shape();
        let weights = self.class_weights(&train.targets);
        let device = session.device.clone().autodiff();
        let loss = LabelLoss::new(&train.targets, weights.clone(), plan.label_smoothing, &device);
        let bias = loss.first_bias(&train.targets, labels.len()).filter(|_| init.is_none());
        let make = |device: &Device, place: usize| {
            let network = Network::new(&plan.network, shape, labels.len(), device)?;
            let network = begin(network, (init, vectors.as_ref()), place, &plan.train)?;
            Ok(match &bias {
                Some(bias) => network.with_output_bias(bias)?,
                None => network,
            })
        };
        let empty = Network::new(&plan.network, shape, labels.len(), session.device)?;
        check_tables(&empty, &plan.train, session.checkpoint.is_some(), option_of)?;
        let validation = held_out.map(|(inputs, file)| dataset(inputs, file)).transpose()?;
        if tells {
            tell_parts(&input, &train, validation.as_ref());
        }
        let budget = |purpose| budget(&plan.network, shape, labels.len(), purpose, plan.train.max_memory());
        let (budget, judging) = (budget(Purpose::Training), budget(Purpose::Answers));
        train.check_memory(&budget)?;
        validation.iter().try_for_each(|validation| validation.check_memory(&judging))?;
        let linear = self.solve(&[&train])?;
        let of_linear = match (&linear, &validation) {
            (Some(linear), Some(validation)) => Some(linear.logits(&validation.examples.iter().collect::<Vec<_>>())),
            _ => None,
        };
        let objective = Classification {
            plan: &plan.network,
            shape,
            loss,
            word_dropout: input.plan().word_dropout(),
            input_noise: input.plan().input_noise(),
            train,
            validation,
            chooses,
            linear: of_linear,
            budget,
            judging,
            class_weights: weights,
            labels: labels.names(),
            device,
        };
        let trained = train::train(&objective, make, &plan.train, session)?;
        let networks: Vec<&Network> = trained.networks.iter().collect();
        let judged = if networks.is_empty() { None } else { objective.judged(&networks) };
        let Classification { train, validation: held_out, .. } = objective;
        Ok(Learnt { trained, input, linear, judged: judged.unwrap_or_default(), train, held_out })
    }

    /// Solves the linear part on the examples of these, where there is one.
    fn solve(&self, of: &[&Dataset]) -> Result<Option<LinearPart>, Error> {
        let Learner { plan, labels, start: (init, _), .. } = *self;
        let Some(config) = &plan.network.linear else { return Ok(None) };
        let examples: Vec<&Example> = of.iter().flat_map(|dataset| &dataset.examples).collect();
        let mut targets = Targets::new(plan.network.labels_per_text);
        of.iter().for_each(|dataset| targets.extend(dataset.targets.iter().map(<[usize]>::to_vec)));
        let (buckets, rows) = (config.rows() as u64, examples.len() as u64);
        // The weights and how rare the buckets are, with the copies of which a file is made; the examples' distributions.
        let tables = (3 * buckets * (labels.len() as u64 + 1) + rows * labels.len() as u64) * 4;
        self.check_linear(tables, 0)?;
        let old = match init {
            Some(init) => Some(LinearPart::take(config, init.known("labels")?, &mut init.file.clone(), &init.path)?),
            None => None,
        };
        let (bag, together) = match &old {
            Some(old) => {
                (old.bag.clone(), examples.par_iter().map(|example| config.buckets_of(&example.all_tokens())).sum())
            }
            None => NgramBag::fit(config.clone(), examples.iter().map(|example| example.all_tokens())),
        };
        self.check_linear(tables, together as u64 * size_of::<(u32, f32)>() as u64)?;
        let bags: Vec<Bag> = examples.par_iter().map(|example| bag.of(example)).collect();
        let weights = self.class_weights(&targets);
        let problem = Problem {
            bags: &bags,
            targets: &targets,
            labels: labels.len(),
            class_weights: weights.as_deref(),
            c: plan.linear_c,
            seed: plan.train.seed(),
        };
        let solution = problem.solve(config.rows(), old.map(|old| grown(&old, labels.len())));
        if !solution.is_close() {
            let (epochs, gap) = (solution.epochs, solution.gap);
            tracing::warn!(
                "the linear part is taken as it is after {epochs} epochs, a gap of {gap:.1e} nats from its best"
            );
        }
        Ok(Some(solution.part(bag)))
    }

    /// Refuses a linear part whose tables and the n-grams of whose texts take so many bytes together.
    fn check_linear(&self, tables: u64, ngrams: u64) -> Result<(), Error> {
        let (bytes, limit) = (tables + ngrams, self.plan.train.max_memory());
        let Some(config) = self.plan.network.linear.as_ref().filter(|_| bytes > limit.bytes()) else { return Ok(()) };
        let largest = format!("linear.weight, {} x {} numbers", config.rows(), self.labels.len());
        let problem = match ngrams > tables {
            false => format!("its largest table is {largest}: choose a smaller --linear-buckets"),
            true => format!(
                "the n-grams of the texts alone take {}: choose shorter ones by --linear-characters and --linear-words",
                readable(ngrams)
            ),
        };
        let problem = format!(
            "the linear part would take {} of memory, but --max-memory is {limit} MiB; {problem}, or allow it with --max-memory {}",
            readable(bytes),
            mib_for(bytes)
        );
        Err(PlanError::Unfit(problem).into())
    }

    /// The weight of every label in the loss, where they differ.
    fn class_weights(&self, targets: &Targets) -> Option<Vec<f32>> {
        match (self.plan.class_weights, targets) {
            (ClassWeights::Balanced, Targets::One(targets)) => Some(balanced_weights(targets, self.labels.len())),
            _ => None,
        }
    }
}

/// The weights and biases of a linear part with zeros for labels that it does not know.
fn grown(old: &LinearPart, labels: usize) -> (Vec<f32>, Vec<f32>) {
    let known = old.bias.len();
    let mut weight = vec![0.0; old.weight.len() / known * labels];
    for (new, old) in weight.chunks_mut(labels).zip(old.weight.chunks(known)) {
        new[..known].copy_from_slice(old);
    }
    let mut bias = old.bias.clone();
    bias.resize(labels, 0.0);
    (weight, bias)
}

/// `n / (classes * n_of_class)`, as scikit-learn balances; a label held out whole counts as if it stood there once.
fn balanced_weights(targets: &[usize], classes: usize) -> Vec<f32> {
    let mut counts = vec![0usize; classes];
    for &target in targets {
        counts[target] += 1;
    }
    counts.iter().map(|&count| targets.len() as f32 / (classes * count.max(1)) as f32).collect()
}
