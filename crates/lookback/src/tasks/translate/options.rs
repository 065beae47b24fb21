//! Translation options as a person types them, on the command line or in a TOML file.

use std::path::PathBuf;

use clap::Args;
use lookback_infer::data::pairs::PairOptions;
use lookback_infer::error::PlanError;
use lookback_infer::input::subwords::SubwordMethod;
use lookback_infer::input::tokenizer::TokenizerChoice;
use lookback_infer::input::written::{WrittenCut, WrittenText};
use lookback_infer::input::{DEFAULT_SUBWORDS, TextPlan};
use lookback_infer::network::DecoderScore;
use lookback_infer::tasks::translate::{Bridge, DecoderForm, NetworkPlan, TooLong};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::sampling::{self, SamplingOptions};
use crate::input::TokenOptions;
use crate::network::EncoderOptions;
use crate::train::TrainOptions;

/// Everything that `lookback train translate` can be told. What is not said takes its default.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct TranslateOptions {
    /// How the pairs stand in the file.
    #[command(flatten, next_help_heading = "Input")]
    #[serde(flatten)]
    pub data: PairOptions,
    /// File with the targets, a line each, where DATA has the sources alone
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_file: Option<PathBuf>,
    /// File with the targets of --validation, where that has the sources alone
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_target_file: Option<PathBuf>,
    /// What becomes of pairs of which the source is longer than --max-length, or the target than --target-max-length [default: cut]
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "Input")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub too_long: Option<TooLong>,
    /// How sources become tokens.
    #[command(flatten)]
    #[serde(flatten)]
    pub tokens: TokenOptions,
    /// How targets become tokens.
    #[command(flatten)]
    #[serde(flatten)]
    pub targets: TargetOptions,
    /// What reads the source.
    #[command(flatten)]
    #[serde(flatten)]
    pub encoder: EncoderOptions,
    /// What writes the target.
    #[command(flatten)]
    #[serde(flatten)]
    pub decoder: DecoderOptions,
    /// Share of probability that all tokens have alike in what is learnt (label smoothing, Szegedy 2016) [default: 0.1, with
    /// --copy or --decoder hard-monotonic 0, which have no other]
    #[arg(long, value_name = "SHARE", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_smoothing: Option<f64>,
    /// Weight of the loss of looking twice at one place, with --coverage (See 2017, eq. 12) [default: 1]
    #[arg(long, value_name = "WEIGHT", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage_loss: Option<f64>,
    /// Chance that a token of the target is unknown to the step after it while training [default: 0]
    #[arg(long, value_name = "P", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_word_dropout: Option<f64>,
    /// Whether the decoder reads its own tokens.
    #[command(flatten)]
    #[serde(flatten)]
    pub sampling: SamplingOptions,
    /// Tokens of the targets that the model keeps for each token of the sources, those that stood beside it most, for predict
    /// --shortlist: a short way to answers of vocabularies of tens of thousands [default: none]
    #[arg(long, value_name = "N", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortlist: Option<usize>,
    /// How it is trained.
    #[command(flatten)]
    #[serde(flatten)]
    pub train: TrainOptions,
}

/// How targets become tokens.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Input")]
pub struct TargetOptions {
    /// How targets are cut into tokens [default: found out]
    #[arg(long, value_enum, value_name = "HOW")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_tokenizer: Option<WrittenCut>,
    /// Pieces of words that are learnt at most of the targets, of --target-tokenizer bpe or unigram [default: 8000]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_subwords: Option<usize>,
    /// Whether pieces of words are learnt of sources and targets together, --subwords of them for both; with --tokenizer bpe
    /// or unigram [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joint_subwords: Option<bool>,
    /// How often a token must stand in the training targets to enter their vocabulary [default: 1]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_min_count: Option<usize>,
    /// Largest vocabulary of the targets, the commonest tokens first [default: 20000]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_max_vocabulary: Option<usize>,
    /// Longest target, in tokens; what is longer is cut while training, and no answer is longer [default: 512]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_max_length: Option<usize>,
}

