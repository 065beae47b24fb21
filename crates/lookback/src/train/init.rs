//! Training on from a model.

use std::path::{Path, PathBuf};

use burn::module::Module;
use lookback_infer::data::labels::LabelSet;
use lookback_infer::error::{Error, ModelFileError, PlanError, counted};
use lookback_infer::input::{Input, InputPlan, Raw};
use lookback_infer::model_file::{ModelFile, Tensor, prefix};
use lookback_nn::parameters;
use serde_json::{Map, Value};

use super::TrainPlan;
use super::checkpoint::by_name;
use super::pretrained::TokenVectors;
use crate::network::filled;

/// The network that a training by `plan` begins with as the one of number `place`: `network` with its random weights and
/// the vectors that were trained before, if there are any, or with the weights of the model that it goes on from.
///
/// # Errors
/// If that has another shape.
pub(crate) fn begin<N: Module>(
    network: N,
    (init, vectors): (Option<&Init>, Option<&TokenVectors<'_>>),
    place: usize,
    plan: &TrainPlan,
) -> Result<N, Error> {
    // At once, so that the random start depends on the device's seed alone.
    parameters::initialise(&network);
    match (init, vectors) {
        (Some(init), _) => init.start(network, &prefix(place, plan.ensemble())),
        (None, Some(vectors)) => Ok(vectors.laid_over(network)?),
        (None, None) => Ok(network),
    }
}

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

    /// That an entry of the model's file cannot be used.
    pub(crate) fn wrong_entry(&self, key: &str, problem: String) -> ModelFileError {
        ModelFileError::Entry { file: self.path.clone(), key: key.into(), problem }
    }

    /// Refuses a network, its options by name, in which the weights of the model have no place: what may be another is how
    /// it is trained.
    ///
    /// # Errors
    /// If it differs; the message says in what.
    pub(crate) fn check_network(&self, network: &Map<String, Value>) -> Result<(), Error> {
        /// What is about training alone.
        const FREE: [&str; 7] = [
            "embedding-dropout",
            "layer-dropout",
            "output-dropout",
            "recompute",
            "embeddings",
            "embeddings-mode",
            "embeddings-vocabulary",
        ];
        let own: Value = self.file.json(&self.path, "network")?;
        let own = by_name(own);
        let differs = |key: &&String| !FREE.contains(&key.as_str()) && !equal(own.get(*key), network.get(*key));
        let shown = |value: Option<&Value>| match value {
            None | Some(Value::Null) => "none".to_owned(),
            Some(value) => value.to_string(),
        };
        match network.keys().find(differs) {
            None => Ok(()),
            // Two that are no options under these names.
            Some(key) if key == "labels-per-text" => {
                let several = own.get(key) == Some(&Value::from("several"));
                let has = if several { "several labels a text, or none" } else { "one label a text" };
                let flag = format!("--multi-label={}", !several);
                let problem =
                    format!("the model in --init has {has} and keeps it, so it cannot be trained on with {flag}");
                Err(PlanError::Unfit(problem).into())
            }
            Some(key) if key == "linear" => {
                let [has, other] = [&own, network].map(|of| linear_in_words(of.get(key)));
                let problem = format!("the model in --init has {has} and keeps it, so it cannot have {other}");
                Err(PlanError::Unfit(problem).into())
            }
            Some(key) => {
                let (new, own) = (shown(network.get(key)), shown(own.get(key)));
                let problem = format!("the model in --init has {key} {own} and keeps it, so it cannot be {new}");
                Err(PlanError::Unfit(problem).into())
            }
        }
    }

    /// The labels of the model, which its file has under `key`, with those of the training `data`, each with its line, that it does
    /// not know where they are to be added.
    ///
    /// # Errors
    /// If there are any, and they are not.
    pub(crate) fn labels<'a>(
        &self,
        key: &str,
        labels: impl IntoIterator<Item = (&'a str, usize), IntoIter: Clone>,
        data: &Path,
    ) -> Result<LabelSet, Error> {
        let known: LabelSet = self.file.json(&self.path, key)?;
        let labels = labels.into_iter();
        let (extended, new) = known.extended(labels.clone().map(|(label, _)| label));
        let mut unknown = labels.filter(|(label, _)| known.id(label).is_none());
        match unknown.next() {
            Some((first, line)) if !self.extend => {
                let (data, labels) = (data.display(), counted(new, "label"));
                let problem = format!(
                    "{data} has {labels} that the model in --init does not know, the first of them {first:?} on line \
                     {line}; --extend adds them"
                );
                Err(PlanError::Unfit(problem).into())
            }
            _ => Ok(extended),
        }
    }

    /// How many labels the model has, in its file under `key`.
    ///
    /// # Errors
    /// If there are none.
    pub(crate) fn known(&self, key: &str) -> Result<usize, ModelFileError> {
        Ok(self.file.json::<LabelSet>(&self.path, key)?.len())
    }

    /// The input of the model, see [`Input::taken_on`].
    ///
    /// # Errors
    /// As that.
    pub(crate) fn input<'a>(
        &self,
        plan: &InputPlan,
        inputs: impl Iterator<Item = &'a Raw>,
        data: &Path,
    ) -> Result<Input, Error> {
        Input::of_file(&self.file, &self.path)?.taken_on(plan, inputs, self.extend, data)
    }

    /// The network `fresh` with the values of the tensors whose names begin with `prefix`. Where it has more rows than they, or
    /// columns, for tokens and labels that were added, those keep their fresh values.
    fn start<N: Module>(&self, fresh: N, prefix: &str) -> Result<N, Error> {
        let mut drawn = parameters::values(&fresh, "");
        let network = filled(fresh, "", &self.path, |name, shape| {
            let own = drawn.remove(name).map(|own| own.values).unwrap_or_default();
            self.values(&format!("{prefix}{name}"), shape, own)
        });
        Ok(network?)
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

/// A linear part by the options that ask for it.
fn linear_in_words(linear: Option<&Value>) -> String {
    let Some(Value::Object(linear)) = linear else { return "no linear part".to_owned() };
    let number = |value: Option<&Value>| value.map_or_else(|| "none".to_owned(), Value::to_string);
    let sizes = |name: &str| match linear.get(name) {
        Some(Value::Object(sizes)) => format!("{}-{}", number(sizes.get("min")), number(sizes.get("max"))),
        _ => "none".to_owned(),
    };
    format!(
        "a linear part of --linear-characters {} --linear-words {} --linear-buckets {}",
        sizes("characters"),
        sizes("words"),
        number(linear.get("buckets"))
    )
}

/// Whether two options are the same, numbers as 32 bits hold them; null is as good as nothing.
fn equal(a: Option<&Value>, b: Option<&Value>) -> bool {
    let null = &Value::Null;
    match (a.unwrap_or(null), b.unwrap_or(null)) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().map(|a| a as f32) == b.as_f64().map(|b| b as f32),
        (Value::Object(a), Value::Object(b)) => a.keys().chain(b.keys()).all(|key| equal(a.get(key), b.get(key))),
        (a, b) => a == b,
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
