//! Training on from a model.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::TensorData;
use lookback_infer::error::{Error, ModelFileError};
use lookback_infer::model_file::{ModelFile, Tensor};
use lookback_nn::parameters;

/// A model that a training begins with.
#[derive(Clone, Debug)]
pub struct Init {
    /// What its file holds.
    pub file: ModelFile,
    /// Where that came from.
    pub path: PathBuf,
    /// Whether labels and tokens that it does not know are added to those it knows, rather than refused.
    pub extend: bool,
}

impl Init {
    /// Reads the model in `path`, which must be of this task.
    ///
    /// # Errors
    /// If it cannot be read, or is of another task.
    pub fn read(path: &Path, task: &str, extend: bool) -> Result<Init, ModelFileError> {
        Ok(Init { file: ModelFile::read_kind(path, task)?, path: path.into(), extend })
    }

    /// The network `fresh` with the values of the tensors whose names begin with `prefix`. Where it has more rows or columns
    /// than they, for what was added, those keep their fresh values.
    pub(crate) fn start<N: Module>(&self, fresh: N, prefix: &str) -> Result<N, Error> {
        let mut drawn = parameters::values(&fresh, "");
        let mut failure = None;
        let network = parameters::write(fresh, "", |name, shape| {
            let own = drawn.remove(name).map(|own| own.values).unwrap_or_default();
            let refused = |error: ModelFileError| {
                let problem = error.to_string();
                failure.get_or_insert(error);
                lookback_nn::Error::Parameter { name: name.to_owned(), problem }
            };
            let values = self.values(&format!("{prefix}{name}"), shape, own).map_err(refused)?;
            Ok::<_, lookback_nn::Error>(TensorData::new(values, shape.to_vec()))
        });
        network.map_err(|error| match failure {
            Some(failure) => failure.into(),
            None => lookback_infer::error::PlanError::Unfit(error.to_string()).into(),
        })
    }

    /// The values of a tensor, laid over `own` where that is larger.
    fn values(&self, name: &str, shape: &[usize], own: Vec<f32>) -> Result<Vec<f32>, ModelFileError> {
        let wrong = |problem: String| ModelFileError::Tensor { file: self.path.clone(), name: name.into(), problem };
        let Some(Tensor { shape: old, data }) = self.file.tensors.get(name) else {
            return Err(wrong(format!("is missing; one of shape {shape:?} was expected")));
        };
        if old == shape {
            return Ok(data.clone());
        }
        let grows = old.len() == shape.len() && old.iter().zip(shape).all(|(old, new)| old <= new);
        if !(grows && self.extend && (1..=2).contains(&shape.len())) {
            return Err(wrong(format!("has the shape {old:?}; {shape:?} was expected")));
        }
        let (old_width, width) = (old[old.len() - 1], shape[shape.len() - 1]);
        let mut values = own;
        for (row, old) in values.chunks_mut(width).zip(data.chunks(old_width)) {
            row[..old_width].copy_from_slice(old);
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use lookback_nn::{Linear, LinearConfig};

    use super::*;

    #[test]
    fn what_was_added_keeps_its_fresh_values() {
        let device = Device::flex();
        let mut file = ModelFile::new("classify");
        let old = |shape: &[usize]| Tensor { shape: shape.to_vec(), data: vec![9.0; shape.iter().product()] };
        file.tensors.insert("output.weight".into(), old(&[1, 2]));
        file.tensors.insert("output.bias".into(), old(&[1]));
        let init = |extend| Init { file: file.clone(), path: "old".into(), extend };
        let fresh = LinearConfig::new(3, 2).init(&device).unwrap();
        let values = |linear: &Linear| linear.weight.val().into_data().try_to_vec::<f32>().unwrap();
        let drawn = values(&fresh);
        let grown = init(true).start(fresh.clone(), "output.").unwrap();
        assert_eq!(values(&grown), [9.0, 9.0, drawn[2], drawn[3], drawn[4], drawn[5]]);
        let refused = init(false).start(fresh, "output.").unwrap_err().to_string();
        assert_eq!(refused, "old: the tensor \"output.weight\" has the shape [1, 2]; [2, 3] was expected");
    }
}
