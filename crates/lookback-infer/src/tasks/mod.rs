//! The tasks: one folder each, with the same file names. No task imports another, and this is the only list of them.

pub mod classify;
pub mod forecast;
pub mod generate;
pub mod tag;
pub mod translate;

use std::path::Path;

use crate::error::ModelFileError;
use crate::model::Model;
use crate::model_file::{CHECKPOINT_KIND, ModelFile};

/// A task by its name, and how a model of it is made from its file.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The kind that a model file of this task names.
    pub name: &'static str,
    load: Load,
}

/// Makes a model of what its file holds; the path is where that came from.
type Load = fn(ModelFile, &Path) -> Result<Box<dyn Model>, ModelFileError>;

/// All tasks.
pub const TASKS: [Entry; 5] = [
    Entry { name: classify::NAME, load: |file, path| Ok(Box::new(classify::Classifier::read(file, path)?)) },
    Entry { name: tag::NAME, load: |file, path| Ok(Box::new(tag::Tagger::read(file, path)?)) },
    Entry { name: translate::NAME, load: |file, path| Ok(Box::new(translate::Translator::read(file, path)?)) },
    Entry { name: generate::NAME, load: |file, path| Ok(Box::new(generate::Generator::read(file, path)?)) },
    Entry { name: forecast::NAME, load: |file, path| Ok(Box::new(forecast::Forecaster::read(file, path)?)) },
];

/// The model in a file, whatever its task. Everything is checked before use.
///
/// # Errors
/// If the file cannot be read, is no model, of another version, or damaged, or no task of this program.
pub fn load(path: &Path) -> Result<Box<dyn Model>, ModelFileError> {
    load_file(ModelFile::read(path)?, path)
}

/// As [`load`], from a file that is read already and came from `path`.
///
/// # Errors
/// If the content is not what its kind needs, or there is no such kind.
pub fn load_file(file: ModelFile, path: &Path) -> Result<Box<dyn Model>, ModelFileError> {
    match TASKS.iter().find(|task| task.name == file.kind) {
        Some(task) => (task.load)(file, path),
        None if file.kind == CHECKPOINT_KIND => Err(ModelFileError::Checkpoint { file: path.into() }),
        None => Err(ModelFileError::Kind {
            file: path.into(),
            found: file.kind,
            expected: TASKS.map(|task| task.name).join(", "),
        }),
    }
}
