//! What a person says of the search.

use serde::{Deserialize, Serialize};

/// How sequences are searched for, as a person says it. [`SearchPlan::new`](super::SearchPlan::new) checks it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct SearchOptions {
    /// Hypotheses that are followed at once; 1 takes the likeliest token at every step (greedy).
    pub beam: usize,
    /// Hypotheses that are given, the best first; at most `beam`.
    pub n_best: usize,
    /// `α` of the length normalisation (Wu 2016, eq. 14): 0 for none, more for longer answers.
    pub length_penalty: f64,
    /// `β` of the coverage penalty (Wu 2016, eq. 14): 0 for none, more for answers that leave nothing of the source out.
    pub coverage_penalty: f64,
    /// The fewest tokens, without the end.
    pub min_length: usize,
    /// The most tokens, with the end: whatever has so many is cut there.
    pub max_length: usize,
    /// The most tokens per token of the source, beside `max_length`.
    pub max_length_ratio: Option<f64>,
    /// How many more tokens than `max_length_ratio` says; 10 where nothing is said.
    pub max_length_offset: Option<usize>,
    /// Groups of the beam that differ from each other (Vijayakumar 2018); 1 for none.
    pub beam_groups: usize,
    /// What a token loses in a group for each time an earlier group has it in the same step; 0.5 where nothing is said.
    pub diversity: Option<f64>,
    /// Whether what ended by itself comes before what was cut at the maximum, whatever their scores: right for what has an
    /// end of its own, as translations have.
    pub ended_first: bool,
    /// Draws tokens by their probability, in place of the likeliest.
    pub sample: bool,
    /// Samples of every source; 1 where nothing is said.
    pub count: Option<usize>,
    /// What log-probabilities are divided by before a token is drawn; 0 for the likeliest token.
    pub temperature: Option<f64>,
    /// Draws from so many of the likeliest tokens (Fan 2018).
    pub top_k: Option<usize>,
    /// Draws from the fewest tokens that together are so likely (Holtzman 2020).
    pub top_p: Option<f64>,
    /// Draws from tokens at least so likely, as a share of the likeliest one's probability (Nguyen 2024).
    pub min_p: Option<f64>,
    /// What the logits of tokens that came before are divided by, or multiplied where they are negative (Keskar 2019).
    pub repetition_penalty: Option<f64>,
    /// What samples are drawn from; 0 where nothing is said.
    pub seed: Option<u64>,
    /// Keeps what every step looked at.
    pub keep_attention: bool,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self {
            beam: 1,
            n_best: 1,
            length_penalty: 0.0,
            coverage_penalty: 0.0,
            min_length: 0,
            max_length: 256,
            max_length_ratio: None,
            max_length_offset: None,
            beam_groups: 1,
            diversity: None,
            ended_first: true,
            sample: false,
            count: None,
            temperature: None,
            top_k: None,
            top_p: None,
            min_p: None,
            repetition_penalty: None,
            seed: None,
            keep_attention: false,
        }
    }
}
