//! From which probability on a label is answered, where a text may have several.

use serde::{Deserialize, Serialize};

use super::Targets;

/// Thresholds that are tried: as many as whole percents, from 1 to 99.
const TRIED: usize = 99;

/// Texts with the label, as those of all labels are in the mean, that are added to a label's own: its threshold is its own
/// where far more texts have it, and that of all labels together where hardly one does.
///
/// Picked by the F1 of logistic regression on three data sets put together of others, with 120 to 150 texts held out: better than
/// one half for all labels, than a label's own with one half for rare ones, than one threshold for all, and than 3 or 30 texts.
const OF_ALL_LABELS: f64 = 10.0;

/// What is usual: the likelier of the two is answered.
const USUAL: f32 = 0.5;

/// The probability of each label from which on it is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Thresholds(Vec<f32>);

impl Thresholds {
    /// The same for each of so many labels.
    pub fn all(labels: usize, threshold: f32) -> Thresholds {
        Thresholds(vec![threshold; labels])
    }

    /// One half for each of so many labels, of which nothing better is known.
    pub fn usual(labels: usize) -> Thresholds {
        Thresholds::all(labels, USUAL)
    }

    /// For each label the threshold, in whole percents, that gives it the best F1 on texts with these probabilities
    /// `[rows, N]`, to which ten are added that have it and stand as the texts of all labels do. Of several that are equally
    /// good it is the one nearest to one half, and one half where no text has any label. `counts`: which rows tell.
    pub fn best(labels: usize, probabilities: &[f32], targets: &Targets, counts: impl Fn(usize) -> bool) -> Thresholds {
        let mut all = Counts::default();
        let mut of_label = vec![Counts::default(); labels];
        let rows = probabilities.chunks_exact(labels.max(1)).zip(targets.iter()).enumerate();
        for (_, (row, right)) in rows.filter(|(row, _)| counts(*row)) {
            for (label, (of_label, &probability)) in of_label.iter_mut().zip(row).enumerate() {
                let has = right.contains(&label);
                [&mut all, of_label].into_iter().for_each(|counts| counts.add(probability, has));
            }
        }
        Thresholds(of_label.iter().map(|of_label| of_label.best(&all)).collect())
    }

    /// Whether they are probabilities of so many labels; those of a file may be anything.
    ///
    /// # Errors
    /// A sentence that says what does not fit.
    pub fn check(&self, labels: usize) -> Result<(), String> {
        if self.0.len() != labels {
            return Err(format!("it has {} thresholds, but there are {labels} labels", self.0.len()));
        }
        match self.0.iter().find(|threshold| !(0.0..=1.0).contains(*threshold)) {
            Some(wrong) => Err(format!("a threshold is {wrong}; it must be from 0 to 1")),
            None => Ok(()),
        }
    }

    /// One per label.
    pub fn values(&self) -> &[f32] {
        &self.0
    }

    /// The labels that are answered, the likeliest first. probabilities: `[N]`
    pub fn answer(&self, probabilities: &[f32]) -> Vec<usize> {
        let reaches = |&label: &usize| probabilities[label] >= self.0[label];
        let mut labels: Vec<usize> = (0..self.0.len().min(probabilities.len())).filter(reaches).collect();
        labels.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
        labels
    }
}

/// How many texts have which probability.
#[derive(Clone, Debug)]
struct Counts {
    /// From each threshold that is tried up to the next, and below the first: texts, and those among them with the label.
    texts: [[usize; 2]; TRIED + 1],
}

impl Default for Counts {
    fn default() -> Counts {
        Counts { texts: [[0; 2]; TRIED + 1] }
    }
}

/// The threshold of number `place`, from 0 for none.
fn tried(place: usize) -> f32 {
    place as f32 / (TRIED + 1) as f32
}

impl Counts {
    fn add(&mut self, probability: f32, has: bool) {
        // What is reached in 32 bits decides, as it will when texts are answered.
        let near = (probability * (TRIED + 1) as f32) as usize;
        let place = (near.saturating_sub(1)..=near + 1).rev().find(|&place| probability >= tried(place));
        let counts = &mut self.texts[place.unwrap_or(0).min(TRIED)];
        counts[0] += 1;
        counts[1] += usize::from(has);
    }

    /// Texts that reach each threshold, and those among them with the label; at 0 all texts.
    fn reaching(&self) -> Vec<[f64; 2]> {
        let mut sums = [0.0; 2];
        let mut reaching: Vec<[f64; 2]> = self
            .texts
            .iter()
            .rev()
            .map(|counts| {
                sums = [0, 1].map(|of| sums[of] + counts[of] as f64);
                sums
            })
            .collect();
        reaching.reverse();
        reaching
    }

