//! Generating: language models, which say how likely every token is after those before it; so they write, complete and score.
//!
//! `plan` says what the network is, `network` computes it and `writer` has several of them write together; `text` is what was learnt
//! of the training texts, `corpus` are documents in tokens, `metrics` are the figures a model is judged by, with a `cache` by option, `report` tells them, `samples` those of what it writes, `model` is the
//! trained generator, `searched` how it writes, `state` what it has read so far, `scored` what a text costs it, `asked` what may be asked of it, and `answer` what it says.

mod answer;
mod asked;
mod cache;
mod corpus;
mod metrics;
mod model;
mod network;
mod plan;
mod report;
mod samples;
mod scored;
mod searched;
mod state;
mod text;
mod writer;

pub use self::cache::CachePlan;
pub use self::corpus::{Corpus, Tokens};
pub use self::metrics::{Metrics, judge, judge_with_cache};
pub use self::model::{Description, Generator, budget};
pub use self::network::Network;
pub use self::plan::NetworkPlan;
pub use self::state::STATE_KIND;
pub use self::text::GeneratedText;
use crate::model::{Score, Unit};

/// The task's name, and the kind of its model files.
pub const NAME: &str = "generate";

/// What a token costs in the mean, as `e` to that power; ends that are learnt are tokens.
pub const PERPLEXITY: Score = number("perplexity", "perplexity");
/// What a text costs per character, in bits; an end that is learnt counts as a character.
pub const BITS_PER_CHARACTER: Score = number("bits-per-character", "bits per character");
/// The same per byte of UTF-8, which does not depend on how texts are cut.
pub const BITS_PER_BYTE: Score = number("bits-per-byte", "bits per byte");
/// What a word costs in the mean, as `e` to that power: words are what stands between blanks, and line ends.
pub const WORD_PERPLEXITY: Score = number("word-perplexity", "perplexity per word");

/// What a generator is validated by.
pub const SCORES: [Score; 3] = [PERPLEXITY, BITS_PER_CHARACTER, BITS_PER_BYTE];

const fn number(name: &'static str, title: &'static str) -> Score {
    Score { name, title, unit: Unit::Number, higher_is_better: false }
}
