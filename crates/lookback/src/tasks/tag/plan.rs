//! Options, checked: only a plan can train.

use lookback_infer::data::tagged::TaggedColumns;
use lookback_infer::error::PlanError;
use lookback_infer::input::InputPlan;
use lookback_infer::tasks::tag::scheme::SchemeChoice;
use lookback_infer::tasks::tag::{NetworkPlan, SCORES};
use serde_json::{Map, Value, json};

use super::options::TagOptions;
use crate::train::{TrainPlan, ValidationPlan, by_name};

/// A checked description of a tagger and its training.
#[derive(Clone, Debug, PartialEq)]
pub struct TagPlan {
    pub(super) data: TaggedColumns,
    pub(super) scheme: SchemeChoice,
    pub(super) input: InputPlan,
    pub(super) network: NetworkPlan,
    pub(super) train: TrainPlan,
    pub(super) validation: ValidationPlan,
}

impl TagPlan {
    /// Checks options.
    ///
    /// # Errors
    /// If an option has a value by which nothing can be trained, or does not go with another one.
    pub fn new(options: &TagOptions) -> Result<TagPlan, PlanError> {
        options.data.check(true)?;
        let (data, scheme) = (options.data.clone(), options.scheme.unwrap_or_default());
        let input = options.tokens.plan()?;
        let train = TrainPlan::new(&options.train, &SCORES)?;
        let network = NetworkPlan {
            encoder: options.encoder.plan(true)?,
            output_dropout: options.encoder.output_dropout()?,
            ensemble: train.ensemble(),
        };
        network.check()?;
        Ok(TagPlan { data, scheme, input, network, train, validation: ValidationPlan::new(&options.train)? })
    }

    /// The training options by name, as a model keeps them.
    pub(super) fn training(&self) -> Map<String, Value> {
        let mut options = by_name(json!(self.train));
        options.insert("validation-split".into(), json!(self.validation.share()));
        options
    }
}
