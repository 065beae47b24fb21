//! Training a translator: from a file and a plan to a trained model.

use std::path::Path;

use burn::tensor::Device;
use lookback_infer::error::{Error, PlanError, counted};
use lookback_infer::input::subwords::{Subwords, WordCounts};
use lookback_infer::input::written::{WrittenCut, WrittenText};
use lookback_infer::input::{Batch, Example, FileColumns, Input, InputShape, Labelled};
use lookback_infer::memory_limit::readable;
use lookback_infer::model::{Score, Validation};
use lookback_infer::network::budget::{Budget, NUMBER};
use lookback_infer::tasks::translate::{
    self, Dataset, Description, Followed, NetworkPlan, Rows, SCORES, Shortlists, Targets, budget, judge_greedily,
    most_tokens, read,
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::auto::{self, Facts};
use super::network::Network;
use super::plan::{LossPlan, TranslatePlan};
use super::sampling::replace_by_drawn;
use crate::input::refuse;
use crate::network::{option_of, twin};
use crate::tasks::Fitted;
use crate::train::split::parts;
use crate::train::{self, Init, Loss, Objective, Pretrained, Session, begin, check_tables};

/// Reads the training file and whatever validation the plan names, and trains.
///
/// # Errors
/// If the data are not as the plan reads them, the plan does not fit them, or there is nothing to resume.
pub fn fit(data: &Path, plan: &TranslatePlan, session: &mut Session<'_>) -> Result<Fitted, Error> {
    let (pairs, columns) = read(data, plan.target_file.as_deref(), &plan.data, None)?;
    fit_read(pairs, columns, data, plan, session)
}

/// The same with pairs that are read already; `data` is what messages call them.
///
/// # Errors
/// As [`fit`].
pub fn fit_pairs(
    pairs: Vec<Labelled<Vec<String>>>,
    data: &Path,
    plan: &TranslatePlan,
    session: &mut Session<'_>,
) -> Result<Fitted, Error> {
    fit_read(pairs, None, data, plan, session)
}

fn fit_read(
    pairs: Vec<Labelled<Vec<String>>>,
    columns: Option<FileColumns>,
    data: &Path,
    plan: &TranslatePlan,
    session: &mut Session<'_>,
) -> Result<Fitted, Error> {
    let init = session.init.take();
    let plan = &plan.by_data(&pairs, data, columns.clone())?;
    let raws = || pairs.iter().map(|pair| &pair.raw);
    let pretrained = Pretrained::read(&plan.network.encoder, &plan.input, raws, &[], (data, init.as_ref()))?;
    let one_class = vec![0; pairs.len()];
    let trained = columns.as_ref().and_then(FileColumns::table);
    let read = |file: &Path| Ok(read(file, plan.validation_target_file.as_deref(), &plan.data, trained)?.0);
    let (training, held_out) = parts(&plan.validation, pairs, &one_class, data, plan.train.seed(), read)?;
    let raws = training.iter().map(|pair| &pair.raw);
    let input = match &init {
        Some(init) => init.input(&plan.input, raws, data)?,
        None => Input::fit_beside(&plan.input, raws, &[], plan.words_beside(&training), data)?,
    };
    let input = pretrained.iter().try_fold(input, |input, pretrained| pretrained.add_words(input))?;
    let vectors = pretrained.as_ref().map(|pretrained| pretrained.vectors(&input));
    let target = match &init {
        Some(init) => plan.grown_target(init, &training, data)?,
        None => plan.target_text(&training, &input, data)?,
    };
    let copies = plan.network.decoder.copy;
    if let (true, Some(text)) = (copies, input.text()) {
        target.check_copying(&text.tokenizer).map_err(|problem| PlanError::conflict("copy", problem))?;
    }
    let dataset =
        |pairs, file: &Path| Dataset::new(input.encode_labelled(pairs, file)?, &target, plan.too_long, copies, file);
    let training = dataset(training, data)?;
    let validation = held_out.map(|(pairs, file)| dataset(pairs, file)).transpose()?;

    let (shape, vocabulary) = (input.shape(), target.vocabulary.len());
    let make = |device: &Device, place: usize| {
        let network = Network::new(&plan.network, shape, vocabulary, device)?;
        begin(network, (init.as_ref(), vectors.as_ref()), place, &plan.train)
    };
    let empty = Network::new(&plan.network, shape, vocabulary, session.device)?;
    check_tables(&empty, &plan.train, session.checkpoint.is_some(), option_of)?;
    let budget = |rows| budget(&plan.network, shape, (vocabulary, rows), plan.train.max_memory());
    let judged = Rows::Followed(Followed::greedily(most_tokens(&target)));
    let (budget, judging) = (budget(Rows::Trained(training.longest_target())), budget(judged));
    training.check_memory(&budget)?;
    let sizes = [input.text().map_or(0, |text| text.vocabulary.len()), vocabulary];
    plan.check_lists(sizes)?;
    validation.iter().try_for_each(|validation| validation.check_memory(&judging))?;
    let objective = Translation {
        plan: &plan.network,
        shape,
        loss: plan.loss,
        word_dropout: input.plan().word_dropout(),
        epochs: plan.train.epochs(),
        training,
        validation,
        budget,
        judging,
        target: &target,
        device: session.device.clone().autodiff(),
    };
    let trained = train::train(&objective, make, &plan.train, session)?;
    let listed = plan.shortlist.filter(|_| !trained.networks.is_empty());
    let shortlists = listed.map(|count| Shortlists::learn(&objective.training, sizes, count));
    let examples = [&Some(objective.training), &objective.validation];
    let examples = examples.map(|dataset| dataset.as_ref().map_or(0, |dataset| dataset.examples.len()));
    Fitted::new(trained, &plan.train, &SCORES, examples, plan.training(), |record, tensors| {
        let (data, target, record) = (plan.data.clone(), target.clone(), record.clone());
        let plan = NetworkPlan { ensemble: record.networks.len(), ..plan.network.clone() };
        Description { input, data, target, plan, record, shortlists }.file(tensors)
    })
}

impl TranslatePlan {
    /// With all that is left open chosen by the data, and told.
    fn by_data(
        &self,
        pairs: &[Labelled<Vec<String>>],
        data: &Path,
        columns: Option<FileColumns>,
    ) -> Result<TranslatePlan, PlanError> {
        let (options, chosen) = auto::choose(&self.options, &Facts::of(pairs));
        if !chosen.0.is_empty() {
            tracing::info!("{}: chosen by the data: {}", data.display(), chosen.in_words());
        }
        let mut plan = TranslatePlan { options: self.options.clone(), ..TranslatePlan::new(data, &options)? };
        plan.input = plan.input.with_columns(columns);
        Ok(plan)
    }

    /// What the model has learnt of targets, with the tokens that it does not know where they are to be added.
    fn grown_target(&self, init: &Init, pairs: &[Labelled<Vec<String>>], data: &Path) -> Result<WrittenText, Error> {
        let text: WrittenText = init.file.json(&init.path, "target")?;
        let said = &self.options.targets;
        let of_new =
            [("target-subwords", said.target_subwords.is_some()), ("joint-subwords", said.joint_subwords.is_some())];
        refuse(&of_new, "is about pieces that are to be learnt, but the model in --init keeps its own")?;
        let targets = || pairs.iter().flat_map(|pair| &pair.label).map(String::as_str);
        let unknown = targets().filter(|target| text.encode(target).0.iter().any(|&id| text.is_unknown(id))).count();
        match unknown {
            0 => Ok(text),
            _ if init.extend => Ok(text.extended(targets(), (self.target.min_count, self.target.max_vocabulary))),
            _ => {
                let (name, targets) = (data.display(), counted(unknown, "target"));
                tracing::warn!(
                    "{name}: {targets} with tokens that the model in --init does not know; --extend adds them"
                );
                Ok(text)
            }
        }
    }

    /// Refuses shortlists of these vocabularies, of sources and targets, that are over the limit of memory.
    fn check_lists(&self, [sources, targets]: [usize; 2]) -> Result<(), PlanError> {
        let Some(count) = self.shortlist.map(|count| count.min(targets) as u64) else { return Ok(()) };
        // As ids, and as the tensor that is written.
        let bytes = (sources as u64).saturating_mul(count).saturating_mul(2 * NUMBER);
        let limit = self.train.max_memory();
        match bytes > limit.bytes() {
            true => Err(PlanError::conflict(
                "shortlist",
                format!(
                    "of {count} tokens for each of {sources} would take {}, but --max-memory is {limit} MiB",
                    readable(bytes)
                ),
            )),
            false => Ok(()),
        }
    }

    /// The words of the targets, where pieces of words are learnt of both sides.
    fn words_beside(&self, pairs: &[Labelled<Vec<String>>]) -> WordCounts {
        match self.target.joint {
            true => WordCounts::of(pairs.iter().flat_map(|pair| &pair.label).map(String::as_str)),
            false => WordCounts::default(),
        }
    }

    /// The pieces of words that targets are cut into, where they are.
    fn target_subwords<'a>(
        &self,
        cut: WrittenCut,
        targets: impl Iterator<Item = &'a str>,
        input: &Input,
    ) -> Result<Option<Subwords>, PlanError> {
        match (cut.subwords(), self.target.subwords) {
            (Some(_), _) if self.target.joint => Ok(input.text().and_then(|text| text.tokenizer.subwords.clone())),
            (Some(method), Some(size)) => Subwords::learn(method, &WordCounts::of(targets), size)
                .map(Some)
                .map_err(|problem| PlanError::conflict("target-subwords", problem)),
            _ => Ok(None),
        }
    }

    /// What is learnt of the targets, which have been seen by `auto`.
    fn target_text(&self, pairs: &[Labelled<Vec<String>>], input: &Input, data: &Path) -> Result<WrittenText, Error> {
        let targets = pairs.iter().flat_map(|pair| &pair.label).map(String::as_str);
        let cut = self.target.cut.unwrap_or_else(|| WrittenCut::of(targets.clone()));
        let (sizes, longest) = ((self.target.min_count, self.target.max_vocabulary), self.target.max_length);
        let text = match self.target_subwords(cut, targets.clone(), input)? {
            Some(subwords) => WrittenText::fit_subwords(subwords, targets, sizes, longest),
            None => WrittenText::fit(cut, targets, sizes, longest),
        };
        match text.vocabulary.len() - text.vocabulary.specials() {
            0 => Err(PlanError::Unfit(format!(
                "{}: no token stands in the targets {} times (--target-min-count)",
                data.display(),
                self.target.min_count
            ))
            .into()),
            _ => Ok(text),
        }
    }
}

