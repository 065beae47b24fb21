//! Options, checked: only a plan can train.

use std::path::{Path, PathBuf};

use lookback_infer::data::HeaderChoice;
use lookback_infer::data::pairs::PairOptions;
use lookback_infer::error::{PlanError, plan};
use lookback_infer::input::tokenizer::TokenizerChoice;
use lookback_infer::input::written::WrittenCut;
use lookback_infer::input::{InputPlan, MOST_SUBWORDS};
use lookback_infer::tasks::translate::{DecoderForm, DecoderPlan, MOST_LISTED, NetworkPlan, SCORES, TooLong};
use serde_json::{Map, Value, json};

use super::options::TranslateOptions;
use super::sampling::SamplingPlan;
use crate::input::{check_file, largest_vocabulary};
use crate::train::{TrainPlan, ValidationPlan, by_name};

/// A checked description of a translator and its training.
#[derive(Clone, Debug)]
pub struct TranslatePlan {
    pub(super) data: PairOptions,
    /// The files of the targets, where they have some of their own.
    pub(super) target_file: Option<PathBuf>,
    pub(super) validation_target_file: Option<PathBuf>,
    pub(super) too_long: TooLong,
    pub(super) input: InputPlan,
    pub(super) target: TargetPlan,
    pub(super) network: NetworkPlan,
    pub(super) loss: LossPlan,
    /// How many tokens are kept for each of the sources.
    pub(super) shortlist: Option<usize>,
    pub(super) train: TrainPlan,
    pub(super) validation: ValidationPlan,
    /// What was said, for what is chosen by the data where nothing was.
    pub(super) options: TranslateOptions,
}

/// How targets are read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TargetPlan {
    /// How they are cut, where that was said.
    pub(super) cut: Option<WrittenCut>,
    /// The most pieces of words that are learnt of the targets alone, where they are cut into such.
    pub(super) subwords: Option<usize>,
    /// Whether they are cut into the pieces that sources are cut into, learnt of both.
    pub(super) joint: bool,
    pub(super) min_count: usize,
    pub(super) max_vocabulary: usize,
    pub(super) max_length: usize,
}

/// What is learnt of targets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LossPlan {
    pub(super) label_smoothing: f64,
    pub(super) target_word_dropout: f64,
    /// The weight of the coverage loss (See 2017, eq. 12), with coverage.
    pub(super) coverage: Option<f64>,
    pub(super) sampling: Option<SamplingPlan>,
}

impl LossPlan {
    fn new(options: &TranslateOptions, decoder: &DecoderPlan) -> Result<LossPlan, PlanError> {
        let (copies, aligns) = (decoder.copy, decoder.form == DecoderForm::HardMonotonic);
        let coverage = decoder.coverage.then(|| options.coverage_loss.unwrap_or(1.0));
        let loss = LossPlan {
            label_smoothing: options.label_smoothing.unwrap_or(if copies || aligns { 0.0 } else { 0.1 }),
            target_word_dropout: options.target_word_dropout.unwrap_or(0.0),
            coverage,
            sampling: SamplingPlan::new(&options.sampling)?,
        };
        plan::below_one("label-smoothing", loss.label_smoothing)?;
        plan::below_one("target-word-dropout", loss.target_word_dropout)?;
        coverage.map_or(Ok(()), |weight| plan::not_negative("coverage-loss", weight))?;
        if copies && loss.label_smoothing > 0.0 {
            // A share for all tokens alike is none for those that a source alone has.
            let problem = "is of tokens that are written from one vocabulary; with --copy it is 0";
            return Err(PlanError::conflict("label-smoothing", problem));
        }
        if aligns && loss.label_smoothing > 0.0 {
            // The loss is of a sum over alignments, and not of one distribution a step that could be smoothed.
            let problem = "is not for --decoder hard-monotonic, whose loss sums over alignments";
            return Err(PlanError::conflict("label-smoothing", problem));
        }
        if aligns && loss.sampling.is_some() {
            let problem = "is not for --decoder hard-monotonic, which has no one distribution a step to draw from";
            return Err(PlanError::conflict("scheduled-sampling", problem));
        }
        if copies && loss.sampling.is_some() {
            let problem = "draws tokens from the vocabulary, and with --copy they may be of the source alone";
            return Err(PlanError::conflict("scheduled-sampling", problem));
        }
        if coverage.is_none() && options.coverage_loss.is_some() {
            return Err(PlanError::conflict("coverage-loss", "needs --coverage"));
        }
        Ok(loss)
    }
}

