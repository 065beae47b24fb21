//! Options, checked: only a plan can train.

use lookback_infer::data::tagged::TaggedColumns;
use lookback_infer::error::PlanError;
use lookback_infer::input::InputPlan;
use lookback_infer::input::tokenizer::TokenizerChoice;
use lookback_infer::tasks::tag::scheme::Scheme;
use lookback_infer::tasks::tag::{NetworkPlan, SCORES, wanted};
use serde_json::{Map, Value, json};

use super::options::TagOptions;
use crate::input::refuse;
use crate::train::{TrainPlan, ValidationPlan, by_name};

/// Tokens of the longest sentence that is tagged whole.
const LONGEST: usize = 20_000;

/// A checked description of a tagger and its training.
#[derive(Clone, Debug)]
pub struct TagPlan {
    pub(super) data: TaggedColumns,
    pub(super) scheme: Option<Scheme>,
    /// What the network is trained on, where that is not the data's own.
    pub(super) train_scheme: Option<Scheme>,
    /// Whether words are cut into characters.
    pub(super) segment: bool,
    pub(super) input: InputPlan,
    pub(super) network: NetworkPlan,
    pub(super) train: TrainPlan,
    pub(super) validation: ValidationPlan,
    /// What was said, for what is chosen by the data where nothing was.
    pub(super) options: TagOptions,
}

impl TagPlan {
    /// Checks options.
    ///
    /// # Errors
    /// If an option has a value by which nothing can be trained, or does not go with another one.
    pub fn new(options: &TagOptions) -> Result<TagPlan, PlanError> {
        let segment = options.segment.unwrap_or(false);
        options.data.check(wanted(segment))?;
        let (data, scheme, train_scheme) = (options.data.clone(), options.scheme, options.train_scheme);
        let mut tokens = options.tokens.clone();
        // Every token wants a tag, those of long sentences as well.
        tokens.max_length = tokens.max_length.or(Some(LONGEST));
        if segment {
            let schemes = [("scheme", options.scheme.is_some()), ("train-scheme", options.train_scheme.is_some())];
            refuse(
                &schemes,
                "is of tags that spell spans of tokens, but with --segment they spell the words of characters",
            )?;
            let cuts = tokens.tokenizer.unwrap_or(TokenizerChoice::Characters);
            if cuts != TokenizerChoice::Characters {
                return Err(PlanError::conflict(
                    "tokenizer",
                    "cuts texts into words, but with --segment the model finds them",
                ));
            }
            tokens.tokenizer = Some(cuts);
        }
        let input = tokens.plan()?;
        let train = TrainPlan::new(&options.train, &SCORES)?;
        let network = NetworkPlan {
            encoder: options.encoder.plan(true)?,
            output_dropout: options.encoder.output_dropout()?,
            crf: options.crf.unwrap_or(true),
            ensemble: train.ensemble(),
        };
        network.check()?;
        let validation = ValidationPlan::new(&options.train)?;
        let options = options.clone();
        Ok(TagPlan { data, scheme, train_scheme, segment, input, network, train, validation, options })
    }

    /// The training options by name, as a model keeps them.
    pub(super) fn training(&self) -> Map<String, Value> {
        let mut options = by_name(json!(self.train));
        options.insert("validation-split".into(), json!(self.validation.share()));
        options
    }
}
