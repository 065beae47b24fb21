//! Taking the tensors of a network out of a model file.

use std::fmt::Display;
use std::path::Path;

use super::ModelFile;
use crate::error::ModelFileError;

/// What a network's tensors are called in a file: as they are when it is alone, else with its number before.
pub fn prefix(network: usize, networks: usize) -> String {
    if networks == 1 { String::new() } else { format!("ensemble.{network}.") }
}

/// The tensors of a file whose names begin alike.
#[derive(Debug)]
pub struct Tensors<'a> {
    file: &'a mut ModelFile,
    path: &'a Path,
    prefix: String,
}

impl<'a> Tensors<'a> {
    /// All tensors of a file that came from `path`, under their names behind `prefix`.
    pub fn new(file: &'a mut ModelFile, path: &'a Path, prefix: impl Into<String>) -> Self {
        Tensors { file, path, prefix: prefix.into() }
    }

    /// What `read` makes of the tensors of each of so many networks, whose names are told by [`prefix`].
    ///
    /// # Errors
    /// Those of `read`.
    pub(crate) fn of_networks<N>(
        file: &mut ModelFile,
        path: &Path,
        count: usize,
        read: impl Fn(&mut Tensors<'_>) -> Result<N, ModelFileError>,
    ) -> Result<Vec<N>, ModelFileError> {
        (0..count).map(|network| read(&mut Tensors::new(file, path, prefix(network, count)))).collect()
    }

    /// Those of one part: `within("encoder")` has `recurrent.weight_ih_l0` for `encoder.recurrent.weight_ih_l0`.
    pub fn within(&mut self, part: &str) -> Tensors<'_> {
        Tensors { file: self.file, path: self.path, prefix: format!("{}{part}.", self.prefix) }
    }

    /// Takes a tensor, which must have this shape, out of the file.
    ///
    /// # Errors
    /// If there is no such tensor, or it has another shape; the message names both.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelFileError> {
        Ok(self.file.take_tensor(self.path, &format!("{}{name}", self.prefix), shape)?.data)
    }

    /// That no network can be made of a tensor that has been taken.
    pub(crate) fn unfit(&self, name: &str, problem: &dyn Display) -> ModelFileError {
        let (file, name) = (self.path.into(), format!("{}{name}", self.prefix));
        ModelFileError::Tensor { file, name, problem: format!("fits no network: {problem}") }
    }

    /// That no network can be made of what the file says under `key`.
    pub(crate) fn refused(&self, key: &str, problem: &dyn Display) -> ModelFileError {
        ModelFileError::Entry { file: self.path.into(), key: key.to_owned(), problem: problem.to_string() }
    }
}
