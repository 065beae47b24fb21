//! Options, checked: only a plan can train.

use std::path::Path;

use lookback_infer::error::{PlanError, plan};
use lookback_infer::input::InputPlan;
use lookback_infer::tasks::classify::{NetworkPlan, NgramBagConfig, SCORES, Sizes};
use serde_json::{Map, Value, json};

use super::options::{ClassWeights, ClassifyOptions, NetworkOptions};
use crate::input::{FOR_TEXTS, refuse};
use crate::ranges::sizes;
use crate::train::{TrainPlan, ValidationPlan};

/// A checked description of a classifier and its training.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassifyPlan {
    pub(super) input: InputPlan,
    pub(super) network: NetworkPlan,
    pub(super) train: TrainPlan,
    pub(super) validation: ValidationPlan,
    pub(super) class_weights: ClassWeights,
    pub(super) label_smoothing: f64,
}

impl ClassifyPlan {
    /// Checks options for training on the file `data`.
    ///
    /// # Errors
    /// If an option has a value by which nothing can be trained, or does not go with another one or with the data.
    pub fn new(data: &Path, options: &ClassifyOptions) -> Result<ClassifyPlan, PlanError> {
        let input = options.input.plan(data)?;
        let network = &options.network;
        if !input.is_text() {
            let text_only = [
                ("linear-characters", network.linear_characters.is_some()),
                ("linear-words", network.linear_words.is_some()),
                ("linear-buckets", network.linear_buckets.is_some()),
                ("linear-scale", network.linear_scale.is_some()),
            ];
            refuse(&text_only, FOR_TEXTS)?;
        }
        let train = TrainPlan::new(&options.train, &SCORES)?;
        let label_smoothing = options.loss.label_smoothing.unwrap_or(0.0);
        plan::below_one("label-smoothing", label_smoothing)?;
        let encoder = options.encoder.plan(input.is_text())?;
        if encoder.attention.pools() && network.pooling.is_some() {
            let problem = format!("{} pools by itself, and --pooling would be left unused", encoder.attention);
            return Err(PlanError::conflict("attention", problem));
        }
        let network = NetworkPlan {
            encoder,
            pooling: network.pooling.as_deref().unwrap_or("attention").parse()?,
            output_dropout: options.encoder.output_dropout()?,
            ensemble: train.ensemble(),
            linear: linear(network)?,
        };
        network.check()?;
        Ok(ClassifyPlan {
            input,
            network,
            train,
            validation: ValidationPlan::new(&options.train)?,
            class_weights: options.loss.class_weights.unwrap_or_default(),
            label_smoothing,
        })
    }

    /// How it is trained.
    pub fn train(&self) -> &TrainPlan {
        &self.train
    }

    /// The training options by name, as a model keeps them.
    pub(super) fn training(&self) -> Map<String, Value> {
        let mut options = match json!(self.train) {
            Value::Object(options) => options,
            _ => Map::new(),
        };
        options.insert("class-weights".into(), json!(self.class_weights));
        options.insert("label-smoothing".into(), json!(self.label_smoothing));
        options.insert("validation-split".into(), json!(self.validation.share()));
        options
    }
}

/// The linear part that the options ask for.
fn linear(options: &NetworkOptions) -> Result<Option<NgramBagConfig>, PlanError> {
    let range = |name: &'static str, range: &Option<String>| {
        let sizes = range.as_deref().map(|range| sizes(name, range)).transpose()?;
        Ok::<_, PlanError>(sizes.map(|(min, max)| Sizes { min, max }))
    };
    let characters = range("linear-characters", &options.linear_characters)?;
    let words = range("linear-words", &options.linear_words)?;
    if characters.is_none() && words.is_none() {
        let alone =
            [("linear-buckets", options.linear_buckets.is_some()), ("linear-scale", options.linear_scale.is_some())];
        refuse(&alone, "needs --linear-characters or --linear-words")?;
        return Ok(None);
    }
    let buckets = options.linear_buckets.unwrap_or(1 << 18);
    let scale = options.linear_scale.unwrap_or(4.0);
    plan::scale("linear-scale", scale)?;
    Ok(Some(NgramBagConfig { characters, words, buckets, scale: scale as f32 }))
}
