//! Training options as a person types them, on the command line or in a TOML file.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use lookback_infer::memory_limit::MemoryLimit;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Average, Files, TrainPlan};

/// How the training runs. Every field is optional: what is not said takes the default in its documentation.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[command(next_help_heading = "Training")]
pub struct TrainOptions {
    /// Times the training data is gone through [default: 20; of texts, and to classify: by the data]
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// Examples in a batch [default: 32; of texts, and to classify: by the data]
    #[arg(long, value_name = "N")]
    pub batch_size: Option<usize>,
    /// Tokens in a batch in place of a number of examples: its rows times the longest, and where targets are written its rows
    /// times the longest target as well. An example over it alone is a batch of its own
    #[arg(long, value_name = "N", conflicts_with = "batch_size")]
    pub batch_tokens: Option<usize>,
    /// Optimiser [default: adam]
    #[arg(long, value_enum)]
    pub optimizer: Option<OptimizerChoice>,
    /// Learning rate [default: 0.001; of texts, and to classify: by the data]
    #[arg(long, value_name = "RATE")]
    pub learning_rate: Option<f64>,
    /// Momentum of SGD and RMSprop [default: 0]
    #[arg(long, value_name = "X")]
    pub momentum: Option<f64>,
    /// Weight decay: decoupled for adamw, added to the gradient for the others [default: 0; adamw 0.01]
    #[arg(long, value_name = "X")]
    pub weight_decay: Option<f64>,
    /// How the learning rate goes over the whole training [default: constant; of texts, and of series to classify: cosine]
    #[arg(long, value_enum)]
    pub schedule: Option<ScheduleChoice>,
    /// Epochs over which the learning rate rises from near zero, may be a fraction [default: 0]
    #[arg(long, value_name = "EPOCHS")]
    pub warmup: Option<f64>,
    /// Largest norm of all gradients together; 0 turns clipping off [default: 5]
    #[arg(long, value_name = "NORM")]
    pub clip: Option<f64>,
    /// Averaged weights, which are then what is scored and saved [default: none; of texts, and to classify: ema]
    #[arg(long, value_enum)]
    pub average: Option<AverageChoice>,
    /// Decay of the exponential average per step [default: 0.999; of texts, where --average is not
    /// said, by the data]
    #[arg(long, value_name = "X")]
    pub average_decay: Option<f64>,
    /// First epoch that enters the stochastic weight average [default: half of the epochs]
    #[arg(long, value_name = "EPOCH")]
    pub average_start: Option<usize>,
    /// File with validation data, in the format of the training data
    #[arg(long, value_name = "FILE", conflicts_with = "validation_split")]
    pub validation: Option<PathBuf>,
    /// Share of the data held out for validation; 0 for none [default: 0.1; to classify: by the data]
    #[arg(long, value_name = "SHARE")]
    pub validation_split: Option<f64>,
    /// What the validation data are scored by, to keep the best weights: a score of the task, or loss [default: the
    /// task's first score; to classify: loss; to translate: exact-match, bleu or chrf, by the data]
    #[arg(long, value_name = "SCORE")]
    pub score: Option<String>,
    /// Epochs without a better validation score before training stops; 0 never stops early [default: 5; of texts, and to classify: 0]
    #[arg(long, value_name = "EPOCHS")]
    pub patience: Option<usize>,
    /// Networks trained one after the other from seeds of their own, which answer together [default: 1; to classify with --quality best: 5]
    #[arg(long, value_name = "N")]
    pub ensemble: Option<usize>,
    /// Most memory in MiB that the network's tables, or one batch, may take. A batch over it is computed in parts, which
    /// make one step but draw their dropout apart; a row or a table over it alone is refused [default: 4096]
    #[arg(long, value_name = "MIB")]
    pub max_memory: Option<MemoryLimit>,
    /// Seed of everything random [default: 0]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

impl TrainOptions {
    /// The options that a model keeps of its training, by name, without those of its task.
    ///
    /// # Errors
    /// If an option is missing or has another form.
    pub(crate) fn of(training: &Map<String, Value>) -> Result<TrainOptions, String> {
        let share = training.get("validation-split").and_then(Value::as_f64);
        let TrainPlan {
            epochs,
            batch_size,
            batch_tokens,
            optimizer,
            learning_rate,
            momentum,
            weight_decay,
            schedule,
            warmup,
            clip,
            average,
            score,
            patience,
            seed,
            ensemble,
            max_memory,
        } = TrainPlan::of(training)?;
        let (average, average_decay, average_start) = match average {
            Average::None => (AverageChoice::None, None, None),
            Average::Ema { decay } => (AverageChoice::Ema, Some(decay), None),
            Average::Swa { start } => (AverageChoice::Swa, None, Some(start)),
        };
        let has_momentum = matches!(optimizer, OptimizerChoice::Sgd | OptimizerChoice::Rmsprop);
        let validates = share != Some(0.0);
        Ok(TrainOptions {
            epochs: Some(epochs),
            batch_size,
            batch_tokens,
            optimizer: Some(optimizer),
            learning_rate: Some(learning_rate),
            momentum: has_momentum.then_some(momentum),
            weight_decay: Some(weight_decay),
            schedule: Some(schedule),
            warmup: Some(warmup),
            clip: Some(clip.unwrap_or(0.0)),
            average: Some(average),
            average_decay,
            average_start,
            validation: Files::validation(training).map(Path::to_owned),
            validation_split: share,
            score: validates.then_some(score),
            patience: validates.then_some(patience.unwrap_or(0)),
            ensemble: Some(ensemble),
            max_memory: Some(max_memory),
            seed: Some(seed),
        })
    }
}

/// The optimisers of Burn that can be chosen.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[value(rename_all = "kebab-case")]
pub enum OptimizerChoice {
    /// Adam (Kingma and Ba 2015)
    #[default]
    Adam,
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019)
    Adamw,
    /// Stochastic gradient descent, with momentum when asked for
    Sgd,
    /// RMSprop (Hinton 2012)
    Rmsprop,
}

/// How the learning rate goes after the warm-up.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[value(rename_all = "kebab-case")]
pub enum ScheduleChoice {
    /// The same throughout
    #[default]
    Constant,
    /// Straight down to zero
    Linear,
    /// Down to zero along half a cosine
    Cosine,
}

/// Which weights are scored and saved.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[value(rename_all = "kebab-case")]
pub enum AverageChoice {
    /// Those of the last step
    #[default]
    None,
    /// Their exponential moving average over the steps
    Ema,
    /// Their equal average over the ends of epochs (Izmailov 2018)
    Swa,
}