impl TranslatePlan {
    /// Checks options for training on the file `data`.
    ///
    /// # Errors
    /// If an option has a value by which nothing can be trained, or does not go with another one.
    pub fn new(data: &Path, options: &TranslateOptions) -> Result<TranslatePlan, PlanError> {
        check_files(data, options)?;
        let options = &options.clone().with_joint_subwords()?;
        let mut encoder = options.encoder.clone();
        let (layers, own) = (encoder.layers.unwrap_or(1), &options.decoder);
        let decoder_layers = own.decoder_layers.unwrap_or(layers);
        // Dropout between layers is the decoder's as well, which may have some where the encoder has one layer.
        let between = encoder.layer_dropout.or(encoder.dropout).unwrap_or(0.5);
        if layers < 2 && decoder_layers > 1 {
            encoder.layer_dropout = None;
        }
        let encoder = encoder.plan(true)?;
        let decoder = DecoderPlan {
            form: own.decoder.unwrap_or_default(),
            cell: encoder.cell,
            hidden: own.decoder_hidden.unwrap_or(encoder.outputs()),
            layers: decoder_layers,
            score: own.decoder_attention.unwrap_or_default(),
            embedding: own.target_embedding.unwrap_or(encoder.embedding),
            tied: own.tie_embeddings.unwrap_or(false),
            embedding_dropout: encoder.embedding_dropout,
            layer_dropout: if decoder_layers > 1 { between } else { 0.0 },
            output_dropout: options.encoder.output_dropout()?,
            copy: own.copy.unwrap_or(false),
            coverage: own.coverage.unwrap_or(false),
        };
        let train = TrainPlan::new(&options.train, &SCORES)?;
        let network =
            NetworkPlan { encoder, bridge: own.bridge.unwrap_or_default(), decoder, ensemble: train.ensemble() };
        network.check()?;
        let targets = &options.targets;
        let (joint, subwords) = (targets.joint_subwords.unwrap_or(false), targets.subwords()?);
        let target = TargetPlan {
            cut: targets.target_tokenizer,
            subwords,
            joint,
            min_count: targets.target_min_count.unwrap_or(1),
            max_vocabulary: targets
                .target_max_vocabulary
                .unwrap_or(largest_vocabulary(20_000, if joint { options.tokens.subwords } else { subwords })),
            max_length: targets.target_max_length.unwrap_or(512),
        };
        target.subwords.map_or(Ok(()), |size| plan::size("target-subwords", size, MOST_SUBWORDS))?;
        plan::at_least(1, "target-min-count", target.min_count)?;
        plan::at_least(5, "target-max-vocabulary", target.max_vocabulary)?;
        plan::at_least(1, "target-max-length", target.max_length)?;
        let loss = LossPlan::new(options, &network.decoder)?;
        options.shortlist.map_or(Ok(()), |count| plan::size("shortlist", count, MOST_LISTED))?;
        options.shortlist.map_or(Ok(()), |_| network.check_shortlist())?;
        // That targets stand in a file of their own says nothing of other files.
        let format = options.data.format.filter(|_| options.target_file.is_none());
        let data_options = PairOptions { format, ..options.data.clone() };
        let mut input = options.tokens.plan()?;
        if let InputPlan::Text(texts) = &mut input {
            // A source that is spelt has blanks.
            texts.white_space = texts.tokenizer == TokenizerChoice::Characters;
            // By which the sources of tables that are to be answered are found.
            (texts.format, texts.text) = (data_options.format, data_options.source.clone());
            texts.header = data_options.header.and_then(HeaderChoice::explicit);
            texts.layout = data_options.layout.clone();
        }
        Ok(TranslatePlan {
            data: data_options,
            target_file: options.target_file.clone(),
            validation_target_file: options.validation_target_file.clone(),
            too_long: options.too_long.unwrap_or_default(),
            input,
            target,
            network,
            loss,
            shortlist: options.shortlist,
            train,
            validation: ValidationPlan::new(&options.train)?,
            options: options.clone(),
        })
    }

    /// The training options by name, as a model keeps them.
    pub(super) fn training(&self) -> Map<String, Value> {
        let mut options = by_name(json!(self.train));
        options.insert("validation-split".into(), json!(self.validation.share()));
        let Value::Object(own) = self.own() else { return options };
        options.extend(own);
        options
    }

    /// What is said of targets and the loss.
    pub(super) fn own(&self) -> Value {
        let files = [("target-file", &self.target_file), ("validation-target-file", &self.validation_target_file)];
        let mut own = json!({
            "too-long": self.too_long,
            "target-subwords": self.target.subwords,
            "joint-subwords": self.target.joint,
            "target-min-count": self.target.min_count,
            "target-max-vocabulary": self.target.max_vocabulary,
            "label-smoothing": self.loss.label_smoothing,
            "target-word-dropout": self.loss.target_word_dropout,
        });
        if let Some(weight) = self.loss.coverage {
            own["coverage-loss"] = json!(weight);
        }
        if let Some(sampling) = self.loss.sampling {
            sampling.put(&mut own);
        }
        if let Some(count) = self.shortlist {
            own["shortlist"] = json!(count);
        }
        for (name, file) in files {
            if let Some(file) = file {
                own[name] = json!(file);
            }
        }
        own
    }
}

/// Whether files of sources and of targets go together.
fn check_files(data: &Path, options: &TranslateOptions) -> Result<(), PlanError> {
    let (targets, of_validation) = (&options.target_file, &options.validation_target_file);
    options.data.check(data, targets.as_deref())?;
    for (name, file) in [("target-file", targets), ("validation-target-file", of_validation)] {
        file.as_ref().map(|file| check_file(name, file)).transpose()?;
    }
    match (&options.train.validation, targets, of_validation) {
        (None, _, Some(_)) => Err(PlanError::conflict("validation-target-file", "needs --validation, its sources")),
        (Some(_), Some(_), None) => {
            let problem = "has sources alone as DATA has; --validation-target-file is missing";
            Err(PlanError::conflict("validation", problem))
        }
        (Some(_), None, Some(_)) => Err(PlanError::conflict(
            "validation-target-file",
            "is for sources and targets in files of their own, with --target-file",
        )),
        _ => Ok(()),
    }
}