impl TargetOptions {
    /// The most pieces of words that are learnt of the targets alone, where they are cut into such.
    ///
    /// # Errors
    /// If so many are asked for, but targets are cut otherwise.
    pub(super) fn subwords(&self) -> Result<Option<usize>, PlanError> {
        match self.target_tokenizer.and_then(WrittenCut::subwords) {
            Some(_) if self.joint_subwords == Some(true) => Ok(None),
            Some(_) => Ok(Some(self.target_subwords.unwrap_or(DEFAULT_SUBWORDS))),
            None if self.target_subwords.is_some() => {
                Err(PlanError::conflict("target-subwords", "needs --target-tokenizer bpe or unigram"))
            }
            None => Ok(None),
        }
    }
}

/// The decoder.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Network")]
pub struct DecoderOptions {
    /// How the decoder looks at the source [default: luong]
    #[arg(long, value_enum, value_name = "FORM")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder: Option<DecoderForm>,
    /// Hidden units of the decoder [default: as many as a step of the encoder has]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder_hidden: Option<usize>,
    /// Recurrent layers of the decoder [default: as --layers]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder_layers: Option<usize>,
    /// How the decoder's attention compares a state with a step of the source [default: general]
    #[arg(long, value_enum, value_name = "SCORE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder_attention: Option<DecoderScore>,
    /// From the encoder's final states to the decoder's first [default: dense]
    #[arg(long, value_enum)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bridge: Option<Bridge>,
    /// Width of the vectors of target tokens [default: as --embedding]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_embedding: Option<usize>,
    /// Whether the output layer's weights are the vectors of the target tokens (Press and Wolf 2017) [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tie_embeddings: Option<bool>,
    /// Whether tokens are copied from the source where that is likelier than to write them (pointer-generator, See 2017), those
    /// among them that no target of the training has; both sides are then cut alike [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy: Option<bool>,
    /// Whether the attention reads what the steps before looked at (coverage, See 2017); with --decoder-attention additive
    /// [default: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<bool>,
}

/// What a model keeps of its training beside its input and network.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) data: PairOptions,
    pub(super) target: WrittenText,
}

impl TranslateOptions {
    /// With the tokenizers of both sides where one set of pieces is to be learnt for them.
    ///
    /// # Errors
    /// If they are to be others, or the targets are to have a set of another size.
    pub(super) fn with_joint_subwords(mut self) -> Result<TranslateOptions, PlanError> {
        if self.targets.joint_subwords != Some(true) {
            return Ok(self);
        }
        let refused = |option, problem: String| Err(PlanError::conflict(option, problem));
        if self.targets.target_subwords.is_some() {
            let problem = "is of pieces of the targets alone, but with --joint-subwords both sides have --subwords";
            return refused("target-subwords", problem.into());
        }
        let source = self.tokens.tokenizer.map(|choice| (choice.subwords(), "tokenizer"));
        let target = self.targets.target_tokenizer.map(|cut| (cut.subwords(), "target-tokenizer"));
        let (method, _) = source.or(target).unwrap_or((Some(SubwordMethod::Bpe), "tokenizer"));
        for (found, option) in [source, target].into_iter().flatten() {
            match found {
                None => {
                    return refused(option, "is bpe or unigram with --joint-subwords, but another is asked for".into());
                }
                found if found != method => {
                    return refused(option, "is not that of the sources, but --joint-subwords has one for both".into());
                }
                _ => {}
            }
        }
        let (tokenizer, cut) = match method {
            Some(SubwordMethod::Unigram) => (TokenizerChoice::Unigram, WrittenCut::Unigram),
            _ => (TokenizerChoice::Bpe, WrittenCut::Bpe),
        };
        (self.tokens.tokenizer, self.targets.target_tokenizer) = (Some(tokenizer), Some(cut));
        Ok(self)
    }

