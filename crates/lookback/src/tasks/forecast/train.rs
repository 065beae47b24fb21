//! Training a forecaster: from a file and a plan to a trained model.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use lookback_infer::data::history::{Frequency, Histories, History, read_histories};
use lookback_infer::error::{DataError, Error, PlanError, counted};
use lookback_infer::input::{FileColumns, Input, InputPlan};
use lookback_infer::model::{Score, Table, Validation};
use lookback_infer::network::budget::{Budget, Purpose};
use lookback_infer::tasks::forecast::floors::Floor;
use lookback_infer::tasks::forecast::scores::OverallScores;
use lookback_infer::tasks::forecast::{
    self, Conformal, Cutter, Dataset, Description, Fallback, Metrics, NetworkPlan, SCORES, Sizes, Window, WindowPlan,
    backtest, batch, budget, calibrate, calibrate_floor, enough_windows, hold_out, hold_out_steps, judge, judge_floors,
    judge_steps, verdict,
};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::ForecastOptions;
use super::auto::{self, Facts};
use super::blend::{self, Blend};
use super::network::{Network, Truth};
use super::plan::ForecastPlan;
use super::refit::Found;
use crate::network::{option_of, twin};
use crate::tasks::Fitted;
use crate::train::{self, Ensemble, Loss, Objective, Session, ValidationPlan, begin, check_tables};

/// Reads the training file and whatever validation the plan names, and trains.
///
/// # Errors
/// If the data are not as the plan reads them, the plan does not fit them, or there is nothing to resume.
pub fn fit(data: &Path, plan: &ForecastPlan, session: &mut Session<'_>) -> Result<Fitted, Error> {
    fit_histories(read_histories(data, &plan.input.options(true))?, data, plan, session)
}

