//! What was tried, kept in a file of JSON Lines: first what the search is told apart by, then a trial each.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use lookback_infer::model::Validation;
use serde::{Deserialize, Serialize};
use serde_json::json;
use toml::Table;

use crate::train::Identity;

/// A candidate that was trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// The candidate, in the order in which they are drawn.
    pub candidate: usize,
    /// Its options, where they are not what was said.
    pub options: Table,
    /// Epochs that it was trained for.
    pub epochs: usize,
    /// How it did; none where its training diverged.
    pub validation: Option<Validation>,
    /// How long it took.
    pub seconds: f64,
}

/// The trials of a search, in memory and in their file.
#[derive(Debug)]
pub struct Trials {
    path: PathBuf,
    identity: Identity,
    /// Open once there is a trial to write: until then what stood there stays.
    file: Option<File>,
    made: Vec<Trial>,
}

/// A file of trials that cannot be used, in a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongTrials(String);

impl Trials {
    /// Of the file `path`: with the trials that stand there where the search goes on, else none. What stands there is replaced
    /// when the first trial is kept.
    ///
    /// # Errors
    /// If the file cannot be read, or is of another search.
    pub fn open(path: &Path, identity: &Identity, resume: bool) -> Result<Trials, WrongTrials> {
        let failed = |error: &dyn std::fmt::Display| WrongTrials(format!("{}: {error}", path.display()));
        let made = match resume {
            true => read(path, identity)?,
            false => Vec::new(),
        };
        if path.is_dir() {
            return Err(failed(&"it is a directory"));
        }
        Ok(Trials { path: path.to_owned(), identity: identity.clone(), file: None, made })
    }

    /// Begins the file, with the trials that were made before. It is written anew as well where the search goes on: a line
    /// that a killed one has half written goes.
    fn begin(&self) -> std::io::Result<File> {
        let lines =
            std::iter::once(json!({ "search": self.identity })).chain(self.made.iter().map(|trial| json!(trial)));
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        let beside = self.path.with_extension("jsonl.new");
        std::fs::write(&beside, text)?;
        std::fs::rename(&beside, &self.path)?;
        OpenOptions::new().append(true).open(&self.path)
    }

    /// Whether a search stands in `path`, which a new one would replace.
    ///
    /// # Errors
    /// If something else stands there.
    pub fn stand_in(path: &Path) -> Result<bool, WrongTrials> {
        match std::fs::read_to_string(path) {
            Ok(text) if text.is_empty() => Ok(false),
            Ok(text) if text.starts_with("{\"search\":") => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            _ => Err(WrongTrials(format!("{} is no file of trials, and one would take its place", path.display()))),
        }
    }

    /// What was tried, in order.
    pub fn made(&self) -> &[Trial] {
        &self.made
    }

    /// What this candidate did after so many epochs, where it was tried.
    pub fn find(&self, candidate: usize, epochs: usize) -> Option<&Trial> {
        self.made.iter().find(|trial| trial.candidate == candidate && trial.epochs == epochs)
    }

    /// Keeps a trial.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn push(&mut self, trial: Trial) -> Result<(), WrongTrials> {
        let line = format!("{}\n", json!(trial));
        let begun = match self.file.take() {
            Some(file) => Ok(file),
            None => self.begin(),
        };
        let written = begun.and_then(|mut file| {
            file.write_all(line.as_bytes())?;
            file.flush()?;
            Ok(file)
        });
        self.file = Some(written.map_err(|error| WrongTrials(format!("{}: {error}", self.path.display())))?);
        self.made.push(trial);
        Ok(())
    }
}

/// The first line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Begun {
    search: Identity,
}

fn read(path: &Path, identity: &Identity) -> Result<Vec<Trial>, WrongTrials> {
    let wrong = |problem: String| WrongTrials(format!("--resume: {}{problem}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(format!(" cannot be read: {error}")))?;
    let mut lines = text.lines();
    let begun: Begun = lines
        .next()
        .and_then(|line| serde_json::from_str(line).ok())
        .ok_or_else(|| wrong(" is no file of trials".into()))?;
    if let Some(difference) = begun.search.difference(identity) {
        return Err(wrong(format!(" is of another search: {difference}")));
    }
    let whole = text.ends_with('\n');
    let lines: Vec<&str> = lines.collect();
    let count = lines.len();
    let mut made = Vec::new();
    for (place, line) in lines.into_iter().enumerate() {
        match serde_json::from_str(line) {
            Ok(trial) => made.push(trial),
            // What a killed search has half written.
            Err(_) if place + 1 == count && !whole => {}
            Err(error) => return Err(wrong(format!(", line {}: {error}", place + 2))),
        }
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(candidate: usize) -> Trial {
        let validation = Some(Validation { loss: 0.5, scores: vec![Some(0.75), None] });
        let options = Table::from_iter([("hidden".to_owned(), 8.into())]);
        Trial { candidate, options, epochs: 3, validation, seconds: 1.25 }
    }

    #[test]
    fn trials_come_back_and_a_half_written_one_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.jsonl");
        assert!(!Trials::stand_in(&path).unwrap());
        let identity = Identity { task: "classify".into(), ..Identity::default() };
        let mut trials = Trials::open(&path, &identity, false).unwrap();
        trials.push(trial(0)).unwrap();
        trials.push(Trial { validation: None, ..trial(1) }).unwrap();
        drop(trials);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"candidate\":2,\"opt").unwrap();
        assert!(Trials::stand_in(&path).unwrap());
        let again = Trials::open(&path, &identity, true).unwrap();
        assert_eq!(again.made(), [trial(0), Trial { validation: None, ..trial(1) }]);
        assert_eq!((again.find(0, 3), again.find(0, 4)), (Some(&trial(0)), None));
    }

    #[test]
    fn another_search_and_other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.jsonl");
        let identity = Identity { task: "classify".into(), ..Identity::default() };
        let mut trials = Trials::open(&path, &identity, false).unwrap();
        assert!(!path.exists(), "nothing is replaced before there is a trial");
        trials.push(trial(0)).unwrap();
        let mut other = identity.clone();
        other.options.insert("hidden".into(), 3.into());
        let refused = Trials::open(&path, &other, true).unwrap_err().to_string();
        assert!(refused.ends_with("is of another search: its hidden is none, and now it is 3"), "{refused}");
        std::fs::write(&path, "text,label\n").unwrap();
        assert!(Trials::stand_in(&path).is_err() && Trials::open(&path, &identity, true).is_err());
    }
}
