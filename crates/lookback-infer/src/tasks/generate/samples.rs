//! How varied the texts are that a model writes, and how much of them it has from the data.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::corpus::Corpus;
use crate::model::Table;

/// Tokens side by side that are counted as one, at most.
const LONGEST: usize = 4;

/// What is found of samples.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sampled {
    /// How many there are.
    pub(super) count: usize,
    /// Different runs of 1, 2, 3 and 4 tokens among all of them (distinct-n, Li 2016): the share in the samples, and the share in as much
    /// of the data.
    pub(super) distinct: [[f64; 2]; LONGEST],
    /// Runs of 4 tokens that stood before in the same text: the share in the samples, and in as much of the data.
    pub(super) repeated: [f64; 2],
    /// The share of samples that stand whole in the data.
    pub(super) copied: f64,
    /// Tokens of the longest run that a sample has in common with the data: in the mean, and of all.
    pub(super) longest_run: (f64, usize),
}

impl Sampled {
    /// Of these samples, in tokens, beside the data.
    pub(super) fn of(samples: &[Vec<u32>], data: &Corpus) -> Sampled {
        let written: Vec<&[u32]> = samples.iter().map(Vec::as_slice).collect();
        // As much of the data: more text has fewer different runs.
        let total: usize = samples.iter().map(Vec::len).sum();
        let mut beside: Vec<&[u32]> = Vec::new();
        let mut taken = 0;
        let each = total.div_ceil(samples.len().max(1)).max(1);
        for document in data.documents.iter().flat_map(|document| document.0[1..].chunks(each)) {
            if taken >= total {
                break;
            }
            beside.push(document);
            taken += document.len();
        }
        let both = |figure: &dyn Fn(&[&[u32]]) -> f64| [figure(&written), figure(&beside)];
        let runs: Vec<usize> = longest_runs(&written, data);
        let whole = runs.iter().zip(&written).filter(|(run, sample)| **run == sample.len() && !sample.is_empty());
        let count = samples.len().max(1) as f64;
        Sampled {
            count: samples.len(),
            distinct: std::array::from_fn(|place| both(&|texts| distinct(texts, place + 1))),
            repeated: both(&|texts| repeated(texts, LONGEST)),
            copied: whole.count() as f64 / count,
            longest_run: (runs.iter().sum::<usize>() as f64 / count, runs.iter().copied().max().unwrap_or(0)),
        }
    }

    /// For people.
    pub(super) fn table(&self) -> Table {
        let percent = |share: f64| format!("{:.2} %", 100.0 * share);
        let row = |name: String, [samples, data]: [f64; 2]| vec![name, percent(samples), percent(data)];
        let mut rows: Vec<Vec<String>> =
            self.distinct.iter().zip(1..).map(|(both, n)| row(format!("distinct-{n}"), *both)).collect();
        rows.push(row(format!("repeated runs of {LONGEST} tokens"), self.repeated));
        let header = ["of the texts".to_owned(), format!("{} samples", self.count), "as much of the data".to_owned()];
        let (mean, most) = self.longest_run;
        let note = format!(
            "{} of the samples stand whole in the data; the longest run in common has {mean:.1} tokens in the mean, at most {most}",
            percent(self.copied)
        );
        Table { header: header.to_vec(), rows, note }
    }

    /// All of it; shares are from 0 to 1.
    pub(super) fn json(&self) -> Value {
        let both = |[samples, data]: [f64; 2]| json!({ "samples": samples, "data": data });
        let distinct: serde_json::Map<String, Value> =
            self.distinct.iter().zip(1..).map(|(pair, n)| (format!("{n}"), both(*pair))).collect();
        json!({
            "count": self.count,
            "distinct": distinct,
            "repeated": both(self.repeated),
            "copied": self.copied,
            "longest_run": { "mean": self.longest_run.0, "most": self.longest_run.1 },
        })
    }
}

/// The share of different ones among all runs of `n` tokens.
fn distinct(texts: &[&[u32]], n: usize) -> f64 {
    let mut seen = HashSet::new();
    let mut count = 0usize;
    for run in texts.iter().flat_map(|text| text.windows(n)) {
        count += 1;
        seen.insert(run);
    }
    seen.len() as f64 / count.max(1) as f64
}

/// The share of runs of `n` tokens that stood before in the same text.
fn repeated(texts: &[&[u32]], n: usize) -> f64 {
    let (mut again, mut count) = (0usize, 0usize);
    for text in texts {
        let mut seen = HashSet::new();
        for run in text.windows(n) {
            count += 1;
            again += usize::from(!seen.insert(run));
        }
    }
    again as f64 / count.max(1) as f64
}

/// Of every text the tokens of the longest run that stands in the data as well: by halving, for what is in common has all its
/// beginnings in common.
fn longest_runs(texts: &[&[u32]], data: &Corpus) -> Vec<usize> {
    let mut bounds: Vec<(usize, usize)> = texts.iter().map(|text| (0, text.len())).collect();
    loop {
        // All texts that try the same length go through the data once.
        let mut of_length: HashMap<usize, Vec<usize>> = HashMap::new();
        for (place, &(least, most)) in bounds.iter().enumerate().filter(|(_, (least, most))| least < most) {
            of_length.entry((least + most).div_ceil(2)).or_default().push(place);
        }
        if of_length.is_empty() {
            return bounds.into_iter().map(|(least, _)| least).collect();
        }
        for (length, places) in of_length {
            let mut wanted: HashMap<&[u32], Vec<usize>> = HashMap::new();
            for &place in &places {
                for run in texts[place].windows(length) {
                    wanted.entry(run).or_default().push(place);
                }
            }
            let mut found = HashSet::new();
            for document in &data.documents {
                for run in document.0[1..].windows(length) {
                    if let Some(places) = wanted.get(run) {
                        found.extend(places.iter().copied());
                    }
                }
            }
            for place in places {
                let (least, most) = &mut bounds[place];
                if found.contains(&place) { *least = length } else { *most = length - 1 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::corpus::Tokens;
    use super::*;

    #[test]
    fn what_is_new_and_what_is_copied_is_told_apart() {
        // The first token of a document is what it begins with.
        let data =
            Corpus { documents: vec![Tokens(vec![9, 1, 2, 3, 4, 5]), Tokens(vec![9, 6, 7])], ..Corpus::default() };
        let samples = vec![vec![1, 2, 3], vec![3, 4, 6, 7, 8], vec![8, 8, 8, 8, 8, 8], vec![]];
        let sampled = Sampled::of(&samples, &data);
        assert_eq!((sampled.count, sampled.copied), (4, 0.25));
        assert_eq!(sampled.longest_run, (5.0 / 4.0, 3));
        // 1 to 4 and 6 to 8 of 14 tokens.
        assert!((sampled.distinct[0][0] - 7.0 / 14.0).abs() < 1e-12, "{sampled:?}");
        assert_eq!(sampled.distinct[0][1], 1.0);
        // Of the third sample two of three runs of four, and there are two more in the second.
        assert!((sampled.repeated[0] - 2.0 / 5.0).abs() < 1e-12, "{sampled:?}");
        let told = sampled.table();
        assert!(told.note.starts_with("25.00 % of the samples stand whole in the data"), "{}", told.note);
        assert_eq!(sampled.json()["longest_run"]["most"], 3);
    }
}
