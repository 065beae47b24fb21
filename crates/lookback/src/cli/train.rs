//! `lookback train TASK DATA`.

use std::path::{Path, PathBuf};

use clap::{Args, Command};
use lookback_infer::model::{Record, Score};
use lookback_infer::model_file::{ModelFile, check_writable};
use serde::{Deserialize, Serialize};

use super::per_task::PerTask;
use super::threads::Threads;
use super::{Interrupted, UsageError, load, signals};
use crate::insight::terminal;
use crate::options_file::OptionsFile;
use crate::tasks::{Fitted, Plan, WrongOptions};
use crate::train::{Checkpoint, End, Every, Init, Log, Progress, Session, Silent, TerminalProgress};

/// Train a model on your data: one subcommand per task.
pub(super) type Train = PerTask<Run>;

/// What every training takes beside the options of its task, and no file of options holds.
#[derive(Args, Debug)]
pub(super) struct Run {
    /// Training data
    data: PathBuf,
    /// TOML file with options, under the names of the flags, output and threads among them; a flag wins over it. Paths in it
    /// are taken from where the program is run, as those of flags are
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Go on from the checkpoint, to the same bytes as if training had never been stopped
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    files: Files,
}

/// What every training writes and begins with.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Files {
    /// Where the model is written [default: model.safetensors]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Where the training is saved, to go on from should it be stopped; removed when it ends well [default: OUTPUT with
    /// .checkpoint added; none where OUTPUT is a device or pipe, or data come from one]
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// How often it is saved, in steps or by time: 200steps, 300s, 5min, 1h [default: 300s]
    #[arg(long, value_name = "N")]
    checkpoint_every: Option<Every>,
    /// Model to train on from: its network, vocabulary and labels are kept
    #[arg(long, value_name = "MODEL")]
    init: Option<PathBuf>,
    /// Add tokens and labels that the model of --init does not know, rather than refuse them
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    extend: Option<bool>,
    /// Write metrics there as JSON Lines, one object per epoch
    ///
    /// An epoch's has network, epoch, loss (the mean over the epoch), validation (the loss and the scores), best, samples
    /// and seconds; a step's has network, epoch, step, loss (the mean over the epoch so far) and learning_rate. With
    /// --resume it goes on behind what led to the checkpoint.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// And one every so many steps
    #[arg(long, value_name = "STEPS", value_parser = clap::value_parser!(u64).range(1..))]
    log_steps: Option<u64>,
}

impl Files {
    /// Refuses what says nothing without another option, wherever the two stand.
    fn check(&self) -> Result<(), UsageError> {
        let alone = [
            ("--extend", "--init", self.extend == Some(true) && self.init.is_none()),
            ("--log-steps", "--log", self.log_steps.is_some() && self.log.is_none()),
        ];
        if let Some((option, other, _)) = alone.into_iter().find(|(_, _, alone)| *alone) {
            return Err(UsageError(format!("{option} needs {other}")));
        }
        match self.log_steps {
            Some(0) => Err(UsageError("--log-steps is 0; it must be at least 1".into())),
            _ => Ok(()),
        }
    }

    /// Where the model is written.
    fn output(&self) -> &Path {
        self.output.as_deref().unwrap_or(Path::new("model.safetensors"))
    }

    fn extend(&self) -> bool {
        self.extend.unwrap_or_default()
    }
}

impl PerTask<Run> {
    /// Reads the file of options, where there is one, and lays what was typed over it. It may say how many threads there are,
    /// so that this comes before all else; it may be a pipe, so that it is read once.
    pub(super) fn read_config(&mut self, threads: &mut Threads) -> Result<(), WrongOptions> {
        let Some(file) = &self.run.config else { return Ok(()) };
        let own = Threads::augment_args(Files::augment_args(Command::new("train")));
        let file = OptionsFile::read(file, &[&own, &(self.task.arguments)(Command::new(self.task.name))])?;
        *threads = file.under(threads)?;
        self.run.files = file.under(&self.run.files)?;
        self.file = Some(file);
        Ok(())
    }

