//! Translating: a text in, a text out, by an encoder and a decoder that looks at what was read.
//!
//! `plan` says what the network is, `network` and `decoder` compute it, `writer` has several of them write together;
//! `copying` takes tokens from the source;
//! `target` are the targets of a batch, `data` are sources with their targets, `metrics` are the figures
//! it is judged by, `model` is the trained translator, `searched` how it looks for translations and `answer` what it says. `shortlist` tells which tokens may stand in the
//! translation of a source, where a model keeps that.

mod answer;
mod copying;
mod data;
mod decoder;
pub mod metrics;
mod model;
mod network;
mod plan;
mod searched;
mod shortlist;
mod target;
mod writer;

pub use self::copying::{SourceTokens, WantedPlaces};
pub use self::data::{Dataset, Followed, ReadPairs, Rows, TooLong, budget, read};
pub use self::model::{Description, Translator};
pub use self::network::Network;
pub use self::plan::{Bridge, DISTANCES, DecoderForm, DecoderPlan, NetworkPlan};
pub use self::searched::{Metrics, judge_greedily, most_tokens};
pub use self::shortlist::{MOST_LISTED, Shortlists};
pub use self::target::Targets;
pub use self::writer::losses;
use crate::model::{Score, Unit};

/// The task's name, and the kind of its model files.
pub const NAME: &str = "translate";

/// Share of sources whose translation is one of its references.
pub const EXACT_MATCH: Score = Score::share("exact-match", "exact match");
/// Corpus BLEU (Papineni 2002), from 0 to 100, as `sacrebleu` counts.
pub const BLEU: Score = number("bleu", "BLEU", true);
/// chrF2 (Popović 2015), from 0 to 100, as `sacrebleu` counts.
pub const CHRF: Score = number("chrf", "chrF", true);
/// Word error rate: edits per word of the references.
pub const WER: Score = Score { higher_is_better: false, ..Score::share("wer", "word error rate") };
/// Character error rate.
pub const CER: Score = Score { higher_is_better: false, ..Score::share("cer", "character error rate") };
/// Translation edit rate (Snover 2006), from 0, as `sacrebleu` counts.
pub const TER: Score = number("ter", "TER", false);
/// What the references cost per token, as `e` to that power.
pub const PERPLEXITY: Score = number("perplexity", "perplexity", false);

/// What a translator is validated by.
pub const SCORES: [Score; 3] = [EXACT_MATCH, BLEU, CHRF];

const fn number(name: &'static str, title: &'static str, higher_is_better: bool) -> Score {
    Score { name, title, unit: Unit::Number, higher_is_better }
}
