//! Errors of model files.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// What is wrong with a model file or the place where it should be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelFileError {
    /// The file does not exist.
    #[error("{}: no such model file", file.display())]
    NoSuchFile {
        /// The path as given.
        file: PathBuf,
    },
    /// A directory, device or pipe stands where a file was expected.
    #[error("{} is {found}; a model file was expected", file.display())]
    NotAFile {
        /// The path as given.
        file: PathBuf,
        /// What stands there.
        found: &'static str,
    },
    /// The system refused to open or read the file.
    #[error("{}: cannot be read: {source}", file.display())]
    Read {
        /// The path as given.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be, or was not, written.
    #[error("{}: cannot be written: {problem}", file.display())]
    Write {
        /// The path as given.
        file: PathBuf,
        /// Why.
        problem: String,
    },
    /// The file ends before, or goes on after, the end that its header tells.
    #[error("{} has {found} bytes where {expected} were expected; it was cut, or something was added", file.display())]
    Size {
        /// The file.
        file: PathBuf,
        /// The bytes it has.
        found: u64,
        /// The bytes its header tells, or the least a model has.
        expected: u64,
    },
    /// The file is in no way a safetensors file.
    #[error("{} is not a Lookback model: {problem}", file.display())]
    NotSafetensors {
        /// The file.
        file: PathBuf,
        /// What was found.
        problem: String,
    },
    /// A safetensors file of another program.
    #[error("{} is a safetensors file, but not a Lookback model; its metadata have no entry \"lookback\"", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// A file of another version.
    #[error("{} has format version \"{found}\"; this program reads version \"{expected}\": train the model anew, or use the program that wrote it", file.display())]
    Version {
        /// The file.
        file: PathBuf,
        /// The version found.
        found: String,
        /// The version this program reads.
        expected: &'static str,
    },
    /// The content is not what was written.
    #[error("{} is damaged: {problem}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// How it shows.
        problem: String,
    },
    /// No model, but a training in its midst.
    #[error("{} is the checkpoint of a training that was stopped; train --resume goes on with it to a model", file.display())]
    Checkpoint {
        /// The file.
        file: PathBuf,
    },
    /// A model of another task.
    #[error("{} is a model for \"{found}\"; one for \"{expected}\" was expected", file.display())]
    Kind {
        /// The file.
        file: PathBuf,
        /// The kind found.
        found: String,
        /// The kind asked for.
        expected: String,
    },
    /// A metadata entry is missing or says something unexpected.
    #[error("{}: the entry \"{key}\" of the model cannot be used: {problem}", file.display())]
    Entry {
        /// The file.
        file: PathBuf,
        /// The entry's key.
        key: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A tensor is missing or has another shape than the configuration says.
    #[error("{}: the tensor \"{name}\" {problem}", file.display())]
    Tensor {
        /// The file.
        file: PathBuf,
        /// The tensor.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
}
