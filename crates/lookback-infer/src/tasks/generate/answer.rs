//! What a language model says of an input: how it goes on, or what it costs.

use serde_json::{Map, Value, json};

use super::scored::Scored;
use super::text::GeneratedText;
use crate::input::vocabulary::UNK;
use crate::input::written::WrittenCut;
use crate::model::{Answer, Ask, Field, View};
use crate::search::{Ending, Hypothesis};

/// The input and how it goes on.
pub(super) const TEXT: &str = "text";
/// How it goes on.
const COMPLETION: &str = "completion";
/// Its logarithm of probability, normalised by its length.
const SCORE: &str = "score";
/// Its tokens.
const TOKENS: &str = "tokens";
/// How likely each token is, and the end behind them.
const TOKEN_SCORES: &str = "scores";
/// The others, where several are asked for.
const ALTERNATIVES: &str = "alternatives";
/// Whether it was cut where no longer one is allowed.
const UNFINISHED: &str = "unfinished";
/// How many of the texts that were required it lacks, where there are any.
const MISSING: &str = "missing";
/// Tokens of the input that the vocabulary does not have.
const UNKNOWN_TOKENS: &str = "unknown_tokens";
/// The logarithm of the input's probability, its end among it where texts have one.
const LOG_PROBABILITY: &str = "log_probability";
/// What a token of the input costs in the mean, as `e` to that power.
const PERPLEXITY: &str = "perplexity";
/// What the input costs per character, in bits.
const BITS_PER_CHARACTER: &str = "bits_per_character";
/// How unsure the model was before each token, in bits.
const ENTROPIES: &str = "entropies";
/// The likeliest tokens at every place with their logarithms of probability.
const CANDIDATES: &str = "candidates";

/// Tokens that are told as the least expected.
const SURPRISES: usize = 5;

/// What an answer's object says, in its order.
pub(super) fn fields(ask: &Ask) -> Vec<Field> {
    if ask.generate.score {
        let values = [LOG_PROBABILITY, PERPLEXITY, BITS_PER_CHARACTER].map(Field::value);
        let views = [ENTROPIES, CANDIDATES].into_iter().filter(|_| ask.views).map(Field::lists);
        let lists = [TOKENS, TOKEN_SCORES].map(Field::lists);
        return values.into_iter().chain(lists).chain(views).chain([Field::value(UNKNOWN_TOKENS)]).collect();
    }
    let several = ask.search.n_best.is_some_and(|n| n > 1) || ask.search.count.is_some_and(|count| count > 1);
    let values = [TEXT, COMPLETION, SCORE].map(Field::value);
    let lists = [TOKENS, TOKEN_SCORES].map(Field::lists);
    let alternatives = several.then(|| Field::lists(ALTERNATIVES));
    let told = [UNFINISHED, MISSING, UNKNOWN_TOKENS].map(Field::value);
    values.into_iter().chain(lists).chain(alternatives).chain(told).collect()
}

/// How an input goes on. `read`: the tokens that were read of it.
pub(super) fn of(text: &GeneratedText, found: &[Hypothesis], input: &str, read: &[u32], ask: &Ask) -> Answer {
    let described: Vec<Map<String, Value>> =
        found.iter().map(|found| described(text, found, input, &ask.generate.stop)).collect();
    let mut described = described.into_iter();
    let mut json = described.next().unwrap_or_default();
    let others: Vec<Value> = described.map(Value::Object).collect();
    if !others.is_empty() {
        json.insert(ALTERNATIVES.into(), Value::Array(others));
    }
    tell_unknown(&mut json, read);
    let line = json.get(TEXT).and_then(Value::as_str).unwrap_or_default().to_owned();
    Answer { json, line, notes: Vec::new(), views: Vec::new(), rows: None, charts: Vec::new() }
}

fn tell_unknown(json: &mut Map<String, Value>, read: &[u32]) {
    let unknown = read.iter().filter(|&&id| id == UNK).count();
    if unknown > 0 {
        json.insert(UNKNOWN_TOKENS.into(), json!(unknown));
    }
}

fn described(text: &GeneratedText, found: &Hypothesis, input: &str, stop: &[String]) -> Map<String, Value> {
    let cut = text.written.cut;
    let mut completion = cut.text_behind(input, text.written.tokens(&found.tokens, |_| None));
    let at = stop.iter().filter_map(|stop| completion.find(stop.as_str())).min();
    if let Some(at) = at {
        completion.truncate(at);
    }
    let mut json = Map::new();
    json.insert(TEXT.into(), json!(format!("{input}{completion}")));
    json.insert(COMPLETION.into(), json!(completion));
    json.insert(SCORE.into(), json!(found.score));
    json.insert(TOKENS.into(), json!(text.shown(&found.tokens)));
    json.insert(TOKEN_SCORES.into(), json!(found.log_probabilities));
    if !matches!(found.ending, Ending::End | Ending::BrokenOff) {
        json.insert(UNFINISHED.into(), json!(true));
    }
    if found.missing > 0 {
        json.insert(MISSING.into(), json!(found.missing));
    }
    json
}

