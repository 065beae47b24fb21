//! Several networks, one after the other, each from a seed of its own; they answer together.

use burn::module::Module;
use burn::tensor::Device;
use lookback_infer::Error;
use lookback_infer::model::{NetworkRecord, Validation};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::checkpoint::{Checkpoint, Clock, Part, Saved, Saver, finished_prefix, take_carried};
use super::init::Init;
use super::objective::Objective;
use super::progress::{Progress, Silent};
use super::run::{Context, End, run};
use super::state::TrainState;
use super::{Stop, TrainPlan};
use crate::network::read;

/// What a training needs beside what is trained.
pub struct Session<'a> {
    /// Where networks live, without autodiff.
    pub device: &'a Device,
    /// Asks for the end.
    pub stop: &'a Stop,
    /// Is told of every step and epoch.
    pub progress: &'a mut dyn Progress,
    /// Where the training is saved, if it is.
    pub checkpoint: Option<Checkpoint>,
    /// Whether it goes on from what was saved there.
    pub resume: bool,
    /// The model that training begins with, in place of random weights.
    pub init: Option<Init>,
}

impl Session<'_> {
    /// The parts of a cross-validation that were done when what is gone on with was saved.
    ///
    /// # Errors
    /// If there is nothing to resume.
    pub(crate) fn take_up_parts(&mut self) -> Result<Vec<Part>, Error> {
        match &mut self.checkpoint {
            Some(checkpoint) if self.resume => checkpoint.take_up_parts(),
            _ => Ok(Vec::new()),
        }
    }

    /// Has the training of one part of a cross-validation, of which nothing is told. `resume`: whether it goes on from what was
    /// saved.
    ///
    /// # Errors
    /// As `train`.
    pub(crate) fn with_part<T>(
        &mut self,
        resume: bool,
        train: impl FnOnce(&mut Session<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let checkpoint = self.checkpoint.take();
        let progress = &mut Silent;
        let mut part = Session { device: self.device, stop: self.stop, progress, checkpoint, resume, init: None };
        let trained = train(&mut part);
        self.checkpoint = part.checkpoint;
        trained
    }

    /// Saves that one more part of a cross-validation is done.
    pub(crate) fn part_done(&mut self, part: Part) {
        if let Some(checkpoint) = &mut self.checkpoint {
            checkpoint.part_done(part);
        }
    }
}

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("checkpoint", &self.checkpoint)
            .field("resume", &self.resume)
            .finish_non_exhaustive()
    }
}

/// Networks that answer together.
#[derive(Debug)]
pub struct Ensemble<N> {
    /// The networks, without autodiff; none when training diverged before any epoch was finished.
    pub networks: Vec<N>,
    /// How each came to be.
    pub records: Vec<NetworkRecord>,
    /// Loss and scores of all together.
    pub validation: Option<Validation>,
    /// How training ended.
    pub end: End,
    /// Whether a training that was interrupted stands in its checkpoint, to go on from there.
    pub saved: bool,
}

/// Trains as many networks as `plan` says. `make` makes the one of this number, from 0, on a device with autodiff; its
/// random start follows from the seed of the device alone.
///
/// # Errors
/// If no network can be made, or there is nothing to resume.
pub fn train<O: Objective>(
    objective: &O,
    make: impl Fn(&Device, usize) -> Result<O::Network, Error>,
    plan: &TrainPlan,
    session: &mut Session<'_>,
) -> Result<Ensemble<O::Network>, Error> {
    let device = session.device.clone().autodiff();
    let start = |place: usize| {
        device.seed(network_seed(plan.seed, place));
        make(&device, place)
    };
    let mut finished: Vec<(O::Network, NetworkRecord)> = Vec::new();
    let mut taken_up = None;
    if session.resume
        && let Some(checkpoint) = &session.checkpoint
    {
        let Saved { mut file, finished: records, .. } = checkpoint.read()?;
        for (place, record) in records.into_iter().enumerate() {
            let network = read(start(place)?.valid(), &finished_prefix(place), &mut file, &checkpoint.file)?;
            finished.push((network, record));
        }
        if TrainState::<O::Network>::stands_in(&file) {
            let place = finished.len();
            objective.carry(take_carried(&mut file));
            let own = plan.of_network(network_seed(plan.seed, place), objective.epochs(place));
            taken_up = Some(TrainState::take(start(finished.len())?, &own, &mut file, &checkpoint.file)?);
        }
    }
    session.stop.training_begins();
    let (mut end, mut saved, mut clock) = (End::Completed, false, Clock::new());
    for place in finished.len()..plan.ensemble {
        let seed = network_seed(plan.seed, place);
        let own = plan.of_network(seed, objective.epochs(place));
        let before = objective.trained_before();
        session.progress.run_started(before + place + 1, before + plan.ensemble);
        let state = match taken_up.take() {
            Some(state) => state,
            None => TrainState::new(start(place)?, &own),
        };
        let saver = session.checkpoint.as_ref().map(|checkpoint| Saver::new(checkpoint, &finished, &mut clock));
        let context =
            &mut Context { plan: &own, device: &device, stop: session.stop, progress: &mut *session.progress, saver };
        let outcome = run(objective, state, context)?;
        (end, saved) = (outcome.end, outcome.saved);
        // Beside finished networks one that was cut short would answer with the same voice; alone it is all there is.
        if let Some(network) = outcome.network
            && (!end.is_cut_short() || finished.is_empty())
        {
            let record = NetworkRecord {
                seed,
                epoch: outcome.epoch,
                epochs: outcome.epochs,
                end: end.in_words(),
                validation: outcome.validation,
            };
            finished.push((network, record));
        }
        // What stops one stops all: the networks that are there answer without the others.
        if end.is_cut_short() {
            break;
        }
    }
    let (networks, records): (Vec<_>, Vec<NetworkRecord>) = finished.into_iter().unzip();
    let validation = match records.as_slice() {
        [] => None,
        [alone] => alone.validation.clone(),
        _ => objective.validate(&networks.iter().collect::<Vec<_>>()),
    };
    Ok(Ensemble { networks, records, validation, end, saved })
}

/// The seed of one network: the first has the run's own, so that it is the one that would be trained alone.
fn network_seed(seed: u64, place: usize) -> u64 {
    if place == 0 {
        return seed;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(place as u64);
    // TOML, in which models keep their options, has no integer above this.
    rng.next_u64() >> 1
}
