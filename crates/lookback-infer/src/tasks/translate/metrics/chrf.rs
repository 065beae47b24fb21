//! chrF of a corpus (Popović 2015) and chrF++ (Popović 2017).

use serde::Serialize;

use super::ngrams::{common, counts};
use super::{Judged, VERSION, is_space, reference_count, words};

/// N-grams of up to so many characters are compared.
const CHARACTER_ORDERS: usize = 6;
/// Recall counts so many times as much as precision.
const BETA: f64 = 2.0;

/// chrF of a corpus, as sacreBLEU 2.6.0 has it by default: n-grams of up to six characters, white space left out.
///
/// Of several references each answer is compared with the one that gives it the best score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chrf {
    /// From 0 to 100.
    pub score: f64,
    /// How it was counted, as sacreBLEU writes it.
    pub signature: String,
}

/// Of one order: n-grams of the answer, of the reference, and of both.
type OfOrder = [usize; 3];

/// What is compared of a text.
struct Text<'a> {
    characters: Vec<char>,
    words: Vec<&'a str>,
}

impl Chrf {
    /// Of a corpus. `word_orders`: n-grams of up to so many words are compared as well, 0 for chrF and 2 for chrF++.
    pub fn of(judged: &[Judged<'_>], word_orders: usize) -> Chrf {
        let mut totals = vec![[0; 3]; CHARACTER_ORDERS + word_orders];
        for one in judged {
            let hypothesis = Text::new(one.hypothesis);
            let mut best: Option<(f64, Vec<OfOrder>)> = None;
            for reference in one.references {
                let found = hypothesis.compare(&Text::new(reference), word_orders);
                let score = score(&found);
                if best.as_ref().is_none_or(|(best, _)| score > *best) {
                    best = Some((score, found));
                }
            }
            for (total, found) in totals.iter_mut().zip(best.into_iter().flat_map(|(_, found)| found)) {
                total.iter_mut().zip(found).for_each(|(total, found)| *total += found);
            }
        }
        let count = reference_count(judged);
        let signature = format!("{count}|case:mixed|eff:yes|nc:{CHARACTER_ORDERS}|nw:{word_orders}|space:no|{VERSION}");
        Chrf { score: score(&totals), signature }
    }
}

impl Text<'_> {
    fn new(text: &str) -> Text<'_> {
        let characters = text.chars().filter(|&c| !is_space(c)).collect();
        Text { characters, words: words(text).flat_map(punctuation_apart).flatten().collect() }
    }

    /// This as an answer to a reference, order by order.
    fn compare(&self, reference: &Text<'_>, word_orders: usize) -> Vec<OfOrder> {
        let of_characters =
            (1..=CHARACTER_ORDERS).map(|order| of_order(&self.characters, &reference.characters, order));
        let of_words = (1..=word_orders).map(|order| of_order(&self.words, &reference.words, order));
        of_characters.chain(of_words).collect()
    }
}

/// A sign at the end of a word, or else at its beginning, apart from it.
fn punctuation_apart(word: &str) -> [Option<&str>; 2] {
    let is_sign = |c: char| c.is_ascii_punctuation();
    let mut characters = word.chars();
    match (characters.next(), characters.next_back()) {
        (Some(_), Some(last)) if is_sign(last) => {
            let (word, sign) = word.split_at(word.len() - last.len_utf8());
            [Some(word), Some(sign)]
        }
        (Some(first), Some(_)) if is_sign(first) => {
            let (sign, word) = word.split_at(first.len_utf8());
            [Some(sign), Some(word)]
        }
        _ => [Some(word), None],
    }
}

fn of_order<T: Eq + std::hash::Hash>(hypothesis: &[T], reference: &[T], order: usize) -> OfOrder {
    let (hypothesis, reference) = (counts(hypothesis, order), counts(reference, order));
    let (answered, right) = (hypothesis.values().sum(), reference.values().sum());
    // Of an order that the reference does not have, the answer's do not count.
    [if right == 0 { 0 } else { answered }, right, common(&hypothesis, &reference)]
}

/// The F score of the means of precision and recall over the orders that both have.
fn score(orders: &[OfOrder]) -> f64 {
    let (mut precision, mut recall, mut effective) = (0.0, 0.0, 0.0);
    for &[answered, right, both] in orders {
        if answered > 0 && right > 0 {
            precision += both as f64 / answered as f64;
            recall += both as f64 / right as f64;
            effective += 1.0;
        }
    }
    if precision + recall == 0.0 {
        return 0.0;
    }
    let (precision, recall, factor) = (precision / effective, recall / effective, BETA * BETA);
    100.0 * (1.0 + factor) * precision * recall / (factor * precision + recall)
}
