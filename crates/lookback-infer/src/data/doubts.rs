//! What looks wrong about labels, before anything is learnt of them.

use std::collections::BTreeMap;

use super::label_lists::list;

/// A label of fewer rows is hardly learnt.
const FEW: usize = 5;
/// How many labels a sentence names.
const NAMED: usize = 10;
/// What programs write where there is no value.
const NOTHING: [&str; 7] = ["nan", "none", "null", "n/a", "na", "nil", "undefined"];

/// Sentences about labels and the rows that have each: those that differ in case, space or the form of a number alone, that
/// stand for no value, or that few rows have.
pub fn of_labels(counts: &[(&str, usize)]) -> Vec<String> {
    let mut doubts = Vec::new();
    let mut alike: BTreeMap<String, Vec<(&str, usize)>> = BTreeMap::new();
    for &(name, count) in counts {
        alike.entry(form(name)).or_default().push((name, count));
    }
    for same in alike.values().filter(|same| same.len() > 1) {
        doubts.push(format!("the labels {} differ in case, space or the form of a number alone", named(same)));
    }
    let nothing: Vec<(&str, usize)> =
        counts.iter().copied().filter(|(name, _)| NOTHING.contains(&name.trim().to_lowercase().as_str())).collect();
    if !nothing.is_empty() {
        let (verb, noun) = if nothing.len() == 1 { ("stands", "label") } else { ("stand", "labels") };
        doubts.push(format!(
            "the {noun} {} {verb} for no value in many files, and {verb} for a class here",
            named(&nothing)
        ));
    }
    let few: Vec<(&str, usize)> = counts.iter().copied().filter(|&(_, count)| count < FEW).collect();
    if !few.is_empty() {
        let noun = if few.len() == 1 { "the label" } else { "the labels" };
        doubts.push(format!(
            "{noun} {} {} fewer than {FEW} rows",
            named(&few),
            if few.len() == 1 { "has" } else { "have" }
        ));
    }
    doubts
}

/// Sentences about labels that look as if several stood in one: with a bar between parts that are labels of other rows, too,
/// or as a list.
pub fn of_separators(counts: &[(&str, usize)]) -> Vec<String> {
    let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
    for &(name, _) in counts {
        parts(name).for_each(|part| *rows.entry(part).or_default() += 1);
    }
    let are_several = |(name, _): &&(&str, usize)| name.contains('|') && parts(name).all(|part| rows[part] > 1);
    let several: Vec<(&str, usize)> = counts.iter().filter(are_several).copied().collect();
    let lists: Vec<(&str, usize)> = counts.iter().filter(|(name, _)| list(name).is_some()).copied().collect();
    let doubts =
        [(several, "several labels of a text, with | between them"), (lists, "lists of several labels of a text")];
    let doubts = doubts.iter().filter(|(labels, _)| !labels.is_empty());
    let tell = |(labels, what): &(Vec<(&str, usize)>, &str)| {
        format!("the labels {} look like {what}; --multi-label reads them so", named(labels))
    };
    doubts.map(tell).collect()
}

fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split('|').map(str::trim).filter(|part| !part.is_empty())
}

/// The same for labels that hardly differ.
fn form(name: &str) -> String {
    match name.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => number.to_string(),
        _ => name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase(),
    }
}

/// `"a" (3 rows), "b" (1 row)`
fn named(labels: &[(&str, usize)]) -> String {
    let one = |&(name, count): &(&str, usize)| format!("{name:?} ({count})");
    let mut names: Vec<String> = labels.iter().take(NAMED).map(one).collect();
    if labels.len() > NAMED {
        names.push(format!("and {} more", labels.len() - NAMED));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_look_like_several_are_told() {
        assert_eq!(of_separators(&[("a", 9), ("x|y", 5), ("b", 9)]), Vec::<String>::new());
        let doubts = of_separators(&[("a", 9), ("a | b", 2), ("b", 5), ("z|y", 5)]);
        let expected = [
            "the labels \"a | b\" (2) look like several labels of a text, with | between them; --multi-label reads them so",
        ];
        assert_eq!(doubts, expected);
        let doubts = of_separators(&[("['a', 'b']", 9), ("['b']", 5), ("[b", 1)]);
        let expected = [
            "the labels \"['a', 'b']\" (9), \"['b']\" (5) look like lists of several labels of a text; --multi-label \
                         reads them so",
        ];
        assert_eq!(doubts, expected);
    }

    #[test]
    fn labels_that_look_wrong_are_told() {
        assert_eq!(of_labels(&[("good", 9), ("bad", 9)]), Vec::<String>::new());
        let doubts =
            of_labels(&[("0", 9), ("0.0", 7), ("Good", 6), ("good", 8), (" good", 8), ("NaN", 5), ("None", 5)]);
        let expected = [
            "the labels \"0\" (9), \"0.0\" (7) differ in case, space or the form of a number alone",
            "the labels \"Good\" (6), \"good\" (8), \" good\" (8) differ in case, space or the form of a number alone",
            "the labels \"NaN\" (5), \"None\" (5) stand for no value in many files, and stand for a class here",
        ];
        assert_eq!(doubts, expected);
        assert_eq!(of_labels(&[("a", 4), ("b", 9)]), ["the label \"a\" (4) has fewer than 5 rows"]);
        let many: Vec<String> = (0..12).map(|n| format!("class {n}")).collect();
        let many: Vec<(&str, usize)> = many.iter().map(|name| (name.as_str(), 1)).collect();
        assert!(of_labels(&many)[0].ends_with("\"class 9\" (1), and 2 more have fewer than 5 rows"));
    }
}
