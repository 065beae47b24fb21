//! `lookback tune TASK DATA`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, Command};
use lookback_infer::error::counted;
use lookback_infer::model::Score;
use lookback_infer::model_file::check_writable;
use toml::{Table, Value};
use tracing::subscriber::NoSubscriber;

use super::per_task::PerTask;
use super::threads::Threads;
use super::{Interrupted, UsageError, load, signals};
use crate::options_file::OptionsFile;
use crate::search::{self, Best, Candidates, Trainer, Trial, Trials};
use crate::tasks::{Entry, Fitted, WrongOptions};
use crate::train::{End, Session, Silent, Stop};

/// Search for better options of a training: one subcommand per task.
///
/// Trains candidates for a while and the better ones for longer (successive halving), until the time is spent, and writes the
/// best options as a configuration for train --config. Options that are said stay as they are.
pub(super) type Tune = PerTask<Run>;

/// What every search takes beside the options of its task.
#[derive(Args, Debug)]
pub(super) struct Run {
    /// Training data
    data: PathBuf,
    /// Minutes of training to spend; one candidate, what training does by itself, is always trained to its end
    #[arg(long, value_name = "MINUTES", default_value_t = 10.0)]
    budget: f64,
    /// Where the options are written
    #[arg(short, long, value_name = "FILE", default_value = "tuned.toml")]
    output: PathBuf,
    /// TOML file with options, under the names of the flags; a flag wins over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Go on with the trials of a search that was stopped, or whose time was spent; they stand in OUTPUT with .trials.jsonl
    /// added
    #[arg(long)]
    resume: bool,
}

impl PerTask<Run> {
    /// Reads the file of options, where there is one, and what it says of threads.
    pub(super) fn read_config(&mut self, threads: &mut Threads) -> Result<(), WrongOptions> {
        let Some(file) = &self.run.config else { return Ok(()) };
        let own = Threads::augment_args(Command::new("tune"));
        let file = OptionsFile::read(file, &[&own, &(self.task.arguments)(Command::new(self.task.name))])?;
        *threads = file.under(threads)?;
        self.file = Some(file);
        Ok(())
    }

    pub(super) fn run(self, quiet: bool) -> anyhow::Result<()> {
        let PerTask { task, run, typed, file } = self;
        load::refuse_model_as_data(&run.data)?;
        if !(run.budget.is_finite() && run.budget > 0.0) {
            return Err(
                UsageError(format!("--budget is {}; it must be above 0, and a number of minutes", run.budget)).into()
            );
        }
        let said = (task.options)(&typed, file.as_ref())?;
        let plan = (task.plan_of)(&run.data, &said)?;
        let mut choices = plan.choices();
        choices.retain(|choice| !said.contains_key(choice.option));
        if choices.is_empty() {
            return Err(UsageError(format!("there is nothing to search for in {}", task.name)).into());
        }
        let place = trials_of(&run.output);
        run.refuse_to_overwrite(&plan.files(), &place)?;
        check_writable(&run.output).map_err(|error| UsageError(error.to_string()))?;
        if !run.resume && Trials::stand_in(&place).map_err(|error| UsageError(error.to_string()))? {
            tracing::warn!(
                "{} is of a search before, which this one replaces; --resume goes on with it",
                place.display()
            );
        }
        let stop = signals::listen()?;
        let identity = plan.identity(&run.data);
        let mut trials = Trials::open(&place, &identity, run.resume).map_err(|error| UsageError(error.to_string()))?;
        let seed = said.get("seed").and_then(Value::as_integer).unwrap_or(0);
        let mut candidates = Candidates::new(choices, seed as u64);
        let by = By { scores: plan.scores(), score: plan.score() };
        let mut trainer = Training {
            task,
            run: &run,
            data: &run.data,
            said: &said,
            by,
            seconds: 60.0 * run.budget,
            spent: trials.made().iter().map(|trial| trial.seconds).sum(),
            pace: trials.made().first().map_or(0.0, |first| first.seconds / first.epochs.max(1) as f64),
            stop: &stop,
            quiet,
        };
        // Until the first is trained there is nothing to keep.
        let best = search::run(&mut trainer, &mut candidates, &mut trials, by.scores, &by.score)?;
        let stopped = stop.requested();
        let Some(best) = best else {
            return Err(Interrupted("interrupted before the first candidate was trained".into()).into());
        };
        let text = run.configuration(task, &said, &best, by)?;
        write(&run.output, &text)?;
        let found = summary(task, &run, &best, by);
        match stopped {
            true => Err(Interrupted(format!("interrupted; {found}; --resume goes on from here")).into()),
            false => Ok(super::print(&format!("{found}\n"))?),
        }
    }
}

