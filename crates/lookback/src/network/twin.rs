//! From a network in training to its twin that answers without Burn.

use std::path::Path;

use burn::module::Module;
use lookback_infer::error::ModelFileError;
use lookback_infer::model_file::{ModelFile, Tensors};

use super::values;

/// What `read` makes of the parameters of a network of this `task`, which its twin has by the same names.
///
/// # Panics
/// If it has others: the two are then no twins.
pub(crate) fn twin<M: Module, T>(
    task: &str,
    network: &M,
    read: impl FnOnce(&mut Tensors<'_>) -> Result<T, ModelFileError>,
) -> T {
    let mut file = ModelFile::new(task);
    file.tensors.extend(values(network, ""));
    let tensors = &mut Tensors::new(&mut file, Path::new("the network in training"), "");
    read(tensors).expect("twins have the same parameters")
}