/// What an input costs. `read`: its tokens, what it begins with as the first.
pub(super) fn scored(text: &GeneratedText, scored: &Scored, input: &str, read: &[u32], ask: &Ask) -> Answer {
    let tokens = &read[1..];
    let mut shown = text.shown(tokens);
    let has_end = tokens.last().is_some_and(|&last| text.end() == Some(last));
    if let (Some(last), true) = (shown.last_mut(), has_end) {
        *last = "<end>".into();
    }
    let total = scored.total();
    let count = tokens.len().max(1) as f64;
    let characters = input.chars().count() + usize::from(has_end);
    let bits = -total / std::f64::consts::LN_2 / characters.max(1) as f64;
    let mut json = Map::new();
    json.insert(LOG_PROBABILITY.into(), json!(total));
    json.insert(PERPLEXITY.into(), json!((-total / count).exp()));
    json.insert(BITS_PER_CHARACTER.into(), json!(bits));
    json.insert(TOKENS.into(), json!(shown));
    json.insert(TOKEN_SCORES.into(), json!(scored.log_probabilities));
    let candidates = |place: usize| -> Vec<(String, f32)> {
        let of = scored.candidates.get(place).into_iter().flatten();
        of.map(|&(id, log)| (name(text, id), log)).collect()
    };
    if ask.views {
        json.insert(ENTROPIES.into(), json!(scored.entropies));
        let all: Vec<Vec<(String, f32)>> = (0..tokens.len()).map(candidates).collect();
        json.insert(CANDIDATES.into(), json!(all));
    }
    tell_unknown(&mut json, read);
    let line = format!(
        "{} of {}: {bits:.3} bits per character, perplexity {:.3}",
        crate::error::counted(tokens.len(), "token"),
        crate::error::counted(characters, "character"),
        (-total / count).exp()
    );
    let notes = surprises(scored, &shown, candidates);
    let views = if ask.views { views(scored, &shown) } else { Vec::new() };
    Answer { json, line, notes, views, rows: None, charts: Vec::new() }
}

/// A token by itself, as people see it.
fn name(text: &GeneratedText, id: u32) -> String {
    match text.end() == Some(id) {
        true => "<end>".into(),
        false => text.shown(&[id]).pop().unwrap_or_default(),
    }
}

/// How likely every token was, and how unsure the networks were before it.
fn views(scored: &Scored, shown: &[String]) -> Vec<View> {
    let view = |name: &str, values: Vec<f32>| View {
        name: name.into(),
        rows: vec![String::new()],
        columns: shown.to_vec(),
        values,
    };
    let probabilities = scored.log_probabilities.iter().map(|log| log.exp()).collect();
    vec![view("probability", probabilities), view("entropy in bits", scored.entropies.clone())]
}

/// The tokens that were expected least, with what was expected in their places.
fn surprises(scored: &Scored, shown: &[String], candidates: impl Fn(usize) -> Vec<(String, f32)>) -> Vec<String> {
    if scored.candidates.is_empty() {
        return Vec::new();
    }
    let mut order: Vec<usize> = (0..shown.len()).collect();
    order.sort_by(|&a, &b| scored.log_probabilities[a].total_cmp(&scored.log_probabilities[b]).then(a.cmp(&b)));
    let percent = |log: f32| format!("{:.1} %", 100.0 * log.exp());
    let note = |&place: &usize| {
        let expected: Vec<String> =
            candidates(place).into_iter().map(|(token, log)| format!("{token:?} {}", percent(log))).collect();
        format!(
            "Token {}, {:?}, had {}; expected were {}",
            place + 1,
            shown[place],
            percent(scored.log_probabilities[place]),
            expected.join(", ")
        )
    };
    order.iter().take(SURPRISES).map(note).collect()
}

/// A text as it comes, token by token.
#[derive(Debug)]
pub(super) struct Coming<'a> {
    text: &'a GeneratedText,
    before: &'a str,
    stop: &'a [String],
    /// Characters that are held back, for they may be of a text at which writing stops.
    held_back: usize,
    /// The last token that was taken.
    last: Option<u32>,
    written: String,
    /// Bytes of it that were told.
    told: usize,
}

impl<'a> Coming<'a> {
    /// One that comes behind `before`.
    pub(super) fn new(text: &'a GeneratedText, before: &'a str, stop: &'a [String]) -> Coming<'a> {
        let held_back = stop.iter().map(|stop| stop.chars().count()).max().unwrap_or(0);
        Coming { text, before, stop, held_back, last: None, written: String::new(), told: 0 }
    }

    /// One token more; gives what is certain by now and was not told.
    pub(super) fn take(&mut self, token: u32) -> &str {
        let piece = self.piece(token);
        self.written.push_str(&piece);
        self.last = Some(token);
        let stopped = self.stop.iter().filter_map(|stop| self.written[self.told..].find(stop.as_str())).min();
        let end = match self.held_back {
            0 => self.written.len(),
            held => self.written.char_indices().rev().nth(held - 1).map_or(0, |(place, _)| place),
        };
        let from = self.told;
        self.told = stopped.map_or(end, |stopped| end.min(from + stopped)).max(from);
        &self.written[from..self.told]
    }

    /// A token as it stands behind those that were taken.
    fn piece(&self, token: u32) -> String {
        let text = &self.text.written;
        let own = |id: u32| text.tokens(&[id], |_| None).concat();
        match self.last {
            None => text.cut.text_behind(self.before, [own(token)]),
            // Only what stands between blanks depends on the token before.
            Some(last) if text.cut == WrittenCut::Blanks => {
                let both = text.cut.text([own(last), own(token)]);
                both[own(last).len()..].to_owned()
            }
            Some(_) => own(token),
        }
    }

    /// What of the whole text was not told.
    pub(super) fn rest<'b>(&self, answer: &'b Answer) -> &'b str {
        let whole = answer.json.get(COMPLETION).and_then(Value::as_str).unwrap_or_default();
        whole.get(self.told..).unwrap_or_default()
    }
}