/// What candidates are judged by, and which of that decides.
#[derive(Clone, Copy)]
struct By {
    scores: &'static [Score],
    score: Score,
}

/// The figure that candidates are compared by.
fn figure(trial: &Trial, by: By) -> String {
    let value = trial.validation.as_ref().and_then(|validation| validation.value(by.scores, &by.score));
    value.map_or_else(|| "none".into(), |value| by.score.show(value))
}

/// What was found, in a sentence.
fn summary(task: &Entry, run: &Run, best: &Best, by: By) -> String {
    let (output, title) = (run.output.display(), by.score.title);
    let (tried, usual) = (counted(best.candidates, "candidate"), figure(&best.usual, by));
    match best.found.candidate == best.usual.candidate {
        true if best.candidates == 1 => format!(
            "{output}: the time was enough for what training does by itself, {title} {usual}, and no more; --resume with a larger --budget goes on"
        ),
        true => format!("{output}: none of {tried} is better than what training does by itself, {title} {usual}"),
        false => format!(
            "{output}: the best of {tried}, {title} {} in place of {usual}; chosen by these figures, it is somewhat worse on \
             other data: lookback train {} {} --config {output}",
            figure(&best.found, by),
            task.name,
            run.data.display(),
        ),
    }
}

impl Run {
    /// The options that were found, as a file.
    fn configuration(&self, task: &Entry, said: &Table, best: &Best, by: By) -> anyhow::Result<String> {
        let mut options = said.clone();
        options.extend(best.found.options.clone());
        let (found, usual) = (figure(&best.found, by), figure(&best.usual, by));
        Ok(format!(
            "# lookback train {} DATA --config THIS\n# {} {found}, and {usual} without what was searched for; the best of {}.\n{}",
            task.name,
            by.score.title,
            counted(best.candidates, "candidate"),
            toml::to_string(&options)?
        ))
    }

    /// What is written must not take the place of a file that is read.
    fn refuse_to_overwrite(&self, files: &[&Path], trials: &Path) -> Result<(), UsageError> {
        let same = |a: &Path, b: &Path| {
            let places = (super::train::place(a), super::train::place(b));
            a == b || matches!(places, (Some(a), Some(b)) if a == b)
        };
        let own = [Some(self.data.as_path()), self.config.as_deref()];
        for file in own.into_iter().flatten().chain(files.iter().copied()) {
            if same(file, &self.output) || same(file, trials) {
                return Err(UsageError(format!("{} is read and cannot be the output as well", file.display())));
            }
            if file == Path::new("-") {
                return Err(UsageError("tune reads its data many times, and standard input but once".into()));
            }
        }
        Ok(())
    }
}

/// Where the trials of a search stand.
fn trials_of(output: &Path) -> PathBuf {
    let mut name = output.to_owned().into_os_string();
    name.push(".trials.jsonl");
    name.into()
}

/// Writes a file whole or not at all.
fn write(file: &Path, text: &str) -> Result<(), UsageError> {
    let mut beside = file.to_owned().into_os_string();
    beside.push(".new");
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, file));
    written.map_err(|error| UsageError(format!("{} cannot be written: {error}", file.display())))
}

