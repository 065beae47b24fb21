//! What a tagger is judged by.

use serde::Serialize;

use super::Dataset;
use crate::model::{LabelScores, ratio};

/// Accuracy on tokens, and how well each tag is told apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metrics {
    /// Texts judged.
    pub examples: usize,
    /// Tokens judged.
    pub tokens: usize,
    /// Mean cross-entropy of the right tags, in nats.
    pub loss: f64,
    /// Share of tokens with the right tag.
    pub accuracy: f64,
    /// The same among tokens that the vocabulary does not have; `None` where it has all.
    pub unknown_accuracy: Option<f64>,
    /// A row per tag.
    pub labels: Vec<LabelScores>,
}

impl Metrics {
    /// From the tags' names, labelled data, the tags answered to each of their examples, and the mean loss.
    pub fn new(tags: &[String], dataset: &Dataset, answers: &[Vec<usize>], loss: f64) -> Metrics {
        let (truth, answers) = (dataset.targets.concat(), answers.concat());
        let unknown: Vec<bool> = dataset.examples.iter().flat_map(|example| example.unknown()).collect();
        let right: Vec<bool> = truth.iter().zip(&answers).map(|(truth, answer)| truth == answer).collect();
        let of_unknown = right.iter().zip(unknown).filter(|(_, unknown)| *unknown);
        let unknown: Vec<bool> = of_unknown.map(|(&right, _)| right).collect();
        let share = |right: &[bool]| ratio(right.iter().filter(|&&right| right).count(), right.len());
        Metrics {
            examples: dataset.examples.len(),
            tokens: truth.len(),
            loss,
            accuracy: share(&right),
            unknown_accuracy: (!unknown.is_empty()).then(|| share(&unknown)),
            labels: LabelScores::of(tags, &truth, &answers),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::data::labels::LabelSet;
    use crate::input::tokenizer::TokenizerChoice;
    use crate::input::{Input, InputPlan, Labelled, Raw, TextPlan};

    #[test]
    fn tokens_are_judged_alone_and_unknown_ones_once_more() {
        let plan = InputPlan::Text(TextPlan {
            format: None,
            header: None,
            text: None,
            label: None,
            layout: Default::default(),
            columns: None,
            label_separator: None,
            tokenizer: TokenizerChoice::Words,
            lowercase: true,
            normalize: Default::default(),
            chinese: Default::default(),
            user_dictionary: None,
            min_count: 1,
            max_vocabulary: 9,
            max_length: 3,
            ngrams: None,
            bigrams: None,
            shapes: None,
            word_dropout: 0.0,
        });
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let file = Path::new("a.conll");
        let input = Input::fit(&plan, [Raw::Tokens(words("a b c"))].iter(), &[], file).unwrap();
        let tags = LabelSet::try_from(words("X Y Z")).unwrap();
        let sentence = |tokens, tags| Labelled { raw: Raw::Tokens(words(tokens)), label: words(tags), line: 5 };
        // The fourth token is cut off, and its tag with it.
        let read = vec![sentence("a new b cut", "X Y Y W"), sentence("old c", "X Z")];
        let dataset = Dataset::new(input.encode_labelled(read, file).unwrap(), &tags, file).unwrap();
        let metrics = Metrics::new(tags.names(), &dataset, &[vec![0, 1, 0], vec![1, 2]], 0.5);
        assert_eq!((metrics.examples, metrics.tokens), (2, 5));
        assert_eq!((metrics.accuracy, metrics.unknown_accuracy), (0.6, Some(0.5)));
        let f1: Vec<f64> = metrics.labels.iter().map(|label| label.f1).collect();
        assert_eq!(f1, [0.5, 0.5, 1.0]);
        let read = input.encode_labelled(vec![sentence("a b", "X W")], file).unwrap();
        let error = Dataset::new(read, &tags, file).unwrap_err().to_string();
        assert!(error.starts_with("a.conll, line 6: the label \"W\" was never trained"), "{error}");
    }
}
