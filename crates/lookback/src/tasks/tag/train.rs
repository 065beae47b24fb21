//! Training a tagger: from a file and a plan to a trained model.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use lookback_infer::data::labels::LabelSet;
use lookback_infer::error::{Error, PlanError};
use lookback_infer::input::{Batch, Example, Input, InputShape, Labelled};
use lookback_infer::model::{Score, Validation};
use lookback_infer::network::budget::{Budget, Purpose};
use lookback_infer::tasks::tag::scheme::{Scheme, Schemes, Transitions};
use lookback_infer::tasks::tag::{
    self, Dataset, Description, Metrics, NetworkPlan, SCORES, Tags, WORDS, budget, convert, decoder, judge, read,
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::auto::{self, Facts};
use super::network::Network;
use super::plan::TagPlan;
use crate::input::refuse;
use crate::network::{option_of, twin};
use crate::tasks::{Fitted, told};
use crate::train::split::parts;
use crate::train::{self, Init, Loss, Objective, Pretrained, Session, begin, check_tables};

/// Reads the training file and whatever validation the plan names, and trains.
///
/// # Errors
/// If the data are not as the plan reads them, the plan does not fit them, or there is nothing to resume.
pub fn fit(data: &Path, plan: &TagPlan, session: &mut Session<'_>) -> Result<Fitted, Error> {
    let read = |file: &Path| read(file, &plan.data, plan.segment);
    let mut sentences = read(data)?;
    let init = session.init.take();
    let schemes = schemes(&sentences, plan, init.as_ref(), data)?;
    convert(&mut sentences, schemes, data);
    let plan = &plan.by_data(&sentences, schemes, data)?;
    let read = |file: &Path| {
        let mut sentences = read(file)?;
        convert(&mut sentences, schemes, file);
        Ok(sentences)
    };
    let names = sentences.iter().flat_map(|sentence| &sentence.label.names).map(String::as_str);
    let tags = match &init {
        Some(init) => {
            let lined = sentences.iter().flat_map(|sentence| sentence.label.names.iter().zip(&sentence.label.lines));
            init.labels("tags", lined.map(|(name, &line)| (name.as_str(), line)), data)?
        }
        None => LabelSet::build(data, None, names)?,
    };
    let raws = || sentences.iter().map(|sentence| &sentence.raw);
    let pretrained = Pretrained::read(&plan.network.encoder, &plan.input, raws, &[], (data, init.as_ref()))?;
    let one_class = vec![0; sentences.len()];
    let (training, held_out) = parts(&plan.validation, sentences, &one_class, data, plan.train.seed(), read)?;
    let raws = training.iter().map(|sentence| &sentence.raw);
    let input = match &init {
        Some(init) => init.input(&plan.input, raws, data)?,
        None => Input::fit(&plan.input, raws, &[], data)?,
    };
    let input = pretrained.iter().try_fold(input, |input, pretrained| pretrained.add_words(input))?;
    let vectors = pretrained.as_ref().map(|pretrained| pretrained.vectors(&input));
    let dataset = |sentences, file: &Path| Dataset::new(input.encode_labelled(sentences, file)?, &tags, schemes, file);
    let mut training = dataset(training, data)?;
    let judged =
        |sentences, file: &Path| Dataset::to_be_judged(input.encode_labelled(sentences, file)?, &tags, schemes, file);
    let validation = held_out.map(|(sentences, file)| judged(sentences, file)).transpose()?;

    let (shape, allowed) = (input.shape(), Transitions::of(schemes.trained, tags.names()));
    if plan.network.crf {
        training.leave_out_forbidden(&allowed)?;
    }
    let make = |device: &Device, place: usize| {
        let network = Network::new(&plan.network, shape, &allowed, device)?;
        begin(network, (init.as_ref(), vectors.as_ref()), place, &plan.train)
    };
    let empty = Network::new(&plan.network, shape, &allowed, session.device)?;
    check_tables(&empty, &plan.train, session.checkpoint.is_some(), option_of)?;
    let budget = |purpose| budget(&plan.network, shape, tags.len(), purpose, plan.train.max_memory());
    let (budget, judging) = (budget(Purpose::Training), budget(Purpose::Answers));
    training.check_memory(&budget)?;
    validation.iter().try_for_each(|validation| validation.check_memory(&judging))?;
    let objective = Tagging {
        plan: &plan.network,
        shape,
        word_dropout: input.plan().word_dropout(),
        training,
        validation,
        budget,
        judging,
        tags: &tags,
        device: session.device.clone().autodiff(),
    };
    let trained = train::train(&objective, make, &plan.train, session)?;
    let file = plan.validation.file().map_or(data, PathBuf::as_path);
    // What was stopped is to be written at once.
    let judged = (!trained.end.is_cut_short()).then(|| objective.judged(&trained.networks.iter().collect::<Vec<_>>()));
    let told = judged.flatten().map(|metrics| {
        let what = if metrics.spans.is_some() { "spans" } else { "tokens" };
        told::table(&metrics.labels, (what, "more sentences with them"), file)
    });
    let examples = [&Some(objective.training), &objective.validation];
    let examples = examples.map(|dataset| dataset.as_ref().map_or(0, |dataset| dataset.examples.len()));
    let fitted = Fitted::new(trained, &plan.train, &SCORES, examples, plan.training(), |record, tensors| {
        let (data, segment, tags, record) = (plan.data.clone(), plan.segment, tags.clone(), record.clone());
        let plan = NetworkPlan { ensemble: record.networks.len(), ..plan.network.clone() };
        Description { input, data, schemes, segment, plan, tags, record }.file(tensors)
    })?;
    Ok(Fitted { told, ..fitted })
}

/// The schemes of the model that the training goes on from, else those that the plan says or the tags tell.
fn schemes(sentences: &[Labelled<Tags>], plan: &TagPlan, init: Option<&Init>, data: &Path) -> Result<Schemes, Error> {
    let Some(init) = init else {
        if plan.segment {
            return Ok(Schemes { written: WORDS, trained: WORDS });
        }
        let written = Scheme::of(plan.scheme, data, sentences.iter().map(|sentence| sentence.label.names.as_slice()))?;
        let trained = plan.train_scheme.unwrap_or(written);
        if trained.has_spans() != written.has_spans() {
            let problem = format!("is {trained}, but the scheme of the data is {written}");
            return Err(PlanError::conflict("train-scheme", problem).into());
        }
        return Ok(Schemes { written, trained });
    };
    let (own, segment): (Schemes, bool) =
        (init.file.json(&init.path, "schemes")?, init.file.json(&init.path, "segment")?);
    let schemes = [("scheme", plan.scheme, own.written), ("train-scheme", plan.train_scheme, own.trained)];
    if let Some((option, _, own)) = schemes.into_iter().find(|(_, said, own)| said.is_some_and(|said| said != *own)) {
        let problem = format!("is another than {own}, which the model in --init has and keeps");
        return Err(PlanError::conflict(option, problem).into());
    }
    refuse(&[("segment", plan.segment != segment)], "is not as in the training of the model in --init")?;
    Ok(own)
}

impl TagPlan {
    /// With all that is left open chosen by the data, and told.
    fn by_data(&self, sentences: &[Labelled<Tags>], schemes: Schemes, data: &Path) -> Result<TagPlan, PlanError> {
        let facts = Facts::of(sentences, schemes.written.has_spans() && !self.segment);
        let (options, chosen) = auto::choose(&self.options, &facts);
        if !chosen.0.is_empty() {
            tracing::info!("{}: chosen by the data: {}", data.display(), chosen.in_words());
        }
        Ok(TagPlan { options: self.options.clone(), ..TagPlan::new(&options)? })
    }
}

struct Tagging<'a> {
    plan: &'a NetworkPlan,
    shape: InputShape,
    word_dropout: f64,
    training: Dataset,
    validation: Option<Dataset>,
    /// What a batch of training may take.
    budget: Budget,
    /// What a batch of validation may take.
    judging: Budget,
    tags: &'a LabelSet,
    device: Device,
}

