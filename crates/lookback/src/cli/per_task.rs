//! Commands with one subcommand per task, each with the options of its task.

use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::options_file::OptionsFile;
use crate::tasks::{Entry, TASKS};

/// What was typed: which task, and what the command takes beside the options of that.
#[derive(Debug)]
pub(super) struct PerTask<R> {
    pub(super) task: &'static Entry,
    pub(super) run: R,
    /// All that was typed behind the task, its own options among it.
    pub(super) typed: ArgMatches,
    /// The file of options, once it was read.
    pub(super) file: Option<OptionsFile>,
}

impl<R: Args> Args for PerTask<R> {
    fn augment_args(command: Command) -> Command {
        let subcommand = |task: &Entry| {
            let run = R::augment_args(Command::new(task.name).about(task.about).allow_negative_numbers(true));
            let run = run.mut_arg("data", |data| data.help(format!("Training data: {}", task.data)));
            // Options bring a sentence about themselves, which is none about the task.
            (task.arguments)(run).about(task.about).long_about(None::<&str>)
        };
        let command = command.subcommand_required(true).arg_required_else_help(true).subcommand_value_name("TASK");
        TASKS.iter().fold(command, |command, task| command.subcommand(subcommand(task)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<R: FromArgMatches> FromArgMatches for PerTask<R> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let missing = || clap::Error::new(clap::error::ErrorKind::MissingSubcommand);
        let (name, typed) = matches.subcommand().ok_or_else(missing)?;
        let task = TASKS.iter().find(|task| task.name == name).ok_or_else(missing)?;
        Ok(PerTask { task, run: R::from_arg_matches(typed)?, typed: typed.clone(), file: None })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
