//! Options, checked: only a plan can train.

use std::path::Path;

use lookback_infer::error::{PlanError, plan};
use lookback_infer::input::InputPlan;
use lookback_infer::tasks::classify::{LabelsPerText, NetworkPlan, NgramBagConfig, Sizes};
use serde_json::{Map, Value, json};

use super::options::{ClassWeights, ClassifyOptions, NetworkOptions};
use crate::input::{FOR_TEXTS, NONE, refuse};
use crate::ranges::sizes;
use crate::train::{TrainPlan, ValidationPlan};

/// A checked description of a classifier and its training.
#[derive(Clone, Debug)]
pub struct ClassifyPlan {
    pub(super) input: InputPlan,
    pub(super) network: NetworkPlan,
    pub(super) train: TrainPlan,
    pub(super) validation: ValidationPlan,
    pub(super) class_weights: ClassWeights,
    pub(super) label_smoothing: f64,
    /// `C` of the linear part.
    pub(super) linear_c: f64,
    /// Parts for cross-validation; 0 for none.
    pub(super) folds: usize,
    /// What was said, for what is chosen by the data where nothing was.
    pub(super) options: ClassifyOptions,
}

impl ClassifyPlan {
    /// Checks options for training on the file `data`.
    ///
    /// # Errors
    /// If an option has a value by which nothing can be trained, or does not go with another one or with the data.
    pub fn new(data: &Path, options: &ClassifyOptions) -> Result<ClassifyPlan, PlanError> {
        let input = options.labels.plan(options.input.plan(data)?, data)?;
        let per_text = options.labels.per_text();
        let network = &options.network;
        if !input.is_text() {
            let text_only = [
                ("linear-characters", network.linear_characters.is_some()),
                ("linear-words", network.linear_words.is_some()),
                ("linear-buckets", network.linear_buckets.is_some()),
                ("linear-c", options.learning.linear_c.is_some()),
            ];
            refuse(&text_only, FOR_TEXTS)?;
        }
        let train = TrainPlan::new(&options.train, per_text.scores())?;
        let label_smoothing = options.learning.label_smoothing.unwrap_or(0.0);
        plan::below_one("label-smoothing", label_smoothing)?;
        let class_weights = options.learning.class_weights.unwrap_or_default();
        if per_text == LabelsPerText::Several {
            let of_one =
                [("class-weights", class_weights != ClassWeights::None), ("label-smoothing", label_smoothing > 0.0)];
            refuse(
                &of_one,
                "is for texts of one label each; with --multi-label every label has a threshold of its own",
            )?;
        }
        let linear_c = options.learning.linear_c.unwrap_or(30.0);
        // Beyond these, 32-bit floats cannot tell what an example says from what is known.
        if !(1e-6..=1e5).contains(&linear_c) {
            return Err(PlanError::value("linear-c", linear_c, "from 0.000001 to 100000"));
        }
        let folds = options.learning.cross_validate.unwrap_or(0);
        if folds == 1 || folds > MOST_FOLDS {
            return Err(PlanError::value("cross-validate", folds, format!("from 2 to {MOST_FOLDS}, or 0 for none")));
        }
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
            linear: linear(network, options.learning.linear_c.is_some())?,
            labels_per_text: per_text,
        };
        network.check()?;
        Ok(ClassifyPlan {
            input,
            network,
            train,
            validation: ValidationPlan::new(&options.train)?,
            class_weights,
            label_smoothing,
            linear_c,
            folds,
            options: options.clone(),
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
        options.insert("quality".into(), json!(self.options.learning.quality.unwrap_or_default()));
        options.insert("class-weights".into(), json!(self.class_weights));
        options.insert("label-smoothing".into(), json!(self.label_smoothing));
        if self.network.linear.is_some() {
            options.insert("linear-c".into(), json!(self.linear_c));
        }
        options.insert("cross-validate".into(), json!(self.folds));
        options.insert("validation-split".into(), json!(self.validation.share()));
        options
    }
}

/// The most parts of a cross-validation.
const MOST_FOLDS: usize = 100;

/// The linear part that the options ask for; without buckets where nothing is said of them.
fn linear(options: &NetworkOptions, has_c: bool) -> Result<Option<NgramBagConfig>, PlanError> {
    let range = |name: &'static str, range: &Option<String>| {
        let range = range.as_deref().filter(|range| *range != NONE);
        let sizes = range.map(|range| sizes(name, range)).transpose()?;
        Ok::<_, PlanError>(sizes.map(|(min, max)| Sizes { min, max }))
    };
    let characters = range("linear-characters", &options.linear_characters)?;
    let words = range("linear-words", &options.linear_words)?;
    let none = |range: &Option<String>| range.as_deref() == Some(NONE);
    if characters.is_none() && words.is_none() {
        if none(&options.linear_characters) && none(&options.linear_words) {
            let alone = [("linear-buckets", options.linear_buckets.is_some()), ("linear-c", has_c)];
            refuse(&alone, "is for a linear part, but --linear-characters and --linear-words are none")?;
        }
        return Ok(None);
    }
    Ok(Some(NgramBagConfig { characters, words, buckets: options.linear_buckets.unwrap_or(1 << 18) }))
}
