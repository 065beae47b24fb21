//! How good a language model is, for people and as JSON.

use serde_json::json;

use super::metrics::Metrics;
use super::{BITS_PER_BYTE, BITS_PER_CHARACTER, PERPLEXITY, WORD_PERPLEXITY};
use crate::model::{Figure, Report, Score};

/// The figures for people and as JSON.
pub(super) fn report(metrics: &Metrics) -> Report {
    let figure = |score: Score, value: f64| Figure { score, value };
    let accuracy = metrics.right as f64 / metrics.tokens.max(1) as f64;
    let mut figures = vec![
        figure(PERPLEXITY, metrics.loss().exp()),
        figure(BITS_PER_CHARACTER, metrics.bits_per_character()),
        figure(BITS_PER_BYTE, metrics.bits_per_byte()),
        figure(WORD_PERPLEXITY, metrics.word_perplexity()),
        figure(Score::share("accuracy", "likeliest token right"), accuracy),
        figure(Score::LOSS, metrics.loss()),
    ];
    if metrics.unknown > 0 {
        let share = metrics.unknown as f64 / metrics.tokens.max(1) as f64;
        let unknown = Score { higher_is_better: false, ..Score::share("unknown-tokens", "unknown tokens") };
        figures.insert(figures.len() - 1, figure(unknown, share));
    }
    let [characters, bytes, words] = metrics.sizes;
    let json = json!({
        "examples": metrics.documents,
        "tokens": metrics.tokens,
        "unknown_tokens": metrics.unknown,
        "characters": characters,
        "bytes": bytes,
        "words": words,
        "perplexity": metrics.loss().exp(),
        "bits_per_character": metrics.bits_per_character(),
        "bits_per_byte": metrics.bits_per_byte(),
        "word_perplexity": metrics.word_perplexity(),
        "accuracy": accuracy,
        "loss": metrics.loss(),
    });
    Report { examples: metrics.documents, figures, tables: Vec::new(), json }
}