    /// The best threshold of one label; `all`: the texts of all labels.
    fn best(&self, all: &Counts) -> f32 {
        let (own, all) = (self.reaching(), all.reaching());
        let share = if all[0][1] > 0.0 { OF_ALL_LABELS / all[0][1] } else { 0.0 };
        let mixed = |place: usize, of: usize| own[place][of] + share * all[place][of];
        let mut best = (0.0, USUAL);
        for place in 1..=TRIED {
            let threshold = tried(place);
            let f1 = 2.0 * mixed(place, 1) / (mixed(place, 0) + mixed(0, 1)).max(f64::MIN_POSITIVE);
            let nearer = (threshold - USUAL).abs() < (best.1 - USUAL).abs();
            // Sums of shares that are equal may differ in their last digits.
            if f1 > best.0 + 1e-12 || nearer && f1 > best.0 - 1e-12 && best.0 > 0.0 {
                best = (f1, threshold);
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The thresholds of labels with these probabilities: of texts that have one, and of texts that lack it.
    fn best_of(labels: &[(&[f32], &[f32])]) -> Vec<f32> {
        let texts = |(with, without): &(&[f32], &[f32])| {
            with.iter().map(|&p| (p, true)).chain(without.iter().map(|&p| (p, false))).collect::<Vec<_>>()
        };
        let columns: Vec<Vec<(f32, bool)>> = labels.iter().map(texts).collect();
        let row = |row: usize| columns.iter().map(move |column| column[row]);
        let rows = 0..columns[0].len();
        let probabilities: Vec<f32> = rows.clone().flat_map(|at| row(at).map(|(p, _)| p)).collect();
        let of_row = |at: usize| row(at).enumerate().filter(|(_, (_, has))| *has).map(|(label, _)| label).collect();
        let targets = Targets::Several(rows.map(of_row).collect());
        Thresholds::best(labels.len(), &probabilities, &targets, |_| true).0
    }

    #[test]
    fn the_threshold_of_a_label_gives_it_the_best_f1() {
        let (with, without) = ([0.9, 0.4, 0.35, 0.3, 0.2], [0.25, 0.15, 0.05, 0.02, 0.01, 0.01]);
        // Above 0.25 four of five are found and all are right; above 0.15 all five, and one that is wrong.
        assert_eq!(best_of(&[(&with, &without)]), [0.2]);
        assert_eq!(best_of(&[(&with, &[0.32, 0.31, 0.25, 0.22, 0.05, 0.0])]), [0.35]);
        // Whatever parts them is as good.
        assert_eq!(best_of(&[(&[0.9; 5], &[0.1; 5])]), [0.5]);
        assert_eq!(best_of(&[(&[0.29, 0.3], &[0.1; 5])]), [0.29]);
    }

    #[test]
    fn a_rare_label_has_the_threshold_of_all_and_a_common_one_its_own() {
        let (low, high) = (vec![0.25; 100], vec![0.75; 100]);
        let common = (low.as_slice(), &[0.1; 100][..]);
        let other = (high.as_slice(), &[0.6; 100][..]);
        let few: Vec<f32> = vec![0.1; 199];
        let rare = (&[0.9][..], few.as_slice());
        let thresholds = best_of(&[common, common, other, rare]);
        assert_eq!(thresholds, [0.25, 0.25, 0.61, 0.25]);
        // Nobody has the label, nor any other.
        assert_eq!(best_of(&[(&[], &[0.3; 9])]), [0.5]);
    }

    #[test]
    fn a_probability_that_reaches_a_threshold_is_counted_there() {
        for place in 0..=TRIED {
            let (mut counts, threshold) = (Counts::default(), tried(place));
            counts.add(threshold, true);
            counts.add(threshold.next_down().max(0.0), false);
            assert_eq!(counts.texts[place][1], 1, "{threshold}");
            assert_eq!(counts.texts[place.saturating_sub(1)][0], if place == 0 { 2 } else { 1 }, "{threshold}");
        }
        let mut counts = Counts::default();
        [f32::NAN, 1.0].into_iter().for_each(|odd| counts.add(odd, false));
        assert_eq!((counts.texts[0][0], counts.texts[TRIED][0]), (1, 1));
    }

    #[test]
    fn labels_are_answered_from_their_thresholds_on() {
        let thresholds = Thresholds(vec![0.5, 0.2, 0.9]);
        assert_eq!(thresholds.answer(&[0.5, 0.7, 0.8]), [1, 0]);
        assert_eq!(thresholds.answer(&[0.4, 0.1, 0.8]), Vec::<usize>::new());
    }

    #[test]
    fn thresholds_of_a_file_are_checked() {
        assert!(Thresholds::usual(2).check(2).is_ok());
        assert!(Thresholds::usual(2).check(3).unwrap_err().contains("2 thresholds, but there are 3 labels"));
        for wrong in [f32::NAN, -0.1, 1.5] {
            assert!(Thresholds(vec![0.5, wrong]).check(2).unwrap_err().contains("from 0 to 1"));
        }
    }
}
