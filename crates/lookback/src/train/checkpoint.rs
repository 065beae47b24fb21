//! Checkpoints: a training as it stands, in one file that is written whole or not at all.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime};

use burn::module::Module;
use lookback_infer::error::{ModelFileError, PlanError};
use lookback_infer::model::NetworkRecord;
use lookback_infer::model_file::{CHECKPOINT_KIND, ModelFile, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::state::TrainState;
use crate::network::values;

const IDENTITY: &str = "identity";
const FINISHED: &str = "finished";
const PARTS: &str = "parts";
/// What the hash of the model that training begins with is kept under.
const INITIAL: &str = "initial model's";

/// How often a checkpoint is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Every {
    /// After so many steps.
    Steps(usize),
    /// After so much time, at the next step.
    Time(Duration),
}

impl Default for Every {
    /// Every five minutes.
    fn default() -> Self {
        Every::Time(Duration::from_secs(300))
    }
}

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "a number of steps or a time was expected, such as 200steps, 300s, 5min or 1h".to_owned();
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let count = number.parse::<u64>().ok().filter(|&count| count > 0).ok_or_else(expected)?;
        let time = |seconds| count.checked_mul(seconds).map(|seconds| Every::Time(Duration::from_secs(seconds)));
        let every = match unit.trim_start() {
            "steps" => usize::try_from(count).ok().map(Every::Steps),
            "s" => time(1),
            "m" | "min" => time(60),
            "h" => time(60 * 60),
            _ => None,
        };
        every.ok_or_else(expected)
    }
}

impl TryFrom<String> for Every {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Every> for String {
    fn from(every: Every) -> String {
        every.to_string()
    }
}

impl std::fmt::Display for Every {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Every::Steps(steps) => write!(f, "{steps}steps"),
            Every::Time(time) => write!(f, "{}s", time.as_secs()),
        }
    }
}

/// What a training is told apart by: only the very same can be gone on with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The task.
    pub task: String,
    /// All checked options, by name.
    pub options: Map<String, Value>,
    /// What each file that is read holds: the SHA-256 of its bytes, by what it is read for.
    pub data: BTreeMap<String, String>,
}

/// What a part of a plan says, those of its encoder among the rest.
pub(crate) fn by_name(part: Value) -> Map<String, Value> {
    let Value::Object(mut options) = part else { return Map::new() };
    if let Some(encoder) = options.remove("encoder") {
        options.extend(by_name(encoder));
    }
    options
}

impl Identity {
    /// A training that begins with the model in `path`.
    pub(crate) fn begins_with(&mut self, path: &Path, extend: bool) {
        self.data.insert(INITIAL.into(), hash(path));
        self.options.insert("extend".into(), extend.into());
    }

    /// What differs from `other`, in a sentence.
    pub(crate) fn difference(&self, other: &Identity) -> Option<String> {
        if self.task != other.task {
            return Some(format!("it is of {}, and this is {}", self.task, other.task));
        }
        let keys: std::collections::BTreeSet<&String> = self.options.keys().chain(other.options.keys()).collect();
        let differing = keys.into_iter().find(|key| self.options.get(*key) != other.options.get(*key));
        let shown = |value: Option<&Value>| match value {
            None | Some(Value::Null) => "none".to_owned(),
            Some(value) => value.to_string(),
        };
        match (self.data.contains_key(INITIAL), other.data.contains_key(INITIAL)) {
            (false, true) => return Some("it did not begin with a model by --init, and this does".into()),
            (true, false) => return Some("it began with a model by --init, and this does not".into()),
            _ => {}
        }
        if let Some(key) = differing {
            let (its, ours) = (shown(self.options.get(key)), shown(other.options.get(key)));
            return Some(format!("its {key} is {its}, and now it is {ours}"));
        }
        let names: std::collections::BTreeSet<&String> = self.data.keys().chain(other.data.keys()).collect();
        let changed = names.into_iter().find(|name| self.data.get(*name) != other.data.get(*name));
        changed.map(|name| format!("the {name} data are not those that it was trained on"))
    }
}

/// Where and how often a training is saved, and what it is.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The file.
    pub file: PathBuf,
    /// How often.
    pub every: Every,
    /// What is trained.
    pub identity: Identity,
    /// What the parts of a cross-validation gave that are done; it goes into the file with all else.
    parts: Vec<Part>,
    /// When what stood in the file before was written.
    before: Option<SystemTime>,
    /// Whether the last one could not be written, which is told once.
    failing: Cell<bool>,
}

/// What goes from one batch to the next, by name.
type Carried = BTreeMap<String, Tensor>;

/// What its tensors begin with.
const CARRIED: &str = "carried.";

/// Takes what goes from one batch to the next out of a checkpoint.
pub(super) fn take_carried(file: &mut ModelFile) -> Carried {
    let names: Vec<String> = file.tensors.keys().filter(|name| name.starts_with(CARRIED)).cloned().collect();
    let take = |name: String| Some((name[CARRIED.len()..].to_owned(), file.tensors.remove(&name)?));
    names.into_iter().filter_map(take).collect()
}

