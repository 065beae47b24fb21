//! What a person is told of the data before training, and what is refused of them.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use lookback_infer::data::doubts;
use lookback_infer::data::labels::LabelSet;
use lookback_infer::error::{DataError, counted};
use lookback_infer::input::{Example, Input, InputShape, LabelledInput, Raw};
use lookback_infer::tasks::classify::{Dataset, Targets};

/// Texts that have so many times the tokens of the median are told, since a quote may be missing that would have ended them.
const LONG: usize = 20;
/// But none of fewer tokens than these.
const LONG_TOKENS: usize = 200;

/// Tells which labels there are, the commonest first, and what looks wrong about them.
pub(super) fn tell_labels(labels: &LabelSet, targets: &Targets, data: &Path) {
    /// How many of them are named.
    const NAMED: usize = 10;
    let names = labels.names().iter().map(String::as_str);
    let mut counts: Vec<(&str, usize)> = names.zip(targets.counts(labels.len())).collect();
    // Those of a model that is trained on may have none.
    counts.retain(|&(_, count)| count > 0);
    let mut doubts = doubts::of_labels(&counts);
    let all_labels = counts.iter().map(|&(_, count)| count).sum::<usize>();
    if let Targets::One(_) = targets {
        doubts.extend(doubts::of_separators(&counts));
    }
    counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let named: Vec<String> = counts.iter().take(NAMED).map(|(name, count)| format!("{name} {count}")).collect();
    let more = if counts.len() > NAMED { format!(", and {} more", counts.len() - NAMED) } else { String::new() };
    let (file, all) = (data.display(), counted(counts.len(), "label"));
    tracing::info!("{file}: {all}: {}{more}", named.join(", "));
    if let Targets::Several(several) = targets {
        let (mean, without) =
            (all_labels as f64 / several.len().max(1) as f64, targets.iter().filter(|of| of.is_empty()));
        let without = counted(without.count(), "text");
        tracing::info!("{file}: {mean:.2} labels a text in the mean, {without} without any");
    }
    doubts.iter().for_each(|doubt| tracing::warn!("{file}: {doubt}"));
}

/// Tells that texts stand under several labels, where any do.
pub(super) fn tell_texts(inputs: &[LabelledInput], targets: &Targets, data: &Path) {
    let mut first: HashMap<&str, &[usize]> = HashMap::new();
    let texts = inputs.iter().zip(targets.iter()).filter_map(|(input, target)| match &input.raw {
        Raw::Text(text) => Some((text.as_str(), target, input.line)),
        _ => None,
    });
    let others: Vec<usize> = texts
        .filter_map(|(text, target, line)| (*first.entry(text).or_insert(target) != target).then_some(line))
        .collect();
    if let Some(line) = others.first() {
        let (file, rows) = (data.display(), counted(others.len(), "row"));
        tracing::warn!("{file}: {rows} with a text that stands under another label before, the first on line {line}");
    }
}

/// Refuses texts that have fewer than two labels among them all, where each may have several or none.
pub(super) fn refuse_too_few<'a>(mut labels: impl Iterator<Item = &'a str>, data: &Path) -> Result<(), DataError> {
    let first = labels.next();
    match labels.any(|label| Some(label) != first) {
        true => Ok(()),
        false => Err(DataError::TooFewLabels { file: data.into(), only: first.map(str::to_owned) }),
    }
}

/// Tells what texts there are to train on and, where some are held out, what of those is unknown or stands in both parts.
pub(super) fn tell_parts(input: &Input, train: &Dataset, held_out: Option<&Dataset>) {
    let InputShape::Tokens { vocabulary, .. } = input.shape() else { return };
    let file = train.file.display();
    let mut lengths: Vec<usize> = train.examples.iter().map(|example| example.len() + example.cut).collect();
    lengths.sort_unstable();
    let (Some(&shortest), Some(&longest)) = (lengths.first(), lengths.last()) else { return };
    let (all, median) = (lengths.iter().sum::<usize>(), lengths[lengths.len() / 2]);
    let unknown = held_out.map_or_else(String::new, |held_out| {
        let (unknown, tokens) = unknown(held_out);
        format!("; of the tokens to judge by {:.1} % are unknown", 100.0 * unknown as f64 / tokens.max(1) as f64)
    });
    tracing::info!(
        "{file}: {} of {shortest} to {longest} tokens, {median} in the median, {all} in all; a vocabulary of {vocabulary}{unknown}",
        counted(train.len(), "text"),
    );
    tell_long(train, median);
    if let Some(held_out) = held_out {
        tell_in_both(train, held_out);
    }
}

/// How many tokens are none of the vocabulary, of how many.
fn unknown(dataset: &Dataset) -> (usize, usize) {
    let of = |example: &Example| example.unknown().into_iter().filter(|unknown| *unknown).count();
    (dataset.examples.iter().map(of).sum(), dataset.lengths.iter().sum())
}

/// Tells texts that are much longer than the others.
fn tell_long(train: &Dataset, median: usize) {
    let (file, examples) = (train.file.display(), &train.examples);
    let tokens = |example: &Example| example.len() + example.cut;
    let bound = LONG_TOKENS.max(LONG * median);
    let long: Vec<&Example> = examples.iter().filter(|example| tokens(example) > bound).collect();
    if let Some(first) = long.first() {
        tracing::warn!(
            "{file}: {} much longer than the others, the first on line {} with {} tokens; is a quote missing there?",
            counted(long.len(), "text"),
            first.line,
            tokens(first)
        );
    }
}

/// Tells that texts to judge by are trained on as well, which makes them easy.
fn tell_in_both(train: &Dataset, held_out: &Dataset) {
    fn text(example: &Example) -> Option<&str> {
        example.tokens().map(|(text, _)| text)
    }
    let known: HashSet<&str> = train.examples.iter().filter_map(text).collect();
    let both: Vec<&Example> =
        held_out.examples.iter().filter(|example| text(example).is_some_and(|text| known.contains(text))).collect();
    if let Some(first) = both.first() {
        tracing::warn!(
            "{}: {} of {} to judge by stand among those to train on as well, the first on line {}; the scores will be too good",
            held_out.file.display(),
            both.len(),
            counted(held_out.len(), "text"),
            first.line
        );
    }
}
