//! Training a language model: from a file and a plan to a trained model.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use lookback_infer::data::Format;
use lookback_infer::data::documents::{Document, DocumentOptions, Documents, read_documents};
use lookback_infer::error::{DataError, Error, PlanError};
use lookback_infer::input::subwords::{Subwords, WordCounts};
use lookback_infer::input::written::WrittenText;
use lookback_infer::input::{FileColumns, Input};
use lookback_infer::model::{Score, Validation};
use lookback_infer::model_file::Tensor;
use lookback_infer::network::budget::{Budget, Purpose};
use lookback_infer::tasks::generate::{self, Corpus, Description, GeneratedText, NetworkPlan, SCORES, budget, judge};
use rand_chacha::ChaCha8Rng;

use super::auto::{self, Facts};
use super::network::{Network, Penalties, RowState, Rows};
use super::pieces::{Piece, Pieces};
use super::plan::GeneratePlan;
use crate::network::{option_of, twin};
use crate::tasks::Fitted;
use crate::train::split::parts;
use crate::train::{self, Init, Loss, Objective, Session, ValidationPlan, begin, check_tables};

/// Reads the training file and whatever validation the plan names, and trains.
///
/// # Errors
/// If the data are not as the plan reads them, the plan does not fit them, or there is nothing to resume.
pub fn fit(data: &Path, plan: &GeneratePlan, session: &mut Session<'_>) -> Result<Fitted, Error> {
    fit_documents(read_documents(data, &plan.data, None)?, data, plan, session)
}

/// The same with documents that are read already; `data` is what messages call them.
///
/// # Errors
/// As [`fit`].
pub fn fit_documents(
    documents: Documents,
    data: &Path,
    plan: &GeneratePlan,
    session: &mut Session<'_>,
) -> Result<Fitted, Error> {
    let init = session.init.take();
    let (ends, division) = (documents.have_ends(), documents.division);
    let Documents { all, columns, .. } = documents;
    let mut plan = plan.by_data(&all, data)?;
    // That other files are divided as this one was.
    plan.data.documents = plan.data.documents.or(division);
    let plan = &plan;
    let read = |file: &Path| {
        // That the training data are plain text says nothing of a table.
        let documents = plan.data.documents.filter(|_| Format::of_texts(file).is_none());
        Ok(read_documents(file, &DocumentOptions { documents, ..plan.data.clone() }, columns.as_ref())?.all)
    };
    let (training, held_out) = match (&plan.validation, all.as_slice()) {
        (ValidationPlan::Split(share), [whole]) => {
            let (front, back) = split_text(whole, *share, data)?;
            (vec![front], Some((vec![back], data)))
        }
        _ => {
            let one_class = vec![0; all.len()];
            parts(&plan.validation, all, &one_class, data, plan.train.seed(), read)?
        }
    };
    let text = plan.learn(&training, (ends, init.as_ref()), data)?;
    let columns = columns.map(FileColumns::Table);
    let input = Input::fit(&plan.input.clone().with_columns(columns), std::iter::empty(), &[], data)?;
    let input = input.with_words(&text.characters());
    let corpus = |documents: &[Document], file: &Path| Corpus::new(documents, &text, file);
    let (training, count) = (corpus(&training, data)?, training.len());
    let held_out = held_out.map(|(documents, file)| Ok::<_, DataError>((corpus(&documents, file)?, documents.len())));
    let (validation, held_out) = held_out.transpose()?.unzip();
    if training.tokens() < 2 {
        return Err(PlanError::Unfit(format!("{}: there is but one token to learn from", data.display())).into());
    }

    let vocabulary = text.written.vocabulary.len();
    let make = |device: &Device, place: usize| {
        let network = Network::new(&plan.network, vocabulary, device)?;
        begin(network, (init.as_ref(), None), place, &plan.train)
    };
    let empty = Network::new(&plan.network, vocabulary, session.device)?;
    check_tables(&empty, &plan.train, session.checkpoint.is_some(), option_of)?;
    let rows = plan.train.batch_size().unwrap_or(1);
    let pieces = Pieces::new(&training, rows, plan.chunk, plan.train.seed());
    let budget = budget(&plan.network, vocabulary, Purpose::Training, plan.train.max_memory());
    let longest = pieces.lengths().iter().copied().max().unwrap_or(0);
    budget.check_steps(longest, (("piece of text", "token"), "--chunk"), (data, 1))?;
    let objective = Language {
        plan: &plan.network,
        vocabulary,
        penalties: plan.penalties,
        pieces,
        budget,
        training,
        validation,
        device: session.device.clone().autodiff(),
        left: RefCell::default(),
    };
    let trained = train::train(&objective, make, &plan.train, session)?;
    let examples = [count, held_out.unwrap_or(0)];
    Fitted::new(trained, &plan.train, &SCORES, examples, plan.training(), |record, tensors| {
        let (data, record) = (plan.data.clone(), record.clone());
        let plan = NetworkPlan { ensemble: record.networks.len(), ..plan.network.clone() };
        Description { input, data, text: text.clone(), plan, record }.file(tensors)
    })
}

