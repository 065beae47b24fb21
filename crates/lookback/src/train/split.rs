//! A split that keeps the share of each class.

use std::path::Path;

use lookback_infer::error::DataError;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::ValidationPlan;

/// Indices of the examples on each side, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The examples to train on; at least one of each class.
    pub train: Vec<usize>,
    /// The examples kept apart.
    pub held_out: Vec<usize>,
}

/// What is trained on, and what the plan keeps apart or has in a file of its own, with that file.
type Parts<'a, T> = (Vec<T>, Option<(Vec<T>, &'a Path)>);

/// Parts the examples of the file `data` as the plan says. `classes` holds the class of each, the same for all where they
/// have none; `read` reads a file with validation data.
///
/// # Errors
/// If nothing would be held out, or the file cannot be read.
pub(crate) fn parts<'a, T: Clone>(
    plan: &'a ValidationPlan,
    examples: Vec<T>,
    classes: &[usize],
    data: &'a Path,
    seed: u64,
    read: impl FnOnce(&Path) -> Result<Vec<T>, DataError>,
) -> Result<Parts<'a, T>, DataError> {
    Ok(match plan {
        ValidationPlan::Split(share) => {
            let split = stratified_split(classes, *share, seed)?;
            let pick = |rows: &[usize]| rows.iter().map(|&row| examples[row].clone()).collect();
            (pick(&split.train), Some((pick(&split.held_out), data)))
        }
        ValidationPlan::File(file) => (examples, Some((read(file)?, file))),
        ValidationPlan::None => (examples, None),
    })
}

