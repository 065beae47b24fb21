//! Training options, checked: only a plan can train.

use burn::optim::{ModuleOptimizer, RmsPropConfig, SgdConfig, decay::WeightDecayConfig, momentum::MomentumConfig};
use serde::{Deserialize, Serialize};

use super::adam::Adam;
use super::{Average, OptimizerChoice, ScheduleChoice, ScoreChoice, TrainOptions, options::AverageChoice};
use crate::memory_limit::MemoryLimit;

/// A checked description of one training run. Made by [`TrainPlan::new`], kept in the model file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrainPlan {
    pub(crate) epochs: usize,
    pub(crate) batch_size: usize,
    pub(crate) optimizer: OptimizerChoice,
    pub(crate) learning_rate: f64,
    pub(crate) momentum: f64,
    pub(crate) weight_decay: f64,
    pub(crate) schedule: ScheduleChoice,
    pub(crate) warmup: f64,
    /// `None` leaves gradients as they are.
    pub(crate) clip: Option<f64>,
    pub(crate) label_smoothing: f64,
    pub(crate) average: Average,
    pub(crate) score: ScoreChoice,
    /// `None` never stops early.
    pub(crate) patience: Option<usize>,
    pub(crate) seed: u64,
    #[serde(default)]
    pub(crate) max_memory: MemoryLimit,
}

impl TrainPlan {
    /// Checks options and fills in the defaults. The error is a sentence that names the option.
    pub fn new(options: &TrainOptions) -> Result<TrainPlan, String> {
        let optimizer = options.optimizer.unwrap_or_default();
        let epochs = options.epochs.unwrap_or(20);
        if options.momentum.is_some() && !matches!(optimizer, OptimizerChoice::Sgd | OptimizerChoice::Rmsprop) {
            return Err("--momentum is for the optimisers sgd and rmsprop only; adam has its own".into());
        }
        let default_decay = if optimizer == OptimizerChoice::Adamw { 0.01 } else { 0.0 };
        let clip = not_negative("clip", options.clip.unwrap_or(5.0))?;
        let patience = options.patience.unwrap_or(5);
        let plan = TrainPlan {
            epochs,
            batch_size: options.batch_size.unwrap_or(32),
            optimizer,
            learning_rate: options.learning_rate.unwrap_or(1e-3),
            momentum: options.momentum.unwrap_or(0.0),
            weight_decay: options.weight_decay.unwrap_or(default_decay),
            schedule: options.schedule.unwrap_or_default(),
            warmup: options.warmup.unwrap_or(0.0),
            clip: (clip > 0.0).then_some(clip),
            label_smoothing: options.label_smoothing.unwrap_or(0.0),
            average: average(options, epochs)?,
            score: options.score.unwrap_or_default(),
            patience: (patience > 0).then_some(patience),
            seed: options.seed.unwrap_or(0),
            max_memory: options.max_memory.unwrap_or_default(),
        };
        plan.check()?;
        Ok(plan)
    }

    /// Whether a training can be run by it; a plan from a file may say anything.
    pub(crate) fn check(&self) -> Result<(), String> {
        let epochs = self.epochs;
        at_least_one("epochs", epochs)?;
        at_least_one("batch-size", self.batch_size)?;
        writable("patience", self.patience.unwrap_or(0) as u64)?;
        writable("seed", self.seed)?;
        positive("learning-rate", self.learning_rate)?;
        below_one("momentum", self.momentum)?;
        not_negative("weight-decay", self.weight_decay)?;
        not_negative("warmup", self.warmup)?;
        if self.warmup > epochs as f64 {
            return Err(format!("--warmup is {} epochs, longer than the whole training of {epochs}", self.warmup));
        }
        self.clip.map(|clip| positive("clip", clip)).transpose()?;
        below_one("label-smoothing", self.label_smoothing)?;
        match self.average {
            Average::None => {}
            Average::Ema { decay } => {
                below_one("average-decay", decay)?;
            }
            Average::Swa { start } => {
                at_least_one("average-start", start)?;
                if start > epochs {
                    return Err(format!("--average-start is epoch {start}, but there are {epochs} epochs"));
                }
            }
        }
        Ok(())
    }

    /// The seed that everything random in the run derives from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// What the validation data are scored by.
    pub fn score(&self) -> ScoreChoice {
        self.score
    }

    /// Examples in a batch.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Share of the probability that the loss spreads over all labels.
    pub fn label_smoothing(&self) -> f64 {
        self.label_smoothing
    }

    /// The most that the network's tables, or one batch, may take of memory.
    pub fn max_memory(&self) -> MemoryLimit {
        self.max_memory
    }

    /// How many numbers the optimiser and the average keep for each of the network's.
    pub(crate) fn copies(&self) -> u64 {
        let state = match self.optimizer {
            OptimizerChoice::Adam | OptimizerChoice::Adamw | OptimizerChoice::Rmsprop => 2,
            OptimizerChoice::Sgd => u64::from(self.momentum > 0.0),
        };
        state + u64::from(self.average != Average::None)
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

fn average(options: &TrainOptions, epochs: usize) -> Result<Average, String> {
    let choice = options.average.unwrap_or_default();
    if options.average_decay.is_some() && choice != AverageChoice::Ema {
        return Err("--average-decay needs --average ema".into());
    }
    if options.average_start.is_some() && choice != AverageChoice::Swa {
        return Err("--average-start needs --average swa".into());
    }
    Ok(match choice {
        AverageChoice::None => Average::None,
        AverageChoice::Ema => Average::Ema { decay: options.average_decay.unwrap_or(0.999) },
        AverageChoice::Swa => Average::Swa { start: options.average_start.unwrap_or(epochs / 2 + 1) },
    })
}

fn at_least_one(name: &str, value: usize) -> Result<usize, String> {
    writable(name, value as u64)?;
    if value == 0 { Err(format!("--{name} is 0; it must be at least 1")) } else { Ok(value) }
}

/// Options are kept and shown as TOML, which has no integer above this.
pub(crate) fn writable(name: &str, value: u64) -> Result<(), String> {
    const MOST: u64 = i64::MAX as u64;
    if value > MOST { Err(format!("--{name} is {value}; it must be at most {MOST}")) } else { Ok(()) }
}

fn positive(name: &str, value: f64) -> Result<f64, String> {
    if value.is_finite() && value > 0.0 { Ok(value) } else { Err(format!("--{name} is {value}; it must be above 0")) }
}

/// Zero or above, and finite.
pub(crate) fn not_negative(name: &str, value: f64) -> Result<f64, String> {
    if value.is_finite() && value >= 0.0 {
        Ok(value)
    } else {
        Err(format!("--{name} is {value}; it must be 0 or above"))
    }
}

/// A share: from 0 up to, but not including, 1.
pub(crate) fn below_one(name: &str, value: f64) -> Result<f64, String> {
    if (0.0..1.0).contains(&value) {
        Ok(value)
    } else {
        Err(format!("--{name} is {value}; it must be from 0 to below 1"))
    }
}
