//! What a person is told of the data before training, and of the labels after it.

use std::collections::HashSet;
use std::path::Path;

use lookback_infer::error::counted;
use lookback_infer::input::{Example, Input, InputShape};
use lookback_infer::model::{LabelScores, Table};
use lookback_infer::tasks::classify::Dataset;

/// Texts that have so many times the tokens of the median are told, since a quote may be missing that would have ended them.
const LONG: usize = 20;
/// But none of fewer tokens than these.
const LONG_TOKENS: usize = 200;

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

/// Tells texts that are cut, and those that are much longer than the others.
fn tell_long(train: &Dataset, median: usize) {
    let (file, examples) = (train.file.display(), &train.examples);
    let cut = examples.iter().filter(|example| example.cut > 0).count();
    if cut > 0 {
        let longest = examples.iter().map(Example::len).max().unwrap_or(0);
        tracing::warn!("{file}: {} cut to --max-length {longest}", counted(cut, "text"));
    }
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

/// How well each label is told apart on what `file` had to judge by; of many labels, those that are told apart worst. The note
/// says what may help labels that were never answered.
pub(super) fn table(classes: &[LabelScores], file: &Path) -> Table {
    /// Labels up to which all are shown.
    const ALL: usize = 40;
    /// How many are shown of more.
    const WORST: usize = 20;
    /// How many of those never answered are named.
    const NAMED: usize = 10;
    let occurring = classes.iter().filter(|class| class.support + class.answered > 0);
    let mut shown: Vec<LabelScores> = occurring.cloned().collect();
    let never: Vec<&LabelScores> = classes.iter().filter(|class| class.support > 0 && class.answered == 0).collect();
    let mut notes = Vec::new();
    if shown.len() > ALL {
        notes.push(format!("the {WORST} of {} labels that are told apart worst, in {}", shown.len(), file.display()));
        shown.sort_by(|a, b| a.f1.total_cmp(&b.f1));
        shown.truncate(WORST);
    } else {
        notes.push(format!("by rows of {} that were not trained on", file.display()));
    }
    if !never.is_empty() {
        let mut named: Vec<&str> = never.iter().take(NAMED).map(|class| class.label.as_str()).collect();
        if never.len() > NAMED {
            named.push("and others");
        }
        notes.push(format!(
            "never answered: {}; --class-weights balanced, more rows of them, or one label for those that are alike may help",
            named.join(", ")
        ));
    }
    Table { note: notes.join("\n"), ..LabelScores::table(&shown, "rows") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(labels: usize) -> Vec<LabelScores> {
        let names: Vec<String> = (0..labels).map(|label| format!("l{label:02}")).collect();
        // Every label has one row; the last is answered with the first.
        let truth: Vec<usize> = (0..labels).collect();
        let answers: Vec<usize> = (0..labels).map(|label| if label + 1 == labels { 0 } else { label }).collect();
        LabelScores::of(&names, &truth, &answers)
    }

    #[test]
    fn a_label_that_was_never_answered_is_named_with_what_may_help() {
        let table = table(&scores(3), Path::new("a.csv"));
        assert_eq!(table.rows.len(), 3);
        assert!(table.note.contains("never answered: l02; --class-weights balanced"), "{}", table.note);
    }

    #[test]
    fn of_many_labels_the_worst_are_shown() {
        let table = table(&scores(50), Path::new("a.csv"));
        assert_eq!((table.rows.len(), table.rows[0][0].as_str()), (20, "l00"));
        assert!(table.rows.iter().any(|row| row[0] == "l49"), "{:?}", table.rows);
        assert!(table.note.starts_with("the 20 of 50 labels"), "{}", table.note);
    }
}
