//! The tasks: one folder each, with the same file names. No task imports another, and this is the only list of them.

mod chosen;
pub mod classify;
pub mod forecast;
pub mod generate;
pub mod tag;
mod told;
pub mod translate;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::module::Module;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use lookback_infer::error::{Error, ModelFileError, PlanError};
use lookback_infer::input::{Columns, Example};
use lookback_infer::memory_limit::MemoryLimit;
use lookback_infer::model::{Ask, Record, Report, Score, Table, View};
use lookback_infer::model_file::{ModelFile, Tensor, prefix};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::insight::attribution::Attribution;
use crate::network::{Reading, of_encoders, values};
use crate::options_file::{self, OptionsFile, WrongFile};
use crate::search::Choice;
use crate::train::{
    End, Ensemble, Files, Identity, Init, NOT_WITH_INIT, Session, TrainPlan, ValidationPlan, by_name, hash,
};

/// How a task is trained.
pub trait Task {
    /// Its name, and the kind of its model files.
    const NAME: &'static str;
    /// What it is, in one line.
    const ABOUT: &'static str;
    /// What its training data are, in one line.
    const DATA: &'static str;
    /// Its options as a person types them.
    type Options: Args + FromArgMatches + Serialize + DeserializeOwned;
    /// Its options, checked.
    type Plan: 'static;

    /// The options by which a model was made, as far as they are about its inputs and its network.
    ///
    /// # Errors
    /// If the file is of no such model.
    fn options_of(model: &Init) -> Result<Self::Options, Error>;

    /// All options by which a model was trained.
    ///
    /// # Errors
    /// If the file is of no such model.
    fn whole_options_of(model: &Init) -> Result<Self::Options, Error>;

    /// Checks options for training on the file `data`.
    ///
    /// # Errors
    /// If nothing can be trained by them.
    fn plan(data: &Path, options: &Self::Options) -> Result<Self::Plan, PlanError>;

    /// Where validation data come from.
    fn validation(plan: &Self::Plan) -> &ValidationPlan;

    /// Files that are read beside the data, by what they are called.
    fn files(plan: &Self::Plan) -> Vec<(&'static str, &Path)>;

    /// How the training runs.
    fn train(plan: &Self::Plan) -> &TrainPlan;

    /// What else was checked, part by part: the loss, what is read, and as the last the network.
    fn parts(plan: &Self::Plan) -> Vec<Value>;

    /// The names of options of which nothing is said, to be chosen by the data.
    fn open(_plan: &Self::Plan) -> Vec<&'static str> {
        Vec::new()
    }

    /// What it is validated by.
    fn scores(plan: &Self::Plan) -> &'static [Score];

    /// The options that matter most, with values that are worth trying.
    fn choices(_plan: &Self::Plan) -> Vec<Choice> {
        Vec::new()
    }

    /// How an answer changes with what was read, in the units of the data, at this step of it; nothing where the task does not say.
    /// `place`: the file of the input, for messages, and the most memory that it may take.
    ///
    /// # Errors
    /// If the model or the input is of another task, there is no such step, or it takes too much memory.
    fn gradients(
        _model: &Init,
        _example: &Example,
        _step: Option<usize>,
        _place: (&Path, MemoryLimit),
    ) -> Result<Vec<View>, Error> {
        Ok(Vec::new())
    }

    /// What each token or step of an input adds to the answer; nothing where the task does not say. `place`: as of
    /// [`Task::gradients`].
    ///
    /// # Errors
    /// If the model is of another task, or it takes too much memory.
    fn attribution(
        _model: &Init,
        _example: &Example,
        _place: (&Path, MemoryLimit),
    ) -> Result<Option<Attribution>, Error> {
        Ok(None)
    }

    /// What the recurrent layers read of an input, a network of an ensemble after the other; nothing where there are none.
    /// `condition`: the label by which a text is written, of language models that have some.
    ///
    /// # Errors
    /// If the model is of another task, or there is no such label.
    fn readings(model: &Init, example: &Example, _condition: Option<&str>) -> Result<Vec<Reading>, Error> {
        of_encoders(model, example)
    }

    /// Judges what the options of a model give on data, as its columns say, when they are trained anew before every window of a
    /// backtest; `None` where that was interrupted.
    ///
    /// # Errors
    /// If the task has no backtests, or the data are not as the model reads them.
    fn refitted(
        _model: &Init,
        _data: (&Path, &Columns),
        _ask: &Ask,
        _session: &mut Session<'_>,
    ) -> Result<Option<Report>, Error> {
        Err(PlanError::conflict("refit", "is of models that forecast numbers over time").into())
    }

