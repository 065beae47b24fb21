//! What a tagger is judged by.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::Dataset;
use super::span_scores::SpanScores;
use crate::model::{LabelScores, ratio};

/// Accuracy on tokens, and how well each tag, or kind of span, is told apart.
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
    /// How well spans are found, where tags spell some.
    #[serde(flatten)]
    pub spans: Option<SpanScores>,
    /// A row per label of spans; where tags spell none, a row per tag.
    pub labels: Vec<LabelScores>,
    /// A row per tag, where those of `labels` are of spans.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<LabelScores>,
}

impl Metrics {
    /// From the tags' names, labelled data, the tags answered to each of their examples, and the mean loss. All is counted in the
    /// scheme of the data, whatever the network is trained on.
    pub fn new(tags: &[String], dataset: &Dataset, answers: &[Vec<usize>], loss: f64) -> Metrics {
        let (truth, answers) = (dataset.written(tags, &dataset.targets), dataset.written(tags, answers));
        let unknown = dataset.examples.iter().flat_map(|example| example.unknown());
        let pairs = || truth.iter().flatten().zip(answers.iter().flatten());
        let right: Vec<bool> = pairs().map(|(truth, answer)| truth == answer).collect();
        let unknown: Vec<bool> =
            right.iter().zip(unknown).filter_map(|(&right, unknown)| unknown.then_some(right)).collect();
        let share = |right: &[bool]| ratio(right.iter().filter(|&&right| right).count(), right.len());
        let scheme = dataset.schemes.written;
        let spans = scheme.has_spans().then(|| SpanScores::of(scheme, &truth, &answers));
        let of_tags = by_tag(tags, dataset, &truth, &answers);
        let (labels, of_tags) = match &spans {
            Some((_, labels)) => (labels.clone(), of_tags),
            None => (of_tags, Vec::new()),
        };
        Metrics {
            examples: dataset.examples.len(),
            tokens: right.len(),
            loss,
            accuracy: share(&right),
            unknown_accuracy: (!unknown.is_empty()).then(|| share(&unknown)),
            spans: spans.map(|(scores, _)| scores),
            labels,
            tags: of_tags,
        }
    }
}

