//! A model from its file, beside which data stand on the command line.

use std::path::Path;

use lookback_infer::model::Model;
use lookback_infer::model_file::ModelFile;

use super::UsageError;

/// The model in `file`. Data that turn out to be a model are told: it is the order of the two that is wrong, not what
/// either holds.
pub(super) fn load(model: &Path, data: &Path) -> anyhow::Result<Box<dyn Model>> {
    if ModelFile::stands_in(data) {
        let sentence = match model.is_file() && !ModelFile::stands_in(model) {
            true => format!(
                "{} is data, and {} a model: they stand in the wrong order; the model comes first",
                model.display(),
                data.display()
            ),
            false => format!("{} is a model, but data were expected", data.display()),
        };
        return Err(UsageError(sentence).into());
    }
    Ok(lookback_infer::load(model)?)
}

/// Refuses to train on a model as if it were data.
pub(super) fn refuse_model_as_data(data: &Path) -> Result<(), UsageError> {
    match ModelFile::stands_in(data) {
        true => Err(UsageError(format!(
            "{} is a model, but data were expected; --init MODEL trains on from one",
            data.display()
        ))),
        false => Ok(()),
    }
}