/// What the training of one part of a cross-validation gave, by name.
pub(crate) type Part = BTreeMap<String, Tensor>;

/// What stands in a checkpoint.
pub(super) struct Saved {
    /// The tensors, but for those of the parts, and the state, where there is one.
    pub(super) file: ModelFile,
    /// The networks that are finished.
    pub(super) finished: Vec<NetworkRecord>,
    /// The parts of a cross-validation that are done.
    pub(super) parts: Vec<Part>,
}

impl Checkpoint {
    /// For a training that begins now.
    pub fn new(file: PathBuf, every: Every, identity: Identity) -> Checkpoint {
        let before = written(&file);
        Checkpoint { file, every, identity, parts: Vec::new(), before, failing: Cell::new(false) }
    }

    /// Whether a training that was stopped stands in the file, which a new one would replace.
    ///
    /// # Errors
    /// If something else stands there.
    pub(crate) fn stands_in(file: &Path) -> Result<bool, String> {
        // What holds nothing can be replaced; a device or pipe is written straight.
        match std::fs::metadata(file) {
            Ok(found) if found.is_file() && found.len() > 0 => {}
            _ => return Ok(false),
        }
        match ModelFile::read_any(file, CHECKPOINT_KIND) {
            Ok(_) => Ok(true),
            Err(error) => {
                Err(format!("{error}; a checkpoint would take its place: give another --checkpoint, or remove it"))
            }
        }
    }

    /// Removes the file when it is no longer needed, and what stood there before. What another training has put there
    /// meanwhile stays.
    pub(crate) fn remove(&self) {
        let of_this = || {
            let file = ModelFile::read_any(&self.file, CHECKPOINT_KIND).ok()?;
            file.json::<Identity>(&self.file, IDENTITY).ok().filter(|identity| *identity == self.identity)
        };
        // A device or pipe is not of its making.
        if self.file.is_file() && (written(&self.file) == self.before || of_this().is_some()) {
            let _ = std::fs::remove_file(&self.file);
        }
    }

    /// Reads the file to go on from it.
    ///
    /// # Errors
    /// If there is none, it is damaged, or of another training; the message says what differs.
    pub(super) fn read(&self) -> Result<Saved, lookback_infer::Error> {
        let path = &self.file;
        if !path.exists() {
            let problem = format!("has nothing to go on from: there is no checkpoint {}", path.display());
            return Err(PlanError::conflict("resume", problem).into());
        }
        let mut file = ModelFile::read_any(path, CHECKPOINT_KIND)?;
        let identity: Identity = file.json(path, IDENTITY)?;
        if let Some(difference) = identity.difference(&self.identity) {
            let problem = format!("cannot go on from {}: {difference}", path.display());
            return Err(PlanError::conflict("resume", problem).into());
        }
        let finished = file.json(path, FINISHED)?;
        let mut parts = vec![Part::new(); file.json(path, PARTS)?];
        for (place, part) in parts.iter_mut().enumerate() {
            let prefix = part_prefix(place);
            let own = |name: &String| name.strip_prefix(&prefix).map(str::to_owned);
            let (of_part, others) =
                std::mem::take(&mut file.tensors).into_iter().partition(|(name, _)| own(name).is_some());
            let of_part: Part = of_part;
            *part = of_part.into_iter().filter_map(|(name, tensor)| Some((own(&name)?, tensor))).collect();
            file.tensors = others;
        }
        Ok(Saved { file, finished, parts })
    }

    /// The parts of a cross-validation that are done in the file, which from now on are written with all else.
    ///
    /// # Errors
    /// As [`Checkpoint::read`].
    pub(super) fn take_up_parts(&mut self) -> Result<Vec<Part>, lookback_infer::Error> {
        self.parts = self.read()?.parts;
        Ok(self.parts.clone())
    }

    /// Writes that one more part of a cross-validation is done; the next has not begun.
    pub(super) fn part_done(&mut self, part: Part) {
        self.parts.push(part);
        self.write(|file| file.put_json::<[NetworkRecord]>(FINISHED, &[]).map_err(|error| error.to_string()));
    }

    /// Writes the file; `put` adds what is no part. What cannot be written is told, once; the one before stays, and training
    /// goes on. Gives whether it was written.
    fn write(&self, put: impl FnOnce(&mut ModelFile) -> Result<(), String>) -> bool {
        let written = self.whole(put).and_then(|file| file.write_any(&self.file).map_err(|error| error.to_string()));
        if let Err(error) = &written
            && !self.failing.get()
        {
            let before = if self.file.is_file() { "; the one before is left as it was" } else { "" };
            tracing::warn!("no checkpoint was written{before}: {error}");
        }
        self.failing.set(written.is_err());
        written.is_ok()
    }

