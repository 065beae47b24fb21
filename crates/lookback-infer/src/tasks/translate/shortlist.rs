//! Shortlists: which tokens a translation may be made of, by the tokens of its source, so that the output layer is computed
//! over these alone (Jean 2015, section 3.3; L'Hostis 2016 count how often words stand beside each other, as here).

use std::path::Path;

use rayon::prelude::*;

use super::data::Dataset;
use crate::error::{ModelFileError, PlanError};
use crate::input::Example;
use crate::input::vocabulary::{PAD, UNK};
use crate::model_file::{ModelFile, Tensor};

/// The name of their tensor.
const NAME: &str = "shortlist";

/// The most tokens that are kept of each of the source.
pub const MOST_LISTED: usize = 10_000;

/// For every token of the sources those of the targets that stood beside it most, the first ones best.
///
/// # Tensors
/// With `S` the vocabulary of the sources and `N` how many are kept:
///
/// | tensor | shape | where there is |
/// |---|---|---|
/// | `shortlist` | `[S, N]`: ids of the target's tokens, 0 where there are no more; row 0, that of padding, has the commonest of all | `--shortlist` |
#[derive(Clone, Debug, PartialEq)]
pub struct Shortlists {
    /// `N`
    count: usize,
    /// `[S, N]`
    ids: Vec<u32>,
}

impl Shortlists {
    /// Counts how often tokens stand in a source and its target, each once a pair, and keeps of every token of the sources
    /// the `count` with the highest Dice coefficient, twice the pairs with both over the pairs with either: what stands in
    /// every target comes first nowhere by that alone. No more are kept than there are. `vocabularies`: of sources and targets.
    pub fn learn(dataset: &Dataset, vocabularies: [usize; 2], count: usize) -> Shortlists {
        let pairs = dataset.rows.iter().map(|(example, target)| (dataset.examples[*example].ids(), &target[..]));
        Shortlists::of_pairs(&pairs.collect::<Vec<_>>(), vocabularies, count)
    }

