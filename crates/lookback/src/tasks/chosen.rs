//! What is chosen by the data where nobody says otherwise.

use std::fmt::Display;

use crate::train::{AverageChoice, ScheduleChoice, TrainOptions};

/// What differs between trainings of networks over texts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Training {
    pub(super) epochs: usize,
    pub(super) batch_size: usize,
    pub(super) learning_rate: f64,
    /// Of the averaged weights.
    pub(super) decay: f64,
    pub(super) score: &'static str,
}

/// What was chosen: options by name, and their values.
#[derive(Clone, Debug, Default)]
pub(super) struct Chosen(pub(super) Vec<(&'static str, String)>);

impl Chosen {
    /// `value` for an option of which nothing is said.
    pub(super) fn fill<T: Clone + Display>(&mut self, name: &'static str, option: &mut Option<T>, value: T) {
        if option.is_none() {
            self.0.push((name, value.to_string()));
            *option = Some(value);
        }
    }

    /// `value` for the examples in a batch, where nothing is said of its size.
    pub(super) fn fill_batch_size(&mut self, train: &mut TrainOptions, value: usize) {
        if train.batch_tokens.is_none() {
            self.fill("batch-size", &mut train.batch_size, value);
        }
    }

    /// How networks over texts are trained: along a cosine, their weights averaged, a tenth held out, and all epochs run.
    pub(super) fn fill_training(&mut self, train: &mut TrainOptions, defaults: &Training) {
        let Training { epochs, batch_size, learning_rate, decay, score } = *defaults;
        self.fill("epochs", &mut train.epochs, epochs);
        self.fill_batch_size(train, batch_size);
        self.fill("learning-rate", &mut train.learning_rate, learning_rate);
        if train.schedule.is_none() {
            train.schedule = Some(ScheduleChoice::Cosine);
            self.0.push(("schedule", "cosine".into()));
        }
        if train.average.is_none() && train.average_start.is_none() {
            train.average = Some(AverageChoice::Ema);
            self.0.push(("average", "ema".into()));
            self.fill("average-decay", &mut train.average_decay, decay);
        }
        if train.validation.is_none() {
            self.fill("validation-split", &mut train.validation_split, 0.1);
        }
        if train.validation_split != Some(0.0) {
            self.fill("patience", &mut train.patience, 0);
            self.fill("score", &mut train.score, score.into());
        }
    }

    /// `--hidden 64 --epochs 15`
    pub(super) fn in_words(&self) -> String {
        self.0.iter().map(|(name, value)| format!("--{name} {value}")).collect::<Vec<_>>().join(" ")
    }
}