    /// Trains on the file `data`.
    ///
    /// # Errors
    /// If the data are not as the plan reads them, the plan does not fit them, or there is nothing to resume.
    fn fit(data: &Path, plan: &Self::Plan, session: &mut Session<'_>) -> Result<Fitted, Error>;
}

/// What stands after training.
#[derive(Debug)]
pub struct Fitted {
    /// The best model and how it came to be; `None` when training diverged before any epoch was finished.
    pub model: Option<(ModelFile, Record)>,
    /// How training ended.
    pub end: End,
    /// The part of a cross-validation in which it ended, from 1, and how many there are, where it came no further.
    pub part: Option<(usize, usize)>,
    /// Whether a training that was interrupted stands in its checkpoint, to go on from there.
    pub saved: bool,
    /// How many networks were asked for; the model has fewer where training was stopped between.
    pub networks: usize,
    /// What the task is validated by.
    pub scores: &'static [Score],
    /// What is told of the model before it is used: how each label is told apart on what was held out, where anything was.
    pub told: Option<Table>,
}

impl Fitted {
    /// Of what training by `plan` gave. `examples`: of training and of validation; `training`: the training options by name;
    /// `file` makes the model file of the record and the networks' tensors. There may be fewer networks than the plan asked
    /// for, should training have been stopped before the last.
    fn new<M: Module>(
        trained: Ensemble<M>,
        plan: &TrainPlan,
        scores: &'static [Score],
        examples: [usize; 2],
        training: Map<String, Value>,
        file: impl FnOnce(&Record, Vec<(String, Tensor)>) -> Result<ModelFile, ModelFileError>,
    ) -> Result<Fitted, Error> {
        let (networks, end, saved, count) = (plan.ensemble(), trained.end, trained.saved, trained.networks.len());
        if count == 0 {
            return Ok(Fitted { model: None, end, part: None, saved, networks, scores, told: None });
        }
        let record = Record {
            training,
            examples: examples[0],
            validation_examples: examples[1],
            networks: trained.records,
            validation: trained.validation,
        };
        let numbered = trained.networks.iter().enumerate();
        let tensors = numbered.flat_map(|(place, network)| values(network, &prefix(place, count))).collect();
        let file = file(&record, tensors)?;
        Ok(Fitted { model: Some((file, record)), end, part: None, saved, networks, scores, told: None })
    }
}

impl Fitted {
    /// With the files that were read beside the data among the options that the model keeps.
    fn with_files(mut self, files: Files) -> Result<Fitted, Error> {
        if let Some((file, record)) = self.model.as_mut().filter(|_| !files.is_empty()) {
            files.put(&mut record.training);
            file.put_json("record", record)?;
        }
        Ok(self)
    }
}

/// All checked options of a plan by name, where validation data come from among them.
fn options<T: Task>(plan: &T::Plan) -> Map<String, Value> {
    let validation = json!({ "validation-split": T::validation(plan).share() });
    let parts = [json!(T::train(plan)), validation].into_iter().chain(T::parts(plan));
    // What the data decide is told apart from the same value that was asked for.
    let open = T::open(plan).into_iter().map(|name| (name.to_owned(), json!("chosen by the data")));
    parts.flat_map(by_name).chain(open).collect()
}

/// A task in the list.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// What its training data are, in one line.
    pub data: &'static str,
    /// Adds its options to a command.
    pub arguments: fn(Command) -> Command,
    /// Checks its options.
    pub plan: Check,
    /// The options typed, laid over those in a file, as a configuration.
    pub options: fn(&ArgMatches, Option<&OptionsFile>) -> Result<toml::Table, WrongOptions>,
    /// Checks such options for training on the file that comes first.
    pub plan_of: CheckTable,
    /// All options by which a model was trained, as a configuration.
    pub config: fn(&Init) -> Result<toml::Table, WrongOptions>,
    /// How an answer changes with what was read, see [`Task::gradients`].
    pub gradients: Gradients,
    /// What each token or step adds to an answer, see [`Task::attribution`].
    pub attribution: AttributionOf,
    /// What the recurrent layers read of an input, see [`Task::readings`].
    pub readings: Readings,
    /// A backtest with trainings, see [`Task::refitted`].
    pub refitted: Refitted,
}