    fn of_pairs(pairs: &[(&[u32], &[u32])], [sources, targets]: [usize; 2], count: usize) -> Shortlists {
        let count = count.min(targets);
        let distinct = |ids: &[u32], but: u32| {
            let mut ids: Vec<u32> = ids.iter().copied().filter(|&id| id != PAD && id != but).collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        // What is unknown stands in every list.
        let of_rows: Vec<Vec<u32>> = pairs.iter().map(|(_, target)| distinct(target, UNK)).collect();
        let (mut rows_of, mut common) = (vec![Vec::new(); sources], vec![0u32; targets]);
        for (row, (source, _)) in pairs.iter().enumerate() {
            for token in distinct(source, PAD) {
                rows_of[token as usize].push(row as u32);
            }
            of_rows[row].iter().for_each(|&token| common[token as usize] += 1);
        }
        let mut ids = vec![PAD; sources * count];
        ids.par_chunks_mut(count.max(1)).enumerate().for_each_init(
            || vec![0u32; targets],
            |together, (token, list)| {
                if token == PAD as usize {
                    let all = (0..targets as u32).filter(|&target| common[target as usize] > 0);
                    best(list, all.map(|target| (f64::from(common[target as usize]), target)).collect());
                    return;
                }
                let mut met = Vec::new();
                for &row in &rows_of[token] {
                    for &target in &of_rows[row as usize] {
                        if together[target as usize] == 0 {
                            met.push(target);
                        }
                        together[target as usize] += 1;
                    }
                }
                let own = rows_of[token].len() as f64;
                let dice = |&target: &u32| {
                    let pairs = f64::from(std::mem::take(&mut together[target as usize]));
                    (2.0 * pairs / (own + f64::from(common[target as usize])), target)
                };
                best(list, met.iter().map(dice).collect());
            },
        );
        Shortlists { count, ids }
    }

    /// How many are kept of each token of the source.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Takes those of a file that came from `path`, where it has some. `vocabularies`: of sources and targets.
    ///
    /// # Errors
    /// If they are of other vocabularies.
    pub(super) fn take(
        file: &mut ModelFile,
        path: &Path,
        [sources, targets]: [usize; 2],
    ) -> Result<Option<Shortlists>, ModelFileError> {
        let Some(count) = file.tensors.get(NAME).map(|tensor| tensor.shape.last().copied().unwrap_or(0)) else {
            return Ok(None);
        };
        let tensor = file.take_tensor(path, NAME, &[sources, count.clamp(1, MOST_LISTED)])?;
        let id = |value: f32| (value >= 0.0 && value < targets as f32 && value.fract() == 0.0).then_some(value as u32);
        let ids = tensor.data.iter().map(|&value| id(value)).collect::<Option<Vec<u32>>>();
        let wrong = || ModelFileError::Tensor {
            file: path.into(),
            name: NAME.into(),
            problem: format!("holds what is no id of the {targets} tokens of the targets"),
        };
        Ok(Some(Shortlists { count, ids: ids.ok_or_else(wrong)? }))
    }

    /// As a tensor, with its name.
    pub(super) fn tensor(&self) -> (String, Tensor) {
        let data = self.ids.iter().map(|&id| id as f32).collect();
        (NAME.into(), Tensor { shape: vec![self.ids.len() / self.count, self.count], data })
    }

    /// The ids, ascending, of which a translation of these tokens is made: the first `count` of each, the commonest of all,
    /// what is unknown, and `others`.
    pub(super) fn of_source(&self, source: &[u32], count: usize, others: &[u32]) -> Vec<u32> {
        let row = |token: u32| &self.ids[token as usize * self.count..][..count.min(self.count)];
        let rows = [PAD].iter().chain(source).flat_map(|&token| row(token));
        let mut ids: Vec<u32> = rows.chain(others).copied().filter(|&id| id != PAD).chain([UNK]).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// Shortlists of so many tokens, as they are asked for.
#[derive(Debug)]
pub(super) struct Shortened<'a> {
    lists: &'a Shortlists,
    count: usize,
    /// What stands in every list: the end, and what every answer must hold.
    always: Vec<u32>,
}

impl<'a> Shortened<'a> {
    /// `lists`: those of the model, where it has some.
    ///
    /// # Errors
    /// If it has none, or of fewer tokens.
    pub(super) fn new(lists: Option<&'a Shortlists>, count: usize, always: Vec<u32>) -> Result<Self, PlanError> {
        match lists {
            None => {
                let problem = "needs a model that was trained with --shortlist, which this one was not";
                Err(PlanError::conflict("shortlist", problem))
            }
            Some(lists) if count == 0 || count > lists.count => {
                let expected = format!("from 1 to {}, which the model keeps", lists.count);
                Err(PlanError::value("shortlist", count, expected))
            }
            Some(lists) => Ok(Shortened { lists, count, always }),
        }
    }

    /// How many tokens each of a source allows.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The tokens of which the translation of each source is made.
    pub(super) fn of_batch(&self, sources: &[&Example]) -> Vec<Vec<u32>> {
        sources.iter().map(|source| self.lists.of_source(source.ids(), self.count, &self.always)).collect()
    }
}

/// Fills a list with the ids of the highest scores, the lower id first among equals.
fn best(list: &mut [u32], mut scored: Vec<(f64, u32)>) {
    scored.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    list.iter_mut().zip(scored).for_each(|(to, (_, id))| *to = id);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids of words: of sources "the" 2, "cat" 3, "dog" 4, "fish" 5; of targets "die" 4, "katze" 5, "hunde" 6, "fische" 7.
    const PAIRS: [(&[u32], &[u32]); 4] =
        [(&[2, 3], &[4, 5]), (&[2, 4, 4], &[4, 6, 6]), (&[2, 5], &[4, 7]), (&[3], &[5])];
    const SIZES: [usize; 2] = [6, 8];

    #[test]
    fn what_stands_beside_a_word_and_hardly_elsewhere_comes_first() {
        let lists = Shortlists::of_pairs(&PAIRS, SIZES, 2);
        let list = |token: usize| &lists.ids[token * 2..][..2];
        assert_eq!((list(3), list(4), list(5)), (&[5, 4][..], &[6, 4][..], &[7, 4][..]));
        // Half of the pairs of the others are with it, and all of its own.
        assert_eq!(list(2), [4, 6]);
        assert_eq!((list(PAD as usize), list(UNK as usize)), (&[4, 5][..], &[PAD, PAD][..]));
        assert_eq!(lists.of_source(&[4], 1, &[3]), [UNK, 3, 4, 6]);
        assert_eq!(lists.of_source(&[], 2, &[]), [UNK, 4, 5]);
    }

    #[test]
    fn what_a_file_keeps_is_read_again_and_ids_of_no_token_are_refused() {
        let (lists, path) = (Shortlists::of_pairs(&PAIRS, SIZES, 3), Path::new("model"));
        let mut file = ModelFile::new("translate");
        assert_eq!(Shortlists::take(&mut file, path, SIZES).unwrap(), None);
        file.tensors.extend([lists.tensor()]);
        let problem = |sizes| Shortlists::take(&mut file.clone(), path, sizes).unwrap_err().to_string();
        let other = problem([7, 8]);
        assert!(other.contains("shortlist") && other.contains("[6, 3]") && other.contains("[7, 3]"), "{other}");
        assert!(problem([6, 7]).contains("no id of the 7 tokens"), "{}", problem([6, 7]));
        assert_eq!(Shortlists::take(&mut file, path, SIZES).unwrap(), Some(lists));
        assert!(file.tensors.is_empty());
    }
}