    /// The options by which pairs were read, texts were cut up and the network was made. `training`: the training options by name.
    ///
    /// # Errors
    /// If those of the training have another form.
    pub(super) fn whole(
        texts: &TextPlan,
        network: &NetworkPlan,
        kept: Kept,
        training: &Map<String, Value>,
    ) -> Result<TranslateOptions, String> {
        let of = TranslateOptions::of(texts, network, kept, training);
        let encoder = EncoderOptions {
            output_dropout: of.encoder.output_dropout,
            // That of the decoder, whose layers may be more than the encoder's.
            layer_dropout: of.encoder.layer_dropout,
            ..EncoderOptions::with_files(&network.encoder, true)
        };
        let path = |name: &str| training.get(name).and_then(Value::as_str).map(PathBuf::from);
        Ok(TranslateOptions {
            target_file: path("target-file"),
            validation_target_file: path("validation-target-file"),
            tokens: TokenOptions::with_files(texts),
            encoder,
            train: TrainOptions::of(&without_own(training))?,
            ..of
        })
    }

    /// The same without those of the training.
    pub(super) fn of(
        texts: &TextPlan,
        network: &NetworkPlan,
        kept: Kept,
        training: &Map<String, Value>,
    ) -> TranslateOptions {
        let Kept { data, target } = kept;
        let decoder = &network.decoder;
        let number = |name: &str| training.get(name).and_then(Value::as_f64);
        let count = |name: &str| training.get(name).and_then(Value::as_u64).map(|count| count as usize);
        let mut options = TranslateOptions {
            data,
            target_file: None,
            validation_target_file: None,
            too_long: training.get("too-long").and_then(|what| serde_json::from_value(what.clone()).ok()),
            tokens: TokenOptions::of(texts),
            targets: TargetOptions {
                target_tokenizer: Some(target.cut),
                target_subwords: count("target-subwords"),
                joint_subwords: training.get("joint-subwords").and_then(Value::as_bool),
                target_min_count: count("target-min-count"),
                target_max_vocabulary: count("target-max-vocabulary"),
                target_max_length: Some(target.max_length),
            },
            encoder: EncoderOptions::of(&network.encoder, true),
            decoder: DecoderOptions {
                decoder: Some(decoder.form),
                decoder_hidden: Some(decoder.hidden),
                decoder_layers: Some(decoder.layers),
                decoder_attention: Some(decoder.score),
                bridge: Some(network.bridge),
                target_embedding: Some(decoder.embedding),
                tie_embeddings: Some(decoder.tied),
                copy: Some(decoder.copy),
                coverage: Some(decoder.coverage),
            },
            label_smoothing: number("label-smoothing"),
            coverage_loss: number("coverage-loss"),
            target_word_dropout: number("target-word-dropout"),
            sampling: SamplingOptions::of(training),
            shortlist: count("shortlist"),
            train: TrainOptions::default(),
        };
        options.encoder.output_dropout = Some(decoder.output_dropout);
        if decoder.layers > 1 || network.encoder.layers > 1 {
            options.encoder.layer_dropout = Some(decoder.layer_dropout);
        }
        options.train.ensemble = Some(network.ensemble);
        options
    }
}

/// The options of this task among those of the training.
const OWN: [&str; 11] = [
    "too-long",
    "target-subwords",
    "joint-subwords",
    "target-min-count",
    "target-max-vocabulary",
    "label-smoothing",
    "coverage-loss",
    "target-word-dropout",
    "shortlist",
    "target-file",
    "validation-target-file",
];

/// The training options without those of this task.
fn without_own(training: &Map<String, Value>) -> Map<String, Value> {
    let own = |name: &str| OWN.contains(&name) || sampling::NAMES.contains(&name);
    let others = training.iter().filter(|(name, _)| !own(name));
    others.map(|(name, value)| (name.clone(), value.clone())).collect()
}
