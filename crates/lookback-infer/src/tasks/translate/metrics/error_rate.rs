//! Rates of errors by edit distance.

use serde::Serialize;
use strsim::generic_levenshtein;

use super::{Judged, is_space, words};

/// What is counted in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// What stands between white space: words, or tokens such as phonemes.
    Words,
    /// Characters, single blanks between words among them; white space around the text is none.
    Characters,
}

/// How far answers are from their references: words or characters that must be inserted, deleted or put in the place of another,
/// the fewest (Levenshtein), by how many the references have. It may exceed 1.
///
/// Of several references the one with the lowest rate counts. With words it is the word error rate, with characters the character
/// error rate; the phoneme error rate is that of words where phonemes stand between white space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ErrorRate {
    /// Edits by length of the references. Without any it is 1 if there is anything to delete, else 0.
    pub rate: f64,
    /// Edits of all answers.
    pub edits: usize,
    /// Words, or characters, of the references.
    pub reference_length: usize,
}

impl ErrorRate {
    /// Of a corpus.
    pub fn of(judged: &[Judged<'_>], unit: Unit) -> ErrorRate {
        let (mut edits, mut reference_length) = (0, 0);
        for one in judged {
            let nearest = match unit {
                Unit::Words => {
                    let cut = |text: &'_ str| -> Vec<String> { words(text).map(str::to_owned).collect() };
                    nearest(one, cut)
                }
                Unit::Characters => nearest(one, |text| text.trim_matches(is_space).chars().collect()),
            };
            edits += nearest.0;
            reference_length += nearest.1;
        }
        ErrorRate { rate: rate(edits, reference_length), edits, reference_length }
    }
}

/// Edits to the reference with the lowest rate, and its length; the first of several.
fn nearest<T: Eq>(one: &Judged<'_>, cut: impl Fn(&str) -> Vec<T>) -> (usize, usize) {
    let hypothesis = cut(one.hypothesis);
    let to = |reference: &String| {
        let reference = cut(reference);
        (generic_levenshtein(&hypothesis, &reference), reference.len())
    };
    let of = |&(edits, length): &(usize, usize)| match (edits, length) {
        (0, 0) => 0.0,
        (_, 0) => f64::INFINITY,
        (edits, length) => edits as f64 / length as f64,
    };
    one.references.iter().map(to).min_by(|one, other| of(one).total_cmp(&of(other))).unwrap_or((hypothesis.len(), 0))
}

/// Edits by length.
pub(super) fn rate(edits: usize, length: usize) -> f64 {
    match (edits, length) {
        (0, _) => 0.0,
        (_, 0) => 1.0,
        (edits, length) => edits as f64 / length as f64,
    }
}
