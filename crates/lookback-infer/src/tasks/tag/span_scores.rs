//! How well spans are found: precision, recall and F1 as `seqeval` 1.2.2 has them.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::scheme::{Scheme, Span};
use crate::model::{LabelScores, ratio};

/// What stands for the label of spans that have none, as in `seqeval`.
const NO_LABEL: &str = "_";

/// Scores of all spans together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpanScores {
    /// All spans counted alike (micro), read as the default mode of `seqeval` and `conlleval` read them.
    #[serde(flatten)]
    pub micro: Average,
    /// The mean over labels.
    #[serde(rename = "macro")]
    pub macro_average: Average,
    /// The mean over labels, each as often as it is right.
    pub weighted: Average,
    /// All spans, whatever their label: of text cut into characters its words.
    pub unlabelled: Average,
    /// All spans counted alike, read as the strict mode of `seqeval` reads them.
    pub strict: Average,
}

/// Precision, recall and F1 of several spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Average {
    /// Share of the answered spans that are right; 0 of none.
    pub precision: f64,
    /// Share of the right spans that are answered; 0 of none.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
}

impl SpanScores {
    /// From the right and the answered tags of every sentence, and a row per label, in their order.
    pub fn of(scheme: Scheme, truth: &[Vec<String>], answers: &[Vec<String>]) -> (SpanScores, Vec<LabelScores>) {
        let read = |tags: &[String]| scheme.spans(tags);
        let counts = counts(truth, answers, read);
        let names: Vec<String> = counts.keys().cloned().collect();
        let labels = LabelScores::of_counts(&names, counts.values().copied().collect());
        let bare = |tags: &[String]| -> Vec<Span> {
            scheme.spans(tags).into_iter().map(|span| Span { label: String::new(), ..span }).collect()
        };
        let scores = SpanScores {
            micro: Average::micro(&counts),
            macro_average: Average::mean(&labels, |_| 1),
            weighted: Average::mean(&labels, |label| label.support),
            unlabelled: Average::micro(&self::counts(truth, answers, bare)),
            strict: Average::micro(&self::counts(truth, answers, |tags| scheme.strict_spans(tags))),
        };
        (scores, labels)
    }
}

impl Average {
    fn micro(counts: &BTreeMap<String, [usize; 3]>) -> Average {
        let total = |place: usize| counts.values().map(|counts| counts[place]).sum();
        let (hits, support, answered) = (total(0), total(1), total(2));
        Average {
            precision: ratio(hits, answered),
            recall: ratio(hits, support),
            f1: ratio(2 * hits, support + answered),
        }
    }

    /// The mean over labels, each with its weight; 0 without any.
    fn mean(labels: &[LabelScores], weight: fn(&LabelScores) -> usize) -> Average {
        let total: usize = labels.iter().map(weight).sum();
        let mean = |value: fn(&LabelScores) -> f64| {
            let sum: f64 = labels.iter().map(|label| weight(label) as f64 * value(label)).sum();
            if total == 0 { 0.0 } else { sum / total as f64 }
        };
        Average {
            precision: mean(|label| label.precision),
            recall: mean(|label| label.recall),
            f1: mean(|label| label.f1),
        }
    }
}