struct Translation<'a> {
    plan: &'a NetworkPlan,
    shape: InputShape,
    loss: LossPlan,
    word_dropout: f64,
    epochs: usize,
    training: Dataset,
    validation: Option<Dataset>,
    /// What a batch of training may take.
    budget: Budget,
    /// What a batch of validation may take.
    judging: Budget,
    target: &'a WrittenText,
    device: Device,
}

impl Objective for Translation<'_> {
    type Network = Network;

    fn scores(&self) -> &'static [Score] {
        &SCORES
    }

    /// By which batches are made of pairs that are alike.
    #[expect(clippy::misnamed_getters, reason = "the loop sorts by them, whatever they are lengths of")]
    fn lengths(&self) -> &[usize] {
        &self.training.sizes
    }

    fn sides(&self, example: usize) -> [usize; 2] {
        [self.training.lengths[example], self.training.rows[example].1.len() + 1]
    }

    fn parts(&self, examples: &[usize]) -> Vec<Vec<usize>> {
        self.budget.parts(&self.training.lengths, examples)
    }

    /// The negative logarithm of the right tokens' probability, averaged over the tokens of the batch.
    fn loss(&self, network: &Network, part: &[usize], batch: &[usize], epoch: usize, rng: &mut ChaCha8Rng) -> Loss {
        let Dataset { examples, rows, .. } = &self.training;
        let inputs: Vec<&Example> = part.iter().map(|&row| &examples[rows[row].0]).collect();
        let mut drop = |chance: f64| chance > 0.0 && rng.random_bool(chance);
        let padded = Batch::new(&inputs, network.parts(), &mut || drop(self.word_dropout));
        let targets: Vec<&[u32]> = part.iter().map(|&row| rows[row].1.as_slice()).collect();
        let mut targets = Targets::new(&targets, self.target, || drop(self.loss.target_word_dropout))
            .with_sources(self.training.sources_of(part));
        let chance = self.loss.sampling.map_or(0.0, |sampling| sampling.chance(epoch, self.epochs));
        if chance > 0.0 {
            replace_by_drawn(&mut targets, (network, &self.device), &padded, self.target, chance, rng)
                .expect("batches are made for the network that is trained");
        }
        let mean = network
            .loss(&padded, &targets, (self.loss.label_smoothing, self.loss.coverage), &self.device)
            .expect("batches are made for the network that is trained");
        let (count, whole) = (self.training.tokens(part), self.training.tokens(batch));
        let share = if count < whole { mean.mul_scalar(count as f64 / whole as f64) } else { mean };
        Loss { share, weight: count as f64 }
    }

    fn validate(&self, networks: &[&Network]) -> Option<Validation> {
        let validation = self.validation.as_ref()?;
        let vocabulary = self.target.vocabulary.len();
        // Judged as it will answer: without Burn.
        let answering = |network: &&Network| {
            twin(translate::NAME, *network, |tensors| {
                translate::Network::read(self.plan, self.shape, vocabulary, tensors)
            })
        };
        let networks: Vec<translate::Network> = networks.iter().map(answering).collect();
        Some(match judge_greedily(&networks, validation, self.target, &self.judging) {
            Some(metrics) => {
                let scores = &metrics.scores;
                let values = [scores.exact_match, scores.bleu.score, scores.chrf.score];
                Validation { loss: metrics.loss, scores: values.map(Some).to_vec() }
            }
            None => Validation { loss: f64::NAN, scores: vec![None; SCORES.len()] },
        })
    }
}
