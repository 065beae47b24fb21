//! Everything a training is between two steps; by name, so that it fits a file.
//!
//! Nothing random is in it: every step draws from a seed that follows from the training's own, the epoch and the step.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn_pack::Scalar;
use lookback_infer::error::ModelFileError;
use lookback_infer::model::Validation;
use lookback_infer::model_file::{ModelFile, Tensor};
use serde::{Deserialize, Serialize};

use super::TrainPlan;
use super::average::AveragedWeights;
use super::numbered::numbered;
use super::optimizer_state::OptimizerState;
use crate::network::{read, values};

/// A training between two steps.
pub(crate) struct TrainState<N> {
    /// The network, with numbered parameters, on a device with autodiff; away while the optimiser has it.
    pub(super) network: Option<N>,
    /// The names of its parameters, by their numbers.
    names: Vec<String>,
    pub(super) optimizer: ModuleOptimizer,
    pub(super) average: AveragedWeights,
    /// The best network so far.
    pub(super) best: Option<Best<N>>,
    /// Where it stands.
    pub(super) place: Place,
}

/// Where a training stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    /// Epochs that were finished and scored.
    pub(super) epoch: usize,
    /// Steps that were made in the epoch after.
    pub(super) step: usize,
    /// Epochs in a row that were no better.
    pub(super) stale: usize,
    /// The sum of the losses of those steps, and of what their means divide by.
    pub(super) loss: (f64, f64),
    /// Examples that those steps have seen.
    pub(super) seen: usize,
    /// How long those steps took, in seconds, whichever run they were made in.
    pub(super) seconds: f64,
}

/// The best network so far, without autodiff.
pub(crate) struct Best<N> {
    pub(super) network: N,
    pub(super) epoch: usize,
    pub(super) validation: Option<Validation>,
}

/// The key under which a checkpoint keeps what is no tensor.
const KEY: &str = "state";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    place: Place,
    averaged: usize,
    optimizer: BTreeMap<String, Scalar>,
    best: Option<StoredBest>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredBest {
    epoch: usize,
    validation: Option<Validation>,
}

impl<N: Module> TrainState<N> {
    /// The start of a training.
    pub(super) fn new(network: N, plan: &TrainPlan) -> TrainState<N> {
        let (network, names) = numbered(network);
        TrainState {
            network: Some(network),
            names,
            optimizer: plan.optimizer(),
            average: AveragedWeights::new(plan.average),
            best: None,
            place: Place::default(),
        }
    }

    pub(super) fn network(&self) -> &N {
        self.network.as_ref().expect("the optimiser gives back what it takes")
    }

    /// Writes the state into a checkpoint.
    pub(super) fn put(&self, file: &mut ModelFile) -> Result<(), String> {
        let OptimizerState { tensors, scalars } = OptimizerState::of(&self.optimizer, &self.names)?;
        let best = self.best.as_ref().map(|best| StoredBest { epoch: best.epoch, validation: best.validation.clone() });
        let stored = Stored { place: self.place, averaged: self.average.count, optimizer: scalars, best };
        file.put_json(KEY, &stored).map_err(|error| error.to_string())?;
        file.tensors.extend(values(self.network(), "network."));
        if let Some(best) = &self.best {
            file.tensors.extend(values(&best.network, "best."));
        }
        file.tensors.extend(tensors.into_iter().map(|(name, tensor)| (format!("optimizer.{name}"), tensor)));
        for (&number, mean) in &self.average.mean {
            let name = &self.names[number as usize - 1];
            file.tensors.insert(format!("average.{name}"), Tensor { shape: vec![mean.len()], data: mean.clone() });
        }
        Ok(())
    }

    /// Whether one stands in a checkpoint; none does where the training of the next network has not begun.
    pub(super) fn stands_in(file: &ModelFile) -> bool {
        file.metadata.contains_key(KEY)
    }

    /// Reads what [`TrainState::put`] wrote. `start`: the network as it was made; its values are replaced.
    pub(super) fn take(
        start: N,
        plan: &TrainPlan,
        file: &mut ModelFile,
        path: &Path,
    ) -> Result<TrainState<N>, ModelFileError> {
        let wrong = |problem: String| ModelFileError::Entry { file: path.into(), key: KEY.into(), problem };
        let stored: Stored = file.json(path, KEY)?;
        let mut state = TrainState::new(read(start.clone(), "network.", file, path)?, plan);
        if let Some(StoredBest { epoch, validation }) = stored.best {
            let network = numbered(read(start.valid(), "best.", file, path)?).0;
            state.best = Some(Best { network, epoch, validation });
        }
        state.place = stored.place;
        state.average.count = stored.averaged;
        for (number, name) in (1..).zip(&state.names) {
            if let Some(mean) = file.tensors.remove(&format!("average.{name}")) {
                state.average.mean.insert(number, mean.data);
            }
        }
        let mut optimizer = OptimizerState { tensors: BTreeMap::new(), scalars: stored.optimizer };
        let all = std::mem::take(&mut file.tensors);
        for (name, tensor) in all {
            match name.strip_prefix("optimizer.") {
                Some(name) => drop(optimizer.tensors.insert(name.to_owned(), tensor)),
                None => drop(file.tensors.insert(name, tensor)),
            }
        }
        state.optimizer = optimizer.put(state.optimizer, &state.names).map_err(wrong)?;
        Ok(state)
    }
}
