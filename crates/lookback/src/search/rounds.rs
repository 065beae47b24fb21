//! In what order candidates are tried, and for how long.

use std::cmp::Ordering;

use lookback_infer::model::{Score, Validation};
use toml::Table;

use super::candidates::Candidates;
use super::trials::{Trial, Trials};

/// Candidates that a round begins with.
const WIDTH: usize = 9;
/// Of which one in so many goes on, for so many times the epochs.
const SHARE: usize = 3;
/// Steps of a round.
const STEPS: u32 = 3;

/// Trains candidates.
pub trait Trainer {
    /// What ends a search.
    type Error;

    /// Whether a candidate can be trained.
    fn allows(&self, candidate: &Table) -> bool;

    /// Trains a candidate for so many epochs, or for as many as it is trained by itself; `None` where the search is to end
    /// first.
    ///
    /// # Errors
    /// If nothing can be trained.
    fn train(&mut self, candidate: usize, options: &Table, epochs: Option<usize>)
    -> Result<Option<Trial>, Self::Error>;

    /// Keeps a trial.
    ///
    /// # Errors
    /// If it cannot be kept.
    fn keep(&mut self, trials: &mut Trials, trial: Trial) -> Result<(), Self::Error>;

    /// Hears of the best so far, whenever it is another one.
    ///
    /// # Errors
    /// If it cannot be kept.
    fn found(&mut self, best: &Best) -> Result<(), Self::Error>;
}

/// What a search has found.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// What training does by itself.
    pub usual: Trial,
    /// The best of those trained to their end, which may be the usual one.
    pub found: Trial,
    /// How many candidates were tried.
    pub candidates: usize,
}

/// Tries candidates until the trainer ends it or there are no more, and gives the best; `None` where the first was not
/// trained to its end. `scores` are the task's, of which `score` decides, and the loss between equal ones.
///
/// # Errors
/// Those of the trainer.
pub fn run<T: Trainer>(
    trainer: &mut T,
    candidates: &mut Candidates,
    trials: &mut Trials,
    scores: &[Score],
    score: &Score,
) -> Result<Option<Best>, T::Error> {
    // The first is trained to its end at once: whatever is found is to be better than that.
    let Some((first, options)) = candidates.draw(|table| trainer.allows(table)) else { return Ok(None) };
    let usual = match trials.made().iter().find(|trial| trial.candidate == first) {
        Some(trial) => trial.clone(),
        None => match trainer.train(first, &options, None)? {
            Some(trial) => {
                trainer.keep(trials, trial.clone())?;
                trial
            }
            None => return Ok(None),
        },
    };
    let whole = usual.epochs;
    let better = |a: &Trial, b: &Trial| compare(a.validation.as_ref(), b.validation.as_ref(), scores, score);
    let mut best = Best { found: usual.clone(), usual, candidates: 1 };
    trainer.found(&best)?;
    'rounds: loop {
        let mut rung: Vec<(usize, Table)> = Vec::new();
        while rung.len() < WIDTH {
            let Some(next) = candidates.draw(|table| trainer.allows(table)) else { break };
            rung.push(next);
        }
        if rung.is_empty() {
            break;
        }
        let mut epochs: Vec<usize> = (0..STEPS).rev().map(|step| (whole / SHARE.pow(step)).max(1)).collect();
        epochs.dedup();
        for (place, &epochs) in epochs.iter().enumerate() {
            let mut tried: Vec<Trial> = Vec::new();
            for (candidate, options) in &rung {
                let trial = match trials.find(*candidate, epochs) {
                    Some(trial) => trial.clone(),
                    None => match trainer.train(*candidate, options, Some(epochs))? {
                        Some(trial) => {
                            trainer.keep(trials, trial.clone())?;
                            trial
                        }
                        None => break 'rounds,
                    },
                };
                best.candidates += usize::from(place == 0);
                if epochs == whole && better(&trial, &best.found) == Ordering::Less {
                    best.found = trial.clone();
                    trainer.found(&best)?;
                }
                tried.push(trial);
            }
            // The sort is stable: of equal ones those drawn first.
            tried.sort_by(better);
            tried.truncate((rung.len() / SHARE).max(1));
            rung = tried.into_iter().map(|trial| (trial.candidate, trial.options)).collect();
        }
    }
    Ok(Some(best))
}

