//! What is told of the labels before anything is learnt, and what is refused.

use std::collections::HashMap;
use std::path::Path;

use lookback_infer::data::doubts;
use lookback_infer::data::labels::LabelSet;
use lookback_infer::error::{DataError, counted};
use lookback_infer::input::{LabelledInput, Raw};
use lookback_infer::tasks::classify::Targets;

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
