//! What a model has read so far, as a file: a text that is read in parts, in several runs of the program, is as one that is read whole.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::network::Network;
use super::writer::WriterStates;
use crate::error::{ModelFileError, PlanError, Result};
use crate::model_file::{ModelFile, Tensor};
use crate::network::LayerState;

/// The kind of such a file.
pub const STATE_KIND: &str = "state";

/// What a model has read so far.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ReadSoFar {
    /// Of one row, without the last token.
    pub(super) states: WriterStates,
    /// The last token, which is read next.
    pub(super) last: u32,
    /// How many tokens were read.
    pub(super) tokens: u64,
}

/// What of it is no tensor.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    /// By which the model is known again.
    model: String,
    last: u32,
    tokens: u64,
}

/// The key of that.
const KEY: &str = "read";

/// Values of a tensor that tell a model from another.
const LOOKED_AT: usize = 64;

/// By what a model is known again: its tensors' names and shapes, and some of the values of each.
pub(super) fn fingerprint(file: &ModelFile) -> String {
    let mut digest = Sha256::new();
    for (name, tensor) in &file.tensors {
        digest.update(format!("{name} {:?};", tensor.shape));
        let step = tensor.data.len().div_ceil(LOOKED_AT).max(1);
        tensor.data.iter().step_by(step).for_each(|value| digest.update(value.to_le_bytes()));
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn name(network: usize, layer: usize, which: &str) -> String {
    format!("{network}.{layer}.{which}")
}

impl ReadSoFar {
    /// Writes it to `path`, whole or not at all. `model`: the fingerprint.
    ///
    /// # Errors
    /// If the system refuses.
    pub(super) fn write(&self, path: &Path, model: &str) -> Result<(), ModelFileError> {
        let mut file = ModelFile::new(STATE_KIND);
        file.put_json(KEY, &Stored { model: model.to_owned(), last: self.last, tokens: self.tokens })?;
        for (network, states) in self.states.iter().enumerate() {
            for (layer, LayerState { hidden, cell }) in states.iter().enumerate() {
                for (which, values) in [("hidden", hidden), ("cell", cell)].into_iter().filter(|(_, v)| !v.is_empty()) {
                    let tensor = Tensor { shape: vec![values.len()], data: values.clone() };
                    file.tensors.insert(name(network, layer, which), tensor);
                }
            }
        }
        file.write(path)
    }

    /// Reads what [`ReadSoFar::write`] wrote, for these networks.
    ///
    /// # Errors
    /// If it is no such file, damaged, or of another model.
    pub(super) fn read(path: &Path, networks: &[Network], model: &str) -> Result<ReadSoFar> {
        let mut file = ModelFile::read_kind(path, STATE_KIND)?;
        let stored: Stored = file.json(path, KEY)?;
        if stored.model != model {
            let problem = format!("{} is what another model has read", path.display());
            return Err(PlanError::conflict("state-in", problem).into());
        }
        let mut states = Vec::new();
        for (place, network) in networks.iter().enumerate() {
            let mut of_network = Vec::new();
            for (layer, &width) in network.widths().iter().enumerate() {
                let mut take = |which| file.take_tensor(path, &name(place, layer, which), &[width]);
                let hidden = take("hidden")?.data;
                let cell = if network.has_cell() { take("cell")?.data } else { Vec::new() };
                of_network.push(LayerState { hidden, cell });
            }
            states.push(of_network);
        }
        if stored.last as usize >= networks.first().map_or(0, Network::vocabulary) {
            let problem = format!("its last token is {}, which the vocabulary does not have", stored.last);
            return Err(ModelFileError::Entry { file: path.into(), key: KEY.into(), problem }.into());
        }
        file.check_all_read(path, &[KEY])?;
        Ok(ReadSoFar { states, last: stored.last, tokens: stored.tokens })
    }
}