/// The better one first.
fn compare(a: Option<&Validation>, b: Option<&Validation>, scores: &[Score], score: &Score) -> Ordering {
    let value = |validation: Option<&Validation>, score: &Score| validation.and_then(|it| it.value(scores, score));
    for score in [score, &Score::LOSS] {
        let (mine, theirs) = (value(a, score), value(b, score));
        if score.prefers(mine, theirs) {
            return Ordering::Less;
        }
        if score.prefers(theirs, mine) {
            return Ordering::Greater;
        }
    }
    Ordering::Equal
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Choice;
    use crate::train::Identity;

    const ACCURACY: Score = Score::share("accuracy", "accuracy");

    /// The accuracy is the option `x` in hundredths, 50 without it; so many trials are made at most.
    struct Stub(usize, Vec<(usize, Option<usize>)>);

    impl Trainer for Stub {
        type Error = String;

        fn allows(&self, candidate: &Table) -> bool {
            candidate.get("x").and_then(toml::Value::as_integer) != Some(13)
        }

        fn train(&mut self, candidate: usize, options: &Table, epochs: Option<usize>) -> Result<Option<Trial>, String> {
            if self.0 == 0 {
                return Ok(None);
            }
            self.0 -= 1;
            self.1.push((candidate, epochs));
            let x = options.get("x").and_then(toml::Value::as_integer).unwrap_or(50);
            let validation = Validation { loss: 1.0, scores: vec![Some(x as f64 / 100.0)] };
            let (options, epochs) = (options.clone(), epochs.unwrap_or(18));
            Ok(Some(Trial { candidate, options, epochs, validation: Some(validation), seconds: 1.0 }))
        }

        fn found(&mut self, _: &Best) -> Result<(), String> {
            Ok(())
        }

        fn keep(&mut self, trials: &mut Trials, trial: Trial) -> Result<(), String> {
            trials.push(trial).map_err(|error| error.to_string())
        }
    }

    fn search(most: usize, resume: bool, folder: &std::path::Path) -> (Option<Best>, Stub) {
        let mut stub = Stub(most, Vec::new());
        let mut candidates = Candidates::new(vec![Choice::new("x", 0..100)], 7);
        let mut trials = Trials::open(&folder.join("t.jsonl"), &Identity::default(), resume).unwrap();
        let best = run(&mut stub, &mut candidates, &mut trials, &[ACCURACY], &ACCURACY).unwrap();
        (best, stub)
    }

    #[test]
    fn a_round_halves_its_candidates_and_the_best_is_trained_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let (best, stub) = search(14, false, folder.path());
        let epochs: Vec<Option<usize>> = stub.1.iter().map(|(_, epochs)| *epochs).collect();
        let expected = [&[None][..], &[Some(2); 9], &[Some(6); 3], &[Some(18)]].concat();
        assert_eq!(epochs, expected);
        let best = best.unwrap();
        assert_eq!((best.usual.candidate, best.candidates, best.found.epochs), (0, 10, 18));
        let of = |trial: &Trial| trial.validation.as_ref().unwrap().scores[0].unwrap();
        assert!(of(&best.found) > of(&best.usual), "{best:?}");
    }

    #[test]
    fn a_search_that_was_stopped_goes_on_to_the_same_end() {
        let [whole, parted] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let expected = search(30, false, whole.path()).0;
        search(7, false, parted.path());
        let (best, stub) = search(23, true, parted.path());
        assert_eq!((best, stub.1.len()), (expected, 23));
    }

    #[test]
    fn without_time_for_the_first_there_is_nothing_and_the_usual_stays_where_nothing_is_better() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(search(0, false, folder.path()).0, None);
        let best = search(1, false, folder.path()).0.unwrap();
        assert_eq!(best.found, best.usual);
    }
}
