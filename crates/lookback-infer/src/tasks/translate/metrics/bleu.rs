//! BLEU of a corpus (Papineni 2002).

use std::collections::HashMap;

use serde::Serialize;

use super::ngrams::{common, counts};
use super::{BleuTokenizer, Judged, VERSION, reference_count};

/// N-grams of up to so many tokens are compared.
const ORDERS: usize = 4;

/// BLEU of a corpus, as sacreBLEU 2.6.0 has it by default: n-grams of up to four tokens, precisions of 0 smoothed exponentially.
///
/// An n-gram counts as often as it stands in the reference that has it most often; of the references the one nearest in length
/// stands for the length. A corpus in which no answer has four tokens scores 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bleu {
    /// From 0 to 100.
    pub score: f64,
    /// Precisions of n-grams of 1 to 4 tokens, from 0 to 100.
    pub precisions: [f64; ORDERS],
    /// What takes from the score where answers are shorter than the references, from 0 to 1.
    pub brevity_penalty: f64,
    /// Tokens of all answers.
    pub hypothesis_length: usize,
    /// Tokens of the references.
    pub reference_length: usize,
    /// How it was counted, as sacreBLEU writes it.
    pub signature: String,
}

/// What is counted of a corpus.
#[derive(Default)]
struct Totals {
    hypothesis_length: usize,
    reference_length: usize,
    correct: [usize; ORDERS],
    answered: [usize; ORDERS],
}

impl Bleu {
    /// Of a corpus cut by `tokenizer`.
    pub fn of(judged: &[Judged<'_>], tokenizer: BleuTokenizer) -> Bleu {
        let mut totals = Totals::default();
        judged.iter().for_each(|one| totals.add(one, tokenizer));
        let brevity_penalty = totals.brevity_penalty();
        let precisions = totals.precisions();
        // A precision of 0 is left only where no answer is that long, or none has anything right.
        let score = match precisions.iter().all(|&precision| precision > 0.0) {
            true => {
                brevity_penalty * (precisions.iter().map(|precision| precision.ln()).sum::<f64>() / ORDERS as f64).exp()
            }
            false => 0.0,
        };
        let (count, tokenizer) = (reference_count(judged), tokenizer.name());
        Bleu {
            score,
            precisions,
            brevity_penalty,
            hypothesis_length: totals.hypothesis_length,
            reference_length: totals.reference_length,
            signature: format!("{count}|case:mixed|eff:no|tok:{tokenizer}|smooth:exp|{VERSION}"),
        }
    }
}

impl Totals {
    fn add(&mut self, one: &Judged<'_>, tokenizer: BleuTokenizer) {
        let hypothesis = tokenizer.tokens(one.hypothesis);
        let references: Vec<Vec<String>> = one.references.iter().map(|text| tokenizer.tokens(text)).collect();
        let length = hypothesis.len();
        let nearest = references.iter().map(Vec::len).min_by_key(|&other| (other.abs_diff(length), other));
        self.hypothesis_length += length;
        self.reference_length += nearest.unwrap_or(0);
        for order in 1..=ORDERS {
            let mut most: HashMap<&[String], usize> = HashMap::new();
            for reference in &references {
                for (run, count) in counts(reference, order) {
                    let most = most.entry(run).or_default();
                    *most = count.max(*most);
                }
            }
            let answered = counts(&hypothesis, order);
            self.correct[order - 1] += common(&answered, &most);
            self.answered[order - 1] += answered.values().sum::<usize>();
        }
    }

    fn brevity_penalty(&self) -> f64 {
        match (self.hypothesis_length, self.reference_length) {
            (hypothesis, reference) if hypothesis >= reference => 1.0,
            (0, _) => 0.0,
            (hypothesis, reference) => (1.0 - reference as f64 / hypothesis as f64).exp(),
        }
    }

    /// Each n-gram precision; one of 0 is half of one n-gram, the next a quarter, and so on (Chen and Cherry 2014, method 3). Behind
    /// an order of which there are no n-grams, and where nothing at all is right, they stay 0.
    fn precisions(&self) -> [f64; ORDERS] {
        let mut precisions = [0.0; ORDERS];
        if self.correct.iter().all(|&correct| correct == 0) {
            return precisions;
        }
        let mut smoothing = 1.0;
        for (precision, (&correct, &answered)) in precisions.iter_mut().zip(self.correct.iter().zip(&self.answered)) {
            *precision = match (correct, answered) {
                (_, 0) => break,
                (0, answered) => {
                    smoothing *= 2.0;
                    100.0 / (smoothing * answered as f64)
                }
                (correct, answered) => 100.0 * correct as f64 / answered as f64,
            };
        }
        precisions
    }
}