/// Trains candidates of a task until the time is spent.
struct Training<'a> {
    task: &'static Entry,
    run: &'a Run,
    data: &'a Path,
    said: &'a Table,
    by: By,
    /// How long all trials may take.
    seconds: f64,
    /// How long they took.
    spent: f64,
    /// How long the first took per epoch.
    pace: f64,
    stop: &'a Stop,
    quiet: bool,
}

impl Training<'_> {
    fn options(&self, candidate: &Table, epochs: Option<usize>) -> Table {
        let mut options = self.said.clone();
        options.extend(candidate.clone());
        if let Some(epochs) = epochs {
            options.insert("epochs".into(), Value::Integer(epochs as i64));
        }
        options
    }
}

impl Trainer for Training<'_> {
    type Error = anyhow::Error;

    fn allows(&self, candidate: &Table) -> bool {
        (self.task.plan_of)(self.data, &self.options(candidate, None)).is_ok()
    }

    fn train(&mut self, candidate: usize, options: &Table, epochs: Option<usize>) -> anyhow::Result<Option<Trial>> {
        // The first is trained in any case, and tells how long others will take.
        let ahead = epochs.map_or(0.0, |epochs| self.pace * epochs as f64);
        if self.stop.requested() || (candidate > 0 && self.spent + ahead > self.seconds) {
            return Ok(None);
        }
        let plan = (self.task.plan_of)(self.data, &self.options(options, epochs))?;
        let (device, mut silent) = (super::device(), Silent);
        let mut session = Session {
            device: &device,
            stop: self.stop,
            progress: &mut silent,
            checkpoint: None,
            resume: false,
            init: None,
        };
        let started = Instant::now();
        // What is told of the data is told once.
        let fitted = match candidate {
            0 => plan.fit(self.data, &mut session)?,
            _ => tracing::subscriber::with_default(NoSubscriber::new(), || plan.fit(self.data, &mut session))?,
        };
        let seconds = started.elapsed().as_secs_f64();
        if matches!(fitted.end, End::Interrupted { .. }) {
            return Ok(None);
        }
        let epochs = epochs.or_else(|| epochs_of(&fitted)).unwrap_or(1);
        let validation = fitted.model.and_then(|(_, record)| record.validation);
        if let (None, End::Completed | End::EarlyStopped) = (&validation, fitted.end) {
            return Err(UsageError(
                "there is nothing to judge candidates by: tune needs --validation or a validation split".into(),
            )
            .into());
        }
        Ok(Some(Trial { candidate, options: options.clone(), epochs, validation, seconds }))
    }

    fn found(&mut self, best: &Best) -> anyhow::Result<()> {
        // A search that is killed leaves the best that it has found.
        Ok(write(&self.run.output, &self.run.configuration(self.task, self.said, best, self.by)?)?)
    }

    fn keep(&mut self, trials: &mut Trials, trial: Trial) -> anyhow::Result<()> {
        self.spent += trial.seconds;
        if self.pace == 0.0 {
            self.pace = trial.seconds / trial.epochs.max(1) as f64;
        }
        if !self.quiet {
            let options: Vec<String> =
                trial.options.iter().map(|(name, value)| format!("--{name} {}", shown(value))).collect();
            let options = if options.is_empty() { "as training does by itself".into() } else { options.join(" ") };
            super::tell(&format!(
                "candidate {}, {}: {} {}, {:.1} s, {:.1} of {:.1} min; {options}\n",
                trial.candidate,
                counted(trial.epochs, "epoch"),
                self.by.score.title,
                figure(&trial, self.by),
                trial.seconds,
                self.spent / 60.0,
                self.seconds / 60.0,
            ));
        }
        Ok(trials.push(trial)?)
    }
}

/// An option's value as it is typed.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The epochs that a training chose for itself.
fn epochs_of(fitted: &Fitted) -> Option<usize> {
    let (_, record) = fitted.model.as_ref()?;
    usize::try_from(record.training.get("epochs")?.as_u64()?).ok()
}
