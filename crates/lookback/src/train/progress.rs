//! What a person sees while a model trains.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use lookback_infer::model::{Score, Validation};

/// Told about every step and epoch.
pub trait Progress {
    /// One of several trainings that follow each other begins: its number from 1, and how many there are.
    fn run_started(&mut self, _run: usize, _runs: usize) {}
    /// An epoch begins: its number from 1, how many there are, and its steps.
    fn epoch_started(&mut self, epoch: usize, epochs: usize, steps: usize);
    /// A step was made.
    fn step(&mut self, report: &StepReport);
    /// An epoch was finished and scored.
    fn epoch_ended(&mut self, report: &EpochReport<'_>);
    /// Nothing more follows.
    fn finished(&mut self);
}

/// Where an epoch stands after a step.
#[derive(Clone, Copy, Debug)]
pub struct StepReport {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The step in the epoch, from 1.
    pub step: usize,
    /// Mean loss of the epoch so far.
    pub loss: f64,
    /// The learning rate of the step.
    pub rate: f64,
    /// Examples seen in the epoch since it was begun, or taken up again.
    pub seen: usize,
    /// Time since then.
    pub elapsed: Duration,
}

/// A finished epoch.
#[derive(Clone, Copy, Debug)]
pub struct EpochReport<'a> {
    /// The epoch, from 1.
    pub epoch: usize,
    /// How many there are.
    pub epochs: usize,
    /// Mean training loss.
    pub loss: f64,
    /// Validation, where there are validation data.
    pub validation: Option<&'a Validation>,
    /// The task's scores.
    pub scores: &'static [Score],
    /// The score that decides.
    pub score: Score,
    /// Whether this epoch is the best so far.
    pub best: bool,
    /// Training examples seen since the epoch was begun, or taken up again.
    pub seen: usize,
    /// Time that training took, validation left out.
    pub trained: Duration,
    /// Training examples seen in all of the epoch, and the seconds that took, those before it was taken up again among them.
    pub whole: (usize, f64),
    /// Time that the epoch took in all.
    pub elapsed: Duration,
}

/// Says nothing.
#[derive(Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn epoch_started(&mut self, _: usize, _: usize, _: usize) {}
    fn step(&mut self, _: &StepReport) {}
    fn epoch_ended(&mut self, _: &EpochReport<'_>) {}
    fn finished(&mut self) {}
}

/// On standard error: a bar with loss, speed and time left where that is a terminal, and a line per epoch.
#[derive(Debug)]
pub struct TerminalProgress {
    bar: ProgressBar,
    interactive: bool,
    epochs: usize,
    /// Trainings that follow this one.
    runs_left: usize,
    /// Time that the epochs took which were run here, and how many those are: a training that was taken up again has others.
    spent: Duration,
    run: usize,
    /// The step after which the epoch was taken up.
    from: Option<usize>,
    score: String,
}

impl TerminalProgress {
    /// Looks at standard error to decide between bar and lines.
    pub fn new() -> Self {
        let interactive = std::io::stderr().is_terminal();
        let bar = ProgressBar::hidden();
        let score = String::new();
        TerminalProgress { bar, interactive, epochs: 0, runs_left: 0, spent: Duration::ZERO, run: 0, from: None, score }
    }
}

impl Default for TerminalProgress {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress for TerminalProgress {
    fn run_started(&mut self, run: usize, runs: usize) {
        self.runs_left = runs - run;
        (self.spent, self.run) = (Duration::ZERO, 0);
        self.score.clear();
        if runs > 1 {
            // Nobody may be reading any more: that is no reason to lose the model.
            let _ = writeln!(std::io::stderr(), "network {run} of {runs}");
        }
    }

    fn epoch_started(&mut self, epoch: usize, epochs: usize, steps: usize) {
        (self.epochs, self.from) = (epochs, None);
        if !self.interactive {
            return;
        }
        self.bar = ProgressBar::with_draw_target(Some(steps as u64), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{prefix} [{bar:16}] {wide_msg}");
        self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━━─"));
        self.bar.set_prefix(format!("epoch {epoch:>3}/{epochs}"));
    }

    fn step(&mut self, report: &StepReport) {
        if !self.interactive {
            return;
        }
        let speed = report.seen as f64 / report.elapsed.as_secs_f64().max(1e-9);
        let steps = self.bar.length().unwrap_or(0).max(1) as f64;
        let epochs_left = self.epochs_left(report.epoch, self.epochs);
        let steps_left = steps - report.step as f64 + steps * epochs_left;
        let from = *self.from.get_or_insert(report.step - 1);
        let left = times(report.elapsed, steps_left / (report.step - from) as f64);
        let score = &self.score;
        self.bar.set_message(format!(
            "loss {}{score}  {speed:.0} samples/s  at most {} left",
            figure(report.loss),
            seconds(left)
        ));
        self.bar.set_position(report.step as u64);
    }

    fn epoch_ended(&mut self, report: &EpochReport<'_>) {
        self.bar.finish_and_clear();
        self.spent += report.elapsed;
        self.run += 1;
        let mut line = format!("epoch {:>3}/{}  loss {}", report.epoch, report.epochs, figure(report.loss));
        if let Some(validation) = report.validation {
            let _ = write!(line, "  validation loss {}", figure(validation.loss));
            if report.score != Score::LOSS {
                let value = validation.value(report.scores, &report.score);
                let value = value.map_or("none".to_owned(), |value| report.score.show(value));
                self.score = format!("  {} {value}", report.score.title);
                line.push_str(&self.score);
            }
        }
        let speed = report.seen as f64 / report.trained.as_secs_f64().max(1e-9);
        let epochs_left = self.epochs_left(report.epoch, report.epochs);
        let left = times(self.spent, epochs_left / self.run as f64);
        let _ = write!(line, "  {speed:.0} samples/s  {}", seconds(report.elapsed));
        if epochs_left > 0.0 {
            let _ = write!(line, "  at most {} left", seconds(left));
        }
        if report.best && report.validation.is_some() {
            line.push_str("  best");
        }
        let _ = writeln!(std::io::stderr(), "{line}");
    }

    fn finished(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl TerminalProgress {
    /// Epochs after this one, those of the trainings to come included. They may be more than an integer holds.
    fn epochs_left(&self, epoch: usize, epochs: usize) -> f64 {
        (epochs - epoch) as f64 + self.runs_left as f64 * epochs as f64
    }
}

/// A multiple of a duration; the longest there is, where it would be longer.
fn times(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

/// Four decimals, or powers of ten where those would fill the line.
fn figure(value: f64) -> String {
    if value.abs() < 1e5 { format!("{value:.4}") } else { format!("{value:.3e}") }
}

/// `0.8 s`, `42 s`, `3 min 05 s`, `1 h 02 min`.
pub(crate) fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 9.95 {
        format!("{seconds:.1} s")
    } else if seconds < 59.5 {
        format!("{seconds:.0} s")
    } else {
        let whole = seconds.round() as u64;
        let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
        if hours > 0 { format!("{hours} h {minutes:02} min") } else { format!("{minutes} min {seconds:02} s") }
    }
}