/// The same of histories that were read already, and came from `data`.
///
/// # Errors
/// As [`fit`].
pub fn fit_histories(
    read: Histories,
    data: &Path,
    plan: &ForecastPlan,
    session: &mut Session<'_>,
) -> Result<Fitted, Error> {
    let Histories { all: histories, columns } = read;
    let init = session.init.take();
    let plan = &plan.by_data(&histories, columns.frequency, data)?;
    plan.network.check_values(&histories, data)?;
    let read = InputPlan::History(plan.input.clone()).with_columns(Some(FileColumns::History(columns.clone())));
    let input = match &init {
        Some(init) => init.input(&read, std::iter::empty(), data)?,
        None => Input::fit_histories(&read, &histories.iter().collect::<Vec<_>>(), data)?,
    };
    let encoder = input.history().map(|(_, encoder)| encoder.clone()).unwrap_or_default();
    let cutter = Cutter::of(&plan.network.window, &encoder, &columns);
    let sizes = cutter.sizes();
    let histories = Arc::new(histories);
    let (ends, held_out) = hold_out_of(&histories, plan, &cutter, &input, data)?;
    if plan.fallback && held_out.is_none() {
        let problem = "is decided on what is held out, but every series is too short for that";
        return Err(PlanError::conflict("fallback", problem).into());
    }
    if plan.network.output.conformal {
        let windows = match &held_out {
            Some(HeldOut::Windows(dataset)) => dataset.windows.len(),
            _ => 0,
        };
        enough_windows(&plan.network.output, windows)?;
    }
    let training = windows_of(&histories, ends, &cutter, plan, data);
    if training.windows.is_empty() {
        return Err(none_to_learn_from(&histories, data).into());
    }
    tracing::info!("{}: {} to learn from", data.display(), counted(training.windows.len(), "window"));

    let make = |device: &Device, place: usize| {
        let network = Network::new(&plan.network, sizes, device)?;
        begin(network, (init.as_ref(), None), place, &plan.train)
    };
    let empty = Network::new(&plan.network, sizes, session.device)?;
    check_tables(&empty, &plan.train, session.checkpoint.is_some(), option_of)?;
    let budget = |purpose| budget(&plan.network, sizes, purpose, plan.train.max_memory());
    let (budget, judging) = (budget(Purpose::Training), budget(Purpose::Answers));
    training.check_memory(&budget)?;
    let objective = Forecasting {
        plan: &plan.network,
        sizes,
        cutter,
        training,
        held_out,
        epochs: Vec::new(),
        budget,
        judging,
        device: session.device.clone().autodiff(),
    };
    let judged = match &objective.held_out {
        Some(HeldOut::Windows(dataset)) => dataset.windows.len(),
        Some(HeldOut::Steps(histories, _)) => histories.len(),
        None => 0,
    };
    let fitted = |trained: Ensemble<Network>, (conformal, fallback, blend), windows: usize| {
        Fitted::new(trained, &plan.train, &SCORES, [windows, judged], plan.training(), |record, tensors| {
            let network = NetworkPlan { ensemble: record.networks.len(), ..blended(&plan.network, blend) };
            Description { input, plan: network, record: record.clone(), conformal, fallback }.file(tensors)
        })
    };

    let done = if plan.refit { session.take_up_parts()? } else { Vec::new() };
    let (found, told) = match done.first() {
        Some(part) => (Found::of_part(part)?, None),
        None => {
            let mut trained = train::train(&objective, make, &plan.train, session)?;
            let (blend, metrics) = match plan.tries_blend && !trained.end.is_cut_short() {
                true => objective.best_blend(&mut trained, data),
                false => (plan.network.window.blend.clone(), None),
            };
            let answering = &blended(&plan.network, blend.clone());
            // What was stopped is to be written at once, unless what answers depends on it.
            let floors = match trained.end.is_cut_short() && !plan.fallback {
                true => None,
                false => {
                    let judged = || objective.judged_by(answering, &trained.networks.iter().collect::<Vec<_>>());
                    metrics.or_else(judged).and_then(|metrics| objective.beside_floors(metrics))
                }
            };
            let fallback = floors.as_ref().filter(|_| plan.fallback);
            let fallback = fallback.and_then(|(metrics, floors)| Fallback::of(&metrics.overall.scores, floors));
            let told = floors.map(|(metrics, floors)| verdict(&metrics.overall.scores, &floors));
            let told = told.map(|table| with_fallback(table, fallback.as_ref()));
            let conformal = match (plan.network.output.conformal, trained.networks.is_empty()) {
                (true, false) => {
                    let floor = fallback.as_ref().and_then(Fallback::answers);
                    Some(objective.calibrated(answering, &trained.networks, floor)?)
                }
                _ => None,
            };
            if !plan.refit || trained.end.is_cut_short() {
                let windows = objective.training.windows.len();
                return Ok(Fitted { told, ..fitted(trained, (conformal, fallback, blend), windows)? });
            }
            let Ensemble { records, validation, .. } = trained;
            let found = Found { networks: records, validation, conformal, fallback, blend };
            session.part_done(found.part());
            // Nothing was saved to go on from.
            session.resume = false;
            (found, told)
        }
    };
    let whole = histories.iter().map(|history| history.length).collect();
    let training = windows_of(&histories, whole, &cutter, plan, data);
    let epochs: Vec<usize> = found.networks.iter().map(|record| record.epoch).collect();
    let (windows, shown) = (training.windows.len(), epochs.iter().map(usize::to_string).collect::<Vec<_>>().join(", "));
    let name = data.display();
    tracing::info!("{name}: training again on everything, {} for {shown} epochs", counted(windows, "window"));
    let again = Forecasting { training, held_out: None, epochs, ..objective };
    let trained = train::train(&again, make, &plan.train, session)?;
    let blend = if plan.tries_blend { found.blend.clone() } else { plan.network.window.blend.clone() };
    let beside = (found.conformal.clone(), found.fallback.clone(), blend);
    Ok(Fitted { told, ..fitted(found.told(trained), beside, windows)? })
}

/// A plan with these classic forecasts in its answers.
fn blended(plan: &NetworkPlan, blend: Vec<Floor>) -> NetworkPlan {
    NetworkPlan { window: WindowPlan { blend, ..plan.window.clone() }, ..plan.clone() }
}

/// What a person is told after training, with what answers from now on.
fn with_fallback(mut table: Table, fallback: Option<&Fallback>) -> Table {
    if let Some(floor) = fallback.and_then(Fallback::answers) {
        table.note.push_str(&format!("; {} answers in place of the network (--fallback)", floor.title()));
    }
    table
}

