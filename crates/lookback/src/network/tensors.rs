//! The parameters of a network as the tensors of a file, and back.

use std::path::Path;

use burn::module::Module;
use burn::tensor::TensorData;
use lookback_infer::error::{Error, ModelFileError, PlanError};
use lookback_infer::model_file::{ModelFile, Tensor, prefix};
use lookback_nn::parameters;

use crate::train::Init;

/// All parameters as the tensors of a file, `prefix` before each name.
pub(crate) fn values<N: Module>(network: &N, prefix: &str) -> Vec<(String, Tensor)> {
    let values = parameters::values(network, prefix).into_iter();
    values.map(|(name, values)| (name, Tensor { shape: values.shape, data: values.values })).collect()
}

/// The network with the parameters of a file whose names begin with `prefix`; `path` is where the file came from.
///
/// # Errors
/// If there is none of a name, or it has another shape.
pub(crate) fn read<N: Module>(
    network: N,
    prefix: &str,
    file: &mut ModelFile,
    path: &Path,
) -> Result<N, ModelFileError> {
    filled(network, prefix, path, |name, shape| Ok(file.take_tensor(path, name, shape)?.data))
}

/// The networks of a trained model, one of an ensemble after the other: what `make` gives, with the parameters whose names begin with
/// the network's own prefix and `part`.
///
/// # Errors
/// Those of `make`, and as [`read`].
pub(crate) fn read_each<N: Module>(
    model: &Init,
    networks: usize,
    part: &str,
    make: impl Fn() -> Result<N, PlanError>,
) -> Result<Vec<N>, Error> {
    // What is taken out of a file is gone.
    let mut file = model.file.clone();
    let one = |place: usize| Ok(read(make()?, &format!("{}{part}", prefix(place, networks)), &mut file, &model.path)?);
    (0..networks).map(one).collect()
}

/// The network with the values that `give` has for each parameter, by its name behind `prefix` and its shape. `path`: where
/// they come from.
///
/// # Errors
/// Those of `give`, and if there are not as many values as the shape says.
pub(crate) fn filled<N: Module>(
    network: N,
    prefix: &str,
    path: &Path,
    mut give: impl FnMut(&str, &[usize]) -> Result<Vec<f32>, ModelFileError>,
) -> Result<N, ModelFileError> {
    let mut failure = None;
    let network = parameters::write(network, prefix, |name, shape| match give(name, shape) {
        Ok(values) => Ok(TensorData::new(values, shape.to_vec())),
        Err(error) => {
            let problem = error.to_string();
            failure.get_or_insert(error);
            Err(lookback_nn::Error::Parameter { name: name.to_owned(), problem })
        }
    });
    network.map_err(|error| {
        failure.unwrap_or_else(|| ModelFileError::Entry {
            file: path.into(),
            key: prefix.into(),
            problem: error.to_string(),
        })
    })
}
