//! How good translations are, as the programs that others quote have it.
//!
//! [`Bleu`], [`Chrf`] and [`Ter`] are those of sacreBLEU 2.6.0 with its defaults, from 0 to 100, and [`Rouge`] is that of rouge-score
//! 0.1.2 without stemming, a share. [`ErrorRate`] is the Levenshtein distance of words, characters or tokens, and [`exact_match`] asks
//! for a reference as it stands. `conformance/translation_scores.py` writes the figures that the tests compare with.
//!
//! A source may have several references: what stands in any of them counts, or the best of them does; each score says how.

mod bleu;
mod chrf;
mod error_rate;
mod ngrams;
mod rouge;
mod scores;
mod ter;
#[cfg(test)]
mod tests;
mod tokenizer;

pub use self::bleu::Bleu;
pub use self::chrf::Chrf;
pub use self::error_rate::{ErrorRate, Unit};
pub use self::rouge::{FMeasure, Rouge};
pub use self::scores::{ScoreOptions, Scores};
pub use self::ter::Ter;
pub use self::tokenizer::BleuTokenizer;

use crate::model::ratio;

/// What was answered, and what would have been right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged<'a> {
    /// The translation that was answered.
    pub hypothesis: &'a str,
    /// The right ones, at least one.
    pub references: &'a [String],
}

/// Share of the answers that are one of their references, white space around them aside; 0 of none.
pub fn exact_match(judged: &[Judged<'_>]) -> f64 {
    let is_right = |one: &&Judged<'_>| one.references.iter().any(|reference| reference.trim() == one.hypothesis.trim());
    ratio(judged.iter().filter(is_right).count(), judged.len())
}

/// The first part of a signature of sacreBLEU: how many references there are, or that this varies.
fn reference_count(judged: &[Judged<'_>]) -> String {
    let first = judged.first().map_or(0, |one| one.references.len());
    match judged.iter().all(|one| one.references.len() == first) {
        true => format!("nrefs:{first}"),
        false => "nrefs:var".to_owned(),
    }
}

/// The version of sacreBLEU whose figures these are, as its signatures end.
const VERSION: &str = "version:2.6.0";

/// Whether Python takes a character for white space: it does of the separators of files and records, too.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// What Python's `split` makes of a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}