/// Windows to learn from, of the first `ends` steps of every history.
fn windows_of(
    histories: &Arc<Vec<History>>,
    ends: Vec<usize>,
    cutter: &Cutter<'_>,
    plan: &ForecastPlan,
    data: &Path,
) -> Dataset {
    match plan.network.window.at_every_step() {
        true => Dataset::every_step(Arc::clone(histories), ends, (cutter, plan.stride), data),
        false => Dataset::training(Arc::clone(histories), ends, (cutter, plan.stride), data),
    }
}

/// What forecasts are judged by in training.
enum HeldOut {
    /// Windows.
    Windows(Dataset),
    /// Where every step is told, histories, and from which step of each on.
    Steps(Arc<Vec<History>>, Vec<usize>),
}

/// How many steps of every history are left to learn from, and what is judged by.
fn hold_out_of(
    histories: &Arc<Vec<History>>,
    plan: &ForecastPlan,
    cutter: &Cutter<'_>,
    input: &Input,
    data: &Path,
) -> Result<(Vec<usize>, Option<HeldOut>), Error> {
    let (horizon, every) = (cutter.plan.horizon, cutter.plan.at_every_step());
    let lengths = |histories: &[History]| histories.iter().map(|history| history.length).collect::<Vec<usize>>();
    let whole = lengths(histories);
    Ok(match &plan.validation {
        ValidationPlan::None => (whole, None),
        ValidationPlan::Split(share) if every => {
            let ends = hold_out_steps(histories, *share);
            (ends.clone(), Some(HeldOut::Steps(Arc::clone(histories), ends)))
        }
        ValidationPlan::Split(share) => {
            let parted = hold_out(histories, horizon, *share);
            tell_held_out(histories, &parted.judged, horizon, data);
            let judged = Dataset::of(Arc::clone(histories), whole, parted.judged, cutter, data);
            (parted.left, (!judged.windows.is_empty()).then_some(HeldOut::Windows(judged)))
        }
        ValidationPlan::File(file) => {
            // By the columns of the training data.
            let options = match input.plan() {
                InputPlan::History(own) => own.options(true),
                _ => unreachable!("the input was made of histories"),
            };
            let own = Arc::new(read_histories(file, &options)?.all);
            plan.network.check_values(&own, file)?;
            let held_out = match every {
                // All of what stands in a file of its own.
                true => HeldOut::Steps(Arc::clone(&own), vec![0; own.len()]),
                false => {
                    let origins = backtest(&own, horizon, (1, horizon), file)?;
                    HeldOut::Windows(Dataset::of(Arc::clone(&own), lengths(&own), origins, cutter, file))
                }
            };
            (whole, Some(held_out))
        }
    })
}

/// Tells what is held out.
fn tell_held_out(histories: &[History], judged: &[(usize, usize)], horizon: usize, file: &Path) {
    let name = file.display();
    let mut held: Vec<usize> = judged.iter().map(|(place, _)| *place).collect();
    held.dedup();
    let (all, windows) = (histories.len(), counted(judged.len(), "window"));
    let steps = counted(horizon, "step");
    match all - held.len() {
        0 => tracing::info!("{name}: the end of every series is held out to choose by: {windows} of {steps}"),
        short => tracing::warn!(
            "{name}: the end of {} of {all} series is held out to choose by ({windows} of {steps}); {short} are too short",
            held.len()
        ),
    }
}

fn none_to_learn_from(histories: &[History], file: &Path) -> DataError {
    let longest = histories.iter().map(|history| history.length).max().unwrap_or(0);
    let problem = format!(
        "there is nothing to learn from: no series has two values that follow one another; the longest has {}",
        counted(longest, "step")
    );
    DataError::Line { file: file.into(), line: histories.first().map_or(1, |history| history.line), problem }
}