    pub(super) fn run(self, quiet: bool) -> anyhow::Result<()> {
        let PerTask { task, run, typed, file } = self;
        run.files.check()?;
        load::refuse_model_as_data(&run.data)?;
        let (output, extend) = (run.files.output(), run.files.extend());
        let init = run.files.init.as_ref().map(|path| Init::read(path, task.name, extend)).transpose()?;
        let plan = (task.plan)(&run.data, &typed, file.as_ref(), init.as_ref())?;
        let checkpoint = run.checkpoint_file(&*plan)?;
        run.refuse_to_overwrite(&*plan, checkpoint.as_deref())?;
        check_writable(output).map_err(|error| UsageError(error.to_string()))?;
        if let Some(file) = &checkpoint {
            check_writable(file).map_err(|error| UsageError(error.to_string()))?;
            if !run.resume && Checkpoint::stands_in(file).map_err(UsageError)? {
                tracing::warn!(
                    "{} is of a training that was stopped; --resume goes on with it, and without it will be replaced",
                    file.display()
                );
            }
        }
        let stop = signals::listen()?;
        let identity = || {
            let mut identity = plan.identity(&run.data);
            if let Some(path) = &run.files.init {
                identity.begins_with(path, extend);
            }
            identity
        };
        let mut terminal: Box<dyn Progress> = if quiet { Box::new(Silent) } else { Box::new(TerminalProgress::new()) };
        let mut log;
        let progress: &mut dyn Progress = match &run.files.log {
            Some(file) => {
                let every = run.files.log_steps.map(|steps| steps as usize);
                log = Log::open(file, every, run.resume, &mut *terminal)
                    .map_err(|error| UsageError(format!("--log {}: {error}", file.display())))?;
                &mut log
            }
            None => &mut *terminal,
        };
        let checkpoint =
            checkpoint.map(|file| Checkpoint::new(file, run.files.checkpoint_every.unwrap_or_default(), identity()));
        let device = super::device();
        let mut session = Session {
            device: &device,
            stop: &stop,
            progress,
            checkpoint: checkpoint.clone(),
            resume: run.resume,
            init,
        };
        let fitted = plan.fit(&run.data, &mut session)?;
        if let (Some(table), false) = (&fitted.told, quiet) {
            super::tell(&format!("\n{}{}\n\n", terminal::table(&table.header, &table.rows), table.note));
        }
        finish(&fitted, output, checkpoint.as_ref())
    }
}

impl Run {
    /// Where the training is saved, if it can be: what is read once, from a device or pipe, cannot be compared with what is
    /// there when training goes on.
    fn checkpoint_file(&self, plan: &dyn Plan) -> Result<Option<PathBuf>, UsageError> {
        let is_other = |file: &Path| file.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir());
        let own = [Some(self.data.as_path()), self.files.init.as_deref()];
        let mut read = own.into_iter().flatten().chain(plan.files());
        let once = read.find(|file| *file == Path::new("-") || is_other(file));
        match (&self.files.checkpoint, once) {
            (Some(_), Some(file)) => {
                let file = file.display();
                Err(UsageError(format!("--checkpoint needs data in files that can be read again, but {file} is none")))
            }
            (None, Some(file)) if self.resume => {
                let file = file.display();
                Err(UsageError(format!("--resume needs data in files that can be read again, but {file} is none")))
            }
            (Some(file), None) => Ok(Some(file.clone())),
            (None, None) if is_other(self.files.output()) => match self.resume {
                true => Err(UsageError(format!(
                    "--resume needs --checkpoint, for {} has no file beside it",
                    self.files.output().display()
                ))),
                false => Ok(None),
            },
            (None, None) => {
                let mut name = self.files.output().to_path_buf().into_os_string();
                name.push(".checkpoint");
                Ok(Some(name.into()))
            }
            (None, Some(_)) => Ok(None),
        }
    }

    /// What is written must not take the place of a file that this run reads, nor of each other.
    fn refuse_to_overwrite(&self, plan: &dyn Plan, checkpoint: Option<&Path>) -> anyhow::Result<()> {
        let written = [Some(self.files.output()), checkpoint, self.files.log.as_deref()];
        let written: Vec<&Path> = written.into_iter().flatten().collect();
        let same = |a: &Path, b: &Path| a == b || matches!((place(a), place(b)), (Some(a), Some(b)) if a == b);
        let own = [Some(self.data.as_path()), self.config.as_deref(), self.files.init.as_deref()];
        for file in own.into_iter().flatten().chain(plan.files()) {
            if written.iter().any(|output| same(output, file)) {
                let sentence = format!("{} is read and cannot be the output as well", file.display());
                return Err(UsageError(sentence).into());
            }
        }
        for (place, file) in written.iter().enumerate() {
            if written[..place].iter().any(|other| same(other, file)) {
                let sentence = format!("{} is to be written twice, by --output, --checkpoint or --log", file.display());
                return Err(UsageError(sentence).into());
            }
        }
        Ok(())
    }
}

