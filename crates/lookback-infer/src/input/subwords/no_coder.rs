//! In place of the crate tokenizers, where the program was built without it: nothing is learnt, and what was is not applied.

use std::collections::BTreeMap;

use super::Learnt;

/// What is said of a model that needs the crate.
const WITHOUT: &str = "is about pieces of words, but this program was built without them (the feature subwords)";

#[derive(Debug)]
pub(super) enum Coder {}

impl Coder {
    pub(super) fn new(_learnt: &Learnt) -> Result<Coder, String> {
        Err(WITHOUT.into())
    }

    pub(super) fn ends(&self, _word: &str) -> Vec<usize> {
        match *self {}
    }
}

pub(super) fn merges(_words: &BTreeMap<String, u32>, _size: usize) -> Result<Vec<(String, String)>, String> {
    Err(WITHOUT.into())
}

pub(super) fn pieces(_words: &BTreeMap<String, u32>, _size: usize) -> Result<Vec<(String, f64)>, String> {
    Err(WITHOUT.into())
}
