//! Training options, checked: only a plan can train.

use std::path::PathBuf;

use burn::optim::{ModuleOptimizer, RmsPropConfig, SgdConfig, decay::WeightDecayConfig, momentum::MomentumConfig};
use lookback_infer::error::{PlanError, in_plain_words, plan};
use lookback_infer::memory_limit::MemoryLimit;
use lookback_infer::model::Score;
use lookback_infer::network::MOST_NETWORKS;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::adam::Adam;
use super::files::{EXTEND, INIT, VALIDATION};
use super::{Average, OptimizerChoice, ScheduleChoice, TrainOptions, options::AverageChoice};

/// A checked description of one training run. Made by [`TrainPlan::new`], kept in the model file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrainPlan {
    pub(crate) epochs: usize,
    /// Examples in a batch, where padded tokens do not bound it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) batch_size: Option<usize>,
    /// The most tokens that a batch is padded to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) batch_tokens: Option<usize>,
    pub(crate) optimizer: OptimizerChoice,
    pub(crate) learning_rate: f64,
    pub(crate) momentum: f64,
    pub(crate) weight_decay: f64,
    pub(crate) schedule: ScheduleChoice,
    pub(crate) warmup: f64,
    /// `None` leaves gradients as they are.
    pub(crate) clip: Option<f64>,
    pub(crate) average: Average,
    /// The name of the score that decides.
    pub(crate) score: String,
    /// `None` never stops early.
    pub(crate) patience: Option<usize>,
    pub(crate) seed: u64,
    /// Networks that answer together.
    pub(crate) ensemble: usize,
    pub(crate) max_memory: MemoryLimit,
}

/// Examples in a batch where nothing is said.
pub(super) const BATCH_SIZE: usize = 32;

/// Where validation data come from.
#[derive(Clone, Debug, PartialEq)]
pub enum ValidationPlan {
    /// A file of its own.
    File(PathBuf),
    /// A share of the training data.
    Split(f64),
    /// Nowhere: every epoch is run and the last weights are kept.
    None,
}

impl ValidationPlan {
    /// Checks what the options say of validation.
    ///
    /// # Errors
    /// If they say two things at once, a share that is none, or ask for what needs validation data without any.
    pub fn new(options: &TrainOptions) -> Result<ValidationPlan, PlanError> {
        let validation = match (&options.validation, options.validation_split) {
            (Some(_), Some(_)) => {
                return Err(PlanError::conflict("validation", "and --validation-split exclude each other"));
            }
            (Some(file), None) => ValidationPlan::File(file.clone()),
            (None, share) => match share.unwrap_or(0.1) {
                0.0 => ValidationPlan::None,
                share => {
                    plan::below_one("validation-split", share)?;
                    ValidationPlan::Split(share)
                }
            },
        };
        let needs =
            [("patience", options.patience.is_some_and(|patience| patience > 0)), ("score", options.score.is_some())];
        match needs.iter().find(|(_, set)| *set) {
            Some((name, _)) if validation == ValidationPlan::None => {
                Err(PlanError::conflict(name, "needs validation data, but --validation-split is 0"))
            }
            _ => Ok(validation),
        }
    }

    /// The share of the training data that is held out, where no other file is for validation.
    pub(crate) fn share(&self) -> Option<f64> {
        match self {
            ValidationPlan::File(_) => None,
            ValidationPlan::Split(share) => Some(*share),
            ValidationPlan::None => Some(0.0),
        }
    }

    /// The file, where there is one.
    pub(crate) fn file(&self) -> Option<&PathBuf> {
        match self {
            ValidationPlan::File(file) => Some(file),
            _ => None,
        }
    }
}

