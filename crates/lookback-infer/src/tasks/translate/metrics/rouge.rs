//! ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004).

use serde::Serialize;

use super::Judged;
use super::ngrams::{common, counts};

/// How much of a summary is in the reference, and of the reference in the summary, as rouge-score 0.1.2 has it without stemming:
/// the mean over texts. Of several references the one with the best F counts, of each kind by itself.
///
/// Words are runs of the letters a to z and digits, in lower case. All else parts them, so that of texts in other scripts nothing
/// is left and every score is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rouge {
    /// By single words.
    #[serde(rename = "rouge1")]
    pub one: FMeasure,
    /// By pairs of words.
    #[serde(rename = "rouge2")]
    pub two: FMeasure,
    /// By the longest common subsequence.
    #[serde(rename = "rougeL")]
    pub longest: FMeasure,
}

/// Precision, recall and their harmonic mean, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct FMeasure {
    /// Share of what is answered that is right.
    pub precision: f64,
    /// Share of what is right that is answered.
    pub recall: f64,
    /// The harmonic mean of the two.
    pub f1: f64,
}

impl Rouge {
    /// Of a corpus; 0 of none.
    pub fn of(judged: &[Judged<'_>]) -> Rouge {
        let mut sum = Rouge::default();
        for one in judged {
            let best = Rouge::of_one(one);
            sum.one.add(best.one);
            sum.two.add(best.two);
            sum.longest.add(best.longest);
        }
        let count = judged.len().max(1) as f64;
        Rouge { one: sum.one.by(count), two: sum.two.by(count), longest: sum.longest.by(count) }
    }

    fn of_one(one: &Judged<'_>) -> Rouge {
        let hypothesis = words(one.hypothesis);
        let mut best: Option<Rouge> = None;
        for reference in one.references {
            let reference = words(reference);
            let found = Rouge {
                one: of_order(&hypothesis, &reference, 1),
                two: of_order(&hypothesis, &reference, 2),
                longest: FMeasure::new(longest_common(&hypothesis, &reference), hypothesis.len(), reference.len()),
            };
            best = Some(best.map_or(found, |best| Rouge {
                one: best.one.or_better(found.one),
                two: best.two.or_better(found.two),
                longest: best.longest.or_better(found.longest),
            }));
        }
        best.unwrap_or_default()
    }
}

impl FMeasure {
    fn new(both: usize, answered: usize, right: usize) -> FMeasure {
        let share = |of: usize| both as f64 / of.max(1) as f64;
        let (precision, recall) = (share(answered), share(right));
        let f1 = if both == 0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) };
        FMeasure { precision, recall, f1 }
    }

    fn or_better(self, other: FMeasure) -> FMeasure {
        if other.f1 > self.f1 { other } else { self }
    }

    fn add(&mut self, other: FMeasure) {
        self.precision += other.precision;
        self.recall += other.recall;
        self.f1 += other.f1;
    }

    fn by(self, count: f64) -> FMeasure {
        FMeasure { precision: self.precision / count, recall: self.recall / count, f1: self.f1 / count }
    }
}

fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    lower.split(|c| !is_part(c)).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn of_order(hypothesis: &[String], reference: &[String], order: usize) -> FMeasure {
    let (hypothesis, reference) = (counts(hypothesis, order), counts(reference, order));
    FMeasure::new(common(&hypothesis, &reference), hypothesis.values().sum(), reference.values().sum())
}

/// The length of the longest common subsequence, in memory of one text.
fn longest_common(one: &[String], other: &[String]) -> usize {
    let mut lengths = vec![0; other.len() + 1];
    for word in one {
        let mut before = 0;
        for (place, same) in other.iter().enumerate() {
            let above = lengths[place + 1];
            lengths[place + 1] = if word == same { before + 1 } else { above.max(lengths[place]) };
            before = above;
        }
    }
    lengths[other.len()]
}