impl ForecastPlan {
    /// With all that is left open chosen by the data, and told.
    fn by_data(&self, histories: &[History], frequency: Frequency, data: &Path) -> Result<ForecastPlan, Error> {
        let lengths = || histories.iter().map(|history| history.length);
        let facts = Facts { frequency, steps: lengths().sum(), longest: lengths().max().unwrap_or(0) };
        let (mut options, mut chosen) = auto::choose(&self.options, &facts);
        if options.needs_conformal() {
            match self.holds_out_enough(&options, histories)? {
                true => chosen.fill("conformal", &mut options.window.conformal, true),
                false => tracing::warn!(
                    "{}: with --feedback, intervals are too narrow behind the first step, and too little is held out to widen \
                     them (--conformal); predict --samples draws what may come",
                    data.display()
                ),
            }
        }
        if !chosen.0.is_empty() {
            tracing::info!("{}: chosen by the data: {}", data.display(), chosen.in_words());
        }
        // What was found of the file is kept apart from what was said of it.
        let (options, input, plan) = (self.options.clone(), self.input.clone(), ForecastPlan::new(&options)?);
        Ok(ForecastPlan { options, input, ..plan })
    }

    /// Whether enough is held out of histories for conformal intervals.
    fn holds_out_enough(&self, options: &ForecastOptions, histories: &[History]) -> Result<bool, PlanError> {
        let ValidationPlan::Split(share) = self.validation else { return Ok(false) };
        let mut options = options.clone();
        options.window.conformal = Some(true);
        let plan = ForecastPlan::new(&options)?.network;
        let windows = hold_out(histories, plan.window.horizon, share).judged.len();
        Ok(enough_windows(&plan.output, windows).is_ok())
    }
}

struct Forecasting<'a> {
    plan: &'a NetworkPlan,
    sizes: Sizes,
    cutter: Cutter<'a>,
    training: Dataset,
    held_out: Option<HeldOut>,
    /// How many epochs each network is trained for, where that was found out before.
    epochs: Vec<usize>,
    /// What a batch of training may take.
    budget: Budget,
    /// What a batch of validation may take.
    judging: Budget,
    device: Device,
}

