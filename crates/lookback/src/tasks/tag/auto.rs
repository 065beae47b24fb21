//! What is chosen by the data where nobody says otherwise.

use lookback_infer::input::{Labelled, Raw};
use lookback_infer::tasks::tag::Tags;

use super::options::TagOptions;
use crate::input::NONE;
use crate::tasks::chosen::{Chosen, Training};

/// What the choice depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Facts {
    /// Tokens of the training data, those among them that may be held out.
    pub(super) tokens: usize,
    /// Characters of a token, in the mean: about 1.7 in Chinese, 1 where tokens are characters.
    pub(super) characters: f64,
    /// Whether some letters are capitals.
    pub(super) has_case: bool,
    /// Whether tags spell spans, which are what counts.
    pub(super) has_spans: bool,
}

impl Facts {
    pub(super) fn of(sentences: &[Labelled<Tags>], has_spans: bool) -> Facts {
        let all = || {
            sentences.iter().flat_map(|sentence| match &sentence.raw {
                Raw::Tokens(tokens) => tokens.as_slice(),
                _ => &[],
            })
        };
        let tokens = all().count();
        let characters: usize = all().map(|token| token.chars().count()).sum();
        Facts {
            tokens,
            characters: characters as f64 / tokens.max(1) as f64,
            has_case: all().any(|token| token.chars().any(char::is_uppercase)),
            has_spans,
        }
    }
}

/// Characters of a token below which every character is one, but for what is written in other scripts.
const SINGLE: f64 = 1.15;
/// Characters of a token below which they are words of Chinese or the like.
const SHORT: f64 = 2.5;
/// Tokens below which there are few.
const FEW: usize = 100_000;
/// Tokens that all epochs together go through.
const GONE_THROUGH: usize = 700_000;

/// The names of options that are chosen by the data, whatever these are.
pub(super) fn open(options: &TagOptions) -> Vec<&'static str> {
    let facts = Facts { tokens: 0, characters: 5.0, has_case: true, has_spans: true };
    choose(options, &facts).1.0.into_iter().map(|(name, _)| name).collect()
}

/// `options` with what is chosen by these facts, and what that is.
pub(super) fn choose(options: &TagOptions, facts: &Facts) -> (TagOptions, Chosen) {
    let (mut options, mut chosen) = (options.clone(), Chosen::default());
    let few = facts.tokens < FEW;
    let tokens = &mut options.tokens;
    let (ngrams, pairs) = match facts.characters {
        characters if characters < SINGLE => (NONE, 50_000),
        characters if characters < SHORT => ("1-2", 0),
        _ => ("2-5", 0),
    };
    if tokens.char_buckets.is_none() {
        chosen.fill("char-ngrams", &mut tokens.char_ngrams, ngrams.into());
    }
    if tokens.char_ngrams.as_deref().is_some_and(|range| range != NONE) {
        chosen.fill("char-buckets", &mut tokens.char_buckets, if few { 20_000 } else { 50_000 });
    }
    chosen.fill("bigram-buckets", &mut tokens.bigram_buckets, pairs);
    chosen.fill("shape-buckets", &mut tokens.shape_buckets, if facts.has_case { 500 } else { 0 });
    chosen.fill("word-dropout", &mut tokens.word_dropout, 0.2);
    if options.encoder.layers != Some(0) {
        chosen.fill("hidden", &mut options.encoder.hidden, 128);
    }
    if options.encoder.embeddings.is_none() {
        chosen.fill("embedding", &mut options.encoder.embedding, 128);
    }
    chosen.fill("dropout", &mut options.encoder.dropout, if few { 0.5 } else { 0.3 });
    let training = Training {
        epochs: (GONE_THROUGH / facts.tokens.max(1)).clamp(6, 20),
        batch_size: if few { 16 } else { 32 },
        learning_rate: 0.004,
        decay: if few { 0.99 } else { 0.998 },
        score: if facts.has_spans { "f1" } else { "accuracy" },
    };
    chosen.fill_training(&mut options.train, &training);
    (options, chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(options: &TagOptions, facts: Facts) -> String {
        choose(options, &facts).1.in_words()
    }

    #[test]
    fn tokens_are_made_of_what_their_script_has() {
        let facts = |characters, has_case| Facts { tokens: 30_000, characters, has_case, has_spans: false };
        let words = chosen(&TagOptions::default(), facts(4.5, true));
        assert!(
            words.contains("--char-ngrams 2-5 --char-buckets 20000") && words.contains("--shape-buckets 500"),
            "{words}"
        );
        let chinese = chosen(&TagOptions::default(), facts(1.7, false));
        assert!(chinese.contains("--char-ngrams 1-2") && chinese.contains("--shape-buckets 0"), "{chinese}");
        let characters = chosen(&TagOptions::default(), facts(1.0, false));
        assert!(characters.contains("--char-ngrams none --bigram-buckets 50000"), "{characters}");
        assert!(!characters.contains("char-buckets"), "{characters}");
    }

    #[test]
    fn the_more_tokens_there_are_the_fewer_epochs_and_the_less_is_dropped() {
        let facts = |tokens| Facts { tokens, characters: 4.5, has_case: false, has_spans: true };
        let few = chosen(&TagOptions::default(), facts(20_000));
        assert!(few.contains("--dropout 0.5 --epochs 20 --batch-size 16") && few.contains("--score f1"), "{few}");
        let many = chosen(&TagOptions::default(), facts(900_000));
        assert!(many.contains("--dropout 0.3 --epochs 6 --batch-size 32"), "{many}");
    }

    #[test]
    fn what_was_said_stays() {
        let mut options = TagOptions::default();
        options.encoder.hidden = Some(9);
        options.train.validation_split = Some(0.0);
        let facts = Facts { tokens: 9, characters: 4.5, has_case: true, has_spans: false };
        let (filled, chosen) = choose(&options, &facts);
        assert_eq!(filled.encoder.hidden, Some(9));
        assert!(
            ["hidden", "validation-split", "patience", "score"].iter().all(|name| !chosen.in_words().contains(name))
        );
        assert!(open(&TagOptions::default()).contains(&"char-buckets"));
    }
}
