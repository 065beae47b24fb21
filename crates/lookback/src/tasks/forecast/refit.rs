//! Training again on everything: what the first training found is kept, and what was held out is learnt from, too.

use lookback_infer::error::{Error, PlanError};
use lookback_infer::model::{NetworkRecord, Validation};
use lookback_infer::model_file::Tensor;
use lookback_infer::tasks::forecast::floors::Floor;
use lookback_infer::tasks::forecast::{Conformal, Fallback};
use serde::{Deserialize, Serialize};

use super::network::Network;
use crate::train::{Ensemble, Part};

/// What a training that held something out has found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Found {
    /// How each network came to be, and so the epochs that it is worth.
    pub(super) networks: Vec<NetworkRecord>,
    /// How good all are together on what was held out.
    pub(super) validation: Option<Validation>,
    /// How far intervals are moved, by what was held out.
    pub(super) conformal: Option<Conformal>,
    /// What else may answer, by what was held out.
    #[serde(default)]
    pub(super) fallback: Option<Fallback>,
    /// The classic forecasts in the answers, named or found better on what was held out.
    #[serde(default)]
    pub(super) blend: Vec<Floor>,
}

/// The tensor of a checkpoint that holds it.
const FOUND: &str = "found";

impl Found {
    /// As a checkpoint keeps it between both trainings: the bytes of its JSON, for figures are in double precision and tensors are
    /// not.
    pub(super) fn part(&self) -> Part {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        let data: Vec<f32> = bytes.into_iter().map(f32::from).collect();
        [(FOUND.to_owned(), Tensor { shape: vec![data.len()], data })].into()
    }

    /// What a checkpoint has kept.
    ///
    /// # Errors
    /// If it is of another training.
    pub(super) fn of_part(part: &Part) -> Result<Found, Error> {
        let bytes: Option<Vec<u8>> = part.get(FOUND).map(|found| found.data.iter().map(|&byte| byte as u8).collect());
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or_else(|| {
            PlanError::conflict("resume", "meets a training that found nothing to train again by").into()
        })
    }

    /// Networks that were trained again, with the figures of what was held out from the first.
    pub(super) fn told(self, mut trained: Ensemble<Network>) -> Ensemble<Network> {
        for (record, found) in trained.records.iter_mut().zip(self.networks) {
            record.validation = found.validation;
        }
        trained.validation = self.validation;
        trained
    }
}

#[cfg(test)]
mod tests {
    use lookback_infer::tasks::forecast::ComparedBy;

    use super::*;

    #[test]
    fn what_was_found_comes_back_from_a_checkpoint_to_the_last_bit() {
        let validation = Validation { loss: 0.1 + 0.2, scores: vec![Some(1.0 / 3.0)] };
        let network = NetworkRecord {
            seed: u64::MAX >> 1,
            epoch: 7,
            epochs: 20,
            end: "all epochs were run".into(),
            validation: Some(validation.clone()),
        };
        let conformal = Conformal { windows: 30, margins: vec![vec![0.1, -3.3e-7]] };
        let fallback =
            Fallback { floor: Floor::Theta, score: ComparedBy::Mase, network: 1.0 / 3.0, classic: 0.1 + 0.2 };
        let (validation, fallback) = (Some(validation), Some(fallback));
        let blend = vec![Floor::Theta];
        let found = Found { networks: vec![network], validation, conformal: Some(conformal), fallback, blend };
        assert_eq!(Found::of_part(&found.part()).unwrap(), found);
        assert!(Found::of_part(&Part::new()).unwrap_err().to_string().contains("--resume"));
    }
}