impl TrainPlan {
    /// Checks options and fills in the defaults. `scores`: what the task is validated by, the first by default.
    ///
    /// # Errors
    /// If an option has a value by which nothing can be trained, or does not go with another.
    pub fn new(options: &TrainOptions, scores: &[Score]) -> Result<TrainPlan, PlanError> {
        let optimizer = options.optimizer.unwrap_or_default();
        let epochs = options.epochs.unwrap_or(20);
        if options.momentum.is_some_and(|momentum| momentum != 0.0)
            && !matches!(optimizer, OptimizerChoice::Sgd | OptimizerChoice::Rmsprop)
        {
            let problem = "is for the optimisers sgd and rmsprop only; adam has its own";
            return Err(PlanError::conflict("momentum", problem));
        }
        let default_decay = if optimizer == OptimizerChoice::Adamw { 0.01 } else { 0.0 };
        let clip = options.clip.unwrap_or(5.0);
        plan::not_negative("clip", clip)?;
        let patience = options.patience.unwrap_or(5);
        let names: Vec<&str> = scores.iter().map(|score| score.name).chain([Score::LOSS.name]).collect();
        let score = options.score.as_deref().unwrap_or(names[0]);
        if !names.contains(&score) {
            return Err(PlanError::value("score", format!("'{score}'"), format!("one of {}", names.join(", "))));
        }
        if options.batch_size.is_some() && options.batch_tokens.is_some() {
            return Err(PlanError::conflict("batch-tokens", "and --batch-size exclude each other"));
        }
        let plan = TrainPlan {
            epochs,
            batch_size: options.batch_size.or(options.batch_tokens.is_none().then_some(BATCH_SIZE)),
            batch_tokens: options.batch_tokens,
            optimizer,
            learning_rate: options.learning_rate.unwrap_or(1e-3),
            momentum: options.momentum.unwrap_or(0.0),
            weight_decay: options.weight_decay.unwrap_or(default_decay),
            schedule: options.schedule.unwrap_or_default(),
            warmup: options.warmup.unwrap_or(0.0),
            clip: (clip > 0.0).then_some(clip),
            average: average(options, epochs)?,
            score: score.to_owned(),
            patience: (patience > 0).then_some(patience),
            seed: options.seed.unwrap_or(0),
            ensemble: options.ensemble.unwrap_or(1),
            max_memory: options.max_memory.unwrap_or_default(),
        };
        plan.check()?;
        Ok(plan)
    }

    /// The plan that a model keeps as the options of its training, without those of its task.
    ///
    /// # Errors
    /// If an option is missing or has another form.
    pub(crate) fn of(training: &Map<String, Value>) -> Result<TrainPlan, String> {
        let mut options = training.clone();
        for not_of_plan in ["validation-split", VALIDATION, INIT, EXTEND] {
            options.remove(not_of_plan);
        }
        serde_json::from_value(Value::Object(options)).map_err(|error| in_plain_words(&error.to_string()))
    }

    /// Whether a training can be run by it.
    fn check(&self) -> Result<(), PlanError> {
        let epochs = self.epochs;
        plan::at_least(1, "epochs", epochs)?;
        self.batch_size.map_or(Ok(()), |size| plan::at_least(1, "batch-size", size))?;
        self.batch_tokens.map_or(Ok(()), |tokens| plan::at_least(1, "batch-tokens", tokens))?;
        plan::writable("patience", self.patience.unwrap_or(0) as u64)?;
        plan::writable("seed", self.seed)?;
        plan::size("ensemble", self.ensemble, MOST_NETWORKS)?;
        plan::positive("learning-rate", self.learning_rate)?;
        plan::below_one("momentum", self.momentum)?;
        plan::not_negative("weight-decay", self.weight_decay)?;
        plan::not_negative("warmup", self.warmup)?;
        if self.warmup > epochs as f64 {
            let problem = format!("is {} epochs, longer than the whole training of {epochs}", self.warmup);
            return Err(PlanError::conflict("warmup", problem));
        }
        match self.average {
            Average::None => Ok(()),
            Average::Ema { decay } => plan::below_one("average-decay", decay),
            Average::Swa { start } => {
                plan::at_least(1, "average-start", start)?;
                match start > epochs {
                    true => {
                        let problem = format!("is epoch {start}, but there are {epochs} epochs");
                        Err(PlanError::conflict("average-start", problem))
                    }
                    false => Ok(()),
                }
            }
        }
    }

