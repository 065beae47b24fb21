//! Metrics of a training as JSON Lines, for whoever draws curves.
//!
//! One object per epoch, and one every so many steps where that is asked for, each flushed when it is written:
//! ```text
//! {"network":1,"epoch":2,"step":50,"loss":0.41,"learning_rate":0.001}
//! {"network":1,"epoch":2,"loss":0.40,"validation":{"loss":0.35,"accuracy":0.91,"macro-f1":0.90},"best":true,
//!  "samples":3200,"seconds":1.52}
//! ```
//! `network` counts those of an ensemble from 1. `loss` is the mean over the epoch so far. Under `validation` stand the
//! loss and the task's scores, by the names that `--score` takes; null where there was nothing to measure one on. `samples`
//! and `seconds` tell what was trained in the epoch, however often it was taken up again. A training that is resumed goes on
//! behind what led to its checkpoint; what a killed one had written after that goes, for it is trained again.

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
    /// What stands in the file, as far as it is to stay: it is replaced when there is something to put behind it, which
    /// tells how much of it that is.
    before: Option<Vec<Line>>,
    /// Whether it was told that the file cannot be written.
    broken: bool,
    next: &'a mut dyn Progress,
}

impl std::fmt::Debug for Log<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A line of a log, and where in the training it was written: network, epoch and step. An epoch's own comes last.
type Line = (String, (u64, u64, u64));

impl<'a> Log<'a> {
    /// Writes to `path`: behind what stands there where training is resumed, else anew.
    ///
    /// # Errors
    /// If the file cannot be opened for writing, or training is resumed and it is no log.
    pub fn open(
        path: &Path,
        every: Option<usize>,
        resume: bool,
        next: &'a mut dyn Progress,
    ) -> std::io::Result<Log<'a>> {
        let is_file = path.metadata().is_ok_and(|found| found.is_file());
        let before = match is_file && resume {
            true => lines(&std::fs::read_to_string(path)?)?,
            false => Vec::new(),
        };
        let file = File::options().create(true).append(true).open(path)?;
        // Devices and pipes cannot be cut.
        let before = file.metadata()?.is_file().then_some(before);
        Ok(Log { file, path: path.into(), every, network: 1, before, broken: false, next })
    }

    /// A log that cannot be written is no reason to lose a training; it is told once. `at`: the epoch and the step.
    fn write(&mut self, object: &Map<String, Value>, at: (usize, usize)) {
        let mut text = String::new();
        let mut emptied = Ok(());
        if let Some(before) = self.before.take() {
            let at = (self.network as u64, at.0 as u64, at.1 as u64);
            text = before.into_iter().filter(|(_, place)| *place < at).map(|(line, _)| format!("{line}\n")).collect();
            emptied = self.file.set_len(0);
        }
        text.push_str(&format!("{}\n", json!(object)));
        if let Err(error) = emptied.and_then(|()| self.file.write_all(text.as_bytes())).and_then(|()| self.file.flush())
            && !self.broken
        {
            self.broken = true;
            tracing::warn!("{}: metrics cannot be written: {error}", self.path.display());
        }
    }
}

/// The lines of a log. The last may have been cut when the program was killed, and goes.
fn lines(text: &str) -> std::io::Result<Vec<Line>> {
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    let line = |(number, line): (usize, &str)| {
        let place = serde_json::from_str::<Value>(line).ok().and_then(|value| {
            let number = |key: &str| value.get(key).and_then(Value::as_u64);
            Some((number("network")?, number("epoch")?, number("step").unwrap_or(u64::MAX)))
        });
        let wrong = || format!("line {} is none of a log, behind which --resume would go on", number + 1);
        place.map(|place| (line.to_owned(), place)).ok_or_else(|| std::io::Error::other(wrong()))
    };
    whole.lines().enumerate().map(line).collect()
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
                self.write(&object, (epoch, step));
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
        object.insert("samples".into(), json!(report.whole.0));
        object.insert("seconds".into(), json!(report.whole.1));
        self.write(&object, (report.epoch, usize::MAX));
        self.next.epoch_ended(report);
    }

    fn finished(&mut self) {
        self.next.finished();
    }
}
