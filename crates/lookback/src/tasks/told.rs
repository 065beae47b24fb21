//! What a person is told of a model after its training: how well it tells each label apart.

use std::path::Path;

use lookback_infer::model::{LabelScores, Table};

/// Labels up to which all are shown.
const ALL: usize = 40;
/// How many are shown of more.
const WORST: usize = 20;
/// How many of those never answered are named.
const NAMED: usize = 10;

/// How well each label is told apart on what `file` had to judge by; of many labels, those that are told apart worst. `what` has
/// labels, in the plural; the note says that `help` may help labels that were never answered.
pub(super) fn table(classes: &[LabelScores], (what, help): (&str, &str), file: &Path) -> Table {
    let occurring = classes.iter().filter(|class| class.support + class.answered > 0);
    let mut shown: Vec<LabelScores> = occurring.cloned().collect();
    let never: Vec<&LabelScores> = classes.iter().filter(|class| class.support > 0 && class.answered == 0).collect();
    let mut notes = Vec::new();
    if shown.len() > ALL {
        notes.push(format!("the {WORST} of {} labels that are told apart worst, in {}", shown.len(), file.display()));
        shown.sort_by(|a, b| a.f1.total_cmp(&b.f1));
        shown.truncate(WORST);
    } else {
        notes.push(format!("by {what} of {} that were not trained on", file.display()));
    }
    if !never.is_empty() {
        let mut named: Vec<&str> = never.iter().take(NAMED).map(|class| class.label.as_str()).collect();
        if never.len() > NAMED {
            named.push("and others");
        }
        notes.push(format!("never answered: {}; {help} may help", named.join(", ")));
    }
    Table { note: notes.join("\n"), ..LabelScores::table(&shown, what) }
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
        let table = table(&scores(3), ("rows", "more rows of them"), Path::new("a.csv"));
        assert_eq!(table.rows.len(), 3);
        assert!(table.note.contains("never answered: l02; more rows of them may help"), "{}", table.note);
    }

    #[test]
    fn of_many_labels_the_worst_are_shown() {
        let table = table(&scores(50), ("spans", "more of them"), Path::new("a.csv"));
        assert_eq!((table.rows.len(), table.rows[0][0].as_str()), (20, "l00"));
        assert!(table.rows.iter().any(|row| row[0] == "l49"), "{:?}", table.rows);
        assert!(table.note.starts_with("the 20 of 50 labels"), "{}", table.note);
    }
}