impl Forecasting<'_> {
    fn windows(&self, part: &[usize]) -> (Vec<Window>, Truth) {
        let (training, cutter) = (&self.training, &self.cutter);
        let cut: Vec<_> = part.par_iter().filter_map(|&row| training.window(row, cutter)).collect();
        let (windows, truths): (Vec<Window>, Vec<Vec<f32>>) = cut.into_iter().unzip();
        // Where every step is told, rows are as long as the longest.
        let most = truths.iter().map(Vec::len).max().unwrap_or(0);
        let padded = |values: &[f32], with: f32| -> Vec<f32> {
            let rest = std::iter::repeat_n(with, most - values.len());
            values.iter().copied().chain(rest).collect()
        };
        let base = windows.iter().flat_map(|window| padded(&window.base, 0.0)).collect();
        let scales =
            windows.iter().flat_map(|window| window.scales().chain(std::iter::repeat(1.0)).take(most)).collect();
        let values = truths.iter().flat_map(|truth| padded(truth, f32::NAN)).collect();
        (windows, Truth { values, base, scales })
    }

    /// How networks do on what was held out, judged as they will answer: without Burn.
    fn judged(&self, networks: &[&Network]) -> Option<Metrics> {
        self.judged_by(self.plan, networks)
    }

    /// The same by a plan with other classic forecasts in its answers.
    fn judged_by(&self, plan: &NetworkPlan, networks: &[&Network]) -> Option<Metrics> {
        let held_out = self.held_out.as_ref().filter(|_| !networks.is_empty())?;
        let networks: Vec<forecast::Network> =
            networks.iter().map(|network| answering(network, self.plan, self.sizes)).collect();
        let cutter = Cutter { plan: &plan.window, ..self.cutter };
        Some(match held_out {
            HeldOut::Windows(dataset) => judge((&networks, None), plan, &cutter, dataset, &self.judging),
            HeldOut::Steps(histories, from) => {
                judge_steps(&networks, self.plan, &self.cutter, (histories, from), &self.judging)
            }
        })
    }

    /// The classic forecasts with which trained networks answer better than alone, where that is known, and told; what was held out
    /// is then judged so.
    fn best_blend(&self, trained: &mut Ensemble<Network>, data: &Path) -> (Vec<Floor>, Option<Metrics>) {
        let networks: Vec<&Network> = trained.networks.iter().collect();
        let windows = match &self.held_out {
            Some(HeldOut::Windows(dataset)) => dataset.windows.len(),
            _ => 0,
        };
        if windows * self.cutter.targets < blend::FEWEST {
            return (Vec::new(), None);
        }
        let plan = blended(self.plan, blend::TRIED.to_vec());
        let (Some(alone), Some(together)) = (self.judged(&networks), self.judged_by(&plan, &networks)) else {
            return (Vec::new(), None);
        };
        let Some(words) = blend::better(&together.overall.scores, &alone.overall.scores) else {
            return (Vec::new(), Some(alone));
        };
        let chosen = Blend(plan.window.blend);
        tracing::info!("{}: chosen by what is held out: --blend {chosen}, {words}", data.display());
        trained.validation = Some(validation(&together));
        (chosen.0, Some(together))
    }

    /// How far intervals are moved by what was held out, of the networks, or of the classic forecast that answers in their place.
    fn calibrated(&self, plan: &NetworkPlan, networks: &[Network], floor: Option<Floor>) -> Result<Conformal, Error> {
        let cutter = &Cutter { plan: &plan.window, ..self.cutter };
        let Some(HeldOut::Windows(dataset)) = &self.held_out else {
            let problem = "needs what is held out, but every series is too short for that";
            return Err(PlanError::conflict("conformal", problem).into());
        };
        if let Some(floor) = floor {
            return Ok(calibrate_floor(floor, plan, cutter, dataset)?);
        }
        let networks: Vec<forecast::Network> =
            networks.iter().map(|network| answering(network, self.plan, self.sizes)).collect();
        Ok(calibrate(&networks, plan, cutter, dataset, &self.judging)?)
    }

    /// How good the networks are on what was held out, and how good the classic forecasts are beside.
    fn beside_floors(&self, metrics: Metrics) -> Option<(Metrics, Vec<(Floor, OverallScores)>)> {
        let Some(HeldOut::Windows(dataset)) = &self.held_out else { return None };
        Some((metrics, judge_floors(self.plan, self.cutter.targets, dataset)))
    }
}

impl Objective for Forecasting<'_> {
    type Network = Network;

    fn scores(&self) -> &'static [Score] {
        &SCORES
    }

    fn lengths(&self) -> &[usize] {
        &self.training.lengths
    }

    fn epochs(&self, network: usize) -> Option<usize> {
        self.epochs.get(network).copied()
    }

    fn trained_before(&self) -> usize {
        self.epochs.len()
    }

    fn parts(&self, examples: &[usize]) -> Vec<Vec<usize>> {
        self.budget.parts(&self.training.lengths, examples)
    }

    /// What the values ahead cost, averaged over those that are known.
    fn loss(&self, network: &Network, part: &[usize], whole: &[usize], _epoch: usize, _rng: &mut ChaCha8Rng) -> Loss {
        let (windows, truth) = self.windows(part);
        let (inputs, ahead) = batch(&windows.iter().collect::<Vec<_>>());
        let mean = network
            .loss(&inputs, &ahead, &truth, &self.device)
            .expect("windows are cut for the network that is trained");
        let count = truth.known();
        let all = self.training.known(whole, &self.cutter);
        let share = if count < all { mean.mul_scalar(count as f64 / all as f64) } else { mean };
        Loss { share, weight: count as f64 }
    }

    fn validate(&self, networks: &[&Network]) -> Option<Validation> {
        self.judged(networks).map(|metrics| validation(&metrics))
    }
}

fn validation(metrics: &Metrics) -> Validation {
    let scores = &metrics.overall.scores;
    Validation { loss: metrics.loss, scores: vec![scores.mase, scores.smape, scores.mae, scores.rmse] }
}

/// The twin, without Burn, of a network that was made by this plan.
pub(super) fn answering(network: &Network, plan: &NetworkPlan, sizes: Sizes) -> forecast::Network {
    twin(forecast::NAME, network, |tensors| forecast::Network::read(plan, sizes, tensors))
}