impl Objective for Tagging<'_> {
    type Network = Network;

    fn scores(&self) -> &'static [Score] {
        &SCORES
    }

    fn lengths(&self) -> &[usize] {
        &self.training.lengths
    }

    fn parts(&self, examples: &[usize]) -> Vec<Vec<usize>> {
        self.budget.parts(&self.training.lengths, examples)
    }

    /// The negative logarithm of the right tags' probability, averaged over the real tokens of the batch.
    fn loss(&self, network: &Network, part: &[usize], batch: &[usize], _epoch: usize, rng: &mut ChaCha8Rng) -> Loss {
        let inputs: Vec<&Example> = part.iter().map(|&row| &self.training.examples[row]).collect();
        let mut drop = || self.word_dropout > 0.0 && rng.random_bool(self.word_dropout);
        let padded = Batch::new(&inputs, network.parts(), &mut drop);
        let targets: Vec<&[usize]> = part.iter().map(|&row| self.training.targets[row].as_slice()).collect();
        let mean = network
            .loss(&padded, &targets, &self.device)
            .expect("batches are made for the network that is trained, and a sentence has a token");
        let (count, whole) = (self.training.tokens(part), self.training.tokens(batch));
        let share = if count < whole { mean.mul_scalar(count as f64 / whole as f64) } else { mean };
        Loss { share, weight: count as f64 }
    }

    fn validate(&self, networks: &[&Network]) -> Option<Validation> {
        self.validation.as_ref()?;
        // What is no number any more chooses no tags; the loss tells.
        let Some(metrics) = self.judged(networks) else {
            return Some(Validation { loss: f64::NAN, scores: vec![None; SCORES.len()] });
        };
        let f1 = metrics.spans.as_ref().map(|spans| spans.micro.f1);
        Some(Validation { loss: metrics.loss, scores: vec![Some(metrics.accuracy), metrics.unknown_accuracy, f1] })
    }
}

impl Tagging<'_> {
    /// How networks do on what was held out, judged as they will answer: without Burn. `None` where nothing was, there is no network,
    /// or what they have learnt chooses no tags.
    fn judged(&self, networks: &[&Network]) -> Option<Metrics> {
        let validation = self.validation.as_ref().filter(|_| !networks.is_empty())?;
        let answering = |network: &&Network| answering(network, self.plan, self.shape, self.tags.len());
        let networks: Vec<tag::Network> = networks.iter().map(answering).collect();
        let decoder = decoder(&networks, self.tags, validation.schemes).ok()?;
        Some(judge(&networks, &decoder, validation, self.tags.names(), &self.judging))
    }
}

/// The twin, without Burn, of a network that was made by this plan.
pub(super) fn answering(network: &Network, plan: &NetworkPlan, shape: InputShape, tags: usize) -> tag::Network {
    twin(tag::NAME, network, |tensors| tag::Network::read(plan, shape, tags, tensors))
}