/// As [`Task::refitted`].
pub type Refitted = fn(&Init, (&Path, &Columns), &Ask, &mut Session<'_>) -> Result<Option<Report>, Error>;

/// As [`Task::readings`].
pub type Readings = fn(&Init, &Example, Option<&str>) -> Result<Vec<Reading>, Error>;

/// As [`Task::attribution`].
pub type AttributionOf = fn(&Init, &Example, (&Path, MemoryLimit)) -> Result<Option<Attribution>, Error>;

/// As [`Task::gradients`].
pub type Gradients = fn(&Init, &Example, Option<usize>, (&Path, MemoryLimit)) -> Result<Vec<View>, Error>;

/// Checks options for training on the file that comes first: those typed, laid over those in a file, laid over those of
/// the model that training begins with.
pub type Check = fn(&Path, &ArgMatches, Option<&OptionsFile>, Option<&Init>) -> Result<Box<dyn Plan>, WrongOptions>;

/// Checks options in a table for training on the file that comes first.
pub type CheckTable = fn(&Path, &toml::Table) -> Result<Box<dyn Plan>, WrongOptions>;

/// Why options are refused.
#[derive(Debug, thiserror::Error)]
pub enum WrongOptions {
    /// They were typed wrongly.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// Their file is wrong.
    #[error(transparent)]
    File(#[from] WrongFile),
    /// Nothing can be trained by them.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The model that training should begin with is wrong.
    #[error(transparent)]
    Model(#[from] Error),
}

/// A checked plan of any task.
pub trait Plan {
    /// The files that are read beside the training data: validation data, where they have one of their own, and what options
    /// name.
    fn files(&self) -> Vec<&Path>;

    /// What the task is validated by.
    fn scores(&self) -> &'static [Score];

    /// Which of them decides.
    fn score(&self) -> Score;

    /// The options that matter most, with values that are worth trying.
    fn choices(&self) -> Vec<Choice>;

    /// What the training is told apart by: the task, its options, and what the files hold.
    fn identity(&self, data: &Path) -> Identity;

    /// Trains on the file `data`.
    ///
    /// # Errors
    /// As [`Task::fit`].
    fn fit(&self, data: &Path, session: &mut Session<'_>) -> Result<Fitted, Error>;
}

struct Planned<T: Task>(T::Plan);

impl<T: Task> Plan for Planned<T> {
    fn files(&self) -> Vec<&Path> {
        let validation = T::validation(&self.0).file().map(PathBuf::as_path);
        validation.into_iter().chain(T::files(&self.0).into_iter().map(|(_, file)| file)).collect()
    }

    fn scores(&self) -> &'static [Score] {
        T::scores(&self.0)
    }

    fn score(&self) -> Score {
        T::train(&self.0).score(T::scores(&self.0))
    }

    fn choices(&self) -> Vec<Choice> {
        T::choices(&self.0)
    }

    fn identity(&self, data: &Path) -> Identity {
        let validation = T::validation(&self.0).file().map(|file| ("validation", file.as_path()));
        let files = [("training", data)].into_iter().chain(validation).chain(T::files(&self.0));
        let hashes = files.map(|(name, file)| (name.to_owned(), hash(file)));
        Identity { task: T::NAME.into(), options: options::<T>(&self.0), data: hashes.collect::<BTreeMap<_, _>>() }
    }

    fn fit(&self, data: &Path, session: &mut Session<'_>) -> Result<Fitted, Error> {
        let files = Files::of(T::validation(&self.0), session.init.as_ref());
        T::fit(data, &self.0, session)?.with_files(files)
    }
}

/// All tasks.
pub const TASKS: [Entry; 5] = [
    entry::<classify::Classify>(),
    entry::<tag::Tag>(),
    entry::<translate::Translate>(),
    entry::<generate::Generate>(),
    entry::<forecast::Forecast>(),
];

const fn entry<T: Task + 'static>() -> Entry {
    Entry {
        name: T::NAME,
        about: T::ABOUT,
        data: T::DATA,
        gradients: T::gradients,
        attribution: T::attribution,
        readings: T::readings,
        refitted: T::refitted,
        arguments: <T::Options as Args>::augment_args,
        options: |typed, file| {
            let options = T::Options::from_arg_matches(typed)?;
            let options = file.map(|file| file.under(&options)).transpose()?.unwrap_or(options);
            Ok(options_file::table(&options)?)
        },
        plan_of: |data, options| {
            let options: T::Options = options_file::of_table(options)?;
            Ok(Box::new(Planned::<T>(T::plan(data, &options)?)))
        },
        config: |init| Ok(options_file::table(&T::whole_options_of(init)?)?),
        plan: |data, typed, file, init| {
            let mut options = T::Options::from_arg_matches(typed)?;
            if let Some(file) = file {
                options = file.under(&options)?;
            }
            if let Some(init) = init {
                if options_file::table(&options)?.contains_key("embeddings") {
                    return Err(PlanError::conflict("embeddings", NOT_WITH_INIT).into());
                }
                options = options_file::over(&options, &T::options_of(init)?)?;
            }
            let plan = match (T::plan(data, &options), init) {
                (Ok(plan), _) => plan,
                // What the model is like must not be laid at the door of options that nobody typed.
                (Err(_), Some(init)) if T::plan(data, &T::Options::from_arg_matches(typed)?).is_ok() => {
                    let problem = format!("{} is of a model that does not read such data", init.path.display());
                    return Err(PlanError::conflict("init", problem).into());
                }
                (Err(error), _) => return Err(error.into()),
            };
            if let (Some(init), Some(network)) = (init, T::parts(&plan).pop()) {
                init.check_network(&by_name(network))?;
            }
            Ok(Box::new(Planned::<T>(plan)))
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_can_be_trained_can_answer() {
        let answering: Vec<&str> = lookback_infer::tasks::TASKS.iter().map(|task| task.name).collect();
        assert_eq!(TASKS.map(|task| task.name).to_vec(), answering);
    }
}