    fn whole(&self, put: impl FnOnce(&mut ModelFile) -> Result<(), String>) -> Result<ModelFile, String> {
        let words = |error: ModelFileError| error.to_string();
        let mut file = ModelFile::new(CHECKPOINT_KIND);
        file.put_json(IDENTITY, &self.identity).map_err(words)?;
        file.put_json(PARTS, &self.parts.len()).map_err(words)?;
        for (place, part) in self.parts.iter().enumerate() {
            let prefix = part_prefix(place);
            file.tensors.extend(part.iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor.clone())));
        }
        put(&mut file)?;
        Ok(file)
    }
}

/// When the last checkpoint of a training was written, whichever of its networks that was of.
pub(super) struct Clock {
    last: Instant,
    steps: usize,
}

impl Clock {
    pub(super) fn new() -> Self {
        Clock { last: Instant::now(), steps: 0 }
    }
}

/// When a file was written; none where that cannot be told.
fn written(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|found| found.modified()).ok()
}

/// Writes checkpoints while a network is trained.
pub(super) struct Saver<'a, N> {
    checkpoint: &'a Checkpoint,
    /// The networks that were finished before this one.
    finished: &'a [(N, NetworkRecord)],
    clock: &'a mut Clock,
}

impl<'a, N: Module> Saver<'a, N> {
    pub(super) fn new(checkpoint: &'a Checkpoint, finished: &'a [(N, NetworkRecord)], clock: &'a mut Clock) -> Self {
        Saver { checkpoint, finished, clock }
    }

    /// Saves if it is time. A checkpoint that cannot be written is told; the one before stays, and training goes on.
    /// `carried`: what goes from this batch to the next.
    pub(super) fn after_step(&mut self, state: &TrainState<N>, carried: impl FnOnce() -> Carried) {
        self.clock.steps += 1;
        let due = match self.checkpoint.every {
            Every::Steps(steps) => self.clock.steps >= steps,
            Every::Time(time) => self.clock.last.elapsed() >= time,
        };
        if due {
            self.save(state, carried());
        }
    }

    /// Saves now; whether that was possible.
    pub(super) fn save(&mut self, state: &TrainState<N>, carried: Carried) -> bool {
        let written = self.checkpoint.write(|file| {
            file.tensors.extend(carried.into_iter().map(|(name, tensor)| (format!("{CARRIED}{name}"), tensor)));
            self.put(state, file)
        });
        // Measured from the end, so that writing can never take all the time there is.
        *self.clock = Clock::new();
        written
    }

    fn put(&self, state: &TrainState<N>, file: &mut ModelFile) -> Result<(), String> {
        let records: Vec<&NetworkRecord> = self.finished.iter().map(|(_, record)| record).collect();
        file.put_json(FINISHED, &records).map_err(|error| error.to_string())?;
        for (place, (network, _)) in self.finished.iter().enumerate() {
            file.tensors.extend(values(network, &finished_prefix(place)));
        }
        state.put(file)
    }
}

/// What the tensors of a finished network begin with.
pub(super) fn finished_prefix(place: usize) -> String {
    format!("finished.{place}.")
}

/// What the tensors of a part of a cross-validation begin with.
fn part_prefix(place: usize) -> String {
    format!("part.{place}.")
}

/// The SHA-256 of a file's bytes, in hexadecimal; empty where there is no file, which its reader then tells.
pub(crate) fn hash(file: &Path) -> String {
    use sha2::{Digest, Sha256};
    let mut digest = Sha256::new();
    match std::fs::File::open(file).and_then(|mut file| std::io::copy(&mut file, &mut digest)) {
        Ok(_) => digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_steps_are_read_as_they_are_written() {
        assert_eq!("200steps".parse(), Ok(Every::Steps(200)));
        assert_eq!("300s".parse(), Ok(Every::default()));
        assert_eq!(["5m", "5min", "5 min"].map(str::parse), [(); 3].map(|()| Ok(Every::default())));
        assert_eq!("1h".parse(), Ok(Every::Time(Duration::from_secs(3600))));
        assert_eq!(Every::default().to_string(), "300s");
        for wrong in ["", "0s", "0steps", "5", "5d", "-1s", "s", "99999999999999999999s", "9999999999999999h"] {
            assert!(wrong.parse::<Every>().unwrap_err().contains("such as 200steps, 300s"), "{wrong}");
        }
    }

    #[test]
    fn what_differs_is_named() {
        let identity = |epochs: u64, hash: &str| Identity {
            task: "classify".into(),
            options: [("epochs".to_owned(), epochs.into())].into_iter().collect(),
            data: [("training".to_owned(), hash.to_owned())].into(),
        };
        assert_eq!(identity(3, "a").difference(&identity(3, "a")), None);
        let told = identity(3, "a").difference(&identity(4, "a")).unwrap();
        assert_eq!(told, "its epochs is 3, and now it is 4");
        let told = identity(3, "a").difference(&identity(3, "b")).unwrap();
        assert_eq!(told, "the training data are not those that it was trained on");
    }
}
