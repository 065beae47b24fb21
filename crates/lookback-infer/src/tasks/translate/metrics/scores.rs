//! All scores of a corpus together.

use serde::Serialize;

use super::{Bleu, BleuTokenizer, Chrf, ErrorRate, Judged, Rouge, Ter, Unit, exact_match};

/// Which scores are wanted, and how they are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScoreOptions {
    /// How texts are cut for BLEU.
    pub tokenizer: BleuTokenizer,
    /// N-grams of up to so many words that chrF counts beside those of characters: 0, or 2 for chrF++.
    pub chrf_words: usize,
    /// Whether the translation edit rate is counted, which takes longer than all else.
    pub ter: bool,
    /// Whether ROUGE is counted, which is for summaries.
    pub rouge: bool,
}

/// The scores of a corpus.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// BLEU, from 0 to 100.
    pub bleu: Bleu,
    /// chrF, from 0 to 100.
    pub chrf: Chrf,
    /// Share of answers that are one of their references.
    pub exact_match: f64,
    /// Word error rate; of phonemes that stand between white space it is the phoneme error rate.
    pub wer: ErrorRate,
    /// Character error rate.
    pub cer: ErrorRate,
    /// Translation edit rate, from 0, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ter: Option<Ter>,
    /// ROUGE, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rouge: Option<Rouge>,
}

impl Scores {
    /// Of what was answered to each source, and its references.
    pub fn of(judged: &[Judged<'_>], options: &ScoreOptions) -> Scores {
        Scores {
            bleu: Bleu::of(judged, options.tokenizer),
            chrf: Chrf::of(judged, options.chrf_words),
            exact_match: exact_match(judged),
            wer: ErrorRate::of(judged, Unit::Words),
            cer: ErrorRate::of(judged, Unit::Characters),
            ter: options.ter.then(|| Ter::of(judged)),
            rouge: options.rouge.then(|| Rouge::of(judged)),
        }
    }
}
