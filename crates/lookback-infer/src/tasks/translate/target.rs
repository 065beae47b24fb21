//! The targets of a batch.

use super::copying::{SourceTokens, WantedPlaces};
use crate::input::vocabulary::{PAD, UNK};
use crate::input::written::WrittenText;

/// The targets of a batch, in ids.
#[derive(Clone, Debug)]
pub struct Targets<'a> {
    rows: &'a [&'a [u32]],
    eos: u32,
    /// The tokens before each step, `[B, T]`, [`PAD`] past a row's end.
    before: Vec<u32>,
    time: usize,
    /// Of what tokens are copied; none where nothing is.
    sources: Vec<&'a SourceTokens>,
}

impl<'a> Targets<'a> {
    /// rows: the ids of every target, without beginning and end; those of words that a source has of its own are read as the
    /// unknown one. `drop`: whether a token that is read is replaced by the unknown
    /// one, asked for each; what is wanted stays.
    pub fn new(rows: &'a [&'a [u32]], text: &WrittenText, mut drop: impl FnMut() -> bool) -> Targets<'a> {
        let (eos, vocabulary) = (text.eos(), text.vocabulary.len());
        let time = rows.iter().map(|row| row.len() + 1).max().unwrap_or(0);
        let mut before = Vec::with_capacity(rows.len() * time);
        for row in rows {
            let start = before.len();
            before.push(text.bos());
            before.extend(row.iter().map(|&id| if drop() || id as usize >= vocabulary { UNK } else { id }));
            before.resize(start + time, PAD);
        }
        Targets { rows, eos, before, time, sources: Vec::new() }
    }

    /// With the sources from which tokens are copied, one for each row.
    pub fn with_sources(mut self, sources: Vec<&'a SourceTokens>) -> Targets<'a> {
        self.sources = sources;
        self
    }

    /// The sources from which tokens are copied; none where nothing is.
    pub fn sources(&self) -> &[&'a SourceTokens] {
        &self.sources
    }

    /// Where in the sources every wanted token stands. keys: `S`, the steps of the longest source.
    pub fn wanted_places(&self, keys: usize) -> WantedPlaces {
        let mut wanted = WantedPlaces::new();
        for (row, source) in self.sources.iter().enumerate() {
            for t in 0..self.length(row) {
                wanted.push(self.at(row, t), source, (row * self.time + t) * keys);
            }
        }
        wanted
    }

    /// Has step `t` of a row read another token; what is wanted stays.
    pub fn replace(&mut self, row: usize, t: usize, token: u32) {
        self.before[row * self.time + t] = token;
    }

    /// `B`
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// `T`: the steps of the longest, its end among them.
    pub fn time(&self) -> usize {
        self.time
    }

    /// The steps of a row, its end among them.
    pub fn length(&self, row: usize) -> usize {
        self.rows[row].len() + 1
    }

    /// `[B, T]`: the token before each step, [`PAD`] past a row's end.
    pub fn before(&self) -> &[u32] {
        &self.before
    }

    /// The token that is right at every real step, row by row.
    pub fn wanted(&self) -> Vec<i64> {
        let row = |row: &&'a [u32]| row.iter().copied().chain([self.eos]).map(i64::from).collect::<Vec<_>>();
        self.rows.iter().flat_map(row).collect()
    }

    /// The token that is right at step `t` of a row: its end behind the last.
    pub fn at(&self, row: usize, t: usize) -> u32 {
        self.rows[row].get(t).copied().unwrap_or(self.eos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::written::WrittenCut;

    #[test]
    fn a_batch_begins_ends_and_pads() {
        let text = WrittenText::fit(WrittenCut::Characters, ["ab", "c"].into_iter(), (1, 100), 2);
        assert_eq!(text.encode("abc"), (vec![4, 5], 1));
        let (long, short) = (text.encode("ab").0, text.encode("zz").0);
        assert_eq!(short, [UNK, UNK]);
        let rows: [&[u32]; 3] = [&long, &short[..1], &[]];
        let targets = Targets::new(&rows, &text, || false);
        let (bos, eos) = (text.bos(), text.eos());
        assert_eq!((targets.time(), targets.length(2)), (3, 1));
        assert_eq!(targets.before(), [bos, 4, 5, bos, UNK, PAD, bos, PAD, PAD]);
        assert_eq!(targets.wanted(), [4, 5, i64::from(eos), i64::from(UNK), i64::from(eos), i64::from(eos)]);
        assert_eq!(text.tokens(&[4, UNK], |place| Some(format!("{place}!"))), ["a", "1!"]);
    }
}
