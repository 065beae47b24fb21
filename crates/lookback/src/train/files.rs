//! The files that a training reads beside its data, as a model keeps their names.

use std::path::Path;

use serde_json::{Map, Value};

use super::{Init, ValidationPlan};

/// The file with validation data.
pub(super) const VALIDATION: &str = "validation";
/// The model that training began with, and whether it was to be extended.
pub(super) const INIT: &str = "init";
pub(super) const EXTEND: &str = "extend";

/// Files that are read beside the training data, by the options that name them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Files {
    named: Map<String, Value>,
}

impl Files {
    /// Those of a training. A name that is not UTF-8 is left out, for no model file can keep it.
    pub(crate) fn of(validation: &ValidationPlan, init: Option<&Init>) -> Files {
        let mut named = Map::new();
        let mut put = |option: &str, file: Option<&Path>| {
            if let Some(file) = file.and_then(Path::to_str) {
                named.insert(option.to_owned(), file.into());
            }
        };
        put(VALIDATION, validation.file().map(|file| file.as_path()));
        put(INIT, init.map(|init| init.path.as_path()));
        if init.is_some_and(|init| init.extend) {
            named.insert(EXTEND.to_owned(), true.into());
        }
        Files { named }
    }

    /// Those among the options of a training, without the validation data, which are an option of their own there.
    pub(crate) fn begun_with(training: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
        training.iter().filter(|(name, _)| [INIT, EXTEND].contains(&name.as_str()))
    }

    /// The file with validation data among the options of a training.
    pub(super) fn validation(training: &Map<String, Value>) -> Option<&Path> {
        training.get(VALIDATION).and_then(Value::as_str).map(Path::new)
    }

    /// Whether a training began with a model.
    pub(crate) fn has_init(training: &Map<String, Value>) -> bool {
        training.contains_key(INIT)
    }

    /// Puts them among the options of a training.
    pub(crate) fn put(self, training: &mut Map<String, Value>) {
        training.extend(self.named);
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.named.is_empty()
    }
}
