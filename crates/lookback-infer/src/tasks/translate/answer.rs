//! What a translator says of a source.

use serde_json::{Map, Value, json};

use super::copying::SourceTokens;
use crate::input::Example;
use crate::input::written::WrittenText;
use crate::model::{Answer, Ask, Field, View};
use crate::search::{Ending, Hypothesis};

/// The best translation.
pub(super) const TRANSLATION: &str = "translation";
/// Its logarithm of probability, normalised by its length.
const SCORE: &str = "score";
/// Its tokens.
const TOKENS: &str = "tokens";
/// How likely each token is, and the end behind them.
const TOKEN_SCORES: &str = "scores";
/// The other translations, the best first.
const ALTERNATIVES: &str = "alternatives";
/// Whether it was cut where no longer one is allowed.
const UNFINISHED: &str = "unfinished";
/// How many of the texts that were required it lacks, where there are any.
const MISSING: &str = "missing";
/// How many tokens of the source training never had, where there are any.
const UNKNOWN_TOKENS: &str = "unknown_tokens";
/// How many tokens of the source past the longest were not read, where there are any.
const CUT_TOKENS: &str = "cut_tokens";
/// Whether the source says nothing that the model knows.
const UNSURE: &str = "unsure";
/// What every token looked at.
const VIEWS: &str = "views";

/// What an answer's object says, in its order.
pub(super) fn fields(ask: &Ask) -> Vec<Field> {
    let of_tables = [Field::value(TRANSLATION), Field::value(SCORE)];
    let others = [TOKENS, TOKEN_SCORES].map(Field::lists);
    let several = ask.search.n_best.is_some_and(|n| n > 1) || ask.search.count.is_some_and(|count| count > 1);
    let alternatives = several.then(|| Field::lists(ALTERNATIVES));
    let told = [UNSURE, UNKNOWN_TOKENS, UNFINISHED, MISSING, CUT_TOKENS].map(Field::value);
    let views = ask.views.then(|| Field::lists(VIEWS));
    of_tables.into_iter().chain(others).chain(alternatives).chain(told).chain(views).collect()
}

/// The answer that the sequences found make: an empty text where none were looked for, since the source has no token.
pub(super) fn of(target: &WrittenText, found: Vec<Hypothesis>, example: &Example, ask: &Ask) -> Answer {
    let mut found = found.into_iter();
    let Some(best) = found.next() else {
        let mut json = Map::new();
        json.insert(TRANSLATION.into(), json!(""));
        json.insert(UNSURE.into(), json!(true));
        return Answer {
            json,
            line: String::new(),
            notes: Vec::new(),
            views: Vec::new(),
            rows: None,
            charts: Vec::new(),
        };
    };
    let mut writing = Writing { target, example, source: None };
    let tokens = writing.tokens(&best);
    let mut json = writing.described(&best, &tokens);
    let alternatives: Vec<Value> = found
        .map(|other| {
            let tokens = writing.tokens(&other);
            Value::Object(writing.described(&other, &tokens))
        })
        .collect();
    if !alternatives.is_empty() {
        json.insert(ALTERNATIVES.into(), Value::Array(alternatives));
    }
    if example.is_unknown() {
        json.insert(UNSURE.into(), json!(true));
    }
    if let Some((_, unknown @ 1..)) = example.count_tokens() {
        json.insert(UNKNOWN_TOKENS.into(), json!(unknown));
    }
    if example.cut > 0 {
        json.insert(CUT_TOKENS.into(), json!(example.cut));
    }
    let line = target.cut.text(&tokens);
    let mut notes =
        vec![format!("It scores {:.3}; its logarithm of probability is {:.3}", best.score, best.log_probability)];
    if best.ending != Ending::End {
        notes.push(format!("It was cut at {} tokens, where no longer one is allowed", best.tokens.len()));
    }
    let views = if ask.views { vec![writing.alignment(&best, &tokens)] } else { Vec::new() };
    if !views.is_empty() {
        json.insert(VIEWS.into(), Value::Object(View::by_name(&views)));
    }
    Answer { json, line, notes, views, rows: None, charts: Vec::new() }
}

/// The text of a sequence.
pub(super) fn text(target: &WrittenText, found: &Hypothesis, example: &Example) -> String {
    target.cut.text(Writing { target, example, source: None }.tokens(found))
}

/// How the sequences of a source are written.
struct Writing<'a> {
    target: &'a WrittenText,
    example: &'a Example,
    /// The source's tokens as those of targets, where somebody has asked for them.
    source: Option<SourceTokens>,
}

impl Writing<'_> {
    /// The tokens of a sequence. A word that was copied stands as the source has it; in place of one that nothing has stands what
    /// was looked at most (Luong 2015b).
    fn tokens(&mut self, found: &Hypothesis) -> Vec<String> {
        let Writing { target, example, source: own } = self;
        let source = example.tokens();
        let looked_at = |place: usize| {
            let (text, tokens) = source.as_ref()?;
            let weights = found.attention.get(place)?;
            let most = weights.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)))?.0;
            let token = tokens.get(most)?;
            Some(target.cut.as_token(&text[token.start..token.end]))
        };
        let mut tokens = target.tokens(&found.tokens, looked_at);
        if found.tokens.iter().any(|&id| id as usize >= target.vocabulary.len()) {
            let own = own.get_or_insert_with(|| SourceTokens::of(target, example));
            let copied =
                tokens.iter_mut().zip(&found.tokens).filter_map(|(token, &id)| Some((token, own.own_word(id)?)));
            copied.for_each(|(token, word)| *token = word.to_owned());
        }
        tokens
    }

    /// What is said of a sequence that has these tokens.
    fn described(&self, found: &Hypothesis, tokens: &[String]) -> Map<String, Value> {
        let cut = self.target.cut;
        let shown: Vec<&str> = tokens.iter().map(|token| cut.shown(token)).collect();
        let mut json = Map::new();
        json.insert(TRANSLATION.into(), json!(cut.text(tokens)));
        json.insert(SCORE.into(), json!(found.score));
        json.insert(TOKENS.into(), json!(shown));
        json.insert(TOKEN_SCORES.into(), json!(found.log_probabilities));
        if found.ending != Ending::End {
            json.insert(UNFINISHED.into(), json!(true));
        }
        if found.missing > 0 {
            json.insert(MISSING.into(), json!(found.missing));
        }
        json
    }

    /// What every token of a sequence looked at, and its end.
    fn alignment(&self, found: &Hypothesis, tokens: &[String]) -> View {
        let mut rows: Vec<String> = tokens.iter().map(|token| self.target.cut.shown(token).to_owned()).collect();
        if found.attention.len() > rows.len() {
            rows.push("<end>".into());
        }
        let columns = self.example.written_names();
        let values = found.attention.iter().flatten().copied().collect();
        View { name: "alignment".into(), rows, columns, values }
    }
}