    /// The plan of one of its networks: from a seed of its own, and for so many epochs where they are known already, over which the
    /// learning rate then goes its whole way.
    pub(super) fn of_network(&self, seed: u64, epochs: Option<usize>) -> TrainPlan {
        let epochs = epochs.unwrap_or(self.epochs);
        let average = match self.average {
            Average::Swa { start } => Average::Swa { start: start.min(epochs) },
            Average::None | Average::Ema { .. } => self.average,
        };
        TrainPlan { seed, epochs, average, warmup: self.warmup.min(epochs as f64), ..self.clone() }
    }

    /// The seed that everything random in the run derives from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The score of `scores`, or the loss, that decides.
    pub fn score(&self, scores: &[Score]) -> Score {
        scores.iter().copied().find(|score| score.name == self.score).unwrap_or(Score::LOSS)
    }

    /// How many networks answer together.
    pub fn ensemble(&self) -> usize {
        self.ensemble
    }

    /// Times the training data is gone through.
    pub fn epochs(&self) -> usize {
        self.epochs
    }

    /// Examples in a batch; `None` where padded tokens bound it.
    pub fn batch_size(&self) -> Option<usize> {
        self.batch_size
    }

    /// The most that the network's tables, or one batch, may take of memory.
    pub fn max_memory(&self) -> MemoryLimit {
        self.max_memory
    }

    /// How many numbers the optimiser and the average keep for each of the network's.
    pub(crate) fn copies(&self) -> u64 {
        self.state_copies() + u64::from(self.average != Average::None)
    }

    /// How many numbers the optimiser keeps for each of the network's.
    pub(crate) fn state_copies(&self) -> u64 {
        match self.optimizer {
            OptimizerChoice::Adam | OptimizerChoice::Adamw | OptimizerChoice::Rmsprop => 2,
            OptimizerChoice::Sgd => u64::from(self.momentum > 0.0),
        }
    }

    /// The optimiser of Burn that the plan asks for, without any state yet. Constants the plan does not name are
    /// PyTorch's (Burn's own differ: epsilon 1e-5, dampening 0.1).
    pub(crate) fn optimizer(&self) -> ModuleOptimizer {
        let penalty = (self.weight_decay > 0.0).then(|| WeightDecayConfig::new(self.weight_decay as f32));
        match self.optimizer {
            OptimizerChoice::Adam | OptimizerChoice::Adamw => ModuleOptimizer::from(Adam {
                beta_1: 0.9,
                beta_2: 0.999,
                epsilon: 1e-8,
                weight_decay: self.weight_decay as f32,
                decoupled: self.optimizer == OptimizerChoice::Adamw,
            }),
            OptimizerChoice::Sgd => {
                let momentum = (self.momentum > 0.0)
                    .then(|| MomentumConfig::new().with_momentum(self.momentum).with_dampening(0.0));
                SgdConfig::new().with_weight_decay(penalty).with_momentum(momentum).init()
            }
            OptimizerChoice::Rmsprop => RmsPropConfig::new()
                .with_epsilon(1e-8)
                .with_momentum(self.momentum as f32)
                .with_weight_decay(penalty)
                .init(),
        }
    }
}

fn average(options: &TrainOptions, epochs: usize) -> Result<Average, PlanError> {
    let choice = options.average.unwrap_or_default();
    if options.average_decay.is_some() && choice != AverageChoice::Ema {
        return Err(PlanError::conflict("average-decay", "needs --average ema"));
    }
    if options.average_start.is_some() && choice != AverageChoice::Swa {
        return Err(PlanError::conflict("average-start", "needs --average swa"));
    }
    Ok(match choice {
        AverageChoice::None => Average::None,
        AverageChoice::Ema => Average::Ema { decay: options.average_decay.unwrap_or(0.999) },
        AverageChoice::Swa => Average::Swa { start: options.average_start.unwrap_or(epochs / 2 + 1) },
    })
}
