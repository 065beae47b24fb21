//! The built-in questions: six intents, English and Chinese.

use std::path::Path;

use lookback_infer::error::Error;
use lookback_infer::input::{LabelledInput, Raw};
use lookback_infer::model::{Ask, Model, Report};
use lookback_infer::model_file::ModelFile;
use lookback_infer::tasks::classify::{Classifier, Dataset};

use super::{Demo, THE_MODEL};
use crate::tasks::Fitted;
use crate::tasks::classify::{ClassifyOptions, ClassifyPlan, fit_inputs};
use crate::train::{Session, TrainOptions};

/// Tab-separated, with the columns `label` and `text`.
const TRAIN: &str = include_str!("train.tsv");
const HELD_OUT: &str = include_str!("test.tsv");

/// What the demonstration does with them.
pub(super) const DEMO: Demo = Demo {
    name: "classify",
    unseen: "sentences",
    inputs: &SENTENCES,
    writes: 0,
    drawn: None,
    fit,
    judge,
    then: "echo \"where is my parcel\" | lookback predict MODEL --attention",
};

/// Sentences that the demonstration explains; none stands in the data.
const SENTENCES: [&str; 3] = [
    "how many days until my parcel gets to Lisbon",
    "they charged my card twice for the same shoes",
    "周末晚上你们几点关门",
];

/// What messages call the built-in training data.
const TRAIN_FILE: &str = "built-in/train.tsv";

/// Trains a small classifier on the built-in questions.
///
/// # Errors
/// If there is no memory for it.
fn fit(seed: u64, session: &mut Session<'_>) -> Result<Fitted, Error> {
    // As anybody's own texts: what nobody says is chosen by the data.
    let options = ClassifyOptions {
        train: TrainOptions { seed: Some(seed), ..TrainOptions::default() },
        ..ClassifyOptions::default()
    };
    let path = Path::new(TRAIN_FILE);
    let plan = ClassifyPlan::new(path, &options)?;
    fit_inputs(examples(TRAIN), path, &plan, session)
}

/// The classifier in the file, and how it does on the part that training has not seen.
fn judge(file: ModelFile) -> Result<(Box<dyn Model>, Report), Error> {
    let classifier = Classifier::read(file, Path::new(THE_MODEL))?;
    let (path, description) = (Path::new("built-in/test.tsv"), classifier.description());
    let inputs = classifier.input().encode_labelled(examples(HELD_OUT), path)?;
    let held_out = Dataset::new(inputs, &description.labels, description.plan.labels_per_text, path)?;
    let report = classifier.judge(&held_out, &Ask::default())?;
    Ok((Box::new(classifier), report))
}

fn examples(table: &str) -> Vec<LabelledInput> {
    table
        .lines()
        .enumerate()
        .skip(1)
        .filter_map(|(index, line)| {
            let (label, text) = line.split_once('\t')?;
            Some(LabelledInput { raw: Raw::Text(text.into()), label: vec![label.into()], line: index + 1 })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_explained_sentences_stand_in_no_part_of_the_data() {
        for example in examples(TRAIN).iter().chain(&examples(HELD_OUT)) {
            assert!(SENTENCES.iter().all(|&sentence| example.raw != Raw::Text(sentence.into())), "{:?}", example.raw);
        }
    }

    #[test]
    fn no_held_out_sentence_is_trained_on() {
        let train = examples(TRAIN);
        assert!(train.len() >= 500, "{}", train.len());
        for example in examples(HELD_OUT) {
            assert!(train.iter().all(|trained| trained.raw != example.raw), "{:?}", example.raw);
        }
    }
}