/// A row per tag: those of the network in their order, or, where the data are of another scheme, those that occur.
fn by_tag(tags: &[String], dataset: &Dataset, truth: &[Vec<String>], answers: &[Vec<String>]) -> Vec<LabelScores> {
    let names: Vec<String> = match dataset.is_converted() {
        true => truth.iter().chain(answers).flatten().collect::<BTreeSet<_>>().into_iter().cloned().collect(),
        false => tags.iter().chain(&dataset.unseen).cloned().collect(),
    };
    let ids: HashMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
    let encode = |tags: &[Vec<String>]| -> Vec<usize> { tags.iter().flatten().map(|tag| ids[tag.as_str()]).collect() };
    LabelScores::of(&names, &encode(truth), &encode(answers))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::data::labels::LabelSet;
    use crate::input::tokenizer::TokenizerChoice;
    use crate::input::{Input, InputPlan, Labelled, Raw, TextPlan};
    use crate::tasks::tag::scheme::{Scheme, Schemes};
    use crate::tasks::tag::{Tags, convert};

    const FILE: &str = "a.conll";

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn sentence(tokens: &str, tags: &str) -> Labelled<Tags> {
        let (tokens, names) = (words(tokens), words(tags));
        let lines = (5..).take(names.len()).collect();
        Labelled { raw: Raw::Tokens(tokens), label: Tags { names, lines }, line: 5 }
    }

    /// An input that knows a, b and c and cuts behind three tokens.
    fn input() -> Input {
        let plan = InputPlan::Text(TextPlan {
            format: None,
            header: None,
            text: None,
            label: None,
            layout: Default::default(),
            columns: None,
            label_separator: None,
            tokenizer: TokenizerChoice::Words,
            subwords: None,
            white_space: false,
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
        Input::fit(&plan, [Raw::Tokens(words("a b c"))].iter(), &[], Path::new(FILE)).unwrap()
    }

    fn judged(sentences: Vec<Labelled<Tags>>, tags: &str, schemes: Schemes, answers: &[Vec<usize>]) -> Metrics {
        let file = Path::new(FILE);
        let mut sentences = sentences;
        convert(&mut sentences, schemes, file);
        let tags = LabelSet::try_from(words(tags)).unwrap();
        let examples = input().encode_labelled(sentences, file).unwrap();
        let dataset = Dataset::to_be_judged(examples, &tags, schemes, file).unwrap();
        Metrics::new(tags.names(), &dataset, answers, 0.5)
    }

    fn rows(labels: &[LabelScores]) -> Vec<(&str, f64, usize)> {
        labels.iter().map(|label| (label.label.as_str(), label.f1, label.support)).collect()
    }

    #[test]
    fn tokens_are_judged_alone_and_unknown_ones_once_more() {
        // The fourth token is cut off, and its tag with it.
        let read = vec![sentence("a new b cut", "X Y Y W"), sentence("old c", "X Z")];
        let metrics = judged(read, "X Y Z", Schemes::default(), &[vec![0, 1, 0], vec![1, 2]]);
        assert_eq!((metrics.examples, metrics.tokens), (2, 5));
        assert_eq!((metrics.accuracy, metrics.unknown_accuracy), (0.6, Some(0.5)));
        assert_eq!(rows(&metrics.labels), [("X", 0.5, 2), ("Y", 0.5, 2), ("Z", 1.0, 1)]);
        assert!(metrics.spans.is_none() && metrics.tags.is_empty());
    }

    #[test]
    fn a_tag_that_was_never_trained_is_wrong_where_it_is_judged_and_refused_where_it_is_learnt() {
        let read = || vec![sentence("a b", "X W")];
        let metrics = judged(read(), "X Y", Schemes::default(), &[vec![0, 1]]);
        assert_eq!(rows(&metrics.labels), [("X", 1.0, 1), ("Y", 0.0, 0), ("W", 0.0, 1)]);
        let (file, tags) = (Path::new(FILE), LabelSet::try_from(words("X Y")).unwrap());
        let examples = input().encode_labelled(read(), file).unwrap();
        let error = Dataset::new(examples, &tags, Schemes::default(), file).unwrap_err().to_string();
        assert!(error.starts_with("a.conll, line 6: the label \"W\" was never trained"), "{error}");
    }

    #[test]
    fn spans_are_judged_in_the_scheme_of_the_data_whatever_the_network_has() {
        let read = || vec![sentence("a b c", "B-P I-P O"), sentence("a b", "O B-L")];
        let bio = Schemes { written: Scheme::Bio, trained: Scheme::Bio };
        // O, B-P, I-P; the second span is not found, and has a label that was never trained.
        let answers = [vec![1, 2, 0], vec![0, 0]];
        let metrics = judged(read(), "O B-P I-P", bio, &answers);
        let spans = metrics.spans.clone().unwrap();
        assert_eq!((spans.micro.precision, spans.micro.recall), (1.0, 0.5));
        assert_eq!((metrics.accuracy, spans.macro_average.f1), (0.8, 0.5));
        assert_eq!(rows(&metrics.labels), [("L", 0.0, 1), ("P", 1.0, 1)]);
        assert_eq!(metrics.tags.len(), 4);
        // O, B-P, E-P, S-L of BIOES are the same.
        let bioes = Schemes { trained: Scheme::Bioes, ..bio };
        let converted = judged(read(), "O B-P E-P S-L", bioes, &[vec![1, 2, 0], vec![0, 0]]);
        assert_eq!((converted.accuracy, &converted.spans, &converted.labels), (0.8, &metrics.spans, &metrics.labels));
        let names: Vec<&str> = converted.tags.iter().map(|row| row.label.as_str()).collect();
        assert_eq!(names, ["B-L", "B-P", "I-P", "O"]);
        // A file of another scheme is judged as one of this.
        let other = vec![sentence("a b c", "B-P E-P O"), sentence("a b", "O S-L")];
        assert_eq!(judged(other, "O B-P I-P", bio, &answers).spans, metrics.spans);
    }

    #[test]
    fn what_goes_on_with_nothing_begins_a_span() {
        let bio = Schemes { written: Scheme::Bio, trained: Scheme::Bio };
        let mut sentences = vec![sentence("a b c", "I-P I-P I-L"), sentence("a", "W")];
        convert(&mut sentences, bio, Path::new(FILE));
        let names = |place: usize| sentences[place].label.names.join(" ");
        assert_eq!((names(0), names(1)), ("B-P I-P B-L".to_owned(), "W".to_owned()), "and W stays to be told");
    }

    #[test]
    fn what_a_program_reads_has_the_names_of_the_figures() {
        let bio = Schemes { written: Scheme::Bio, trained: Scheme::Bio };
        let keys = |metrics: &Metrics| {
            let json = serde_json::to_value(metrics).unwrap();
            json.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
        };
        let metrics = judged(vec![sentence("a b", "B-P O")], "O B-P", bio, &[vec![0, 0]]);
        let expected = "examples tokens loss accuracy unknown_accuracy precision recall f1 macro weighted unlabelled strict labels tags";
        assert_eq!(keys(&metrics), expected);
        let metrics = judged(vec![sentence("a b", "X Y")], "X Y", Schemes::default(), &[vec![0, 0]]);
        assert_eq!(keys(&metrics), "examples tokens loss accuracy unknown_accuracy labels");
    }
}
