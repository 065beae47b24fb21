//! What is chosen by the data where nobody says otherwise.

use lookback_infer::data::documents::Document;
use lookback_infer::input::written::WrittenCut;

use super::options::GenerateOptions;
use crate::tasks::chosen::{Chosen, Training};

/// What the choice depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Facts {
    /// Tokens of all texts, about.
    pub(super) tokens: usize,
}

/// Characters of a word, about, with the blank before it.
const OF_A_WORD: usize = 6;
/// Characters of a piece of a word, about.
const OF_A_PIECE: usize = 4;

impl Facts {
    pub(super) fn of(documents: &[Document], options: &GenerateOptions) -> Facts {
        let characters: usize = documents.iter().map(|document| document.text.chars().count()).sum();
        let each = match options.tokens.tokenizer.unwrap_or(WrittenCut::Characters) {
            WrittenCut::Characters => 1,
            WrittenCut::Words | WrittenCut::Blanks => OF_A_WORD,
            WrittenCut::Bpe | WrittenCut::Unigram => OF_A_PIECE,
        };
        Facts { tokens: characters / each }
    }
}

/// Tokens that all epochs together go through.
const GONE_THROUGH: usize = 10_000_000;
/// Tokens below which there are few, and very few.
const FEW: usize = 1_000_000;
const VERY_FEW: usize = 50_000;

/// The names of options that are chosen by the data, whatever these are.
pub(super) fn open(options: &GenerateOptions) -> Vec<&'static str> {
    choose(options, &Facts { tokens: 0 }).1.0.into_iter().map(|(name, _)| name).collect()
}

/// `options` with what is chosen by these facts, and what that is.
pub(super) fn choose(options: &GenerateOptions, facts: &Facts) -> (GenerateOptions, Chosen) {
    let (mut options, mut chosen) = (options.clone(), Chosen::default());
    let (few, very_few) = (facts.tokens < FEW, facts.tokens < VERY_FEW);
    let of_characters = options.tokens.tokenizer.unwrap_or(WrittenCut::Characters) == WrittenCut::Characters;
    if options.tokens.tokenizer.is_none() {
        options.tokens.tokenizer = Some(WrittenCut::Characters);
        chosen.0.push(("tokenizer", "characters".into()));
    }
    let layers = options.network.layers.unwrap_or(if of_characters { 1 } else { 2 });
    // One layer that is tied is as wide as the token vectors.
    let alike = options.network.tied.unwrap_or(!of_characters) && layers == 1;
    let by_size = if very_few {
        128
    } else if few {
        256
    } else {
        512
    };
    let hidden = options.network.embedding.filter(|_| alike).unwrap_or(by_size);
    chosen.fill("hidden", &mut options.network.hidden, hidden);
    let embedding = if of_characters && !alike { 64 } else { options.network.hidden.unwrap_or(hidden) };
    chosen.fill("embedding", &mut options.network.embedding, embedding);
    let dropout = match (of_characters, few) {
        (true, true) => 0.2,
        (true, false) => 0.1,
        (false, true) => 0.5,
        (false, false) => 0.4,
    };
    chosen.fill("dropout", &mut options.network.dropout, dropout);
    let training = Training {
        epochs: (GONE_THROUGH / facts.tokens.max(1)).clamp(5, 40),
        batch_size: if very_few { 16 } else { 32 },
        learning_rate: if of_characters { 0.004 } else { 0.002 },
        decay: if few { 0.99 } else { 0.998 },
        score: "perplexity",
    };
    chosen.fill_training(&mut options.train, &training);
    (options, chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_stays_and_the_rest_follows_from_the_size() {
        let mut options = GenerateOptions::default();
        options.network.hidden = Some(9);
        let (filled, chosen) = choose(&options, &Facts { tokens: 10_000 });
        assert_eq!(filled.network.hidden, Some(9));
        assert!(!chosen.in_words().contains("--hidden"), "{}", chosen.in_words());
        assert!(chosen.in_words().contains("--tokenizer characters") && chosen.in_words().contains("--epochs 40"));
        let (large, _) = choose(&GenerateOptions::default(), &Facts { tokens: 5_000_000 });
        assert_eq!((large.network.hidden, large.train.epochs), (Some(512), Some(5)));
        assert!(open(&GenerateOptions::default()).contains(&"dropout"));
    }
}
