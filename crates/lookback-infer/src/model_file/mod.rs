//! One file per model, in the safetensors format, so that other programs can read its tensors.
//!
//! The metadata of the file hold strings: `lookback` (the version of this format), `kind` (the task), `checksum`
//! (see below) and whatever the task stores, such as `network` and `labels` as JSON.
//!
//! # Writing
//! The model is written to a new file beside its destination, synced, and renamed over it, so that a reader sees
//! the old model or the new one, and a failure leaves nothing behind; what a killed run left is removed by the next one
//! that writes into the same folder. The same model gives the same bytes: tensors
//! and metadata stand in the order of their names. A destination that is no regular file, such as a pipe, is
//! written straight.
//!
//! # Reading
//! Nothing is used before all is checked: the size, the header, the version, every tensor's type, shape and place,
//! and the checksum. The checksum is the SHA-256 of the header, with 64 zeros in the checksum's place, and the
//! data. The header must also be the very bytes that writing the same content gives. So every changed byte is
//! found, wherever it stands. No allocation follows a number in the file that the size of the file does not bear
//! out.

mod header;
mod passing;
mod read;
mod tensors;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::tensors::{Tensors, prefix};
pub use self::write::{check_writable, write_text};
use crate::error::{ModelFileError, Overflow, in_plain_words};

/// The version of the format that this program writes and reads.
pub const FORMAT_VERSION: &str = "3";

/// The largest value of a tensor, either way. No trained weight comes near, and sums of products of such values stay within
/// what 32 bits hold.
pub const LARGEST: f32 = 1e15;

/// The kind of a training in its midst, which is no model.
pub const CHECKPOINT_KIND: &str = "checkpoint";

/// The metadata keys that this module writes itself.
const VERSION_KEY: &str = "lookback";
const KIND_KEY: &str = "kind";
const CHECKSUM_KEY: &str = "checksum";

/// A tensor of 32-bit floats.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The shape, outermost first; empty for a single number.
    pub shape: Vec<usize>,
    /// The values, row-major, as many as the shape says.
    pub data: Vec<f32>,
}

impl Tensor {
    /// The largest value, either way; NaN where there is one. Without their signs, numbers are ordered as their bits are.
    fn largest(&self) -> f32 {
        f32::from_bits(self.data.iter().map(|value| value.abs().to_bits()).max().unwrap_or(0))
    }
}

/// The content of a model file.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFile {
    /// What the model does, such as `classify`.
    pub kind: String,
    /// The task's own entries. The keys `lookback`, `kind` and `checksum` are reserved.
    pub metadata: BTreeMap<String, String>,
    /// The weights by name.
    pub tensors: BTreeMap<String, Tensor>,
}

