//! Translation edit rate (Snover 2006).

mod distance;
mod shift;

use std::collections::HashMap;

use rayon::prelude::*;
use serde::Serialize;

use self::shift::edits;
use super::{Judged, VERSION, is_space, reference_count, words};

/// Translation edit rate of a corpus, as sacreBLEU 2.6.0 has it by default: words to insert, delete or replace, and runs of words to
/// shift, by how many the references have; without regard to case.
///
/// Of several references the one with the fewest edits counts, and the mean of all stands for the length.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ter {
    /// From 0, where all is right; it may exceed 100.
    pub score: f64,
    /// Edits of all answers.
    pub edits: usize,
    /// Words of the references.
    pub reference_length: f64,
    /// How it was counted, as sacreBLEU writes it.
    pub signature: String,
}

impl Ter {
    /// Of a corpus; several threads share the work.
    pub fn of(judged: &[Judged<'_>]) -> Ter {
        let each: Vec<(usize, f64)> = judged.par_iter().map(of_one).collect();
        let edits: usize = each.iter().map(|(edits, _)| edits).sum();
        let reference_length: f64 = each.iter().map(|(_, length)| length).sum();
        let rate = match (edits, reference_length > 0.0) {
            (0, _) => 0.0,
            (_, false) => 1.0,
            (edits, true) => edits as f64 / reference_length,
        };
        let count = reference_count(judged);
        let signature = format!("{count}|case:lc|tok:tercom|norm:no|punct:yes|asian:no|{VERSION}");
        Ter { score: 100.0 * rate, edits, reference_length, signature }
    }
}

/// The fewest edits to a reference, and the mean length of all.
fn of_one(one: &Judged<'_>) -> (usize, f64) {
    // Words are compared by number.
    let mut numbers = HashMap::new();
    let mut cut = |text: &str| -> Vec<usize> {
        let number = |word: &str| {
            let next = numbers.len();
            *numbers.entry(word.to_owned()).or_insert(next)
        };
        words(&text.trim_end_matches(is_space).to_lowercase()).map(number).collect()
    };
    let hypothesis = cut(one.hypothesis);
    let references: Vec<Vec<usize>> = one.references.iter().map(|text| cut(text)).collect();
    let fewest = references.iter().map(|reference| edits(&hypothesis, reference)).min();
    let length: usize = references.iter().map(Vec::len).sum();
    (fewest.unwrap_or(hypothesis.len()), length as f64 / references.len().max(1) as f64)
}