/// So many parts of the examples, each once held out, of which the classes have about the same share each; the order is drawn
/// from `seed`. A class of one example is always trained on; there are no more parts than examples in the others.
pub(crate) fn folds(classes: &[usize], parts: usize, seed: u64) -> Vec<Split> {
    let mut members: std::collections::BTreeMap<usize, Vec<usize>> = std::collections::BTreeMap::new();
    for (row, &class) in classes.iter().enumerate() {
        members.entry(class).or_default().push(row);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut held_out: Vec<Vec<usize>> = vec![Vec::new(); parts];
    let mut next = 0;
    for rows in members.values_mut().filter(|rows| rows.len() > 1) {
        rows.shuffle(&mut rng);
        for &row in rows.iter() {
            held_out[next % parts].push(row);
            next += 1;
        }
    }
    held_out.retain(|rows| !rows.is_empty());
    let split = |mut held_out: Vec<usize>| {
        held_out.sort_unstable();
        let train = (0..classes.len()).filter(|row| held_out.binary_search(row).is_err()).collect();
        Split { train, held_out }
    };
    held_out.into_iter().map(split).collect()
}

/// Keeps `fraction` of the examples apart, class by class.
///
/// `classes` holds the class of each example. Each class gives `fraction` of its examples, rounded down; the
/// examples still missing to `fraction` of the whole are given by the classes with the largest remainders, the
/// lower class first among equals. A class always keeps at least one example to train on, so a class with a single
/// example gives none. Which examples are taken is drawn by ChaCha8 from `seed`: the same classes, fraction and
/// seed give the same split on every machine.
///
/// # Errors
/// If `fraction` does not lie strictly between 0 and 1, or nothing would be held out.
pub fn stratified_split(classes: &[usize], fraction: f64, seed: u64) -> Result<Split, DataError> {
    if !(fraction > 0.0 && fraction < 1.0) {
        return Err(DataError::SplitFraction { fraction });
    }
    let mut members: Vec<(usize, Vec<usize>)> = Vec::new();
    {
        let mut by_class: std::collections::BTreeMap<usize, Vec<usize>> = std::collections::BTreeMap::new();
        for (row, &class) in classes.iter().enumerate() {
            by_class.entry(class).or_default().push(row);
        }
        members.extend(by_class);
    }
    let mut taken: Vec<usize> = members.iter().map(|(_, rows)| (rows.len() as f64 * fraction) as usize).collect();
    let target = (classes.len() as f64 * fraction).round() as usize;
    let mut missing = target.saturating_sub(taken.iter().sum());
    let mut by_remainder: Vec<usize> = (0..members.len()).collect();
    let remainder = |class: usize| members[class].1.len() as f64 * fraction - taken[class] as f64;
    let remainders: Vec<f64> = (0..members.len()).map(remainder).collect();
    by_remainder.sort_by(|&a, &b| remainders[b].total_cmp(&remainders[a]));
    for class in by_remainder {
        if missing > 0 && taken[class] + 1 < members[class].1.len() {
            taken[class] += 1;
            missing -= 1;
        }
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut split = Split { train: Vec::new(), held_out: Vec::new() };
    for ((_, rows), &taken) in members.iter_mut().zip(&taken) {
        rows.shuffle(&mut rng);
        split.held_out.extend_from_slice(&rows[..taken]);
        split.train.extend_from_slice(&rows[taken..]);
    }
    split.train.sort_unstable();
    split.held_out.sort_unstable();
    if split.held_out.is_empty() && members.iter().all(|(_, rows)| rows.len() == 1) {
        return Err(DataError::SplitSingles { fraction, examples: classes.len() });
    }
    if split.held_out.is_empty() {
        return Err(DataError::SplitEmpty { fraction, examples: classes.len() });
    }
    Ok(split)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_example_stands_on_one_side_and_each_class_keeps_its_share(
            classes in proptest::collection::vec(0usize..6, 1..400), fraction in 0.01f64..0.99, seed: u64,
        ) {
            let Ok(split) = stratified_split(&classes, fraction, seed) else { return Ok(()) };
            let mut all = [split.train.clone(), split.held_out.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..classes.len()).collect::<Vec<_>>());
            for class in 0..6 {
                let size = classes.iter().filter(|&&c| c == class).count();
                let held = split.held_out.iter().filter(|&&row| classes[row] == class).count();
                prop_assert!(size == 0 || held < size, "class {} has no training example", class);
                prop_assert!((held as f64 - size as f64 * fraction).abs() <= 1.0, "{} of {} held out", held, size);
            }
        }
    }

    #[test]
    fn the_seed_decides_and_the_total_is_the_asked_fraction() -> Result<(), DataError> {
        let classes: Vec<usize> = (0..1000).map(|row| row * row % 7).collect();
        let split = stratified_split(&classes, 0.1, 4)?;
        assert_eq!(split.held_out.len(), 100);
        assert_eq!(split, stratified_split(&classes, 0.1, 4)?);
        assert_ne!(split, stratified_split(&classes, 0.1, 5)?);
        Ok(())
    }

    #[test]
    fn every_example_is_held_out_once_and_every_class_trained_on() {
        let classes: Vec<usize> = (0..53).map(|row| if row == 7 { 9 } else { row % 4 }).collect();
        let folds = folds(&classes, 5, 3);
        let mut all: Vec<usize> = folds.iter().flat_map(|fold| fold.held_out.clone()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..53).filter(|&row| row != 7).collect::<Vec<_>>());
        for Split { train, held_out } in &folds {
            assert_eq!(train.len() + held_out.len(), 53);
            assert!(train.contains(&7) && train.iter().all(|row| !held_out.contains(row)));
            for class in 0..4 {
                let held = held_out.iter().filter(|&&row| classes[row] == class).count();
                assert!((2..=3).contains(&held), "{held} of class {class}");
            }
        }
        assert_eq!(super::folds(&[0, 0, 1], 5, 0).len(), 2);
    }

    #[test]
    fn fractions_that_cannot_split_are_errors() {
        for fraction in [0.0, 1.0, -0.5, 7.0, f64::NAN, f64::INFINITY] {
            assert!(stratified_split(&[0, 1, 0, 1], fraction, 0).is_err(), "{fraction}");
        }
        assert!(stratified_split(&[0, 1], 0.5, 0).is_err(), "each class must keep its only example");
        assert!(stratified_split(&[], 0.5, 0).is_err(), "no examples");
    }
}
