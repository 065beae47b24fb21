//! How a model came to be; kept in its file, shown by `lookback inspect`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Validation;

/// How a model came to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Record {
    /// The training options, checked, by their names.
    pub training: Map<String, Value>,
    /// Training examples.
    pub examples: usize,
    /// Validation examples.
    pub validation_examples: usize,
    /// How each network came to be; there is at least one.
    pub networks: Vec<NetworkRecord>,
    /// Loss and scores of all networks together on the validation data.
    pub validation: Option<Validation>,
}

impl Record {
    /// Whether it tells of as many networks as the `plan` has, and their validation of as many `scores` as the task.
    ///
    /// # Errors
    /// A sentence that says what does not fit.
    pub(crate) fn check(&self, plan: usize, scores: usize) -> Result<(), String> {
        let count = self.networks.len();
        if count != plan {
            return Err(format!("it tells of {count} networks, but the plan is for {plan}"));
        }
        match &self.validation {
            Some(validation) if validation.scores.len() != scores => {
                Err(format!("its validation must have {scores} scores"))
            }
            _ => Ok(()),
        }
    }
}

/// How one network came to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NetworkRecord {
    /// The seed of everything random.
    pub seed: u64,
    /// The epoch the weights are of, from 1.
    pub epoch: usize,
    /// Epochs that were finished.
    pub epochs: usize,
    /// How training ended, in words.
    pub end: String,
    /// Loss and scores on the validation data.
    pub validation: Option<Validation>,
}