impl ModelFile {
    /// A model file of this kind without entries or tensors.
    pub fn new(kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), metadata: BTreeMap::new(), tensors: BTreeMap::new() }
    }

    /// Writes the model to `file`, whole or not at all.
    ///
    /// # Errors
    /// If a tensor's values are no numbers, too large, or not as many as its shape says, a reserved key or name is used, or the
    /// system refuses. A file that stood there before then still does.
    pub fn write(&self, file: &Path) -> Result<(), ModelFileError> {
        self.check_values(file)?;
        write::write(file, &header::encode(self, file)?)
    }

    /// As [`ModelFile::write`], whatever the tensors hold: for what is no model, such as a training in its midst.
    ///
    /// # Errors
    /// If a reserved key or name is used, or the system refuses. A file that stood there before then still does.
    pub fn write_any(&self, file: &Path) -> Result<(), ModelFileError> {
        write::write(file, &header::encode(self, file)?)
    }

    /// As [`ModelFile::read_kind`], whatever the tensors hold.
    ///
    /// # Errors
    /// As [`ModelFile::read_kind`], but for values that are no numbers or too large.
    pub fn read_any(file: &Path, kind: &str) -> Result<Self, ModelFileError> {
        read::read(file)?.of_kind(file, kind)
    }

    /// Whether a model, or a training in its midst, stands in `file`, whole or not: by its beginning.
    pub fn stands_in(file: &Path) -> bool {
        read::begins_as_model(file)
    }

    /// Reads and checks the model in `file`.
    ///
    /// # Errors
    /// If there is no such file, or it is no model, of another version, cut, or changed in any byte, or a tensor holds a
    /// value that is no number or too large.
    pub fn read(file: &Path) -> Result<Self, ModelFileError> {
        let model = read::read(file)?;
        model.check_values(file)?;
        Ok(model)
    }

    /// Reads and checks the model in `file`, which must be of this kind.
    ///
    /// # Errors
    /// As [`ModelFile::read`], and if the model is of another kind.
    pub fn read_kind(file: &Path, kind: &str) -> Result<Self, ModelFileError> {
        Self::read(file)?.of_kind(file, kind)
    }

    fn of_kind(self, file: &Path, kind: &str) -> Result<Self, ModelFileError> {
        match self.kind.as_str() {
            found if found == kind => Ok(self),
            CHECKPOINT_KIND => Err(ModelFileError::Checkpoint { file: file.into() }),
            _ => Err(ModelFileError::Kind { file: file.into(), found: self.kind, expected: kind.to_owned() }),
        }
    }

    /// Stores `value` as JSON under `key`.
    ///
    /// # Errors
    /// If the value cannot be written as JSON.
    pub fn put_json<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), ModelFileError> {
        let json = serde_json::to_string(value).map_err(|error| ModelFileError::Entry {
            file: "model".into(),
            key: key.to_owned(),
            problem: in_plain_words(&error.to_string()),
        })?;
        self.metadata.insert(key.to_owned(), json);
        Ok(())
    }

    /// The value stored as JSON under `key`; `file` is where this model came from, for the message.
    ///
    /// # Errors
    /// If there is no such entry, or it does not hold such a value.
    pub fn json<T: DeserializeOwned>(&self, file: &Path, key: &str) -> Result<T, ModelFileError> {
        let problem = |problem: String| ModelFileError::Entry { file: file.into(), key: key.to_owned(), problem };
        let json = self.metadata.get(key).ok_or_else(|| problem("it is missing".to_owned()))?;
        serde_json::from_str(json).map_err(|error| problem(in_plain_words(&error.to_string())))
    }

    /// As [`ModelFile::json`], of a value that `check` finds nothing wrong with.
    ///
    /// # Errors
    /// As [`ModelFile::json`], and if something is wrong with it.
    pub fn checked_json<T: DeserializeOwned, E: Display>(
        &self,
        file: &Path,
        key: &str,
        check: impl Fn(&T) -> Result<(), E>,
    ) -> Result<T, ModelFileError> {
        let value = self.json(file, key)?;
        match check(&value) {
            Ok(()) => Ok(value),
            Err(problem) => {
                Err(ModelFileError::Entry { file: file.into(), key: key.to_owned(), problem: problem.to_string() })
            }
        }
    }

    /// Checks that nothing is left when a task has taken its tensors, and that it knows every entry; `file` is where this
    /// model came from. What nothing reads means that the file is not what this program takes it for.
    ///
    /// # Errors
    /// If a tensor is left, or there is an entry that is not among `entries`.
    pub fn check_all_read(&self, file: &Path, entries: &[&str]) -> Result<(), ModelFileError> {
        if let Some(name) = self.tensors.keys().next() {
            let problem = "has no place in the network that the file describes".to_owned();
            return Err(ModelFileError::Tensor { file: file.into(), name: name.clone(), problem });
        }
        match self.metadata.keys().find(|key| !entries.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(ModelFileError::Entry {
                file: file.into(),
                key: key.clone(),
                problem: format!("it is unknown; {} were expected", entries.join(", ")),
            }),
        }
    }

    /// A value that is no number, or too large to compute with, would make answers of its kind.
    fn check_values(&self, file: &Path) -> Result<(), ModelFileError> {
        let wrong = |value: f32| value.is_nan() || value.abs() > LARGEST;
        for (name, tensor) in self.tensors.iter().filter(|(_, tensor)| wrong(tensor.largest())) {
            if let Some(place) = tensor.data.iter().position(|&value| wrong(value)) {
                let value = tensor.data[place];
                let problem = format!(
                    "has the value {value:e} at place {}; at most {LARGEST:e} either way was expected",
                    place + 1
                );
                return Err(ModelFileError::Tensor { file: file.into(), name: name.clone(), problem });
            }
        }
        Ok(())
    }

    /// The tensor with the largest weight, either way, and that weight: where numbers overflow, they do for it.
    pub fn largest(&self) -> Overflow {
        let weights = self.tensors.iter().map(|(name, tensor)| (name, tensor.largest()));
        let largest = weights.max_by(|(_, a), (_, b)| a.total_cmp(b));
        largest.map_or_else(Overflow::default, |(tensor, weight)| Overflow { tensor: tensor.clone(), weight })
    }

    /// Takes the tensor `name` out, which must have this shape; `file` is where this model came from.
    ///
    /// # Errors
    /// If there is no such tensor, or it has another shape; the message names both.
    pub fn take_tensor(&mut self, file: &Path, name: &str, shape: &[usize]) -> Result<Tensor, ModelFileError> {
        let problem = |problem: String| ModelFileError::Tensor { file: file.into(), name: name.to_owned(), problem };
        match self.tensors.get(name) {
            None => Err(problem(format!("is missing; one of shape {shape:?} was expected"))),
            Some(tensor) if tensor.shape != shape => {
                Err(problem(format!("has the shape {:?}; {shape:?} was expected", tensor.shape)))
            }
            Some(_) => self.tensors.remove(name).ok_or_else(|| problem("is missing".to_owned())),
        }
    }
}
