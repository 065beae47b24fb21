//! What can be wrong with a person's data or model file.
//!
//! Every message is one sentence that names the file, the line (counted from 1), the value found and what was
//! expected, so that it can be shown as it is.

mod data;
mod model_file;

use thiserror::Error;

pub use self::data::DataError;
pub use self::model_file::ModelFileError;

/// A result whose error is [`enum@Error`] unless said otherwise.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error of reading data or reading and writing model files.
#[derive(Debug, Error)]
pub enum Error {
    /// The data are not as expected.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model file cannot be read or written.
    #[error(transparent)]
    ModelFile(#[from] ModelFileError),
}

/// "1 field", "2 fields".
pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