/// By label, how many spans are answered rightly, are right, and are answered.
fn counts(
    truth: &[Vec<String>],
    answers: &[Vec<String>],
    read: impl Fn(&[String]) -> Vec<Span>,
) -> BTreeMap<String, [usize; 3]> {
    let mut counts: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let mut add = |span: &Span, places: [usize; 3]| {
        let name = if span.label.is_empty() { NO_LABEL } else { &span.label };
        let counts = counts.entry(name.to_owned()).or_default();
        counts.iter_mut().zip(places).for_each(|(count, more)| *count += more);
    };
    for (truth, answers) in truth.iter().zip(answers) {
        let (truth, answers) = (read(truth), read(answers));
        let answered: HashSet<&Span> = answers.iter().collect();
        truth.iter().for_each(|span| add(span, [usize::from(answered.contains(span)), 1, 0]));
        answers.iter().for_each(|span| add(span, [0, 0, 1]));
    }
    counts
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Compares scores with `{"labels": {label: [p, r, f, support]}, "micro": [p, r, f], ..}`; null where nothing was found.
    fn compare(case: &Value, counts: &BTreeMap<String, [usize; 3]>, expected: &Value) {
        let Some(expected) = expected.as_object() else {
            assert!(counts.is_empty(), "{case}");
            return;
        };
        let close = |found: &[f64], expected: &Value| {
            let expected = expected.as_array().unwrap();
            assert_eq!(found.len(), expected.len(), "{case}");
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected.as_f64().unwrap()).abs() < 1e-9, "{case}: {found} instead of {expected}");
            }
        };
        let figures = |average: Average| [average.precision, average.recall, average.f1];
        let names: Vec<String> = counts.keys().cloned().collect();
        let labels = LabelScores::of_counts(&names, counts.values().copied().collect());
        let expected_names: Vec<&String> = expected["labels"].as_object().unwrap().keys().collect();
        assert_eq!(names.iter().collect::<Vec<_>>(), expected_names, "{case}");
        for label in &labels {
            let found = [label.precision, label.recall, label.f1, label.support as f64];
            close(&found, &expected["labels"][&label.label]);
        }
        close(&figures(Average::micro(counts)), &expected["micro"]);
        close(&figures(Average::mean(&labels, |_| 1)), &expected["macro"]);
        close(&figures(Average::mean(&labels, |label| label.support)), &expected["weighted"]);
    }

    #[test]
    fn both_modes_give_what_seqeval_gives() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../conformance/seqeval.json");
        let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        for case in &cases {
            let sentences = |place: usize| -> Vec<Vec<String>> {
                let words = |tags: &Value| tags.as_str().unwrap().split_whitespace().map(str::to_owned).collect();
                case[place].as_array().unwrap().iter().map(words).collect()
            };
            let (truth, answers) = (sentences(1), sentences(2));
            let scheme: Scheme = serde_json::from_value(case[0].clone()).unwrap();
            // Of two letters that the default mode does not know it makes nothing that could be compared.
            if scheme != Scheme::Bilou {
                compare(case, &counts(&truth, &answers, |tags| scheme.spans(tags)), &case[3]);
            }
            compare(case, &counts(&truth, &answers, |tags| scheme.strict_spans(tags)), &case[4]);
            let (scores, labels) = SpanScores::of(scheme, &truth, &answers);
            let micro = |mode: &Value| mode.get("micro").map_or(0.0, |micro| micro[2].as_f64().unwrap());
            assert!((scores.strict.f1 - micro(&case[4])).abs() < 1e-9, "{case}");
            if scheme != Scheme::Bilou {
                assert!((scores.micro.f1 - micro(&case[3])).abs() < 1e-9, "{case}");
                let count = case[3].get("labels").map_or(0, |labels| labels.as_object().unwrap().len());
                assert_eq!(labels.len(), count, "{case}");
            }
        }
        assert!(cases.len() >= 200, "{}", cases.len());
    }

    #[test]
    fn words_are_found_or_not_whatever_their_tag() {
        let tags = |text: &str| vec![text.split(' ').map(str::to_owned).collect::<Vec<_>>()];
        let (scores, labels) = SpanScores::of(Scheme::Bmes, &tags("B-v E-v S-n S-u"), &tags("B-n E-n S-n S-u"));
        assert_eq!((scores.unlabelled.f1, scores.micro.precision), (1.0, 2.0 / 3.0));
        assert_eq!(labels.iter().map(|label| label.label.as_str()).collect::<Vec<_>>(), ["n", "u", "v"]);
        let (scores, _) = SpanScores::of(Scheme::Bmes, &tags("B E S"), &tags("S S S"));
        assert_eq!(scores.unlabelled, scores.micro);
        assert_eq!(scores.unlabelled, Average { precision: 1.0 / 3.0, recall: 0.5, f1: 0.4 });
    }
}
