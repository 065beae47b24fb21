//! Metrics of a training as JSON Lines, for whoever draws curves.
//!
//! One object per epoch, and one every so many steps where that is asked for, each flushed when it is written:
//! ```text
//! {"network":1,"epoch":2,"step":50,"loss":0.41,"learning_rate":0.001}
//! {"network":1,"epoch":2,"loss":0.40,"validation":{"loss":0.35,"accuracy":0.91,"macro-f1":0.90},"best":true,
//!  "samples":3200,"seconds":1.52}
//! ```
//! `network` counts those of an ensemble from 1. `loss` is the mean over the epoch so far. `samples` and `seconds` tell
//! what was trained since the epoch began, or was taken up again. A training that is resumed appends; what stands there
//! twice was trained twice, and the later line is the one that led to the model.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::progress::{EpochReport, Progress, StepReport};

/// Writes metrics, and hands all on to another [`Progress`].
pub struct Log<'a> {
    file: File,
    path: PathBuf,
    /// Steps from one object to the next; none of steps where absent.
    every: Option<usize>,
    network: usize,
    /// Whether it was told that the file cannot be written.
    broken: bool,
    next: &'a mut dyn Progress,
}

impl std::fmt::Debug for Log<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("path", &self.path).finish_non_exhaustive()
    }
}

impl<'a> Log<'a> {
    /// Writes to `path`: behind what stands there where training is resumed, else anew.
    ///
    /// # Errors
    /// If the file cannot be opened for writing.
    pub fn open(
        path: &Path,
        every: Option<usize>,
        resume: bool,
        next: &'a mut dyn Progress,
    ) -> std::io::Result<Log<'a>> {
        let mut options = File::options();
        options.create(true);
        if resume {
            options.append(true)
        } else {
            options.write(true).truncate(true)
        };
        Ok(Log { file: options.open(path)?, path: path.into(), every, network: 1, broken: false, next })
    }

    /// A log that cannot be written is no reason to lose a training; it is told once.
    fn write(&mut self, object: &Map<String, Value>) {
        let line = format!("{}\n", json!(object));
        if let Err(error) = self.file.write_all(line.as_bytes()).and_then(|()| self.file.flush())
            && !self.broken
        {
            self.broken = true;
            tracing::warn!("{}: metrics cannot be written: {error}", self.path.display());
        }
    }
}

impl Progress for Log<'_> {
    fn run_started(&mut self, run: usize, runs: usize) {
        self.network = run;
        self.next.run_started(run, runs);
    }

    fn epoch_started(&mut self, epoch: usize, epochs: usize, steps: usize) {
        self.next.epoch_started(epoch, epochs, steps);
    }

    fn step(&mut self, report: &StepReport) {
        if self.every.is_some_and(|every| report.step.is_multiple_of(every)) {
            let StepReport { epoch, step, loss, rate, .. } = *report;
            let object =
                json!({"network": self.network, "epoch": epoch, "step": step, "loss": loss, "learning_rate": rate});
            if let Value::Object(object) = object {
                self.write(&object);
            }
        }
        self.next.step(report);
    }

    fn epoch_ended(&mut self, report: &EpochReport<'_>) {
        let mut object = Map::new();
        object.insert("network".into(), json!(self.network));
        object.insert("epoch".into(), json!(report.epoch));
        object.insert("loss".into(), json!(report.loss));
        if let Some(validation) = report.validation {
            let scores =
                report.scores.iter().zip(&validation.scores).map(|(score, value)| (score.name.into(), json!(value)));
            let validation: Map<String, Value> =
                std::iter::once(("loss".to_owned(), json!(validation.loss))).chain(scores).collect();
            object.insert("validation".into(), Value::Object(validation));
            object.insert("best".into(), json!(report.best));
        }
        object.insert("samples".into(), json!(report.seen));
        object.insert("seconds".into(), json!(report.trained.as_secs_f64()));
        self.write(&object);
        self.next.epoch_ended(report);
    }

    fn finished(&mut self) {
        self.next.finished();
    }
}
