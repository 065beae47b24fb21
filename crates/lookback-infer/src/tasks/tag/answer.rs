//! What a tagger says of a text.

use serde_json::{Map, Value, json};

use super::model::{Description, Prediction};
use super::scheme::Span;
use super::segment::words;
use crate::input::{Example, Token};
use crate::model::{Answer, View};

/// The tokens, or the words that characters spell.
pub(super) const TOKENS: &str = "tokens";
/// The tag of each.
pub(super) const TAGS: &str = "tags";
/// How likely each tag is.
pub(super) const SCORES: &str = "scores";
/// Spans of tokens.
pub(super) const ENTITIES: &str = "entities";
/// What the attention looked at.
pub(super) const VIEWS: &str = "views";
/// How many tokens past the longest have no tag, where there are any.
pub(super) const CUT_TOKENS: &str = "cut_tokens";
/// The two best paths.
pub(super) const PATHS: &str = "paths";

/// Whether answers name spans of tokens, such as entities.
pub(super) fn has_entities(description: &Description) -> bool {
    description.schemes.written.has_spans() && !description.segment
}

/// The answer that a prediction makes.
pub(super) fn of(description: &Description, prediction: Prediction, example: &Example) -> Answer {
    let Prediction { tags, scores, views, paths } = prediction;
    let (text, tokens) = example.tokens().unwrap_or_default();
    let tags = written(description, tags.iter().copied());
    let mut json = Map::new();
    let pieces: Vec<(&str, String, f32)> = match description.segment {
        true => {
            let word =
                |Span { label, start, end }| (between(text, &tokens, start, end), label, least(&scores, start, end));
            words(&tokens, &tags).into_iter().map(word).collect()
        }
        false => {
            // As they stand in the text, not as the vocabulary has them.
            let piece = |token: &Token<'_>| &text[token.start..token.end];
            tokens
                .iter()
                .zip(&tags)
                .zip(&scores)
                .map(|((token, tag), &score)| (piece(token), tag.clone(), score))
                .collect()
        }
    };
    json.insert(TOKENS.into(), pieces.iter().map(|(piece, _, _)| *piece).collect());
    json.insert(TAGS.into(), pieces.iter().map(|(_, tag, _)| tag.as_str()).collect());
    json.insert(SCORES.into(), pieces.iter().map(|(_, _, score)| *score).collect());
    if has_entities(description) {
        let spans = description.schemes.written.spans(&tags);
        json.insert(ENTITIES.into(), entities(text, &tokens, &scores, spans));
    }
    if example.cut > 0 {
        json.insert(CUT_TOKENS.into(), json!(example.cut));
    }
    if !views.is_empty() {
        json.insert(VIEWS.into(), Value::Object(View::by_name(&views)));
    }
    let line: Vec<String> = pieces.iter().map(|(piece, tag, _)| format!("{piece}/{tag}")).collect();
    let mut notes = Vec::new();
    if !paths.is_empty() {
        let named: Vec<(Vec<String>, f32)> = paths
            .iter()
            .map(|path| (written(description, path.tags.iter().map(|&tag| tag as usize)), path.score))
            .collect();
        let path = |(tags, score): &(Vec<String>, f32)| json!({ "tags": tags, "score": score });
        json.insert(PATHS.into(), named.iter().map(path).collect());
        notes.extend(in_words(text, &tokens, &named));
    }
    Answer { json, line: line.join(" "), notes, views, rows: None, charts: Vec::new() }
}

/// Tags by name, spelt as those of the training data.
fn written(description: &Description, tags: impl Iterator<Item = usize>) -> Vec<String> {
    let names: Vec<String> = tags.map(|tag| description.tags.names()[tag].clone()).collect();
    let schemes = description.schemes;
    if schemes.trained == schemes.written { names } else { schemes.trained.convert(&names, schemes.written) }
}

/// The text from one token to the one before another.
fn between<'a>(text: &'a str, tokens: &[Token<'_>], start: usize, end: usize) -> &'a str {
    &text[tokens[start].start..tokens[end - 1].end]
}

/// A span is as likely as its least likely tag, or less.
fn least(scores: &[f32], start: usize, end: usize) -> f32 {
    scores[start..end].iter().copied().fold(f32::INFINITY, f32::min)
}

/// Spans with where they stand, in characters of the text.
fn entities(text: &str, tokens: &[Token<'_>], scores: &[f32], spans: Vec<Span>) -> Value {
    let (mut bytes, mut characters) = (0, 0);
    let mut place = |byte: usize| {
        characters += text[bytes..byte].chars().count();
        bytes = byte;
        characters
    };
    let entity = |Span { label, start, end }| {
        let own = between(text, tokens, start, end);
        let (first, last) = (place(tokens[start].start), place(tokens[end - 1].end));
        json!({ "text": own, "label": label, "start": first, "end": last, "score": least(scores, start, end) })
    };
    spans.into_iter().map(entity).collect()
}

/// The scores of the best paths, and where the second differs from the first.
fn in_words(text: &str, tokens: &[Token<'_>], paths: &[(Vec<String>, f32)]) -> Option<String> {
    match paths {
        [(best, score), (next, of_next), ..] => {
            let differs = best.iter().zip(next).zip(tokens).filter(|((best, next), _)| best != next);
            let other: Vec<String> =
                differs.map(|((_, tag), token)| format!("{}/{tag}", &text[token.start..token.end])).collect();
            let times = f64::from(score - of_next).exp();
            Some(format!(
                "This path scores {score:.2}, the next {of_next:.2}, which is {times:.3} times less likely: {}",
                other.join(" ")
            ))
        }
        [(_, score)] => Some(format!("This path scores {score:.2}, and there is no other")),
        [] => None,
    }
}