/// The last share of a text held out, from the first line end or blank behind that place on.
fn split_text(whole: &Document, share: f64, data: &Path) -> Result<(Document, Document), DataError> {
    let text = &whole.text;
    let about = text.floor_char_boundary((text.len() as f64 * (1.0 - share)) as usize);
    let behind = &text[about..];
    // A line that never ends is cut where it is.
    let window = &behind[..behind.floor_char_boundary(behind.len().min(10_000) / 2)];
    let offset = window.find('\n').or_else(|| window.find(' ')).map_or(0, |place| place + 1);
    let at = about + offset;
    let (front, back) = text.split_at(at);
    if front.trim().is_empty() || back.trim().is_empty() {
        let problem = format!(
            "the text is too short to hold {share} of it out for validation; --validation-split 0 holds nothing out"
        );
        return Err(DataError::Line { file: data.into(), line: whole.line, problem });
    }
    let line = whole.line + front.matches('\n').count();
    let part = |text: &str, line| Document { text: text.to_owned(), label: whole.label.clone(), line };
    Ok((part(front, whole.line), part(back, line)))
}

impl GeneratePlan {
    /// With all that is left open chosen by the data, and told.
    fn by_data(&self, documents: &[Document], data: &Path) -> Result<GeneratePlan, PlanError> {
        let (options, chosen) = auto::choose(&self.options, &Facts::of(documents, &self.options));
        if !chosen.0.is_empty() {
            tracing::info!("{}: chosen by the data: {}", data.display(), chosen.in_words());
        }
        Ok(GeneratePlan { options: self.options.clone(), ..GeneratePlan::new(&options)? })
    }

    /// What is learnt of the training texts, or what the model that training begins with has learnt.
    fn learn(
        &self,
        training: &[Document],
        (ends, init): (bool, Option<&Init>),
        data: &Path,
    ) -> Result<GeneratedText, Error> {
        if let Some(init) = init {
            return self.learnt(training, (ends, init), data);
        }
        let mut labels: Vec<String> = training.iter().filter_map(|document| document.label.clone()).collect();
        labels.sort_unstable();
        labels.dedup();
        let texts = || training.iter().map(|document| document.text.as_str());
        let subwords = match (self.text.cut.subwords(), self.text.subwords) {
            (Some(method), Some(size)) => Some(
                Subwords::learn(method, &WordCounts::of(texts()), size)
                    .map_err(|problem| PlanError::conflict("subwords", problem))?,
            ),
            _ => None,
        };
        let sizes = (self.text.min_count, self.text.max_vocabulary);
        let specials = GeneratedText::specials(&labels);
        let written = WrittenText::fit_with((self.text.cut, subwords), &specials, texts(), sizes, i64::MAX as usize);
        match written.vocabulary.len() - written.vocabulary.specials() {
            0 => Err(PlanError::Unfit(format!(
                "{}: no token stands in the texts {} times (--min-count)",
                data.display(),
                self.text.min_count
            ))
            .into()),
            _ => Ok(GeneratedText { written, ends, labels }),
        }
    }

    /// What the model in --init has learnt, with the tokens that it does not know where they are to be added.
    fn learnt(&self, training: &[Document], (ends, init): (bool, &Init), data: &Path) -> Result<GeneratedText, Error> {
        let text: GeneratedText = init.file.json(&init.path, "text")?;
        if self.options.tokens.tokenizer.is_some_and(|cut| cut != text.written.cut) {
            let problem = format!("is another than {}, which the model in --init has and keeps", text.written.cut);
            return Err(PlanError::conflict("tokenizer", problem).into());
        }
        let mut labels = training.iter().filter_map(|document| Some((document.label.as_ref()?, document.line)));
        if let Some((label, line)) = labels.find(|(label, _)| !text.labels.contains(label)) {
            let problem = format!(
                "the label {label:?} is none of the model in --init; --extend adds tokens to a language model, but no labels"
            );
            return Err(DataError::Line { file: data.into(), line, problem }.into());
        }
        if text.ends != ends {
            let (own, other) = if ends { ("have no end", "have one") } else { ("end", "have none") };
            let problem =
                format!("is of a model whose texts {own}, but those of {} {other}: --documents", data.display());
            return Err(PlanError::conflict("init", problem).into());
        }
        let texts = || training.iter().map(|document| document.text.as_str());
        let unknown =
            texts().flat_map(|one| text.written.each(one)).any(|token| text.written.vocabulary.id(&token).is_none());
        match unknown {
            false => Ok(text),
            true if init.extend => {
                let sizes = (self.text.min_count, self.text.max_vocabulary);
                Ok(GeneratedText { written: text.written.extended(texts(), sizes), ..text })
            }
            true => {
                let name = data.display();
                tracing::warn!("{name}: there are tokens that the model in --init does not know; --extend adds them");
                Ok(text)
            }
        }
    }
}