/// Where a file stands, or would stand, whatever way leads there.
pub(super) fn place(file: &Path) -> Option<PathBuf> {
    let folder = match file.parent()? {
        here if here.as_os_str().is_empty() => Path::new("."),
        folder => folder,
    };
    file.canonicalize()
        .or_else(|_| folder.canonicalize().map(|folder| folder.join(file.file_name().unwrap_or_default())))
        .ok()
}

/// Saves the model, if there is one, and says how training ended. The checkpoint is no longer needed when it ended well.
pub(super) fn finish(fitted: &Fitted, output: &Path, checkpoint: Option<&Checkpoint>) -> anyhow::Result<()> {
    let of_part = |(part, parts): (usize, usize)| format!(" part {part} of {parts} of the cross-validation,");
    let part = fitted.part.map_or_else(String::new, of_part);
    let kept = match &fitted.model {
        _ if fitted.part.is_some() => "there is no model yet".into(),
        Some((file, record)) => saved(file, record, fitted.networks, fitted.scores, output)?,
        None => "no epoch was finished before, so there is no model to keep".into(),
    };
    match fitted.end {
        End::Completed | End::EarlyStopped => {
            if let Some(checkpoint) = checkpoint {
                checkpoint.remove();
            }
            super::print(&format!("{kept}\n"))?;
            Ok(())
        }
        End::Interrupted { epoch, step } => {
            let on = match checkpoint {
                Some(_) if fitted.saved => "; --resume goes on from here",
                _ => "",
            };
            Err(Interrupted(format!("interrupted in{part} epoch {epoch}, step {step}; {kept}{on}")).into())
        }
        End::Diverged { epoch, step, what, value } => Err(anyhow::anyhow!(
            "training diverged: in{part} epoch {epoch}, step {step} the {what} is {value}; a lower learning rate may help; {kept}"
        )),
    }
}

/// Saves the model and says where, and what it is.
fn saved(
    model: &ModelFile,
    record: &Record,
    networks: usize,
    scores: &[Score],
    output: &Path,
) -> anyhow::Result<String> {
    let begun = record.networks.iter().all(|network| network.epochs == 0);
    // What was stopped in its first epoch is hardly trained; what stands there may be the work of hours.
    let (file, left) = if begun && output.is_file() {
        (beside(output), format!("{} is left as it was; ", output.display()))
    } else {
        (output.to_owned(), String::new())
    };
    model.write(&file)?;
    let score = record
        .validation
        .as_ref()
        .map_or_else(String::new, |validation| format!(", validation {}", validation.show(scores)));
    let epochs: Vec<String> = record.networks.iter().map(|network| network.epoch.to_string()).collect();
    let unfinished = record.networks.last().is_some_and(|network| network.epoch > network.epochs);
    let what = match epochs.as_slice() {
        [epoch] if networks == 1 && unfinished => format!("the model of epoch {epoch}, which was not finished"),
        [epoch] if networks == 1 => format!("the model of epoch {epoch}"),
        [epoch] => format!("one network of {networks}, of epoch {epoch}"),
        several if several.len() < networks => {
            format!("{} networks of {networks}, of epochs {}", several.len(), several.join(", "))
        }
        several => format!("{} networks, of epochs {}", several.len(), several.join(", ")),
    };
    Ok(format!("{left}{}: {what}{score}", file.display()))
}

/// A name beside `output` that no file has: `model.interrupted.safetensors`.
fn beside(output: &Path) -> PathBuf {
    let name = |count: usize| {
        let mut name = output.file_stem().unwrap_or_default().to_owned();
        name.push(".interrupted");
        if count > 1 {
            name.push(format!("-{count}"));
        }
        if let Some(extension) = output.extension() {
            name.push(".");
            name.push(extension);
        }
        output.with_file_name(name)
    };
    (1..).map(name).find(|path| path.symlink_metadata().is_err()).unwrap_or_else(|| name(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_beside_the_model_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for expected in
            ["a.b.interrupted.safetensors", "a.b.interrupted-2.safetensors", "a.b.interrupted-3.safetensors"]
        {
            let free = beside(&path("a.b.safetensors"));
            assert_eq!(free, path(expected));
            std::fs::write(free, "").unwrap();
        }
        assert_eq!(beside(&path("model")), path("model.interrupted"));
    }
}