struct Language<'a> {
    plan: &'a NetworkPlan,
    vocabulary: usize,
    penalties: Penalties,
    pieces: Pieces,
    /// What a batch of training may take.
    budget: Budget,
    training: Corpus,
    validation: Option<Corpus>,
    device: Device,
    /// What the stretches that go on have read so far.
    left: RefCell<BTreeMap<usize, RowState>>,
}

/// The names of a stretch's states in a checkpoint: of which stretch, which layer, and which of the two states.
fn state_name(stretch: usize, layer: usize, which: usize) -> String {
    format!("{stretch}.{layer}.{}", ["hidden", "cell"][which])
}

impl Objective for Language<'_> {
    type Network = Network;

    fn scores(&self) -> &'static [Score] {
        &SCORES
    }

    fn lengths(&self) -> &[usize] {
        self.pieces.lengths()
    }

    fn batches(&self, epoch: usize) -> Option<Vec<Vec<usize>>> {
        Some(self.pieces.batches(epoch))
    }

    fn carried(&self) -> BTreeMap<String, Tensor> {
        let mut tensors = BTreeMap::new();
        for (&stretch, state) in &*self.left.borrow() {
            for (layer, states) in state.iter().enumerate() {
                for (which, values) in states.iter().enumerate().filter(|(_, values)| !values.is_empty()) {
                    let tensor = Tensor { shape: vec![values.len()], data: values.clone() };
                    tensors.insert(state_name(stretch, layer, which), tensor);
                }
            }
        }
        tensors
    }

    fn carry(&self, mut carried: BTreeMap<String, Tensor>) {
        let stretches: std::collections::BTreeSet<usize> =
            carried.keys().filter_map(|name| name.split('.').next()?.parse().ok()).collect();
        let mut take = |stretch, layer, which| {
            carried.remove(&state_name(stretch, layer, which)).map(|tensor| tensor.data).unwrap_or_default()
        };
        let state = |stretch| {
            let of_layer = |layer| [take(stretch, layer, 0), take(stretch, layer, 1)];
            (stretch, (0..self.plan.layers).map(of_layer).collect())
        };
        *self.left.borrow_mut() = stretches.into_iter().map(state).collect();
    }

    fn parts(&self, examples: &[usize]) -> Vec<Vec<usize>> {
        self.budget.parts(self.pieces.lengths(), examples)
    }

    /// The negative logarithm of the wanted tokens' probability, averaged over the tokens of the batch, and the penalties.
    fn loss(&self, network: &Network, part: &[usize], batch: &[usize], epoch: usize, rng: &mut ChaCha8Rng) -> Loss {
        let pieces: Vec<Piece> = part.iter().map(|&number| self.pieces.piece(number, epoch)).collect();
        let tokens = |piece: &Piece, behind: usize| {
            &self.training.documents[piece.document].0[piece.start + behind..piece.end + behind]
        };
        let rows = Rows {
            read: pieces.iter().map(|piece| tokens(piece, 0)).collect(),
            wanted: pieces.iter().map(|piece| tokens(piece, 1)).collect(),
        };
        let mut left = self.left.borrow_mut();
        let states: Vec<Option<&RowState>> =
            pieces.iter().map(|piece| left.get(&piece.stretch).filter(|_| piece.goes_on)).collect();
        let (mean, ends) = network
            .loss(&rows, &states, self.penalties, rng, &self.device)
            .expect("rows are made for the network that is trained");
        for (piece, end) in pieces.iter().zip(ends) {
            match piece.followed {
                true => drop(left.insert(piece.stretch, end)),
                false => drop(left.remove(&piece.stretch)),
            }
        }
        let count = |numbers: &[usize]| -> usize {
            let length = |&number: &usize| {
                let piece = self.pieces.piece(number, epoch);
                piece.end - piece.start
            };
            numbers.iter().map(length).sum()
        };
        let (own, whole) = (count(part), count(batch));
        let share = if own < whole { mean.mul_scalar(own as f64 / whole as f64) } else { mean };
        Loss { share, weight: own as f64 }
    }

    fn validate(&self, networks: &[&Network]) -> Option<Validation> {
        let validation = self.validation.as_ref()?;
        // Judged as it will answer: without Burn.
        let networks: Vec<generate::Network> =
            networks.iter().map(|network| answering(network, self.plan, self.vocabulary)).collect();
        Some(match judge(&networks, validation) {
            Some(metrics) => {
                let values = [metrics.loss().exp(), metrics.bits_per_character(), metrics.bits_per_byte()];
                Validation { loss: metrics.loss(), scores: values.map(Some).to_vec() }
            }
            None => Validation { loss: f64::NAN, scores: vec![None; SCORES.len()] },
        })
    }
}

/// The twin, without Burn, of a network that was made by this plan.
pub(super) fn answering(network: &Network, plan: &NetworkPlan, vocabulary: usize) -> generate::Network {
    twin(generate::NAME, network, |tensors| generate::Network::read(plan, vocabulary, tensors))
}
